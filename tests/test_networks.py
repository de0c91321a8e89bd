"""The shipped network files: addresses are data, and data is checked too."""

import re
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import is_checksum_address

NETWORKS = Path(__file__).resolve().parent.parent / "config" / "networks"
CHAIN_IDS = {
    "ethereum": 1,
    "arbitrum": 42161,
    "base": 8453,
    "optimism": 10,
    "polygon": 137,
    "avalanche": 43114,
    "bnb": 56,
    "spark": 1,
}
ROLLUPS = {"arbitrum", "base", "optimism"}
DURATION = re.compile(r"\d+(ms|s|m|h)")

every_network = pytest.mark.parametrize("name", CHAIN_IDS)


def parsed(name: str) -> dict[str, Any]:
    return tomllib.loads((NETWORKS / f"{name}.toml").read_text(), parse_float=Decimal)


def leaves(table: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def test_every_shipped_market_is_known_here() -> None:
    """A file added without its chain id being checked would go unnoticed."""
    shipped = {file.stem for file in NETWORKS.glob("*.toml")} - {"sandbox"}
    assert shipped == set(CHAIN_IDS)


@every_network
def test_a_network_states_its_own_name_and_chain(name: str) -> None:
    """The keeper refuses a node of another chain by this number."""
    assert (parsed(name)["name"], parsed(name)["chain_id"]) == (name, CHAIN_IDS[name])


@every_network
def test_every_address_is_a_checksummed_string(name: str) -> None:
    """An unquoted address would be read as an integer, a mistyped one fails its checksum."""
    addresses = [(key, value) for key, value in leaves(parsed(name)) if str(value).startswith("0x")]
    assert len(addresses) >= 6
    assert [key for key, value in addresses if not is_checksum_address(value)] == []
    assert not re.search(r"=\s*0x", (NETWORKS / f"{name}.toml").read_text())
    assert [key for key, value in leaves(parsed(name)) if isinstance(value, int) and value > 2**32] == []


@every_network
def test_the_header_names_each_package_with_its_version(name: str) -> None:
    """An address without a source cannot be checked by the owner."""
    header = (NETWORKS / f"{name}.toml").read_text().split("\n\n")[0]
    assert re.search(r"@uniswap/sdk-core@\d+\.\d+\.\d+", header)
    assert re.search(r"(aave-address-book@\d+\.\d+\.\d+|spark-address-registry)", header)


@every_network
def test_a_perp_exchange_is_named_with_its_package_and_markets(name: str) -> None:
    """Markets that the account is not in cannot be found on chain: they are listed."""
    table = parsed(name).get("perp_v2")
    assert (table is not None) == (name == "optimism")
    if table is not None:
        assert {"ETH", "BTC"} <= table["markets"].keys()
        header = (NETWORKS / f"{name}.toml").read_text().split("\n\n")[0]
        assert re.search(r"@perp/curie-deployments@[\d.-]+", header)


@every_network
def test_only_rollups_have_a_sequencer_to_watch(name: str) -> None:
    """A sequencer feed on a chain without one would hold every sale."""
    assert ("sequencer_feed" in parsed(name)["price_safety"]) == (name in ROLLUPS)


@every_network
def test_every_duration_carries_its_unit(name: str) -> None:
    """A bare number would leave seconds and minutes to guessing."""
    named = ("block_time", "grace", "heartbeat", "window")
    durations = [value for key, value in leaves(parsed(name)) if key.endswith(named)]
    assert len(durations) >= 3
    assert [value for value in durations if not DURATION.fullmatch(value)] == []


@every_network
def test_gmx_is_named_with_its_package_and_markets(name: str) -> None:
    """Where it lives: on Arbitrum and Avalanche."""
    table = parsed(name).get("gmx_v2")
    assert (table is not None) == (name in {"arbitrum", "avalanche"})
    if table is not None:
        header = (NETWORKS / f"{name}.toml").read_text().split("\n\n")[0]
        assert re.search(r"@gmx-io/sdk@\d+\.\d+\.\d+", header)
        assert {"BTC", "ETH", "SOL"} <= set(table["markets"])
        assert len(set(table["markets"].values())) == len(table["markets"])


@pytest.mark.parametrize("name", ["arbitrum", "avalanche"])
def test_tokens_without_a_contract_have_a_name(name: str) -> None:
    """Index tokens that cannot say what they are, collateral that is what is traded: from the exchange's tables."""
    tokens = parsed(name)["gmx_v2"]["tokens"]
    assert {"BTC", "ETH", "SOL", "DOGE", "XRP"} <= set(tokens)
    places = [place for listed in tokens.values() for place in listed]
    assert all(is_checksum_address(place) for place in places)
    assert len(set(places)) == len(places)


def test_wrapped_bitcoin_and_the_index_without_a_contract_are_both_bitcoin() -> None:
    """On Arbitrum; the keeper's own settings read them so."""
    tokens = parsed("arbitrum")["gmx_v2"]["tokens"]["BTC"]
    assert {
        "0x47904963fc8b2340414262125aF798B9655E58Cd",
        "0x2f2a2543B76A4166549F7aaB2e75Bef0aefC5B0f",
    } <= set(tokens)


@every_network
def test_morphos_bundler_is_named_where_it_speaks_to_the_main_market(name: str) -> None:
    """With its package; a lender without an adapter for a market of the file would be of no use."""
    table = parsed(name).get("bundler3")
    assert (table is not None) == (name in ("ethereum", "arbitrum", "base", "polygon"))
    if table is not None:
        comets = {name for name, of in parsed(name).get("markets", {}).items() if of["venue"] == "compound_v3"}
        assert set(table["adapters"]) == {"aave_v3", *comets}
        assert len({table["adapters"][comet] for comet in comets}) == 1  # one adapter is for all of these
        header = (NETWORKS / f"{name}.toml").read_text().split("\n\n")[0]
        assert re.search(r"@morpho-org/morpho-ts@[\d.]+", header)


def test_staked_ether_says_what_it_stands_for() -> None:
    """By its own contract, whose address is the asset's in the address book that the header names; none is guessed."""
    assets = parsed("ethereum")["price_safety"]["assets"]
    assert {s: (x["backed_by"], x["rate"]) for s, x in assets.items() if "rate" in x} == {
        "wstETH": ("WETH", "0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0"),
        "rETH": ("WETH", "0xae78736Cd615f374D3085123A210448E74Fc6393"),
    }
    others = [name for name in CHAIN_IDS if name != "ethereum"]
    assert all("rate" not in x for name in others for x in parsed(name)["price_safety"].get("assets", {}).values())


def test_the_compound_v2_family_is_where_its_own_packages_have_it() -> None:
    """Read from the pinned package that the header names; on no other chain is one guessed."""
    found = {
        n: t["comptroller"] for n in CHAIN_IDS for t in parsed(n).get("markets", {}).values() if "comptroller" in t
    }
    assert found == {
        "base": "0xfBb21d0380beE3312B33c4353c8936a0F13EF26C",
        "optimism": "0xCa889f40aae37FFf165BccF69aeF1E82b5C511B9",
        "bnb": "0xfD36E2c2a6789Db23113685031d7F16329158384",
    }
    for name in found:
        header = (NETWORKS / f"{name}.toml").read_text().split("\n\n")[0]
        package = "@venusprotocol/venus-protocol" if name == "bnb" else "@moonwell-fi/moonwell-sdk"
        assert re.search(rf"{package}@[\d.]+", header)


def test_a_year_of_venus_has_as_many_blocks_as_its_chain_makes() -> None:
    """Rates by the block mean nothing beside another block time: the two packages agree."""
    found = parsed("bnb")
    made = 31_536_000_000 // int(found["block_time"].removesuffix("ms"))
    assert found["markets"]["venus"]["blocks_per_year"] == made
