"""A market that does not count in dollars is read beside one that does: else nobody says what its money is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from core_builders import BLOCK, OWNER

from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.units import Address
from keeper.settings.load import _network, _read
from keeper.settings.model import Network, Position
from keeper.settings.schema import NETWORK_FILE
from keeper.snapshot.discovery import Survey
from keeper.venues.ports import ReadFailedError, VenueTable

FILE = Path(__file__).parents[2] / "config/networks/ethereum.toml"
MARKET = "0x" + "ab" * 32


class Market:
    def __init__(self, counts_in: str | None) -> None:
        self.counts_in = counts_in


class Found(Survey):
    """A survey whose markets are there without a chain; ``gone`` cannot be read."""

    gone: tuple[str, ...] = ()

    async def _market(self, block: Any, table: VenueTable) -> Any:
        if table.name in self.gone:
            raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, "not there"))
        return Market("0xloan" if table.part or "money" in table.addresses else None)


@pytest.fixture
def network() -> Network:
    return _network(NETWORK_FILE.model_validate(_read(FILE)))


def survey(network: Network, *positions: tuple[str, str | None]) -> Found:
    named = [Position(f"p{i}", venue, Address(OWNER), None, market) for i, (venue, market) in enumerate(positions)]
    return Found(None, network, named, ())  # type: ignore[arg-type]


async def test_a_market_of_another_money_brings_one_that_counts_in_dollars(network: Network) -> None:
    """The first of the network file."""
    found = await survey(network, ("morpho_blue", MARKET))._markets(BLOCK)
    assert list(found) == [f"morpho_blue {MARKET}", "aave_v3"]


async def test_one_that_is_there_is_enough(network: Network) -> None:
    """Whatever its protocol."""
    found = await survey(network, ("morpho_blue", MARKET), ("compound_v3", "compound-usdc"))._markets(BLOCK)
    assert list(found) == [f"morpho_blue {MARKET}", "compound-usdc"]


async def test_a_market_with_prices_in_ether_wants_one_as_well(network: Network) -> None:
    """It is not the venue that says it, but the market."""
    found = await survey(network, ("compound_v3", "compound-weth"))._markets(BLOCK)
    assert list(found) == ["compound-weth", "aave_v3"]


async def test_one_that_nobody_is_in_blinds_nobody(network: Network) -> None:
    """The next one does."""
    of = survey(network, ("morpho_blue", MARKET))
    of.gone = ("aave_v3",)
    assert list(await of._markets(BLOCK)) == [f"morpho_blue {MARKET}", "spark"]


async def test_without_a_loan_the_first_market_has_prices_all_the_same(network: Network) -> None:
    """Of gas, and of what wallets hold."""
    assert list(await survey(network)._markets(BLOCK)) == ["aave_v3"]
