"""An alarm's address is a way out and no way in: nothing it answers leads anywhere, and no machine's own secrets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from typing import Any

import pytest

from keeper.observe import outward
from keeper.observe.alarm_address import is_understood
from keeper.observe.delivery import AppriseAlarm


class Place:
    """A web server on this machine that notes what is asked of it, and answers one way."""

    def __init__(self, status: int, location: str = "", host: str = "127.0.0.1") -> None:
        self.asked, place = list[str](), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                self._answer()

            def do_GET(self) -> None:
                self._answer()

            def _answer(self) -> None:
                place.asked.append(f"{self.command} {self.path}")
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer((host, 0), Handler)
        self.at = f"{host}:{self.server.server_port}"
        threading.Thread(target=lambda: self.server.serve_forever(0.01), daemon=True).start()


@pytest.fixture
def inner() -> Iterator[Place]:
    """What only this machine can reach."""
    place = Place(200)
    yield place
    place.server.shutdown()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["json", "xml", "form"])
def test_a_redirect_of_an_alarm_service_is_not_followed(
    inner: Place, status: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answers at the address sends nobody to what this machine alone can reach; the alarm counts as lost."""
    monkeypatch.setattr("keeper.observe.delivery.DELIVERY_TRIES", 1)
    outer = Place(status, f"http://{inner.at}/latest/meta-data/")
    assert not AppriseAlarm([f"{kind}://{outer.at}/"]).notify("title", "body")
    assert outer.asked == ["POST /"]
    assert inner.asked == []
    outer.server.shutdown()


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.170.2",
        "[fe80::1]",
        "[fe80::1%25eth0]",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
    ],
)
@pytest.mark.parametrize("kind", ["json", "jsons", "xml", "ntfy", "gotify"])
def test_no_alarm_goes_where_a_machine_keeps_its_own_secrets(kind: str, host: str) -> None:
    """Link-local addresses and the metadata services of clouds are refused, however they are spelled."""
    token = "/Atoken1234" if kind == "gotify" else "/topic"
    assert not is_understood(f"{kind}://{host}{token}")
    assert not is_understood(f"{kind}://me:word@{host}:8080{token}?x=1")


@pytest.mark.parametrize(
    "url",
    ["json://127.0.0.1:8080/x", "json://192.168.1.7/x", "json://10.0.0.3/x", "ntfy://alarms.example/topic", "ntfy://t"],
)
def test_services_of_ones_own_are_alarms_as_ever(url: str) -> None:
    """At home, on this machine, on the internet."""
    assert is_understood(url)


class Names:
    """What a name means, one answer after the other; the last one stays."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self._real = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *args: Any, **named: Any) -> Any:
        if host != "alarms.example":
            return self._real(host, port, *args, **named)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return self._real(answer, port, *args, **named)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A metadata service: an address of this machine that stands for one."""
    place = Place(200, host="127.0.0.9")
    monkeypatch.setattr("keeper.observe.alarm_address.OWN_SECRETS", (ip_network("127.0.0.9/32"),))
    monkeypatch.setattr("keeper.observe.delivery.DELIVERY_TRIES", 1)
    yield place
    place.server.shutdown()


@pytest.mark.parametrize("kind", ["json", "xml", "form", "ntfy"])
@pytest.mark.parametrize("before", [(), ("127.0.0.1",)], ids=["at_once", "after_it_meant_another"])
def test_a_name_that_means_where_secrets_are_kept_is_not_connected_to(
    secrets: Place, kind: str, before: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who runs the name decides what it means, at each look: the address that is connected to is what counts."""
    names = Names(*before, "127.0.0.9")
    monkeypatch.setattr(socket, "getaddrinfo", names)
    for _ in before:
        assert socket.getaddrinfo("alarms.example", 80)[0][4][0] == before[0]  # as a check beforehand would see it
    port = secrets.server.server_port
    assert not AppriseAlarm([f"{kind}://alarms.example:{port}/topic"]).notify("title", "body")
    assert secrets.asked == []


def test_a_name_that_means_a_service_is_delivered_to(
    inner: Place, secrets: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that may not be reached holds no other up: both are tried, and the alarm counts as lost to one."""
    monkeypatch.setattr(socket, "getaddrinfo", Names("127.0.0.1"))
    good = f"json://alarms.example:{inner.server.server_port}/x"
    assert AppriseAlarm([good]).notify("title", "body")
    assert not AppriseAlarm([f"json://127.0.0.9:{secrets.server.server_port}/x", good]).notify("title", "body")
    assert inner.asked == ["POST /x", "POST /x"]
    assert secrets.asked == []


def test_other_connections_of_this_process_are_nobodys_business(secrets: Place) -> None:
    """A node may be on a link of this machine."""
    outward.guard()
    with socket.create_connection(("127.0.0.9", secrets.server.server_port), 1):
        pass
