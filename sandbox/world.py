"""The world's handle: start it, move its prices, open positions in it, look at it, stop it.

    with World.start() as w:
        owner = w.account(0).address
        w.open_position(owner, collateral={"WETH": 10 * 10**18}, debt={"USDC": 14_000 * 10**6})
        w.set_price("WETH", 1750)
        w.health_factor(owner)

Token amounts are integers of the smallest unit; prices are dollars per whole token (int, str or Decimal).
Automine by default: each transaction is a block, `timestamp_interval` seconds after the one before. With `block_time`
blocks come by themselves every so many wall seconds.
"""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from web3.contract import Contract
from web3.types import TxReceipt

from sandbox import install, positions, prices
from sandbox.anvil import Anvil, port_is_taken
from sandbox.chain import Chain
from sandbox.deploy import Addresses, deploy_world, warm_up
from sandbox.errors import SandboxError
from sandbox.gmx_desk import GmxDesk
from sandbox.network_file import write_network_toml
from sandbox.node import DEFAULT_INTERVAL_S, Node
from sandbox.paths import ADDRESSES, RUN, STATE
from sandbox.perp_desk import PerpDesk
from sandbox.spec import WorldSpec
from sandbox.uniswap import MAX

Price = Decimal | int | str
HARDFORK = ("--hardfork", "prague")


class World(Node):
    """A running world. Each object is for one thread; `World.attach(w.url)` gives another one for another thread."""

    # ── beginning and end ──

    @classmethod
    def start(
        cls, port: int | None = None, block_time: float | None = None, timestamp_interval: int | None = None
    ) -> Self:
        """The prebuilt world on a new anvil (built first if it has not been)."""
        install.ensure()
        addresses = json.loads(ADDRESSES.read_text())
        state = ("--load-state", str(STATE), "--timestamp", str(addresses["timestamp"]))
        anvil = Anvil(*HARDFORK, *state, *_mining(block_time), port=port)
        return cls._started(anvil, addresses, block_time, timestamp_interval)

    @classmethod
    def build(
        cls,
        spec: WorldSpec,
        port: int | None = None,
        block_time: float | None = None,
        timestamp_interval: int | None = None,
    ) -> Self:
        """Another world altogether, deployed now from `spec` (two to three seconds)."""
        install.ensure()
        anvil = Anvil(*HARDFORK, "--timestamp", str(spec.timestamp), port=port)
        try:
            anvil.rpc("anvil_setBlockTimestampInterval", 1)
            chain = Chain(anvil.url)
            addresses = deploy_world(chain, spec)
            warm_up(chain, addresses)
            if block_time is not None:
                anvil.rpc("evm_setIntervalMining", max(1, round(block_time)))
        except BaseException:
            anvil.stop()
            raise
        return cls._started(anvil, addresses, block_time, timestamp_interval)

    @classmethod
    def attach(cls, url: str | None = None) -> Self:
        """The world that runs at `url` (or the one `python -m sandbox up` started)."""
        name = "world.json" if url is None else f"world-{url.rstrip('/').rsplit(':', 1)[-1]}.json"
        try:
            known = json.loads((RUN / name).read_text())
            return cls(url or known["url"], known, block_time=known["block_time"])
        except (OSError, ValueError, KeyError):
            raise SandboxError("no world is running there: start one with `python -m sandbox up`") from None

    def fork(self, block: int | None = None) -> Self:
        """A fork of this world at a block (its latest), on an anvil of its own; what happens there stays there."""
        pinned = () if block is None else ("--fork-block-number", str(block))
        anvil = Anvil("--fork-url", self.url, *pinned, "--no-storage-caching", *HARDFORK)
        return self._started(anvil, dict(self.addresses), None, None)

    @classmethod
    def _started(
        cls, anvil: Anvil, addresses: Addresses, block_time: float | None, timestamp_interval: int | None
    ) -> Self:
        world = cls(anvil.url, addresses, anvil, block_time)
        world.set_timestamp_interval(timestamp_interval or world.timestamp_interval)
        sweep(RUN)
        world.save(RUN / f"world-{anvil.port}.json")
        return world

    # ── prices ──

    def price(self, symbol: str) -> Decimal:
        return self.prices()[symbol]

    def prices(self) -> dict[str, Decimal]:
        return prices.read_prices(self.chain, self.addresses)

    def set_price(self, symbol: str, value: Price, updated_at: int | None = None, reference: bool = True) -> None:
        """Move a feed; a staked token follows its base. `reference` False leaves the second feed where it is."""
        self.set_prices({symbol: value}, updated_at, reference)

    def set_prices(self, values: Mapping[str, Price], updated_at: int | None = None, reference: bool = True) -> None:
        """Several feeds in one transaction."""
        wanted = {symbol: Decimal(value) for symbol, value in values.items()}
        self._check_symbols(wanted)
        calls = prices.encode_prices(self.chain, self.addresses, wanted, updated_at, reference)
        self.chain.wait(prices.send_together(self.chain, self.addresses, calls), "set_prices")

    def refresh_feeds(self) -> None:
        """Every feed answers the same again, now."""
        self.set_prices({s: p for s, p in self.prices().items() if s in self.addresses["feeds"]})

    def updated_at(self) -> dict[str, int]:
        """When each feed last answered; ratio-priced tokens have no feed of their own."""
        return prices.read_updated_at(self.chain, self.addresses)

    def make_stale(self, symbol: str, age_s: int) -> None:
        """The feed's last answer becomes `age_s` seconds old."""
        self.set_price(symbol, self.price(symbol), updated_at=self.now - age_s)

    def pool_price(self, a: str, b: str, fee: int | None = None) -> Decimal:
        """Whole `b` per whole `a` in a pool."""
        pool = prices.find_pool(self.addresses, a, b, fee)
        price = prices.pool_price(self.chain, self.addresses, pool)
        return price if pool["token0"] == a else 1 / price

    def set_pool_price(self, a: str, b: str, value: Price, fee: int | None = None) -> None:
        """Swap in a pool until one whole `a` costs `value` whole `b`."""
        pool = prices.find_pool(self.addresses, a, b, fee)
        self._move_pools([(pool, Decimal(value) if pool["token0"] == a else 1 / Decimal(value))])

    def align_pools(self) -> None:
        """Every pool to its feeds' price by real swaps (to the price itself, not only to where it pays)."""
        now = self.prices()
        self._move_pools([(pool, prices.fair_price(now, pool)) for pool in self.addresses["pools"]])

    def _move_pools(self, wanted: Iterable[tuple[Mapping[str, Any], Decimal]]) -> None:
        trader = self.role("arbitrageur")
        swaps = [prices.encode_swap(self.chain, self.addresses, pool, price, trader) for pool, price in wanted]
        if needed := [swap for swap in swaps if swap is not None]:
            self.chain.wait(prices.trade(self.chain, self.addresses, needed, trader), "moving pools")

    def move_together(self, values: Mapping[str, Price]) -> None:
        """Feeds, and every pool with them, in one block that is mined here: for worlds that mine nothing themselves.

        Else whoever looks in between can sell into a pool at a price that is gone.
        """
        wanted, trader = {symbol: Decimal(value) for symbol, value in values.items()}, self.role("arbitrageur")
        then = self.prices() | wanted
        fair = [(pool, prices.fair_price(then, pool)) for pool in self.addresses["pools"]]
        swaps = [prices.encode_swap(self.chain, self.addresses, pool, price, trader) for pool, price in fair]
        calls = prices.encode_prices(self.chain, self.addresses, wanted, None, True)
        sent = {"feeds": prices.send_together(self.chain, self.addresses, calls)}
        if needed := [swap for swap in swaps if swap is not None]:
            sent["pools"] = prices.trade(self.chain, self.addresses, needed, trader)
        self.mine()
        for what, transaction in sent.items():
            self.chain.wait(transaction, f"moving {what}")

    def set_sequencer(self, up: bool, since: int | None = None) -> None:
        """The L2 sequencer's status, from `since` (a timestamp; now when None)."""
        feed = self.chain.at("SequencerFeed", self.addresses["sequencer_feed"])
        status = feed.functions.setStatus(0 if up else 1, self.now if since is None else since)
        self.chain.send(status, self.role("feeds"))

    # ── reserves ──

    def _check_symbols(self, symbols: Iterable[str]) -> None:
        known = self.addresses["tokens"]
        if unknown := sorted(set(symbols) - known.keys()):
            raise SandboxError(f"unknown symbol {', '.join(unknown)}: this world has {', '.join(known)}")

    def token(self, symbol: str) -> Contract:
        self._check_symbols([symbol])
        return self.chain.at("TestnetERC20", self.addresses["tokens"][symbol])

    @property
    def pool(self) -> Contract:
        return self.chain.at("PoolInstance", self.addresses["aave"]["pool"])

    def mint(self, symbol: str, to: str, amount: int) -> TxReceipt:
        return self.chain.send(self.token(symbol).functions["mint(address,uint256)"](to, amount), self.role("admin"))

    def units(self, whole: Mapping[str, Price]) -> dict[str, int]:
        """Whole tokens by symbol → smallest units, rounded down."""
        self._check_symbols(whole)
        return {s: int(Decimal(v).scaleb(self.addresses["decimals"][s])) for s, v in whole.items()}

    def balance(self, symbol: str, owner: str) -> int:
        return int(self.token(symbol).functions.balanceOf(owner).call())

    def debt(self, symbol: str, owner: str) -> int:
        return positions.owed(self.chain, self.addresses["debt_tokens"][symbol], owner)

    def supplied(self, symbol: str, owner: str) -> int:
        return positions.owed(self.chain, self.addresses["a_tokens"][symbol], owner)

    def configure(self, function: str, *args: Any) -> TxReceipt:
        """Call Aave's PoolConfigurator as its admin, e.g. configure("setSupplyCap", token, 1000)."""
        configurator = self.chain.at("PoolConfiguratorInstance", self.addresses["aave"]["configurator"])
        return self.chain.send(configurator.functions[function](*args), self.role("admin"))

    def freeze(self, symbol: str, on: bool = True) -> None:
        self.configure("setReserveFreeze", self.token(symbol).address, on)

    def pause(self, symbol: str, on: bool = True) -> None:
        self.configure("setReservePause(address,bool)", self.token(symbol).address, on)

    # ── positions ──

    def open_position(
        self, owner: str, collateral: Mapping[str, int], debt: Mapping[str, int] | None = None, emode: int = 0
    ) -> None:
        """Mint and supply the collateral, enter the e-mode, borrow the debt; all real calls of `owner`."""
        for symbol, amount in collateral.items():
            self.mint(symbol, owner, amount)
            self.supply(owner, symbol, amount)
        if emode:
            with self.acting_as(owner):
                self.chain.send(self.pool.functions.setUserEMode(emode), owner)
        for symbol, amount in (debt or {}).items():
            self.borrow(owner, symbol, amount)

    def supply(self, owner: str, symbol: str, amount: int) -> TxReceipt:
        token = self.token(symbol)
        with self.acting_as(owner):
            self.chain.send(token.functions.approve(self.pool.address, amount), owner)
            return self.chain.send(self.pool.functions.supply(token.address, amount, owner, 0), owner)

    def withdraw(self, owner: str, symbol: str, amount: int = MAX) -> TxReceipt:
        """`amount` MAX is everything."""
        with self.acting_as(owner):
            return self.chain.send(self.pool.functions.withdraw(self.token(symbol).address, amount, owner), owner)

    def borrow(self, owner: str, symbol: str, amount: int) -> TxReceipt:
        with self.acting_as(owner):
            return self.chain.send(self.pool.functions.borrow(self.token(symbol).address, amount, 2, 0, owner), owner)

    def repay(self, owner: str, symbol: str, amount: int = MAX) -> TxReceipt:
        """`amount` MAX is the whole debt; the owner must hold the tokens."""
        token = self.token(symbol)
        with self.acting_as(owner):
            self.chain.send(token.functions.approve(self.pool.address, amount), owner)
            return self.chain.send(self.pool.functions.repay(token.address, amount, 2, owner), owner)

    def account_data(self, owner: str) -> positions.AccountData:
        return positions.account_data(self.chain, self.addresses["aave"]["pool"], owner)

    def health_factor(self, owner: str) -> Decimal:
        """As a number, huge without debt; the raw integer is in `account_data`."""
        return Decimal(self.account_data(owner).health_factor).scaleb(-18)

    @cached_property
    def gmx(self) -> GmxDesk:
        """The stand-in for GMX v2: orders, what its keepers do with them, and knobs."""
        return GmxDesk(self)

    @cached_property
    def perp(self) -> PerpDesk:
        """The perp exchange: open and close accounts, read and move its prices."""
        return PerpDesk(self)

    @cached_property
    def perps(self) -> dict[str, PerpDesk]:
        """The same for every market of the perp exchange, by underlying."""
        return {underlying: PerpDesk(self, underlying) for underlying in self.addresses["perp"]["markets"]}

    # ── for the keeper ──

    def network_toml(self, path: str | Path, *, lends: bool = False) -> Path:
        """Write the keeper's network file for this world; ``lends``: with the lender for one transaction."""
        return write_network_toml(Path(path), self.addresses, self.block_time or DEFAULT_INTERVAL_S, lends=lends)


def _mining(block_time: float | None) -> tuple[str, ...]:
    return () if block_time is None else ("--block-time", f"{block_time:g}")


def sweep(folder: Path) -> None:
    """Remove what worlds that were killed left behind: the files of those whose node is gone."""
    for left in folder.glob("world-*.json"):
        port = left.stem.removeprefix("world-")
        if port.isdecimal() and not port_is_taken(int(port)):
            left.unlink(missing_ok=True)
