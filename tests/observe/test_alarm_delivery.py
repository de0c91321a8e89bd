"""What nodes, tokens and errors put into an alarm reaches the owner as what it is: no markup, no lost alarm."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from apprise.plugins.telegram import NotifyTelegram
from owner_stage import Stage

from keeper.observe.alarm_address import is_understood
from keeper.observe.console import rendered
from keeper.observe.delivery import AppriseAlarm
from keeper.observe.observer import Observer

CHAT = "tgram://123456789:AAFabcdefghijklmnopqrstuvwxyzABCDEFG/12345/"
SAID = "502: <html><b>Bad & 1 < 2 \x1b[2J *up* @everyone"


class Desk:
    """An alarm service on this machine: keeps what it is told, and refuses the first ``failures``."""

    def __init__(self, failures: int = 0) -> None:
        self.told, self.failures, desk = list[dict[str, str]](), failures, self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                refused, desk.failures = desk.failures > 0, desk.failures - 1
                if not refused:
                    desk.told.append(body)
                self.send_response(503 if refused else 200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(b'{"ok": true, "result": []}')

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.at = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def desk() -> Iterator[Desk]:
    one = Desk()
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_what_a_node_says_is_no_markup_in_a_chat(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chat that reads HTML refuses a message with a stray `<`, and the alarm is lost: it is escaped."""
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"http://{desk.at}/bot")
    assert AppriseAlarm([CHAT]).notify("keeper · <i>loop", SAID)
    (told,) = desk.told
    assert "<html>" not in told["text"]
    assert "502: &lt;html&gt;&lt;b&gt;Bad &amp; 1 &lt; 2" in told["text"], told["text"]
    assert "&lt;i&gt;loop" in told["text"]


def test_nothing_that_a_terminal_obeys_is_in_an_alarm(stage: Stage) -> None:
    """Escape sequences, line ends in a title, and what turns the reading direction."""
    stage.observer.raise_alarm("k", "loop\r\nBcc: a@b.c \x1b[31m\u202e", f"{SAID}\nsecond \x07line")
    stage.observer.close()
    ((title, body),) = stage.phone.told
    assert title.isprintable()
    assert all(line.isprintable() for line in body.splitlines())
    assert body.splitlines()[1] == "second  line"


def test_nothing_that_a_terminal_obeys_is_in_a_log_line_for_people() -> None:
    """A node's words, a token's symbol: one line, whatever they hold."""
    line = rendered(None, "info", {"event": "node_away", "level": "info", "detail": "\x1b[2J\r\ngone", "attempt": 1})
    assert line.isprintable(), repr(line)


def test_an_alarm_service_that_fails_once_is_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm that is not repeated for an hour is not lost to one refusal."""
    monkeypatch.setattr("keeper.observe.delivery.DELIVERY_AGAIN_S", 0.01)
    desk.failures = 1
    assert AppriseAlarm([f"json://{desk.at}"]).notify("t", "b")
    assert len(desk.told) == 1


def test_an_alarm_that_ends_in_an_unforeseen_error_is_in_the_log(stage: Stage) -> None:
    """A plugin's defect silences nobody unseen."""

    class Broken:
        def notify(self, title: str, body: str) -> bool:
            raise KeyError(title)

    observer = Observer("live", Broken(), 3600, stage.clock)
    observer.raise_alarm("k", "it burns", "now")
    observer.close()
    assert [line["error"] for line in stage.lines if line["event"] == "alarm_failed"] == ["KeyError"]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "file:///etc/plugin.py",
        "/etc/plugin.py",
        "python:///etc/plugin.py",
        "plugin://x?path=/etc/plugin.py",
        "http://127.0.0.1/config",
        "include:///etc/apprise.yml",
        "memory://x",
    ],
)
def test_an_address_that_would_read_a_file_or_load_code_is_refused(url: str) -> None:
    """Apprise loads plugins and settings from paths: none of it from an alarm's address."""
    assert not is_understood(url)
    with pytest.raises(ValueError, match="not one Apprise understands"):
        AppriseAlarm([url])
