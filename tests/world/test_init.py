"""``keeper init``: an owner's positions are found wherever they are, and the settings written for them work."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from proxy import RpcProxy, answered, failing
from scenes import DOLLAR, ETHER, Scene
from test_forecasts_kept import told
from typer.testing import CliRunner

from keeper.cli.main import app
from sandbox.safe.desk import SafeDesk

pytestmark = pytest.mark.world
FINE, FAILED, BAD_SETTINGS = 0, 1, 2


@pytest.fixture
def network(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The world's own network file, in the folder where the newcomer stands."""
    monkeypatch.chdir(scene.folder)
    monkeypatch.delenv("KEEPER_RPC_URL", raising=False)
    scene.world.network_toml(scene.folder / "network.toml")
    return scene.folder / "network.toml"


def init(scene: Scene, *options: str, owner: str = "", rpc: str | None = None) -> Result:
    given = ["--rpc", scene.url if rpc is None else rpc] if rpc != "" else []
    words = ["init", owner or scene.owner, *given, "--network", "network.toml", *options]
    found = CliRunner().invoke(app, words)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def written(scene: Scene) -> dict[str, Any]:
    return tomllib.loads(scene.config.read_text())


def test_what_an_owner_has_is_found_and_its_settings_are_fine(scene: Scene, network: Path) -> None:
    """A loan and a short of another exchange: each with a warning and a rescue; check and status have no complaint."""
    scene.open(debt={"USDC": 8_000 * DOLLAR})
    scene.world.gmx.open(scene.owner, 2_000 * DOLLAR, 6_000)
    found = init(scene)
    assert found.exit_code == FINE, found.output
    file = written(scene)
    assert {p["venue"] for p in file["positions"]} == {"aave_v3", "gmx_v2"}
    assert len(file["rules"]) == 4
    assert "10.0000 WETH" in found.stdout
    for command in (["check"], ["status"], ["once"]):
        assert CliRunner().invoke(app, [*command, "-c", str(scene.config)]).exit_code == FINE, command
    (short,) = [p for p in file["positions"] if p["venue"] == "gmx_v2"]
    assert (short["market"], short["side"]) == ("ETH", "short")


def test_a_margin_account_is_found_whole(scene: Scene, network: Path) -> None:
    """Where margin is shared the account is one position, whatever its markets."""
    scene.world.perp.open(scene.owner, 1_000 * DOLLAR, -1 * ETHER)
    assert init(scene).exit_code == FINE
    (one,) = written(scene)["positions"]
    assert one["venue"] == "perp_v2"
    assert CliRunner().invoke(app, ["once", "-c", str(scene.config)]).exit_code == FINE


def test_the_warning_speaks_once_and_the_rescue_where_it_was_put(scene: Scene, network: Path) -> None:
    """The bounds are not reached today; after a fall the rescue that was proposed fires and works in a rehearsal."""
    scene.open(debt={"USDC": 10_000 * DOLLAR})
    assert init(scene).exit_code == FINE
    scene.crash("1350")
    row = json.loads(CliRunner().invoke(app, ["once", "--json", "-c", str(scene.config)]).stdout)["positions"][0]
    assert row["decision"]["rule"] == "aave_v3-rescue", row["decision"]


def test_the_bounds_are_fitted_to_what_the_prices_did(scene: Scene, network: Path) -> None:
    """One loan, three pasts: none yet, calm, wild. Each is said with its figure; the wilder the earlier the rescue."""
    scene.open(debt={"USDC": 12_500 * DOLLAR})
    first = init(scene)
    assert "Fitted to its distance from liquidation alone: prices of " in first.output
    acts = list[float]()
    for move in (0.002, 0.02):
        told(scene, move)
        found = init(scene, "--force")
        assert found.exit_code == FINE, found.output
        assert "Its prices move about " in found.output
        assert "Its prices move about " in scene.config.read_text()
        (rescue,) = [r for r in written(scene)["rules"] if r["name"].endswith("-rescue")]
        acts.append(float(rescue["when"]["health_factor_below"]))
        assert f"rescues below health factor {rescue['when']['health_factor_below']}" in found.output
    assert acts[0] < acts[1] - 0.05, acts


def test_a_node_that_keeps_no_past_costs_no_finding(scene: Scene, proxy: RpcProxy, network: Path) -> None:
    """Rounds that cannot be read: the positions are found all the same, fitted to their distance, and that is said."""
    scene.open(debt={"USDC": 12_500 * DOLLAR})
    told(scene, 0.01)
    round_ = "9a6fc8f5"  # getRoundData

    def pruned(request: Any) -> Any:
        asks = request["method"] == "eth_call" and round_ in json.dumps(request["params"])
        return failing("eth_call", -32000, "missing trie node")(request) if asks else None

    proxy.fault = pruned
    found = init(scene, rpc=proxy.url)
    assert found.exit_code == FINE, found.output
    assert "Fitted to its distance from liquidation alone" in found.output
    assert len(written(scene)["positions"]) == 1


def test_a_guardian_is_given_nothing_that_takes_out(scene: Scene, network: Path) -> None:
    """Another signer than the owner may top up and repay; the owner's own key may sell as well."""
    scene.open()
    for index, actions in ((1, ["top_up", "repay"]), (0, ["top_up", "repay", "deleverage"])):
        assert init(scene, "--force", "--signer", str(scene.world.account(index).address)).exit_code == FINE
        (rescue,) = [r for r in written(scene)["rules"] if r["name"].endswith("-rescue")]
        assert rescue["actions"] == actions


def test_a_node_in_the_environment_is_not_written_down(
    scene: Scene, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It often carries a key. What is given on the line is written: it was given for that."""
    scene.open()
    monkeypatch.setenv("KEEPER_RPC_URL", scene.url)
    assert init(scene, rpc="").exit_code == FINE
    assert "rpc_url" not in written(scene)["network"]
    assert CliRunner().invoke(app, ["status", "-c", str(scene.config)]).exit_code == FINE


def test_where_nothing_is_nothing_is_written(scene: Scene, network: Path) -> None:
    """Another account was meant, or another chain: that is said, and is no failure."""
    found = init(scene, owner="0x000000000000000000000000000000000000dEaD")
    assert found.exit_code == FINE
    assert "Nothing was found at aave_v3" in found.stdout
    assert not scene.config.exists()


def test_a_venue_that_cannot_be_read_is_not_one_without_positions(scene: Scene, network: Path) -> None:
    """It is shown as unreadable, the exit code says so, and what could be read is written all the same."""
    scene.open()
    text = network.read_text()
    begin = text.index("[perp_v2]")
    key = text.index("clearing_house", begin)
    end = text.index("\n", key)
    network.write_text(f'{text[:key]}clearing_house = "0x000000000000000000000000000000000000dEaD"{text[end:]}')
    found = init(scene, "--json")
    assert found.exit_code == FAILED
    rows = {row["venue"]: row["readable"] for row in json.loads(found.stdout)["positions"]}
    assert rows == {"aave_v3": True, "perp_v2": False}
    assert [p["venue"] for p in written(scene)["positions"]] == ["aave_v3"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--signer", "0x12"], "--signer: "),
        (["--signer", "me.eth"], "--signer: me.eth: write the address of the key"),
        (["--out", "nowhere/keeper.toml"], "--out: there is no folder nowhere"),
        (["--network", "nowhere.toml"], "network.file"),
        (["--rpc", "127.0.0.1:8545"], "--rpc: must be a node's address that begins with http(s):// or ws(s)://"),
        (["--rpc", "http://"], "--rpc: must be a node's address"),
        (["--rpc", "http://[::1"], "--rpc: must be a node's address"),
        (["--rpc", "http://host:99999"], "--rpc: must be a node's address"),
        (["--rpc", "/run/geth.ipc"], "--rpc: must be a node's address"),
    ],
)
def test_what_is_given_wrongly_is_named_with_the_remedy(
    scene: Scene, network: Path, options: list[str], said: str
) -> None:
    """Exit 2, one line, nothing written."""
    found = init(scene, *options)
    assert found.exit_code == BAD_SETTINGS
    assert said in found.stderr
    assert not scene.config.exists()


@pytest.mark.parametrize("given", ["", "  ", ",", "127.0.0.1:8545 http://node"])
def test_a_node_in_the_environment_that_is_none_is_named(
    scene: Scene, network: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Empty, blanks, no address: exit 2 and one line, without a traceback, whatever the network."""
    monkeypatch.setenv("KEEPER_RPC_URL", given)
    for options in ([], ["--network", "network.toml"]):
        found = CliRunner().invoke(app, ["init", scene.owner, *options])
        assert found.exit_code == BAD_SETTINGS, found.exception
        assert "KEEPER_RPC_URL" in found.stderr
        assert len(found.stderr.splitlines()) == 1


def test_a_file_that_cannot_be_written_is_one_clear_line(scene: Scene, network: Path) -> None:
    """A folder in its place: exit 1, what to do, no traceback. What is written is for its owner alone."""
    scene.open()
    (scene.folder / "taken").mkdir()
    found = init(scene, "--force", "--out", "taken")
    assert found.exit_code == FAILED, found.exception
    assert "taken: cannot be written" in found.stderr
    assert init(scene).exit_code == FINE
    assert scene.config.stat().st_mode & 0o077 == 0


def test_a_file_that_is_there_is_left_alone(scene: Scene, network: Path) -> None:
    """What its owner wrote is not written over without a word."""
    scene.open()
    scene.config.write_text("mine")
    found = init(scene)
    assert found.exit_code == BAD_SETTINGS
    assert "--force" in found.stderr
    assert scene.config.read_text() == "mine"


def test_a_chain_without_a_network_file_is_named(scene: Scene, network: Path) -> None:
    """Without --network the node's chain decides; of one that nobody ships the remedy is said."""
    found = CliRunner().invoke(app, ["init", scene.owner, "--rpc", scene.url])
    assert found.exit_code == BAD_SETTINGS
    assert "chain 31337" in found.stderr
    assert "--network FILE" in found.stderr


def test_nobody_is_no_owner(scene: Scene, network: Path) -> None:
    """A slip in the address is caught by its checksum."""
    wrong = scene.owner[:-1] + ("1" if scene.owner[-1] != "1" else "2")
    found = init(scene, owner=wrong)
    assert found.exit_code == BAD_SETTINGS
    assert found.stderr.startswith("OWNER: ")


@pytest.mark.parametrize("answer", ["mainnet", "0xzz", None, 1])
def test_a_node_that_says_no_chain_id_is_one_clear_line(
    scene: Scene, proxy: RpcProxy, network: Path, answer: object
) -> None:
    """A wrong address answers anything: exit 1, no traceback, nothing written."""
    proxy.fault = answered("eth_chainId", answer)
    found = CliRunner().invoke(app, ["init", scene.owner, "--rpc", proxy.url])
    assert found.exit_code == FAILED, found.exception
    assert "says no chain id" in found.stderr
    assert not scene.config.exists()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("threshold", [1, 2])
def test_an_owner_that_is_a_safe_is_recognised(scene: Scene, network: Path, threshold: int) -> None:
    """One of its owners as signer: the file says so and is fine. More than one signature: it says what to change."""
    desk, world = SafeDesk(scene.world), scene.world
    me, other = (str(world.account(index).address) for index in (0, 1))
    safe = desk.make(me, other, threshold=threshold)
    network.write_text(desk.furnish(network.read_text()))
    world.open_position(safe, {"WETH": 10 * ETHER}, {"USDC": 13_000 * DOLLAR})
    found = init(scene, "--force", "--signer", me, owner=safe)
    assert found.exit_code == FINE, found.output
    said, (signer,) = " ".join(found.output.split()), written(scene)["signers"]
    assert "The owner is a Safe of 2 owners" in said
    if threshold == 1:
        assert signer["safe"] == safe
        (rescue,) = [r for r in written(scene)["rules"] if r["name"].endswith("-rescue")]
        assert "deleverage" in rescue["actions"]
    else:
        assert "safe" not in signer
        assert "lower its threshold to 1" in said
