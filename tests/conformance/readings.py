"""The subjects of the readings: for each venue an account, the answers a chain gave of it, and what it then is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from comet_recordings import accounts as comet_accounts
from core_builders import OWNER, at
from eth_abi.abi import encode
from morpho_builders import a_market, an_account, usual_answers
from test_gmx_v2_positions import CASES, Node, block_of, prices_of, scope_of
from test_perp_v2_recorded import BLOCK, Chain
from toy_bank.subject import market_of, reading_of
from venus_builders import a_market as a_comptroller
from venus_builders import an_account as a_v2_account
from venus_builders import usual_answers as v2_answers

from keeper.core.lending import figures as lending
from keeper.core.lending.position import LendingPosition
from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpPosition
from keeper.core.snapshot import BlockRef
from keeper.core.units import USD, WAD, Address
from keeper.venues.aave_v3.account import AaveAccount
from keeper.venues.aave_v3.market import AaveMarket
from keeper.venues.aave_v3.model import RAY
from keeper.venues.aave_v3.position import AaveScope
from keeper.venues.aave_v3.reserves import Listing
from keeper.venues.codec.abi import address
from keeper.venues.gmx_v2.positions import position_probe as gmx_probe
from keeper.venues.perp_v2.position import position_probe as perp_v2_probe
from keeper.venues.ports import Answer, Probe

Position = LendingPosition | PerpPosition
WETH, USDC, POOL, ORACLE = (address(at(name)) for name in ("WETH", "USDC", "POOL", "ORACLE"))


@dataclass(frozen=True, slots=True)
class Reading:
    """One account of a venue: its probe at a block, and the answers of that very block."""

    venue: str
    probe: Callable[[BlockRef], Probe[Any]]
    block: BlockRef
    answers: tuple[Answer, ...]

    def __str__(self) -> str:
        return self.venue

    def read(self, answers: tuple[Answer, ...] | None = None) -> Position:
        """What some answers say. Raises as decoding does."""
        found: Position = self.probe(self.block).decode(self.answers if answers is None else answers)
        return found


def agrees(position: Position) -> bool:
    """Whether our figures are the venue's own, to the last digit."""
    if isinstance(position, LendingPosition):
        return lending.proven(position) is not None
    return perps.figures(position) == position.reported


def safety(position: Position) -> float:
    """How far from liquidation it says that it is: more is safer."""
    if isinstance(position, LendingPosition):
        return float(position.reported.health_factor)
    return float(position.reported.equity - position.reported.requirement)


# --- Aave v3: ten ether at 2,000 dollars, 13,000 dollars owed ---------------------------------------------------------


def _config(ltv: int, threshold: int, decimals: int) -> int:
    return ltv | threshold << 16 | 10_500 << 32 | decimals << 48 | 1 << 56 | 1 << 58


def _word(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)


def _reserve(config: int, price: int, supply: int, debt: int) -> list[Answer]:
    data = encode(
        ["uint256"] * 15, [config, RAY, RAY // 50, RAY, RAY // 25, 0, 0, 0, int(POOL, 16), 0, int(POOL, 16), 0, 0, 0, 0]
    )
    totals = (10**26, 10**25, 9 * 10**25, 9 * 10**25)
    return [_word(supply), _word(debt), data, _word(RAY), _word(RAY), _word(price), *(_word(x) for x in totals)]


def _aave() -> Reading:
    listings = (
        Listing(WETH, "WETH", 18, address(at("sW")), index=0, a_token=address(at("aW")), debt_token=address(at("dW"))),
        Listing(USDC, "USDC", 6, address(at("sU")), index=1, a_token=address(at("aU")), debt_token=address(at("dU"))),
    )
    account = AaveAccount(AaveMarket(POOL, ORACLE, USD, listings), AaveScope(Address(OWNER), 0, listings))
    collateral, debt = 20_000 * USD, 13_000 * USD
    figures = (
        collateral,
        debt,
        collateral * 8050 // 10_000 - debt,
        8300,
        8050,
        20_000 * 8300 * WAD // 13_000 // 10_000,
    )
    answers: list[Answer] = [_word(*figures), _word(0b0110), _word(0), *([None] * 6)]
    answers += _reserve(_config(8050, 8300, 18), 2000 * USD, 10 * 10**18, 0)
    answers += _reserve(_config(7500, 7800, 6), USD, 0, 13_000 * 10**6)
    return Reading("aave_v3", lambda block: account.probe("mine", block), BLOCK, tuple(answers))


# --- as they were recorded --------------------------------------------------------------------------------------------


def _perp_v2() -> Reading:
    chain = Chain()
    deployment, scope = chain.deployment(), chain.scope()

    def probe(block: BlockRef) -> Probe[Any]:
        return perp_v2_probe(deployment, scope, "mine", block)

    return Reading("perp_v2", probe, BLOCK, tuple(chain.answers(probe(BLOCK).reads)))


def _gmx_v2() -> Reading:
    name, step, _ = CASES[0].values
    scope, prices, block = scope_of(step), prices_of(step["args"]["prices"]), block_of(step)

    def probe(at_block: BlockRef) -> Probe[Any]:
        return gmx_probe(scope, "mine", at_block, prices)

    return Reading("gmx_v2", probe, block, tuple(Node(name, step["block"]).answers(probe(block).reads)))


def _toy() -> Reading:
    market = market_of(POOL, WETH, USDC, (address(at("sW")), address(at("sU"))))
    return Reading("toy_bank", *_with_block(reading_of(market, Address(OWNER), BLOCK.timestamp)))


def _with_block(
    of: tuple[Callable[[BlockRef], Probe[Any]], tuple[Answer, ...]],
) -> tuple[Callable[[BlockRef], Probe[Any]], BlockRef, tuple[Answer, ...]]:
    return of[0], BLOCK, of[1]


def _morpho() -> Reading:
    account = an_account(a_market(WETH, USDC), Address(OWNER))
    return Reading("morpho_blue", lambda block: account.probe("mine", block), BLOCK, usual_answers(BLOCK.timestamp))


def _comet() -> Reading:
    """Of those that were recorded the first with a debt and a collateral, just accrued or not."""
    seen = next(s for s in comet_accounts() if len(s.account.listings) > 1 and any(s.answers[3] or b""))
    return Reading("compound_v3", lambda block: seen.account.probe("mine", block), seen.block, seen.answers)


def _venus() -> Reading:
    account = a_v2_account(a_comptroller(WETH, USDC), Address(OWNER))
    return Reading("compound_v2", lambda block: account.probe("mine", block), BLOCK, v2_answers(BLOCK.timestamp))


READINGS = (_venus(), _aave(), _morpho(), _comet(), _perp_v2(), _gmx_v2(), _toy())


def changed(of: Reading, place: int, answer: Answer) -> tuple[Answer, ...]:
    """The answers with one of them another."""
    return (*of.answers[:place], answer, *of.answers[place + 1 :])


def elsewhere(block: BlockRef) -> BlockRef:
    """Another block of the same chain."""
    return replace(block, number=block.number + 1, hash="0x" + "12" * 32)
