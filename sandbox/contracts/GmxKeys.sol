// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Keys of the data store: words hashed one below the other.
library GmxKeys {
    function base(string memory name) internal pure returns (bytes32) {
        return keccak256(abi.encode(name));
    }

    function key(string memory name, address who) internal pure returns (bytes32) {
        return keccak256(abi.encode(base(name), who));
    }

    function key(string memory name, bytes32 what) internal pure returns (bytes32) {
        return keccak256(abi.encode(base(name), what));
    }

    function key(string memory name, address market, bool flag) internal pure returns (bytes32) {
        return keccak256(abi.encode(base(name), market, flag));
    }

    function key(string memory name, address market, address token, bool isLong) internal pure returns (bytes32) {
        return keccak256(abi.encode(base(name), market, token, isLong));
    }

    function key(string memory name, address market, address token, address account) internal pure returns (bytes32) {
        return keccak256(abi.encode(base(name), market, token, account));
    }

    function position(address account, address market, address token, bool isLong) internal pure returns (bytes32) {
        return keccak256(abi.encode(account, market, token, isLong));
    }
}
