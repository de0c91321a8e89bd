// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Stands in front of a token and lies on its behalf: a fee on each transfer, a black list, calls in the middle of one.
/// The token's own code is at BEHIND; what it keeps is kept here, and what this keeps lies far from it.
contract LyingToken {
    address private constant BEHIND = address(bytes20(hex"bebebebebebebebebebebebebebebebebebebebe"));
    bytes32 private constant PLACE = keccak256("sandbox.lying.token");

    struct Lies {
        uint256 feeBps;
        uint256 balancesSlot;
        mapping(address => bool) banned;
        address target;
        bytes call;
        bool isInside;
        uint256 tries;
        uint256 successes;
        bool knowsNoPermit;
        uint256 percentWithheld;
    }

    /// Whoever receives gets so much less than was sent; the rest is nobody's.
    function lieWithFee(uint256 bps, uint256 balancesSlot) external {
        _lies().feeBps = bps;
        _lies().balancesSlot = balancesSlot;
    }

    /// Neither sends, nor receives, nor moves what is another's.
    function lieAbout(address who) external {
        _lies().banned[who] = true;
    }

    /// Called in the middle of each transfer, whatever comes of it.
    function lieByCalling(address target, bytes calldata data) external {
        (_lies().target, _lies().call) = (target, data);
    }

    /// Of an approval so many percent less are given, and of permits it knows nothing.
    function lieAboutApprovals(uint256 percent) external {
        (_lies().percentWithheld, _lies().knowsNoPermit) = (percent, true);
    }

    function lieCounts() external view returns (uint256 tries, uint256 successes) {
        return (_lies().tries, _lies().successes);
    }

    fallback() external payable {
        Lies storage lies = _lies();
        (address from, address to, uint256 amount) = _moved();
        require(!lies.banned[msg.sender] && !lies.banned[from] && !lies.banned[to], "account is blacklisted");
        if (to != address(0)) _reenter(lies);
        require(!lies.knowsNoPermit || (msg.sig != 0x7ecebe00 && msg.sig != 0xd505accf), "no permits");
        bytes memory asked = msg.data;
        if (msg.sig == 0x095ea7b3 && lies.percentWithheld != 0) {
            (address spender, uint256 given) = abi.decode(msg.data[4:], (address, uint256));
            asked = abi.encodeWithSelector(msg.sig, spender, given * (100 - lies.percentWithheld) / 100);
        }
        (bool done, bytes memory answer) = BEHIND.delegatecall(asked);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        if (to != address(0) && lies.feeBps != 0) _take(to, amount * lies.feeBps / 10_000, lies.balancesSlot);
        assembly ("memory-safe") {
            return(add(answer, 32), mload(answer))
        }
    }

    receive() external payable {}

    function _moved() private view returns (address from, address to, uint256 amount) {
        if (msg.sig == 0xa9059cbb) {
            (to, amount) = abi.decode(msg.data[4:], (address, uint256));
            from = msg.sender;
        } else if (msg.sig == 0x23b872dd) {
            (from, to, amount) = abi.decode(msg.data[4:], (address, address, uint256));
        }
    }

    function _reenter(Lies storage lies) private {
        if (lies.target == address(0) || lies.isInside) return;
        lies.isInside = true;
        (bool done,) = lies.target.call(lies.call);
        lies.isInside = false;
        lies.tries += 1;
        if (done) lies.successes += 1;
    }

    function _take(address who, uint256 fee, uint256 balancesSlot) private {
        bytes32 slot = keccak256(abi.encode(who, balancesSlot));
        assembly ("memory-safe") {
            sstore(slot, sub(sload(slot), fee))
        }
    }

    function _lies() private pure returns (Lies storage lies) {
        bytes32 place = PLACE;
        assembly ("memory-safe") {
            lies.slot := place
        }
    }
}
