// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

interface IPricedBy {
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}

/// A price in another asset's terms, by two dollar feeds of equal decimals; as wrappers do, it emits nothing.
contract CometFeed {
    uint8 public constant decimals = 8;
    string public constant description = "a price in the market's own unit";
    IPricedBy public immutable BASE;
    IPricedBy public immutable QUOTE;

    constructor(IPricedBy base, IPricedBy quote) {
        (BASE, QUOTE) = (base, quote);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        (uint80 round, int256 price,, uint256 updated,) = BASE.latestRoundData();
        (, int256 unit,,,) = QUOTE.latestRoundData();
        return (round, price * 1e8 / unit, updated, updated, round);
    }
}
