"""What everybody has at a block, read in one call; what a block cost them, apart from what prices did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from eth_abi.abi import decode

from keeper.venues.contracts import multicall3
from keeper.venues.ports import Read
from sandbox.world import World

BALANCE_OF, ACCOUNT_DATA = bytes.fromhex("70a08231"), bytes.fromhex("bf92857c")
NATIVE_BALANCE = bytes.fromhex("4d2301cc")
NATIVE = "native"
TABLES = ("a_tokens", "debt_tokens", "tokens")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Net holdings by account and symbol in whole tokens, native coin among them, and the protocol's health factors."""

    net: Mapping[str, Mapping[str, Decimal]]
    health: Mapping[str, float]
    collateral: Mapping[str, Decimal]
    """Dollars of collateral, as the pool says."""
    debt: Mapping[str, Decimal]
    wallet: Mapping[str, Decimal]
    """Dollars of tokens in the wallet, without the native coin."""

    def worth(self, account: str, prices: Mapping[str, Decimal]) -> Decimal:
        """Dollars of all an account has."""
        return sum((amount * prices[symbol] for symbol, amount in self.net[account].items()), Decimal(0))


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads these accounts' holdings of these symbols."""

    world: World
    accounts: Sequence[str]
    symbols: Sequence[str]

    def read(self, prices: Mapping[str, Decimal]) -> Sheet:
        """Everything at the newest block."""
        a, decimals = self.world.addresses, self.world.addresses["decimals"]
        reads = []
        for account in self.accounts:
            word = bytes(12) + bytes.fromhex(account[2:])
            reads += [Read(a[table][symbol], BALANCE_OF + word) for symbol in self.symbols for table in TABLES]
            reads.append(Read(a["multicall3"], NATIVE_BALANCE + word))
            reads.append(Read(a["aave"]["pool"], ACCOUNT_DATA + word))
        call = {"to": a["multicall3"], "data": "0x" + multicall3.encode(reads).hex()}
        answers = iter(multicall3.decode(bytes.fromhex(self.world.rpc("eth_call", call, "latest")[2:]), len(reads)))
        net, health, collateral, debt, wallets = {}, {}, {}, {}, {}
        for account in self.accounts:
            mine, wallet = dict[str, Decimal](), Decimal(0)
            for symbol in self.symbols:
                supplied, owed, held = (int.from_bytes(next(answers) or b"") for _ in range(3))
                mine[symbol] = Decimal(supplied - owed + held).scaleb(-decimals[symbol])
                wallet += Decimal(held).scaleb(-decimals[symbol]) * prices[symbol]
            mine[NATIVE] = Decimal(int.from_bytes(next(answers) or b"")).scaleb(-18)
            data = decode(["uint256"] * 6, next(answers) or bytes(192))
            net[account], wallets[account] = mine, wallet
            health[account] = min(data[5] / 1e18, 99.0) if data[1] else 99.0
            collateral[account], debt[account] = Decimal(data[0]).scaleb(-8), Decimal(data[1]).scaleb(-8)
        return Sheet(net, health, collateral, debt, wallets)
