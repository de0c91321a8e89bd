// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// The refusals of the stand-in, named and shaped as those of the real exchange.
library GmxErrors {
    error OrderNotFulfillableAtAcceptablePrice(uint256 price, uint256 acceptablePrice);
    error InsufficientCollateralUsd(int256 remainingCollateralUsd);
    error LiquidatablePosition(string reason, int256 remaining, int256 minUsd, int256 minForLeverage);
    error PositionShouldNotBeLiquidated(string reason, int256 remaining, int256 minUsd, int256 minForLeverage);
    error MinPositionSize(uint256 size, uint256 min);
    error InsufficientReserve(uint256 reserved, uint256 max);
    error EmptyPosition();
    error InvalidDecreaseOrderSize(uint256 sizeDelta, uint256 size);
    error UnableToWithdrawCollateral(int256 estimatedRemaining);
    error InsufficientFundsToPayForCosts(uint256 remainingCostUsd, string step);
    error InsufficientOutputAmount(uint256 output, uint256 min);
    error InvalidOrderPrices(uint256 min, uint256 max, uint256 trigger, uint256 orderType);
    error OrderValidFromTimeNotReached(uint256 validFrom, uint256 now_);
    error OracleTimestampsAreLargerThanRequestExpirationTime(uint256 max, uint256 updatedAt, uint256 expiration);
    error OracleTimestampsAreSmallerThanRequired(uint256 min, uint256 required);
    error InsufficientExecutionFee(uint256 min, uint256 given);
    error InsufficientWntAmountForExecutionFee(uint256 wnt, uint256 fee);
    error EmptyOrder();
    error EmptyReceiver();
    error UnexpectedMarket();
    error OrderTypeCannotBeCreated(uint256 orderType);
    error Unauthorized(address sender, string role);
    error RequestNotYetCancellable(uint256 age, uint256 required, string requestType);
    error OrderNotUpdatable(uint256 orderType);
    error InsufficientGasForCancellation(uint256 gas, uint256 min);
    error MaxAutoCancelOrdersExceeded(uint256 count, uint256 max);
    error EndOfOracleSimulation();
}
