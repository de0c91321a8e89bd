// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// What the stand-in for GMX v2 is asked and answers: laid out as callers of the real one expect it.
/// Words nobody here has a use for are arrays.
library GmxTypes {
    struct Price {
        uint256 min;
        uint256 max;
    }

    struct Prices {
        Price index;
        Price long;
        Price short;
    }

    struct Market {
        address marketToken;
        address indexToken;
        address longToken;
        address shortToken;
    }

    // ── positions ──

    struct PositionAddresses {
        address account;
        address market;
        address collateralToken;
    }

    struct PositionNumbers {
        uint256 sizeInUsd;
        uint256 sizeInTokens;
        uint256 collateralAmount;
        int256 pendingImpactAmount;
        uint256 borrowingFactor;
        uint256 fundingPaid;
        uint256[2] fundingReceived;
        uint256 increasedAtTime;
        uint256 decreasedAtTime;
    }

    struct Position {
        PositionAddresses addresses;
        PositionNumbers numbers;
        bool isLong;
    }

    // ── orders ──

    struct OrderAddresses {
        address account;
        address receiver;
        address cancellationReceiver;
        address callbackContract;
        address uiFeeReceiver;
        address market;
        address initialCollateralToken;
        address[] swapPath;
    }

    struct OrderNumbers {
        uint8 orderType;
        uint8 decreasePositionSwapType;
        uint256 sizeDeltaUsd;
        uint256 initialCollateralDeltaAmount;
        uint256 triggerPrice;
        uint256 acceptablePrice;
        uint256 executionFee;
        uint256 callbackGasLimit;
        uint256 minOutputAmount;
        uint256 updatedAtTime;
        uint256 validFromTime;
        uint256 srcChainId;
    }

    struct OrderFlags {
        bool isLong;
        bool shouldUnwrapNativeToken;
        bool isFrozen;
        bool autoCancel;
    }

    struct Order {
        OrderAddresses addresses;
        OrderNumbers numbers;
        OrderFlags flags;
        bytes32[] dataList;
    }

    struct OrderInfo {
        bytes32 orderKey;
        Order order;
    }

    struct CreateAddresses {
        address receiver;
        address cancellationReceiver;
        address callbackContract;
        address uiFeeReceiver;
        address market;
        address initialCollateralToken;
        address[] swapPath;
    }

    struct CreateNumbers {
        uint256 sizeDeltaUsd;
        uint256 initialCollateralDeltaAmount;
        uint256 triggerPrice;
        uint256 acceptablePrice;
        uint256 executionFee;
        uint256 callbackGasLimit;
        uint256 minOutputAmount;
        uint256 validFromTime;
    }

    struct CreateOrderParams {
        CreateAddresses addresses;
        CreateNumbers numbers;
        uint8 orderType;
        uint8 decreasePositionSwapType;
        bool isLong;
        bool shouldUnwrapNativeToken;
        bool autoCancel;
        bytes32 referralCode;
        bytes32[] dataList;
    }

    struct SimulatePrices {
        address[] primaryTokens;
        Price[] primaryPrices;
        uint256 minTimestamp;
        uint256 maxTimestamp;
    }

    // ── what the Reader tells ──

    struct Funding {
        uint256 feeAmount;
        uint256[2] claimable;
        uint256 latestPaid;
        uint256[2] latestReceived;
    }

    struct Fees {
        bytes32[13] referralAndPro;
        Funding funding;
        uint256[4] borrowing; // usd, amount, -, -
        bytes32[7] uiAndLiquidation;
        Price collateralTokenPrice;
        uint256 positionFeeFactor;
        uint256[5] shares;
        uint256 positionFeeAmount;
        uint256 totalCostAmountExcludingFunding;
        uint256 totalCostAmount;
        uint256 totalDiscountAmount;
    }

    struct Execution {
        int256 priceImpactUsd;
        uint256 executionPrice;
        bool balanceWasImproved;
        int256 proportionalPendingImpactUsd;
        int256 totalImpactUsd;
        uint256 priceImpactDiffUsd;
    }

    struct PositionInfo {
        bytes32 positionKey;
        Position position;
        Fees fees;
        Execution execution;
        int256 basePnlUsd;
        int256 uncappedBasePnlUsd;
        int256 pnlAfterPriceImpactUsd;
    }

    struct NextFunding {
        bool longsPayShorts;
        uint256 fundingFactorPerSecond;
        int256 nextSavedFundingFactorPerSecond;
        uint256[2][2] paidDelta; // by side, then by collateral
        uint256[2][2] receivedDelta;
    }

    struct MarketInfo {
        Market market;
        uint256 borrowingFactorPerSecondForLongs;
        uint256 borrowingFactorPerSecondForShorts;
        uint256[2][2] paid;
        uint256[2][2] received;
        NextFunding next;
        uint256[3] virtualInventory;
        bool isDisabled;
    }

    struct LiquidationInfo {
        int256 remainingCollateralUsd;
        int256 minCollateralUsd;
        int256 minCollateralUsdForLeverage;
    }
}
