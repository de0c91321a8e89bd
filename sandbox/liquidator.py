"""The liquidator: watches every borrower and calls liquidationCall the moment it may."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import NamedTuple

from eth_abi.abi import decode
from web3 import Web3
from web3.exceptions import ContractCustomError, ContractLogicError

from sandbox.actor import POLL_S, Actor
from sandbox.chain import explain
from sandbox.errors import RevertedError
from sandbox.positions import accounts_data
from sandbox.seizures import LIQUIDATION_TOPIC
from sandbox.uniswap import MAX
from sandbox.world import World

HEALTHY = 10**18
LIQUIDATION_GAS = 3_000_000
BORROW_TOPIC = Web3.keccak(text="Borrow(address,address,address,uint256,uint8,uint256,uint16)")
USER_RESERVE = ["uint256"] * 7 + ["uint40", "bool"]


class Holding(NamedTuple):
    """One reserve of a borrower; values in dollars with 8 decimals."""

    symbol: str
    supplied_value: int
    debt_value: int


class Attempt(NamedTuple):
    """A liquidation that was sent; the health factor is what it stood at, with 18 decimals."""

    owner: str
    collateral: str
    debt: str
    health_factor: int
    transaction: str


class Liquidator(Actor):
    """Liquidates whoever may be: those in `watch`, or, when that is None, everyone who ever borrowed."""

    name = "liquidator"

    def __init__(
        self,
        world: World,
        watch: Iterable[str] | None = None,
        say: Callable[[str], None] | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        super().__init__(world, say, poll_s)
        self._watch = None if watch is None else list(watch)
        self._borrowers: dict[str, None] = {}
        self._scanned = -1

    def act(self, block: int) -> None:
        owners = self._watch if self._watch is not None else self._discover(block)
        if not owners:
            return
        accounts = accounts_data(self.world.chain, self.world.addresses, owners)
        unsafe = {o: data.health_factor for o, data in accounts.items() if data.debt and data.health_factor < HEALTHY}
        sent = [attempt for owner, health in unsafe.items() if (attempt := self._attempt(block, owner, health))]
        for attempt in sent:  # all are in the pool before the first is awaited: they share the next block
            self._await(block, attempt)

    def _discover(self, block: int) -> list[str]:
        """Every `onBehalfOf` of a Borrow event so far; only new blocks are asked for."""
        first = self._scanned + 1 if block > self._scanned else 0
        pool = self.world.addresses["aave"]["pool"]
        query = {"address": pool, "topics": [BORROW_TOPIC.to_0x_hex()], "fromBlock": first, "toBlock": block}
        for log in self.world.w3.eth.get_logs(query):  # type: ignore[arg-type]
            self._borrowers[Web3.to_checksum_address(log["topics"][2][-20:])] = None
        self._scanned = block
        return list(self._borrowers)

    def _attempt(self, block: int, owner: str, health_factor: int) -> Attempt | None:
        """The largest debt against the largest collateral first; the first pair that would succeed is sent."""
        holdings = self._holdings(owner)
        debts = sorted((h for h in holdings if h.debt_value), key=lambda h: -h.debt_value)
        collaterals = sorted((h for h in holdings if h.supplied_value), key=lambda h: -h.supplied_value)
        tokens, me = self.world.addresses["tokens"], self.world.role("liquidator")
        refusal = "no pair of collateral and debt"
        for debt, collateral in product(debts, collaterals):
            pair = tokens[collateral.symbol], tokens[debt.symbol]
            call = self.world.pool.functions.liquidationCall(*pair, owner, MAX, False)
            try:
                call.call({"from": me})
            except ContractCustomError as error:
                refusal = explain(str(error.data))
            except ContractLogicError as error:
                refusal = str(error)
            else:
                transaction = self.world.chain.submit(call, me, LIQUIDATION_GAS)
                return Attempt(owner, collateral.symbol, debt.symbol, health_factor, transaction)
        self.record(block, f"could not liquidate {owner}: {refusal}", succeeded=False)
        return None

    def _await(self, block: int, attempt: Attempt) -> None:
        """Record what came of it: it may be too late by the time it is mined."""
        try:
            receipt = self.world.chain.wait(attempt.transaction, f"liquidation of {attempt.owner}")
        except RevertedError as error:
            self.record(block, str(error), succeeded=False, transaction=attempt.transaction)
            return
        event = self.world.pool.events.LiquidationCall().process_log(
            next(log for log in receipt["logs"] if log["topics"][0] == LIQUIDATION_TOPIC)
        )["args"]
        decimals = self.world.addresses["decimals"]
        seized = event["liquidatedCollateralAmount"] / 10 ** decimals[attempt.collateral]
        repaid = event["debtToCover"] / 10 ** decimals[attempt.debt]
        text = (
            f"liquidated {attempt.owner} at health {attempt.health_factor / 1e18:.4f}: "
            f"took {seized:.6g} {attempt.collateral}, repaid {repaid:.6g} {attempt.debt}"
        )
        self.record(receipt["blockNumber"], text, transaction=attempt.transaction)

    def _holdings(self, owner: str) -> list[Holding]:
        chain, addresses = self.world.chain, self.world.addresses
        data = chain.at("AaveProtocolDataProvider", addresses["aave"]["data_provider"])
        calls = [
            (data.address, False, data.encode_abi("getUserReserveData", [token, owner]))
            for token in addresses["tokens"].values()
        ]
        answers = chain.at("Multicall3", addresses["multicall3"]).functions.aggregate3(calls).call()
        prices, holdings = self.world.prices(), []
        for symbol, (_, body) in zip(addresses["tokens"], answers, strict=True):
            supplied, _, debt, *_, is_collateral = decode(USER_RESERVE, body[: 32 * 9])
            unit_price = prices[symbol].scaleb(8 - addresses["decimals"][symbol])
            holdings.append(Holding(symbol, int(supplied * unit_price) * is_collateral, int(debt * unit_price)))
        return holdings
