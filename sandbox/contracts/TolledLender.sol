// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

interface ITolledBorrower {
    function onMorphoFlashLoan(uint256 assets, bytes calldata data) external;
}

/// Lends what it holds, and takes more back than it lent: how much is changed at any time, and said by ERC-3156's name.
contract TolledLender {
    uint256 public toll;
    uint256 public rate;

    /// A sum, whatever is lent.
    function setToll(uint256 amount) external {
        toll = amount;
    }

    /// A share, in 10^-18.
    function setRate(uint256 share) external {
        rate = share;
    }

    function flashFee(address, uint256 assets) public view returns (uint256) {
        return toll + (assets * rate + 1e18 - 1) / 1e18;
    }

    function flashLoan(address token, uint256 assets, bytes calldata data) external {
        _move(token, abi.encodeWithSignature("transfer(address,uint256)", msg.sender, assets), "transfer reverted");
        ITolledBorrower(msg.sender).onMorphoFlashLoan(assets, data);
        bytes memory back =
            abi.encodeWithSignature(
            "transferFrom(address,address,uint256)", msg.sender, address(this), assets + flashFee(token, assets)
        );
        _move(token, back, "transferFrom reverted");
    }

    function _move(address token, bytes memory data, string memory refusal) private {
        (bool done, bytes memory returned) = token.call(data);
        require(done && (returned.length == 0 || abi.decode(returned, (bool))), refusal);
    }
}
