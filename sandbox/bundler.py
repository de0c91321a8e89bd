"""Deploys the stand-in for the bundler: a lender for no fee, two adapters, five million dollars of each asset."""

from decimal import Decimal
from typing import Any

from sandbox.aave import Market
from sandbox.chain import Chain
from sandbox.spec import WorldSpec

LENDABLE_USD = 5_000_000


def deploy_bundler(chain: Chain, spec: WorldSpec, admin: str, tokens: dict[str, str], market: Market) -> dict[str, Any]:
    """Addresses by the keys of the keeper's network file."""
    lender = chain.deploy("FlashLender", sender=admin).address
    bundler = chain.deploy("Bundler", sender=admin).address
    general = chain.deploy("BundlerGeneralAdapter", bundler, lender, sender=admin).address
    adapter = chain.deploy("BundlerAaveAdapter", bundler, market.pool.address, sender=admin).address
    for r in spec.reserves:
        amount = int(Decimal(LENDABLE_USD) / spec.price(r.symbol) * 10**r.decimals)
        token = chain.at("TestnetERC20", tokens[r.symbol])
        chain.send(token.functions["mint(address,uint256)"](lender, amount), admin)
    return {"bundler": bundler, "general_adapter": general, "lender": lender, "adapter": adapter}
