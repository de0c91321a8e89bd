"""A running node and what a test does to it: time, blocks, snapshots, the known accounts, speaking for others."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3

from sandbox.anvil import MNEMONIC, Anvil
from sandbox.chain import Chain
from sandbox.deploy import Addresses
from sandbox.errors import SandboxError
from sandbox.paths import RUN

DEFAULT_INTERVAL_S = 12


class Node:
    """The chain of a world. One object for one thread."""

    def __init__(
        self, url: str, addresses: Addresses, anvil: Anvil | None = None, block_time: float | None = None
    ) -> None:
        self.url, self.addresses, self.anvil, self.block_time = url, addresses, anvil, block_time
        self.chain = Chain(url)
        self.w3: Web3 = self.chain.w3
        self.timestamp_interval = DEFAULT_INTERVAL_S if block_time is None else max(1, round(block_time))
        self._unlocked = set(self.w3.eth.accounts)

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    @property
    def now(self) -> int:
        """The latest block's timestamp."""
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def rpc(self, method: str, *params: Any) -> Any:
        return self.chain.rpc(method, *params)

    def warp(self, seconds: int) -> None:
        """One block, `seconds` after the latest one. Feeds are not refreshed: see `refresh_feeds`."""
        self.set_next_timestamp(self.now + seconds)
        self.rpc("evm_mine")

    def set_next_timestamp(self, timestamp: int) -> None:
        """The next block, whoever makes it, carries this timestamp."""
        self.rpc("evm_setNextBlockTimestamp", timestamp)

    def set_timestamp_interval(self, seconds: int) -> None:
        """How much later than its parent each block is from now on."""
        self.rpc("anvil_setBlockTimestampInterval", seconds)
        self.timestamp_interval = seconds

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.rpc("evm_mine")

    def snapshot(self) -> str:
        return str(self.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Back to a snapshot, time included; a snapshot serves once."""
        if not self.rpc("evm_revert", snapshot):
            raise SandboxError(f"snapshot {snapshot} is unknown or was used")

    def account(self, index: int) -> LocalAccount:
        """One of anvil's own test accounts; 0 to 9 are free for users, 10 to 18 are the world's roles."""
        return _account(index)

    def role(self, name: str) -> str:
        """The address of a role: admin, lp, liquidator, arbitrageur, feeds, gmx_keeper, perp_maker and so on."""
        return str(self.addresses["roles"][name])

    @contextmanager
    def acting_as(self, owner: str) -> Iterator[str]:
        """Send as `owner`; an account that anvil has no key for is impersonated meanwhile and given gas money."""
        if owner in self._unlocked:
            yield owner
            return
        self.rpc("anvil_impersonateAccount", owner)
        if self.w3.eth.get_balance(Web3.to_checksum_address(owner)) < 10**18:
            self.rpc("anvil_setBalance", owner, hex(10**18))
        try:
            yield owner
        finally:
            self.rpc("anvil_stopImpersonatingAccount", owner)

    def save(self, path: Path) -> Path:
        """Everything another program needs, as JSON: addresses, url and the public test keys."""
        users = [self.account(i) for i in range(10)]
        extra = {
            "url": self.url,
            "ws_url": self.ws_url,
            "block_time": self.block_time,
            "accounts": [user.address for user in users],
            "private_keys": ["0x" + bytes(user.key).hex() for user in users],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.addresses | extra, indent=1) + "\n")
        return path

    def stop(self) -> None:
        if self.anvil is not None:
            self.anvil.stop()
            (RUN / f"world-{self.anvil.port}.json").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@cache
def _account(index: int) -> LocalAccount:
    Account.enable_unaudited_hdwallet_features()
    account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return account
