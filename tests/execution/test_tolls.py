"""What a rollup charges for its parent chain is in the gas limit, in the money check and in no other chain's way."""

from __future__ import annotations

from typing import Any

import pytest
from fake_chain import GWEI, FakeChain, Seen
from test_lane import Rig, guidance, rig  # noqa: F401 - a fixture

from keeper.chain.errors import NodeRefusedError
from keeper.chain.tolls import FRESH_S, NO_TOLL, NODE_INTERFACE, NONE_FRESH_S, ORACLE, SAMPLE, Toll, Tolls
from keeper.core.reasons import Reason
from keeper.execution.course import SendFailedError


def word(value: int) -> str:
    return f"{value:064x}"


def op_stack(chain: FakeChain, wei: int) -> None:
    chain.answers[ORACLE] = "0x" + word(wei)


def arbitrum(chain: FakeChain, gas: int) -> None:
    chain.answers[NODE_INTERFACE] = "0x" + word(gas) + word(10**7) + word(10**9)


def tolls(chain: Any, now: list[float]) -> Tolls:
    return Tolls(chain, lambda: now[0])


async def test_each_kind_of_rollup_is_recognised_by_what_it_answers() -> None:
    """Once; a chain that is none is never asked again."""
    now, chain, asked = [0.0], FakeChain(), list[str]()
    original = chain._eth_call
    chain._eth_call = lambda call, at: asked.append(call["to"]) or original(call, at)  # type: ignore[method-assign,func-returns-value]
    none = tolls(chain, now)
    assert await none.now() == NO_TOLL
    now[0] += 10 * FRESH_S
    assert await none.now() == NO_TOLL
    assert asked == [ORACLE, NODE_INTERFACE]
    op_stack(chain, 7)
    assert await tolls(chain, now).now() == Toll(wei=7)
    chain.answers.clear()
    arbitrum(chain, 90_000)
    assert await tolls(chain, now).now() == Toll(gas=90_000)


async def test_a_contract_that_reverts_there_is_no_oracle() -> None:
    """Nor is one that answers otherwise."""
    chain = FakeChain()

    def reverts(*_: Any) -> str:
        raise NodeRefusedError("fake", "eth_call", 3, "execution reverted", "0x")

    chain._eth_call = reverts  # type: ignore[method-assign]
    assert await tolls(chain, [0.0]).now() == NO_TOLL


@pytest.mark.parametrize("why", ["internal error", "header not found", "upstream is gone"])
async def test_a_node_that_cannot_say_leaves_open_what_the_chain_charges(why: str) -> None:
    """Taken for a chain without tolls it would be one until the next start."""
    now, chain = [0.0], FakeChain()
    op_stack(chain, 7)
    original = chain._eth_call

    def refuses(*_: Any) -> str:
        raise NodeRefusedError("fake", "eth_call", -32000, why, None)

    chain._eth_call = refuses  # type: ignore[method-assign]
    asked = tolls(chain, now)
    assert await asked.now() == NO_TOLL
    chain._eth_call = original  # type: ignore[method-assign]
    now[0] += 1
    assert await asked.now() == Toll(wei=7)


async def test_a_chain_that_seemed_to_charge_nothing_is_asked_again_in_an_hour() -> None:
    """A node may have answered nothing for a while."""
    now, chain = [0.0], FakeChain()
    asked = tolls(chain, now)
    assert await asked.now() == NO_TOLL
    op_stack(chain, 7)
    now[0] += NONE_FRESH_S - 1
    assert await asked.now() == NO_TOLL
    now[0] += 2
    assert await asked.now() == Toll(wei=7)


async def test_a_toll_that_one_of_two_nodes_exaggerates_is_not_believed() -> None:
    """It would make every rescue too dear."""

    class Two(FakeChain):
        def __init__(self, said: list[str]) -> None:
            super().__init__()
            self.said = said

        async def each(self, decode: Any, _: str, call: dict[str, str], __: Any) -> list[Any]:
            return [decode("a", one if call["to"] == ORACLE else "0x") for one in self.said]

    for liar_first in (False, True):
        said = ["0x" + word(7), "0x" + word(10**30)]
        two: Any = Two(said[::-1] if liar_first else said)
        assert await tolls(two, [0.0]).now() == Toll(wei=7)


async def test_the_price_is_asked_for_again_when_it_is_old_and_kept_when_nobody_says() -> None:
    """The parent chain's price moves; an outage does not make it nothing."""
    now, chain = [0.0], FakeChain()
    op_stack(chain, 7)
    known = tolls(chain, now)
    await known.now()
    op_stack(chain, 70)
    assert (await known.now()).wei == 7
    now[0] += FRESH_S
    assert (await known.now()).wei == 70
    now[0] += FRESH_S
    chain.is_away = True
    assert (await known.now()).wei == 70


@pytest.mark.parametrize("size", [0, 4, 68, 300, 5000])
def test_a_call_is_never_charged_less_than_its_share(size: int) -> None:
    """From above: envelope and a margin included."""
    toll = Toll(wei=10**12, gas=50_000)
    assert toll.wei_for(size) * len(SAMPLE) >= toll.wei * size
    assert toll.gas_for(size) * len(SAMPLE) >= toll.gas * size
    assert toll.wei_for(size) > 0


async def test_the_parent_chain_s_part_is_in_the_gas_limit(rig: Rig) -> None:  # noqa: F811
    """Arbitrum charges it as gas: no refusal is needed to find that out."""
    arbitrum(rig.chain, 200_000)
    extra = Toll(gas=200_000).gas_for(1)
    rig.chain.refuses = lambda seen: "intrinsic gas too low" if seen.gas < 100_000 + extra else None
    rig.clock.at = [(2, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance())
    assert [seen.gas for seen in rig.chain.log] == [100_000 + extra]


async def test_the_parent_chain_s_fee_is_left_in_the_purse(rig: Rig) -> None:  # noqa: F811
    """The OP stack charges it beside the gas: the first offer leaves room for it."""
    rig.chain.balance, extra = 22 * GWEI * 100_000, 4 * GWEI * 100_000
    op_stack(rig.chain, extra * 6)

    def poor(seen: Seen) -> str | None:
        return "insufficient funds" if seen.max_fee * seen.gas + extra > rig.chain.balance else None

    rig.chain.refuses = poor
    rig.clock.at = [(2, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance())
    assert len(rig.chain.log) == 1


async def test_money_that_covers_the_gas_and_not_the_parent_chain_signs_nothing(rig: Rig) -> None:  # noqa: F811
    """It is known before anything is signed, and said."""
    rig.chain.balance = 22 * GWEI * 100_000
    op_stack(rig.chain, 22 * GWEI * 100_000 * 8)
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance())
    assert failed.value.reason is Reason.NO_GAS_MONEY
    assert rig.chain.log == []
