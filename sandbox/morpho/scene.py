"""The scene of `make demo SCENARIO=morpho`: a liquidator, what the chain says."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from web3 import Web3

from sandbox.actor import Actor
from sandbox.demo_scene import Frame, Liquidation, aggregate
from sandbox.errors import RevertedError
from sandbox.morpho.desk import WAD, MorphoDesk
from sandbox.world import World

LLTV = "0.86"
NO_DEBT = 99.0
ORACLE_SCALE = 10**36
USDC, WETH = Decimal(10) ** 6, Decimal(10) ** 18


def reader(desk: MorphoDesk, id_: str, owners: Mapping[str, str]) -> Callable[[World, int], Frame]:
    """What reads a frame of a block: interest is accrued inside the call that asks."""

    def read(world: World, block: int) -> Frame:
        blue, oracle, key = desk.blue, desk.oracles[id_], bytes.fromhex(id_[2:])
        asked = [
            (blue, "accrueInterest", [desk.markets[id_]]),
            (blue, "market", [key]),
            (oracle, "price", []),
            *((blue, "position", [key, owner]) for owner in owners.values()),
        ]
        calls = [(c.address, False, bytes.fromhex(c.encode_abi(name, args)[2:])) for c, name, args in asked]
        calls.append((world.addresses["multicall3"], False, bytes.fromhex("0f28c97d")))  # getCurrentBlockTimestamp()
        _, market, price_, *positions, timestamp = aggregate(world, calls, block)
        borrow, shares = _words(market)[2:4]
        (price,) = _words(price_)
        accounts = {name: _words(answer) for name, answer in zip(owners, positions, strict=True)}
        debts = {name: -(-a[1] * (borrow + 1) // (shares + 10**6)) for name, a in accounts.items()}
        worth = {name: a[2] * price // ORACLE_SCALE for name, a in accounts.items()}
        lltv = desk.markets[id_][4]
        return Frame(
            block=block,
            timestamp=int.from_bytes(timestamp),
            price=Decimal(price) / Decimal(10) ** 24,
            health={n: min(worth[n] * lltv // WAD / debts[n], NO_DEBT) if debts[n] else NO_DEBT for n in owners},
            collateral_usd={n: Decimal(worth[n]) / USDC for n in owners},
            debt_usd={n: Decimal(debts[n]) / USDC for n in owners},
        )

    return read


def liquidations(desk: MorphoDesk, id_: str, first_block: int, price_at: Callable[[int], Decimal]) -> list[Liquidation]:
    """Every liquidation in the market, by the contract's own events."""
    found = desk.blue.events.Liquidate().get_logs(
        from_block=first_block, argument_filters={"id": bytes.fromhex(id_[2:])}
    )
    return [_liquidation(log, price_at(log["blockNumber"])) for log in found]


def _liquidation(log: Any, price: Decimal) -> Liquidation:
    args = log["args"]
    lost = Decimal(args["seizedAssets"]) / WETH * price
    freed = Decimal(args["repaidAssets"] + args["badDebtAssets"]) / USDC
    return Liquidation(args["borrower"], log["blockNumber"], log["transactionHash"].to_0x_hex(), lost - freed)


class MorphoLiquidator(Actor):
    """Repays all shares of whoever may be liquidated; by collateral where it does not cover the debt."""

    name = "liquidator"

    def __init__(self, desk: MorphoDesk, id_: str, watch: Iterable[str]) -> None:
        super().__init__(desk.world)
        self._desk, self._id, self._watch = desk.on(self.world), id_, tuple(watch)
        world, who = desk.world, desk.world.role("liquidator")
        world.chain.send(world.token("USDC").functions.approve(desk.blue.address, 2**255), who)

    def act(self, block: int) -> None:
        for owner in self._watch:
            if self._desk.health(self._id, owner) < 1:
                self._liquidate(block, owner)

    def _liquidate(self, block: int, owner: str) -> None:
        desk, (_, shares, collateral) = self._desk, self._desk.position(self._id, owner)
        who = Web3.to_checksum_address(self.world.role("liquidator"))
        for seized, repaid in ((0, shares), (collateral, 0)):
            call = desk.blue.functions.liquidate(desk.markets[self._id], owner, seized, repaid, b"")
            try:
                receipt = self.world.chain.send(call, who)
            except RevertedError as error:
                self.record(block, f"could not liquidate {owner}: {error}", succeeded=False)
                continue
            text = f"liquidated {owner} by {'shares' if repaid else 'collateral'}"
            self.record(receipt["blockNumber"], text, transaction=receipt["transactionHash"].to_0x_hex())
            return


def _words(answer: bytes) -> Sequence[int]:
    return [int.from_bytes(answer[i : i + 32], "big") for i in range(0, len(answer), 32)]
