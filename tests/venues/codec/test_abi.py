"""Calldata in its plain form only, answers in their own shape only, and reverts in words."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.core.reasons import Reason
from keeper.core.units import Address
from keeper.venues.codec.abi import load, revert_reason
from keeper.venues.ports import ReadFailedError

OWNER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
ERC20 = load("erc20")


def error(signature: str, types: tuple[str, ...] = (), *args: object) -> bytes:
    return keccak(text=signature)[:4] + encode(types, args)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (error("Error(string)", ("string",), "too little"), "too little"),
        (error("Error(string)", ("string",), "35"), "HEALTH_FACTOR_LOWER_THAN_LIQUIDATION_THRESHOLD"),
        (error("Error(string)", ("string",), "36"), "COLLATERAL_CANNOT_COVER_NEW_BORROW"),
        (error("Error(string)", ("string",), "29"), "RESERVE_PAUSED"),
        (error("Error(string)", ("string",), "999999"), "999999"),
        (error("HealthFactorLowerThanLiquidationThreshold()"), "HealthFactorLowerThanLiquidationThreshold"),
        (error("ReservePaused()"), "ReservePaused"),
        (error("NoExplicitAmountToRepayOnBehalf()"), "NoExplicitAmountToRepayOnBehalf"),
        (error("Panic(uint256)", ("uint256",), 0x11), "panic 0x11"),
        (b"", "reverted without a reason"),
        (error("NobodyKnowsThis()"), "unknown error 0x" + keccak(text="NobodyKnowsThis()")[:4].hex()),
        (b"\x01", "unknown error 0x01"),
    ],
)
def test_a_revert_is_told_in_words(data: bytes, words: str) -> None:
    """Strings, Aave's numbers of 3.0 and its custom errors of 3.6, panics; else the bytes themselves."""
    assert revert_reason(data) == words


@pytest.mark.parametrize("payload", [b"", b"\xff" * 31, b"\xff" * 64, (2**255).to_bytes(32, "big")])
@pytest.mark.parametrize("selector", ["Error(string)", "Panic(uint256)"])
def test_a_reason_that_cannot_be_decoded_is_shown_as_bytes(selector: str, payload: bytes) -> None:
    """Never a traceback while explaining a failure."""
    assert revert_reason(keccak(text=selector)[:4] + payload)


def test_an_unknown_error_of_great_length_is_cut() -> None:
    """A log line is no dump."""
    assert len(revert_reason(b"\x12\x34\x56\x78" + b"\xab" * 10_000)) < 120


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("supply", "supply(address,uint256,address,uint16)"),
        ("repay", "repay(address,uint256,uint256,address)"),
        ("getUserAccountData", "getUserAccountData(address)"),
    ],
)
def test_selectors_are_those_of_the_contracts(name: str, signature: str) -> None:
    """From the ABI files, told by their signatures."""
    assert getattr(load("aave_v3_pool"), name).selector == keccak(text=signature)[:4]


def test_a_tuple_is_part_of_the_signature() -> None:
    """exactOutput takes a struct."""
    router = load("uniswap_v3_swap_router_02")
    assert router.exactOutput.selector == keccak(text="exactOutput((bytes,address,uint256,uint256))")[:4]
    assert router.multicall.selector == keccak(text="multicall(uint256,bytes[])")[:4]


def test_a_function_that_is_not_in_the_file_is_an_error() -> None:
    """Not a silent None."""
    with pytest.raises(AttributeError):
        _ = ERC20.selfDestruct


@pytest.mark.parametrize("answer", [None, b"", b"\x01", b"\x00" * 31])
def test_an_answer_of_another_shape_is_a_failed_read(answer: bytes | None) -> None:
    """Never zero; the doubt names the function."""
    with pytest.raises(ReadFailedError) as failed:
        ERC20.balanceOf.decode(answer)
    assert failed.value.doubt.reason is Reason.POSITION_UNREADABLE
    assert "balanceOf" in failed.value.doubt.detail
    assert ERC20.balanceOf.decode_or_none(answer) is None


def test_calldata_decodes_to_what_was_encoded() -> None:
    """Arguments for arguments."""
    data = ERC20.approve.encode(OWNER, 5)
    assert ERC20.approve.decode_inputs(data) == (OWNER.lower(), 5)


@pytest.mark.parametrize("spoil", [lambda d: d + b"\0", lambda d: d[:-1], lambda d: b"\0" * 4 + d[4:], lambda d: b""])
def test_calldata_that_is_not_plain_is_refused(spoil: object) -> None:
    """Bytes behind it, cut short, another function, nothing."""
    data = spoil(ERC20.approve.encode(OWNER, 5))  # type: ignore[operator]
    with pytest.raises(ValueError, match="approve"):
        ERC20.approve.decode_inputs(data)


def test_dirty_bits_above_an_address_are_refused() -> None:
    """They would make two calldata of one meaning."""
    data = bytearray(ERC20.approve.encode(OWNER, 5))
    data[4] = 1
    with pytest.raises(ValueError, match="approve"):
        ERC20.approve.decode_inputs(bytes(data))
