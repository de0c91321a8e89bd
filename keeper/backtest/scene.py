"""What a back-test happens in: one account, its prices so far, the chain's clock. The fakes all look at this."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from keeper.backtest.course import PriceCourse
from keeper.backtest.depth import Depth
from keeper.backtest.paper_bundle import Followed
from keeper.backtest.stage import Made, PlayedDeed
from keeper.backtest.standing import PaperStanding, RevertError, done
from keeper.core.lending.seizure import WHOLE, CloseRule, Taken, seized
from keeper.core.occurrences import Occurrence, What
from keeper.core.snapshot import BlockRef
from keeper.core.units import WAD, Address, Amount, Wei, mul_div_down, mul_div_up, scaled, usd_text
from keeper.execution.policy import opened
from keeper.venues.contracts.transfers import Transfer
from keeper.venues.effects import (
    Approves,
    Borrows,
    Bundles,
    Call,
    Decoder,
    Leaf,
    Offsets,
    Pays,
    Sells,
    Takes,
    Unpledges,
)

CHAIN_ID = 31337
GAS: Mapping[type[Leaf], int] = {
    Approves: 25_000,
    Pays: 118_000,
    Takes: 212_000,
    Borrows: 202_000,
    Offsets: 177_000,
    Unpledges: 102_000,
    Sells: 100_000,
    Bundles: 500_000,
}
"""What each takes as a part of one transaction, as measured on the real contracts (``core/lending/moves``)."""
BEGIN_GAS = 46_000
"""A transaction, and the word of its signer that delegates the account."""


@dataclass(frozen=True, slots=True)
class PaperFees:
    """The base fee of the time, where a file has it; else the same always. Wei per gas."""

    usual: Wei
    at: tuple[int, ...] = ()
    of: tuple[Wei, ...] = ()

    def base_fee(self, at: int) -> Wei:
        """Return what a block asks for at a time: the newest that the file has by then."""
        place = bisect_right(self.at, at)
        return self.of[place - 1] if place else self.usual


@dataclass(slots=True)
class PaperScene:
    """Everything at the block that is being played."""

    course: PriceCourse
    assets: tuple[Address, ...]
    """By column of the course."""
    now: int
    standing: PaperStanding
    depth: Depth
    fees: PaperFees
    native: Address | None
    """Whose price the native currency has; None where it is ``native_price``."""
    native_price: int
    closes: CloseRule = WHOLE
    """How much of a debt one liquidation may pay back."""
    decoders: dict[Address, Decoder] = field(default_factory=dict)
    """What calls to each contract do."""
    gas_wei: int = 0
    gas_usd: int = 0
    fixed: Mapping[Address, int] = field(default_factory=dict)
    """Prices that no file gives, which stand still."""
    lends_usd: int = 0
    """Dollars that a lender of one transaction has of each asset."""
    receipts: Mapping[Address, Address] = field(default_factory=dict)
    """What stands for supplies, where there is one."""
    happened: list[Occurrence] = field(default_factory=list)
    """What a venue's events would say of the account, in the order of blocks."""
    known: dict[int, PaperStanding] = field(default_factory=dict)
    """What rehearsals came to, by the number under which the answer names it."""

    def block(self, at: int | None = None) -> BlockRef:
        """Return the block that holds at a time, or now."""
        when = self.now if at is None else at
        number = self.course.number(when)
        base_fee, time = self.fees.base_fee(when), self.course.time(number)
        return BlockRef(CHAIN_ID, number, f"0x{number:064x}", f"0x{number - 1:064x}", time, base_fee)

    def answers(self, at: int) -> dict[Address, int]:
        """Return what oracles say at a time."""
        row = self.course.answers[self.course.index(at)]
        return {**self.fixed, **{asset: int(row[i]) for i, asset in enumerate(self.assets)}}

    def said(self, at: int) -> tuple[dict[Address, int], dict[Address, int]]:
        """Return what oracles say at a time, and since when."""
        row = self.course.updated[self.course.index(at)]
        since = {**dict.fromkeys(self.fixed, at), **{asset: int(row[i]) for i, asset in enumerate(self.assets)}}
        return self.answers(at), since

    def pool_price(self, asset: Address, at: int) -> int:
        """Return where pools stand: with the file, at the second."""
        if asset in self.fixed:
            return self.fixed[asset]
        return self.course.paths[self.course.symbols[self.assets.index(asset)]].price_at(at)

    def seen(self, at: int | None = None) -> PaperStanding:
        """Return the account with interest and oracle prices of a time, or of now."""
        when = self.now if at is None else at
        return self.standing.later(when).priced(*self.said(when))

    def native_at(self, at: int) -> int:
        """Return what one of the native currency costs."""
        return self.native_price if self.native is None else self.answers(at).get(self.native, self.native_price)

    def cost(self, sell: Address, buy: Address, bought: int) -> int:
        """Return how much must be given for so much, at the pools as they stand now."""
        units = {h.asset: h.unit for h in self.standing.holdings}
        worth = mul_div_up(bought, self.pool_price(buy, self.now), units[buy])
        given = self.depth.dollars_for(worth)
        return mul_div_up(given, units[sell], self.pool_price(sell, self.now))

    def proceeds(self, sell: Address, buy: Address, sold: int) -> int:
        """Return how much comes of so much, at the pools as they stand now."""
        units = {h.asset: h.unit for h in self.standing.holdings}
        got = self.depth.dollars_from(mul_div_down(sold, self.pool_price(sell, self.now), units[sell]))
        return mul_div_down(got, units[buy], self.pool_price(buy, self.now))

    def lendable(self) -> dict[Address, Amount]:
        """Return how much of each asset is lent within one transaction."""
        held = self.standing.holdings
        return {h.asset: Amount(self.lends_usd * h.unit // self.pool_price(h.asset, self.now)) for h in held}

    def run(self, s: PaperStanding, call: Call) -> Made[PaperStanding]:
        """Return what a call does to an account: all of it, or nothing but its gas."""
        gas, after, moved = BEGIN_GAS, s, tuple[Transfer, ...]()
        try:
            for _, effect in opened(call, self.decoders):
                gas += GAS.get(type(effect), 0)
                if isinstance(effect, Bundles):
                    after, by_hands = Followed(after, self, self.lendable(), self.receipts).run(effect)
                    moved += by_hands
                else:
                    after = done(after, effect, self)
        except RevertError as error:
            return Made(s, gas, str(error))
        return Made(after, gas, moved=moved)

    def send(self, call: Call, gas_price: Wei) -> Made[PaperStanding]:
        """Mine a call: it changes the account, and its gas is paid."""
        before = self.seen()
        made = self.run(before, call)
        wei = made.gas * gas_price
        self.standing = made.after.pays_gas(min(wei, made.after.native))
        self.gas_wei += wei
        self.gas_usd += wei * self.native_at(self.now) // 10**18
        return made

    def forced(self) -> PlayedDeed | None:
        """Let liquidators take what the protocol lets them, at the oracle's prices."""
        before = self.figure
        taken = None if before >= WAD else self._liquidated()
        if taken is None:
            return None
        what = f"{taken.count} × liquidated" if taken.count > 1 else "liquidated"
        return PlayedDeed(self.now, what, "liquidated", before, self.standing.health, taken.loss)

    def _liquidated(self) -> Taken | None:
        s = self.seen()
        found = seized(s.account, self.closes)
        if not found.count:
            return None
        self.standing = s.with_account(found.after)
        number = self.course.number(self.now)
        words = f"{usd_text(found.seized)} taken for {usd_text(found.repaid)} of debt"
        self.happened.append(Occurrence(What.LIQUIDATED, words, number, f"liquidators at block {number}"))
        return found

    @property
    def due(self) -> int | None:
        """None: nothing waits for keepers of the market's own."""

    def carried_out(self) -> bool:
        """Return that nothing does."""
        return False

    def worth_of(self, of: PaperStanding) -> int:
        """Return what an owner has at the oracle's prices of now."""
        return worth(of.later(self.now).priced(*self.said(self.now)))

    @property
    def figure(self) -> int:
        """The health factor."""
        return self.seen().health

    def figure_in(self, judged: Mapping[str, Any]) -> int:
        """Return the health factor that was judged."""
        return scaled(Decimal(judged["protocol"]["health_factor"]), WAD)


def worth(s: PaperStanding) -> int:
    """Return what an owner has: supplies less debts, and the wallet's tokens. Dollars of 10^-8."""
    own = sum(h.usd_down(h.supplied) - h.usd_up(h.borrowed) for h in s.holdings)
    return own + sum(h.usd_down(s.wallet.get(h.asset, 0)) for h in s.holdings)
