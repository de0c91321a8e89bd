"""A world with positions, and a keeper's engine in it, for measuring."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from eth_account import Account

from keeper.engine.engine import Engine
from keeper.service import app
from keeper.settings import load
from sandbox.world import World

E18, E6 = 10**18, 10**6
RULE = """
[[rules]]
name = "protect"
position = "{name}"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["deleverage"]
"""


def open_loop(world: World, owner: str) -> None:
    """10 WETH against 13,000 USDC, the dollars spent."""
    world.open_position(owner, collateral={"WETH": 10 * E18}, debt={"USDC": 13_000 * E6})
    with world.acting_as(owner):
        usdc = world.token("USDC")
        world.chain.send(usdc.functions.transfer(world.role("lp"), world.balance("USDC", owner)), owner)


def write_settings(
    folder: Path,
    world: World,
    owners: list[str],
    *,
    rpc_url: str,
    batch: bool = False,
    rule: str = RULE,
    lends: bool = False,
) -> Path:
    """Write a keeper's files for positions of account 0's key (more owners are watched only)."""
    key = world.account(0)
    world.network_toml(folder / "network.toml", lends=lends)
    (folder / "keystore.json").write_text(json.dumps(Account.encrypt(key.key, "bench", iterations=2)))
    (folder / "password").write_text("bench")
    lines = [f'[network]\nfile = "network.toml"\nrpc_url = "{rpc_url}"\n[journal]\nurl = "bench.sqlite"\n']
    lines.append(
        f'[[signers]]\nname = "me"\naddress = "{key.address}"\nkeystore = "keystore.json"\n'
        f'password_file = "password"\nbatch = {str(batch).lower()}\n'
    )
    for i, owner in enumerate(owners):
        signer = 'signer = "me"\n' if owner == key.address else ""
        lines.append(f'[[positions]]\nname = "p{i}"\nvenue = "aave_v3"\nowner = "{owner}"\n{signer}')
    lines += [rule.format(name=f"p{i}") for i, owner in enumerate(owners) if owner == key.address]
    path = folder / "keeper.toml"
    path.write_text("\n".join(lines))
    return path


@asynccontextmanager
async def opened(path: Path, *, live: bool) -> AsyncIterator[Engine]:
    """The engine of a settings file."""
    async with app.opened(load(path, {}), is_live=live) as engine:
        await engine.reader.blocks.check_chain()
        yield engine
