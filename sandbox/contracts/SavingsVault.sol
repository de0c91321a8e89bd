// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";

/// OpenZeppelin's own ERC-4626 vault, as it is: what is given to it beside deposits is earned by its shares.
contract SavingsVault is ERC4626 {
    constructor(IERC20 asset_) ERC20("Savings", "sv") ERC4626(asset_) {}
}
