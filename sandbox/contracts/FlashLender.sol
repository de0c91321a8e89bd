// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

interface IFlashBorrower {
    function onMorphoFlashLoan(uint256 assets, bytes calldata data) external;
}

/// Lends what it holds until the end of the call, for nothing.
contract FlashLender {
    event FlashLoan(address indexed caller, address indexed token, uint256 assets);

    function flashLoan(address token, uint256 assets, bytes calldata data) external {
        require(assets != 0, "zero assets");
        emit FlashLoan(msg.sender, token, assets);
        _move(token, abi.encodeWithSignature("transfer(address,uint256)", msg.sender, assets), "transfer reverted");
        IFlashBorrower(msg.sender).onMorphoFlashLoan(assets, data);
        bytes memory back = abi.encodeWithSignature(
            "transferFrom(address,address,uint256)", msg.sender, address(this), assets
        );
        _move(token, back, "transferFrom reverted");
    }

    function _move(address token, bytes memory data, string memory refusal) private {
        (bool done, bytes memory returned) = token.call(data);
        require(done && (returned.length == 0 || abi.decode(returned, (bool))), refusal);
    }
}
