// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "./BundlerAdapter.sol";

interface ILendingPool {
    function repay(address asset, uint256 amount, uint256 rateMode, address onBehalfOf) external returns (uint256);
    function withdraw(address asset, uint256 amount, address to) external returns (uint256);
}

/// Repays and withdraws at one Aave pool with what it holds.
contract BundlerAaveAdapter is BundlerAdapter {
    ILendingPool public immutable AAVE_V3_POOL;

    constructor(address bundler, address pool) BundlerAdapter(bundler) {
        AAVE_V3_POOL = ILendingPool(pool);
    }

    function aaveV3Repay(address token, uint256 amount, uint256 rateMode, address owner) external fromBundler {
        uint256 paid = amount == ALL ? IERC20(token).balanceOf(address(this)) : amount;
        if (paid == 0) revert BundlerErrors.ZeroAmount();
        SafeERC20.forceApprove(IERC20(token), address(AAVE_V3_POOL), ALL);
        AAVE_V3_POOL.repay(token, paid, rateMode, owner);
        SafeERC20.forceApprove(IERC20(token), address(AAVE_V3_POOL), 0);
    }

    function aaveV3Withdraw(address token, uint256 amount, address receiver) external fromBundler {
        if (amount == 0) revert BundlerErrors.ZeroAmount();
        AAVE_V3_POOL.withdraw(token, amount, receiver);
    }
}
