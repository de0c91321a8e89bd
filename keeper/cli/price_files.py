"""Price files that an owner gives beside the oracles' own rounds: which asset each is of, and whether it can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from keeper.cli.common import Exit, fail
from keeper.cli.price_bytes import text_of
from keeper.core import names
from keeper.core.lending.position import Holding
from keeper.core.risk.file_names import QuotedPair, pair_in_name, pair_of
from keeper.core.risk.files import BadPriceFileError, PriceFile, price_file
from keeper.core.risk.market import Source
from keeper.core.risk.series import of_bars
from keeper.core.units import Address, usd_text

FAR_PERCENT = 30
"""By how much a file's price may differ from the oracle's at the same time, before it is another asset's."""
FRESH_BARS = 3


def sources_of(words: Sequence[str], held: Sequence[Holding], now: int) -> tuple[dict[str, Source], dict[Address, str]]:
    """Return what files say of assets that are held, and which hangs on which. Ends with what is wrong."""
    sources, drivers = dict[str, Source](), dict[Address, str]()
    for word in words:
        symbol, is_named, path = word.partition("=")
        if not is_named or not symbol or not path:
            fail(Exit.BAD_SETTINGS, f"--prices {word}: write SYMBOL=FILE, like WETH=eth.csv")
        found = {h.asset: h for h in names.meant(symbol, held)}
        if len(found) != 1:
            known = ", ".join(sorted({h.symbol for h in held}))
            fail(Exit.BAD_SETTINGS, f"--prices {word}: {symbol} is no one asset of these loans; there are {known}")
        ((asset, holding),) = found.items()
        read = read_prices(Path(path))
        _refuse_money(path, read)
        _refuse_others(path, read, holding, now)
        driver = f"file {Path(path).name}"
        quiet_s = FRESH_BARS * read.bars[0].seconds
        sources[driver] = Source(of_bars(read.bars), quiet_s, f"{read.form}, {Path(path).name}")
        drivers[asset] = driver
    return sources, drivers


def read_prices(path: Path) -> PriceFile:
    """Return what a file says, its own name included. Ends with what is wrong with it."""
    try:
        text, form = text_of(path)
        read = price_file(text)
    except OSError as error:
        fail(Exit.FAILED, f"{path}: cannot be read ({error.strerror})")
    except BadPriceFileError as error:
        fail(Exit.FAILED, f"{path}: {error}")
    return read if form is None else replace(read, form=form)


def pair_of_file(path: Path, read: PriceFile) -> QuotedPair | None:
    """Return of which asset a file is and in which money: as its rows say, else as its name does."""
    return pair_in_name(path.stem) if read.symbol is None else pair_of(read.symbol)


def _refuse_money(path: str, read: PriceFile) -> None:
    """End where a file counts in another money: beside files and oracles in dollars its figures would mean nothing."""
    pair = pair_of_file(Path(path), read)
    if pair is not None and not pair.is_in_dollars:
        remedy = f"give a file of {pair.asset} in USD, USDT or USDC"
        fail(Exit.FAILED, f"{path}: is {pair}, and so counts in {pair.money}; a report counts in dollars: {remedy}")


def _refuse_others(path: str, read: PriceFile, holding: Holding, now: int) -> None:
    """End where a file is another asset's: by the symbol that it names, or by a price that is not the oracle's."""
    bare = holding.symbol.upper().removeprefix("W")
    if read.symbol is not None and not read.symbol.replace("-", "").replace("/", "").removeprefix("W").startswith(bare):
        fail(Exit.FAILED, f"{path}: is of {read.symbol}, and not of {holding.symbol}")
    last = next((b for b in reversed(read.bars) if b.at + b.seconds <= now), None)
    if last is None or now - last.at > (FRESH_BARS + 1) * last.seconds:
        return  # of another time: nothing to compare, and what is not of now measures nothing
    oracle = holding.usd_down(holding.unit)
    if abs(last.close - oracle) * 100 > FAR_PERCENT * oracle:
        said = f"{usd_text(last.close)}, and the oracle {usd_text(oracle)}"
        fail(Exit.FAILED, f"{path}: ends at {said}: is it a file of another asset than {holding.symbol}?")
