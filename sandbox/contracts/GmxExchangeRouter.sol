// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import "./GmxOrders.sol";
import "./GmxRouter.sol";

/// What owners call. Native currency that no part sends on stays here, and is the next caller's.
contract GmxExchangeRouter {
    GmxRouter private immutable _router;
    GmxPositions private immutable _house;
    address private immutable _wnt;
    GmxOrders public orders;

    constructor(GmxRouter router, GmxPositions house, address wnt) {
        (_router, _house, _wnt) = (router, house, wnt);
    }

    function setOrders(GmxOrders orders_) external {
        require(address(orders) == address(0));
        orders = orders_;
    }

    function multicall(bytes[] calldata data) external payable returns (bytes[] memory results) {
        results = new bytes[](data.length);
        for (uint256 i; i < data.length; i++) {
            (bool isDone, bytes memory result) = address(this).delegatecall(data[i]);
            if (!isDone) {
                assembly {
                    revert(add(result, 32), mload(result))
                }
            }
            results[i] = result;
        }
    }

    function sendWnt(address receiver, uint256 amount) external payable {
        IToken(_wnt).deposit{value: amount}();
        IToken(_wnt).transfer(receiver, amount);
    }

    function sendTokens(address token, address receiver, uint256 amount) external payable {
        _router.pluginTransfer(token, msg.sender, receiver, amount);
    }

    function createOrder(GmxTypes.CreateOrderParams calldata params) external payable returns (bytes32) {
        return orders.create(msg.sender, params);
    }

    function updateOrder(
        bytes32 key,
        uint256 size,
        uint256 acceptable,
        uint256 trigger,
        uint256 output,
        uint256 validFrom,
        bool autoCancel
    ) external payable {
        orders.update(msg.sender, key, size, acceptable, trigger, output, validFrom, autoCancel);
    }

    function cancelOrder(bytes32 key) external payable {
        orders.cancel(msg.sender, key);
    }

    function claimFundingFees(address[] calldata markets, address[] calldata tokens, address receiver) external payable {
        for (uint256 i; i < markets.length; i++) orders.claim(msg.sender, markets[i], tokens[i], receiver);
    }

    /// Always reverts; with EndOfOracleSimulation when the order would be executed. At the feeds' prices.
    function simulateExecuteLatestOrder(GmxTypes.SimulatePrices calldata told) external payable {
        bytes32 key = keccak256(abi.encode(address(_house.store()), orders.nonce()));
        GmxTypes.Order memory order = orders.order(key);
        uint256 left = order.numbers.updatedAtTime;
        if (told.minTimestamp < left) revert GmxErrors.OracleTimestampsAreSmallerThanRequired(told.minTimestamp, left);
        if (told.maxTimestamp > left + 300) {
            revert GmxErrors.OracleTimestampsAreLargerThanRequestExpirationTime(told.maxTimestamp, left, 300);
        }
        orders.execute(key, order);
        revert GmxErrors.EndOfOracleSimulation();
    }
}
