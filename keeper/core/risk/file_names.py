"""Of which asset a price file is, and in which money: from the symbol that it names, or from its own name. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

DOLLARS = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "PYUSD", "USDS", "USDE", "GUSD", "LUSD", "USDP", "DAI", "USD")
OTHERS = ("EUR", "GBP", "JPY", "KRW", "TRY", "BRL", "AUD", "CAD", "CHF", "RUB", "UAH", "BTC", "XBT", "ETH", "BNB")
KNOWN = (
    "ETH", "WETH", "STETH", "WSTETH", "WEETH", "EETH", "RETH", "CBETH", "EZETH", "RSETH", "METH", "BTC", "XBT", "WBTC",
    "CBBTC", "TBTC", "SOL", "BNB", "XRP", "ADA", "DOGE", "AVAX", "DOT", "MATIC", "POL", "LTC", "BCH", "LINK", "AAVE",
    "UNI", "CRV", "MKR", "SKY", "COMP", "SNX", "LDO", "ARB", "OP", "ATOM", "NEAR", "FTM", "GMX", "PENDLE", "PERP",
    "BAL", "YFI", "SUSHI", "CVX", "FXS", "RPL", "ENA", "MORPHO", "SUI", "APT", "TRX", "LUNA", "FTT", "XVS", "CAKE",
    "USDC", "USDT", "DAI", "EUR", "GHO", "EURC",
)  # fmt: skip
"""Assets that a file's own name is read for: any other word there may be an exchange, a year or a person."""
_NAMED = re.compile(
    f"(?<![A-Z0-9])({'|'.join(sorted(KNOWN, key=len, reverse=True))})"
    f"(?:[-_ /]?({'|'.join((*DOLLARS, *OTHERS))}))?(?![A-Z0-9])"
)


@dataclass(frozen=True, slots=True)
class QuotedPair:
    """An asset, and the money it is counted in where that is said."""

    asset: str
    money: str | None

    @property
    def is_in_dollars(self) -> bool:
        """Whether its prices are dollars, or nothing says that they are not."""
        return self.money is None or self.money in DOLLARS

    def is_of(self, symbol: str) -> bool:
        """Whether it can be an asset's: wrapped ether is ether."""
        ours, theirs = bare(symbol), bare(self.asset)
        return ours == theirs or {ours, theirs} == {"BTC", "XBT"}

    def __str__(self) -> str:
        return self.asset if self.money is None else f"{self.asset}/{self.money}"


def bare(symbol: str) -> str:
    """Return an asset without its wrapping."""
    upper = symbol.upper()
    return upper[1:] if upper in ("WETH", "WBTC", "WBNB", "WAVAX", "WMATIC", "WPOL", "WSOL", "WFTM") else upper


def pair_of(symbol: str) -> QuotedPair | None:
    """Return what a symbol says, like ``ETH/USD``, ``ETHUSDT`` or ``ETH/USDT:USDT``; None where it says nothing."""
    whole = re.sub("[-_ ]?PERP$", "", symbol.strip().upper().partition(":")[0])
    asset, is_split, money = (part.strip() for part in re.sub("[-_ ]", "/", whole).partition("/"))
    if is_split or not asset:
        return QuotedPair(asset, money or None) if asset else None
    for money in (*DOLLARS, *OTHERS):
        if asset.endswith(money) and asset != money:
            return QuotedPair(asset.removesuffix(money), money)
    return QuotedPair(asset, None)


def pair_in_name(stem: str) -> QuotedPair | None:
    """Return what the name of a file says, like ``Binance_ETHUSDT_1h``; None where it says nothing."""
    found = _NAMED.search(stem.upper())
    return None if found is None else QuotedPair(found[1], found[2])
