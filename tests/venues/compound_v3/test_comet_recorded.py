"""Compound v3 by its recordings: debts, both limits, interest, calls; to the unit, at every account recorded."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comet_recordings import CHECKS, COMET, Seen, accounts, constants, every, market, market_in, recorded

from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Loan
from keeper.core.lending.moves import Borrow, Repay, Supply, Withdraw
from keeper.core.lending.position import LendingPosition
from keeper.core.lending.seizure import WHOLE, seized
from keeper.core.units import UINT256_MAX, USD, WAD, Amount, Wad
from keeper.venues.codec.abi import address
from keeper.venues.compound_v3.market import CometMarket
from keeper.venues.compound_v3.model import INDEX, CometModel, Totals3
from keeper.venues.effects import Borrows, Call, Pays, Takes

LEAST_ACCOUNTS = 100


def read(seen: Seen) -> LendingPosition:
    return seen.account.probe("mine", seen.block).decode(seen.answers)


def test_many_accounts_were_recorded() -> None:
    """A test of none would pass."""
    assert len(accounts()) >= LEAST_ACCOUNTS


@pytest.mark.parametrize("seen", accounts(), ids=str)
def test_both_judges_say_what_our_figures_say_at_the_index_they_use(seen: Seen) -> None:
    """What is owed was compared while reading, accrued; the judges use the index of the last accrual."""
    found = read(seen)
    model = found.model
    assert isinstance(model, CometModel)
    base = found.holding(seen.account.market.base)
    ((_, stored, *_),) = COMET.totalsBasic.decode(seen.answers[2])
    old = replace(base, borrowed=Amount(model.principal * stored // INDEX))
    figures = model.figures(tuple(old if h.asset == base.asset else h for h in found.holdings))
    assert (figures.health_factor < WAD) is bool(int.from_bytes(seen.answers[4] or b"", "big"))
    assert (figures.available_borrows >= 0) is bool(int.from_bytes(seen.answers[5] or b"", "big"))
    assert lending.proven(found) is not None


def totals(of: dict[str, Any]) -> Totals3:
    names = ("baseSupplyIndex", "baseBorrowIndex", "totalSupplyBase", "totalBorrowBase", "lastAccrualTime")
    return Totals3(*(int(of.get(name, 0)) for name in names))


def cases(formula: str) -> list[Any]:
    return [pytest.param(c["inputs"], c["expected"], id=c["where"]) for c in CHECKS["formulas"][formula]["cases"]]


@pytest.mark.parametrize(("given", "expected"), cases("utilization"))
def test_utilisation(given: dict[str, Any], expected: str) -> None:
    """By the stored indices, rounded down twice."""
    assert totals(given["totals"]).utilisation == int(expected)


@pytest.mark.parametrize(("given", "expected"), cases("borrow rate"))
def test_borrow_rate(given: dict[str, Any], expected: str) -> None:
    """Two slopes and a kink."""
    assert market(given["market"]).curve.rate(int(given["utilization"])) == int(expected)


@pytest.mark.parametrize(("given", "expected"), cases("borrowBalanceOf at a timestamp"))
def test_what_is_owed_at_a_time(given: dict[str, Any], expected: str) -> None:
    """One simple step from the last accrual, however long."""
    of = totals(given["totals"])
    index = of.borrow_index_at(int(given["now"]), market(given["market"]).curve.rate(of.utilisation))
    assert max(0, -int(given["principal"])) * index // INDEX == int(expected)


def loan(given: dict[str, Any], *, now: int | None = None) -> Loan:
    """The account of a formula check, with the stored index, or accrued."""
    of, sums = market(given["market"]), totals(given["totals"])
    rate = of.curve.rate(sums.utilisation) if now is not None else 0
    index = sums.borrow_index if now is None else sums.borrow_index_at(now, rate)
    debt = max(0, -int(given["principal"]))
    held = {address(h["asset"]): h for h in given["holdings"]}
    prices = {of.base: int(given["basePrice"]), **{a: int(h["price"]) for a, h in held.items()}}
    template = read(next(s for s in accounts() if s.account.market.comet == of.comet and len(s.account.listings) > 1))
    base, pledged = template.holding(of.base), template.holdings[1]
    terms = CHECKS["markets"][of.name]["assets"]
    holdings = [
        replace(base, borrowed=Amount(debt * index // INDEX), price=replace(base.price, answer=prices[of.base]))
    ]
    for asset, h in held.items():
        listing, x = of.listing(asset), terms[asset]
        holdings.append(
            replace(
                pledged,
                asset=asset,
                decimals=listing.decimals,
                supplied=Amount(int(h["balance"])),
                liquidation_factor=Wad(int(x["liquidateCollateralFactor"])),
                borrow_factor=Wad(int(x["borrowCollateralFactor"])),
                price=replace(pledged.price, asset=asset, answer=prices[asset]),
            )
        )
    model = CometModel(of.base, tuple((a, p, p) for a, p in prices.items()), USD, debt, index, rate)
    return Loan(tuple(holdings), model)


@pytest.mark.parametrize(("given", "expected"), cases("isLiquidatable (stored index)"))
def test_liquidation(given: dict[str, Any], expected: bool) -> None:
    """Below one, and at one not."""
    assert (lending.health_factor(loan(given)) < WAD) is expected


@pytest.mark.parametrize(("given", "expected"), cases("isBorrowCollateralized (stored index)"))
def test_the_borrow_limit(given: dict[str, Any], expected: bool) -> None:
    """The other limit: what lets collateral out."""
    account = loan(given)
    assert account.model.lets_out(lending.figures(account)) is expected


@pytest.mark.parametrize(("given", "expected"), cases("absorb passes (accrued index)"))
def test_an_absorption_accrues_first(given: dict[str, Any], expected: bool) -> None:
    """What the view denies may pass: our figures count the interest to the block."""
    account = loan(given, now=int(given["now"]))
    assert (lending.health_factor(account) < WAD) is expected


@pytest.mark.parametrize(("given", "expected"), cases("most collateral that can leave"))
def test_the_most_that_can_leave(given: dict[str, Any], expected: str) -> None:
    """To the unit, by the borrow limit; between the two limits nothing."""
    assert lending.withdrawable(loan(given), address(given["asset"]), Wad(0)) == int(expected)


@pytest.mark.parametrize(("given", "expected"), cases("lowest price without liquidation"))
def test_the_price_at_which_liquidation_begins(given: dict[str, Any], expected: str) -> None:
    """To the unit: at it nothing can be absorbed, one unit below it can."""
    account, asset = loan(given), address(given["asset"])
    at, below = (lending.at_prices(account, {asset: int(expected) - less}) for less in (0, 1))
    assert lending.health_factor(at) >= WAD > lending.health_factor(below)


@pytest.mark.parametrize(("given", "expected"), cases("most base that can be borrowed"))
def test_the_most_that_can_be_borrowed(given: dict[str, Any], expected: str) -> None:
    """Accrued first; the market rounds the new principal up, which is a unit or two at the most."""
    account, base = loan(given, now=int(given["now"])), market(given["market"]).base
    most = int(expected)

    def lets(more: int) -> bool:
        return account.model.lets_out(lending.figures(lending.after(account, base, debt=more)))

    assert lets(most)
    assert not lets(most + 3)


@pytest.mark.parametrize(("given", "expected"), cases("absorb: usd values, base paid out"))
def test_a_liquidation_costs_the_discount_of_all_collateral(given: dict[str, Any], expected: Any) -> None:
    """What stays as a supply is what the market credited beyond the debt, to a cent; nothing else is left."""
    account, of = loan(given, now=int(given["now"])), market(given["market"])
    terms = CHECKS["markets"][of.name]["assets"]
    keeps = tuple((address(a), Wad(WAD - int(x["liquidationFactor"]))) for a, x in terms.items())
    taken = seized(account, replace(WHOLE, discounts=keeps))
    base, before = taken.after.of(of.base), account.of(of.base)
    assert taken.count == 1
    assert not any(h.supplied for h in taken.after.holdings if h.asset != of.base)
    assert not base.borrowed
    paid_out = int(expected[1])
    credited = base.supplied + (before.borrowed if base.supplied else min(before.borrowed, paid_out))
    assert abs(credited - paid_out) <= before.unit // 100
    worth = sum(int(v) for v in expected[0])
    assert abs(taken.loss - max(0, worth - int(expected[2]))) <= USD // 50 or not base.supplied


def recorded_calls() -> list[Any]:
    wanted = ("supplyTo(address,address,uint256)", "withdrawTo(address,address,uint256)")
    steps = every("tx", "call", "call_revert")
    found = [(n, s) for n, s in steps if s.get("signature") in wanted and s.get("decoded_call") and constants(n)]
    return [pytest.param(name, step, id=f"{name}#{step['i']}") for name, step in found]


@pytest.mark.parametrize(("name", "step"), recorded_calls())
def test_a_call_is_encoded_and_read_as_it_was_made(name: str, step: dict[str, Any]) -> None:
    """Byte for byte, and what it does by a reader of its own."""
    of: CometMarket = market_in(name)
    if address(step["to"]) != of.comet:
        return
    to, asset, amount = (step["decoded_call"]["args"][k] for k in _names(step))
    owner, asset, amount = address(to), address(asset), int(amount)
    position = replace(read(accounts()[0]), owner=owner)
    is_base, is_supply = asset == of.base, step["signature"].startswith("supplyTo")
    move: Any = Supply(asset, Amount(amount)) if is_supply else Withdraw(asset, Amount(amount))
    if is_base:
        repay = Repay(asset, Amount(1 if amount == UINT256_MAX else amount), is_all=amount == UINT256_MAX)
        move = repay if is_supply else Borrow(asset, Amount(amount))
    call = of.encode(move, position, owner)
    assert call.data.hex() == step["calldata"].removeprefix("0x")
    if amount == UINT256_MAX and not is_base:  # the market refuses it too
        with pytest.raises(ValueError, match="all of a collateral"):
            of.decoders()[of.comet](call)
        return
    paid = None if amount == UINT256_MAX else amount
    taken = Borrows(asset, amount, owner) if is_base else Takes(asset, amount, owner)
    wanted = Pays(asset, paid, owner, of.comet) if is_supply else taken
    assert of.decoders()[of.comet](Call(call.to, call.data, call.value, "")) == (wanted,)


def _names(step: dict[str, Any]) -> tuple[str, ...]:
    return ("dst" if step["signature"].startswith("supplyTo") else "to", "asset", "amount")


def test_the_shipped_markets_are_those_of_the_repository() -> None:
    """Each under its chain; a market with prices in ether says so."""
    known = {(m["chain_id"], m["comet"]): m for m in recorded("addresses")["markets"]}
    shipped = 0
    for file in (Path(__file__).parents[3] / "config/networks").glob("*.toml"):
        network = tomllib.loads(file.read_text())
        for name, table in network.get("markets", {}).items():
            if table["venue"] == "compound_v3":
                of = known[network["chain_id"], table["comet"]]
                assert name == f"compound-{of['market'].replace('.', '-')}"
                assert table.get("money") == (network["wrapped_native"] if of["market"] == "weth" else None)
                shipped += 1
    assert shipped > 10


def test_nothing_leaves_between_the_two_limits() -> None:
    """Debt above the borrow limit and below liquidation: not one unit, whatever floor a plan may have."""
    seen = next(s for s in accounts() if int.from_bytes(s.answers[3] or b"", "big") and len(s.account.listings) > 1)
    found = read(seen)
    account, collateral = lending.account_of(found), found.holdings[1]
    figures = lending.figures(account)
    # a price at which health is a little above one
    fall = WAD * 10_000 // (figures.health_factor * 10_000 // WAD) + WAD // 200
    low = {h.asset: h.price.answer * fall // WAD for h in found.holdings[1:]}
    then = lending.at_prices(account, low)
    assert lending.health_factor(then) >= WAD
    assert not then.model.lets_out(lending.figures(then))
    assert lending.withdrawable(then, collateral.asset, Wad(0)) == 0
