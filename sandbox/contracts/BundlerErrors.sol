// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Refusals of the bundler's stand-in, by the names that the real contracts give them.
library BundlerErrors {
    error AdapterAddress();
    error AlreadyInitiated();
    error EmptyBundle();
    error IncorrectReenterHash();
    error MissingExpectedReenter();
    error UnauthorizedSender();
    error ZeroAddress();
    error ZeroAmount();

    /// Reverts with what a call returned, unchanged.
    function pass(bytes memory returned) internal pure {
        assembly {
            revert(add(returned, 32), mload(returned))
        }
    }
}
