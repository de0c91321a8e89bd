"""The rule that holds a book's delta in a band, and the intent to trade a perpetual for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.actions import Action
from keeper.core.book.actions import ADD_MARGIN, HEDGE
from keeper.core.book.position import Exposure
from keeper.core.book.unhedged import Naked, NakedBudget
from keeper.core.decide import Decided, Hold, Memory, left_today, not_now
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Limits
from keeper.core.units import UINT256_MAX, USD, WAD, Address, Usd, Wad, decimal_of, mul_div_down


@dataclass(frozen=True, slots=True)
class HedgeRule:
    """Hold ``underlying`` within ``band`` of zero (Wad whole units); when it is outside, bring it to ``target``.

    The target lies inside the band, a trade is ``least_trade`` at least: so it never flaps.
    """

    name: str
    book: str
    underlying: str
    band: Wad
    target: int
    least_trade: Wad
    least_margin_ratio: Wad
    """What the hedge's margin ratio may not fall below through a trade of ours."""
    actions: tuple[Action, ...]
    """Without any the rule only alerts."""
    unwinds: str | None
    """The lending position that is unwound when the hedge cannot be had within the budget."""
    budget: NakedBudget
    funding_horizon_s: int
    """How long a hedge is thought to be held when funding is weighed."""
    cooldown_s: int
    limits: Limits

    @property
    def position(self) -> str:
        """What the rule is about: the book."""
        return self.book

    @property
    def is_boost(self) -> bool:
        """Never: a hedge takes risk away."""
        return False

    @property
    def may_act(self) -> bool:
        """Whether it trades a hedge."""
        return HEDGE in self.actions

    @property
    def may_add_margin(self) -> bool:
        """Whether a hedge that grows may be given margin."""
        return ADD_MARGIN in self.actions

    def is_outside(self, delta: int) -> bool:
        """Return whether a delta asks for a trade."""
        return abs(delta) > self.band


@dataclass(frozen=True, slots=True)
class BookAssessment:
    """One book judged by one rule: its delta, whether it left the band, and what speaks against trading."""

    exposure: Exposure
    rule: HedgeRule
    delta: int
    timestamp: int
    naked: Naked
    doubts: tuple[Doubt, ...]
    blind: Doubt | None = None
    """Why the rule measures nothing, although the delta it finds is zero; None where it does."""

    @property
    def fired(self) -> tuple[HedgeRule, ...]:
        """The rule, when the delta is outside its band."""
        return (self.rule,) if self.rule.is_outside(self.delta) else ()


@dataclass(frozen=True, slots=True)
class HedgeIntent:
    """A book left its band: this much of a perpetual is to be traded. ``change`` is signed, Wad whole underlyings."""

    assessment: BookAssessment
    rule: HedgeRule
    perp: PerpPosition
    leg: PerpLeg
    change: int
    left_today: Usd | None
    forbidden: tuple[tuple[object, Doubt], ...] = ()

    @property
    def position(self) -> str:
        """The book's name: what cooldowns and limits are counted by."""
        return self.rule.book

    @property
    def target(self) -> str:
        """What the rule wants, in words."""
        return f"delta {decimal_of(self.rule.target, 18, 4)} {self.rule.underlying}"

    @property
    def size_change(self) -> int:
        """The change in the leg's own size units, rounded towards zero."""
        size = mul_div_down(abs(self.change), self.leg.size_unit, WAD)
        return size if self.change > 0 else -size

    def hold(self, reason: Reason, detail: str = "") -> Hold:
        """Return the refusal this intent ends in."""
        return Hold(self.position, self.rule.name, reason, detail)


def blindness(seen: Exposure, rule: HedgeRule, hedges: Sequence[PerpPosition]) -> Doubt | None:
    """Return why a rule measures nothing in a book: nobody in it knows the underlying, or no hedge could trade it."""
    has = sorted({part.underlying for part in seen.parts})
    markets = sorted({leg.symbol.upper() for perp in hedges for leg in perp.legs})
    if rule.underlying not in (*has, *markets, *seen.prices):
        known = ", ".join(dict.fromkeys((*has, *markets))) or "nothing"
        return Doubt(Reason.RULE_UNDECIDABLE, f"rule {rule.name}: {rule.underlying}, the book has {known}")
    if rule.may_act and hedges and rule.underlying not in markets:
        known = ", ".join(markets) or "no market"
        return Doubt(Reason.RULE_UNDECIDABLE, f"rule {rule.name}: {rule.underlying}, the hedges have {known}")
    return None


def decide_hedge(
    assessed: BookAssessment, perps: tuple[PerpPosition, ...], memory: Memory, signer_of: dict[str, Address]
) -> Decided[HedgeIntent]:
    """Return the trades that would bring a book back into its band, one for each hedge, or why none is made.

    They are ways of one rule: the cheapest is taken. What speaks against one hedge is no news while another
    can be traded.
    """
    refused = _needless(assessed)
    if refused is not None:
        return Decided((refused,))
    book, rule = assessed.exposure.book.name, assessed.rule
    found = [_one(assessed, perp, memory, signer_of[perp.name]) for perp in perps]
    holds = [x for x in found if isinstance(x, Hold)]
    intents = tuple(x for x in found if isinstance(x, HedgeIntent))
    # one order at a time, whichever venue it waits at
    waiting = next((h for h in holds if h.reason is Reason.ORDER_PENDING), None)
    if waiting or not intents:
        none = Hold(book, rule.name, Reason.POSITION_UNREADABLE, "no hedge can be read")
        return Decided((waiting or (holds[0] if holds else none),))
    return Decided(intents)


def _needless(assessed: BookAssessment) -> Hold | None:
    """Return why nothing is to be traded for a book, whatever the hedge."""
    rule, book = assessed.rule, assessed.exposure.book.name
    text = f"delta {decimal_of(assessed.delta, 18, 4)} {rule.underlying}"
    if assessed.exposure.doubts:
        doubt = assessed.exposure.doubts[0]
        return Hold(book, rule.name, doubt.reason, doubt.detail)
    if not assessed.fired and assessed.blind:
        return Hold(book, rule.name, assessed.blind.reason, assessed.blind.detail)
    if not assessed.fired:
        return Hold(book, None, Reason.HEALTHY)
    if not rule.may_act:
        return Hold(book, rule.name, Reason.ALERT_ONLY, text)
    if abs(rule.target - assessed.delta) < rule.least_trade:
        return Hold(book, rule.name, Reason.AT_TARGET, f"{text}, less than the least trade from its target")
    if assessed.doubts:
        return Hold(book, rule.name, assessed.doubts[0].reason, assessed.doubts[0].detail)
    return None


def _one(assessed: BookAssessment, perp: PerpPosition, memory: Memory, signer: Address) -> Hold | HedgeIntent:
    """Return the trade with one hedge, or why it cannot be made now."""
    rule, book = assessed.rule, assessed.exposure.book.name
    book_ = assessed.exposure.book
    # whoever signs it: a plan under way for any member is about to change the delta
    under_way = memory.flying | set(memory.busy.values())
    changing = next((x for x in (book, *book_.positions, *book_.hedges) if x in under_way), None)
    if changing:
        return Hold(book, rule.name, Reason.IN_FLIGHT, changing)
    is_late = assessed.naked.tries > 0 or assessed.naked.is_spent(rule.budget)
    refusal = not_now(rule, book, assessed.timestamp, memory, signer, is_emergency=is_late)
    if refusal:
        return Hold(book, rule.name, *refusal)
    if any(not order.kind.rests and not order.is_frozen for order in perp.orders):
        return Hold(book, rule.name, Reason.ORDER_PENDING, perp.name)
    leg = next((x for x in perp.legs if x.symbol.upper() == rule.underlying), None)
    if leg is None:
        return Hold(book, rule.name, Reason.RULE_UNDECIDABLE, f"{perp.name} has no {rule.underlying} market")
    wanted = rule.target - assessed.delta
    if not leg.size and perp.only_long is not None and perp.only_long != (wanted > 0):
        side = "long" if perp.only_long else "short"
        return Hold(book, rule.name, Reason.NOTHING_HELPS, f"{perp.name} is a {side} without size")
    if min(leg.oracle.answer, leg.index_price, leg.mark_price) <= 0:
        return Hold(book, rule.name, Reason.PRICE_NOT_POSITIVE, f"{leg.symbol} of {perp.name}")
    left = left_today(rule, memory)
    change = _within_limits(wanted, rule, left, perp, leg)
    if abs(change) < min(rule.least_trade, abs(wanted)):
        return Hold(book, rule.name, Reason.SPEND_LIMIT, "what is left of the limits is less than the least trade")
    return HedgeIntent(assessed, rule, perp, leg, change, left)


def _within_limits(change: int, rule: HedgeRule, left: Usd | None, perp: PerpPosition, leg: PerpLeg) -> int:
    """Return the change, cut to the dollars the limits leave, at the dearer of index and mark price."""
    once = rule.limits.max_spend_per_tx
    dollars = min(UINT256_MAX if left is None else left, UINT256_MAX if once is None else once)
    if dollars >= UINT256_MAX:
        return change
    most = mul_div_down(dollars * perp.usd_unit, leg.price_scale, max(leg.index_price, leg.mark_price) * USD)
    size = min(abs(change), most * WAD // leg.size_unit)
    return size if change > 0 else -size
