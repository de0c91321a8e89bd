// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Says that it has money to lend, and never calls back.
contract SilentVault {
    function isVaultPaused() external pure returns (bool) {
        return false;
    }

    function getReservesOf(address) external pure returns (uint256) {
        return 1e30;
    }

    function unlock(bytes calldata) external pure returns (bytes memory) {
        return "";
    }
}
