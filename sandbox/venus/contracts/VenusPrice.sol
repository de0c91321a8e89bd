// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IFeed {
    function latestAnswer() external view returns (int256);
}

/// What a comptroller asks for prices, over the world's feeds: dollars of one smallest unit, times 1e36. Both of its
/// oracles, spot and bounded, are this one; a bounded one may be asked in a changing call.
contract VenusPrice {
    struct Source {
        IFeed feed;
        uint256 decimals;
    }

    mapping(address => Source) public sources;

    function set(address token, IFeed feed, uint256 decimals) external {
        sources[token] = Source(feed, decimals);
    }

    function getUnderlyingPrice(address token) public view returns (uint256) {
        Source memory one = sources[token];
        if (address(one.feed) == address(0)) return 0;
        return uint256(one.feed.latestAnswer()) * 10 ** (28 - one.decimals);
    }

    function getBoundedPricesView(address token) external view returns (uint256, uint256) {
        uint256 price = getUnderlyingPrice(token);
        return (price, price);
    }

    function getBoundedPrices(address token) external view returns (uint256, uint256) {
        uint256 price = getUnderlyingPrice(token);
        return (price, price);
    }

    function getBoundedCollateralPriceView(address token) external view returns (uint256) {
        return getUnderlyingPrice(token);
    }

    function getBoundedDebtPriceView(address token) external view returns (uint256) {
        return getUnderlyingPrice(token);
    }

    function updateProtectionState(address) external {}
}
