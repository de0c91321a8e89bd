"""Writes the keeper's network file for a sandbox world, in the shape of config/networks/*.toml."""

from pathlib import Path

from sandbox.deploy import Addresses


def network_toml(addresses: Addresses, block_time_s: float, *, lends: bool = False) -> str:
    """The file; ``lends``: with the lender for the time of one transaction, so that plans may use it."""
    aave, uniswap = addresses["aave"], addresses["uniswap"]
    fees = sorted({100, 500, 3000, 10000} | {pool["fee"] for pool in addresses["pools"]})
    head = f"""name = "sandbox"
chain_id = {addresses["chain_id"]}
multicall3 = "{addresses["multicall3"]}"
wrapped_native = "{addresses["wrapped_native"]}"
batch_account = "{addresses["batch_account"]}"
block_time = "{block_time_s:g}s"
follows_clock = false

[aave_v3]
pool_addresses_provider = "{aave["pool_addresses_provider"]}"

[uniswap_v3]
factory = "{uniswap["factory"]}"
quoter_v2 = "{uniswap["quoter_v2"]}"
swap_router_02 = "{uniswap["swap_router_02"]}"
fee_tiers = {fees}

[price_safety]
sequencer_feed = "{addresses["sequencer_feed"]}"
sequencer_grace = "{duration(addresses["sequencer_grace_s"])}"
default_heartbeat = "25h"
max_deviation_bps = 300
twap_window = "5m"
"""
    heartbeats = addresses["heartbeats_s"].items()
    return (
        head
        + (bundler_toml(addresses) if lends else "")
        + perp_toml(addresses)
        + gmx_toml(addresses)
        + "".join(f'\n[price_safety.assets.{s}]\nheartbeat = "{duration(seconds)}"\n' for s, seconds in heartbeats)
    )


def perp_toml(addresses: Addresses) -> str:
    """Where the perp exchange is, its markets by underlying, and how old its index price may get."""
    if "perp" not in addresses:
        return ""
    markets = addresses["perp"]["markets"]
    named = "".join(f'{underlying} = "{market["base_token"]}"\n' for underlying, market in markets.items())
    head = f"""
[perp_v2]
clearing_house = "{addresses["perp"]["clearing_house"]}"

[perp_v2.markets]
{named}"""
    ages = {underlying: addresses["heartbeats_s"][market["feed_of"]] for underlying, market in markets.items()}
    return head + "".join(
        f'\n[price_safety.assets.{underlying}]\nheartbeat = "{duration(seconds)}"\n'
        for underlying, seconds in ages.items()
    )


def bundler_toml(addresses: Addresses) -> str:
    """Where the stand-in for the bundler is, and its adapter for the market."""
    at = addresses["bundler"]
    lines = "".join(f'{name} = "{at[name]}"\n' for name in ("bundler", "general_adapter", "lender"))
    return f"""
[bundler3]
{lines}
[bundler3.adapters]
aave_v3 = "{at["adapter"]}"
"""


GMX_KEYS = (
    "data_store",
    "reader",
    "exchange_router",
    "router",
    "order_vault",
    "event_emitter",
    "referral_storage",
    "order_handler",
)


def gmx_toml(addresses: Addresses) -> str:
    """Where the stand-in for GMX v2 is, and its one market."""
    if "gmx" not in addresses:
        return ""
    gmx = addresses["gmx"]
    lines = "".join(f'{name} = "{gmx[name]}"\n' for name in GMX_KEYS)
    return f"""
[gmx_v2]
{lines}
[gmx_v2.markets]
ETH = "{gmx["market"]}"
"""


def duration(seconds: int) -> str:
    """The largest whole unit: 3600 → 1h, 90 → 90s."""
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def write_network_toml(path: Path, addresses: Addresses, block_time_s: float, *, lends: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(network_toml(addresses, block_time_s, lends=lends))
    return path
