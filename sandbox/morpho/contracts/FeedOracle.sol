// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.19;

interface IFeed {
    function latestAnswer() external view returns (int256);
}

/// What a Morpho market asks for a price: raw loan units for one raw collateral unit, times 1e36, by two dollar feeds of
/// equal decimals. It names its feeds as Morpho's Chainlink oracle does.
contract FeedOracle {
    IFeed public immutable BASE_FEED_1;
    IFeed public immutable QUOTE_FEED_1;
    address public constant BASE_FEED_2 = address(0);
    address public constant QUOTE_FEED_2 = address(0);
    uint256 public immutable SCALE_FACTOR;

    constructor(IFeed base, IFeed quote, uint256 collateralDecimals, uint256 loanDecimals) {
        (BASE_FEED_1, QUOTE_FEED_1) = (base, quote);
        SCALE_FACTOR = 10 ** (36 + loanDecimals - collateralDecimals);
    }

    function price() external view returns (uint256) {
        int256 base = BASE_FEED_1.latestAnswer();
        int256 quote = QUOTE_FEED_1.latestAnswer();
        require(base >= 0 && quote > 0, "negative price");
        return SCALE_FACTOR * uint256(base) / uint256(quote);
    }
}
