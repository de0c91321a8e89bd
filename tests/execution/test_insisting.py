"""What leads a batch that sells, and what a revert is taken for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from core_builders import OWNER, at, holding, position
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeRefusedError
from keeper.core.lending.moves import Borrow, Repay, Supply, Withdraw
from keeper.core.lending.position import LendingPosition
from keeper.core.reasons import Reason
from keeper.core.units import USD, Address, Amount, Wei
from keeper.execution import insisting
from keeper.execution.insisting import insist
from keeper.execution.reverted import why_reverted
from keeper.journal.decisions import NO_FAULT_OF_THE_PLAN
from keeper.venues.aave_v3.market import AaveMarket
from keeper.venues.aave_v3.reserves import Listing
from keeper.venues.codec.abi import error_selector
from keeper.venues.contracts.batch_account import encode_batch
from keeper.venues.effects import Call, Insists

SYMBOLS = ("WETH", "WBTC", "DAI", "USDC", "EURC")
MARKET = AaveMarket(
    Address("0x" + "1" * 40),
    Address("0x" + "2" * 40),
    USD,
    tuple(
        Listing(at(s), s, 18, at("f" + s), index=i, a_token=at("a" + s), debt_token=at("d" + s))
        for i, s in enumerate(SYMBOLS)
    ),
)
SALE = (Withdraw(at("WETH"), Amount(1)), Repay(at("USDC"), Amount(1)))
LOOP = position(holding("WETH", 10), holding("USDC", 0, 12_000))


def insisted(of: LendingPosition, *moves: Any) -> dict[Address, int]:
    """Asset → the least that is insisted on, as the gate reads it."""
    found = {}
    for call in insist(moves or SALE, of, MARKET):
        (effect,) = MARKET.decoders()[call.to](call)
        assert isinstance(effect, Insists)
        assert effect.beneficiary == OWNER
        found[effect.asset] = effect.least
    return found


def test_a_sale_insists_on_the_collateral_it_was_made_from() -> None:
    """One part in a hundred may be gone: a sale too large by less does no harm."""
    assert insisted(LOOP) == {at("WETH"): 99 * 10**17}
    assert insisted(LOOP, Borrow(at("USDC"), Amount(1))) == {at("WETH"): 99 * 10**17}


def test_what_only_pays_in_insists_on_nothing() -> None:
    """It does no harm to whatever is left."""
    assert insisted(LOOP, Supply(at("WETH"), Amount(1)), Repay(at("USDC"), Amount(1))) == {}


def test_every_collateral_that_matters_is_insisted_on() -> None:
    """A liquidator chooses which he takes; a trifle, what secures nothing and what nobody may move are left out."""
    of = position(
        holding("WETH", 10),
        holding("WBTC", "0.1"),
        holding("DAI", 5),
        holding("EURC", 5_000, is_collateral=False),
        holding("USDC", 0, 12_000),
    )
    assert set(insisted(of)) == {at("WETH"), at("WBTC")}


def test_what_may_not_be_moved_is_not_insisted_on() -> None:
    """A pause keeps liquidators out as well, and would call every rescue off."""
    paused = position(holding("WETH", 10), holding("WBTC", "0.1", is_paused=True), holding("USDC", 0, 12_000))
    assert set(insisted(paused)) == {at("WETH")}
    frozen = position(holding("WETH", 10), holding("WBTC", "0.1", is_frozen=True), holding("USDC", 0, 12_000))
    assert set(insisted(frozen)) == {at("WETH"), at("WBTC")}, "a frozen reserve is liquidated all the same"


def test_the_largest_go_first_and_no_more_than_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs gas."""
    of = position(holding("DAI", 6_000), holding("WETH", 10), holding("WBTC", "0.2"), holding("USDC", 0, 12_000))
    assert list(insisted(of)) == [at("WETH"), at("WBTC"), at("DAI")]
    monkeypatch.setattr(insisting, "MOST", 2)
    assert list(insisted(of)) == [at("WETH"), at("WBTC")]


# --- what a revert is taken for --------------------------------------------------------------------------------------

SALE_CALL = Call(at("pool"), bytes.fromhex("69328dec") + bytes(96), Wei(0), "withdraw")
PANIC = keccak(text="Panic(uint256)")[:4] + encode(("uint256",), (0x11,))


def in_batch(index: int, error: bytes) -> bytes:
    return keccak(text="ExecuteError(uint256,bytes)")[:4] + encode(("uint256", "bytes"), (index, error))


async def taken_for(error: bytes, *, is_batch: bool = True, message: str = "execution reverted") -> Reason:
    (first,) = insist(SALE, LOOP, MARKET)
    call = encode_batch(OWNER, (first, SALE_CALL), "all") if is_batch else SALE_CALL

    class Node:
        async def request(self, method: str, *_: object) -> Any:
            raise NodeRefusedError("node", method, 3, message, "0x" + error.hex())

    row = SimpleNamespace(signer=OWNER, to=call.to, data="0x" + call.data.hex(), value=0, gas_limit=1_000_000)
    reason, _ = await why_reverted(Node(), row, Receipt("0x1", False, 1, "0x2", 100_000, Wei(1)))  # type: ignore[arg-type]
    return reason


async def test_a_batch_that_goes_back_for_what_it_insisted_on_was_overtaken() -> None:
    """Whatever the token says: it is the call that tells, not its words."""
    assert await taken_for(in_batch(0, PANIC)) is Reason.POSITION_CHANGED
    assert await taken_for(in_batch(0, b"")) is Reason.POSITION_CHANGED
    assert await taken_for(in_batch(1, PANIC)) is Reason.REVERTED


@pytest.mark.parametrize("name", ["NoDebtOfSelectedType", "NotEnoughAvailableUserBalance"])
@pytest.mark.parametrize("is_batch", [True, False])
async def test_a_debt_or_a_balance_that_is_gone_says_that_somebody_was_there(name: str, is_batch: bool) -> None:
    """Call by call as well, by the market's own errors of every version."""
    error = error_selector(name)
    assert await taken_for(in_batch(1, error) if is_batch else error, is_batch=is_batch) is Reason.POSITION_CHANGED


@pytest.mark.parametrize("code", ["39", "32"])
async def test_so_do_the_codes_of_earlier_versions(code: str) -> None:
    """Aave v3.0 to v3.2 say numbers."""
    error = keccak(text="Error(string)")[:4] + encode(("string",), (code,))
    assert await taken_for(error, is_batch=False) is Reason.POSITION_CHANGED


async def test_a_price_is_still_a_price() -> None:
    """And widens what the next sale may lose, which somebody else's deed does not."""
    error = keccak(text="Error(string)")[:4] + encode(("string",), ("STF",))
    assert await taken_for(in_batch(1, error)) is Reason.PRICE_MOVED


def test_to_be_overtaken_is_no_try() -> None:
    """It says nothing against the plan's calls."""
    assert Reason.POSITION_CHANGED.code in NO_FAULT_OF_THE_PLAN
