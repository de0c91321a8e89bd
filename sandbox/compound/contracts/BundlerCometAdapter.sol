// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "../../contracts/BundlerAdapter.sol";

interface ICometMarket {
    function baseToken() external view returns (address);
    function borrowBalanceOf(address who) external view returns (uint256);
    function balanceOf(address who) external view returns (uint256);
    function collateralBalanceOf(address who, address asset) external view returns (uint128);
    function supplyTo(address dst, address asset, uint256 amount) external;
    function withdrawFrom(address src, address to, address asset, uint256 amount) external;
}

/// Repays at Comets with what it holds, and takes out for whoever began the bundle, who must have allowed it.
contract BundlerCometAdapter is BundlerAdapter {
    constructor(address bundler) BundlerAdapter(bundler) {}

    /// All is as much as it holds, and no more than is owed.
    function compoundV3Repay(address instance, uint256 amount, address owner) external fromBundler {
        address asset = ICometMarket(instance).baseToken();
        uint256 paid = amount;
        if (amount == ALL) {
            uint256 held = IERC20(asset).balanceOf(address(this));
            uint256 owed = ICometMarket(instance).borrowBalanceOf(owner);
            paid = held < owed ? held : owed;
        }
        if (paid == 0) revert BundlerErrors.ZeroAmount();
        SafeERC20.forceApprove(IERC20(asset), instance, ALL);
        ICometMarket(instance).supplyTo(owner, asset, paid);
        SafeERC20.forceApprove(IERC20(asset), instance, 0);
    }

    function compoundV3WithdrawFrom(address instance, address asset, uint256 amount, address receiver) external fromBundler {
        address owner = _initiator();
        bool isBase = asset == ICometMarket(instance).baseToken();
        uint256 there = isBase ? ICometMarket(instance).balanceOf(owner) : ICometMarket(instance).collateralBalanceOf(owner, asset);
        uint256 taken = amount < there ? amount : there;
        if (taken == 0) revert BundlerErrors.ZeroAmount();
        ICometMarket(instance).withdrawFrom(owner, receiver, asset, taken);
    }
}
