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
from sandbox.uniswap import MAX
from sandbox.world import World

HEALTHY = 10**18
LIQUIDATION_GAS = 3_000_000
BORROW_TOPIC = Web3.keccak(text="Borrow(address,address,address,uint256,uint8,uint256,uint16)")
LIQUIDATION_TOPIC = Web3.keccak(text="LiquidationCall(address,address,address,uint256,uint256,address,bool)")
USER_RESERVE = ["uint256"] * 7 + ["uint40", "bool"]


class Holding(NamedTuple):
    """One reserve of a borrower; values in dollars with 8 decimals."""

    symbol: str
    supplied_value: int
    debt_value: int


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
        for owner, data in accounts_data(self.world.chain, self.world.addresses, owners).items():
            if data.debt and data.health_factor < HEALTHY:
                self._liquidate(block, owner, data.health_factor)

    def _discover(self, block: int) -> list[str]:
        """Every `onBehalfOf` of a Borrow event so far; only new blocks are asked for."""
        first = self._scanned + 1 if block > self._scanned else 0
        pool = self.world.addresses["aave"]["pool"]
        query = {"address": pool, "topics": [BORROW_TOPIC.to_0x_hex()], "fromBlock": first, "toBlock": block}
        for log in self.world.w3.eth.get_logs(query):  # type: ignore[arg-type]
            self._borrowers[Web3.to_checksum_address(log["topics"][2][-20:])] = None
        self._scanned = block
        return list(self._borrowers)

    def _liquidate(self, block: int, owner: str, health_factor: int) -> None:
        """The largest debt against the largest collateral first; the first pair that would succeed is sent."""
        holdings = self._holdings(owner)
        debts = sorted((h for h in holdings if h.debt_value), key=lambda h: -h.debt_value)
        collaterals = sorted((h for h in holdings if h.supplied_value), key=lambda h: -h.supplied_value)
        refusal = "no pair of collateral and debt"
        for debt, collateral in product(debts, collaterals):
            what = f"{owner} {collateral.symbol} for {debt.symbol} at health {health_factor / 1e18:.4f}"
            refusal = self._try(block, owner, collateral.symbol, debt.symbol, what) or ""
            if not refusal:
                return
        self.record(block, f"could not liquidate {owner}: {refusal}", succeeded=False)

    def _try(self, block: int, owner: str, collateral: str, debt: str, what: str) -> str | None:
        """None when it was mined; else why not."""
        tokens, me = self.world.addresses["tokens"], self.world.role("liquidator")
        call = self.world.pool.functions.liquidationCall(tokens[collateral], tokens[debt], owner, MAX, False)
        try:
            call.call({"from": me})
            receipt = self.world.chain.send(call, me, LIQUIDATION_GAS)
        except ContractCustomError as error:
            return explain(str(error.data))
        except (ContractLogicError, RevertedError) as error:
            return str(error)
        event = self.world.pool.events.LiquidationCall().process_log(
            next(log for log in receipt["logs"] if log["topics"][0] == LIQUIDATION_TOPIC)
        )["args"]
        decimals = self.world.addresses["decimals"]
        seized = event["liquidatedCollateralAmount"] / 10 ** decimals[collateral]
        repaid = event["debtToCover"] / 10 ** decimals[debt]
        text = f"liquidated {what}: took {seized:.6g} {collateral}, repaid {repaid:.6g} {debt}"
        self.record(receipt["blockNumber"], text, transaction=receipt["transactionHash"].to_0x_hex())
        return None

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
