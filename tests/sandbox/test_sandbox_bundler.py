"""The stand-in for Morpho's bundler refuses what the real one refused, with the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bundler3_recordings import SCENARIOS
from eth_utils.address import to_checksum_address
from web3.exceptions import ContractLogicError

from sandbox.world import World

pytestmark = pytest.mark.world
FAILED = SCENARIOS["08_failures"]
HASHED = range(58)
"""Steps up to here take a loan whose calls are hashed: with this world's addresses they are other bytes."""
AFTER = 72
"""Likewise."""
REFUSED = [s for s in FAILED["steps"] if s["kind"] == "call_revert" and s["i"] not in HASHED and s["i"] < AFTER]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start() as running:
        yield running


def here(world: World, calldata: str) -> str:
    """Recorded bytes with the addresses of this world in the place of the recording's."""
    at, ours = FAILED["contracts"], world.addresses
    replaced = {
        at["Bundler3"]: ours["bundler"]["bundler"],
        at["GeneralAdapter1"]: ours["bundler"]["general_adapter"],
        at["Morpho"]: ours["bundler"]["lender"],
        at["AaveV3MigrationAdapter"]: ours["bundler"]["adapter"],
        at["AaveV3Pool"]: ours["aave"]["pool"],
        at["SwapRouter02"]: ours["uniswap"]["swap_router_02"],
        at["WETH"]: ours["tokens"]["WETH"],
        at["USDC"]: ours["tokens"]["USDC"],
        at["aWETH"]: ours["a_tokens"]["WETH"],
    }
    for theirs, mine in replaced.items():
        calldata = calldata.replace(theirs[2:].lower(), mine[2:].lower())
    return calldata


def test_the_recording_has_refusals_of_every_kind() -> None:
    """What a shorter list would no longer try."""
    assert {s["error"]["signature"] for s in REFUSED} == {
        "IncorrectReenterHash()",
        "MissingExpectedReenter()",
        "EmptyBundle()",
        "ZeroAmount()",
        "UnauthorizedSender()",
        "AdapterAddress()",
        "ZeroAddress()",
        "AlreadyInitiated()",
    }


@pytest.mark.parametrize("step", REFUSED, ids=lambda s: s["label"])
def test_a_refusal_is_the_real_one_s(world: World, step: dict[str, Any]) -> None:
    """The same call, from the same side, reverts with the same data."""
    to, data = (here(world, text.lower()) for text in (step["to"], step["calldata"]))
    request: Any = {"from": world.account(0).address, "to": to_checksum_address(to), "data": data}
    with pytest.raises(ContractLogicError) as refused:
        world.w3.eth.call(request)
    assert refused.value.data == step["revert_data"]


def test_the_adapter_has_lent_each_asset_once_as_on_a_live_chain(world: World) -> None:
    """It approves its lender at the first loan and for ever, which no rescue pays for; no hand holds anything."""
    at = {name: to_checksum_address(found) for name, found in world.addresses["bundler"].items()}
    for symbol in world.addresses["tokens"]:
        token = world.token(symbol)
        if token.functions.balanceOf(at["lender"]).call() == 0:
            continue
        assert token.functions.allowance(at["general_adapter"], at["lender"]).call() > 2**128
        assert not any(world.balance(symbol, at[hand]) for hand in ("bundler", "general_adapter", "adapter"))
