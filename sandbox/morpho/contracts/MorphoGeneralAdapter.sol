// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.19;

interface IToken {
    function approve(address spender, uint256 amount) external returns (bool);
    function balanceOf(address who) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

interface IBundler {
    function initiator() external view returns (address);
}

struct Terms {
    address loanToken;
    address collateralToken;
    address oracle;
    address irm;
    uint256 lltv;
}

interface IBlue {
    function flashLoan(address token, uint256 assets, bytes calldata data) external;
    function position(bytes32 id, address who) external view returns (uint256, uint128, uint128);
    function repay(Terms memory terms, uint256 assets, uint256 shares, address owner, bytes memory data)
        external
        returns (uint256, uint256);
    function withdrawCollateral(Terms memory terms, uint256 assets, address owner, address receiver) external;
    function supplyCollateral(Terms memory terms, uint256 assets, address owner, bytes memory data) external;
    function borrow(Terms memory terms, uint256 assets, uint256 shares, address owner, address receiver)
        external
        returns (uint256, uint256);
}

/// A stand-in for the bundler's general adapter, with what it does at Morpho Blue: it acts for whoever began the bundle.
contract MorphoGeneralAdapter {
    error AdapterAddress();
    error SlippageExceeded();
    error UnauthorizedSender();
    error ZeroAddress();
    error ZeroAmount();

    address public immutable BUNDLER3;
    IBlue public immutable MORPHO;
    uint256 private constant ALL = type(uint256).max;
    bytes4 private constant REENTER = bytes4(keccak256("reenter((address,bytes,uint256,bool,bytes32)[])"));

    constructor(address bundler, address blue) {
        (BUNDLER3, MORPHO) = (bundler, IBlue(blue));
    }

    modifier fromBundler() {
        if (msg.sender != BUNDLER3) revert UnauthorizedSender();
        _;
    }

    function erc20Transfer(address token, address receiver, uint256 amount) external fromBundler {
        if (receiver == address(0)) revert ZeroAddress();
        if (receiver == address(this)) revert AdapterAddress();
        if (amount == 0) revert ZeroAmount();
        uint256 moved = amount == ALL ? IToken(token).balanceOf(address(this)) : amount;
        if (moved != 0) require(IToken(token).transfer(receiver, moved));
    }

    function erc20TransferFrom(address token, address receiver, uint256 amount) external fromBundler {
        if (receiver == address(0)) revert ZeroAddress();
        address owner = IBundler(BUNDLER3).initiator();
        uint256 moved = amount == ALL ? IToken(token).balanceOf(owner) : amount;
        if (moved == 0) revert ZeroAmount();
        require(IToken(token).transferFrom(owner, receiver, moved));
    }

    function morphoRepay(
        Terms calldata terms,
        uint256 assets,
        uint256 shares,
        uint256 maxSharePriceE27,
        address owner,
        bytes calldata data
    ) external fromBundler {
        if (owner == address(this)) revert AdapterAddress();
        if (assets == ALL) {
            assets = IToken(terms.loanToken).balanceOf(address(this));
            if (assets == 0) revert ZeroAmount();
        }
        if (shares == ALL) {
            (, shares,) = MORPHO.position(keccak256(abi.encode(terms)), owner);
            if (shares == 0) revert ZeroAmount();
        }
        IToken(terms.loanToken).approve(address(MORPHO), ALL);
        (uint256 paid, uint256 burned) = MORPHO.repay(terms, assets, shares, owner, data);
        if ((paid * 1e27 + burned - 1) / burned > maxSharePriceE27) revert SlippageExceeded();
    }

    function morphoWithdrawCollateral(Terms calldata terms, uint256 assets, address receiver) external fromBundler {
        address owner = IBundler(BUNDLER3).initiator();
        if (assets == ALL) {
            (,, uint128 all) = MORPHO.position(keccak256(abi.encode(terms)), owner);
            assets = all;
        }
        if (assets == 0) revert ZeroAmount();
        MORPHO.withdrawCollateral(terms, assets, owner, receiver);
    }

    function morphoSupplyCollateral(Terms calldata terms, uint256 assets, address owner, bytes calldata data)
        external
        fromBundler
    {
        if (owner == address(this)) revert AdapterAddress();
        if (assets == ALL) assets = IToken(terms.collateralToken).balanceOf(address(this));
        if (assets == 0) revert ZeroAmount();
        IToken(terms.collateralToken).approve(address(MORPHO), ALL);
        MORPHO.supplyCollateral(terms, assets, owner, data);
    }

    function morphoBorrow(
        Terms calldata terms,
        uint256 assets,
        uint256 shares,
        uint256 minSharePriceE27,
        address receiver
    ) external fromBundler {
        address owner = IBundler(BUNDLER3).initiator();
        (uint256 lent, uint256 issued) = MORPHO.borrow(terms, assets, shares, owner, receiver);
        if (lent * 1e27 / issued < minSharePriceE27) revert SlippageExceeded();
    }

    function morphoFlashLoan(address token, uint256 assets, bytes calldata data) external fromBundler {
        if (assets == 0) revert ZeroAmount();
        IToken(token).approve(address(MORPHO), ALL);
        MORPHO.flashLoan(token, assets, data);
    }

    function onMorphoFlashLoan(uint256, bytes calldata data) external {
        if (msg.sender != address(MORPHO)) revert UnauthorizedSender();
        (bool done, bytes memory returned) = BUNDLER3.call(abi.encodePacked(REENTER, data));
        if (!done) {
            assembly {
                revert(add(returned, 32), mload(returned))
            }
        }
    }
}
