// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import "./Bundler.sol";
import "./BundlerErrors.sol";

/// What every adapter of the bundler's stand-in does: hand on what it holds, for the bundler alone.
abstract contract BundlerAdapter {
    address public immutable BUNDLER3;
    uint256 internal constant ALL = type(uint256).max;

    constructor(address bundler) {
        BUNDLER3 = bundler;
    }

    modifier fromBundler() {
        if (msg.sender != BUNDLER3) revert BundlerErrors.UnauthorizedSender();
        _;
    }

    /// All may be nothing; an amount may not.
    function erc20Transfer(address token, address receiver, uint256 amount) external fromBundler {
        if (receiver == address(0)) revert BundlerErrors.ZeroAddress();
        if (receiver == address(this)) revert BundlerErrors.AdapterAddress();
        if (amount == 0) revert BundlerErrors.ZeroAmount();
        uint256 moved = amount == ALL ? IERC20(token).balanceOf(address(this)) : amount;
        if (moved != 0) SafeERC20.safeTransfer(IERC20(token), receiver, moved);
    }

    function _initiator() internal view returns (address) {
        return Bundler(BUNDLER3).initiator();
    }
}
