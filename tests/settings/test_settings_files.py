"""The files as a whole: where they are looked for, what they mean together, what the environment changes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from keeper import resources
from keeper.chain.record import Role
from keeper.core.book.actions import UNWIND
from keeper.settings import Settings, SettingsError, load, rule_schema, schema
from keeper.settings.rule_keys import TARGETS, TRIGGERS
from tests.settings.example_in_full import EXAMPLE, example_in_full

Faults = Callable[..., list[str]]
Load = Callable[..., Settings]
NETWORKS = sorted(path.stem for path in resources.folder("networks").glob("*.toml"))
URL = "https://node.example/v2/s3cret"


def test_the_example_loads_as_it_is() -> None:
    """It is what an owner starts from."""
    settings = load(EXAMPLE, {})
    assert [rule.name for rule in settings.rules] == ["protect", "early-warning"]


def test_what_the_example_has_commented_out_loads_too(load_text: Load) -> None:
    """A line the owner uncomments must not be wrong."""
    telegram = {"KEEPER_TELEGRAM_TOKEN": "123456:" + "A" * 35}
    settings = load_text(text=example_in_full(), env=telegram)
    ahead = ["see-it-coming", "too-much-at-stake"]
    usual = ["protect", "early-warning", "way-out", "dear-loan"]
    rearranging = ["not-too-much-ether", "half-and-half"]
    assert [rule.name for rule in settings.rules] == [*usual, *rearranging, *ahead, "boost"]
    assert [rule.name for rule in settings.perp_rules] == ["margin", "too-much", "stop", "dear-funding"]
    assert [(book.name, book.hedges) for book in settings.books] == [("eth", ("short",))]
    assert [(rule.name, rule.position, UNWIND in rule.actions) for rule in settings.book_rules] == [
        ("delta", "eth", True)
    ]
    assert [book.unwinds for book in settings.books] == ["eth-loop"]
    assert {"short", "gmx-short"} <= {position.name for position in settings.positions}
    assert settings.daemon.metrics_port == 9464


def test_the_example_names_every_key_there_is() -> None:
    """A setting that nobody can find is none."""
    text = EXAMPLE.read_text(encoding="utf-8")
    reference = (EXAMPLE.parents[1] / "docs" / "rules.md").read_text(encoding="utf-8")
    owner = {
        "NetworkTable",
        "NodeTable",
        "JournalTable",
        "SignerTable",
        "PositionTable",
        "WhenTable",
        "LimitsTable",
        "RuleTable",
    }
    owner |= {"RestoreTable", "SafetyTable", "AlertsTable", "DaemonTable", "KeeperFile"}
    tables = vars(rule_schema) | vars(schema)
    keys = {key for name in owner for key in tables[name].model_fields}
    assert {key for key in keys if key not in text and key not in {*TRIGGERS, *TARGETS}} == set()
    assert {key for key in (*TRIGGERS, *TARGETS) if f"`{key}`" not in reference} == set()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("ending", ["", ".toml"])
def test_every_shipped_network_loads_by_its_name(load_text: Load, name: str, ending: str) -> None:
    """With and without the ending."""
    assert load_text(('"ethereum"', f'"{name}{ending}"')).network.name == name


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """The first thing a new owner meets."""
    with pytest.raises(SettingsError, match=r"write one to begin with: keeper example > keeper\.toml"):
        load(tmp_path / "keeper.toml", {})


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """The system's own words, with the path."""
    with pytest.raises(SettingsError, match=r"cannot be read: Is a directory"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    "text", ["[network", "a = ", 'x = "\\q"', "a = 1\na = 2", f"x = {'9' * 5000}", "x = " + "[" * 5000]
)
def test_what_is_not_toml_is_refused_without_a_traceback(faults: Faults, text: str) -> None:
    """Whatever the parser stumbles over."""
    (fault,) = faults(text=text)
    assert fault.startswith("is not valid TOML: ")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """A keystore archive given by mistake, for one."""
    (tmp_path / "keeper.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="is not valid TOML"):
        load(tmp_path / "keeper.toml", {})


@pytest.mark.parametrize("named", ["etherium", "networks/ethereum.toml", "/nowhere/base.toml"])
def test_a_network_that_is_not_there_lists_those_that_ship(faults: Faults, named: str) -> None:
    """A path of the owner's never falls back to a shipped file of the same name."""
    (fault,) = faults(('"ethereum"', f'"{named}"'))
    assert fault.startswith("network.file: ")
    assert fault.endswith(f"does not exist; name a file, or one of: {', '.join(NETWORKS)}")


def test_a_network_file_of_ones_own_comes_first(load_text: Load, tmp_path: Path) -> None:
    """Beside the settings file, whatever the working directory."""
    text = (resources.folder("networks") / "ethereum.toml").read_text(encoding="utf-8")
    (tmp_path / "base.toml").write_text(text.replace("chain_id = 1\n", "chain_id = 1337\n"), encoding="utf-8")
    assert load_text(('"ethereum"', '"base.toml"')).network.chain_id == 1337


def test_faults_of_the_network_file_carry_its_own_name(tmp_path: Path, good: str) -> None:
    """The owner's file and the network file may both be wrong; both are told."""
    (tmp_path / "own.toml").write_text('name = "own"\nchain_id = "one"\nmulticall = 3\n', encoding="utf-8")
    (tmp_path / "keeper.toml").write_text(
        good.replace("ethereum", "own.toml").replace("1.60", "1.10"), encoding="utf-8"
    )
    with pytest.raises(SettingsError) as refused:
        load(tmp_path / "keeper.toml", {})
    said = str(refused.value)
    assert f"{tmp_path / 'own.toml'}: chain_id: 'one' is not a whole number" in said
    assert f"{tmp_path / 'own.toml'}: multicall: unknown key; did you mean 'multicall3'?" in said
    assert f"{tmp_path / 'own.toml'}: wrapped_native: is missing" in said
    assert f"{tmp_path / 'keeper.toml'}: rules[0].restore.health_factor" in said


def test_every_fault_is_told_at_once(faults: Faults) -> None:
    """Fields, contradictions and the network file: the owner runs `keeper check` once, not seven times."""
    said = "\n".join(
        faults(
            ('"ethereum"', '"etherium"'),
            ("http://", "ftp://"),
            ("4293BC", "4293Bc"),
            ('signer = "hot"', 'signer = "cold"'),
            ('position = "eth-loop"', 'position = "other"'),
            ('"1.60"', '"1.20"'),
            ('keystore = "hot.json"', 'keystor = "hot.json"'),
        )
    )
    places = ("network.file", "network.rpc_url", "positions[0].owner", "positions[0].signer", "rules[0].position")
    for place in (*places, "rules[0].restore.health_factor", "signers[0].keystor"):
        assert place in said


@pytest.mark.parametrize("kind", ["signers", "positions", "rules"])
def test_a_name_used_twice_is_refused(faults: Faults, good: str, kind: str) -> None:
    """The journal and the owner tell them apart by name."""
    blocks = good.split("\n\n")
    twice = next(block for block in blocks if block.startswith(f"[[{kind}]]"))
    name = {"signers": "hot", "positions": "eth-loop", "rules": "protect"}[kind]
    assert f"{kind}: the name '{name}' is used twice" in faults(text=f"{good}\n{twice}\n")


def test_one_address_is_one_signer(faults: Faults, good: str) -> None:
    """Two of them would fight for the same nonce."""
    block = good[good.index("[[signers]]") : good.index("[[positions]]")]
    again = block.replace('"hot"', '"again"').replace(
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x" + "70997970c51812dc3a010c7d01b50e0d17dc79c8"
    )
    (fault,) = faults(text=f"{good}\n{again}")
    assert "is declared twice" in fault


def test_a_position_with_an_unknown_signer_is_refused(faults: Faults) -> None:
    """Found now, not at the moment of the rescue."""
    assert faults(('signer = "hot"', 'signer = "cold"')) == [
        "positions[0].signer: there is no signer 'cold'; known: hot"
    ]


@pytest.mark.parametrize(
    "url",
    ["ftp://node", "ws://", "node.example:8545", "http://", "file:///etc/passwd", "http://[::1", "https://n:99999"],
)
def test_a_node_is_an_http_or_websocket_address(faults: Faults, url: str) -> None:
    """From the file or from the environment; the address may carry a key and is not repeated."""
    assert faults(("http://127.0.0.1:8545", url)) == [
        "network.rpc_url: must be a node's address that begins with http(s):// or ws(s)://"
    ]
    assert faults(env={"KEEPER_RPC_URL": url}) == [
        "KEEPER_RPC_URL (environment): must be a node's address that begins with http(s):// or ws(s)://"
    ]


def test_without_a_node_the_remedy_names_both_places(faults: Faults) -> None:
    """The file, or the environment."""
    assert faults(('rpc_url = "http://127.0.0.1:8545"\n', "")) == [
        "network.rpc_url: is missing; write it here or set KEEPER_RPC_URL"
    ]


NODES = """
[[network.nodes]]
url = "https://one.example/v2/s3cret"
requests_per_second = 25

[[network.nodes]]
url = "https://one.example/v2/s3cret2"
roles = ["read"]

[[network.nodes]]
url = "https://relay.example/s3cret3"
name = "relay"
roles = ["private"]
method = "eth_sendPrivateTransaction"

[[signers]]"""
ONE = 'rpc_url = "http://127.0.0.1:8545"\n'


def test_one_url_is_one_node_for_everything(load_text: Load) -> None:
    """What most owners have."""
    (node,) = load_text().nodes
    assert (node.name, node.roles) == ("127.0.0.1:8545", {Role.READ, Role.SEND})


def test_several_nodes_have_roles_and_names_of_their_own(load_text: Load) -> None:
    """Names are hosts, told apart where they are the same; the URLs show themselves nowhere."""
    settings = load_text((ONE, ""), ("\n[[signers]]", NODES))
    assert [n.name for n in settings.nodes] == ["one.example", "one.example (2)", "relay"]
    assert [n.roles for n in settings.nodes] == [{Role.READ, Role.SEND}, {Role.READ}, {Role.PRIVATE}]
    assert [n.requests_per_second for n in settings.nodes] == [25.0, None, None]
    assert settings.nodes[2].send_method == "eth_sendPrivateTransaction"
    assert (settings.private_blocks, settings.max_lag_blocks) == (3, 3)
    assert "s3cret" not in repr(settings)


def test_one_url_and_a_list_of_nodes_do_not_go_together(faults: Faults) -> None:
    """Which of the two was meant is the owner's to say."""
    (fault,) = faults(("\n[[signers]]", NODES))
    assert fault.startswith("network.rpc_url: stands beside [[network.nodes]]; keep one of them")


def test_a_node_to_read_from_is_needed(faults: Faults) -> None:
    """A relay alone tells nothing of a position."""
    only = '\n[[network.nodes]]\nurl = "https://relay.example"\nroles = ["private"]\n\n[[signers]]'
    assert faults((ONE, ""), ("\n[[signers]]", only)) == [
        'network.nodes: none has the role "read": positions could not be watched'
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('roles = ["send", "private"]', "network.nodes[0].roles: a private relay does not send in public as well"),
        ('method = "eth_sendPrivateTransaction"', "network.nodes[0].method: is for nodes with the role `private`"),
        ('roles = ["write"]', "network.nodes[0].roles[0]: must be 'read', 'send' or 'private'"),
        ("requests_per_second = 0", "network.nodes[0].requests_per_second: must be from 0.1 to 10000"),
        ("roles = []", "network.nodes[0].roles: is empty; it needs at least one"),
        ('rolls = ["read"]', "network.nodes[0].rolls: unknown key; did you mean 'roles'?"),
    ],
)
def test_a_wrong_node_is_named(faults: Faults, line: str, said: str) -> None:
    """By its place in the list."""
    node = f'\n[[network.nodes]]\nurl = "https://one.example"\n{line}\n\n[[signers]]'
    assert any(fault.startswith(said) for fault in faults((ONE, ""), ("\n[[signers]]", node)))


def test_the_environment_may_name_several_nodes(load_text: Load) -> None:
    """Separated by spaces or commas; the file's private relays stay, for what was private stays private."""
    env = {"KEEPER_RPC_URL": f"{URL}, https://two.example https://two.example"}
    assert [n.name for n in load_text(env=env).nodes] == ["node.example", "two.example"]
    settings = load_text((ONE, ""), ("\n[[signers]]", NODES), env=env)
    assert [n.name for n in settings.nodes] == ["node.example", "two.example", "relay"]


def test_every_address_in_the_environment_is_checked(faults: Faults) -> None:
    """Without repeating it."""
    (fault,) = faults(env={"KEEPER_RPC_URL": f"{URL} ftp://s3cret"})
    assert fault == "KEEPER_RPC_URL (environment): must be a node's address that begins with http(s):// or ws(s)://"


def test_the_environment_comes_before_the_file(load_text: Load) -> None:
    """So that what is secret need not be written down."""
    env = {
        "KEEPER_RPC_URL": URL,
        "KEEPER_JOURNAL_URL": "postgresql://db/keeper",
        "KEEPER_ALERT_URLS": "json://a json://b",
    }
    settings = load_text(env=env)
    assert settings.rpc_url.reveal() == URL
    assert settings.journal_url.reveal() == "postgresql://db/keeper"
    assert [url.reveal() for url in settings.alerts.urls] == ["json://a", "json://b"]


def test_an_empty_variable_changes_nothing(load_text: Load) -> None:
    """Service managers set variables to nothing."""
    settings = load_text(env={"KEEPER_RPC_URL": "", "KEEPER_JOURNAL_URL": "", "KEEPER_ALERT_URLS": ""})
    assert settings.rpc_url.reveal() == "http://127.0.0.1:8545"
    assert settings.alerts.urls == ()


def test_relative_paths_begin_at_the_settings_file(
    load_text: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service has another working directory than the owner's shell."""
    monkeypatch.chdir("/")
    extra = 'keystore = "hot.json"\npassword_file = "secrets/password"'
    settings = load_text(('keystore = "hot.json"', extra))
    assert settings.signers[0].keystore == tmp_path / "hot.json"
    assert settings.signers[0].password_file == tmp_path / "secrets" / "password"
    assert settings.journal_url.reveal() == f"sqlite:///{tmp_path / 'keeper.sqlite'}"


@pytest.mark.parametrize("url", ["data/j.sqlite", "sqlite:///data/j.sqlite"])
def test_a_relative_journal_is_beside_the_settings_file(load_text: Load, good: str, tmp_path: Path, url: str) -> None:
    """As a path or as a URL."""
    settings = load_text(text=f'{good}\n[journal]\nurl = "{url}"\n')
    assert settings.journal_url.reveal() == f"sqlite:///{tmp_path / 'data/j.sqlite'}"


def test_home_is_understood_in_every_path(load_text: Load, good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """~ is how owners write it."""
    monkeypatch.setenv("HOME", "/home/owner")
    text = f'{good}\n[journal]\nurl = "~/j.sqlite"\n[daemon]\nstate_dir = "~/state"\n'
    settings = load_text(("hot.json", "~/hot.json"), text=text)
    assert settings.journal_url.reveal() == "sqlite:////home/owner/j.sqlite"
    assert settings.daemon.state_dir == Path("/home/owner/state")
    assert settings.signers[0].keystore == Path("/home/owner/hot.json")


def test_secrets_do_not_show_themselves(load_text: Load) -> None:
    """Not when the settings are printed, logged or shown by a debugger."""
    env = {
        "KEEPER_RPC_URL": URL,
        "KEEPER_JOURNAL_URL": "postgresql://u:s3cret@db/k",
        "KEEPER_ALERT_URLS": "json://s3cret",
    }
    settings = load_text(env=env)
    shown = f"{settings!r} {settings} {settings.rpc_url} {settings.alerts}"
    assert "s3cret" not in shown
    assert "Secret(…)" in shown


def test_settings_cannot_be_changed(load_text: Load) -> None:
    """What was checked is what runs."""
    with pytest.raises(AttributeError):
        load_text().swap_deadline_s = 1  # type: ignore[misc]


def test_parts_of_a_second_are_rounded_up(load_text: Load, good: str) -> None:
    """A deadline of half a second must not become none."""
    assert load_text(text=f'{good}\n[safety]\nswap_deadline = "500ms"\n').swap_deadline_s == 1
