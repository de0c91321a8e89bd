"""Secrets in places that few think of: a database's address, a socket's, a signer's; what commands print shows none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SECRETS = {
    "password of the database": "dbPassw0rdOfTheOwner77",
    "password in the query": "queryPassw0rdOfTheOwner88",
    "user of a socket": "wsBasicPassw0rd4411",
    "path of a socket": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "query of a socket": "wsQueryTok3nABCDEF12345",
    "signer": "signerTok3nInItsPath9988",
    "alarm": "AAHalarmTokenOfThePhone998877665544332",
    "bot": "AAGbotTokenOfTheOwner1234567890abcdefg",
    "keystore password": "k3ystorePassw0rdOfTheOwner",
}


@pytest.fixture
def refusing() -> Iterator[int]:
    """A server that quotes whatever it is asked, and takes no WebSocket."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    asked = peer.recv(4096).split(b"\r\n")[0]
                    peer.sendall(b"HTTP/1.1 401 Unauthorized\r\nX-Asked: " + asked + b"\r\nContent-Length: ")
                    peer.sendall(str(len(asked)).encode() + b"\r\n\r\n" + asked)

        threading.Thread(target=serve, daemon=True).start()
        yield int(listening.getsockname()[1])


def settings(folder: Path, port: int, journal: str) -> tuple[Path, dict[str, str]]:
    of, bot = SECRETS, folder / "bot"
    bot.write_text(f"123456789:{of['bot']}")
    (folder / "password").write_text(of["keystore password"])
    (folder / "keystore.json").write_text('{"version": 3, "crypto": {"half": "a keystore"}}')
    for name in ("bot", "password", "keystore.json"):
        (folder / name).chmod(0o600)
    (folder / "keeper.toml").write_text(f"""
[network]
file = "ethereum"
[[signers]]
name = "me"
address = "{OWNER}"
keystore = "keystore.json"
password_file = "password"
[[signers]]
name = "far"
address = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
remote = "http://127.0.0.1:{port}/{of["signer"]}"
[[positions]]
name = "eth-loop"
venue = "aave_v3"
owner = "{OWNER}"
signer = "me"
[[positions]]
name = "far-loop"
venue = "aave_v3"
owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
signer = "far"
[[rules]]
name = "protect"
position = "eth-loop"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["repay"]
[[rules]]
name = "protect-far"
position = "far-loop"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["repay"]
[alerts]
urls = ["tgram://123456789:{of["alarm"]}/12345/"]
[telegram]
token_file = "bot"
chats = [7]
[daemon]
state_dir = "state"
rpc_timeout = "1s"
""")
    url = f"ws://me:{of['user of a socket']}@127.0.0.1:{port}/{of['path of a socket']}?k={of['query of a socket']}"
    return folder / "keeper.toml", {"KEEPER_RPC_URL": url, "KEEPER_JOURNAL_URL": journal}


JOURNALS = (
    f"postgresql://keeper:{SECRETS['password of the database']}@127.0.0.1:9/keeper?connect_timeout=1",
    f"postgresql://keeper@127.0.0.1:9/keeper?connect_timeout=1&password={SECRETS['password in the query']}",
    f"postgres ql://keeper:{SECRETS['password of the database']}@127.0.0.1:9/keeper",
    f"mysql://keeper:{SECRETS['password of the database']}@127.0.0.1:9/keeper",
    f"postgresql://keeper:{SECRETS['password of the database']}@127.0.0.1:notaport/keeper",
)
COMMANDS = (("doctor",), ("once", "--live"), ("run", "--live"), ("pause", "--all"))


@pytest.mark.slow
@pytest.mark.parametrize("journal", JOURNALS, ids=["password", "query", "no scheme", "another", "bad port"])
def test_no_command_shows_a_secret_of_an_address(tmp_path: Path, refusing: int, journal: str) -> None:
    """Whatever is wrong with node, database, signer or keystore: each command names it, and shows no secret."""
    file, env = settings(tmp_path, refusing, journal)
    found = {secret: name for name, secret in SECRETS.items()}
    for command in COMMANDS:
        words = [sys.executable, "-X", "faulthandler", "-m", "keeper", *command, "-c", str(file)]
        try:
            ended = subprocess.run(
                words, env={**os.environ, **env}, capture_output=True, text=True, timeout=25, check=False
            )
            said = ended.stdout + ended.stderr
        except subprocess.TimeoutExpired as late:
            said = ((late.stdout or b"") + (late.stderr or b"")).decode()
        assert said
        assert "Traceback" not in said, said
        assert [name for secret, name in found.items() if secret in said] == [], (command, said)
