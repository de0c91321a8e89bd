"""Doctor adds up what rescues count on: each was rehearsed alone, and the same money can be spent once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from keeper.cli.doctor_findings import Level
from keeper.cli.doctor_shared import examine_shared
from keeper.core.drills import Drill, Drilled, DrillEnding, WalletDraw, from_plain, plain
from keeper.core.snapshot import Wallet
from keeper.core.units import Address, Amount, Wei

HOT, COLD = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
USDC, WETH = Address("0x" + "aa" * 20), Address("0x" + "bb" * 20)
LISTINGS = {USDC: SimpleNamespace(symbol="USDC", decimals=6), WETH: SimpleNamespace(symbol="WETH", decimals=18)}
ENGINE: Any = SimpleNamespace(reader=SimpleNamespace(known=SimpleNamespace(listings=LISTINGS)))
SNAPSHOT: Any = SimpleNamespace(
    wallets={who: Wallet(who, Wei(10**18), {USDC: Amount(10_000 * 10**6), WETH: Amount(10**18)}) for who in (HOT, COLD)}
)


def drilled(position: str, rule: str, dollars: int, payer: Address = HOT, asset: Address = USDC) -> Drilled:
    takes = (WalletDraw(payer, asset, dollars * 10 ** LISTINGS[asset].decimals),)
    return Drilled(position, rule, DrillEnding.WORKS, "WETH at 1,500", plan="repay", takes=takes)


def test_rescues_that_share_money_are_named_with_what_they_could_need_and_what_there_is() -> None:
    """A warning, with how much to send."""
    (found,) = examine_shared(ENGINE, SNAPSHOT, [drilled("eth-loop", "a", 6_000), drilled("blue", "b", 7_500)])
    assert found.level is Level.WARNING
    assert "2 rescues (eth-loop, blue) share the USDC of " + HOT in found.text
    assert "together they could need 13500.000000 USDC, there is 10000.000000 USDC" in found.text
    assert found.remedy.startswith("send it 3500.000000 USDC more")


@pytest.mark.parametrize(
    "of",
    [
        [],
        [drilled("eth-loop", "a", 9_000)],
        [drilled("eth-loop", "a", 4_000), drilled("blue", "b", 6_000)],
        [drilled("eth-loop", "a", 9_000), drilled("blue", "b", 9_000, payer=COLD)],
        [drilled("eth-loop", "a", 9_000), drilled("blue", "b", 1, asset=WETH)],
        [drilled("eth-loop", "a", 9_000), drilled("eth-loop", "b", 9_000)],
    ],
    ids=["none", "one", "enough for both", "another wallet", "another asset", "two rules of one position"],
)
def test_where_there_is_enough_nothing_is_said(of: list[Drilled]) -> None:
    """Of one position one plan is carried out at a time."""
    assert list(examine_shared(ENGINE, SNAPSHOT, of)) == []


def test_what_a_plan_takes_is_kept_with_its_drill() -> None:
    """Amounts beyond what JSON counts are text there; a drill of an older version is read as well."""
    drill = Drill(1, 2, (drilled("eth-loop", "a", 10**30),))
    assert from_plain(plain(drill)) == drill
    older = plain(drill)
    for key in ("takes", "has_signer"):
        del older["rules"][0][key]
    assert from_plain(older) is not None
