// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import "./GmxEvents.sol";
import "./GmxTypes.sol";

/// Everything the exchange tells comes from here, as named values.
contract GmxEventEmitter {
    using GmxEvents for GmxEvents.Data;

    event EventLog1(
        address msgSender, string eventName, string indexed eventNameHash, bytes32 indexed topic1, GmxEvents.Data eventData
    );
    event EventLog2(
        address msgSender,
        string eventName,
        string indexed eventNameHash,
        bytes32 indexed topic1,
        bytes32 indexed topic2,
        GmxEvents.Data eventData
    );

    struct Change {
        bytes32 orderKey;
        bytes32 positionKey;
        GmxTypes.Order order;
        GmxTypes.PositionNumbers left;
        GmxTypes.Execution execution;
        uint256 size;
        uint256 tokens;
        uint256 taken;
        int256 pnl;
        int256 brought;
        int256 pending;
    }

    // ── orders: found by their key and their account ──

    function order(string memory name, bytes32 key, GmxTypes.Order memory o) external {
        GmxEvents.Data memory d = GmxEvents.empty(4, 6, 0, 2, 1);
        d.put(0, "account", o.addresses.account);
        d.put(1, "receiver", o.addresses.receiver);
        d.put(2, "market", o.addresses.market);
        d.put(3, "initialCollateralToken", o.addresses.initialCollateralToken);
        d.put(0, "orderType", uint256(o.numbers.orderType));
        d.put(1, "sizeDeltaUsd", o.numbers.sizeDeltaUsd);
        d.put(2, "triggerPrice", o.numbers.triggerPrice);
        d.put(3, "acceptablePrice", o.numbers.acceptablePrice);
        d.put(4, "executionFee", o.numbers.executionFee);
        d.put(5, "updatedAtTime", o.numbers.updatedAtTime);
        d.put(0, "isLong", o.flags.isLong);
        d.put(1, "autoCancel", o.flags.autoCancel);
        d.put(0, "key", key);
        _log2(name, key, o.addresses.account, d);
    }

    function executed(bytes32 key, address account, uint256 secondary) external {
        GmxEvents.Data memory d = GmxEvents.empty(1, 1, 0, 0, 1);
        d.put(0, "account", account);
        d.put(0, "secondaryOrderType", secondary);
        d.put(0, "key", key);
        _log2("OrderExecuted", key, account, d);
    }

    function ended(string memory name, bytes32 key, address account, bytes memory reason, string memory text) external {
        GmxEvents.Data memory d = GmxEvents.empty(1, 0, 0, 0, 1);
        d.put(0, "account", account);
        d.put(0, "key", key);
        d.reason(reason, text);
        _log2(name, key, account, d);
    }

    // ── positions: found by their account ──

    function increased(Change memory c) external {
        GmxEvents.Data memory d = _told(c, 7, 3);
        d.put(0, "collateralDeltaAmount", c.brought);
        d.put(1, "pendingPriceImpactUsd", c.execution.priceImpactUsd);
        d.put(2, "pendingPriceImpactAmount", c.pending);
        _log1("PositionIncrease", c.order.addresses.account, d);
    }

    function decreased(Change memory c) external {
        GmxEvents.Data memory d = _told(c, 9, 4);
        d.put(7, "collateralDeltaAmount", c.taken);
        d.put(8, "values.priceImpactDiffUsd", c.execution.priceImpactDiffUsd);
        d.put(0, "basePnlUsd", c.pnl);
        d.put(1, "priceImpactUsd", c.execution.priceImpactUsd);
        d.put(2, "proportionalPendingImpactUsd", c.execution.proportionalPendingImpactUsd);
        d.put(3, "totalImpactUsd", c.execution.totalImpactUsd);
        _log1("PositionDecrease", c.order.addresses.account, d);
    }

    function _told(Change memory c, uint256 uints, uint256 ints) private pure returns (GmxEvents.Data memory d) {
        d = GmxEvents.empty(3, uints, ints, 1, 2);
        d.put(0, "account", c.order.addresses.account);
        d.put(1, "market", c.order.addresses.market);
        d.put(2, "collateralToken", c.order.addresses.initialCollateralToken);
        d.put(0, "sizeInUsd", c.left.sizeInUsd);
        d.put(1, "sizeInTokens", c.left.sizeInTokens);
        d.put(2, "collateralAmount", c.left.collateralAmount);
        d.put(3, "executionPrice", c.execution.executionPrice);
        d.put(4, "orderType", uint256(c.order.numbers.orderType));
        d.put(5, "sizeDeltaUsd", c.size);
        d.put(6, "sizeDeltaInTokens", c.tokens);
        d.put(0, "isLong", c.order.flags.isLong);
        d.put(0, "orderKey", c.orderKey);
        d.put(1, "positionKey", c.positionKey);
    }

    // ── money ──

    /// Found by the market.
    function fees(
        address market,
        GmxTypes.PositionAddresses memory whose,
        GmxTypes.Fees memory f,
        bytes32 orderKey,
        bool isIncrease
    ) external {
        GmxEvents.Data memory d = GmxEvents.empty(3, 4, 0, 1, 1);
        d.put(0, "market", market);
        d.put(1, "collateralToken", whose.collateralToken);
        d.put(2, "trader", whose.account);
        d.put(0, "fundingFeeAmount", f.funding.feeAmount);
        d.put(1, "borrowingFeeAmount", f.borrowing[1]);
        d.put(2, "positionFeeAmount", f.positionFeeAmount);
        d.put(3, "totalCostAmount", f.totalCostAmount);
        d.put(0, "isIncrease", isIncrease);
        d.put(0, "orderKey", orderKey);
        _log1("PositionFeesCollected", market, d);
    }

    function paid(string memory name, string memory role, address who, string memory what, uint256 amount) external {
        GmxEvents.Data memory d = GmxEvents.empty(1, 1, 0, 0, 0);
        d.put(0, role, who);
        d.put(0, what, amount);
        _log1(name, who, d);
    }

    function _log1(string memory name, address who, GmxEvents.Data memory d) private {
        emit EventLog1(msg.sender, name, name, bytes32(uint256(uint160(who))), d);
    }

    function _log2(string memory name, bytes32 key, address who, GmxEvents.Data memory d) private {
        emit EventLog2(msg.sender, name, name, key, bytes32(uint256(uint160(who))), d);
    }
}
