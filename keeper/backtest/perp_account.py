"""The paper venue of a perpetual position: its calls say in plain text what they do, and are read back apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from keeper.backtest.paper_calls import MULTICALL, POOL, encoded, said, written
from keeper.backtest.perp_scene import EXECUTION_GAS, WOULD_FILL, PerpScene
from keeper.backtest.perp_standing import quoted
from keeper.core.occurrences import Occurrence
from keeper.core.perp.moves import (
    AddMargin,
    AllowMargin,
    CancelOrder,
    PerpMove,
    PlaceOrder,
    Trade,
    TradeQuote,
    UpdateOrder,
)
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei, mul_div_up
from keeper.venues.contracts.effects import token_decoders
from keeper.venues.contracts.erc20 import encode_approve
from keeper.venues.effects import Call, Cancels, Carries, Changes, Closes, Decoder, Effect, Orders, Pays
from keeper.venues.ports import AT_ONCE, Answer, ByKeepers, OrderTrial, Probe, Read, Settles


@dataclass(frozen=True, slots=True)
class PaperPerpAccount:
    """The owner's account at the venue."""

    scene: PerpScene
    order_book: None = None
    can_try: bool = True

    @property
    def settles(self) -> Settles:
        """At once, or by keepers some blocks later, as the venue does it."""
        wait = self.scene.standing.contract.rules.cancel_after_s
        return AT_ONCE if wait is None else ByKeepers(wait)

    @property
    def collateral(self) -> Address:
        """The token margin is paid in."""
        return self.scene.standing.contract.collateral

    @property
    def spender(self) -> Address:
        """Who takes it."""
        return POOL

    @property
    def chronicle(self) -> PaperPerpAccount:
        """Nothing is logged on paper."""
        return self

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Nothing."""
        return ()

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Nothing."""
        return ()

    def witness(self, position: PerpPosition) -> tuple[Read, bytes] | None:
        """There is one node."""
        return None

    def priced_at(self, there: PerpPosition, here: PerpPosition) -> None:
        """No plan is made ready beforehand."""

    def plain_feeds(self) -> Mapping[Address, Address]:
        """No feed says anything."""
        return {}

    def probe(self, name: str, block: BlockRef) -> Probe[PerpPosition]:
        """Return the probe of the account: as it stands, or as a rehearsal left it."""

        def decode(answers: Sequence[Answer]) -> PerpPosition:
            told = answers[0]
            return self.scene.position(self.scene.known[int.from_bytes(told)] if told else None)

        return Probe((Read(MULTICALL, name.encode()),), decode)

    def quote_probe(self, position: PerpPosition, market: Address, size_change: int) -> Probe[TradeQuote | None]:
        """Return what a trade would give at the market of now."""
        return Probe((), lambda _: quoted(self.scene.seen(), size_change, self.scene.market_price))

    def execution_fee(self, gas_price: Wei) -> Wei:
        """Return what an order has with it for the venue's keepers."""
        return Wei(EXECUTION_GAS * gas_price if self.scene.standing.contract.fills_later else 0)

    def least_gas(self, move: PerpMove) -> int:
        """Return zero."""
        return 0

    def as_if_executed(self, calls: Sequence[Call], timestamp: int, keys: Sequence[str]) -> OrderTrial | None:
        """Return the calls, and the carrying out of the order that the last of them leaves to be filled."""
        if not keys or not any(effect for effect in _read(calls[-1]) if effect in ("margin", "close")):
            return None
        tried = encoded(POOL, "try the order", do="try", order=keys[-1], asset=self.collateral)
        return OrderTrial((*calls, tried), WOULD_FILL)

    def encode(self, position: PerpPosition, move: PerpMove, signer: Address, deadline: int, gas_price: Wei) -> Call:
        """Return the call of one move. Raises ValueError for what the venue does not have."""
        of, owner = self.scene.standing.contract, position.owner
        fee = self.execution_fee(gas_price)
        if signer != owner and not isinstance(move, AllowMargin | AddMargin):
            raise ValueError("only the owner of a position can trade")
        match move:
            case AllowMargin(asset, amount):
                return encode_approve(asset, of.collateral_symbol, POOL, amount, "the venue")
            case AddMargin(_, _, asset, amount):
                what = f"add {of.collateral_symbol} margin"
                return _paying(fee, what, do="margin", asset=asset, amount=written(amount), to=owner)
            case Trade() if not move.is_increase and not move.margin:
                size = None if move.is_close else abs(move.size_change)
                return _paying(
                    fee, f"close {of.symbol}", do="close", asset=move.market, amount=written(size),
                    worst=str(move.worst_price), long=move.is_long, deadline=deadline,
                )  # fmt: skip
            case PlaceOrder() if of.fills_later:
                return _paying(
                    fee, f"order: {move.kind.value}", do="order", asset=move.market, amount=str(move.size_usd),
                    long=move.is_long, trigger=str(move.trigger_price), worst=str(move.acceptable_price),
                )  # fmt: skip
            case UpdateOrder() if of.fills_later:
                return encoded(
                    POOL, "order: changed", do="change", asset=of.asset, amount=str(move.size_usd), order=move.key,
                    trigger=str(move.trigger_price), worst=str(move.acceptable_price),
                )  # fmt: skip
            case CancelOrder(key) if of.fills_later:
                return encoded(POOL, "order: taken back", do="cancel", asset=of.asset, order=key)
            case _:
                raise ValueError(f"on paper there is no {type(move).__name__}")

    def decoders(self, position: PerpPosition) -> Mapping[Address, Decoder]:
        """Return the collateral and the venue, and what calls to each do."""
        (leg,) = position.legs
        return {**token_decoders([self.collateral], [POOL]), POOL: lambda call: _effects(call, leg)}


def _paying(fee: Wei, purpose: str, **what: object) -> Call:
    """Return a call that has with it what the venue's keepers are paid."""
    return replace(encoded(POOL, purpose, **what, fee=str(fee)), value=fee)


def _read(call: Call) -> tuple[str, ...]:
    try:
        return (str(said(call)[0]["do"]),)
    except ValueError:
        return ()


def _effects(call: Call, leg: PerpLeg) -> tuple[Effect, ...]:
    found, asset, amount = said(call)
    fee = int(found.get("fee", 0))
    carried = (Carries(fee),) if fee else ()
    match found["do"], amount:
        case "margin", int():
            return *carried, Pays(asset, amount, Address(found["to"]), POOL)
        case "close", _:
            worst = int(found["worst"])
            return *carried, Closes(asset, bool(found["long"]), amount, worst, deadline=int(found["deadline"]))
        case "order", int():
            prices = int(found["trigger"]), int(found["worst"])
            size = None if amount >= leg.entry_notional else _size(amount, leg)
            return *carried, Orders(asset, bool(found["long"]), size, *prices, opens=False, goes_with_position=True)
        case "change", int():
            prices = int(found["trigger"]), int(found["worst"])
            return (Changes(str(found["order"]), _size(amount, leg), *prices, goes_with_position=True),)
        case "cancel", None:
            return (Cancels(str(found["order"])),)
        case _:
            raise ValueError(f"{call.purpose}: no call of a keeper's")


def _size(dollars: int, leg: PerpLeg) -> int:
    """Return dollars of the opening as the size they close, rounded up."""
    return min(abs(leg.size), mul_div_up(abs(leg.size), dollars, leg.entry_notional))
