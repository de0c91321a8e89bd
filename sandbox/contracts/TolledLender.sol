// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

interface ITolledBorrower {
    function onMorphoFlashLoan(uint256 assets, bytes calldata data) external;
}

/// Lends what it holds, and takes more back than it lent: how much is changed at any time.
contract TolledLender {
    uint256 public toll;

    function setToll(uint256 amount) external {
        toll = amount;
    }

    function flashLoan(address token, uint256 assets, bytes calldata data) external {
        _move(token, abi.encodeWithSignature("transfer(address,uint256)", msg.sender, assets), "transfer reverted");
        ITolledBorrower(msg.sender).onMorphoFlashLoan(assets, data);
        bytes memory back =
            abi.encodeWithSignature("transferFrom(address,address,uint256)", msg.sender, address(this), assets + toll);
        _move(token, back, "transferFrom reverted");
    }

    function _move(address token, bytes memory data, string memory refusal) private {
        (bool done, bytes memory returned) = token.call(data);
        require(done && (returned.length == 0 || abi.decode(returned, (bool))), refusal);
    }
}
