"""Rules about perpetual positions and books: what is refused, with the field and the remedy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keeper.core.book.actions import HEDGE as HEDGES
from keeper.core.book.metrics import DELTA
from keeper.core.metrics import Subject, Target, Trigger
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.metrics import closed
from keeper.core.scales import Beyond
from keeper.core.units import USD, WAD
from keeper.settings import Settings

Faults = Callable[..., list[str]]
Load = Callable[..., Settings]

PERPS = """
[[positions]]
name = "short"
venue = "perp_v2"
owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
signer = "hot"

[[books]]
name = "eth"
positions = ["eth-loop"]
hedge = "short"

[[rules]]
name = "margin"
position = "short"
when = { margin_ratio_below = "0.12" }
restore = { margin_ratio = "0.20" }
actions = ["add_margin", "reduce"]

[[rules]]
name = "delta"
book = "eth"
when = { delta_outside = { underlying = "eth", band = "0.5" } }
restore = { delta = "0" }
actions = ["hedge"]
"""
BOOKS_WATCHED = """
[[rules]]
name = "at-risk"
book = "eth"
when = { value_at_risk_above = { loss = "5000", horizon = "24h" } }
actions = ["alert"]

[[rules]]
name = "stress"
book = "eth"
when = { loss_in_stress_above = { loss = "9000", fall = "0.30" } }
actions = ["alert"]

[[rules]]
name = "wild"
book = "eth"
when = { volatility_above = "1.50", underlying = "eth" }
actions = ["alert"]
"""
WHEN = 'when = { margin_ratio_below = "0.12" }'
RESTORE = 'restore = { margin_ratio = "0.20" }'
ACTIONS = 'actions = ["add_margin", "reduce"]'
HEDGE = 'actions = ["hedge"]'
ZERO = 'restore = { delta = "0" }'
STOP = ((WHEN, 'when = { stop_loss = "2600" }'), (RESTORE, 'restore = "close"'))


def test_rules_and_books_become_what_they_say(load_text: Load, good: str) -> None:
    """Units, defaults, and the case of an underlying."""
    settings = load_text(text=good + PERPS)
    (rule,), (hedge,), (book,) = settings.perp_rules, settings.book_rules, settings.books
    assert (rule.trigger.metric, rule.trigger.bound) == (perp_metrics.MARGIN_RATIO, 12 * WAD // 100)
    assert hedge.trigger == Trigger(DELTA, Beyond.OUTSIDE, WAD // 2, Subject("ETH"))
    assert hedge.target == Target(DELTA, 0, Subject("ETH"), WAD // 20)
    assert (hedge.limits.least_margin_ratio, book.unwinds, hedge.actions) == (15 * WAD // 100, None, (HEDGES,))
    assert book.hedges == ("short",)


def test_a_stop_is_a_price_and_closes(load_text: Load, good: str) -> None:
    """Of the market named, else of the only one."""
    settings = load_text(*STOP, (ACTIONS, 'actions = ["close"]'), text=good + PERPS)
    (rule,) = settings.perp_rules
    assert (rule.trigger.bound, rule.target) == (2600 * USD, closed(None))


def test_the_least_trade_left_out_still_fits_between_target_and_band(load_text: Load, good: str) -> None:
    """A tenth of the band would leave a book outside it with nothing to trade."""
    settings = load_text((ZERO, 'restore = { delta = "0.49" }'), text=good + PERPS)
    (rule,) = settings.book_rules
    assert rule.target is not None
    assert rule.target.within == WAD // 100


def test_a_wallet_named_by_signer_and_by_address_counts_once(load_text: Load, good: str) -> None:
    """It is one."""
    both = 'hedge = "short"\nwallets = ["hot", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]'
    assert len(load_text(('hedge = "short"', both), text=good + PERPS).books[0].wallets) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([(WHEN, 'when = { health_factor_below = "1.2" }')], "rules[1].when.health_factor_below (in 'margin')"),
        ([(ACTIONS, 'actions = ["repay"]')], "rules[1].actions (in 'margin'): repay is not for a perpetual position"),
        ([(RESTORE, 'restore = { ltv = "0.5" }')], "rules[1].restore (in 'margin'): a perpetual position is restored"),
        ([(RESTORE, "")], "rules[1].restore (in 'margin'): is missing; say where to get to"),
        (
            [(RESTORE, 'restore = { margin_ratio = "0.12" }')],
            "rules[1].restore.margin_ratio (in 'margin'): 0.12 must lie above",
        ),
        (
            [(RESTORE, 'restore = { leverage = "9" }')],
            "rules[1].restore.leverage (in 'margin'): 9 leaves the margin ratio below the trigger; write 8.3",
        ),
        ([(RESTORE, 'restore = { leverage = "0" }')], "rules[1].restore.leverage (in 'margin'): 0 must be positive"),
        ([(RESTORE, 'restore = { leverage = "1e-19" }')], "rules[1].restore.leverage (in 'margin')"),
        ([(WHEN, 'when = { margin_ratio_below = "12" }')], "rules[1].when.margin_ratio_below (in 'margin'): 12 must"),
        ([(WHEN, 'when = { trailing_stop = "1" }')], "rules[1].when.trailing_stop (in 'margin'): 1 must lie between"),
        ([(WHEN, 'when = { stop_loss = "0" }')], "rules[1].when.stop_loss (in 'margin'): 0 must be positive"),
        ([*STOP], "rules[1].actions (in 'margin'): add_margin closes nothing and stops no loss"),
        ([(ACTIONS, f"{ACTIONS}\nrest = true")], "rules[1].rest (in 'margin'): a resting order waits for a price"),
        (
            [*STOP, (ACTIONS, 'actions = ["reduce"]\nrest = true')],
            "rules[1].rest (in 'margin'): a resting order closes the position",
        ),
        (
            [*STOP, (ACTIONS, 'actions = ["close"]\nrest = true')],
            "rules[1].rest (in 'margin'): perp_v2 keeps no orders",
        ),
        ([(ACTIONS, f'{ACTIONS}\nmin_trade = "1"')], "rules[1].min_trade (in 'margin'): goes with a book's rule only"),
        ([(ZERO, 'restore = "close"')], "rules[2].restore (in 'delta'): a book is restored to a delta"),
        ([(ZERO, "")], "rules[2].restore (in 'delta'): is missing; say where to get to"),
        (
            [(ZERO, 'restore = { delta = "-0.5" }')],
            "rules[2].restore.delta (in 'delta'): -0.5 must lie inside the band",
        ),
        ([(HEDGE, f'{HEDGE}\nmin_trade = "0.51"')], "rules[2].min_trade (in 'delta'): 0.51 must be positive, and at"),
        (
            [(ZERO, 'restore = { delta = "0.4" }'), (HEDGE, f'{HEDGE}\nmin_trade = "0.2"')],
            "rules[2].min_trade (in 'delta'): 0.2 must be positive, and at most the 0.1 from target to band",
        ),
        ([(HEDGE, f'{HEDGE}\nmin_margin_ratio = "15"')], "rules[2].min_margin_ratio (in 'delta'): must lie between"),
        (
            [(HEDGE, f'{HEDGE}\nmin_margin_ratio = "0.001"')],
            "rules[2].min_margin_ratio (in 'delta'): must lie between 0.02",
        ),
        ([(HEDGE, 'actions = ["unwind"]')], "rules[2].actions (in 'delta'): add_margin and unwind go with"),
        ([(HEDGE, 'actions = ["hedge", "unwind"]')], "rules[2].actions (in 'delta'): \"unwind\" needs to know what"),
        ([(HEDGE, f"{HEDGE}\nrest = true")], "rules[2].rest (in 'delta'): goes with stop_loss or take_profit"),
        ([('hedge = "short"', 'hedge = "eth-loop"')], "books[0].hedge: 'eth-loop' is a lending position"),
        (
            [('hedge = "short"', 'hedge = "shirt"')],
            "books[0].hedge: there is no position 'shirt'; known: eth-loop, short",
        ),
        ([('hedge = "short"', 'hedge = "short"\nunwind = "short"')], "books[0].unwind: 'short' is a perpetual"),
        (
            [('positions = ["eth-loop"]', 'positions = ["short"]\nunwind = "eth-loop"')],
            "books[0].unwind: 'eth-loop' is not among the book's positions; add it there",
        ),
        (
            [('hedge = "short"', 'hedge = "short"\nwallets = ["cold"]')],
            "books[0].wallets: 'cold' is neither a signer's",
        ),
        ([('book = "eth"', 'book = "btc"')], "rules[2].book: there is no book 'btc'; known: eth"),
        (
            [('"0.12"', '"0.16"')],
            "rules: 'delta' may take the margin ratio of 'short' down to 0.15, where 'margin' closes",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(
    faults: Faults, good: str, changes: list[tuple[str, str]], said: str
) -> None:
    """By field, with the remedy."""
    found = faults(*changes, text=good + PERPS)
    assert any(fault.startswith(said) for fault in found), found


def test_a_hedge_belongs_to_one_book(faults: Faults, good: str) -> None:
    """Two would trade it to and fro."""
    other = '\n[[books]]\nname = "two"\npositions = ["eth-loop"]\nhedge = ["short"]\n'
    assert faults(text=good + PERPS + other) == [
        "books[1].hedge: 'short' hedges 'eth' already; two books would trade to and fro"
    ]


def test_one_rule_holds_one_underlying_of_a_book(faults: Faults, good: str) -> None:
    """With two targets it would never rest; one that only alerts may stand beside it."""
    rule = PERPS[PERPS.index('[[rules]]\nname = "delta"') :]
    twice = rule.replace('"delta"', '"again"').replace('"eth", band', '"ETH", band')
    (fault,) = faults(text=f"{good}{PERPS}\n{twice}")
    assert fault == "rules: 'delta' and 'again' both hold the ETH of the book 'eth'; keep one"


def test_a_second_rule_that_only_alerts_is_fine(load_text: Load, good: str) -> None:
    """A narrower band to hear of."""
    rule = PERPS[PERPS.index('[[rules]]\nname = "delta"') :]
    tells = rule.replace('name = "delta"', 'name = "tell"').replace('"hedge"', '"alert"')
    assert len(load_text(text=f"{good}{PERPS}\n{tells}").book_rules) == 2


def test_a_leverage_rule_that_undoes_the_hedge_is_refused(faults: Faults, good: str) -> None:
    """Three times is a margin ratio of a third: the book may go down to 0.15."""
    when = (WHEN, 'when = { leverage_above = "3" }'), (RESTORE, 'restore = { leverage = "2" }')
    (said,) = faults(*when, text=good + PERPS)
    assert "let min_margin_ratio be 0.3334 or more" in said


@pytest.mark.parametrize(
    ("more", "which"),
    [
        ('venue = "perp_v2"\nmarket = "BTC"', "'again' and 'short'"),
        ('venue = "aave_v3"', "'eth-loop' and 'again'"),
    ],
)
def test_one_account_under_two_names_does_not_count_twice(faults: Faults, good: str, more: str, which: str) -> None:
    """An account is read whole under either name."""
    owner = 'owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"'
    position = f'\n[[positions]]\nname = "again"\n{owner}\nsigner = "hot"\n{more}\n'
    (said,) = faults(('positions = ["eth-loop"]', 'positions = ["eth-loop", "again"]'), text=good + PERPS + position)
    assert f"{which} are one account" in said


GMX = (('venue = "perp_v2"', 'venue = "gmx_v2"\nmarket = "SOL"\ncollateral = "USDC"\nside = "short"'),)


def test_a_rule_of_a_market_its_position_does_not_have_is_refused(faults: Faults, load_text: Load, good: str) -> None:
    """It would measure nothing and never fire; the position's own market in any letter case is fine."""
    stop = (*GMX, *STOP, (ACTIONS, 'actions = ["close"]'), ('underlying = "eth"', 'underlying = "sol"'))
    named = ('when = { stop_loss = "2600" }', 'when = { stop_loss = "2600", market = "BTC" }')
    (said,) = faults(*stop, named, text=good + PERPS)
    assert said == "rules[1].when.market (in 'margin'): BTC is not the market of 'short', SOL is"
    assert load_text(*stop, (named[0], named[1].replace("BTC", "sol")), text=good + PERPS).perp_rules


def test_a_book_rule_of_an_underlying_no_hedge_trades_is_refused(faults: Faults, good: str) -> None:
    """Its hedge is in another market: it could never act."""
    (said,) = faults(*GMX, text=good + PERPS)
    assert "rules[2].when.delta_outside.underlying (in 'delta'): eth is traded by no hedge" in said
    assert "SOL" in said


def test_a_perpetual_may_be_kept_by_its_probability_of_liquidation(load_text: Load, good: str) -> None:
    """The same table as for a loan, and a target that the planner solves for."""
    when = 'when = { liquidation_probability_above = { probability = "0.01", horizon = "12h" } }'
    target = 'restore = { liquidation_probability = "0.002" }'
    (rule,) = load_text((WHEN, when), (RESTORE, target), text=good + PERPS).perp_rules
    assert (rule.trigger.key, rule.trigger.of.window_s) == ("liquidation_probability_above", 43_200)
    assert rule.target is not None
    assert (rule.target.metric.key, rule.target.of.window_s) == ("liquidation_probability", 43_200)


def test_a_margin_ratio_may_widen_with_volatility(load_text: Load, good: str) -> None:
    """As a health factor does."""
    when = 'when = { margin_ratio_below = { base = "0.10", per_volatility = "0.05", max = "0.25" } }'
    (rule,) = load_text((WHEN, when), (RESTORE, 'restore = { margin_ratio = "0.30" }'), text=good + PERPS).perp_rules
    assert rule.trigger.widening is not None
    assert rule.trigger.farthest == WAD // 4


def test_a_book_is_watched_as_a_whole_by_rules_that_alert(load_text: Load, good: str) -> None:
    """Several of them beside the one that holds its delta; what is to be traded, that one says."""
    text = good + PERPS + BOOKS_WATCHED
    rules = load_text(text=text).book_rules
    assert {rule.trigger.key for rule in rules} >= {"value_at_risk_above", "loss_in_stress_above", "volatility_above"}
    (wild,) = [rule for rule in rules if rule.trigger.key == "volatility_above"]
    assert wild.trigger.of.symbol == "ETH"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('restore = { delta = "0" }', "value at risk of a book is only alerted"),
        ('actions = ["hedge"]', "write a rule on the delta, or on the member; use alert"),
    ],
)
def test_a_book_is_not_traded_for_what_it_may_lose(faults: Faults, good: str, more: str, said: str) -> None:
    """No delta is named to trade to."""
    alert = 'actions = ["alert"]'
    spoiled = BOOKS_WATCHED.replace(alert, more if "actions" in more else f"{more}\n{alert}", 1)
    found = faults(text=good + PERPS + spoiled)
    assert any(said in fault for fault in found), found
