"""A key in a node's address goes to no log, however the node answers."""

import json

import pytest
from rpc_server import Bench

from keeper.chain.client import Node
from keeper.chain.errors import NodeError, NodeRefusedError
from keeper.chain.secrets import Secrets

KEY = "9aa3d95b3bc440fa88ea12eaa4456161"


@pytest.mark.parametrize("place", [f"/v3/{KEY}", f"/?apikey={KEY}", f"/a%20b{KEY}"])
@pytest.mark.parametrize("status", [200, 401, 429, 503])
async def test_a_node_that_quotes_our_key_does_not_put_it_into_our_log(bench: Bench, place: str, status: int) -> None:
    """In a refusal, in an error of HTTP, in a body that is no JSON-RPC."""
    server = await bench.server()
    node = Node(server.url + place, timeout_s=5)
    said = f"project id {KEY} at {place} is not allowed"
    bodies = [json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32002, "message": said}}), said, ""]
    for body in bodies:
        server.status, server.body = status, body
        with pytest.raises(NodeError) as failed:
            await node.request("eth_chainId")
        error = failed.value
        told = f"{error} {error!r} {error.detail} {error.args}"
        told += error.message if isinstance(error, NodeRefusedError) else ""
        assert KEY not in told
        assert KEY not in repr(node)
    await node.close()


def test_only_what_may_be_a_key_is_taken_out() -> None:
    """A host, a short path and words stay readable."""
    assert Secrets("http://127.0.0.1:8545/rpc").hidden("127.0.0.1:8545/rpc refused") == "127.0.0.1:8545/rpc refused"
    secrets = Secrets(f"https://somebody:{KEY}@node.example/v2/{KEY}x?x={KEY}y")
    assert secrets.hidden(f"{KEY}x {KEY}y somebody {KEY}") == "… … … …"
    assert KEY not in repr(secrets)
