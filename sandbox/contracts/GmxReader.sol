// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import "./GmxOrders.sol";

/// The views of the stand-in, asked as those of the real Reader: the data store comes first and tells nothing here.
contract GmxReader {
    GmxPositions private immutable _house;
    GmxOrders private immutable _orders;

    constructor(GmxPositions house, GmxOrders orders) {
        _house = house;
        _orders = orders;
    }

    function getMarket(address, address key) external view returns (GmxTypes.Market memory found) {
        if (key == _house.market().marketToken) found = _house.market();
    }

    function getPosition(address, bytes32 key) external view returns (GmxTypes.Position memory) {
        return _house.position(key);
    }

    function getAccountPositions(address store, address account, uint256 start, uint256 end)
        external
        view
        returns (GmxTypes.Position[] memory found)
    {
        bytes32 list = GmxKeys.key("ACCOUNT_POSITION_LIST", account);
        bytes32[] memory keys = GmxDataStore(store).getBytes32ValuesAt(list, start, end);
        found = new GmxTypes.Position[](keys.length);
        for (uint256 i; i < keys.length; i++) found[i] = _house.position(keys[i]);
    }

    function getOrder(address, bytes32 key) external view returns (GmxTypes.Order memory) {
        return _orders.order(key);
    }

    function getAccountOrders(address store, address account, uint256 start, uint256 end)
        external
        view
        returns (GmxTypes.OrderInfo[] memory found)
    {
        bytes32 list = GmxKeys.key("ACCOUNT_ORDER_LIST", account);
        bytes32[] memory keys = GmxDataStore(store).getBytes32ValuesAt(list, start, end);
        found = new GmxTypes.OrderInfo[](keys.length);
        for (uint256 i; i < keys.length; i++) found[i] = GmxTypes.OrderInfo(keys[i], _orders.order(keys[i]));
    }

    function getMarketInfo(address, GmxTypes.Prices memory at, address key)
        external
        view
        returns (GmxTypes.MarketInfo memory info)
    {
        info.market = _house.market();
        require(key == info.market.marketToken, "no such market");
        info.borrowingFactorPerSecondForLongs = _house.borrowingPerSecond(true);
        info.borrowingFactorPerSecondForShorts = _house.borrowingPerSecond(false);
        GmxMarket.Accrual memory a = _house.stored();
        (info.paid, info.received) = (a.paid, a.received);
        int256 rate = _house.fundingPerSecond();
        info.next.longsPayShorts = rate > 0;
        info.next.fundingFactorPerSecond = uint256(rate < 0 ? -rate : rate);
        info.next.nextSavedFundingFactorPerSecond = rate;
        (info.next.paidDelta, info.next.receivedDelta) = _house.fundingSince(at, block.timestamp - _house.updatedAt());
    }

    function getExecutionPrice(
        address,
        address,
        GmxTypes.Prices memory at,
        uint256 sizeInUsd,
        uint256 sizeInTokens,
        int256 delta,
        int256 pending,
        bool isLong
    ) external view returns (GmxTypes.Execution memory) {
        return _house.executionPrice(at, sizeInUsd, sizeInTokens, delta, pending, isLong);
    }

    function getPositionInfo(
        address,
        address,
        bytes32 key,
        GmxTypes.Prices memory at,
        uint256 delta,
        address,
        bool isWhole
    ) external view returns (GmxTypes.PositionInfo memory info) {
        GmxTypes.Position memory p = _house.position(key);
        if (p.numbers.sizeInUsd == 0) revert GmxErrors.EmptyPosition();
        if (isWhole) delta = p.numbers.sizeInUsd;
        info.position = p;
        info.execution = _house.executionPrice(
            at, p.numbers.sizeInUsd, p.numbers.sizeInTokens, -int256(delta), p.numbers.pendingImpactAmount, p.isLong
        );
        info.fees = _house.fees(p, at, delta, info.execution.balanceWasImproved, _house.accrued(at));
        info.basePnlUsd = _house.pnl(p, at);
        info.uncappedBasePnlUsd = info.basePnlUsd;
        info.pnlAfterPriceImpactUsd = info.basePnlUsd + info.execution.priceImpactUsd;
    }

    /// As the real one: with fees as stored, which is why its flag comes late.
    function isPositionLiquidatable(
        address,
        address,
        bytes32 key,
        GmxTypes.Market memory,
        GmxTypes.Prices memory at,
        bool,
        bool forLiquidation
    ) external view returns (bool, string memory, GmxTypes.LiquidationInfo memory) {
        return _house.margin(_house.position(key), at, _house.stored(), forLiquidation);
    }
}
