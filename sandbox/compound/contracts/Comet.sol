// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "./CometRead.sol";

/// What is done at a market of the Comet stand-in: its calls, events, order of checks and refusals are the recorded ones.
contract Comet is CometRead {
    event Supply(address indexed from, address indexed dst, uint256 amount);
    event Withdraw(address indexed src, address indexed to, uint256 amount);
    event Transfer(address indexed from, address indexed to, uint256 amount);
    event Approval(address indexed owner, address indexed spender, uint256 amount);
    event SupplyCollateral(address indexed from, address indexed dst, address indexed asset, uint256 amount);
    event WithdrawCollateral(address indexed src, address indexed to, address indexed asset, uint256 amount);
    event TransferCollateral(address indexed from, address indexed to, address indexed asset, uint256 amount);
    event AbsorbDebt(address indexed absorber, address indexed borrower, uint256 basePaidOut, uint256 usdValue);
    event AbsorbCollateral(
        address indexed absorber, address indexed borrower, address indexed asset, uint256 collateralAbsorbed, uint256 usdValue
    );
    event BuyCollateral(address indexed buyer, address indexed asset, uint256 baseAmount, uint256 collateralAmount);
    event PauseAction(bool supplyPaused, bool transferPaused, bool withdrawPaused, bool absorbPaused, bool buyPaused);
    event WithdrawReserves(address indexed to, uint256 amount);

    uint256 private constant ALL = type(uint256).max;
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant AUTHORIZATION =
        keccak256("Authorization(address owner,address manager,bool isAllowed,uint256 nonce,uint256 expiry)");

    constructor(CometTerms one) CometRead(one) {}

    function initializeStorage() external {
        if (_totals.lastAccrualTime != 0) revert CometErrors.AlreadyInitialized();
        (_totals.baseSupplyIndex, _totals.baseBorrowIndex) = (uint64(INDEX), uint64(INDEX));
        _totals.lastAccrualTime = uint40(block.timestamp);
    }

    // --- who may

    function allow(address manager, bool isAllowed_) external {
        _allow(msg.sender, manager, isAllowed_);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        if (amount != ALL && amount != 0) revert CometErrors.BadAmount();
        _allow(msg.sender, spender, amount == ALL);
        return true;
    }

    function allowBySig(
        address owner, address manager, bool isAllowed_, uint256 nonce, uint256 expiry, uint8 v, bytes32 r, bytes32 s
    ) external {
        bytes32 domain = keccak256(
            abi.encode(DOMAIN, keccak256(bytes(name())), keccak256(bytes(version())), block.chainid, address(this))
        );
        bytes32 what = keccak256(abi.encode(AUTHORIZATION, owner, manager, isAllowed_, nonce, expiry));
        address signer = ecrecover(keccak256(abi.encodePacked("\x19\x01", domain, what)), v, r, s);
        if (signer == address(0) || signer != owner) revert CometErrors.BadSignatory();
        if (nonce != userNonce[signer]++) revert CometErrors.BadNonce();
        if (block.timestamp >= expiry) revert CometErrors.SignatureExpired();
        _allow(owner, manager, isAllowed_);
    }

    function _allow(address owner, address manager, bool isAllowed_) private {
        isAllowed[owner][manager] = isAllowed_;
        emit Approval(owner, manager, isAllowed_ ? ALL : 0);
    }

    // --- in

    function supply(address asset, uint256 amount) external {
        _in(msg.sender, msg.sender, msg.sender, asset, amount);
    }

    function supplyTo(address dst, address asset, uint256 amount) external {
        _in(msg.sender, msg.sender, dst, asset, amount);
    }

    function supplyFrom(address from, address dst, address asset, uint256 amount) external {
        _in(msg.sender, from, dst, asset, amount);
    }

    function _in(address operator, address from, address dst, address asset, uint256 amount) private {
        if (isSupplyPaused()) revert CometErrors.Paused();
        if (!hasPermission(from, operator)) revert CometErrors.Unauthorized();
        if (asset == baseToken()) _inBase(from, dst, amount == ALL ? borrowBalanceOf(dst) : amount);
        else _inCollateral(from, dst, asset, _u128(amount));
    }

    function _inBase(address from, address dst, uint256 amount) private {
        _pull(baseToken(), from, amount);
        _accrue();
        int104 before = userBasic[dst].principal;
        int104 then = _principal(_present(before) + int256(amount));
        (uint104 repaid, uint104 supplied) = _up(before, then);
        _totals.totalSupplyBase += supplied;
        _totals.totalBorrowBase -= repaid;
        _keep(dst, then);
        emit Supply(from, dst, amount);
        if (supplied > 0) emit Transfer(address(0), dst, _supply(_totals.baseSupplyIndex, supplied));
    }

    function _inCollateral(address from, address dst, address asset, uint128 amount) private {
        _pull(asset, from, amount);
        AssetInfo memory one = getAssetInfoByAddress(asset);
        totalsCollateral[asset].totalSupplyAsset += amount;
        if (totalsCollateral[asset].totalSupplyAsset > one.supplyCap) revert CometErrors.SupplyCapExceeded();
        _hold(dst, one, userCollateral[dst][asset].balance + amount);
        emit SupplyCollateral(from, dst, asset, amount);
    }

    // --- out

    function withdraw(address asset, uint256 amount) external {
        _out(msg.sender, msg.sender, msg.sender, asset, amount);
    }

    function withdrawTo(address to, address asset, uint256 amount) external {
        _out(msg.sender, msg.sender, to, asset, amount);
    }

    function withdrawFrom(address src, address to, address asset, uint256 amount) external {
        _out(msg.sender, src, to, asset, amount);
    }

    function _out(address operator, address src, address to, address asset, uint256 amount) private {
        if (isWithdrawPaused()) revert CometErrors.Paused();
        if (!hasPermission(src, operator)) revert CometErrors.Unauthorized();
        if (asset == baseToken()) _outBase(src, to, amount == ALL ? balanceOf(src) : amount);
        else _outCollateral(src, to, asset, _u128(amount));
    }

    function _outBase(address src, address to, uint256 amount) private {
        _accrue();
        uint104 withdrawn = _lower(src, amount);
        _push(baseToken(), to, amount);
        emit Withdraw(src, to, amount);
        if (withdrawn > 0) emit Transfer(src, address(0), _supply(_totals.baseSupplyIndex, withdrawn));
    }

    /// Takes from a supply, then borrows; checks come small debts first.
    function _lower(address src, uint256 amount) private returns (uint104 withdrawn) {
        int104 before = userBasic[src].principal;
        int256 balance = _present(before) - int256(amount);
        int104 then = _principal(balance);
        uint104 borrowed;
        (withdrawn, borrowed) = _down(before, then);
        _totals.totalSupplyBase -= withdrawn;
        _totals.totalBorrowBase += borrowed;
        _keep(src, then);
        if (balance < 0) {
            if (uint256(-balance) < baseBorrowMin()) revert CometErrors.BorrowTooSmall();
            if (!isBorrowCollateralized(src)) revert CometErrors.NotCollateralized();
        }
    }

    function _outCollateral(address src, address to, address asset, uint128 amount) private {
        uint128 left = userCollateral[src][asset].balance - amount;
        totalsCollateral[asset].totalSupplyAsset -= amount;
        _hold(src, getAssetInfoByAddress(asset), left);
        if (!isBorrowCollateralized(src)) revert CometErrors.NotCollateralized();
        _push(asset, to, amount);
        emit WithdrawCollateral(src, to, asset, amount);
    }

    // --- from one account to another

    function transfer(address dst, uint256 amount) external returns (bool) {
        _move(msg.sender, msg.sender, dst, baseToken(), amount);
        return true;
    }

    function transferFrom(address src, address dst, uint256 amount) external returns (bool) {
        _move(msg.sender, src, dst, baseToken(), amount);
        return true;
    }

    function transferAsset(address dst, address asset, uint256 amount) external {
        _move(msg.sender, msg.sender, dst, asset, amount);
    }

    function transferAssetFrom(address src, address dst, address asset, uint256 amount) external {
        _move(msg.sender, src, dst, asset, amount);
    }

    function _move(address operator, address src, address dst, address asset, uint256 amount) private {
        if (isTransferPaused()) revert CometErrors.Paused();
        if (!hasPermission(src, operator)) revert CometErrors.Unauthorized();
        if (src == dst) revert CometErrors.NoSelfTransfer();
        if (asset == baseToken()) _moveBase(src, dst, amount == ALL ? balanceOf(src) : amount);
        else _moveCollateral(src, dst, asset, _u128(amount));
    }

    function _moveBase(address src, address dst, uint256 amount) private {
        _accrue();
        int104 before = userBasic[dst].principal;
        int104 then = _principal(_present(before) + int256(amount));
        (uint104 repaid, uint104 supplied) = _up(before, then);
        _totals.totalSupplyBase += supplied;
        _totals.totalBorrowBase -= repaid;
        _keep(dst, then);
        uint104 withdrawn = _lower(src, amount);
        if (withdrawn > 0) emit Transfer(src, address(0), _supply(_totals.baseSupplyIndex, withdrawn));
        if (supplied > 0) emit Transfer(address(0), dst, _supply(_totals.baseSupplyIndex, supplied));
    }

    function _moveCollateral(address src, address dst, address asset, uint128 amount) private {
        uint128 left = userCollateral[src][asset].balance - amount;
        AssetInfo memory one = getAssetInfoByAddress(asset);
        _hold(src, one, left);
        _hold(dst, one, userCollateral[dst][asset].balance + amount);
        if (!isBorrowCollateralized(src)) revert CometErrors.NotCollateralized();
        emit TransferCollateral(src, dst, asset, amount);
    }

    // --- liquidation: all of it, and it accrues first

    function absorb(address absorber, address[] calldata accounts) external {
        if (isAbsorbPaused()) revert CometErrors.Paused();
        _accrue();
        for (uint256 i = 0; i < accounts.length; i++) _absorb(absorber, accounts[i]);
        liquidatorPoints[absorber].numAbsorbs += 1;
        liquidatorPoints[absorber].numAbsorbed += uint64(accounts.length);
    }

    function _absorb(address absorber, address who) private {
        if (!isLiquidatable(who)) revert CometErrors.NotLiquidatable();
        int104 before = userBasic[who].principal;
        int256 owed = _present(before);
        uint256 price = getPrice(baseTokenPriceFeed());
        int256 left = owed + int256(_seize(absorber, who) * baseScale() / price);
        if (left < 0) left = 0;
        int104 then = _principal(left);
        _keep(who, then);
        (userBasic[who].assetsIn, userBasic[who]._reserved) = (0, 0);
        (uint104 repaid, uint104 supplied) = _up(before, then);
        _totals.totalSupplyBase += supplied;
        _totals.totalBorrowBase -= repaid;
        uint256 paid = uint256(left - owed);
        emit AbsorbDebt(absorber, who, paid, paid * price / baseScale());
        if (then > 0) emit Transfer(address(0), who, _supply(_totals.baseSupplyIndex, uint104(then)));
    }

    function _seize(address absorber, address who) private returns (uint256 credit) {
        CometTerms.Asset[] memory listed = terms.assets();
        for (uint8 i = 0; i < listed.length; i++) {
            if (!_isIn(who, i)) continue;
            address asset = listed[i].asset;
            uint128 taken = userCollateral[who][asset].balance;
            userCollateral[who][asset].balance = 0;
            totalsCollateral[asset].totalSupplyAsset -= taken;
            uint256 value = uint256(taken) * getPrice(listed[i].priceFeed) / listed[i].scale;
            credit += value * listed[i].liquidationFactor / FACTOR;
            emit AbsorbCollateral(absorber, who, asset, taken, value);
        }
    }

    function buyCollateral(address asset, uint256 least, uint256 baseAmount, address recipient) external {
        if (isBuyPaused()) revert CometErrors.Paused();
        int256 reserves = getReserves();
        if (reserves >= 0 && uint256(reserves) >= targetReserves()) revert CometErrors.NotForSale();
        _pull(baseToken(), msg.sender, baseAmount);
        uint256 bought = quoteCollateral(asset, baseAmount);
        if (bought < least) revert CometErrors.TooMuchSlippage();
        if (bought > getCollateralReserves(asset)) revert CometErrors.InsufficientReserves();
        _push(asset, recipient, bought);
        emit BuyCollateral(msg.sender, asset, baseAmount, bought);
    }

    // --- governance, and who may stop the market

    function pause(bool noSupply, bool noTransfer, bool noWithdraw, bool noAbsorb, bool noBuy) external {
        if (msg.sender != governor() && msg.sender != pauseGuardian()) revert CometErrors.Unauthorized();
        _totals.pauseFlags = (noSupply ? 1 : 0) | (noTransfer ? 2 : 0) | (noWithdraw ? 4 : 0) | (noAbsorb ? 8 : 0)
            | (noBuy ? 16 : 0);
        emit PauseAction(noSupply, noTransfer, noWithdraw, noAbsorb, noBuy);
    }

    function withdrawReserves(address to, uint256 amount) external {
        if (msg.sender != governor()) revert CometErrors.Unauthorized();
        int256 reserves = getReserves();
        if (reserves < 0 || amount > uint256(reserves)) revert CometErrors.InsufficientReserves();
        _push(baseToken(), to, amount);
        emit WithdrawReserves(to, amount);
    }

    function approveThis(address manager, address asset, uint256 amount) external {
        if (msg.sender != governor()) revert CometErrors.Unauthorized();
        IERC20Like(asset).approve(manager, amount);
    }

    function accrueAccount(address who) external {
        _accrue();
        _keep(who, userBasic[who].principal);
    }

    // --- what is kept

    function _accrue() private {
        uint256 elapsed = block.timestamp - _totals.lastAccrualTime;
        if (elapsed == 0) return;
        (_totals.baseSupplyIndex, _totals.baseBorrowIndex) = _accrued();
        CometTerms.Numbers memory n = _n();
        if (_totals.totalSupplyBase >= n.baseMinForRewards) {
            _totals.trackingSupplyIndex += _u64(n.baseTrackingSupplySpeed * elapsed * n.baseScale / _totals.totalSupplyBase);
        }
        if (_totals.totalBorrowBase >= n.baseMinForRewards) {
            _totals.trackingBorrowIndex += _u64(n.baseTrackingBorrowSpeed * elapsed * n.baseScale / _totals.totalBorrowBase);
        }
        _totals.lastAccrualTime = uint40(block.timestamp);
    }

    function _keep(address who, int104 then) private {
        UserBasic storage one = userBasic[who];
        int104 before = one.principal;
        uint64 index = before >= 0 ? _totals.trackingSupplyIndex : _totals.trackingBorrowIndex;
        uint256 size = before >= 0 ? uint104(before) : uint104(-before);
        CometTerms.Numbers memory n = _n();
        one.baseTrackingAccrued +=
            _u64(size * (index - one.baseTrackingIndex) / n.trackingIndexScale / (n.baseScale / PER_ACCRUAL));
        one.baseTrackingIndex = then >= 0 ? _totals.trackingSupplyIndex : _totals.trackingBorrowIndex;
        one.principal = then;
    }

    function _hold(address who, AssetInfo memory one, uint128 balance) private {
        uint128 before = userCollateral[who][one.asset].balance;
        userCollateral[who][one.asset].balance = balance;
        if ((before == 0) == (balance == 0)) return;
        UserBasic storage user = userBasic[who];
        if (one.offset < ASSETS_IN_FIRST) user.assetsIn ^= uint16(1) << one.offset;
        else user._reserved ^= uint8(1) << (one.offset - ASSETS_IN_FIRST);
    }

    function _present(int104 principal) private view returns (int256) {
        if (principal >= 0) return int256(_supply(_totals.baseSupplyIndex, uint104(principal)));
        return -int256(_debt(_totals.baseBorrowIndex, uint104(-principal)));
    }

    /// A supply rounds down, a debt up: every touch may cost the account one unit.
    function _principal(int256 present) private view returns (int104) {
        if (present >= 0) return int104(_u104(uint256(present) * INDEX / _totals.baseSupplyIndex));
        uint256 index = _totals.baseBorrowIndex;
        return -int104(_u104((uint256(-present) * INDEX + index - 1) / index));
    }

    function _up(int104 before, int104 then) private pure returns (uint104 repaid, uint104 supplied) {
        if (then < before) return (0, 0);
        if (then <= 0) return (uint104(then - before), 0);
        if (before >= 0) return (0, uint104(then - before));
        return (uint104(-before), uint104(then));
    }

    function _down(int104 before, int104 then) private pure returns (uint104 withdrawn, uint104 borrowed) {
        if (then > before) return (0, 0);
        if (then >= 0) return (uint104(before - then), 0);
        if (before <= 0) return (0, uint104(before - then));
        return (uint104(before), uint104(-then));
    }

    function _pull(address token, address from, uint256 amount) private {
        _call(token, abi.encodeCall(IERC20Like.transferFrom, (from, address(this), amount)));
    }

    function _push(address token, address to, uint256 amount) private {
        _call(token, abi.encodeCall(IERC20Like.transfer, (to, amount)));
    }

    function _call(address token, bytes memory data) private {
        (bool done, bytes memory returned) = token.call(data);
        if (!done) {
            assembly {
                revert(add(returned, 32), mload(returned))
            }
        }
    }
}
