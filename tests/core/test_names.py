"""Assets by name: an address is one asset, a symbol may be several."""

from __future__ import annotations

from dataclasses import replace

from core_builders import at, below, holding, position, rule, usd

from keeper.core import names
from keeper.core.lending.kind import LENDING
from keeper.core.lending.metrics import PRICE
from keeper.core.lending.rules import Verdict
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged, assess
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Address

BRIDGED, NATIVE = holding("USDC", 0, 9_000), holding("DAI", 0, 100)


def two_of_a_name() -> tuple[str, str]:
    return str(BRIDGED.reserve.asset), str(NATIVE.reserve.asset)


def of_two() -> LendingPosition:
    """A position with two debts that both call themselves USDC."""
    called = [
        replace(h, reserve=replace(h.reserve, symbol=names.apart("USDC", h.reserve.asset))) for h in (BRIDGED, NATIVE)
    ]
    return position(holding("WETH", 10), *called)


def measured(asset: str) -> Verdict:
    watched = rule(trigger=below(PRICE, usd("0.9"), asset))
    found = assess(LENDING, of_two(), (watched,), ())
    assert not isinstance(found, Unjudged)
    return found.verdicts[0]


def test_an_address_is_accepted_wherever_a_symbol_is() -> None:
    """In any letter case; of two assets of a symbol it means the one."""
    one, other = two_of_a_name()
    for given in (one, one.lower(), other.upper().replace("0X", "0x")):
        assert measured(given).measured == usd(1)
        assert measured(given).doubt is None


def test_a_symbol_of_two_assets_is_never_silently_undecidable() -> None:
    """Both addresses are told."""
    found = measured("usdc")
    assert found.measured is None
    assert found.doubt
    assert found.doubt.reason is Reason.RULE_UNDECIDABLE
    assert all(address in found.doubt.detail for address in two_of_a_name())


def test_a_symbol_of_one_asset_is_enough() -> None:
    """Most are."""
    assert measured("weth").measured == usd(2000)


def test_names_that_mean_several_are_told_with_where_they_stand() -> None:
    """The place, every address, the remedy; a name that means one, or nothing, is not."""
    listed = list(of_two().holdings)
    (fault,) = names.unclear({"rule 'x': when.asset": "UsdC", "elsewhere": "WETH", "there": "XYZ"}, listed)
    assert fault.startswith("rule 'x': when.asset: 'UsdC' is the symbol of 2 assets here")
    assert all(address in fault for address in two_of_a_name())
    assert "write the address" in fault
    assert names.unclear({"rule": two_of_a_name()[0]}, listed) == []


def test_assets_of_one_symbol_are_told_apart_by_their_addresses() -> None:
    """A name and its symbol."""
    name = names.apart("USDC", Address(at("USDC")))
    assert name == f"USDC ({at('USDC')})"
    assert names.plain(name) == "USDC"
    assert names.plain("Curve (3pool)") == "Curve (3pool)"
