// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// Where a market lives: what it is made of changes by an upgrade, and accounts stay. Anybody may: this is a sandbox.
contract CometProxy {
    bytes32 private constant IMPLEMENTATION = bytes32(uint256(keccak256("eip1967.proxy.implementation")) - 1);

    event Upgraded(address indexed implementation);

    constructor(address first) {
        upgradeTo(first);
    }

    function upgradeTo(address next) public {
        bytes32 place = IMPLEMENTATION;
        assembly {
            sstore(place, next)
        }
        emit Upgraded(next);
    }

    fallback() external payable {
        bytes32 place = IMPLEMENTATION;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), sload(place), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch done
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }
}
