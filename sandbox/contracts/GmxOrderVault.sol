// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IToken {
    function balanceOf(address who) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function deposit() external payable;
    function withdraw(uint256 amount) external;
}

/// Holds what orders were left with. What arrives is credited to whoever asks first.
contract GmxOrderVault {
    mapping(address => uint256) public known;
    address public owner;

    constructor() {
        owner = msg.sender;
    }

    function setOwner(address owner_) external {
        require(msg.sender == owner);
        owner = owner_;
    }

    function recordTransferIn(address token) external returns (uint256 arrived) {
        uint256 balance = IToken(token).balanceOf(address(this));
        arrived = balance - known[token];
        known[token] = balance;
    }

    function transferOut(address token, address to, uint256 amount) external {
        require(msg.sender == owner);
        known[token] -= amount;
        IToken(token).transfer(to, amount);
    }

    function transferOutNative(address wnt, address to, uint256 amount) external {
        require(msg.sender == owner);
        known[wnt] -= amount;
        IToken(wnt).withdraw(amount);
        (bool sent,) = to.call{value: amount}("");
        require(sent, "native transfer refused");
    }

    receive() external payable {}
}
