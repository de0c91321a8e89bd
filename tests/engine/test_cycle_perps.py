"""The same story for perpetual positions and books, without a chain."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from core_builders import BLOCK, OWNER, limits, loop, rule, units
from paper import Others, Paper, PaperPerpAccount, engine_on, next_block
from perp_builders import BOOK, hedge_rule, perp_rule, short

from keeper.core.book.actions import ADD_MARGIN, HEDGE
from keeper.core.book.rules import BookIntent
from keeper.core.decide import Hold
from keeper.core.family import Family
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.metrics import closed
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpIntent
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import Otherwise, Unreadable, Wallet
from keeper.core.units import Address, Amount, Wei
from keeper.engine.cycle import cycle
from keeper.venues.codec.abi import address
from keeper.venues.effects import Pays, Takes

USDC = address("0x" + "cc" * 20)


def sold(size: str = "3", price: str = "2000", margin: str = "1000") -> PerpPosition:
    """A short of the owner's, in a market and a collateral as a chain would name them."""
    position = replace(short(size, price, margin), owner=OWNER, collateral=USDC)
    return replace(position, legs=tuple(replace(leg, market=address(leg.market)) for leg in position.legs))


SQUEEZED, CALM = sold(price="2250"), sold(price="1900")


def dollars(whole: str = "5000", native: int = 10**18) -> Wallet:
    return Wallet(OWNER, Wei(native), {SQUEEZED.collateral: Amount(units("USDC", whole))})


def paper(position: PerpPosition | Unreadable, **changes: object) -> Paper:
    return Paper({"short": position}, dollars(), **changes)  # type: ignore[arg-type]


async def test_a_calm_perpetual_costs_one_read() -> None:
    """Nothing is quoted, nothing rehearsed."""
    on = paper(CALM)
    (result,) = await cycle(engine_on(on, perp_rules=(perp_rule(),)), BLOCK)
    assert result.is_healthy
    assert on.asked == ["snapshot"]


async def test_a_squeezed_perpetual_gets_a_rehearsed_plan() -> None:
    """Through the real encoder and the one gate; written down, in dry run rehearsed."""
    on = paper(SQUEEZED)
    engine = engine_on(on, perp_rules=(perp_rule(),))
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, PerpIntent)
    assert len(on.rehearsed) == 1
    (row,) = engine.journal.rows
    assert (row.position, row.rule, row.kind) == ("short", "margin", "act")
    assert engine.journal.outcomes[1][0] == "rehearsed"


async def test_a_plan_that_reverts_gives_way_to_the_next() -> None:
    """As it does for a loan."""
    on = paper(SQUEEZED)
    on.reverts = lambda calls: "the vault is paused" if len(on.rehearsed) == 1 else None
    (result,) = await cycle(engine_on(on, perp_rules=(perp_rule(),)), BLOCK)
    assert result.prepared is not None
    ((_, refused),) = result.prepared.refused
    assert refused.reason is Reason.REHEARSAL_FAILED


async def test_a_promise_that_is_not_kept_is_a_refusal() -> None:
    """A rehearsal that leaves the margin where it was helps nobody."""
    on = paper(SQUEEZED, perp_after=lambda p, _: p)
    (result,) = await cycle(engine_on(on, perp_rules=(perp_rule(),)), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.POSTCONDITION_FAILED


async def test_what_cannot_be_read_is_never_healthy() -> None:
    """Whatever kind the settings say it is."""
    on = paper(CALM)
    engine = engine_on(on, perp_rules=(perp_rule(),))
    on.positions["short"] = Unreadable("short", OWNER, Doubt(Reason.POSITION_UNREADABLE, "no answer"))
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.POSITION_UNREADABLE
    assert result.family is Family.PERP


async def test_figures_that_are_not_the_venues_bind_our_hands() -> None:
    """Ours and its own must be equal before anything is done."""
    wrong = replace(SQUEEZED, reported=replace(SQUEEZED.reported, equity=SQUEEZED.reported.equity + 1))
    (result,) = await cycle(engine_on(paper(wrong), perp_rules=(perp_rule(),)), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.FIGURES_DISAGREE


async def test_another_nodes_figures_stop_the_money_of_a_perpetual_too() -> None:
    """What lending had alone: the figures that decide are confirmed by every node before a plan is tried."""
    on = paper(SQUEEZED, others_differ=True)
    (result,) = await cycle(engine_on(on, perp_rules=(perp_rule(),), others=Others()), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.NODES_DISAGREE
    assert on.rehearsed == []


async def test_what_all_confirm_must_be_what_the_plan_was_made_from() -> None:
    """A node that gave another answer once, and agrees with the others now, moves no money."""
    on = paper(SQUEEZED, confirmed_as=CALM)
    (result,) = await cycle(engine_on(on, perp_rules=(perp_rule(),), others=Others()), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.NODES_DISAGREE
    assert on.rehearsed == []
    (same,) = await cycle(engine_on(paper(SQUEEZED), perp_rules=(perp_rule(),), others=Others()), BLOCK)
    assert same.prepared is not None


async def test_where_nodes_are_known_to_differ_the_worse_figure_binds() -> None:
    """Margin can be added for either; nothing is traded."""
    on = paper(CALM)
    on.otherwise = {"short": Otherwise(SQUEEZED, "two says less")}
    (result,) = await cycle(engine_on(on, perp_rules=(perp_rule(),), others=Others()), BLOCK)
    assert result.prepared is not None
    assert [type(step.move).__name__ for step in result.prepared.plan.steps] == ["AddMargin"]
    reduce_ = perp_rule(actions=(perp_actions.REDUCE,))
    (held,) = await cycle(engine_on(on, perp_rules=(reduce_,), others=Others()), BLOCK)
    assert isinstance(held.decision, Hold)


async def test_a_wallet_without_gas_money_is_told_for_a_perpetual_too() -> None:
    """What lending had alone: what it holds, and what the plan takes."""
    on = Paper({"short": SQUEEZED}, dollars(native=10**12))
    (result,) = await cycle(engine_on(on, perp_rules=(perp_rule(),)), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.NO_GAS_MONEY
    assert "holds" in result.decision.detail


async def test_a_stop_closes_whatever_the_margin() -> None:
    """The whole leg, bounded in its price."""
    stop = perp_rule(perp_metrics.STOP_LOSS, "2200", closed(), (perp_actions.CLOSE,))
    (result,) = await cycle(engine_on(paper(SQUEEZED), perp_rules=(stop,)), BLOCK)
    assert isinstance(result.decision, PerpIntent)
    assert result.prepared is not None
    (step,) = result.prepared.plan.steps
    assert step.move.is_close


async def test_an_alert_hides_nothing_and_plans_nothing() -> None:
    """It stands beside the plan of the other rule."""
    alert = perp_rule(name="watch", to=None, actions=())
    (result,) = await cycle(engine_on(paper(SQUEEZED), perp_rules=(alert, perp_rule())), BLOCK)
    assert result.prepared is not None
    assert [hold.reason for hold in result.others] == [Reason.ALERT_ONLY]


async def test_the_same_hold_is_written_once() -> None:
    """A quiet month does not fill the journal."""
    engine = engine_on(paper(SQUEEZED, reverts=lambda calls: "no"), perp_rules=(perp_rule(),))
    await cycle(engine, BLOCK)
    await cycle(engine, next_block())
    assert len(engine.journal.rows) == 1


async def test_a_trailing_stop_remembers_the_best_price_from_block_to_block() -> None:
    """It fires by the fall since, not by where the price is."""
    trail = perp_rule(perp_metrics.TRAILING_STOP, "0.05", closed(), (perp_actions.CLOSE,))
    on = paper(CALM)
    engine = engine_on(on, perp_rules=(trail,))
    (first,) = await cycle(engine, BLOCK)
    assert first.is_healthy
    on.positions["short"] = sold(price="2000")
    (second,) = await cycle(engine, next_block())
    assert isinstance(second.decision, PerpIntent)


def outside(on: Paper, name: str, cut_at: int) -> dict[Address, int]:
    """What lies outside account and wallet once the first calls of the last rehearsal were mined, and no more."""
    calls, _ = on.rehearsed[-1]
    decoders, left = PaperPerpAccount(on, name).decoders(on.perp(name)), Counter[Address]()
    for call in calls[:cut_at]:
        for effect in decoders[call.to](call):
            match effect:
                case Takes(asset, amount):
                    left[asset] += amount or 2**255
                case Pays(asset, amount):
                    left[asset] -= amount or 0
                case _:
                    pass
    return {asset: amount for asset, amount in left.items() if amount > 0}


async def test_a_plan_cut_short_after_any_call_leaves_nothing_outside() -> None:
    """What a loan's plan takes out is brought back after a kill; what a perpetual's moves is never on its way.

    Margin goes from the wallet into the account in one call, and the trade comes after it: whatever is mined of a plan,
    all there is lies in the account or in the wallet. So there is nothing to bring back, and what is missing to the
    target is carried on to (``core/carry_on``).
    """
    alone = Paper({"short": SQUEEZED}, dollars("5000"))
    await cycle(engine_on(alone, perp_rules=(perp_rule(actions=(perp_actions.ADD_MARGIN,)),)), BLOCK)
    hedging = book_paper(sold("3", margin="1500"))
    adds = hedge_rule(limits=limits(150), actions=(HEDGE, ADD_MARGIN))
    await cycle(engine_on(hedging, books=(BOOK,), book_rules=(adds,)), BLOCK)
    for on, made in ((alone, 1), (hedging, 2)):
        calls, _ = on.rehearsed[-1]
        assert len(calls) == made, "paid in, and for the book traded"
        assert [outside(on, "short", cut) for cut in range(made + 1)] == [{}] * (made + 1)


# --- books -----------------------------------------------------------------------------------------------------------


def book_paper(hedge: PerpPosition) -> Paper:
    wallet = dollars("20000")
    return Paper({"loop": loop(), "short": hedge}, wallet)


async def test_a_book_outside_its_band_trades_its_hedge() -> None:
    """Ten ether supplied, three sold short: seven more are sold, within the limits."""
    hedge = sold("3", margin="30000")
    engine = engine_on(book_paper(hedge), books=(BOOK,), book_rules=(hedge_rule(limits=limits(150)),))
    results = await cycle(engine, BLOCK)
    assert [result.name for result in results] == ["loop", "short", "eth"]
    book = results[-1]
    assert isinstance(book.decision, BookIntent), book.decision
    assert book.prepared is not None
    assert book.family is Family.BOOK


async def test_a_hedge_waits_until_every_node_has_the_same_figures_of_every_member() -> None:
    """A book's delta is its members': where another node says otherwise of the loan, no hedge is traded for it."""
    on = book_paper(sold("3", margin="30000"))
    parts = {"books": (BOOK,), "book_rules": (hedge_rule(limits=limits(150)),)}
    *_, book = await cycle(engine_on(on, others=Others(confirms=False), **parts), BLOCK)
    assert isinstance(book.decision, Hold)
    assert book.decision.reason is Reason.NODES_DISAGREE
    assert "loop" in book.decision.detail
    assert on.rehearsed == []
    *_, same = await cycle(engine_on(on, others=Others(), **parts), BLOCK)
    assert same.prepared is not None


async def test_a_book_within_its_band_rests() -> None:
    """And costs no read of its own."""
    hedge = sold("10", margin="30000")
    on = book_paper(hedge)
    engine = engine_on(on, books=(BOOK,), book_rules=(hedge_rule(),))
    results = await cycle(engine, BLOCK)
    assert all(result.is_healthy for result in results)
    assert on.asked == ["snapshot"]


async def test_a_book_that_leaves_somebody_out_does_nothing() -> None:
    """A delta without one of its positions is no delta."""
    hedge = sold("3", margin="30000")
    on = book_paper(hedge)
    engine = engine_on(on, books=(BOOK,), book_rules=(hedge_rule(),))
    on.positions["loop"] = Unreadable("loop", OWNER, Doubt(Reason.POSITION_UNREADABLE, "no answer"))
    results = await cycle(engine, BLOCK)
    assert isinstance(results[-1].decision, Hold)
    assert not results[-1].is_healthy
    assert on.rehearsed == []


async def test_all_kinds_are_kept_in_one_block() -> None:
    """A loan, a perpetual and their book, each in its wave, one snapshot for all."""
    on = Paper({"loop": loop(), "short": SQUEEZED}, dollars("20000"))
    engine = engine_on(on, rule(), perp_rules=(perp_rule(),), books=(BOOK,), book_rules=(hedge_rule(),))
    lent, perp, book = await cycle(engine, BLOCK)
    assert [r.family for r in (lent, perp, book)] == list(Family)
    assert on.asked.count("snapshot") == 1
