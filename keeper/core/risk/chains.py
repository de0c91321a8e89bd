"""The inputs of several chains as one: each thing keeps its own name, and what is one price becomes one driver. Pure.

Ether is ether wherever it stands: where assets of one symbol have nearly one price on two chains, the feed that says
more moves them all, so that a fall meets every position at once. A token that only calls itself so has another price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from keeper.core.names import plain
from keeper.core.risk.said import Document

SAME_PERCENT = 2
"""Prices of one symbol that differ by more are of different things."""


def joined(of: Sequence[tuple[str, Document]]) -> Document:
    """Return one document of the inputs of several chains, by the name of each; one alone is as it is."""
    if len(of) == 1:
        return of[0][1]
    made = [_apart(name, document) for name, document in of]
    newest = max(made, key=lambda d: d["block"]["time"])
    whole = {
        **newest,
        "chains": [d["block"] for d in made],
        "positions": [p for d in made for p in d["positions"]],
        "perps": [p for d in made for p in d["perps"]],
        "books": {name: book for d in made for name, book in d["books"].items()},
        "drivers": {asset: driver for d in made for asset, driver in d["drivers"].items()},
        "sources": {name: source for d in made for name, source in d["sources"].items()},
    }
    drivers = one_driver_each(whole)
    if puts := [p for d in made for p in d.get("puts", ())]:
        whole["puts"] = puts
    if own := {str(x["name"]): x for d in made for x in d.get("shocks", ())}:
        whole["shocks"] = list(own.values())
    return whole | {"drivers": drivers, "sources": {n: s for n, s in whole["sources"].items() if n in drivers.values()}}


def one_driver_each(document: Document) -> dict[str, str]:
    """Return the drivers with those that are one price joined: the one of most prices moves them all."""
    drivers: dict[str, str] = dict(document["drivers"])
    by_symbol = dict[str, list[str]]()
    for asset, symbol in _symbols(document):
        if asset in drivers:
            by_symbol.setdefault(plain(symbol).lower().removesuffix(".e"), []).append(asset)
    for assets in by_symbol.values():
        said = [a for a in dict.fromkeys(assets) if document["sources"][drivers[a]]["prices"]]
        if not said:
            continue
        best = max(said, key=lambda a: len(document["sources"][drivers[a]]["prices"]))
        at = _last(document, drivers[best])
        same = [a for a in said if abs(_last(document, drivers[a]) - at) * 100 <= SAME_PERCENT * at]
        drivers |= dict.fromkeys(same, drivers[best])
    return drivers


def _last(document: Document, driver: str) -> int:
    return int(document["sources"][driver]["prices"][-1][1])


def _symbols(document: Document) -> Iterator[tuple[str, str]]:
    for p in document["positions"]:
        yield from ((h["asset"], h["symbol"]) for h in p["holdings"])
    for p in document["perps"]:
        yield from ((leg["asset"], leg["symbol"]) for leg in p["legs"])


def _apart(chain: str, d: Document) -> Document:
    """Return a chain's inputs with every name its own: the same address may be another token elsewhere."""

    def own(name: str) -> str:
        return f"{chain}/{name}"

    def holding(h: Mapping[str, object]) -> Document:
        return {**h, "asset": own(str(h["asset"]))}

    def loan(p: Mapping[str, object]) -> Document:
        sales = {own(a): s for a, s in p.get("sales", {}).items()}  # type: ignore[attr-defined]
        held = [holding(h) for h in p["holdings"]]  # type: ignore[attr-defined]
        return {**p, "name": own(str(p["name"])), "holdings": held} | ({"sales": sales} if sales else {})

    puts = [{**p, "name": own(p["name"]), "of": own(p["of"])} for p in d.get("puts", ())]
    return {
        **d,
        **({"puts": puts} if puts else {}),
        "positions": [loan(p) for p in d["positions"]],
        "perps": [
            {**p, "name": own(p["name"]), "legs": [{**leg, "asset": own(leg["asset"])} for leg in p["legs"]]}
            for p in d["perps"]
        ],
        "books": {own(n): {**b, "members": [own(m) for m in b["members"]]} for n, b in d["books"].items()},
        "drivers": {own(asset): own(driver) for asset, driver in d["drivers"].items()},
        "sources": {own(name): source for name, source in d["sources"].items()},
    }
