// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Figures by key, as GMX keeps them. Anyone may set any of them: this is a sandbox.
contract GmxDataStore {
    mapping(bytes32 => uint256) public getUint;
    mapping(bytes32 => int256) public getInt;
    mapping(bytes32 => bool) public getBool;
    mapping(bytes32 => address) public getAddress;
    mapping(bytes32 => bytes32[]) private _lists;

    function setUint(bytes32 key, uint256 value) external {
        getUint[key] = value;
    }

    function setUints(bytes32[] calldata keys, uint256[] calldata values) external {
        for (uint256 i; i < keys.length; i++) getUint[keys[i]] = values[i];
    }

    function setInt(bytes32 key, int256 value) external {
        getInt[key] = value;
    }

    function setBool(bytes32 key, bool value) external {
        getBool[key] = value;
    }

    function setAddress(bytes32 key, address value) external {
        getAddress[key] = value;
    }

    function getBytes32Count(bytes32 list) external view returns (uint256) {
        return _lists[list].length;
    }

    function getBytes32ValuesAt(bytes32 list, uint256 start, uint256 end) external view returns (bytes32[] memory found) {
        uint256 count = _lists[list].length;
        if (end > count) end = count;
        if (start > end) start = end;
        found = new bytes32[](end - start);
        for (uint256 i; i < found.length; i++) found[i] = _lists[list][start + i];
    }

    function containsBytes32(bytes32 list, bytes32 value) public view returns (bool) {
        for (uint256 i; i < _lists[list].length; i++) if (_lists[list][i] == value) return true;
        return false;
    }

    function add(bytes32 list, bytes32 value) external {
        if (!containsBytes32(list, value)) _lists[list].push(value);
    }

    function remove(bytes32 list, bytes32 value) external {
        bytes32[] storage values = _lists[list];
        for (uint256 i; i < values.length; i++) {
            if (values[i] != value) continue;
            values[i] = values[values.length - 1];
            values.pop();
            return;
        }
    }
}
