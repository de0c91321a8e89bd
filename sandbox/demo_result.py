"""How the demo ended, from the chain and the keeper's journal: the table at the end and demo-report.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rich.table import Table
from web3.exceptions import TimeExhausted

from sandbox.demo_scene import KEPT, UNKEPT, Frame, Liquidation, read_equity, read_liquidations, read_sale_gain
from sandbox.errors import SandboxError
from sandbox.world import World

RECEIPT_LIMIT_S = 10.0
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Ending:
    """One position after the crash. Dollars at the final prices of the feeds."""

    name: str
    liquidations: Sequence[Liquidation]
    lowest_health: float
    final: Frame
    equity: Decimal
    transactions: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    fees_usd: Decimal = Decimal(0)
    sales_usd: Decimal = Decimal(0)
    """What its swaps brought beyond the feeds' prices: a pool may lag behind a falling feed; net of fees."""

    @property
    def penalty_usd(self) -> Decimal:
        return sum((one.penalty_usd for one in self.liquidations), Decimal(0))


def endings(
    world: World, owners: Mapping[str, str], frames: Sequence[Frame], decisions: Sequence[Mapping[str, Any]]
) -> dict[str, Ending]:
    """Both positions at the last frame's block. Native coin counts as what was spent of it, not what is left."""
    final, begin = frames[-1], frames[0].block
    found = read_liquidations(world, begin)
    sent = [mined(world, t) for d in decisions for t in d["transactions"] if t["hash"]]
    fees = Decimal(sum(t["fee_wei"] for t in sent)).scaleb(-18) * final.price
    sales = sum((read_sale_gain(world, t["hash"]) for t in sent), Decimal(0))
    ended = {}
    for name, owner in owners.items():
        mine = [one for one in found if one.owner == owner]
        ended[name] = Ending(
            name=name,
            liquidations=mine,
            lowest_health=min(frame.health[name] for frame in frames),
            final=final,
            equity=read_equity(world, owner, final.block, begin),
            transactions=sent if name == KEPT else [_seizure(one) for one in mine],
            fees_usd=fees if name == KEPT else Decimal(0),
            sales_usd=sales if name == KEPT else Decimal(0),
        )
    return ended


def mined(world: World, told: Mapping[str, Any]) -> dict[str, Any]:
    """A transaction of the journal, with what the chain says of it."""
    try:
        receipt = world.w3.eth.wait_for_transaction_receipt(told["hash"], timeout=RECEIPT_LIMIT_S)
    except TimeExhausted:
        raise SandboxError(f"{told['hash']} is in the journal but not on the chain") from None
    return {
        "hash": told["hash"],
        "purpose": told["purpose"],
        "block": receipt["blockNumber"],
        "index": receipt["transactionIndex"],
        "status": receipt["status"],
        "state": told["state"],
        "gas_used": receipt["gasUsed"],
        "fee_wei": receipt["gasUsed"] * receipt["effectiveGasPrice"],
    }


def _seizure(one: Liquidation) -> dict[str, Any]:
    return {"hash": one.transaction, "purpose": "liquidation by somebody else", "block": one.block, "status": 1}


def came_true(ended: Mapping[str, Ending]) -> str | None:
    """None when the story came true, else what went otherwise."""
    if ended[KEPT].liquidations:
        return "the kept position was liquidated"
    if not ended[UNKEPT].liquidations:
        low = ended[UNKEPT].lowest_health
        return f"the position nobody kept was not liquidated: its health factor never fell below {low:.2f}"
    return None


def table(ended: Mapping[str, Ending]) -> Table:
    """Side by side."""
    shown = Table("", "kept", "not kept", title_justify="left", pad_edge=False, box=None, padding=(0, 3, 0, 0))
    for column in shown.columns[1:]:
        column.justify = "right"
    for label, *cells in _rows(ended):
        shown.add_row(label, *cells, style="bold" if label == "equity" else None)
    return shown


def _rows(ended: Mapping[str, Ending]) -> list[tuple[str, str, str]]:
    kept, unkept = ended[KEPT], ended[UNKEPT]

    def both(label: str, text: Any) -> tuple[str, str, str]:
        return label, text(kept), text(unkept)

    return [
        both("liquidated", lambda e: f"{len(e.liquidations)} times" if e.liquidations else "never"),
        both("lowest health factor", lambda e: f"{e.lowest_health:.3f}"),
        both("health factor now", lambda e: f"{e.final.health[e.name]:.3f}" if e.final.health[e.name] < 99 else "∞"),
        both("collateral", lambda e: usd(e.final.collateral_usd[e.name])),
        both("debt", lambda e: usd(e.final.debt_usd[e.name])),
        both("equity", lambda e: usd(e.equity)),
        both("own transactions", lambda e: str(len(e.transactions) if e is kept else 0)),
        both("fees paid", lambda e: usd(e.fees_usd)),
        both("sales, against the feed", lambda e: usd(e.sales_usd)),
        both("lost to liquidators", lambda e: usd(e.penalty_usd)),
    ]


def report(ended: Mapping[str, Ending], wall_s: float) -> dict[str, Any]:
    """The content of demo-report.json."""
    saved = ended[KEPT].equity - ended[UNKEPT].equity
    return {name: _entry(ending) for name, ending in ended.items()} | {
        "equity_saved_usd": number(saved),
        "final_price_usd": number(ended[KEPT].final.price),
        "wall_s": round(wall_s, 1),
    }


def _entry(ending: Ending) -> dict[str, Any]:
    health = ending.final.health[ending.name]
    return {
        "liquidated": bool(ending.liquidations),
        "liquidations": len(ending.liquidations),
        "min_health_factor": round(ending.lowest_health, 4),
        "final_health_factor": None if health >= 99 else round(health, 4),
        "final_collateral_usd": number(ending.final.collateral_usd[ending.name]),
        "final_debt_usd": number(ending.final.debt_usd[ending.name]),
        "final_equity_usd": number(ending.equity),
        "fees_usd": float(round(ending.fees_usd, 6)),
        "sales_against_feed_usd": number(ending.sales_usd),
        "lost_to_liquidators_usd": number(ending.penalty_usd),
        "transactions": list(ending.transactions),
    }


def usd(value: Decimal) -> str:
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


def number(value: Decimal) -> float:
    return float(value.quantize(CENT))
