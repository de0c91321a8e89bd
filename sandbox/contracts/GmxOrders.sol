// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import "./GmxOrderBook.sol";

/// The life of an order: left by its owner, executed later by a keeper, or cancelled, or frozen; or nothing visible.
/// Anyone may play the keeper: this is a sandbox.
contract GmxOrders is GmxOrderBook {
    constructor(
        GmxDataStore store,
        GmxEventEmitter emitter,
        GmxPositions house,
        GmxOrderVault vault,
        address wnt,
        address router_
    ) GmxOrderBook(store, emitter, house, vault, wnt, router_) {}

    // ── for keepers ──

    /// Fills the order, or cancels or freezes it where that is its owner's affair. Reverts where it is not.
    function executeOrder(bytes32 key) external {
        uint256 gasBefore = gasleft();
        GmxTypes.Order memory o = _orders[key];
        if (o.addresses.account == address(0)) revert GmxErrors.EmptyOrder();
        _checkTime(o);
        try this.execute(key, o) returns (bool isClosed) {
            _remove(key, o);
            _emitter.executed(key, o.addresses.account, 0);
            if (isClosed) _cancelAutomatic(o);
            _payKeeper(o, gasBefore);
        } catch (bytes memory reason) {
            if (_isMarket(o.numbers.orderType)) return _cancel(key, o, reason, "", msg.sender, gasBefore);
            if (o.flags.isFrozen || _isKeepersAffair(reason)) _revertWith(reason);
            _freeze(key, o, reason, gasBefore);
        }
    }

    /// For the simulation and for `executeOrder` alone: no harm in anybody else's call, it would not be believed.
    function execute(bytes32 key, GmxTypes.Order memory o) external returns (bool isClosed) {
        require(msg.sender == address(this) || msg.sender == router, "not for you");
        if (!_isMarket(o.numbers.orderType)) _checkTrigger(o);
        if (refusals[key].length != 0) _revertWith(refusals[key]);
        if (!_isIncrease(o.numbers.orderType)) return _house.decrease(key, o, false);
        uint256 amount = o.numbers.initialCollateralDeltaAmount;
        if (amount != 0) _vault.transferOut(o.addresses.initialCollateralToken, address(_house), amount);
        _house.increase(key, o);
    }

    /// Pending funding and borrowing count: the market is brought up to now first.
    function executeLiquidation(address account, address token, bool isLong) external {
        _house.touch();
        bytes32 positionKey = GmxKeys.position(account, _house.market().marketToken, token, isLong);
        GmxTypes.Position memory p = _house.position(positionKey);
        if (p.numbers.sizeInUsd == 0) revert GmxErrors.EmptyPosition();
        (bool isLow, string memory reason, GmxTypes.LiquidationInfo memory i) =
            _house.margin(p, _house.prices(), _house.stored(), true);
        if (!isLow) {
            revert GmxErrors.PositionShouldNotBeLiquidated(
                reason, i.remainingCollateralUsd, i.minCollateralUsd, i.minCollateralUsdForLeverage
            );
        }
        _force(p, 7, p.numbers.sizeInUsd, 0);
    }

    /// A knob, really: the real one wants traders' profits to be out of hand first.
    function executeAdl(address account, address token, bool isLong, uint256 size) external {
        bytes32 positionKey = GmxKeys.position(account, _house.market().marketToken, token, isLong);
        _force(_house.position(positionKey), 4, size, 1);
    }

    // ── inside ──

    function _force(GmxTypes.Position memory p, uint8 kind, uint256 size, uint256 secondary) private {
        bytes32 key = keccak256(abi.encode(address(_store), ++nonce));
        GmxTypes.Order memory o;
        o.addresses.account = p.addresses.account;
        o.addresses.receiver = p.addresses.account;
        o.addresses.market = p.addresses.market;
        o.addresses.initialCollateralToken = p.addresses.collateralToken;
        o.numbers.orderType = kind;
        o.numbers.sizeDeltaUsd = size;
        o.numbers.acceptablePrice = p.isLong ? 0 : type(uint256).max;
        o.numbers.updatedAtTime = block.timestamp;
        o.flags.isLong = p.isLong;
        _emitter.order("OrderCreated", key, o);
        bool isClosed = _house.decrease(key, o, true);
        _emitter.executed(key, o.addresses.account, secondary);
        if (isClosed) _cancelAutomatic(o);
    }

    function _checkTime(GmxTypes.Order memory o) private view {
        uint256 updatedAt = o.numbers.updatedAtTime;
        if (_isMarket(o.numbers.orderType) && block.timestamp > updatedAt + EXPIRATION) {
            revert GmxErrors.OracleTimestampsAreLargerThanRequestExpirationTime(block.timestamp, updatedAt, EXPIRATION);
        }
        if (block.timestamp < o.numbers.validFromTime) {
            revert GmxErrors.OrderValidFromTimeNotReached(o.numbers.validFromTime, block.timestamp);
        }
    }

    /// Take-profits and stop-increases of longs wait for a higher price, their limits and stop-losses for a lower one.
    function _checkTrigger(GmxTypes.Order memory o) private view {
        uint256 price = _house.prices().index.min;
        uint256 kind = o.numbers.orderType;
        bool wantsHigher = (kind == 5 || kind == 8) == o.flags.isLong;
        bool isMet = wantsHigher ? price >= o.numbers.triggerPrice : price <= o.numbers.triggerPrice;
        if (!isMet) revert GmxErrors.InvalidOrderPrices(price, price, o.numbers.triggerPrice, kind);
    }

    function _isKeepersAffair(bytes memory reason) private pure returns (bool) {
        bytes4 selector = bytes4(reason);
        return selector == GmxErrors.EmptyPosition.selector || selector == GmxErrors.InvalidOrderPrices.selector;
    }

    function _freeze(bytes32 key, GmxTypes.Order memory o, bytes memory reason, uint256 gasBefore) private {
        _orders[key].flags.isFrozen = true;
        _orders[key].numbers.executionFee = 0;
        _emitter.ended("OrderFrozen", key, o.addresses.account, reason, "");
        _payKeeper(o, gasBefore);
    }

    function _cancelAutomatic(GmxTypes.Order memory closed) private {
        bytes32 list = GmxKeys.key("AUTO_CANCEL_ORDER_LIST", _positionKey(closed));
        bytes32[] memory keys = _store.getBytes32ValuesAt(list, 0, MOST_AUTO_CANCELS);
        for (uint256 i; i < keys.length; i++) {
            GmxTypes.Order memory o = _orders[keys[i]];
            if (o.flags.autoCancel) _cancel(keys[i], o, "", "AUTO_CANCEL", address(0), 0);
        }
    }

    function _revertWith(bytes memory reason) private pure {
        assembly {
            revert(add(reason, 32), mload(reason))
        }
    }
}
