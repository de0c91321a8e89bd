"""The word to systemd goes over a real socket, after judged blocks alone."""

from __future__ import annotations

import socket
from pathlib import Path

from keeper.service.supervisor import Supervisor


def test_a_judged_block_says_ready_alive_and_how_it_stands(tmp_path: Path) -> None:
    """One datagram, as sd_notify has it; a socket that is gone or was never there stops nobody."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taken:
        taken.bind(str(path))
        taken.settimeout(5)
        found = Supervisor({"NOTIFY_SOCKET": str(path)})
        found.judged("block 7: loop 1.66")
        assert taken.recv(1000).decode().split("\n") == ["READY=1", "WATCHDOG=1", "STATUS=block 7: loop 1.66"]
        found.stopping()
        assert b"STOPPING=1" in taken.recv(1000)
    path.unlink()
    found.judged("gone")
    Supervisor({}).judged("nobody")
