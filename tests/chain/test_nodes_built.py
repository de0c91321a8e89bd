"""The nodes as the settings say, live and in dry run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keeper.observe.observer import Observer
from keeper.service.connections import NoSenderError, nodes
from keeper.settings import Settings, load

Load = Callable[[str], Settings]
RELAYED = """
[[network.nodes]]
url = "http://127.0.0.1:1"

[[network.nodes]]
url = "http://127.0.0.1:2"
roles = ["read"]

[[network.nodes]]
url = "http://127.0.0.1:3"
roles = ["private"]
method = "eth_sendPrivateTransaction"
"""


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    def loaded(network: str) -> Settings:
        path = tmp_path / "keeper.toml"
        owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
        position = f'[[positions]]\nname = "p"\nvenue = "aave_v3"\nowner = "{owner}"\n'
        path.write_text(f'[network]\nfile = "ethereum"\n{network}\n{position}', encoding="utf-8")
        return load(path, {})

    return loaded


async def test_live_each_connection_may_do_what_its_role_says_and_nothing_more(load_text: Load) -> None:
    """A node to read from cannot be sent to by mistake, a relay is not asked for state."""
    built = nodes(load_text(RELAYED), Observer("live"), is_live=True)
    both, read, relay = (member.node for member in built.members)
    assert both.may("eth_call")
    assert both.may("eth_sendRawTransaction")
    assert read.may("eth_call")
    assert not read.may("eth_sendRawTransaction")
    assert relay.may("eth_sendPrivateTransaction")
    assert not relay.may("eth_call")
    assert built.has_private_relay
    await built.close()


async def test_in_dry_run_nothing_that_sends_is_built(load_text: Load) -> None:
    """Relays are left out altogether."""
    built = nodes(load_text(RELAYED), Observer("dry_run"), is_live=False)
    assert [member.name for member in built.members] == ["127.0.0.1:1", "127.0.0.1:2"]
    sending = ("eth_sendRawTransaction", "eth_sendPrivateTransaction")
    assert not any(member.node.may(method) for member in built.members for method in sending)
    await built.close()


def test_live_needs_a_node_that_takes_transactions(load_text: Load) -> None:
    """Said at the start, not at the moment of the rescue; watching needs none."""
    settings = load_text('[[network.nodes]]\nurl = "http://127.0.0.1:1"\nroles = ["read"]')
    with pytest.raises(NoSenderError, match="--live needs a node"):
        nodes(settings, Observer("live"), is_live=True)
    assert nodes(settings, Observer("dry_run"), is_live=False).members


def test_the_fork_of_a_dry_run_is_of_the_first_node_that_reads(load_text: Load) -> None:
    """A relay has no state to fork."""
    first = '[[network.nodes]]\nurl = "http://127.0.0.1:9"\nroles = ["private"]\n'
    assert load_text(first + RELAYED).rpc_url.reveal() == "http://127.0.0.1:1"
