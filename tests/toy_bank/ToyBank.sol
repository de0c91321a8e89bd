// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IToken {
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function balanceOf(address who) external view returns (uint256);
}

interface IPrice {
    function latestAnswer() external view returns (int256);
}

/// The smallest lending market there can be: one collateral, one debt, no interest. Values are dollars of 10^-8.
/// A debt is worth its value rounded up, collateral rounded down; health below 1 (10^18) may be liquidated whole.
contract ToyBank {
    uint256 public constant THRESHOLD = 0.80e18;
    uint256 public constant FACTOR = 0.75e18;
    IToken public immutable collateral;
    IToken public immutable debt;
    IPrice public immutable collateralPrice;
    IPrice public immutable debtPrice;
    uint256 public immutable collateralUnit;
    uint256 public immutable debtUnit;
    mapping(address => uint256) public supplied;
    mapping(address => uint256) public owed;

    event Changed(address indexed owner, string what, uint256 amount);
    event Liquidated(address indexed owner, uint256 taken, uint256 repaid);

    error Unhealthy(uint256 health);

    constructor(IToken[2] memory tokens, IPrice[2] memory prices, uint256[2] memory units) {
        (collateral, debt) = (tokens[0], tokens[1]);
        (collateralPrice, debtPrice) = (prices[0], prices[1]);
        (collateralUnit, debtUnit) = (units[0], units[1]);
    }

    function supply(uint256 amount, address owner) external {
        require(collateral.transferFrom(msg.sender, address(this), amount), "not paid");
        supplied[owner] += amount;
        emit Changed(owner, "supplied", amount);
    }

    function withdraw(uint256 amount, address to) external {
        if (amount == type(uint256).max) amount = supplied[msg.sender];
        supplied[msg.sender] -= amount;
        _mustBeAbove(THRESHOLD);
        require(collateral.transfer(to, amount), "not sent");
        emit Changed(msg.sender, "withdrawn", amount);
    }

    function borrow(uint256 amount, address to) external {
        owed[msg.sender] += amount;
        _mustBeAbove(FACTOR);
        require(debt.transfer(to, amount), "not sent");
        emit Changed(msg.sender, "borrowed", amount);
    }

    function repay(uint256 amount, address owner) external {
        if (amount > owed[owner]) amount = owed[owner];
        owed[owner] -= amount;
        require(debt.transferFrom(msg.sender, address(this), amount), "not paid");
        emit Changed(owner, "repaid", amount);
    }

    function liquidate(address owner) external {
        (uint256 taken, uint256 repaid, uint256 health) = account(owner);
        require(health < 1e18, "healthy");
        (supplied[owner], owed[owner]) = (0, 0);
        require(debt.transferFrom(msg.sender, address(this), repaid), "not paid");
        require(collateral.transfer(msg.sender, taken), "not sent");
        emit Liquidated(owner, taken, repaid);
    }

    function account(address owner) public view returns (uint256, uint256, uint256) {
        return (supplied[owner], owed[owner], _health(owner, THRESHOLD));
    }

    function _health(address owner, uint256 share) private view returns (uint256) {
        uint256 value = supplied[owner] * uint256(collateralPrice.latestAnswer()) / collateralUnit;
        uint256 loan = (owed[owner] * uint256(debtPrice.latestAnswer()) + debtUnit - 1) / debtUnit;
        return loan == 0 ? type(uint256).max : value * share / loan;
    }

    function _mustBeAbove(uint256 share) private view {
        uint256 health = _health(msg.sender, share);
        if (health < 1e18) revert Unhealthy(health);
    }
}
