// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "./BundlerErrors.sol";

struct Call {
    address to;
    bytes data;
    uint256 value;
    bool skipRevert;
    bytes32 callbackHash;
}

/// A stand-in for a bundler: makes calls for whoever began, and lets the last callee come back with known calls only.
contract Bundler {
    uint256 private constant BEGUN = 0;
    uint256 private constant AWAITED = 1;

    function initiator() public view returns (address who) {
        assembly {
            who := tload(BEGUN)
        }
    }

    function reenterHash() public view returns (bytes32 awaited) {
        assembly {
            awaited := tload(AWAITED)
        }
    }

    function multicall(Call[] calldata bundle) external payable {
        if (initiator() != address(0)) revert BundlerErrors.AlreadyInitiated();
        _begin(msg.sender);
        _make(bundle);
        _begin(address(0));
    }

    function reenter(Call[] calldata bundle) external {
        bytes32 given = keccak256(abi.encodePacked(msg.sender, keccak256(msg.data[4:])));
        if (given != reenterHash()) revert BundlerErrors.IncorrectReenterHash();
        _make(bundle);
    }

    function _make(Call[] calldata bundle) private {
        if (bundle.length == 0) revert BundlerErrors.EmptyBundle();
        for (uint256 i = 0; i < bundle.length; i++) {
            Call calldata one = bundle[i];
            bool comesBack = one.callbackHash != bytes32(0);
            _await(comesBack ? keccak256(abi.encodePacked(one.to, one.callbackHash)) : bytes32(0));
            (bool done, bytes memory returned) = one.to.call{value: one.value}(one.data);
            if (!done && !one.skipRevert) BundlerErrors.pass(returned);
            if (reenterHash() != bytes32(0)) revert BundlerErrors.MissingExpectedReenter();
        }
    }

    function _begin(address who) private {
        assembly {
            tstore(BEGUN, who)
        }
    }

    function _await(bytes32 hashed) private {
        assembly {
            tstore(AWAITED, hashed)
        }
    }
}
