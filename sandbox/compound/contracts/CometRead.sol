// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "./CometErrors.sol";
import "./CometTerms.sol";

interface IERC20Like {
    function balanceOf(address who) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
}

interface IPriceFeed {
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}

/// What a market of the Comet stand-in keeps, and all that it says of it. Written from the recorded figures.
abstract contract CometRead {
    struct TotalsBasic {
        uint64 baseSupplyIndex;
        uint64 baseBorrowIndex;
        uint64 trackingSupplyIndex;
        uint64 trackingBorrowIndex;
        uint104 totalSupplyBase;
        uint104 totalBorrowBase;
        uint40 lastAccrualTime;
        uint8 pauseFlags;
    }

    struct UserBasic {
        int104 principal;
        uint64 baseTrackingIndex;
        uint64 baseTrackingAccrued;
        uint16 assetsIn;
        uint8 _reserved;
    }

    struct Held {
        uint128 balance;
        uint128 _reserved;
    }

    struct TotalsCollateral {
        uint128 totalSupplyAsset;
        uint128 _reserved;
    }

    struct LiquidatorPoints {
        uint32 numAbsorbs;
        uint64 numAbsorbed;
        uint128 approxSpend;
        uint32 _reserved;
    }

    struct AssetInfo {
        uint8 offset;
        address asset;
        address priceFeed;
        uint64 scale;
        uint64 borrowCollateralFactor;
        uint64 liquidateCollateralFactor;
        uint64 liquidationFactor;
        uint128 supplyCap;
    }

    uint256 internal constant FACTOR = 1e18;
    uint256 internal constant INDEX = 1e15;
    uint256 internal constant PER_ACCRUAL = 1e6;
    uint8 internal constant ASSETS_IN_FIRST = 16;

    CometTerms public immutable terms;

    TotalsBasic internal _totals; // slots 0 and 1
    mapping(address => UserBasic) public userBasic; // 2
    mapping(address => mapping(address => Held)) public userCollateral; // 3
    mapping(address => TotalsCollateral) public totalsCollateral; // 4
    mapping(address => mapping(address => bool)) public isAllowed; // 5
    mapping(address => uint256) public userNonce; // 6
    mapping(address => LiquidatorPoints) public liquidatorPoints; // 7

    constructor(CometTerms one) {
        terms = one;
    }

    // --- constants

    function governor() public view returns (address) { return terms.parties().governor; }
    function pauseGuardian() public view returns (address) { return terms.parties().pauseGuardian; }
    function baseToken() public view returns (address) { return terms.parties().baseToken; }
    function baseTokenPriceFeed() public view returns (address) { return terms.parties().baseTokenPriceFeed; }
    function extensionDelegate() external view returns (address) { return terms.parties().extensionDelegate; }
    function name() public view returns (string memory) { return terms.name(); }
    function symbol() external view returns (string memory) { return terms.symbol(); }
    function version() public pure returns (string memory) { return "0"; }
    function baseIndexScale() external pure returns (uint64) { return uint64(INDEX); }
    function baseAccrualScale() external pure returns (uint64) { return uint64(PER_ACCRUAL); }
    function factorScale() external pure returns (uint64) { return uint64(FACTOR); }
    function priceScale() external pure returns (uint64) { return 1e8; }
    function decimals() external view returns (uint8) { return uint8(_n().decimals); }
    function baseScale() public view returns (uint256) { return _n().baseScale; }
    function trackingIndexScale() external view returns (uint256) { return _n().trackingIndexScale; }
    function baseTrackingSupplySpeed() external view returns (uint256) { return _n().baseTrackingSupplySpeed; }
    function baseTrackingBorrowSpeed() external view returns (uint256) { return _n().baseTrackingBorrowSpeed; }
    function baseMinForRewards() external view returns (uint256) { return _n().baseMinForRewards; }
    function supplyKink() external view returns (uint256) { return _n().supplyKink; }
    function supplyPerSecondInterestRateSlopeLow() external view returns (uint256) { return _n().supplyPerSecondInterestRateSlopeLow; }
    function supplyPerSecondInterestRateSlopeHigh() external view returns (uint256) { return _n().supplyPerSecondInterestRateSlopeHigh; }
    function supplyPerSecondInterestRateBase() external view returns (uint256) { return _n().supplyPerSecondInterestRateBase; }
    function borrowKink() external view returns (uint256) { return _n().borrowKink; }
    function borrowPerSecondInterestRateSlopeLow() external view returns (uint256) { return _n().borrowPerSecondInterestRateSlopeLow; }
    function borrowPerSecondInterestRateSlopeHigh() external view returns (uint256) { return _n().borrowPerSecondInterestRateSlopeHigh; }
    function borrowPerSecondInterestRateBase() external view returns (uint256) { return _n().borrowPerSecondInterestRateBase; }
    function storeFrontPriceFactor() external view returns (uint256) { return _n().storeFrontPriceFactor; }
    function baseBorrowMin() public view returns (uint256) { return _n().baseBorrowMin; }
    function targetReserves() public view returns (uint256) { return _n().targetReserves; }
    function numAssets() public view returns (uint8) { return uint8(terms.assets().length); }

    function maxAssets() external view returns (uint8) { return uint8(_n().maxAssets); }

    /// The older generation has none.
    function assetList() external view returns (address) {
        if (_n().maxAssets <= ASSETS_IN_FIRST) revert();
        return address(terms);
    }

    function getAssetInfo(uint8 i) public view returns (AssetInfo memory) {
        CometTerms.Asset[] memory listed = terms.assets();
        if (i >= listed.length) revert CometErrors.BadAsset();
        return _info(i, listed[i]);
    }

    function getAssetInfoByAddress(address asset) public view returns (AssetInfo memory) {
        CometTerms.Asset[] memory listed = terms.assets();
        for (uint8 i = 0; i < listed.length; i++) if (listed[i].asset == asset) return _info(i, listed[i]);
        revert CometErrors.BadAsset();
    }

    // --- the market

    function totalsBasic() external view returns (TotalsBasic memory) {
        return _totals;
    }

    function getPrice(address feed) public view returns (uint256) {
        (, int256 price,,,) = IPriceFeed(feed).latestRoundData();
        if (price <= 0) revert CometErrors.BadPrice();
        return uint256(price);
    }

    function getUtilization() public view returns (uint256) {
        uint256 supplied = _supply(_totals.baseSupplyIndex, _totals.totalSupplyBase);
        uint256 lent = _debt(_totals.baseBorrowIndex, _totals.totalBorrowBase);
        return supplied == 0 ? 0 : lent * FACTOR / supplied;
    }

    function getSupplyRate(uint256 used) public view returns (uint64) {
        CometTerms.Numbers memory n = _n();
        return _curve(used, n.supplyKink, n.supplyPerSecondInterestRateBase, n.supplyPerSecondInterestRateSlopeLow, n.supplyPerSecondInterestRateSlopeHigh);
    }

    function getBorrowRate(uint256 used) public view returns (uint64) {
        CometTerms.Numbers memory n = _n();
        return _curve(used, n.borrowKink, n.borrowPerSecondInterestRateBase, n.borrowPerSecondInterestRateSlopeLow, n.borrowPerSecondInterestRateSlopeHigh);
    }

    function totalSupply() external view returns (uint256) {
        (uint64 index,) = _accrued();
        return _supply(index, _totals.totalSupplyBase);
    }

    function totalBorrow() external view returns (uint256) {
        (, uint64 index) = _accrued();
        return _debt(index, _totals.totalBorrowBase);
    }

    function getReserves() public view returns (int256) {
        (uint64 ofSupply, uint64 ofDebt) = _accrued();
        int256 cash = int256(IERC20Like(baseToken()).balanceOf(address(this)));
        return cash - int256(_supply(ofSupply, _totals.totalSupplyBase)) + int256(_debt(ofDebt, _totals.totalBorrowBase));
    }

    function getCollateralReserves(address asset) public view returns (uint256) {
        return IERC20Like(asset).balanceOf(address(this)) - totalsCollateral[asset].totalSupplyAsset;
    }

    function quoteCollateral(address asset, uint256 baseAmount) public view returns (uint256) {
        AssetInfo memory one = getAssetInfoByAddress(asset);
        uint256 price = getPrice(one.priceFeed);
        uint256 discount = _n().storeFrontPriceFactor * (FACTOR - one.liquidationFactor) / FACTOR;
        uint256 reduced = price * (FACTOR - discount) / FACTOR;
        return getPrice(baseTokenPriceFeed()) * baseAmount * one.scale / reduced / baseScale();
    }

    function isSupplyPaused() public view returns (bool) { return _totals.pauseFlags & 1 != 0; }
    function isTransferPaused() public view returns (bool) { return _totals.pauseFlags & 2 != 0; }
    function isWithdrawPaused() public view returns (bool) { return _totals.pauseFlags & 4 != 0; }
    function isAbsorbPaused() public view returns (bool) { return _totals.pauseFlags & 8 != 0; }
    function isBuyPaused() public view returns (bool) { return _totals.pauseFlags & 16 != 0; }

    // --- an account

    function balanceOf(address who) public view returns (uint256) {
        (uint64 index,) = _accrued();
        int104 principal = userBasic[who].principal;
        return principal > 0 ? _supply(index, uint104(principal)) : 0;
    }

    function borrowBalanceOf(address who) public view returns (uint256) {
        (, uint64 index) = _accrued();
        int104 principal = userBasic[who].principal;
        return principal < 0 ? _debt(index, uint104(-principal)) : 0;
    }

    function collateralBalanceOf(address who, address asset) external view returns (uint128) {
        return userCollateral[who][asset].balance;
    }

    function baseTrackingAccrued(address who) external view returns (uint64) {
        return userBasic[who].baseTrackingAccrued;
    }

    function hasPermission(address owner, address manager) public view returns (bool) {
        return owner == manager || isAllowed[owner][manager];
    }

    function allowance(address owner, address spender) external view returns (uint256) {
        return hasPermission(owner, spender) ? type(uint256).max : 0;
    }

    /// By the index of the last accrual, and only as many assets as it takes.
    function isBorrowCollateralized(address who) public view returns (bool) {
        int104 principal = userBasic[who].principal;
        return principal >= 0 || _covers(who, principal, false);
    }

    function isLiquidatable(address who) public view returns (bool) {
        int104 principal = userBasic[who].principal;
        return principal < 0 && !_covers(who, principal, true);
    }

    // --- arithmetic

    function _covers(address who, int104 principal, bool byLiquidation) private view returns (bool) {
        uint256 owed = _debt(_totals.baseBorrowIndex, uint104(-principal));
        uint256 value = owed * getPrice(baseTokenPriceFeed()) / baseScale();
        CometTerms.Asset[] memory listed = terms.assets();
        uint256 carried = 0;
        for (uint8 i = 0; i < listed.length; i++) {
            if (!_isIn(who, i)) continue;
            if (carried >= value) return true;
            CometTerms.Asset memory a = listed[i];
            uint256 worth = uint256(userCollateral[who][a.asset].balance) * getPrice(a.priceFeed) / a.scale;
            carried += worth * (byLiquidation ? a.liquidateCollateralFactor : a.borrowCollateralFactor) / FACTOR;
        }
        return carried >= value;
    }

    function _isIn(address who, uint8 i) internal view returns (bool) {
        UserBasic storage one = userBasic[who];
        if (i < ASSETS_IN_FIRST) return one.assetsIn & (uint16(1) << i) != 0;
        return one._reserved & (uint8(1) << (i - ASSETS_IN_FIRST)) != 0;
    }

    /// One simple step however long it took, at the rate of the stored figures.
    function _accrued() internal view returns (uint64 ofSupply, uint64 ofDebt) {
        (ofSupply, ofDebt) = (_totals.baseSupplyIndex, _totals.baseBorrowIndex);
        uint256 elapsed = block.timestamp - _totals.lastAccrualTime;
        if (elapsed == 0) return (ofSupply, ofDebt);
        uint256 used = getUtilization();
        ofSupply += _u64(uint256(ofSupply) * (uint256(getSupplyRate(used)) * elapsed) / FACTOR);
        ofDebt += _u64(uint256(ofDebt) * (uint256(getBorrowRate(used)) * elapsed) / FACTOR);
    }

    function _curve(uint256 used, uint256 kink, uint256 base, uint256 low, uint256 high) private pure returns (uint64) {
        if (used <= kink) return _u64(base + low * used / FACTOR);
        return _u64(base + low * kink / FACTOR + high * (used - kink) / FACTOR);
    }

    function _supply(uint64 index, uint104 principal) internal pure returns (uint256) {
        return uint256(principal) * index / INDEX;
    }

    function _debt(uint64 index, uint104 principal) internal pure returns (uint256) {
        return uint256(principal) * index / INDEX;
    }

    function _n() internal view returns (CometTerms.Numbers memory) {
        return terms.numbers();
    }

    function _info(uint8 i, CometTerms.Asset memory a) private pure returns (AssetInfo memory) {
        return AssetInfo(i, a.asset, a.priceFeed, a.scale, a.borrowCollateralFactor, a.liquidateCollateralFactor, a.liquidationFactor, a.supplyCap);
    }

    function _u64(uint256 n) internal pure returns (uint64) {
        if (n > type(uint64).max) revert CometErrors.InvalidUInt64();
        return uint64(n);
    }

    function _u104(uint256 n) internal pure returns (uint104) {
        if (n > type(uint104).max) revert CometErrors.InvalidUInt104();
        return uint104(n);
    }

    function _u128(uint256 n) internal pure returns (uint128) {
        if (n > type(uint128).max) revert CometErrors.InvalidUInt128();
        return uint128(n);
    }
}
