"""An owner and a signer written as names of ENS: looked up once, remembered, never followed elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ens.utils import raw_name_to_hash
from proxy import RpcProxy, refuse
from scenes import Scene

from keeper.venues.contracts import ens

pytestmark = pytest.mark.world

NAME, REGISTRY, RESOLVER = "loop\U0001f98a.eth", "0x" + "e5" * 20, "0x" + "e6" * 20
RESOLVES, POINTS = (getattr(ens._ENS, function).selector for function in ("resolver", "addr"))


def contract(selector: bytes) -> str:
    """A contract of one function (bytes32) that returns what is in its storage there; anything else reverts."""
    only = bytes.fromhex("60003560e01c63") + selector + bytes.fromhex("1460145760006000fd5b")
    return "0x" + (only + bytes.fromhex("6004355460005260206000f3")).hex()


def point(scene: Scene, to: str, name: str = NAME) -> None:
    """Let a name point to an account."""
    rpc, node = scene.world.rpc, "0x" + bytes(raw_name_to_hash(name)).hex()
    rpc("anvil_setCode", REGISTRY, contract(RESOLVES))
    rpc("anvil_setCode", RESOLVER, contract(POINTS))
    rpc("anvil_setStorageAt", REGISTRY, node, "0x" + RESOLVER[2:].rjust(64, "0"))
    rpc("anvil_setStorageAt", RESOLVER, node, "0x" + to[2:].lower().rjust(64, "0"))
    scene.world.mine()


def write(scene: Scene, written: str = "Loop\U0001f98a\ufe0f.ETH", *, registry: str = REGISTRY) -> None:
    """Settings with a name in place of owner and signer."""
    scene.write()
    scene.config.write_text(scene.config.read_text().replace(f'"{scene.owner}"', f'"{written}"'))
    network = scene.folder / "network.toml"
    network.write_text(network.read_text().replace("\nblock_time", f'\nens_registry = "{registry}"\nblock_time', 1))


@pytest.fixture
def named(scene: Scene) -> Scene:
    """A loop whose owner has a name."""
    scene.open()
    point(scene, scene.owner)
    write(scene)
    return scene


@pytest.fixture
def second(scene: Scene) -> Iterator[RpcProxy]:
    """Another way to the node."""
    with RpcProxy(scene.world.url) as proxy:
        yield proxy


def test_a_name_is_an_account_everywhere(named: Scene) -> None:
    """Written in any way: status, explain, doctor and check show the address; a live plan is signed by it."""
    assert "nobody yet" in named.keeper("check").stdout
    status = named.keeper("status")
    assert f"positions[0].owner (in 'eth-loop'): {NAME} is {named.owner}" in status.stdout
    assert {n["address"] for n in named.data("status")["names"]} == {named.owner}
    assert f"signers[0].address (in 'me'): {NAME} is {named.owner}" in named.keeper("check").stdout
    assert "the record says the same" in named.keeper("doctor").stdout
    named.crash()
    code, row = named.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored")


def test_a_record_that_changed_alarms_and_moves_nothing(named: Scene) -> None:
    """The keeper goes on with the account it knows; doctor and the daemon's alarm say both addresses."""
    named.keeper("status")
    thief = str(named.world.account(5).address)
    point(named, thief)
    assert f"{NAME} is {named.owner}" in named.keeper("status").stdout
    doctor = named.keeper("doctor")
    assert doctor.exit_code != 0
    with named.running() as keeper:
        keeper.wait_for("points to another account")
        named.world.mine()
        keeper.wait_for('"event": "block"', count=2)
        log = keeper.log
    assert thief in log
    assert named.owner in log
    named.crash()
    code, row = named.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored")
    assert named.world.w3.eth.get_transaction_count(thief) == 0


@pytest.mark.parametrize(
    ("written", "registry", "says"),
    [
        ("nobody-has-this.eth", REGISTRY, "points to no address"),
        (NAME, "0x" + "e7" * 20, "finds no ENS"),
        (NAME, "", "sandbox has no ENS"),
    ],
    ids=["unknown", "no contract", "no registry"],
)
def test_a_name_that_leads_nowhere_is_a_fault_with_its_field(
    named: Scene, written: str, registry: str, says: str
) -> None:
    """Exit 2, the field, the remedy; and nothing is remembered."""
    write(named, written, registry=registry or REGISTRY)
    if not registry:
        network = named.folder / "network.toml"
        network.write_text("".join(line for line in network.read_text().splitlines(True) if "ens_registry" not in line))
    found = named.keeper("status")
    assert found.exit_code == 2
    assert "positions[0].owner" in found.stderr
    assert says in found.stderr
    assert "write the address itself" in found.stderr
    assert "nobody yet" in named.keeper("check").stdout


def test_a_node_that_is_away_is_tried_again_at_first_and_never_missed_afterwards(
    named: Scene, second: RpcProxy
) -> None:
    """Without a remembered address exit 1, which is restarted; with one the name costs no request."""
    named.config.write_text(named.config.read_text().replace(named.world.url, second.url))
    second.fault = refuse
    found = named.keeper("status")
    assert found.exit_code == 1
    assert "positions[0].owner" in found.stderr
    second.fault = None
    assert named.keeper("status").exit_code == 0
    second.fault = refuse
    assert named.owner in named.keeper("check").stdout


def test_two_nodes_that_disagree_decide_nothing(named: Scene, second: RpcProxy) -> None:
    """Whichever of them lies: no address is remembered, both are named, and once they agree it goes on."""
    other = str(named.world.account(6).address)
    nodes = f'[[network.nodes]]\nurl = "{named.world.url}"\n[[network.nodes]]\nurl = "{second.url}"\nname = "second"\n'
    text = named.config.read_text().replace(f'rpc_url = "{named.world.url}"\n', nodes)
    named.config.write_text(text)
    ours, theirs = named.owner[2:].lower().encode(), other[2:].lower().encode()

    def lie(_: object, onward: object) -> tuple[int, str, bytes]:
        status, kind, body = onward()  # type: ignore[operator]
        return status, kind, body.replace(ours, theirs)

    second.around = lie
    found = named.keeper("status")
    assert found.exit_code == 1
    assert named.owner in found.stderr
    assert other in found.stderr
    assert "nobody yet" in named.keeper("check").stdout
    second.around = None
    assert named.keeper("status").exit_code == 0
    assert json.loads(named.keeper("check", "--json").stdout)["names"][0]["address"] == named.owner
