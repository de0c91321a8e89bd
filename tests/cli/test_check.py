"""What `keeper check` refuses although it is written well: settings with which something can never work."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import bad_values
import pytest
from prometheus_client import start_http_server
from typer.testing import CliRunner, Result

from keeper.cli.main import app
from keeper.observe.observer import Observer

OWNER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
GUARDIAN = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
GOOD = f"""\
[network]
file = "ethereum"
rpc_url = "http://127.0.0.1:8545"

[alerts]
urls = ["json://alarms.example"]

[[signers]]
name = "hot"
address = "{GUARDIAN}"
keystore = "hot.json"

[[positions]]
name = "loop"
venue = "aave_v3"
owner = "{OWNER}"
signer = "hot"

[[rules]]
name = "protect"
position = "loop"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["top_up", "repay"]
"""
PERP = """
[[positions]]
name = "short"
venue = "gmx_v2"
owner = "{owner}"
{signer}
market = "ETH"
collateral = "USDC"
side = "short"
"""
Check = Callable[..., Result]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Check the good file with some of its text changed, and more at its end."""
    keystore = {"version": 3, "crypto": {}, "address": GUARDIAN[2:].lower()}
    (tmp_path / "hot.json").write_text(json.dumps(keystore), encoding="utf-8")

    def checked(*changes: tuple[str, str], more: str = "") -> Result:
        text = GOOD + more
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "keeper.toml").write_text(text, encoding="utf-8")
        return CliRunner().invoke(app, ["check", "-c", str(tmp_path / "keeper.toml")], env={"COLUMNS": "80"})

    return checked


def test_the_good_file_is_fine(check: Check) -> None:
    """And what it says fits a small terminal."""
    found = check()
    assert (found.exit_code, found.stderr) == (0, "")
    assert "loop: " in found.stdout
    assert "notes" not in found.stdout
    assert all(len(line) <= 80 for line in found.stdout.splitlines())


BELOW = '{ health_factor_below = "1.25" }'
ACTIONS = '["top_up", "repay"]'


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((ACTIONS, '["deleverage"]'), "a guardian may only top up and repay, so deleverage is never done"),
        ((ACTIONS, '["deleverage", "alert"]'), "a guardian may only top up and repay"),
        ((BELOW, '{ health_factor_below = "0.9" }'), "0.9 is too late: liquidation begins at 1"),
        ((BELOW, '{ health_factor_below = "1" }'), "1 is too late: liquidation begins at 1"),
        ((BELOW, '{ ltv_above = "0.99" }'), "0.99 is too late"),
        (('health_factor = "1.60"', 'health_factor = "160"'), 'did you mean "1.60"?'),
        ((BELOW, '{ price_below = "1500", asset = "ETH" }'), "did you mean 'WETH'?"),
        ((BELOW, '{ price_below = "1500", asset = "WETTH" }'), "did you mean 'WETH'?"),
        ((OWNER, "0x" + "0" * 40), "the zero address"),
        (("[alerts]", '[safety]\nswap_deadline = "5s"\n[alerts]'), "swap_deadline: 5 s is over before the next block"),
        (("[alerts]", '[daemon]\nrpc_timeout = "1ms"\n[alerts]'), "too short for any node"),
        (("[alerts]", "[safety]\nmax_fee_gwei = 0.001\n[alerts]"), "no transaction is ever mined for that"),
        (
            ("[alerts]", '[safety]\nhealth_factor_floor = "1.7"\nemergency_health_factor = "1.7"\n[alerts]'),
            "is never reached",
        ),
    ],
    ids=lambda x: str(x)[:60],
)
def test_what_can_never_work_is_refused(check: Check, change: tuple[str, str], said: str) -> None:
    """With what is wrong, and what to write."""
    found = check(change)
    assert found.exit_code == 2, found.output
    assert said in found.stderr
    assert "keeper.toml: " in found.stderr


def test_a_trigger_whose_point_was_lost_is_refused(check: Check) -> None:
    """160 for 1.60: it would fire at every block."""
    found = check(("1.25", "160"), ("1.60", "170"))
    assert found.exit_code == 2
    assert 'a health factor of 160 as bound fires always; did you mean "1.60"?' in found.stderr


@pytest.mark.parametrize("limit", ["max_spend_per_day_usd", "max_spend_per_tx_usd"])
def test_a_limit_that_leaves_nothing_is_refused(check: Check, limit: str) -> None:
    """Less than a dollar moves nothing."""
    found = check(more=f'[rules.limits]\n{limit} = "0.5"\n')
    assert (found.exit_code, "leaves nothing to act with" in found.stderr) == (2, True)


@pytest.mark.parametrize("name", ["loop\\nok", "loop\\u0007", "loop\\u202e", "loop\\u2028x", "x" * 200])
def test_a_name_that_breaks_a_line_is_refused(check: Check, name: str) -> None:
    """It stands in lines, tables and metrics."""
    found = check(('"protect"', f'"{name}"'))
    assert found.exit_code == 2
    assert "rules[0].name" in found.stderr
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "url", ["mysql://root@localhost/keeper", "mongodb://x", "http://x/y", "sqlite://", "file:///x"]
)
def test_a_database_that_cannot_hold_a_journal_is_refused(check: Check, url: str) -> None:
    """Found by check, not when the journal is opened."""
    found = check(("[alerts]", f'[journal]\nurl = "{url}"\n[alerts]'))
    assert found.exit_code == 2
    assert "journal.url: " in found.stderr


def test_no_rules_at_all_are_told(check: Check) -> None:
    """Watching alone is allowed; that nothing will be done must be said."""
    found = check((GOOD[GOOD.index("[[rules]]") :], ""))
    assert found.exit_code == 0
    assert "There are no rules: nothing is ever done" in found.stdout.replace("\n", " ")


def test_what_will_not_happen_is_told(check: Check) -> None:
    """An action a guardian never takes, beside some it does; rules that act without a signer."""
    assert "deleverage is never done, because a guardian signs" in check((ACTIONS, '["repay", "deleverage"]')).stdout
    assert "dry runs only" in check(('signer = "hot"\n', "")).stdout


def test_a_venue_the_network_does_not_have_is_refused(check: Check) -> None:
    """Each is read from addresses of the network file."""
    found = check(more=PERP.format(owner=OWNER, signer=""))
    assert found.exit_code == 2
    assert "position 'short': the network file of ethereum has no [gmx_v2]" in found.stderr


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('when = { stop_loss = "2000" }\nrestore = "close"\nactions = ["close"]', "can do nothing on gmx_v2"),
        ('when = { stop_loss = "2000", market = "SOL" }\nactions = ["alert"]', "SOL is not the market of 'short'"),
        ('when = { leverage_above = "0.5" }\nactions = ["alert"]', "fires always"),
        ('when = { leverage_above = "5000" }\nactions = ["alert"]', "never fires"),
        ('when = { margin_ratio_below = "0.0005" }\nactions = ["alert"]', "too late"),
    ],
)
def test_rules_of_perpetuals_that_cannot_work_are_refused(check: Check, rule: str, said: str) -> None:
    """A guardian on GMX, a market that is not the position's, bounds out of reach."""
    perp = PERP.format(owner=OWNER, signer='signer = "hot"')
    found = check(('"ethereum"', '"arbitrum"'), more=f'{perp}\n[[rules]]\nname = "r"\nposition = "short"\n{rule}\n')
    assert found.exit_code == 2
    assert "'r'" in found.stderr
    assert said in found.stderr


def test_stops_that_cross_are_refused(check: Check) -> None:
    """No price lies between them: the position would be closed at once."""
    rules = "".join(
        f'\n[[rules]]\nname = "{key}"\nposition = "short"\nwhen = {{ {key} = "{price}" }}\nactions = ["alert"]\n'
        for key, price in (("stop_loss", "1500"), ("take_profit", "2600"))
    )
    found = check(('"ethereum"', '"arbitrum"'), more=PERP.format(owner=OWNER, signer="") + rules)
    assert found.exit_code == 2
    assert "one of them always fires; the stop_loss of a short lies above its take_profit" in found.stderr


def test_an_unknown_market_is_refused_with_the_nearest_one(check: Check) -> None:
    """Names of markets are the network file's."""
    found = check(('"ethereum"', '"arbitrum"'), ('"ETH"', '"ETHH"'), more=PERP.format(owner=OWNER, signer=""))
    assert "there is no market 'ETHH'; did you mean 'ETH'?" in found.stderr


def test_a_keeper_that_serves_its_metrics_is_no_fault(check: Check) -> None:
    """Settings are checked beside a running keeper, too."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    observer = Observer("live")
    start_http_server(port, addr="127.0.0.1", registry=observer.registry)
    assert check(more=f"\n[daemon]\nmetrics_port = {port}\n").exit_code == 0
    observer.close()


def test_every_file_of_several_is_checked(check: Check, tmp_path: Path) -> None:
    """All faults at once."""
    check((ACTIONS, '["deleverage"]'))
    first = str(tmp_path / "keeper.toml")
    found = CliRunner().invoke(app, ["check", "-c", first, "-c", str(bad_values.EXAMPLE)])
    assert found.exit_code == 2
    assert "a guardian may only" in found.stderr
    assert "guardian.json does not exist" in found.stderr


def test_a_coin_is_no_asset_though_a_perpetual_has_it_as_its_underlying(check: Check, tmp_path: Path) -> None:
    """Networks with both name both in price_safety; a lending market lists the wrapped one alone."""
    shipped = (bad_values.EXAMPLE.parent / "networks" / "ethereum.toml").read_text(encoding="utf-8")
    own = shipped + '\n[price_safety.assets.ETH]\nheartbeat = "70m"\n'
    (tmp_path / "own.toml").write_text(own, encoding="utf-8")
    found = check(('"ethereum"', '"own.toml"'), (BELOW, '{ price_below = "1500", asset = "ETH" }'))
    assert found.exit_code == 2
    assert "did you mean 'WETH'?" in found.stderr


@pytest.mark.parametrize(("name", "code"), [("crystal-ball", 2), ("har", 0), ("usual", 0)])
def test_a_forecaster_that_is_none_is_found_by_its_name(tmp_path: Path, name: str, code: int) -> None:
    """Before any node is asked, with the names that there are."""
    file = tmp_path / "keeper.toml"
    file.write_text(f'{GOOD}\n[safety]\nforecaster = "{name}"\n', encoding="utf-8")
    (tmp_path / "hot.json").write_text("{}", encoding="utf-8")
    found = CliRunner().invoke(app, ["check", "--config", str(file)])
    said = " ".join(found.stderr.split())
    assert ("safety.forecaster" in said) is bool(code), said
    if code:
        assert found.exit_code == code
        assert "'crystal-ball' is no forecaster; there are usual, ewma, har, garch" in said
