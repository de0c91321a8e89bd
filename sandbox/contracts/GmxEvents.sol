// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Named values of an event, by kind, in the shape GMX gives them.
library GmxEvents {
    struct AddressValue {
        string key;
        address value;
    }

    struct AddressValues {
        string key;
        address[] value;
    }

    struct UintValue {
        string key;
        uint256 value;
    }

    struct UintValues {
        string key;
        uint256[] value;
    }

    struct IntValue {
        string key;
        int256 value;
    }

    struct IntValues {
        string key;
        int256[] value;
    }

    struct BoolValue {
        string key;
        bool value;
    }

    struct BoolValues {
        string key;
        bool[] value;
    }

    struct WordValue {
        string key;
        bytes32 value;
    }

    struct WordValues {
        string key;
        bytes32[] value;
    }

    struct BytesValue {
        string key;
        bytes value;
    }

    struct BytesValues {
        string key;
        bytes[] value;
    }

    struct StringValue {
        string key;
        string value;
    }

    struct StringValues {
        string key;
        string[] value;
    }

    struct Addresses {
        AddressValue[] items;
        AddressValues[] arrayItems;
    }

    struct Uints {
        UintValue[] items;
        UintValues[] arrayItems;
    }

    struct Ints {
        IntValue[] items;
        IntValues[] arrayItems;
    }

    struct Bools {
        BoolValue[] items;
        BoolValues[] arrayItems;
    }

    struct Words {
        WordValue[] items;
        WordValues[] arrayItems;
    }

    struct ByteStrings {
        BytesValue[] items;
        BytesValues[] arrayItems;
    }

    struct Strings {
        StringValue[] items;
        StringValues[] arrayItems;
    }

    struct Data {
        Addresses addresses;
        Uints uints;
        Ints ints;
        Bools bools;
        Words words;
        ByteStrings byteStrings;
        Strings strings;
    }

    function empty(uint256 addresses, uint256 uints, uint256 ints, uint256 bools, uint256 words)
        internal
        pure
        returns (Data memory data)
    {
        data.addresses.items = new AddressValue[](addresses);
        data.uints.items = new UintValue[](uints);
        data.ints.items = new IntValue[](ints);
        data.bools.items = new BoolValue[](bools);
        data.words.items = new WordValue[](words);
    }

    function put(Data memory data, uint256 at, string memory key, address value) internal pure {
        data.addresses.items[at] = AddressValue(key, value);
    }

    function put(Data memory data, uint256 at, string memory key, uint256 value) internal pure {
        data.uints.items[at] = UintValue(key, value);
    }

    function put(Data memory data, uint256 at, string memory key, int256 value) internal pure {
        data.ints.items[at] = IntValue(key, value);
    }

    function put(Data memory data, uint256 at, string memory key, bool value) internal pure {
        data.bools.items[at] = BoolValue(key, value);
    }

    function put(Data memory data, uint256 at, string memory key, bytes32 value) internal pure {
        data.words.items[at] = WordValue(key, value);
    }

    function reason(Data memory data, bytes memory code, string memory text) internal pure {
        data.byteStrings.items = new BytesValue[](1);
        data.byteStrings.items[0] = BytesValue("reasonBytes", code);
        data.strings.items = new StringValue[](1);
        data.strings.items[0] = StringValue("reason", text);
    }
}
