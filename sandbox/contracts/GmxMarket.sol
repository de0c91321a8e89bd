// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import "./GmxDataStore.sol";
import "./GmxErrors.sol";
import "./GmxKeys.sol";
import "./GmxTypes.sol";

interface IFeed {
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}

/// One market of the stand-in: what its positions are worth, what they owe, what trading them costs.
/// Rates are set from outside and constant; all that follows from them is reckoned as the real exchange does.
contract GmxMarket {
    uint256 internal constant FLOAT = 1e30;
    uint256 internal constant SQRT_FLOAT = 1e15;
    uint256 internal constant PER_SIZE = FLOAT * SQRT_FLOAT;

    GmxDataStore public immutable store;
    GmxTypes.Market internal _market;
    mapping(bytes32 => GmxTypes.Position) internal _positions;
    uint256 public updatedAt;
    uint256[2][2] internal _paid; // funding by side (long, short) and collateral (long, short token), per dollar of size
    uint256[2][2] internal _received;

    struct Accrual {
        uint256[2] borrowing;
        uint256[2][2] paid;
        uint256[2][2] received;
    }

    constructor(GmxDataStore store_, GmxTypes.Market memory market_) {
        store = store_;
        _market = market_;
        updatedAt = block.timestamp;
    }

    // ── prices ──

    function market() public view returns (GmxTypes.Market memory) {
        return _market;
    }

    function prices() public view returns (GmxTypes.Prices memory found) {
        found.index = _price(_market.indexToken);
        found.long = _price(_market.longToken);
        found.short = _price(_market.shortToken);
    }

    function _price(address token) private view returns (GmxTypes.Price memory) {
        (, int256 answer,,,) = IFeed(store.getAddress(GmxKeys.key("PRICE_FEED", token))).latestRoundData();
        uint256 price = uint256(answer) * store.getUint(GmxKeys.key("PRICE_FEED_MULTIPLIER", token)) / FLOAT;
        return GmxTypes.Price(price, price);
    }

    function collateralPrice(address token, GmxTypes.Prices memory p) public view returns (GmxTypes.Price memory) {
        return token == _market.longToken ? p.long : p.short;
    }

    // ── open interest and rates ──

    function interestOf(bool isLong, uint256 token) public view returns (uint256) {
        address collateral = token == 0 ? _market.longToken : _market.shortToken;
        return store.getUint(GmxKeys.key("OPEN_INTEREST", _market.marketToken, collateral, isLong));
    }

    function interest(bool isLong) public view returns (uint256) {
        return interestOf(isLong, 0) + interestOf(isLong, 1);
    }

    /// Only the larger side pays for borrowing.
    function borrowingPerSecond(bool isLong) public view returns (uint256) {
        if (interest(isLong) == 0 || interest(isLong) < interest(!isLong)) return 0;
        return store.getUint(GmxKeys.key("BORROWING_FACTOR", _market.marketToken, isLong));
    }

    /// Positive is paid by longs; nothing while one side is empty.
    function fundingPerSecond() public view returns (int256) {
        if (interest(true) == 0 || interest(false) == 0) return 0;
        return store.getInt(GmxKeys.key("SAVED_FUNDING_FACTOR_PER_SECOND", _market.marketToken));
    }

    /// What a position would be charged if it were touched now.
    function accrued(GmxTypes.Prices memory p) public view returns (Accrual memory a) {
        a = stored();
        uint256 elapsed = block.timestamp - updatedAt;
        for (uint256 side; side < 2; side++) a.borrowing[side] += borrowingPerSecond(side == 0) * elapsed;
        (uint256[2][2] memory paid, uint256[2][2] memory received) = fundingSince(p, elapsed);
        for (uint256 i; i < 4; i++) {
            a.paid[i / 2][i % 2] += paid[i / 2][i % 2];
            a.received[i / 2][i % 2] += received[i / 2][i % 2];
        }
    }

    function stored() public view returns (Accrual memory) {
        address m = _market.marketToken;
        uint256 longs = store.getUint(GmxKeys.key("CUMULATIVE_BORROWING_FACTOR", m, true));
        uint256 shorts = store.getUint(GmxKeys.key("CUMULATIVE_BORROWING_FACTOR", m, false));
        return Accrual([longs, shorts], _paid, _received);
    }

    function fundingSince(GmxTypes.Prices memory p, uint256 elapsed)
        public
        view
        returns (uint256[2][2] memory paid, uint256[2][2] memory received)
    {
        int256 rate = fundingPerSecond();
        if (rate == 0 || elapsed == 0) return (paid, received);
        bool longsPay = rate > 0;
        uint256 payers = interest(longsPay);
        uint256 larger = payers > interest(!longsPay) ? payers : interest(!longsPay);
        uint256 dollars = larger * (uint256(longsPay ? rate : -rate) * elapsed) / FLOAT;
        for (uint256 token; token < 2; token++) {
            uint256 own = interestOf(longsPay, token);
            if (own == 0) continue;
            uint256 price = (token == 0 ? p.long : p.short).max;
            uint256 part = dollars * own / payers;
            paid[longsPay ? 0 : 1][token] = _up(_up(part * FLOAT, own) * SQRT_FLOAT, price);
            received[longsPay ? 1 : 0][token] = part * FLOAT / interest(!longsPay) * SQRT_FLOAT / price;
        }
    }

    // ── one position ──

    function position(bytes32 key) public view returns (GmxTypes.Position memory) {
        return _positions[key];
    }

    function pnl(GmxTypes.Position memory p, GmxTypes.Prices memory at) public pure returns (int256) {
        int256 value = int256(p.numbers.sizeInTokens * (p.isLong ? at.index.min : at.index.max));
        int256 gain = value - int256(p.numbers.sizeInUsd);
        return p.isLong ? gain : -gain;
    }

    function fees(GmxTypes.Position memory p, GmxTypes.Prices memory at, uint256 delta, bool better, Accrual memory a)
        public
        view
        returns (GmxTypes.Fees memory f)
    {
        uint256 side = p.isLong ? 0 : 1;
        uint256 size = p.numbers.sizeInUsd;
        f.collateralTokenPrice = collateralPrice(p.addresses.collateralToken, at);
        f.funding.latestPaid = a.paid[side][p.addresses.collateralToken == _market.longToken ? 0 : 1];
        f.funding.feeAmount = _up(size * (f.funding.latestPaid - p.numbers.fundingPaid), PER_SIZE);
        for (uint256 token; token < 2; token++) {
            f.funding.latestReceived[token] = a.received[side][token];
            f.funding.claimable[token] =
                size * (f.funding.latestReceived[token] - p.numbers.fundingReceived[token]) / PER_SIZE;
        }
        f.borrowing[0] = size * (a.borrowing[side] - p.numbers.borrowingFactor) / FLOAT;
        f.borrowing[1] = f.borrowing[0] / f.collateralTokenPrice.min;
        f.positionFeeFactor = store.getUint(GmxKeys.key("POSITION_FEE_FACTOR", _market.marketToken, better));
        f.positionFeeAmount = delta * f.positionFeeFactor / FLOAT / f.collateralTokenPrice.min;
        f.totalCostAmountExcludingFunding = f.positionFeeAmount + f.borrowing[1];
        f.totalCostAmount = f.totalCostAmountExcludingFunding + f.funding.feeAmount;
    }

    /// What stays of the collateral if all were closed now, and what it has to be.
    function margin(GmxTypes.Position memory p, GmxTypes.Prices memory at, Accrual memory a, bool forLiquidation)
        public
        view
        returns (bool isLow, string memory reason, GmxTypes.LiquidationInfo memory info)
    {
        uint256 size = p.numbers.sizeInUsd;
        (int256 impact, bool better) = impactOf(-int256(size), p.isLong);
        int256 most = -int256(size * _uint("MAX_POSITION_IMPACT_FACTOR_FOR_LIQUIDATIONS") / FLOAT);
        impact = impact > 0 ? int256(0) : impact < most ? most : impact;
        GmxTypes.Fees memory f = fees(p, at, size, better, a);
        int256 left = int256(p.numbers.collateralAmount) - int256(f.totalCostAmount);
        info.remainingCollateralUsd = left * int256(f.collateralTokenPrice.min) + pnl(p, at) + impact;
        info.minCollateralUsd = int256(store.getUint(GmxKeys.base("MIN_COLLATERAL_USD")));
        string memory factor = forLiquidation ? "MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION" : "MIN_COLLATERAL_FACTOR";
        info.minCollateralUsdForLeverage = int256(size * _uint(factor) / FLOAT);
        if (info.remainingCollateralUsd < info.minCollateralUsd) return (true, "min collateral", info);
        if (info.remainingCollateralUsd < info.minCollateralUsdForLeverage) {
            return (true, "min collateral for leverage", info);
        }
    }

    // ── price impact ──

    /// The square of the imbalance, in plain integers: the real one takes powers in another fixed point.
    function impactOf(int256 change, bool isLong) public view returns (int256 usd, bool better) {
        int256 longs = int256(interest(true));
        int256 shorts = int256(interest(false));
        int256 before = longs - shorts;
        int256 later = before + (isLong ? change : -change);
        better = _magnitude(later) < _magnitude(before);
        uint256 gain = _weight(before, true);
        if ((before >= 0) == (later >= 0)) usd = int256(_weight(before, better)) - int256(_weight(later, better));
        else usd = int256(gain) - int256(_weight(later, false));
    }

    function executionPrice(
        GmxTypes.Prices memory at,
        uint256 sizeInUsd,
        uint256 sizeInTokens,
        int256 delta,
        int256 pending,
        bool isLong
    ) public view returns (GmxTypes.Execution memory e) {
        uint256 size = _magnitude(delta);
        e.executionPrice = isLong == (delta > 0) ? at.index.max : at.index.min;
        if (size == 0) return e;
        (e.priceImpactUsd, e.balanceWasImproved) = impactOf(delta, isLong);
        int256 most = int256(size * _side("MAX_POSITION_IMPACT_FACTOR", true) / FLOAT);
        if (e.priceImpactUsd > most) e.priceImpactUsd = most;
        if (delta > 0) {
            (uint256 tokens, int256 impact) = tokensOf(at, size, e.priceImpactUsd, isLong);
            e.executionPrice = size / uint256(isLong ? int256(tokens) + impact : int256(tokens) - impact);
            return e;
        }
        int256 shift = int256(sizeInUsd) * (isLong ? e.priceImpactUsd : -e.priceImpactUsd) / int256(sizeInTokens);
        e.executionPrice = uint256(int256(e.executionPrice) + shift / int256(size));
        e.proportionalPendingImpactUsd = _pending(at, sizeInUsd, size, pending);
        e.totalImpactUsd = e.proportionalPendingImpactUsd + e.priceImpactUsd;
        int256 least = -int256(size * _side("MAX_POSITION_IMPACT_FACTOR", false) / FLOAT);
        if (e.totalImpactUsd < least) {
            e.priceImpactDiffUsd = uint256(least - e.totalImpactUsd);
            e.totalImpactUsd = least;
        }
    }

    function tokensOf(GmxTypes.Prices memory at, uint256 size, int256 impact, bool isLong)
        public
        pure
        returns (uint256 tokens, int256 stored_)
    {
        tokens = isLong ? size / at.index.max : _up(size, at.index.min);
        stored_ = impact > 0 ? impact / int256(at.index.max) : -int256(_up(uint256(-impact), at.index.min));
    }

    function _pending(GmxTypes.Prices memory at, uint256 sizeInUsd, uint256 size, int256 pending)
        private
        pure
        returns (int256)
    {
        if (pending >= 0) return int256(uint256(pending) * size / sizeInUsd * at.index.min);
        return -int256(_up(uint256(-pending) * size, sizeInUsd) * at.index.max);
    }

    function _weight(int256 imbalance, bool isGain) private view returns (uint256) {
        uint256 d = _magnitude(imbalance) / 1e15;
        return d * d * _side("POSITION_IMPACT_FACTOR", isGain) / FLOAT;
    }

    // ── small ──

    function _uint(string memory name) internal view returns (uint256) {
        return store.getUint(GmxKeys.key(name, _market.marketToken));
    }

    function _side(string memory name, bool flag) internal view returns (uint256) {
        return store.getUint(GmxKeys.key(name, _market.marketToken, flag));
    }

    function _up(uint256 a, uint256 b) internal pure returns (uint256) {
        return (a + b - 1) / b;
    }

    function _magnitude(int256 a) internal pure returns (uint256) {
        return uint256(a < 0 ? -a : a);
    }
}
