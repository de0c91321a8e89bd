"""Who is let in: by this machine's own names, with the token; under headers that keep other pages out."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_scene import AT, LOOK, access, scene, settings_at

from keeper.settings import SettingsError
from keeper.web.server import ready
from keeper.web.sight import Onlooker
from keeper.web.tokens import TokenError, made_or_read, read

PATHS = ("/", "/position?chain=ethereum&name=eth-loop", "/control", "/events", "/api/glance?chain=ethereum",
         "/api/chains", "/api/openapi.json", "/api/decisions?chain=ethereum", "/api/transactions?chain=ethereum",
         "/api/history?chain=ethereum&name=eth-loop")  # fmt: skip


@pytest.mark.parametrize("token", [None, "", "x", LOOK[:-1], LOOK + "a", "ü" * 40])
async def test_without_the_token_nothing_is_shown(tmp_path: Path, asking: Any, token: str | None) -> None:
    """No figure, no name, no chain: whatever else is in the token's place."""
    sight = Onlooker(settings_at(tmp_path))
    async with asking(access(), sight, token=None) as ask:
        given = {"Authorization": f"Bearer {token}".encode()} if token is not None else {}
        for path in PATHS:
            answer = await ask.get(path, headers=given)
            assert answer.status_code == 401, path
            assert "eth-loop" not in answer.text, path
            assert "ethereum" not in answer.text, path


async def test_the_link_sets_a_cookie_that_no_script_sees_and_leaves_the_address(tmp_path: Path, asking: Any) -> None:
    """From then on the browser is let in; the token stands in no address any more."""
    night = await scene(tmp_path)
    async with asking(night.access, night.sight, token=None) as ask:
        entered = await ask.get("/enter", params={"token": LOOK})
        assert entered.status_code == 200
        said = entered.headers["set-cookie"]
        assert "HttpOnly" in said
        assert "samesite=strict" in said.lower()
        assert (await ask.get("/")).status_code == 200
        assert LOOK not in (await ask.get("/")).text
        ask.cookies.clear()
        by_hand = await ask.post("/enter", data={"token": LOOK})
        assert by_hand.status_code == 200


async def test_a_wrong_link_opens_nothing(tmp_path: Path, asking: Any) -> None:
    """And sets no cookie."""
    async with asking(access(), Onlooker(settings_at(tmp_path)), token=None) as ask:
        answer = await ask.get("/enter", params={"token": "wrong"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "not the token" in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8520", "10.0.0.1", "", "[::2]", "a b"]
)
async def test_a_name_that_is_not_this_machines_is_refused(tmp_path: Path, asking: Any, host: str) -> None:
    """A page elsewhere may have its own name point here (DNS rebinding): its requests carry that name."""
    async with asking(access(), Onlooker(settings_at(tmp_path))) as ask:
        for path in ("/", "/healthz", "/static/page.js", "/api/chains"):
            assert (await ask.get(path, headers={"Host": host})).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8520", "localhost", "localhost:9999", "[::1]:8520", "keeper.lan"])
async def test_names_of_this_machine_and_of_the_settings_are_known(tmp_path: Path, asking: Any, host: str) -> None:
    """With any port: a tunnel has its own."""
    night = await scene(tmp_path)
    async with asking(access(names=("keeper.lan",)), night.sight) as ask:
        assert (await ask.get("/", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("path", ["/", "/enter", "/nowhere", "/healthz", "/readyz", "/static/page.css", "/api/chains"])
async def test_every_answer_carries_the_safe_headers(tmp_path: Path, asking: Any, path: str) -> None:
    """Also errors and files: no inline script or style, no frame, no copy kept."""
    night = await scene(tmp_path)
    async with asking(night.access, night.sight) as ask:
        found = (await ask.get(path)).headers
    policy = found["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert found["cache-control"] == "no-store"
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "no-referrer"
    assert "server" not in found


async def test_pages_have_nothing_inline_and_name_no_other_machine(tmp_path: Path, asking: Any) -> None:
    """What the policy forbids is not there to be forbidden."""
    night = await scene(tmp_path, control=True)
    async with asking(night.access, night.sight) as ask:
        pages = [(await ask.get(path)).text for path in ("/", PATHS[1], "/control", "/enter")]
    for page in pages:
        assert " style=" not in page
        assert " onclick=" not in page
        assert "<style" not in page
        assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in page


async def test_what_is_too_large_is_refused_unread(tmp_path: Path, asking: Any) -> None:
    """A body, an address, a body of unknown length."""
    async with asking(access(control=True), Onlooker(settings_at(tmp_path))) as ask:
        assert (await ask.post("/control", content=b"x" * 9000)).status_code == 413
        assert (await ask.get("/", params={"x": "y" * 5000})).status_code == 414

        async def endless() -> Any:
            yield b"x"

        assert (await ask.post("/control", content=endless())).status_code == 413


async def test_health_is_said_to_anybody_and_says_nothing_else(tmp_path: Path, asking: Any) -> None:
    """Who restarts it needs no token."""
    night = await scene(tmp_path)
    async with asking(night.access, night.sight, token=None) as ask:
        assert (await ask.get("/healthz")).json() == {"status": "ok"}
        stands = await ask.get("/readyz")
    assert stands.status_code == 200
    assert "eth-loop" not in stands.text


@pytest.mark.parametrize("after_s", [0, 100, 121, 86_400])
async def test_it_is_ready_while_blocks_are_judged_and_not_when_blind(
    tmp_path: Path, asking: Any, after_s: int
) -> None:
    """Two minutes without a judged block, whatever the reason: 503, and which chain; the page itself is still there."""
    night = await scene(tmp_path)
    late = replace(night.sight, clock=lambda: float(AT + after_s))
    async with asking(night.access, late, token=None) as ask:
        stands, health = await ask.get("/readyz"), await ask.get("/healthz")
    assert stands.status_code == (200 if after_s <= 100 else 503)
    assert [one["state"] for one in stands.json()] == ["live" if after_s <= 100 else "silent"]
    assert health.status_code == 200


async def test_it_is_not_ready_before_a_block_was_judged_nor_where_nothing_can_be_read(
    tmp_path: Path, asking: Any
) -> None:
    """No journal yet, or one that is none: unseen, and 503."""
    settings = settings_at(tmp_path)
    for made in (None, "no database"):
        if made is not None:
            (tmp_path / "keeper.sqlite").write_text(made * 100)
        async with asking(access(), Onlooker(settings), token=None) as ask:
            stands = await ask.get("/readyz")
        assert stands.status_code == 503
        assert [one["state"] for one in stands.json()] == ["unseen"]


# --- the tokens' files -----------------------------------------------------------------------------------------------


def test_the_token_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """Long, random, in a file with mode 0600; the next start has the same."""
    made, is_new = made_or_read(tmp_path / "state" / "page-token")
    again, is_newer = made_or_read(tmp_path / "state" / "page-token")
    assert (is_new, is_newer) == (True, False)
    assert made.is_same(again.reveal())
    assert len(made.reveal()) >= 43
    assert stat.S_IMODE((tmp_path / "state" / "page-token").stat().st_mode) == 0o600
    assert made.reveal() not in repr(made)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("a" * 40, 0o644, "open to others"),
        ("short", 0o600, "must hold one line"),
        ("", 0o600, "must hold one line"),
        ("a b" * 20, 0o600, "without spaces"),
        ("a" * 20 + "\n" + "b" * 20, 0o600, "must hold one line"),
        ("ü" * 40, 0o600, "not plain text"),
    ],
)
def test_a_token_that_protects_nothing_is_refused(tmp_path: Path, text: str, mode: int, said: str) -> None:
    """With the file and the remedy."""
    file = tmp_path / "token"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    with pytest.raises(TokenError, match=said):
        read(file)


def test_a_link_in_the_tokens_place_is_not_written_through(tmp_path: Path) -> None:
    """Whoever may write the folder chooses no file for us to fill."""
    (tmp_path / "page-token").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TokenError):
        made_or_read(tmp_path / "page-token")
    assert not (tmp_path / "elsewhere").exists()


def test_a_port_that_is_taken_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    """Known before anything begins, with the place and the remedy."""
    settings = settings_at(tmp_path)
    first = ready([settings], tmp_path / "state", port=0)
    with first.socket:
        assert first.socket.getsockname()[0] == "127.0.0.1"
        with pytest.raises(SettingsError, match=r"web\.port: \d+ cannot be used"):
            ready([settings], tmp_path / "state", port=first.access.port)
