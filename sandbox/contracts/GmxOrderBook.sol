// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import "./GmxPositions.sol";

/// Orders as their owners leave, change and take them back; and what the keepers' side shares with that.
abstract contract GmxOrderBook {
    uint256 internal constant EXPIRATION = 300;
    uint256 internal constant LEAST_CANCEL_GAS = 1_200_000;
    uint256 internal constant MOST_AUTO_CANCELS = 11;

    GmxDataStore internal immutable _store;
    GmxEventEmitter internal immutable _emitter;
    GmxPositions internal immutable _house;
    GmxOrderVault internal immutable _vault;
    address internal immutable _wnt;
    address public router;
    uint256 public nonce;
    mapping(bytes32 => GmxTypes.Order) internal _orders;
    mapping(bytes32 => bytes) public refusals;

    constructor(
        GmxDataStore store,
        GmxEventEmitter emitter,
        GmxPositions house,
        GmxOrderVault vault,
        address wnt,
        address router_
    ) {
        (_store, _emitter, _house, _vault, _wnt, router) = (store, emitter, house, vault, wnt, router_);
    }

    modifier onlyRouter() {
        require(msg.sender == router, "not the router");
        _;
    }

    function order(bytes32 key) external view returns (GmxTypes.Order memory) {
        return _orders[key];
    }

    /// A knob: the order will fail with these bytes whenever it is executed; empty takes it back.
    function refuse(bytes32 key, bytes calldata reason) external {
        refusals[key] = reason;
    }

    // ── for owners ──

    function create(address account, GmxTypes.CreateOrderParams calldata c) external onlyRouter returns (bytes32 key) {
        if (c.orderType < 2 || c.orderType == 7 || c.orderType > 8) revert GmxErrors.OrderTypeCannotBeCreated(c.orderType);
        if (c.addresses.receiver == address(0)) revert GmxErrors.EmptyReceiver();
        if (c.addresses.market != _house.market().marketToken) revert GmxErrors.UnexpectedMarket();
        uint256 amount = _arrived(c);
        if (c.numbers.sizeDeltaUsd == 0 && amount == 0) revert GmxErrors.EmptyOrder();
        key = keccak256(abi.encode(address(_store), ++nonce));
        GmxTypes.Order storage o = _orders[key];
        o.addresses = GmxTypes.OrderAddresses(
            account,
            c.addresses.receiver,
            c.addresses.cancellationReceiver,
            c.addresses.callbackContract,
            c.addresses.uiFeeReceiver,
            c.addresses.market,
            c.addresses.initialCollateralToken,
            c.addresses.swapPath
        );
        o.numbers = GmxTypes.OrderNumbers(
            c.orderType,
            c.decreasePositionSwapType,
            c.numbers.sizeDeltaUsd,
            amount,
            c.numbers.triggerPrice,
            c.numbers.acceptablePrice,
            c.numbers.executionFee,
            c.numbers.callbackGasLimit,
            c.numbers.minOutputAmount,
            block.timestamp,
            c.numbers.validFromTime,
            0
        );
        o.flags = GmxTypes.OrderFlags(c.isLong, c.shouldUnwrapNativeToken, false, c.autoCancel);
        _checkFee(c.orderType, c.numbers.executionFee);
        _store.add(GmxKeys.base("ORDER_LIST"), key);
        _store.add(GmxKeys.key("ACCOUNT_ORDER_LIST", account), key);
        if (c.autoCancel) _addAutoCancel(key, o);
        _emitter.order("OrderCreated", key, o);
    }

    function update(
        address account,
        bytes32 key,
        uint256 size,
        uint256 acceptable,
        uint256 trigger,
        uint256 output,
        uint256 validFrom,
        bool autoCancel
    ) external onlyRouter {
        GmxTypes.Order storage o = _orders[key];
        if (o.addresses.account != account) revert GmxErrors.Unauthorized(account, "account for updateOrder");
        if (_isMarket(o.numbers.orderType)) revert GmxErrors.OrderNotUpdatable(o.numbers.orderType);
        o.numbers.executionFee += _vault.recordTransferIn(_wnt);
        _checkFee(o.numbers.orderType, o.numbers.executionFee);
        o.numbers.sizeDeltaUsd = size;
        o.numbers.acceptablePrice = acceptable;
        o.numbers.triggerPrice = trigger;
        o.numbers.minOutputAmount = output;
        o.numbers.validFromTime = validFrom;
        o.numbers.updatedAtTime = block.timestamp;
        o.flags.isFrozen = false;
        o.flags.autoCancel = autoCancel;
        _emitter.order("OrderUpdated", key, o);
    }

    function cancel(address account, bytes32 key) external onlyRouter {
        GmxTypes.Order memory o = _orders[key];
        if (o.addresses.account == address(0)) revert GmxErrors.EmptyOrder();
        if (o.addresses.account != account) revert GmxErrors.Unauthorized(account, "account for cancelOrder");
        uint256 age = block.timestamp - o.numbers.updatedAtTime;
        if (_isMarket(o.numbers.orderType) && age < EXPIRATION) {
            revert GmxErrors.RequestNotYetCancellable(age, EXPIRATION, "Order");
        }
        if (gasleft() < LEAST_CANCEL_GAS) revert GmxErrors.InsufficientGasForCancellation(gasleft(), LEAST_CANCEL_GAS);
        _cancel(key, o, "", "USER_INITIATED_CANCEL", account, 0);
    }

    function claim(address account, address market, address token, address receiver) external onlyRouter {
        if (market != _house.market().marketToken) revert GmxErrors.UnexpectedMarket();
        _house.claim(account, token, receiver);
    }

    // ── for both sides ──

    /// What came with the order. Wrapped native currency above the fee is collateral, or else more of the fee.
    function _arrived(GmxTypes.CreateOrderParams calldata c) internal returns (uint256 amount) {
        uint256 native = _vault.recordTransferIn(_wnt);
        uint256 fee = c.numbers.executionFee;
        if (native < fee) revert GmxErrors.InsufficientWntAmountForExecutionFee(native, fee);
        if (!_isIncrease(c.orderType)) return c.numbers.initialCollateralDeltaAmount;
        if (c.addresses.initialCollateralToken == _wnt) return native - fee;
        return _vault.recordTransferIn(c.addresses.initialCollateralToken);
    }

    function _checkFee(uint256 kind, uint256 fee) internal view {
        uint256 own = _uint(_isIncrease(kind) ? "INCREASE_ORDER_GAS_LIMIT" : "DECREASE_ORDER_GAS_LIMIT");
        uint256 gas = _uint("ESTIMATED_GAS_FEE_BASE_AMOUNT_V2_1") + 3 * _uint("ESTIMATED_GAS_FEE_PER_ORACLE_PRICE")
            + own * _uint("ESTIMATED_GAS_FEE_MULTIPLIER_FACTOR") / 1e30;
        if (fee < gas * tx.gasprice) revert GmxErrors.InsufficientExecutionFee(gas * tx.gasprice, fee);
    }

    function _cancel(
        bytes32 key,
        GmxTypes.Order memory o,
        bytes memory reason,
        string memory text,
        address keeper,
        uint256 gasBefore
    ) internal {
        _remove(key, o);
        GmxTypes.OrderAddresses memory a = o.addresses;
        address back = a.cancellationReceiver == address(0) ? a.account : a.cancellationReceiver;
        uint256 amount = o.numbers.initialCollateralDeltaAmount;
        if (_isIncrease(o.numbers.orderType) && amount != 0) _vault.transferOut(a.initialCollateralToken, back, amount);
        _emitter.ended("OrderCancelled", key, a.account, reason, text);
        if (keeper == msg.sender && gasBefore != 0) _payKeeper(o, gasBefore);
        else if (o.numbers.executionFee != 0) _refund(a.account, o.numbers.executionFee);
    }

    function _addAutoCancel(bytes32 key, GmxTypes.Order memory o) internal {
        bytes32 list = GmxKeys.key("AUTO_CANCEL_ORDER_LIST", _positionKey(o));
        uint256 count = _store.getBytes32Count(list);
        if (count >= MOST_AUTO_CANCELS) revert GmxErrors.MaxAutoCancelOrdersExceeded(count + 1, MOST_AUTO_CANCELS);
        _store.add(list, key);
    }

    function _remove(bytes32 key, GmxTypes.Order memory o) internal {
        delete _orders[key];
        _store.remove(GmxKeys.base("ORDER_LIST"), key);
        _store.remove(GmxKeys.key("ACCOUNT_ORDER_LIST", o.addresses.account), key);
        _store.remove(GmxKeys.key("AUTO_CANCEL_ORDER_LIST", _positionKey(o)), key);
    }

    /// What the keeper's gas cost, out of the fee; the rest goes back.
    function _payKeeper(GmxTypes.Order memory o, uint256 gasBefore) internal {
        uint256 gas = gasBefore - gasleft() + _uint("ESTIMATED_GAS_FEE_BASE_AMOUNT_V2_1");
        uint256 fee = gas * tx.gasprice;
        if (fee > o.numbers.executionFee) fee = o.numbers.executionFee;
        if (fee != 0) _vault.transferOutNative(_wnt, msg.sender, fee);
        _emitter.paid("KeeperExecutionFee", "keeper", msg.sender, "executionFeeAmount", fee);
        if (o.numbers.executionFee > fee) _refund(o.addresses.receiver, o.numbers.executionFee - fee);
    }

    function _refund(address to, uint256 amount) internal {
        _vault.transferOutNative(_wnt, to, amount);
        _emitter.paid("ExecutionFeeRefund", "receiver", to, "refundFeeAmount", amount);
    }

    function _positionKey(GmxTypes.Order memory o) internal pure returns (bytes32) {
        GmxTypes.OrderAddresses memory a = o.addresses;
        return GmxKeys.position(a.account, a.market, a.initialCollateralToken, o.flags.isLong);
    }

    function _isMarket(uint256 kind) internal pure returns (bool) {
        return kind == 2 || kind == 4;
    }

    function _isIncrease(uint256 kind) internal pure returns (bool) {
        return kind == 2 || kind == 3 || kind == 8;
    }

    function _uint(string memory name) internal view returns (uint256) {
        return _store.getUint(GmxKeys.base(name));
    }
}
