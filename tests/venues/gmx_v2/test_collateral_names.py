"""Which token of a market a position's collateral is: by address, or by a symbol that only one of them has."""

from __future__ import annotations

import pytest

from keeper.core.units import Address
from keeper.venues.gmx_v2.find import collateral_of
from keeper.venues.gmx_v2.markets import Token
from keeper.venues.ports import ReadFailedError

FEED = Address("0x" + "f" * 40)
NATIVE, BRIDGED = Address("0x" + "1" * 40), Address("0x" + "2" * 40)


def token(address: Address, symbol: str) -> Token:
    return Token(address, symbol, 6, FEED, 1, 3600)


def test_a_symbol_of_one_token_or_an_address_is_enough() -> None:
    """Letter case aside."""
    tokens = (token(BRIDGED, "WETH"), token(NATIVE, "USDC"))
    assert collateral_of("usdc", tokens) == NATIVE
    assert collateral_of(BRIDGED.upper().replace("0X", "0x"), tokens) == BRIDGED


def test_a_symbol_of_both_tokens_is_refused_with_both_addresses() -> None:
    """Native and bridged dollars: nobody guesses."""
    tokens = (token(BRIDGED, "USDC"), token(NATIVE, "USDC"))
    with pytest.raises(ReadFailedError) as refused:
        collateral_of("USDC", tokens)
    assert all(address in refused.value.doubt.detail for address in (NATIVE, BRIDGED))
    assert "write the address" in refused.value.doubt.detail
    assert collateral_of(NATIVE, tokens) == NATIVE


def test_the_one_token_of_a_market_of_one_is_no_ambiguity() -> None:
    """Long and short side the same."""
    assert collateral_of("WETH", (token(NATIVE, "WETH"), token(NATIVE, "WETH"))) == NATIVE


def test_what_the_market_does_not_take_is_named_with_what_it_takes() -> None:
    """The remedy."""
    with pytest.raises(ReadFailedError) as refused:
        collateral_of("DAI", (token(BRIDGED, "WETH"), token(NATIVE, "USDC")))
    assert "it takes WETH or USDC" in refused.value.doubt.detail
