"""One wrong field: the message names it, says what is wrong with it and what to write instead."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.units import Address
from keeper.service.app import opened
from keeper.settings import Settings, SettingsError, load
from keeper.settings.fields import as_address, as_decimal, as_seconds
from keeper.settings.model import NamedAccount

Faults = Callable[..., list[str]]
Load = Callable[..., Settings]
OWNER = '"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"'


def test_an_unknown_key_is_refused_with_the_nearest_known_one(faults: Faults) -> None:
    """A misspelt limit that is silently ignored is no limit."""
    assert faults(("actions =", "cooldwon = '5m'\nactions =")) == [
        "rules[0].cooldwon (in 'protect'): unknown key; did you mean 'cooldown'?"
    ]


def test_an_unknown_key_like_no_other_lists_the_known_ones(faults: Faults) -> None:
    """Guessing at a suggestion would mislead."""
    (fault,) = faults(("[network]", "[network]\nzzz = 1"))
    assert fault == "network.zzz: unknown key; known here: file, rpc_url, nodes, private_blocks, max_lag_blocks"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ('when = { health_factor_belo = "1.25" }', "rules[0].when.health_factor_belo (in 'protect'): unknown key; did"),
        ('restore = { healthfactor = "1.6" }', "rules[0].restore.healthfactor (in 'protect'): unknown key; did you"),
        ("limits = { max_slipage_bps = 50 }", "rules[0].limits.max_slipage_bps (in 'protect'): unknown key; did you"),
    ],
)
def test_unknown_keys_of_inner_tables_have_their_place_too(faults: Faults, place: str, said: str) -> None:
    """The place is written as in the file, without words of the schema's own."""
    key = place.split(" =", maxsplit=1)[0]
    old = {
        "when": 'when = { health_factor_below = "1.25" }',
        "restore": 'restore = { health_factor = "1.60" }',
        "limits": "actions =",
    }[key]
    new = place if key != "limits" else f"{place}\nactions ="
    assert any(fault.startswith(said) for fault in faults((old, new)))


@pytest.mark.parametrize("key", ["name", "venue", "owner"])
def test_a_missing_key_is_named(faults: Faults, good: str, key: str) -> None:
    """The line of the position that lacks it says which position."""
    head, tail = good.split("[[positions]]")
    block, rules = tail.split("[[rules]]")
    kept = "\n".join(line for line in block.splitlines() if not line.startswith(f"{key} "))
    said = faults(text=f"{head}[[positions]]{kept}\n[[rules]]{rules}")
    assert any(fault.startswith(f"positions[0].{key}") and fault.endswith("is missing") for fault in said)


def test_a_file_without_positions_has_nothing_to_keep(faults: Faults, good: str) -> None:
    """A keeper that keeps nothing would look healthy for ever."""
    assert "positions: is missing" in faults(text=good.partition("[[signers]]")[0])


def test_one_bracket_where_two_belong_is_explained(faults: Faults, good: str) -> None:
    """[rules] and [[rules]] look alike, and TOML takes both."""
    (fault,) = faults(text=good.replace("[[rules]]", "[rules]"))
    assert fault == "rules (in 'protect'): is one table; it is a list of tables: write [[rules]] with two brackets"


@pytest.mark.parametrize("value", ['"0x123"', '"vitalik"', '""', f'"{"3C44CdDd" * 5}"', "true", "[]"])
def test_an_address_that_is_none_is_refused(faults: Faults, value: str) -> None:
    """Neither is a name without its dot."""
    (fault,) = faults((OWNER, value))
    assert fault.startswith("positions[0].owner (in 'eth-loop'): ")
    assert fault.endswith(("is not an address: write 0x and 40 hex digits, in quotes", 'in quotes: "0x…"'))


def test_a_name_of_ens_stands_for_an_address_until_it_is_looked_up(load_text: Load) -> None:
    """As it is hashed, with the place where it is written; with its address it is an account like any other."""
    unknown = load_text((OWNER, '"Vitalik.ETH"'))
    assert unknown.has_unknown_names
    assert unknown.names == (NamedAccount("vitalik.eth", "positions[0].owner (in 'eth-loop')", None),)
    whose = Address("0x" + "11" * 20)
    known = load(unknown.path, {}, {"vitalik.eth": whose})
    assert not known.has_unknown_names
    assert known.positions[0].owner == whose


@pytest.mark.parametrize("value", ["vitalik.eth.", "v\u0456talik.eth", "a b.eth", "..", "a." + "\u200d" + ".eth"])
def test_a_name_that_may_be_another_is_refused(faults: Faults, value: str) -> None:
    """A dot at the end, a look-alike, a blank: with the field, the reason and the remedy."""
    (fault,) = faults((OWNER, f'"{value}"'))
    assert fault.startswith("positions[0].owner (in 'eth-loop'): ")
    assert "is no name of ENS: " in fault
    assert fault.endswith("write it anew, or the address itself")


def test_settings_with_an_unknown_name_open_nothing(load_text: Load) -> None:
    """Whatever way they take: no name is ever used as an address."""

    async def work() -> None:
        async with opened(load_text((OWNER, '"vitalik.eth"')), is_live=False):
            raise AssertionError

    with pytest.raises(SettingsError, match="was not looked up"):
        asyncio.run(work())


def test_an_integer_where_an_address_belongs_gets_the_reason(faults: Faults) -> None:
    """TOML reads an unquoted 0x… as a number, which no owner expects."""
    (fault,) = faults((OWNER, OWNER.strip('"')))
    assert "TOML reads an unquoted 0x… as an integer; put the address in quotes" in fault


def test_an_address_with_a_wrong_character_fails_its_checksum(faults: Faults) -> None:
    """Another account would be kept, or another contract approved."""
    (fault,) = faults(("4293BC", "4293Bc"))
    assert fault.endswith("fails its checksum: a character is wrong; copy it again")


@pytest.mark.parametrize("spelling", [str.lower, lambda text: "0x" + text[2:].upper()])
def test_an_address_without_a_checksum_is_taken(load_text: Load, spelling: Callable[[str], str]) -> None:
    """All lower or all upper case carries none, and nodes answer that way."""
    plain = OWNER.strip('"')
    assert load_text((plain, spelling(plain))).positions[0].owner == plain


def test_a_private_key_in_place_of_an_address_is_not_repeated(faults: Faults) -> None:
    """The message goes to a terminal and to a log."""
    key = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
    (fault,) = faults((OWNER, f'"0x{key}"'))
    assert "like a private key" in fault
    assert key[:8] not in fault


@pytest.mark.parametrize("key", ["private_key", "key", "mnemonic", "password", "seed"])
def test_keys_and_passwords_are_refused_in_the_file(faults: Faults, key: str) -> None:
    """A settings file is copied, shown and committed."""
    said = faults(('keystore = "hot.json"', f'{key} = "swordfish"'))
    assert any("keys and passwords never belong in this file" in fault for fault in said)
    assert not any("swordfish" in fault for fault in said)


@pytest.mark.parametrize("value", ['"10"', '"ten minutes"', '"-5m"', "600", '"10m 5s"', '"1 w"', '""', "true"])
def test_a_duration_needs_a_number_and_a_unit(faults: Faults, value: str) -> None:
    """A bare number leaves seconds and minutes to guessing."""
    (fault,) = faults(("actions =", f"cooldown = {value}\nactions ="))
    assert fault.startswith("rules[0].cooldown (in 'protect'): ")
    assert fault.endswith('is not a duration: write a number and a unit, like "90s", "10m", "1h" or "7d"')


def test_a_duration_of_ages_is_refused(faults: Faults) -> None:
    """A limit on everything."""
    assert "longer than ten years" in faults(("actions =", 'cooldown = "99999999d"\nactions ='))[0]


@pytest.mark.parametrize("key", ["rpc_timeout", "poll", "interval", "confirm"])
def test_a_time_limit_of_nothing_is_refused(faults: Faults, good: str, key: str) -> None:
    """Zero would mean no limit to some libraries and at once to others."""
    (fault,) = faults(text=f'{good}\n[daemon]\n{key} = "0s"\n')
    assert fault.startswith(f"daemon.{key}: '0s' must be longer than nothing")


@pytest.mark.parametrize("value", ['"abc"', '"1,25"', '"nan"', '"inf"', '"1e99"', "true", "[1]", '"' + "9" * 80 + '"'])
def test_a_number_that_is_none_is_refused_and_named(faults: Faults, value: str) -> None:
    """Not a number is no bound: every comparison with it is false, so the rule would never fire."""
    (fault,) = faults(('"1.25"', value))
    assert fault.startswith("rules[0].when.health_factor_below (in 'protect'): ")
    assert "number" in fault
    assert len(fault) < 200


@pytest.mark.parametrize("value", ["1.25", '"1.25"', '" 1.25 "', "125e-2"])
def test_a_number_is_exact_with_or_without_quotes(load_text: Load, value: str) -> None:
    """No binary fraction on the way from the file to the rule."""
    assert load_text(('"1.25"', value)).rules[0].trigger.bound == 1_250_000_000_000_000_000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("max_slippage_bps = 0", "greater than or equal to 1"),
        ("max_slippage_bps = 9999", "less than or equal to 2000"),
        ('max_slippage_bps = "50"', "is not a whole number"),
        ("max_slippage_bps = 0.5", "is not a whole number"),
        ("max_slippage_bps = true", "is not a whole number"),
        ("max_spend_per_day_usd = 0", "must be positive; leave the key out for no limit"),
        ("max_spend_per_tx_usd = -1", "must be positive; leave the key out for no limit"),
        ('max_fee_gwei = "-3"', "must be positive; leave the key out for no limit"),
    ],
)
def test_limits_have_bounds_of_their_own(faults: Faults, good: str, line: str, said: str) -> None:
    """A slippage of 100 % or a spend of zero is a slip of the hand."""
    (fault,) = faults(text=f"{good}[rules.limits]\n{line}\n")
    assert fault.startswith(f"rules[0].limits.{line.split(' ', maxsplit=1)[0]} (in 'protect'): ")
    assert said in fault


@pytest.mark.parametrize(
    ("value", "usual", "worst"),
    [
        ("50", 50, 500),
        ("{ usual = 50 }", 50, 500),
        ("{ usual = 50, worst = 120 }", 50, 120),
        ("{ usual = 50, worst = 50 }", 50, 50),
    ],
)
def test_slippage_is_a_number_or_a_usual_and_a_worst(
    load_text: Load, good: str, value: str, usual: int, worst: int
) -> None:
    """A bare number stays valid; its worst is derived."""
    limits = load_text(text=f"{good}[rules.limits]\nmax_slippage_bps = {value}\n").rules[0].limits
    assert (limits.max_slippage, limits.worst) == (usual, worst)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{ usual = 50, worst = 20 }", "worst: 20 is tighter than usual"),
        ("{ worst = 20 }", "usual: is missing"),
        ("{ usual = 50, worst = 9999 }", "worst: must be less than or equal to 2000"),
        ("{ usual = 0 }", "usual: must be greater than or equal to 1"),
        ("{ usual = 50, wurst = 300 }", "wurst: unknown key; did you mean 'worst'?"),
        ("{ usual = true }", "usual: true is not a whole number"),
    ],
)
def test_a_slippage_that_makes_no_sense_is_refused(faults: Faults, good: str, value: str, said: str) -> None:
    """By field, with the remedy."""
    (fault,) = faults(text=f"{good}[rules.limits]\nmax_slippage_bps = {value}\n")
    assert fault.startswith("rules[0].limits.max_slippage_bps")
    assert said.split(": ", 1)[0] in fault
    assert said.split(": ", 1)[1] in fault


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('health_factor_floor = "1"', "safety.health_factor_floor: must be above 1, where liquidation begins"),
        ('emergency_health_factor = "1.01"', "safety.emergency_health_factor: must not be below health_factor_floor"),
        ('max_fee_gwei = "0"', "safety.max_fee_gwei: must be positive; leave the key out for no limit"),
        ("max_rounds = 0", "safety.max_rounds: must be greater than or equal to 1"),
    ],
)
def test_safety_bounds_are_checked(faults: Faults, good: str, line: str, said: str) -> None:
    """A floor at or below one would let a plan walk through liquidation."""
    assert faults(text=f"{good}[safety]\n{line}\n") == [said]


def test_an_action_that_is_none_lists_those_that_are(faults: Faults) -> None:
    """The owner sees the whole choice."""
    (fault,) = faults(('"top_up", ', '"sell", '))
    assert fault.startswith("rules[0].actions[0] (in 'protect'): must be one of repay, top_up, deleverage, leverage_up")


def test_a_venue_that_is_none_is_refused(faults: Faults) -> None:
    """The message names what there is."""
    (fault,) = faults(('"aave_v3"', '"aave"'))
    known = "'aave_v3', 'morpho_blue', 'compound_v3', 'compound_v2', 'perp_v2' or 'gmx_v2'"
    assert fault == f"positions[0].venue (in 'eth-loop'): must be {known}"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**9), max_value=10**9))
def test_a_decimal_reads_back_exactly(value: Decimal) -> None:
    """Whatever an owner writes with up to 18 places is what the rule compares with."""
    assert as_decimal(str(value)) == value


@pytest.mark.slow
@given(st.text(max_size=60) | st.integers() | st.none() | st.booleans() | st.lists(st.integers()))
def test_no_input_gets_more_than_a_value_error(value: object) -> None:
    """Anything else would be a traceback."""
    for reads in (as_address, as_decimal, as_seconds):
        with suppress(ValueError):
            reads(value)


@pytest.mark.parametrize(
    "value", ["0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"]
)
def test_an_address_names_an_asset_wherever_a_symbol_does(load_text: Load, value: str) -> None:
    """In its checksummed form from then on."""
    changed = ('{ health_factor_below = "1.25" }', f'{{ price_below = "0.9", asset = "{value}" }}')
    assert load_text(changed).rules[0].trigger.of.symbol == "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB49", "fails its checksum"),
        ("0xA0b8", "is not an address"),
        ("", "is not a text"),
    ],
)
def test_an_asset_s_address_with_a_slip_is_refused(faults: Faults, value: str, said: str) -> None:
    """It would mean nothing, and the rule would never fire."""
    (fault,) = faults(('{ health_factor_below = "1.25" }', f'{{ price_below = "0.9", asset = "{value}" }}'))
    assert said in fault
