"""The same rescues of an account that is a Safe: by a loan of Balancer v3's vault, on the real contracts."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from bench.flash import LEAST, LIMITED, MOST_GAS, PRICES, TARGET, block_by_block, equity, kept, set_the_scene, text
from bench.rows import Row
from bench.scene import opened, write_settings
from sandbox.safe.desk import SafeDesk
from sandbox.world import World

LENT_USD = 5_000_000


async def rows(world: World) -> list[Row]:
    """One line for each health: one transaction that uses up nonces n and n + 1 of the Safe, to the target."""
    desk = SafeDesk(world)
    desk.lend("USDC", LENT_USD)
    safe = desk.make(world.account(0).address)
    return [await row(world, desk, safe, name, price) for name, price in PRICES.items()]


async def row(world: World, desk: SafeDesk, safe: str, name: str, price: str) -> Row:
    flash, nonces = await rescue(world, desk, safe, price)
    is_kept = flash["health"] >= TARGET * LEAST and flash["transactions"] == 1 and nonces == 2
    gas = [flash["gas"] if is_kept else float("inf")]
    note = f"one transaction of a Safe to 1.60, lender Balancer v3: {text(flash)}"
    return Row(f"rescue_safe_hf_{name}", "gas", gas, note, most=MOST_GAS, more={"flash": flash})


async def rescue(world: World, desk: SafeDesk, safe: str, price: str) -> tuple[dict[str, Any], int]:
    """What became of one position in danger, and how many nonces of the Safe it took; then all is as it was."""
    snapshot = world.snapshot()
    with tempfile.TemporaryDirectory() as folder:
        set_the_scene(world, safe, price)
        before, nonce = equity(world, safe), desk.nonce(safe)
        path = settings(Path(folder), world, desk, safe)
        async with opened(path, live=True) as engine:
            async with block_by_block(world):
                await kept(engine)
            sent = [t for t in await engine.journal.transactions.recent(500) if t.block_number]
        found = {
            "gas": sum(t.gas_used or 0 for t in sent),
            "transactions": len(sent),
            "blocks": len({t.block_number for t in sent}),
            "health": round(float(world.health_factor(safe)), 4),
            "equity_lost_usd": round(before - equity(world, safe), 2),
        }
        used = desk.nonce(safe) - nonce
    world.revert(snapshot)
    return found, used


def settings(folder: Path, world: World, desk: SafeDesk, safe: str) -> Path:
    """A keeper's files for a position of the Safe, signed by its one owner."""
    owner = world.account(0).address
    path = write_settings(folder, world, [owner], rpc_url=world.url, rule=LIMITED)
    text_ = path.read_text().replace("batch = false\n", f'safe = "{safe}"\n', 1)
    path.write_text(text_.replace(f'owner = "{owner}"', f'owner = "{safe}"'))
    network = folder / "network.toml"
    network.write_text(desk.furnish(network.read_text()))
    return path
