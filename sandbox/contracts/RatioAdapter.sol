// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IAnswer {
    function latestAnswer() external view returns (int256);
    function decimals() external view returns (uint8);
}

/// A price source like Aave's ratio adapters for staked tokens: the base feed times an exchange ratio.
/// As there, no latestRoundData: how fresh it is has to be asked of BASE_TO_USD_AGGREGATOR.
contract RatioAdapter {
    IAnswer public immutable BASE_TO_USD_AGGREGATOR;
    uint8 public constant RATIO_DECIMALS = 18;
    string public description;
    uint256 public RATIO;

    constructor(IAnswer base, uint256 ratio, string memory description_) {
        BASE_TO_USD_AGGREGATOR = base;
        RATIO = ratio;
        description = description_;
    }

    function setRatio(uint256 ratio) external {
        RATIO = ratio;
    }

    function getRatio() external view returns (int256) {
        return int256(RATIO);
    }

    function decimals() external view returns (uint8) {
        return BASE_TO_USD_AGGREGATOR.decimals();
    }

    function latestAnswer() external view returns (int256) {
        return (BASE_TO_USD_AGGREGATOR.latestAnswer() * int256(RATIO)) / 1e18;
    }
}
