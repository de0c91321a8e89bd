"""A node's bytes are bounded before they become anything: size, nesting, count, place, kind."""

import asyncio
import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from keeper.chain import bounded
from keeper.chain.accounts import nonce, receipt
from keeper.chain.blocks import Blocks
from keeper.chain.bounded import DEEPEST, MOST_VALUES, UnfitAnswerError, parsed
from keeper.chain.client import Node
from keeper.chain.errors import NodeAwayError, NodeError, NodeRefusedError, OversizedError, TooBigError
from keeper.core.units import Address

ROOT = Path(__file__).resolve().parents[2]
WALK = """
import importlib, pkgutil, sys
import keeper
for module in pkgutil.walk_packages(keeper.__path__, "keeper."):
    if not module.name.endswith("__main__") and ".migrations." not in module.name:
        importlib.import_module(module.name)
print(sys.getrecursionlimit())
"""
FEED = """
import asyncio, gzip, resource, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from keeper.chain.client import Node
from keeper.chain.errors import NodeError

packed = gzip.compress(bytes(1 << 20) * 1900, 1)

class Bomb(BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(packed)))
        self.end_headers()
        try:
            self.wfile.write(packed)
        except OSError:
            pass
    def log_message(self, *_): pass

server = HTTPServer(("127.0.0.1", 0), Bomb)
threading.Thread(target=server.serve_forever, daemon=True).start()
async def ask():
    node = Node(f"http://127.0.0.1:{server.server_port}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        await node.request(sys.argv[1])
    except NodeError as error:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
    await node.close()
asyncio.run(ask())
"""


@asynccontextmanager
async def answering(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[Node]:
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    node = Node(f"http://127.0.0.1:{runner.addresses[0][1]}", timeout_s=20)
    try:
        yield node
    finally:
        await node.close()
        await runner.cleanup()


def body(result: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()


def always(content: bytes, status: int = 200, **headers: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=status, body=content, headers={"Content-Type": "application/json"} | headers)

    return handle


# --- nesting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_an_answer_nested_200_000_deep_is_refused_and_the_process_lives(opening: bytes) -> None:
    """Whatever it is nested of, closed or not; and nothing is left to the parser."""
    closing = {b"[": b"]", b'{"a":': b"}", b'[{"a":': b"}]"}[opening]
    for data in (opening * 200_000, opening * 60_000 + b"1" + closing * 60_000, opening * 100 + b"1" + closing * 100):
        with pytest.raises(UnfitAnswerError):
            parsed(data)


async def test_a_deep_answer_is_that_nodes_failure() -> None:
    """It raises NodeAwayError, so that another node is asked."""
    async with answering(always(b"[" * 200_000 + b"]" * 200_000)) as node:
        with pytest.raises(NodeAwayError):
            await node.request("eth_blockNumber")


def test_brackets_inside_strings_do_not_count() -> None:
    """An error may quote a request; escaped quotes and backslashes end no string."""
    said = '[[[{{{"' * 1000 + "\\"
    assert parsed(json.dumps({"a": said, "b": [said] * 3}).encode()) == {"a": said, "b": [said] * 3}


def test_quotes_hide_no_brackets() -> None:
    """Neither an escaped quote nor another encoding makes the count blind to what the parser would see."""
    deep = "[" * 3000 + "]" * 3000
    for data in (
        f'["\\\\",{deep}]'.encode(),
        f'["\\"",{deep}]'.encode(),
        f'["\\\\\\"",{deep},"\\\\"]'.encode(),
        ("\ufeff" + deep).encode("utf-16-le"),
        deep.encode("utf-32"),
        f'["\u2222",{deep}]'.encode("utf-16"),
    ):
        with pytest.raises(UnfitAnswerError):
            parsed(data)


WHOLE = st.integers(-(2**63), 2**64 - 1)
NESTED = st.recursive(st.none() | WHOLE | st.text(max_size=8), lambda x: st.lists(x, max_size=3), max_leaves=20)


@given(NESTED, st.booleans())
def test_what_is_within_bounds_is_parsed_as_ever(value: object, is_ascii: bool) -> None:
    """Bounds change no answer that keeps them."""
    data = json.dumps([value] * 30, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    try:
        data.decode()
    except UnicodeDecodeError:
        return
    assert parsed(data) == json.loads(
        re.sub(r"[\ud800-\udfff]", "\ufffd", json.dumps(json.loads(data), ensure_ascii=False))
    )


def test_half_a_surrogate_pair_is_a_mark_and_no_end_of_the_answer() -> None:
    """A contract's words may hold one; what only looks like one, behind an escaped backslash, is left alone."""
    said = parsed(rb'{"a":"\ud800 \udfff \\ud800 \ud83d\ude00 \uD83D\uD83D\uDE00"}')
    assert said == {"a": "\ufffd \ufffd \\ud800 \U0001f600 \ufffd\U0001f600"}


A = Address("0x" + "11" * 20)
NUMBERS = (
    "1" + "0" * 400,
    "-1" + "0" * 400,
    "1e400",
    "1" * 20_000,
    "1" + "0" * 30,
    str(2**64),
    "1.5",
    "-1",
    "7",
    "true",
)


@pytest.mark.parametrize("number", NUMBERS)
async def test_a_number_where_a_quantity_is_due_is_that_nodes_failure(number: str) -> None:
    """However long: never a rounded quantity, never another kind of error. Nodes write quantities as text."""
    content = b'{"jsonrpc":"2.0","id":1,"result":' + number.encode() + b"}"
    async with answering(always(content)) as node:
        blocks = Blocks(node, 1, A)
        for asked in (
            nonce(node, A, pending=True),
            blocks.check_chain(),
            blocks.head(),
            receipt(node, "0x" + "22" * 32),
        ):
            with pytest.raises(NodeError):
                await asked


@pytest.mark.parametrize("number", NUMBERS)
async def test_a_number_is_no_words_of_a_refusal(number: str) -> None:
    """An error's code, message and data may be anything; what is raised is an error of that node."""
    error = b'{"code":%b,"message":%b,"data":%b}' % ((number.encode(),) * 3)
    async with answering(always(b'{"jsonrpc":"2.0","id":1,"error":' + error + b"}")) as node:
        with pytest.raises(NodeError) as refused:
            await node.request("eth_blockNumber")
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("hides", [b"[", b"{", b",", b"]"])
@pytest.mark.parametrize(
    "around",
    [
        b'{"result":"0x%b","id":%b}',  # behind a long answer in hex
        b'{"id":%2b,"result":"0x%1b"}',  # before it
        b'{"a":"\\"0x%b","id":%b}',  # behind what only looks like one
        b'["a"0x%b"%b',  # behind what is no JSON
    ],
)
def test_a_long_answer_in_hex_hides_no_structure(around: bytes, hides: bytes) -> None:
    """However long the text is, what is beside it is counted; and what is in it is text."""
    deep = hides * 200_000
    place = around.replace(b"%1b", b"%b").replace(b"%2b", b"%b").split(b"%b")
    is_first = b"%2b" in around
    for payload in (b"ab" * 4096, deep):
        inside, beside = (deep, payload) if is_first else (payload, deep)
        with pytest.raises(UnfitAnswerError):
            parsed(place[0] + inside + place[1] + beside + place[2])
    if b"result" in around:
        whole = [b'"x"', payload] if is_first else [payload, b'"x"']
        assert parsed(place[0] + whole[0] + place[1] + whole[1] + place[2])


@pytest.mark.parametrize("extra", [0, 1])
def test_the_deepest_is_met_exactly(extra: int) -> None:
    """As many levels as allowed are parsed, one more is not, however many brackets there are besides."""
    data = b"[" + b"[]," * 100 + b"[" * (DEEPEST - 1 + extra) + b"]" * (DEEPEST - 1 + extra) + b"]"
    if extra:
        with pytest.raises(UnfitAnswerError, match="nested"):
            parsed(data)
    else:
        assert parsed(data)


@pytest.mark.parametrize(
    "data",
    [
        b"[" + b"0," * MOST_VALUES + b"0]",
        b"[" + b"[]" * MOST_VALUES + b"]",
        b"{}" * 8_000_000,
        b'"' * 8_000_000,
        b'"\\"' * 5_000_000,
        b"]" * 8_000_000 + b"[" * 100,
        b'["' + b"\\" * 8_000_001,
        b"[" * 65 + b'"' * 700_000,
    ],
    ids=["commas", "lists", "objects", "quotes", "escapes", "closings", "backslashes", "open"],
)
def test_values_without_end_are_refused_within_a_second(data: bytes) -> None:
    """The scan is linear, whatever it is given: a block must not be lost to it."""
    began = time.process_time()
    with pytest.raises(UnfitAnswerError):
        parsed(data)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("data", [b"", b"NaN", b"[Infinity]", b"\xff", b"{", b"<html>", b"1" * 5000])
def test_what_is_no_json_is_unfit(data: bytes) -> None:
    """Python's own additions to JSON included."""
    with pytest.raises(UnfitAnswerError):
        parsed(data)


@pytest.mark.slow
def test_the_recursion_limit_is_pythons_own_whatever_was_imported() -> None:
    """Every module of the program is imported; a library that raises the limit has it put back."""
    done = subprocess.run([sys.executable, "-c", WALK], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) == 1000


# --- size ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["eth_getLogs"])
@pytest.mark.slow
def test_gzip_of_1_9_gibibytes_stays_below_100_mebibytes(method: str) -> None:
    """Measured: the peak of a process of its own that asks a node which answers so."""
    done = subprocess.run([sys.executable, "-c", FEED, method], cwd=ROOT, capture_output=True, text=True, check=True)
    grown_kib, _, said = done.stdout.partition(" ")
    assert "longer than" in said
    assert int(grown_kib) < 100 * 1024


async def test_an_answer_has_the_bound_of_its_method() -> None:
    """Two mebibytes are usual for a read of many positions, and absurd for a chain id."""
    async with answering(always(body("0x" + "00" * 2**20))) as node:
        assert len(await node.request("eth_call", {}, "latest")) == 2 + 2**21
        with pytest.raises(NodeAwayError, match="longer"):
            await node.request("eth_chainId")


async def test_an_endless_answer_without_a_length_is_dropped() -> None:
    """Nothing need be announced for the bound to hold."""

    async def pour(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b" " * 2**18)
        except (ConnectionError, asyncio.CancelledError):
            return answer

    async with answering(pour) as node:
        with pytest.raises(NodeAwayError, match="longer"):
            await node.request("eth_blockNumber")
        with pytest.raises(OversizedError):
            await node.request("eth_getLogs", {})


def test_an_oversized_answer_is_asked_for_in_parts() -> None:
    """By the type that chunks and pages go by."""
    assert issubclass(OversizedError, TooBigError)
    assert isinstance(bounded.oversized("n", "eth_call"), OversizedError)
    assert not isinstance(bounded.oversized("n", "eth_chainId"), NodeRefusedError)


async def test_gzip_is_read_as_ever() -> None:
    """What keeps the bound comes out the same, also where nobody asked for gzip."""
    async with answering(always(gzip.compress(body("0x7")), **{"Content-Encoding": "gzip"})) as node:
        assert await node.request("eth_blockNumber") == "0x7"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip"])
async def test_another_encoding_is_refused(encoding: str) -> None:
    """Also one that the body does not have."""
    async with answering(always(body("0x7"), **{"Content-Encoding": encoding})) as node:
        with pytest.raises(NodeAwayError, match="cannot be read"):
            await node.request("eth_blockNumber")


async def test_gzip_cut_short_is_no_answer() -> None:
    """Half of an answer may be JSON too."""
    packed = gzip.compress(body("0x7") + b" " * 5000)
    async with answering(always(packed[:-8], **{"Content-Encoding": "gzip"})) as node:
        with pytest.raises(NodeAwayError, match="cut short"):
            await node.request("eth_blockNumber")


# --- place and kind --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    """A node could lead us, and the signed bytes, anywhere."""
    seen = list[str]()

    async def lead(request: web.Request) -> web.Response:
        seen.append(request.path)
        if request.path == "/":
            return web.Response(status=status, headers={"Location": "/elsewhere"})
        return web.Response(body=body("0x7"), content_type="application/json")

    async with answering(lead) as node:
        with pytest.raises(NodeAwayError, match=f"{status}.*rpc_url"):
            await node.request("eth_blockNumber")
    assert seen == ["/"]


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=utf-8", "image/png", "application/xml"])
async def test_a_page_is_no_answer(kind: str) -> None:
    """Even where its text is JSON."""
    async with answering(always(body("0x7"), **{"Content-Type": kind})) as node:
        with pytest.raises(NodeAwayError, match="not JSON"):
            await node.request("eth_blockNumber")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=UTF-8", "text/plain"])
async def test_json_is_taken_by_the_names_nodes_give_it(kind: str) -> None:
    """Letters and parameters do not matter."""
    async with answering(always(body("0x7"), **{"Content-Type": kind})) as node:
        assert await node.request("eth_blockNumber") == "0x7"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b", "unix:///run/x", "a"])
def test_only_four_schemes_are_nodes(url: str) -> None:
    """Whoever calls, not the settings alone."""
    with pytest.raises(ValueError, match="begins with"):
        Node(url)


async def test_cookies_of_a_node_are_not_kept() -> None:
    """One for each answer would make every request longer, for months."""
    seen = list[str]()

    async def set_one(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie", ""))
        answer = web.Response(body=body("0x7"), content_type="application/json")
        answer.set_cookie(f"c{len(seen)}", "x" * 100)
        return answer

    async with answering(set_one) as node:
        for _ in range(3):
            await node.request("eth_blockNumber")
    assert seen == ["", "", ""]


async def test_what_a_node_says_goes_to_logs_short_and_printable() -> None:
    """A refusal of a megabyte with a terminal's own commands in it."""
    error = {"code": -32000, "message": "no\x1b[2J\r\n\ud800" + "x" * 900_000}
    async with answering(always(json.dumps({"id": 1, "error": error}).encode())) as node:
        with pytest.raises(NodeRefusedError) as refused:
            await node.request("eth_blockNumber")
    assert len(str(refused.value)) < 1000
    assert str(refused.value).isprintable()
    str(refused.value).encode()


# --- WebSocket -------------------------------------------------------------------------------------------------------


async def test_a_frame_beyond_the_bound_drops_the_connection() -> None:
    """More than the largest in one message: the answer is oversized, the next request connects anew."""
    sizes = iter([bounded.LARGEST + 1, 100])

    async def handle(connection: ServerConnection) -> None:
        async for message in connection:
            asked = json.loads(message)
            reply = {"jsonrpc": "2.0", "id": asked["id"], "result": "0x" + "0" * next(sizes)}
            await connection.send(json.dumps(reply))

    async with serve(handle, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        node = Node(f"ws://127.0.0.1:{port}", timeout_s=60)
        with pytest.raises(OversizedError):
            await node.request("eth_call", {}, "latest")
        assert len(await node.request("eth_call", {}, "latest")) == 102
        await node.close()


async def test_a_frame_has_the_bound_of_the_method_it_answers() -> None:
    """And the connection lives: others' answers come on it too. One that is too deep ends it."""
    results = iter(["0x" + "0" * 2**21, "0x7"])

    async def handle(connection: ServerConnection) -> None:
        async for message in connection:
            asked = json.loads(message)
            result = next(results, None)
            deep = "[" * 9000 + "]" * 9000
            reply = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result})
            await connection.send(reply if result else reply.replace("null", deep))

    async with serve(handle, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        node = Node(f"ws://127.0.0.1:{port}")
        with pytest.raises(NodeAwayError, match="longer"):
            await node.request("eth_chainId")
        assert await node.request("eth_chainId") == "0x7"
        with pytest.raises(NodeAwayError, match="nested"):
            await node.request("eth_chainId")
        await node.close()


async def test_a_websocket_redirect_is_not_followed() -> None:
    """As over HTTP."""
    met = list[str]()

    async def elsewhere(connection: ServerConnection) -> None:
        met.append("elsewhere")
        await connection.wait_closed()

    async with serve(elsewhere, "127.0.0.1", 0) as target:
        there = f"ws://127.0.0.1:{target.sockets[0].getsockname()[1]}"

        async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(lead, "127.0.0.1", 0)
        node = Node(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_s=5)
        with pytest.raises(NodeAwayError, match="302"):
            await node.request("eth_chainId")
        await node.close()
        server.close()
    assert met == []
