// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.19;

interface IMoney {
    function approve(address spender, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

interface IPrice {
    function price() external view returns (uint256);
}

struct Market {
    address loanToken;
    address collateralToken;
    address oracle;
    address irm;
    uint256 lltv;
}

struct PreLiquidationParams {
    uint256 preLltv;
    uint256 preLCF1;
    uint256 preLCF2;
    uint256 preLIF1;
    uint256 preLIF2;
    address preLiquidationOracle;
}

interface IMarkets {
    function accrueInterest(Market memory at) external;
    function idToMarketParams(bytes32 id) external view returns (address, address, address, address, uint256);
    function market(bytes32 id) external view returns (uint128, uint128, uint128, uint128, uint128, uint128);
    function position(bytes32 id, address who) external view returns (uint256, uint128, uint128);
    function repay(Market memory at, uint256 assets, uint256 shares, address owner, bytes memory data)
        external
        returns (uint256, uint256);
    function withdrawCollateral(Market memory at, uint256 assets, address owner, address receiver) external;
}

/// A stand-in for a pre-liquidation contract: same questions, same terms; it sells by shares alone.
contract SecondLine {
    error NotMorpho();
    error NotPreLiquidatablePosition();
    error LiquidatablePosition();
    error PreLiquidationTooLarge(uint256 repaidShares, uint256 repayableShares);

    uint256 private constant WAD = 1e18;
    IMarkets public immutable MORPHO;
    bytes32 public immutable ID;
    PreLiquidationParams private terms;
    Market private where;

    constructor(address morpho, bytes32 id, PreLiquidationParams memory given) {
        (MORPHO, ID, terms) = (IMarkets(morpho), id, given);
        (where.loanToken, where.collateralToken, where.oracle, where.irm, where.lltv) = MORPHO.idToMarketParams(id);
        require(given.preLltv < where.lltv && given.preLCF1 <= given.preLCF2 && given.preLIF1 >= WAD, "terms");
        IMoney(where.loanToken).approve(morpho, type(uint256).max);
    }

    function preLiquidationParams() external view returns (PreLiquidationParams memory) {
        return terms;
    }

    function preLiquidate(address borrower, uint256, uint256 repaidShares, bytes calldata)
        external
        returns (uint256 seized, uint256 repaid)
    {
        MORPHO.accrueInterest(where);
        uint256 price = IPrice(terms.preLiquidationOracle).price();
        uint256 way = _way(borrower, price);
        _bound(borrower, repaidShares, way);
        uint256 factor = way * (terms.preLIF2 - terms.preLIF1) / WAD + terms.preLIF1;
        seized = _assets(repaidShares, false) * factor / WAD * 1e36 / price;
        repaid = _settle(borrower, repaidShares, abi.encode(seized, borrower, msg.sender));
    }

    function _settle(address borrower, uint256 shares, bytes memory data) private returns (uint256 repaid) {
        (repaid,) = MORPHO.repay(where, 0, shares, borrower, data);
    }

    /// How far an account is on its way from where this begins to where liquidation does.
    function _way(address borrower, uint256 price) private view returns (uint256) {
        (, uint128 shares, uint128 collateral) = MORPHO.position(ID, borrower);
        uint256 worth = uint256(collateral) * price / 1e36;
        uint256 owed = _assets(shares, true);
        if (owed > worth * where.lltv / WAD) revert LiquidatablePosition();
        if (owed <= worth * terms.preLltv / WAD) revert NotPreLiquidatablePosition();
        return (_up(owed * WAD, worth) - terms.preLltv) * WAD / (where.lltv - terms.preLltv);
    }

    function _bound(address borrower, uint256 repaidShares, uint256 way) private view {
        (, uint128 shares,) = MORPHO.position(ID, borrower);
        uint256 most = uint256(shares) * (way * (terms.preLCF2 - terms.preLCF1) / WAD + terms.preLCF1) / WAD;
        if (repaidShares > most) revert PreLiquidationTooLarge(repaidShares, most);
    }

    function _assets(uint256 amount, bool isUp) private view returns (uint256) {
        (,, uint128 borrow, uint128 shares,,) = MORPHO.market(ID);
        uint256 product = amount * (uint256(borrow) + 1);
        return isUp ? _up(product, uint256(shares) + 1e6) : product / (uint256(shares) + 1e6);
    }

    function onMorphoRepay(uint256 repaid, bytes calldata data) external {
        if (msg.sender != address(MORPHO)) revert NotMorpho();
        (uint256 seized, address borrower, address caller) = abi.decode(data, (uint256, address, address));
        MORPHO.withdrawCollateral(where, seized, borrower, caller);
        IMoney(where.loanToken).transferFrom(caller, address(this), repaid);
    }

    function _up(uint256 a, uint256 b) private pure returns (uint256) {
        return (a + b - 1) / b;
    }
}

/// A stand-in for their factory: it knows what it was told of.
contract SecondLines {
    mapping(address => bool) public isPreLiquidation;

    function add(address made) external {
        isPreLiquidation[made] = true;
    }
}
