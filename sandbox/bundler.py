"""Deploys the stand-in for the bundler: a lender for no fee, two adapters, five million dollars of each asset."""

from decimal import Decimal
from typing import Any

from eth_utils.crypto import keccak

from sandbox.aave import Market
from sandbox.chain import Chain
from sandbox.spec import WorldSpec
from sandbox.uniswap import MAX

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
        _lend_once(chain, bundler, general, adapter, tokens[r.symbol], admin)
    return {"bundler": bundler, "general_adapter": general, "lender": lender, "adapter": adapter}


def _lend_once(chain: Chain, bundler: str, general: str, adapter: str, token: str, sender: str) -> None:
    """Somebody's first loan of a token: with it the adapter approves its lender for ever, as on every live chain."""
    empty = chain.at("BundlerAaveAdapter", adapter).encode_abi("erc20Transfer", [token, sender, MAX])
    inner = [(adapter, empty, 0, False, bytes(32))]
    given = bytes.fromhex(chain.at("Bundler", bundler).encode_abi("reenter", [inner])[10:])
    loan = chain.at("BundlerGeneralAdapter", general).encode_abi("morphoFlashLoan", [token, 1, given])
    chain.send(chain.at("Bundler", bundler).functions.multicall([(general, loan, 0, False, keccak(given))]), sender)
