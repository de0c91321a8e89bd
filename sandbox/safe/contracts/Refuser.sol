// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// A transaction guard of a Safe that refuses everything.
contract Refuser {
    function supportsInterface(bytes4) external pure returns (bool) {
        return true;
    }

    fallback() external {
        revert("guarded");
    }
}
