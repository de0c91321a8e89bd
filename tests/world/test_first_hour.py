"""A newcomer's first hour against real contracts: what doctor, status, explain and the lists say."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import proxy as faults
import pytest
from proxy import RpcProxy
from scenes import DOLLAR, Scene

pytestmark = pytest.mark.world
FINE, FAILED, BAD_SETTINGS = 0, 1, 2
WRONG = "0x000000000000000000000000000000000000dEaD"
NO_SIMULATION = faults.failing("eth_simulateV1", -32601, "the method eth_simulateV1 does not exist")


@pytest.fixture
def settled(scene: Scene, proxy: RpcProxy) -> Scene:
    """A position at ease, behind a proxy; alarms go to a sink that nobody listens at."""
    scene.url = proxy.url
    scene.open().write()
    return scene


def findings(scene: Scene, *options: str) -> dict[str, Any]:
    """What doctor found, by topic; the texts of one topic joined."""
    found = json.loads(scene.keeper("doctor", "--json", *options).stdout)
    topics = dict[str, Any]()
    for one in found:
        known = topics.setdefault(one["topic"], {"fine": True, "text": "", "remedy": ""})
        known["fine"] &= one["fine"]
        known["text"] += one["text"]
        known["remedy"] += one["remedy"]
    return topics


def changed(scene: Scene, old: str, new: str) -> Scene:
    """The settings, changed in one place."""
    text = scene.config.read_text()
    assert old in text
    scene.config.write_text(text.replace(old, new))
    return scene


def network_changed(scene: Scene, key: str, value: str) -> Scene:
    """The network file with another value of a key."""
    path = scene.folder / "network.toml"
    lines = [f'{key} = "{value}"' if line.startswith(f"{key} = ") else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    return scene


# --- doctor ----------------------------------------------------------------------------------------------------------


def test_doctor_is_content_where_all_is_there(settled: Scene) -> None:
    """Exit 0; that there are no alarms is said, and is the owner's choice. Lines are few, and nothing is sent."""
    found = settled.keeper("doctor")
    assert found.exit_code == FINE, found.output
    lines = found.stdout.splitlines()
    assert [line for line in lines if not line.startswith("ok ")] == [
        "warning  alarms: no address: only the log will say. Remedy: name one in [alerts] urls"
    ]
    assert any("rescue eth-loop/protect: would work at WETH at " in line for line in lines)
    assert len(lines) < 18


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"wrong\n", "the password does not open"), (b"\xff\xfe", "UTF-8"), (None, "No such file")],
)
def test_doctor_opens_the_key_with_its_password(settled: Scene, content: bytes | None, said: str) -> None:
    """A keystore that is there is not one that opens."""
    path = settled.folder / "password"
    path.unlink() if content is None else path.write_bytes(content)
    found = settled.keeper("doctor")
    assert found.exit_code == FAILED
    (line,) = [x for x in found.stdout.splitlines() if "key of me" in x]
    assert line.startswith("failing")
    assert said in line


def test_doctor_needs_no_anvil_where_the_node_simulates(
    settled: Scene, proxy: RpcProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either way will do; without both nothing would ever be done, and that is said with the remedy."""
    monkeypatch.setattr("keeper.cli.doctor_nodes.find_anvil", lambda: None)
    assert settled.keeper("doctor").exit_code == FINE
    proxy.fault = NO_SIMULATION
    found = findings(settled)
    assert not found["rehearsal"]["fine"]
    assert "KEEPER_ANVIL" in found["rehearsal"]["remedy"]
    monkeypatch.undo()
    assert findings(settled)["rehearsal"]["fine"]


@pytest.mark.parametrize(
    ("method", "param", "how"),
    [
        ("eth_call", "blockHash", "eth_call by block hash"),
        ("eth_call", "0x", "eth_call by block number"),
        ("eth_getCode", "blockHash", "eth_getCode by block hash"),
        ("eth_feeHistory", "", "eth_feeHistory"),
        ("eth_getTransactionCount", "pending", "eth_getTransactionCount pending"),
        ("eth_getTransactionCount", "blockHash", "eth_getTransactionCount by block hash"),
        ("eth_getTransactionReceipt", "", "eth_getTransactionReceipt"),
        ("eth_getLogs", "fromBlock", "eth_getLogs by block number"),
        ("eth_getLogs", "blockHash", "eth_getLogs by block hash"),
    ],
)
def test_doctor_names_a_node_that_refuses_what_a_send_needs(
    settled: Scene, proxy: RpcProxy, method: str, param: str, how: str
) -> None:
    """Each request is tried as it is asked for in earnest: by hash, by number; with what is lost and the remedy."""

    def fault(request: faults.Request) -> faults.Answer | None:
        if request["method"] != method:
            return None
        told = request["params"]
        is_meant = str(told[-1]).startswith("0x") if param == "0x" else param in json.dumps(told)
        if not is_meant:
            return None
        return faults.failing(method, -32601, "not for you")(request)

    proxy.fault = fault
    found = settled.keeper("doctor")
    assert found.exit_code == FAILED
    (line,) = [x for x in found.stdout.splitlines() if how in x] or [found.output]
    assert line.startswith(f"failing  node {proxy.url.removeprefix('http://')}: refuses {how} (")
    assert "name another node" in line


def test_doctor_of_a_node_that_is_away_still_looks_at_the_rest(settled: Scene, proxy: RpcProxy) -> None:
    """The password is as wrong without a node."""
    proxy.fault = faults.refuse
    (settled.folder / "password").write_text("wrong")
    found = findings(settled)
    assert not found["chain"]["fine"]
    assert not found["key of me"]["fine"]


def test_doctor_names_a_node_of_another_chain(settled: Scene, proxy: RpcProxy) -> None:
    """With the chain it is on."""
    proxy.fault = faults.answered("eth_chainId", "0x1")
    found = settled.keeper("doctor")
    assert found.exit_code == FAILED
    assert "is on chain 1" in found.stdout


def test_doctor_names_rules_that_can_never_act_and_such_that_measure_nothing(settled: Scene) -> None:
    """A trigger that is too late, an asset the market does not have (with the one that was meant), an empty wallet."""
    settled.rules = """
[[rules]]
name = "late"
position = "eth-loop"
when = { health_factor_below = "0.95" }
restore = { health_factor = "1.60" }
actions = ["repay"]

[[rules]]
name = "blind"
position = "eth-loop"
when = { price_below = "1500", asset = "USDCC" }
actions = ["alert"]

[[rules]]
name = "ltv"
position = "eth-loop"
when = { ltv_above = "0.90" }
restore = { ltv = "0.5" }
actions = ["repay"]
"""
    settled.write()
    found = settled.keeper("doctor")
    assert found.exit_code == FAILED
    said = " ".join(found.stdout.split())
    assert "rule 'late': a health factor of 0.95 is too late" in said
    assert "failing rule blind: measures nothing: the market has no 'USDCC'; did you mean 'USDC'?" in said
    assert "failing rule ltv: fires too late: the position is liquidated at LTV" in said


def test_doctor_says_that_nothing_protects_a_position_while_no_history_is_there(settled: Scene) -> None:
    """A rule that looks ahead holds without a history: beside it wants to stand one with a fixed figure."""
    settled.rules = """
[[rules]]
name = "adaptive"
position = "eth-loop"
when = { liquidation_probability_above = { probability = "0.01", horizon = "24h" } }
restore = { liquidation_probability = "0.002" }
actions = ["top_up", "repay", "deleverage"]
"""
    settled.write()
    found = findings(settled)["rules of eth-loop"]
    assert "rests on how prices moved" in found["text"]
    assert "health_factor_below" in found["remedy"]
    settled.rules += """
[[rules]]
name = "last"
position = "eth-loop"
when = { health_factor_below = "1.05" }
restore = { health_factor = "1.20" }
actions = ["deleverage"]
"""
    settled.write()
    assert "rules of eth-loop" not in findings(settled)


def test_doctor_names_a_guardian_without_means(settled: Scene) -> None:
    """Its wallet is empty: whatever fires, nothing could be done."""
    settled.signer_index = 7
    settled.rules = settled.rules.replace('["top_up", "repay", "deleverage"]', '["top_up", "repay"]')
    for symbol in ("WETH", "USDC", "WBTC", "DAI", "wstETH", "LINK", "USDT"):
        try:
            token = settled.world.token(symbol)
        except KeyError:
            continue
        held = token.functions.balanceOf(settled.signer).call()
        if held:
            settled.world.chain.send(token.functions.transfer(settled.world.role("lp"), held), settled.signer)
    settled.write()
    found = findings(settled)["rule protect"]
    assert not found["fine"]
    assert "holds no token of this market" in found["text"]


class Sink:
    """A place alarms are posted to."""

    def __init__(self, status: int) -> None:
        posted = self.posted = list[str]()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def sinks() -> Iterator[tuple[Sink, Sink]]:
    good, bad = Sink(200), Sink(500)
    yield good, bad
    good.server.shutdown()
    bad.server.shutdown()


def test_doctor_sends_a_test_alarm_when_asked(settled: Scene, sinks: tuple[Sink, Sink]) -> None:
    """To each address; one that does not take it is named by its place and kind, never by what it holds."""
    good, bad = sinks
    urls = f'["json://{good.address}/s3cret", "json://{bad.address}/s3cret"]'
    settled.extra = f"[alerts]\nurls = {urls}\n"
    settled.write()
    assert settled.keeper("doctor").exit_code == FINE
    assert not good.posted
    found = settled.keeper("doctor", "--send-test")
    assert found.exit_code == FAILED
    assert len(good.posted) == 1
    assert "test" in good.posted[0]
    lines = [x for x in found.stdout.splitlines() if " alarm " in x]
    assert lines[0] == "ok       alarm 1 of 2: json: a test was delivered"
    assert lines[1].startswith("failing  alarm 2 of 2: json: not delivered")
    assert "s3cret" not in found.output


# --- explain and status ----------------------------------------------------------------------------------------------


def test_explain_takes_a_newer_block_when_the_node_has_moved_on(settled: Scene, proxy: RpcProxy) -> None:
    """On a quick chain a node may answer from the block after: asked anew, it is not a failure."""
    slips = [True] * 3

    def slip(request: faults.Request) -> faults.Answer | None:
        if request["method"] == "eth_call" and slips and "blockHash" in json.dumps(request["params"]):
            slips.pop()
            request["params"][1] = "0x1"
        return None

    proxy.fault = slip
    found = settled.keeper("explain", "eth-loop")
    assert found.exit_code == FINE, found.output
    assert not slips


def test_a_node_that_always_answers_from_elsewhere_is_a_failure(settled: Scene, proxy: RpcProxy) -> None:
    """Trying anew has an end."""
    proxy.fault = faults.of_another_block(settled.world.w3.eth.block_number - 1)
    found = settled.keeper("explain", "eth-loop")
    assert found.exit_code == FAILED
    assert "asked for block" in found.stderr


def test_a_wrong_lending_address_is_named(settled: Scene) -> None:
    """The key and the address: there is more than one that may be wrong."""
    found = network_changed(settled, "pool_addresses_provider", WRONG).keeper("status")
    assert found.exit_code == FAILED
    assert f"aave_v3.pool_addresses_provider {WRONG} is not one of this chain" in found.stderr


@pytest.mark.parametrize("key", ["factory", "quoter_v2", "swap_router_02"])
def test_a_wrong_swap_address_is_named_and_blinds_nobody(settled: Scene, key: str) -> None:
    """Nothing can be sold, and all else is as it was: status shows the position, doctor the fault."""
    network_changed(settled, key, WRONG)
    found = settled.keeper("status")
    assert found.exit_code == FINE, found.output
    assert "eth-loop" in found.stdout
    assert "unknown" not in found.stdout
    said = f"uniswap_v3.{key} {WRONG}"
    assert said in found.stdout.replace("\n", " ")
    assert not (market := findings(settled)["market"])["fine"]
    assert said in market["text"]
    assert settled.keeper("explain", "eth-loop").exit_code == FINE


def test_status_shows_prices_and_wallets(settled: Scene) -> None:
    """As its help promises, within a small terminal."""
    found = settled.keeper("status")
    assert found.exit_code == FINE
    said = found.stdout
    assert "liquidated at" in said
    assert "gas money" in said
    assert any(line.startswith("WETH") and "eth-loop" in line for line in said.splitlines())
    assert any(line.startswith("me 0x") for line in said.splitlines())
    assert all(len(line) <= 80 for line in said.splitlines())


# --- lists -----------------------------------------------------------------------------------------------------------


def test_lists_of_what_was_done_fit_a_small_terminal(scene: Scene) -> None:
    """`tx list`: position, signer, amount, time and fee; `journal`: two lines a decision."""
    scene.open(debt={"USDC": 13_000 * DOLLAR}, keep_debt=True).crash()
    assert scene.keeper("once", "--live").exit_code == FINE
    listed = scene.keeper("tx", "list").stdout
    assert all(len(line) <= 80 for line in listed.splitlines()), listed
    first, second, third = listed.splitlines()[:3]
    assert "eth-loop: " in first
    assert " confirmed " in first or " mined " in first
    assert second.startswith("    by me: ")
    assert "fee 0." in second
    assert third.strip().startswith("0x")
    assert len(third.split()[0]) == 66
    (row, *_) = json.loads(scene.keeper("tx", "list", "--json").stdout)
    assert (row["position"], row["rule"], row["signer"]) == ("eth-loop", "protect", scene.signer)
    assert float(row["fee_paid"]) > 0
    journal = scene.keeper("journal").stdout
    assert all(len(line) <= 80 for line in journal.splitlines()), journal
    assert len(journal.splitlines()) == 2 * len(json.loads(scene.keeper("journal", "--json").stdout))
