"""Lending markets are tables of the network file; positions choose by name; files of today load as they did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keeper import resources
from keeper.settings import Settings, SettingsError, futile
from keeper.venues.ports import VenueTable
from keeper.venues.registry import EXCHANGES, VENUES, Form

Load = Callable[..., Settings]
Faults = Callable[..., list[str]]
SPARK = "0x02C3eA4e34C0cBd694D2adFa2c690EECbC1793eE"
TABLE = f'\n[markets.fork]\nvenue = "aave_v3"\npool_addresses_provider = "{SPARK}"\n'
OWNER = "owner = "


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Ethereum's file, to be changed."""
    text = (resources.folder("networks") / "ethereum.toml").read_text(encoding="utf-8")
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    return tmp_path / "own.toml"


def test_the_table_of_today_is_the_market_of_its_venue(load_text: Load) -> None:
    """Nothing has to be written anew."""
    found = load_text()
    table, spark = (table for table in found.network.markets if table.venue == "aave_v3")
    assert (table.name, table.venue, table.place) == ("aave_v3", "aave_v3", "aave_v3")
    assert found.network.market_of(found.positions[0]) is table
    assert (spark.name, spark.venue) == ("spark", "aave_v3")


def test_a_market_has_a_table_of_its_own_and_a_position_names_it(load_text: Load, own: Path) -> None:
    """Who names none is in the one that is called as its venue."""
    own.write_text(own.read_text() + TABLE)
    plain, named = (
        load_text(('"ethereum"', '"own.toml"')),
        load_text(('"ethereum"', '"own.toml"'), (OWNER, 'market = "fork"\nowner = ')),
    )
    assert str(plain.network.market_of(plain.positions[0])).startswith("aave_v3.")
    fork = VenueTable("fork", "aave_v3", {"pool_addresses_provider": SPARK})
    assert named.network.market_of(named.positions[0]) == fork
    assert str(fork) == f"markets.fork.pool_addresses_provider {SPARK}"


@pytest.mark.parametrize(
    ("chain_id", "line", "follows"),
    [(1, "", True), (1, "follows_clock = false\n", False), (31337, "", False), (31337, "follows_clock = true\n", True)],
)
def test_blocks_of_a_development_chain_carry_a_time_of_their_own(
    load_text: Load, own: Path, chain_id: int, line: str, follows: bool
) -> None:
    """Everywhere else a block far from the machine's clock forbids trades, unless the file says that it may be."""
    own.write_text(line + own.read_text().replace("chain_id = 1\n", f"chain_id = {chain_id}\n"))
    assert load_text(('"ethereum"', '"own.toml"')).network.follows_clock is follows


def test_a_network_needs_no_lending_market(load_text: Load, own: Path) -> None:
    """Then there is none, and nothing else changes."""
    text = own.read_text()
    begin, end = text.index("[aave_v3]"), text.index("[uniswap_v3]")
    own.write_text(text[:begin] + text[end:])
    found = load_text(('"ethereum"', '"own.toml"'))
    assert found.network.markets == ()
    assert found.network.market_of(found.positions[0]) is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            'venue = "perp_v3"',
            "venue: 'perp_v3' is no venue and no exchange; known: aave_v3, ",
        ),
        ('venue = "aave_v3"', "pool_addresses_provider: is missing"),
        (f'venue = "aave_v3"\npool = "{SPARK}"', "pool: is not a key of a aave_v3 market"),
        ('venue = "aave_v3"\npool_addresses_provider = 7', "pool_addresses_provider"),
    ],
)
def test_a_table_that_is_none_is_refused(load_text: Load, own: Path, table: str, said: str) -> None:
    """With the key, the fault and what there is."""
    own.write_text(f"{own.read_text()}\n[markets.other]\n{table}\n")
    with pytest.raises(SettingsError) as refused:
        load_text(('"ethereum"', '"own.toml"'))
    assert "own.toml: markets.other" in str(refused.value)
    assert said in str(refused.value)


def test_a_side_is_not_for_a_lending_position(faults: Faults) -> None:
    """A market is; what else a perpetual has is not."""
    (fault,) = faults((OWNER, 'side = "long"\nowner = '))
    assert fault == "positions[0].side (in 'eth-loop'): is not for aave_v3; leave it out"


def test_every_venue_has_a_line_of_its_own() -> None:
    """Its table has an address at least, and no key is one that positions both may and must name."""
    for key, venue in VENUES.items():
        assert venue.key == key
        assert any(k.form is Form.ADDRESS and k.is_needed for k in venue.keys)
        assert not set(venue.may_name) & set(venue.must_name)
    assert [key for key in EXCHANGES if key in VENUES] == []


GMX = ["data_store", "reader", "exchange_router", "router", "order_vault", "event_emitter", "referral_storage"]
NAMED = '[markets.{0}]\nvenue = "gmx_v2"\n' + "".join(f'{key} = "{SPARK}"\n' for key in GMX)
SHORT = """
[[positions]]
name = "short"
venue = "gmx_v2"
owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
market = "{0}"
collateral = "USDC"
side = "short"
"""
ONE, TWO = '"0x' + "1" * 40 + '"', '"0x' + "2" * 40 + '"'


def test_a_perpetual_venue_may_have_several_tables_of_which_a_position_names_one(
    load_text: Load, own: Path, good: str
) -> None:
    """As a lending market has; the markets it knows by name are those of its own table."""
    own.write_text(
        own.read_text()
        + f"{NAMED.format('old')}[markets.old.markets]\nSOL = {ONE}\n"
        + f"{NAMED.format('new')}[markets.new.markets]\nDOGE = {TWO}\n"
    )
    text = good.replace('"ethereum"', '"own.toml"')
    found = load_text(text=text + SHORT.format("DOGE") + 'table = "new"\n')
    position = found.positions[1]
    table = found.network.perp(position.venue, position.table)
    assert table is not None
    assert (table.name, table.place, dict(table.markets)) == ("new", "markets.new", {"DOGE": TWO.strip('"')})
    assert futile(found) == []
    (other,) = futile(load_text(text=text + SHORT.format("SOL") + 'table = "new"\n'))
    assert "there is no market 'SOL'; known: DOGE" in other
    (none,) = futile(load_text(text=text + SHORT.format("SOL")))
    assert "has several tables of gmx_v2; write `table`, one of new, old" in none
    (unknown,) = futile(load_text(text=text + SHORT.format("SOL") + 'table = "ald"\n'))
    assert "there is no table 'ald'" in unknown


def test_the_only_table_of_a_perpetual_venue_needs_no_name(load_text: Load, own: Path, good: str) -> None:
    """However it is called."""
    own.write_text(f"{own.read_text()}{NAMED.format('old')}[markets.old.markets]\nSOL = {ONE}\n")
    found = load_text(text=good.replace('"ethereum"', '"own.toml"') + SHORT.format("SOL"))
    table = found.network.perp("gmx_v2")
    assert table is not None
    assert table.name == "old"


def test_a_loan_names_its_table_by_its_market(faults: Faults) -> None:
    """One word for one thing."""
    (fault,) = faults((OWNER, 'table = "aave_v3"\nowner = '))
    assert "is for perpetual venues; a lending position names its table by `market`" in fault


def test_one_account_at_two_tables_is_two(faults: Faults, load_text: Load, own: Path, good: str) -> None:
    """A book may have both: they are other contracts."""
    tables = [f"{NAMED.format(name)}[markets.{name}.markets]\nETH = {ONE}\n" for name in ("old", "new")]
    own.write_text(own.read_text() + "".join(tables))
    text = good.replace('"ethereum"', '"own.toml"') + "".join(
        SHORT.format("ETH").replace('"short"\nvenue', f'"{name}"\nvenue') + f'table = "{name}"\n'
        for name in ("old", "new")
    )
    book = '[[books]]\nname = "eth"\npositions = ["eth-loop"]\nhedge = ["old", "new"]\n'
    assert load_text(text=text + book).books[0].hedges == ("old", "new")


POOLS = f"""
[markets.sushi]
venue = "uniswap_v3"
factory = "{SPARK}"
quoter_v2 = "{SPARK}"
swap_router_02 = "{SPARK}"
"""


def test_a_second_exchange_is_a_table_more(load_text: Load, own: Path) -> None:
    """A fork of one that is known needs its addresses and a name; what it leaves out is as usual."""
    own.write_text(own.read_text() + POOLS)
    first, second = load_text(('"ethereum"', '"own.toml"')).network.exchanges
    assert (first.name, second.name, second.place) == ("uniswap_v3", "sushi", "markets.sushi")
    assert second.numbers == {"fee_tiers": (100, 500, 3000, 10_000)}


@pytest.mark.parametrize("name", ["market", "aave_v3", "uniswap_v3", "gmx_v2"])
def test_a_table_has_a_name_of_its_own(load_text: Load, own: Path, name: str) -> None:
    """None that is a venue's, and not the one that plans call a position's own market by."""
    own.write_text(own.read_text() + POOLS.replace("sushi", name))
    with pytest.raises(SettingsError, match=f"markets.{name}: is no name to choose"):
        load_text(('"ethereum"', '"own.toml"'))


@pytest.mark.parametrize("tiers", ["[0]", "[1000000]", '["500"]', "500"])
def test_fee_tiers_are_millionths(load_text: Load, own: Path, tiers: str) -> None:
    """In a table of its own name, and in one more."""
    own.write_text(f"{own.read_text()}{POOLS}fee_tiers = {tiers}\n")
    with pytest.raises(SettingsError, match=r"markets.sushi.*fee_tiers"):
        load_text(('"ethereum"', '"own.toml"'))


@pytest.mark.parametrize("market", ['market = "wsteth-usdc"\n', 'market = "0x1234"\n', ""])
def test_an_isolated_market_is_named_by_its_whole_id(load_text: Load, market: str) -> None:
    """Of many in one contract no name is one; what is missing or too short is said with what to write."""
    with pytest.raises(SettingsError) as refused:
        load_text(('venue = "aave_v3"\n', f'venue = "morpho_blue"\n{market}'))
    (fault,) = [f for f in refused.value.faults if "market" in f]
    assert "64 hexadecimal digits" in fault or "is missing" in fault


def test_two_isolated_markets_are_two_markets(load_text: Load) -> None:
    """Each with a name of its own; its place in the network file is the table of both."""
    found = load_text(('venue = "aave_v3"\n', f'venue = "morpho_blue"\nmarket = "0x{"AB" * 32}"\n'))
    table = found.network.market_of(found.positions[0])
    assert table is not None
    assert (table.part, table.place) == ("0x" + "ab" * 32, "morpho_blue")
    assert table.name != "morpho_blue"
