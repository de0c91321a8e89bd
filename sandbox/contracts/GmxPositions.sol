// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import "./GmxEventEmitter.sol";
import "./GmxMarket.sol";
import "./GmxOrderVault.sol";

/// What executing an order does to a position. Holds the market's tokens and pays from them: nothing here is anybody's.
contract GmxPositions is GmxMarket {
    GmxEventEmitter private immutable _emitter;
    address public handler;

    struct Settlement {
        bytes32 key;
        uint256 size;
        uint256 tokens;
        uint256 taken; // collateral that goes to the owner, beside profit
        int256 pnl;
        bool isWhole;
        bool mayFallShort;
    }

    constructor(GmxDataStore store_, GmxTypes.Market memory market_, GmxEventEmitter emitter)
        GmxMarket(store_, market_)
    {
        _emitter = emitter;
        handler = msg.sender;
    }

    modifier onlyHandler() {
        require(msg.sender == handler, "not the handler");
        _;
    }

    function setHandler(address handler_) external onlyHandler {
        handler = handler_;
    }

    /// Bring funding and borrowing up to now, as everything that changes a position does first.
    function touch() public {
        Accrual memory a = accrued(prices());
        (_paid, _received, updatedAt) = (a.paid, a.received, block.timestamp);
        for (uint256 side; side < 2; side++) {
            bytes32 key = GmxKeys.key("CUMULATIVE_BORROWING_FACTOR", _market.marketToken, side == 0);
            store.setUint(key, a.borrowing[side]);
        }
    }

    // ── increase ──

    /// The collateral of the order has arrived here already.
    function increase(bytes32 orderKey, GmxTypes.Order memory order) external onlyHandler {
        touch();
        GmxTypes.Prices memory at = prices();
        bytes32 key = _keyOf(order);
        GmxTypes.Position storage p = _positions[key];
        uint256 size = order.numbers.sizeDeltaUsd;
        p.addresses = GmxTypes.PositionAddresses(
            order.addresses.account, _market.marketToken, order.addresses.initialCollateralToken
        );
        p.isLong = order.flags.isLong;
        GmxTypes.Execution memory e = executionPrice(at, 0, 0, int256(size), 0, p.isLong);
        GmxTypes.Fees memory f = fees(p, at, size, e.balanceWasImproved, stored());
        int256 change = int256(order.numbers.initialCollateralDeltaAmount) - int256(f.totalCostAmount);
        int256 left = int256(p.numbers.collateralAmount) + change;
        if (left < 0) revert GmxErrors.InsufficientCollateralUsd(left * int256(f.collateralTokenPrice.min));
        _checkPrice(e.executionPrice, order, true);
        (uint256 tokens, int256 pending) = size == 0 ? (0, int256(0)) : tokensOf(at, size, e.priceImpactUsd, p.isLong);
        p.numbers.collateralAmount = uint256(left);
        p.numbers.sizeInUsd += size;
        p.numbers.sizeInTokens += tokens;
        p.numbers.pendingImpactAmount += pending;
        p.numbers.increasedAtTime = block.timestamp;
        _settleFees(p, f, orderKey, true);
        _addInterest(p.addresses.collateralToken, p.isLong, int256(size));
        store.add(GmxKeys.base("POSITION_LIST"), key);
        store.add(GmxKeys.key("ACCOUNT_POSITION_LIST", p.addresses.account), key);
        _checkIncreased(p, at);
        _emitter.increased(
            GmxEventEmitter.Change(orderKey, key, order, p.numbers, e, size, tokens, 0, 0, change, pending)
        );
    }

    function _checkIncreased(GmxTypes.Position memory p, GmxTypes.Prices memory at) private view {
        uint256 least = store.getUint(GmxKeys.base("MIN_POSITION_SIZE_USD"));
        if (p.numbers.sizeInUsd < least) revert GmxErrors.MinPositionSize(p.numbers.sizeInUsd, least);
        uint256 most = _side("MAX_OPEN_INTEREST", p.isLong);
        if (interest(p.isLong) > most) revert GmxErrors.InsufficientReserve(interest(p.isLong), most);
        int256 value = int256(p.numbers.collateralAmount * collateralPrice(p.addresses.collateralToken, at).min);
        if (value < int256(p.numbers.sizeInUsd * _uint("MIN_COLLATERAL_FACTOR") / FLOAT)) {
            revert GmxErrors.InsufficientCollateralUsd(value);
        }
        _checkSafe(p, at);
    }

    function _checkSafe(GmxTypes.Position memory p, GmxTypes.Prices memory at) private view {
        (bool isLow, string memory reason, GmxTypes.LiquidationInfo memory i) = margin(p, at, stored(), false);
        if (isLow) {
            revert GmxErrors.LiquidatablePosition(
                reason, i.remainingCollateralUsd, i.minCollateralUsd, i.minCollateralUsdForLeverage
            );
        }
    }

    // ── decrease ──

    /// Liquidations (type 7) and deleveraging may leave costs unpaid. Tells whether the position is gone.
    function decrease(bytes32 orderKey, GmxTypes.Order memory order, bool mayFallShort)
        external
        onlyHandler
        returns (bool isClosed)
    {
        touch();
        GmxTypes.Prices memory at = prices();
        Settlement memory s;
        s.key = _keyOf(order);
        GmxTypes.Position memory p = _positions[s.key];
        if (p.numbers.sizeInUsd == 0) revert GmxErrors.EmptyPosition();
        _measure(s, p, order, at);
        GmxTypes.Execution memory e = executionPrice(
            at, p.numbers.sizeInUsd, p.numbers.sizeInTokens, -int256(s.size), p.numbers.pendingImpactAmount, p.isLong
        );
        if (s.size != 0 && order.numbers.orderType != 7) _checkPrice(e.executionPrice, order, false);
        GmxTypes.Fees memory f = fees(p, at, s.size, e.balanceWasImproved, stored());
        s.mayFallShort = mayFallShort;
        uint256 paid = _pay(p, order.addresses.receiver, e, f, s);
        if (paid < order.numbers.minOutputAmount) {
            revert GmxErrors.InsufficientOutputAmount(paid, order.numbers.minOutputAmount);
        }
        isClosed = s.isWhole;
        _store(s, p, f, orderKey);
        if (!isClosed) _checkSafe(_positions[s.key], at);
        GmxTypes.PositionNumbers memory after_ = _positions[s.key].numbers;
        _emitter.decreased(
            GmxEventEmitter.Change(orderKey, s.key, order, after_, e, s.size, s.tokens, s.taken, s.pnl, 0, 0)
        );
    }

    function _measure(
        Settlement memory s,
        GmxTypes.Position memory p,
        GmxTypes.Order memory order,
        GmxTypes.Prices memory at
    ) private view {
        uint256 whole = p.numbers.sizeInUsd;
        s.size = order.numbers.sizeDeltaUsd;
        s.taken = order.numbers.initialCollateralDeltaAmount;
        int256 total = pnl(p, at);
        if (s.size > whole) {
            if (order.numbers.orderType == 4) revert GmxErrors.InvalidDecreaseOrderSize(s.size, whole);
            s.size = whole;
        }
        if (s.size < whole) {
            int256 realized = total * int256(s.size) / int256(whole);
            uint256 price = collateralPrice(p.addresses.collateralToken, at).min;
            int256 left = (int256(p.numbers.collateralAmount) - int256(s.taken)) * int256(price);
            int256 needed = int256((whole - s.size) * _uint("MIN_COLLATERAL_FACTOR") / FLOAT);
            if (left + (realized < 0 ? realized : int256(0)) < needed) {
                if (s.size == 0) revert GmxErrors.UnableToWithdrawCollateral(left);
                left += int256(s.taken * price);
                s.taken = 0;
            }
            int256 least = int256(store.getUint(GmxKeys.base("MIN_COLLATERAL_USD")));
            if (left + total - realized < least) {
                if (s.size == 0) revert GmxErrors.UnableToWithdrawCollateral(left);
                s.size = whole;
            }
            if (whole - s.size < store.getUint(GmxKeys.base("MIN_POSITION_SIZE_USD"))) s.size = whole;
        }
        s.isWhole = s.size == whole;
        s.tokens = p.numbers.sizeInTokens * s.size / whole;
        if (p.isLong && !s.isWhole) s.tokens = _up(p.numbers.sizeInTokens * s.size, whole);
        s.pnl = total * int256(s.tokens) / int256(p.numbers.sizeInTokens);
    }

    /// Costs come out of collateral and profit together. Profit is paid out in the collateral (the real one pays a
    /// long's in the long token), loss and costs stay in what is left. Returns what was paid, in dollars.
    function _pay(
        GmxTypes.Position memory p,
        address receiver,
        GmxTypes.Execution memory e,
        GmxTypes.Fees memory f,
        Settlement memory s
    ) private returns (uint256) {
        GmxTypes.Price memory cp = f.collateralTokenPrice;
        int256 change = _inTokens(s.pnl + e.totalImpactUsd - int256(e.priceImpactDiffUsd), cp);
        change -= int256(f.totalCostAmount);
        int256 left = int256(p.numbers.collateralAmount) + change;
        if (left < 0) {
            if (!s.mayFallShort) revert GmxErrors.InsufficientFundsToPayForCosts(uint256(-left) * cp.min, "fees");
            left = 0;
        }
        uint256 out = change > 0 && !s.isWhole ? uint256(change) : 0;
        uint256 rest = uint256(left) - out;
        if (s.isWhole || s.taken > rest) s.taken = rest;
        p.numbers.collateralAmount = rest - s.taken;
        out += s.taken;
        p.numbers.pendingImpactAmount -= p.numbers.pendingImpactAmount * int256(s.size) / int256(p.numbers.sizeInUsd);
        if (out != 0) IToken(p.addresses.collateralToken).transfer(receiver, out);
        return out * cp.min;
    }

    function _inTokens(int256 usd, GmxTypes.Price memory price) private pure returns (int256) {
        return usd >= 0 ? usd / int256(price.max) : -int256(_up(uint256(-usd), price.min));
    }

    function _store(Settlement memory s, GmxTypes.Position memory p, GmxTypes.Fees memory f, bytes32 orderKey) private {
        p.numbers.sizeInUsd -= s.size;
        p.numbers.sizeInTokens -= s.tokens;
        p.numbers.decreasedAtTime = block.timestamp;
        _addInterest(p.addresses.collateralToken, p.isLong, -int256(s.size));
        _positions[s.key] = p;
        _settleFees(_positions[s.key], f, orderKey, false);
        if (s.isWhole) {
            store.remove(GmxKeys.base("POSITION_LIST"), s.key);
            store.remove(GmxKeys.key("ACCOUNT_POSITION_LIST", p.addresses.account), s.key);
            delete _positions[s.key];
        }
    }

    // ── funding received beside the margin ──

    function claim(address account, address token, address receiver) external onlyHandler {
        bytes32 key = GmxKeys.key("CLAIMABLE_FUNDING_AMOUNT", _market.marketToken, token, account);
        uint256 amount = store.getUint(key);
        store.setUint(key, 0);
        if (amount != 0) IToken(token).transfer(receiver, amount);
    }

    function _settleFees(GmxTypes.Position storage p, GmxTypes.Fees memory f, bytes32 orderKey, bool isIncrease)
        private
    {
        p.numbers.borrowingFactor = stored().borrowing[p.isLong ? 0 : 1];
        p.numbers.fundingPaid = f.funding.latestPaid;
        p.numbers.fundingReceived = f.funding.latestReceived;
        for (uint256 i; i < 2; i++) {
            address token = i == 0 ? _market.longToken : _market.shortToken;
            bytes32 key = GmxKeys.key("CLAIMABLE_FUNDING_AMOUNT", _market.marketToken, token, p.addresses.account);
            store.setUint(key, store.getUint(key) + f.funding.claimable[i]);
        }
        _emitter.fees(_market.marketToken, p.addresses, f, orderKey, isIncrease);
    }

    function _addInterest(address token, bool isLong, int256 change) private {
        bytes32 key = GmxKeys.key("OPEN_INTEREST", _market.marketToken, token, isLong);
        store.setUint(key, uint256(int256(store.getUint(key)) + change));
    }

    function _checkPrice(uint256 price, GmxTypes.Order memory order, bool isIncrease) private pure {
        if (order.numbers.sizeDeltaUsd == 0) return;
        uint256 bound = order.numbers.acceptablePrice;
        bool isFine = order.flags.isLong == isIncrease ? price <= bound : price >= bound;
        if (!isFine) revert GmxErrors.OrderNotFulfillableAtAcceptablePrice(price, bound);
    }

    function _keyOf(GmxTypes.Order memory order) private view returns (bytes32) {
        GmxTypes.OrderAddresses memory a = order.addresses;
        return GmxKeys.position(a.account, _market.marketToken, a.initialCollateralToken, order.flags.isLong);
    }
}
