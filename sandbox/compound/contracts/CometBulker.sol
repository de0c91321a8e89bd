// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "./CometErrors.sol";

interface IComet {
    function borrowBalanceOf(address who) external view returns (uint256);
    function balanceOf(address who) external view returns (uint256);
    function baseToken() external view returns (address);
    function supplyTo(address dst, address asset, uint256 amount) external;
    function supplyFrom(address from, address dst, address asset, uint256 amount) external;
    function transferAssetFrom(address src, address dst, address asset, uint256 amount) external;
    function withdrawFrom(address src, address to, address asset, uint256 amount) external;
}

interface IWrapped {
    function deposit() external payable;
    function withdraw(uint256 amount) external;
    function approve(address spender, uint256 amount) external returns (bool);
}

/// Several calls to markets at once, all or nothing; a supply of native currency needs nobody's permission.
contract CometBulker {
    error FailedToSendNativeToken();
    error InvalidArgument();
    error UnhandledAction();

    bytes32 public constant ACTION_SUPPLY_ASSET = "ACTION_SUPPLY_ASSET";
    bytes32 public constant ACTION_SUPPLY_NATIVE_TOKEN = "ACTION_SUPPLY_NATIVE_TOKEN";
    bytes32 public constant ACTION_TRANSFER_ASSET = "ACTION_TRANSFER_ASSET";
    bytes32 public constant ACTION_WITHDRAW_ASSET = "ACTION_WITHDRAW_ASSET";
    bytes32 public constant ACTION_WITHDRAW_NATIVE_TOKEN = "ACTION_WITHDRAW_NATIVE_TOKEN";
    bytes32 public constant ACTION_CLAIM_REWARD = "ACTION_CLAIM_REWARD";
    address public immutable wrappedNativeToken;

    constructor(address wrapped) {
        wrappedNativeToken = wrapped;
    }

    receive() external payable {}

    function invoke(bytes32[] calldata actions, bytes[] calldata data) external payable {
        if (actions.length != data.length) revert InvalidArgument();
        uint256 left = msg.value;
        for (uint256 i = 0; i < actions.length; i++) {
            if (actions[i] == ACTION_SUPPLY_NATIVE_TOKEN) left -= _supplyNative(data[i]);
            else if (actions[i] == ACTION_WITHDRAW_NATIVE_TOKEN) _withdrawNative(data[i]);
            else if (actions[i] == ACTION_SUPPLY_ASSET || actions[i] == ACTION_TRANSFER_ASSET || actions[i] == ACTION_WITHDRAW_ASSET) _act(actions[i], data[i]);
            else revert UnhandledAction();
        }
        if (left > 0) _send(msg.sender, left);
    }

    function _act(bytes32 action, bytes calldata data) private {
        (address comet, address to, address asset, uint256 amount) = abi.decode(data, (address, address, address, uint256));
        if (action == ACTION_SUPPLY_ASSET) IComet(comet).supplyFrom(msg.sender, to, asset, amount);
        else if (action == ACTION_TRANSFER_ASSET) IComet(comet).transferAssetFrom(msg.sender, to, asset, amount);
        else IComet(comet).withdrawFrom(msg.sender, to, asset, amount);
    }

    function _supplyNative(bytes calldata data) private returns (uint256 amount) {
        address comet;
        address to;
        (comet, to, amount) = abi.decode(data, (address, address, uint256));
        if (amount == type(uint256).max && IComet(comet).baseToken() == wrappedNativeToken) {
            amount = IComet(comet).borrowBalanceOf(msg.sender);
        }
        IWrapped(wrappedNativeToken).deposit{value: amount}();
        IWrapped(wrappedNativeToken).approve(comet, amount);
        IComet(comet).supplyTo(to, wrappedNativeToken, amount);
    }

    function _withdrawNative(bytes calldata data) private {
        (address comet, address to, uint256 amount) = abi.decode(data, (address, address, uint256));
        if (amount == type(uint256).max && IComet(comet).baseToken() == wrappedNativeToken) {
            amount = IComet(comet).balanceOf(msg.sender);
        }
        IComet(comet).withdrawFrom(msg.sender, address(this), wrappedNativeToken, amount);
        IWrapped(wrappedNativeToken).withdraw(amount);
        _send(to, amount);
    }

    function _send(address to, uint256 amount) private {
        (bool done,) = to.call{value: amount}("");
        if (!done) revert FailedToSendNativeToken();
    }
}
