"""A market of Compound v3 drawn at random, and an account in it: what it answers, and what its README's formulas say.

The formulas are those of the recordings' README, written here once more and apart from the keeper's own.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode

from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import address, load
from keeper.venues.compound_v3.account import CometAccount
from keeper.venues.compound_v3.market import CometMarket, discover_market
from keeper.venues.contracts.multicall3 import ADDRESS, timestamp
from keeper.venues.ports import Answer, Read

COMET, ERC20 = load("compound_v3"), load("erc20")
E18, E15 = 10**18, 10**15
PLACE, BASE, OWNER = (address("0x" + f"{n:040x}") for n in (0xC0, 0xB0, 0xA0))
MOST_COLLATERALS = 24


@dataclass
class Collateral:
    """One of the list, and what the account has of it."""

    asset: Address
    feed: Address
    decimals: int
    price: int
    bcf: int
    lcf: int
    lf: int
    cap: int
    total: int
    balance: int


@dataclass
class PaperComet:
    """All of a market, and one account's place in it."""

    seed: int
    decimals: int = 6
    price: int = 10**8
    now: int = 1_800_000_000
    accrued_at: int = 1_800_000_000
    supply_index: int = E15
    borrow_index: int = E15
    total_supply: int = 0
    total_borrow: int = 0
    principal: int = 0
    pauses: tuple[bool, bool] = (False, False)
    least: int = 0
    curve: tuple[int, int, int, int] = (0, 0, 0, 0)
    supply_curve: tuple[int, int, int, int] = (0, 0, 0, 0)
    listed: list[Collateral] = field(default_factory=list)

    @classmethod
    def drawn(cls, seed: int) -> PaperComet:
        """Another base, other decimals, factors, scales, prices, one to 24 collaterals, any sign of principal."""
        d = random.Random(seed)  # noqa: S311 - amounts, no secrets
        of = cls(seed, decimals=d.choice([6, 6, 8, 18, d.randint(2, 18)]))
        unit = 10**of.decimals
        of.price = d.choice([10**8, 99_987_654, d.randint(1, 10**14)])
        of.now += d.randint(0, 10**7)
        of.accrued_at = of.now - d.choice([0, 0, 1, 12, 86_400, d.randint(0, 10**7)])
        of.supply_index, of.borrow_index = d.randint(E15, 3 * E15), d.randint(E15, 3 * E15)
        of.total_supply = d.choice([0, d.randint(1, 10**9) * unit])
        of.total_borrow = d.randint(0, 2 * max(of.total_supply, unit))
        of.curve, of.supply_curve = cls._curve(d), cls._curve(d)
        of.pauses, of.least = (d.random() < 0.1, d.random() < 0.1), d.randint(0, 1000) * unit
        for i in range(d.choice([1, 2, 7, 12, 13, 16, 17, 24, d.randint(1, MOST_COLLATERALS)])):
            of.listed.append(cls._collateral(d, i))
        carried = sum(of.weighted("lcf"))
        health = d.choice([0, d.uniform(0.9, 1.1), d.uniform(1, 3), d.uniform(0.1, 1)])
        owed = int(carried / health) * unit // of.price if health else 0
        of.principal = -(owed * E15 // of.borrow_index) if owed and d.random() < 0.9 else d.randint(-3, 10**4) * unit
        of.principal = 0 if d.random() < 0.05 else of.principal + d.randint(-3, 3)
        return of

    @staticmethod
    def _curve(d: random.Random) -> tuple[int, int, int, int]:
        return d.randint(0, E18), d.randint(0, 10**9), d.randint(0, 10**10), d.randint(0, 10**11)

    @staticmethod
    def _collateral(d: random.Random, i: int) -> Collateral:
        decimals = d.choice([6, 8, 18, d.randint(0, 19)])
        lcf, cap = d.randint(0, E18), d.choice([0, d.randint(1, 10**8) * 10**decimals])
        balance = d.choice([0, d.randint(1, 10**4 * 10**decimals)]) % 2**127
        place, feed = (address("0x" + f"{n + i:040x}") for n in (0xCC00, 0xFE00))
        price = d.choice([d.randint(1, 10**13), 10**8])
        total = min(cap, balance + d.randint(0, 10**6))
        bcf = d.choice([0, lcf, d.randint(0, lcf)])
        return Collateral(place, feed, decimals, price, bcf, lcf, d.randint(0, E18), cap, total, balance)

    # --- the README's formulas ----------------------------------------------------------------------------------------

    @property
    def utilization(self) -> int:
        supplied = self.total_supply * self.supply_index // E15
        return (self.total_borrow * self.borrow_index // E15) * E18 // supplied if supplied else 0

    def rate(self, curve: tuple[int, int, int, int]) -> int:
        (kink, base, low, high), u = curve, self.utilization
        if u <= kink:
            return base + low * u // E18
        return base + low * kink // E18 + high * (u - kink) // E18

    def index(self, at: int) -> int:
        return self.borrow_index + self.borrow_index * (self.rate(self.curve) * (at - self.accrued_at)) // E18

    def debt(self, at: int) -> int:
        return max(0, -self.principal) * self.index(at) // E15

    @property
    def lent(self) -> int:
        rate = self.rate(self.supply_curve)
        index = self.supply_index + self.supply_index * (rate * (self.now - self.accrued_at)) // E18
        return max(0, self.principal) * index // E15

    def weighted(self, factor: str, less: dict[int, int] | None = None) -> list[int]:
        left = [x.balance - (less or {}).get(i, 0) for i, x in enumerate(self.listed)]
        values = [n * x.price // 10**x.decimals for n, x in zip(left, self.listed, strict=True)]
        return [v * getattr(x, factor) // E18 for v, x in zip(values, self.listed, strict=True)]

    def owed_value(self, at: int) -> int:
        return self.debt(at) * self.price // 10**self.decimals

    def is_liquidatable(self, at: int) -> bool:
        return self.principal < 0 and sum(self.weighted("lcf")) < self.owed_value(at)

    def is_collateralized(self, at: int, less: dict[int, int] | None = None) -> bool:
        return self.principal >= 0 or sum(self.weighted("bcf", less)) >= self.owed_value(at)

    def most_that_can_leave(self, i: int) -> int:
        """By bisection, accrued: what is refused one unit above."""
        low, high = 0, self.listed[i].balance
        if not self.is_collateralized(self.now):
            return 0
        while low < high:
            middle = (low + high + 1) // 2
            if self.is_collateralized(self.now, {i: middle}):
                low = middle
            else:
                high = middle - 1
        return low

    # --- what it answers ----------------------------------------------------------------------------------------------

    @property
    def block(self) -> BlockRef:
        return BlockRef(1, 100, "0x" + "11" * 32, "0x" + "10" * 32, self.now, Wei(0))

    def answer(self, read: Read) -> Answer:
        name = next((n for n in NAMES if read.to == PLACE and getattr(COMET, n).selector == read.data[:4]), None)
        if name is not None:
            return self._of_market(name, read.data[4:])
        if read == timestamp().read(ADDRESS):
            return words(self.now)
        if read.data[:4] == ERC20.balanceOf.selector:
            return words(10**30)
        units = {BASE: self.decimals, **{x.asset: x.decimals for x in self.listed}}
        if read.data[:4] == ERC20.decimals.selector:
            return words(units[read.to])
        if read.data[:4] == ERC20.symbol.selector:
            return encode(["string"], [f"T{read.to[-3:]}"])
        raise AssertionError(read)

    def _of_market(self, name: str, args: bytes) -> bytes:
        by_feed = {int(at, 16): x.price for x in self.listed for at in (x.feed, x.asset)} | {0xBF: self.price}
        by_asset = {int(x.asset, 16): x for x in self.listed}
        first = int.from_bytes(args[:32], "big")
        held = [i for i, x in enumerate(self.listed) if x.balance]
        bits = sum(1 << i for i in held)
        user = (self.principal, 0, 0, bits & 0xFFFF, bits >> 16)
        totals = (self.supply_index, self.borrow_index, 0, 0, self.total_supply, self.total_borrow, self.accrued_at, 0)
        plain: dict[str, Any] = {
            "baseToken": int(BASE, 16), "baseTokenPriceFeed": 0xBF, "baseBorrowMin": self.least,
            "numAssets": len(self.listed), "borrowKink": self.curve[0],
            "borrowPerSecondInterestRateBase": self.curve[1], "borrowPerSecondInterestRateSlopeLow": self.curve[2],
            "borrowPerSecondInterestRateSlopeHigh": self.curve[3], "borrowBalanceOf": self.debt(self.now),
            "balanceOf": self.lent, "isSupplyPaused": self.pauses[0], "isWithdrawPaused": self.pauses[1],
            "isLiquidatable": self.is_liquidatable(self.accrued_at),
            "isBorrowCollateralized": self.is_collateralized(self.accrued_at),
        }  # fmt: skip
        match name:
            case "getAssetInfo":
                x = self.listed[first]
                return words(first, int(x.asset, 16), int(x.feed, 16), 10**x.decimals, x.bcf, x.lcf, x.lf, x.cap)
            case "getPrice":
                return words(by_feed[first])
            case "userBasic":
                return words(*user)
            case "totalsBasic":
                return words(*totals)
            case "totalsCollateral":
                return words(by_asset[first].total, 0)
            case "collateralBalanceOf":
                return words(by_asset[int.from_bytes(args[32:64], "big")].balance)
            case _:
                return words(int(plain[name]))

    def found(self, named: Sequence[str] = ()) -> CometAccount:
        """The market, found as the keeper finds it, and the account in it."""
        market = self._driven(discover_market(PLACE, "paper", ADDRESS))
        assert isinstance(market, CometMarket)
        found = self._driven(market.find_account(OWNER, (), named))
        assert isinstance(found, CometAccount)
        return found

    def _driven(self, search: Generator[Sequence[Read], Sequence[Answer], Any]) -> Any:
        try:
            wanted = next(search)
            while True:
                wanted = search.send([self.answer(read) for read in wanted])
        except StopIteration as end:
            return end.value

    def position(self) -> Any:
        probe = self.found().probe("mine", self.block)
        return probe.decode([self.answer(read) for read in probe.reads])


NAMES = (
    "baseToken", "baseTokenPriceFeed", "baseBorrowMin", "numAssets", "borrowKink", "borrowPerSecondInterestRateBase",
    "borrowPerSecondInterestRateSlopeLow", "borrowPerSecondInterestRateSlopeHigh", "borrowBalanceOf", "balanceOf",
    "isSupplyPaused", "isWithdrawPaused", "isLiquidatable", "isBorrowCollateralized", "getAssetInfo", "getPrice",
    "userBasic", "totalsBasic", "totalsCollateral", "collateralBalanceOf",
)  # fmt: skip


def words(*values: int) -> bytes:
    return b"".join((int(value) % 2**256).to_bytes(32, "big") for value in values)
