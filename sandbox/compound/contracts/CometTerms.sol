// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// What governance sets of a market of the Comet stand-in: constants of one implementation, never of an account.
contract CometTerms {
    struct Asset {
        address asset;
        address priceFeed;
        uint64 scale;
        uint64 borrowCollateralFactor;
        uint64 liquidateCollateralFactor;
        uint64 liquidationFactor;
        uint128 supplyCap;
    }

    struct Numbers {
        uint256 decimals;
        uint256 baseScale;
        uint256 maxAssets;
        uint256 trackingIndexScale;
        uint256 baseTrackingSupplySpeed;
        uint256 baseTrackingBorrowSpeed;
        uint256 baseMinForRewards;
        uint256 supplyKink;
        uint256 supplyPerSecondInterestRateSlopeLow;
        uint256 supplyPerSecondInterestRateSlopeHigh;
        uint256 supplyPerSecondInterestRateBase;
        uint256 borrowKink;
        uint256 borrowPerSecondInterestRateSlopeLow;
        uint256 borrowPerSecondInterestRateSlopeHigh;
        uint256 borrowPerSecondInterestRateBase;
        uint256 storeFrontPriceFactor;
        uint256 baseBorrowMin;
        uint256 targetReserves;
    }

    struct Parties {
        address governor;
        address pauseGuardian;
        address baseToken;
        address baseTokenPriceFeed;
        address extensionDelegate;
    }

    Parties private _parties;
    Numbers private _numbers;
    Asset[] private _assets;
    string public name;
    string public symbol;

    constructor(Parties memory who, Numbers memory what, Asset[] memory listed, string memory name_, string memory symbol_) {
        (_parties, _numbers, name, symbol) = (who, what, name_, symbol_);
        for (uint256 i = 0; i < listed.length; i++) _assets.push(listed[i]);
    }

    function parties() external view returns (Parties memory) {
        return _parties;
    }

    function numbers() external view returns (Numbers memory) {
        return _numbers;
    }

    function assets() external view returns (Asset[] memory) {
        return _assets;
    }
}
