"""What the world looks like now, as plain data and as text."""

from datetime import UTC, datetime
from typing import Any

from sandbox.positions import accounts_data
from sandbox.prices import fair_price, pool_prices
from sandbox.world import World

USERS = 10


def read_status(world: World) -> dict[str, Any]:
    """JSON-able: numbers that are money or prices as strings."""
    block = world.w3.eth.get_block("latest")
    now, prices, updated = block["timestamp"], world.prices(), world.updated_at()
    pools = zip(world.addresses["pools"], pool_prices(world.chain, world.addresses), strict=True)
    owners: list[str] = [world.account(i).address for i in range(USERS)]
    positions = accounts_data(world.chain, world.addresses, owners)
    return {
        "url": world.url,
        "block": block["number"],
        "timestamp": now,
        "time": datetime.fromtimestamp(now, UTC).isoformat(),
        "prices": {s: {"usd": str(p), "age_s": now - updated[s] if s in updated else None} for s, p in prices.items()},
        "pools": [
            {
                "pair": f"{pool['token0']}/{pool['token1']}",
                "fee": pool["fee"],
                "price": f"{price:.8g}",
                "feed": f"{fair_price(prices, pool):.8g}",
                "deviation_bps": int((price / fair_price(prices, pool) - 1) * 10_000),
            }
            for pool, price in pools
        ],
        "accounts": [
            {
                "account": owners.index(owner),
                "address": owner,
                "collateral_usd": f"{data.collateral / 1e8:.2f}",
                "debt_usd": f"{data.debt / 1e8:.2f}",
                "health_factor": f"{data.health_factor / 1e18:.4f}" if data.debt else None,
            }
            for owner, data in positions.items()
            if data.collateral or data.debt
        ],
    }


def render(status: dict[str, Any]) -> str:
    lines = [f"block {status['block']}  {status['time']}  {status['url']}", "", "feeds"]
    for symbol, price in status["prices"].items():
        age = "follows its base" if price["age_s"] is None else f"{price['age_s']} s ago"
        lines.append(f"  {symbol:<8}{float(price['usd']):>14,.4f}  {age}")
    lines += ["", "pools                  price       by feeds    off"]
    for pool in status["pools"]:
        name = f"{pool['pair']} {pool['fee']}"
        lines.append(f"  {name:<16}{pool['price']:>12}{pool['feed']:>15}  {pool['deviation_bps']:>+4} bps")
    lines += ["", "accounts"]
    for account in status["accounts"]:
        health = account["health_factor"] or "no debt"
        money = f"collateral {account['collateral_usd']}, debt {account['debt_usd']}"
        lines.append(f"  {account['account']}  {account['address']}  {money}, health factor {health}")
    return "\n".join(lines + (["  none has a position"] if not status["accounts"] else []))
