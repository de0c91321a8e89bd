"""Uniswap v4 in a world: the real pool manager, router and Permit2, pools over the world's prices.

v4 = UniswapV4Desk(world)
v4.pool("WETH", "USDC", fee=500, depth_usd=20_000_000)
"""

from decimal import Decimal
from math import isqrt
from typing import Any

from web3 import Web3
from web3.contract import Contract

from sandbox.uniswap_v4.install import artifact
from sandbox.world import World

SPACINGS = {100: 1, 500: 10, 3000: 60, 10_000: 200}
NOBODY = "0x" + "0" * 40
WIDE = 887_200
GAS = 3_000_000


class UniswapV4Desk:
    """Its contracts, and the pools made here."""

    def __init__(self, world: World) -> None:
        self.world, self.chain = world, world.chain
        admin, tokens = world.role("admin"), world.addresses["tokens"]
        self.manager = self._deploy("PoolManager", admin)
        self.permit2 = self._deploy("Permit2")
        parts = (
            self.permit2.address,
            tokens["WETH"],
            NOBODY,
            NOBODY,
            bytes(32),
            bytes(32),
            self.manager.address,
            NOBODY,
            NOBODY,
        )
        self.router = self._deploy("UniversalRouter", parts)
        self.liquidity = self._deploy("PoolModifyLiquidityTest", self.manager.address)
        self.quoter = self.chain.deploy("PoolQuoter", self.manager.address, sender=admin)

    def pool(self, a: str, b: str, fee: int = 500, depth_usd: int = 20_000_000) -> None:
        """A pool at the feeds' price, with so many dollars spread over its whole range."""
        world, lp = self.world, self.world.role("lp")
        tokens, decimals = world.addresses["tokens"], world.addresses["decimals"]
        low, high = sorted((a, b), key=lambda s: int(tokens[s], 16))
        key = (tokens[low], tokens[high], fee, SPACINGS[fee], NOBODY)
        ratio = world.price(low) / world.price(high) * Decimal(10) ** (decimals[high] - decimals[low])
        root = isqrt(int(ratio * 2**192))
        self.chain.send(self.manager.functions.initialize(key, root), lp, GAS)
        half = Decimal(depth_usd) / 2
        for symbol in (low, high):
            amount = int(half / world.price(symbol) * 10 ** decimals[symbol])
            world.mint(symbol, lp, 2 * amount)
            self.chain.send(world.token(symbol).functions.approve(self.liquidity.address, 2**255), lp)
        amount0 = half / world.price(low) * Decimal(10) ** decimals[low]
        size = int(amount0 * root / 2**96)
        edge = WIDE // SPACINGS[fee] * SPACINGS[fee]
        self.chain.send(self.liquidity.functions.modifyLiquidity(key, (-edge, edge, size, bytes(32)), b""), lp, GAS)

    def table(self, *, from_wallets: bool = True) -> str:
        """The table of the keeper's network file; with Permit2 the keeper trades there with a wallet's money too."""
        known = f'permit2 = "{self.permit2.address}"\n' if from_wallets else ""
        return (
            f'\n[uniswap_v4]\npool_manager = "{self.manager.address}"\nquoter = "{self.quoter.address}"\n'
            f'universal_router = "{self.router.address}"\n{known}'
        )

    def _deploy(self, name: str, *args: Any) -> Contract:
        abi, code = artifact(name)
        made = self.chain.w3.eth.contract(abi=abi, bytecode=code).constructor(*args)
        sent = made.transact({"from": Web3.to_checksum_address(self.world.role("admin")), "gas": 12_000_000})
        receipt = self.chain.wait(sent.to_0x_hex(), f"deploying {name}")
        return self.chain.w3.eth.contract(address=receipt["contractAddress"], abi=abi)
