// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "./BundlerAdapter.sol";
import "./FlashLender.sol";

/// Takes the loan and calls the bundler back; pulls tokens from whoever began the bundle, and from nobody else.
contract BundlerGeneralAdapter is BundlerAdapter {
    address public immutable MORPHO;

    constructor(address bundler, address lender) BundlerAdapter(bundler) {
        MORPHO = lender;
    }

    function erc20TransferFrom(address token, address receiver, uint256 amount) external fromBundler {
        if (receiver == address(0)) revert BundlerErrors.ZeroAddress();
        address owner = _initiator();
        uint256 moved = amount == ALL ? IERC20(token).balanceOf(owner) : amount;
        if (moved == 0) revert BundlerErrors.ZeroAmount();
        SafeERC20.safeTransferFrom(IERC20(token), owner, receiver, moved);
    }

    function morphoFlashLoan(address token, uint256 assets, bytes calldata data) external fromBundler {
        if (assets == 0) revert BundlerErrors.ZeroAmount();
        SafeERC20.forceApprove(IERC20(token), MORPHO, ALL);
        FlashLender(MORPHO).flashLoan(token, assets, data);
    }

    function onMorphoFlashLoan(uint256, bytes calldata data) external {
        if (msg.sender != MORPHO) revert BundlerErrors.UnauthorizedSender();
        (bool done, bytes memory returned) = BUNDLER3.call(abi.encodePacked(Bundler.reenter.selector, data));
        if (!done) BundlerErrors.pass(returned);
    }
}
