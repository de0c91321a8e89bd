// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import "./GmxOrderVault.sol";

/// What owners approve: moves their tokens when the exchange router asks on their behalf.
contract GmxRouter {
    address private _plugin;

    function setPlugin(address plugin) external {
        require(_plugin == address(0));
        _plugin = plugin;
    }

    function pluginTransfer(address token, address account, address receiver, uint256 amount) external {
        require(msg.sender == _plugin, "not a plugin");
        require(IToken(token).transferFrom(account, receiver, amount), "transfer failed");
    }
}
