"""A night as an owner may find it: real settings, a real journal, a view that the real engine made on paper.

A calm loan, one in danger with a plan, a short, a hedged book, a position that cannot be read; a rescue a while ago.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from core_builders import NOW, OWNER, loop, rule, units
from empty_journal import an_empty_journal
from paper import Paper, engine_on
from perp_builders import BOOK, hedge_rule, perp_rule
from test_cycle_perps import dollars, sold

from keeper.chain.nodes import NodeStatus
from keeper.core.drills import Drill, Drilled, DrillEnding
from keeper.core.drills import key_of as drill_key
from keeper.core.drills import plain as drill_plain
from keeper.core.lending import actions
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import Unreadable
from keeper.engine.cycle import cycle
from keeper.journal import Journal, NewAttempt, NewDecision, NewTransaction, open_journal
from keeper.journal.views import scope_of
from keeper.service.view import figures, view_of
from keeper.settings import Settings, load
from keeper.web.door import Access
from keeper.web.sight import Onlooker
from keeper.web.tokens import PageToken

AT = NOW + 5
LOOK, CONTROL = "look-" + "a" * 40, "control-" + "b" * 40
SETTINGS = """
[network]
file = "ethereum"
rpc_url = "http://127.0.0.1:9/SECRET-IN-THE-NODES-ADDRESS"
[journal]
url = "keeper.sqlite"
[[signers]]
name = "hot"
address = "{owner}"
{positions}
[[rules]]
name = "protect"
position = "{first}"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["top_up", "repay", "deleverage"]
[rules.limits]
max_slippage_bps = 50
max_spend_per_day_usd = "20000"
"""
POSITION = """
[[positions]]
name = "{name}"
venue = "aave_v3"
owner = "{owner}"
signer = "hot"
"""
NAMES = ("eth-loop", "calm-loan", "dark-loan")


def settings_at(folder: Path, names: Sequence[str] = NAMES) -> Settings:
    """Real settings on mainnet, with these loans."""
    quoted = [name.replace("\\", "\\\\").replace('"', '\\"') for name in names]
    listed = "".join(POSITION.format(name=name, owner=OWNER) for name in quoted)
    file = folder / "keeper.toml"
    file.write_text(SETTINGS.format(owner=OWNER, positions=listed, first=quoted[0]), encoding="utf-8")
    return load(file, {})


async def seen(
    names: Sequence[str] = NAMES, *, mode: str = "live", perps: bool = True, now: int = AT
) -> dict[str, Any]:
    """Return the view that the engine has of three loans, and a short and a book where they are asked for."""
    danger, calm, dark = names
    positions: dict[str, Any] = {
        danger: replace(loop(), name=danger),
        calm: replace(loop(dollars="9000"), name=calm),
        dark: Unreadable(dark, OWNER, Doubt(Reason.POSITION_UNREADABLE, "the market answered nothing")),
    }
    if perps:
        positions |= {"short": replace(sold(price="1900"), name="short"), "loop": loop(dollars="4000")}
    rules = [rule(position=name, actions=(actions.DELEVERAGE,)) for name in names]
    paper = Paper(positions, replace(dollars(), tokens={**dollars().tokens}))
    given: dict[str, Any] = {"perp_rules": (perp_rule(),), "books": (BOOK,), "book_rules": (hedge_rule(band="9"),)}
    engine = engine_on(paper, *rules, **(given if perps else {}))
    results = await cycle(engine, paper.block)
    reader = SimpleNamespace(
        network=engine.reader.network, known=engine.reader.known, blocks=SimpleNamespace(node=None)
    )
    engine.reader = reader  # type: ignore[assignment]
    assert engine.state.seen is not None
    view = view_of(engine, engine.state.seen, results)  # type: ignore[arg-type]
    node = NodeStatus("node.example", ("read", "send"), 100, 41, "fine", True)
    aside = NodeStatus("other.example", ("read",), 97, 380, "lags", False)
    nodes = [{f: getattr(one, f) for f in one.__slots__} for one in (node, aside)]
    view |= {"network": "ethereum", "chain_id": 1, "mode": mode, "at": now - 4, "nodes": nodes}
    view["block"] |= {"number": 21_345_678, "timestamp": now - 6}
    for price in view["prices"]:
        price["updated_at"] += now - AT
    for subject, share in zip(view["subjects"], ("0.081200", "0.000400"), strict=False):
        subject["probability"] = {"share": share, "horizon_s": 86_400, "why": None}
    view["alarms"] = ["eth-loop: health factor 1.1857 is below 1.25", "Node other.example is not asked: failing"]
    return view | {"_figures": figures(results)}


async def write(journal: Journal, view: dict[str, Any], name: str, now: int, clock: list[int]) -> None:
    """A day of figures with a fall in it, a rescue at its bottom, and one transaction that is under way."""
    scope = scope_of(1, "ethereum", view["mode"])
    endings, rescued = view.pop("_figures"), now - 86_400 + 60 * 792
    for at in range(now - 86_400, now - 60, 240):
        share = (at - now + 86_400) / 86_400
        fall = 0.11 * math.exp(-(((share - 0.53) * 9) ** 2)) + 0.008 * math.sin(at / 3000) - 0.04 * (1 - share)
        lift = 0.3 * (1 - share) ** 0.4 if at > rescued else 0.0
        values = {n: int(v * (1 - fall + (lift if n == name else 0))) for n, v in endings.items()}
        await journal.views.write(scope, {}, at, values)
    await journal.views.write(scope, view, now - 4, endings)
    for when, outcome in ((rescued, "restored"), (now - 50, "in_flight")):
        clock[0] = when
        summary = f"sell 4.2 WETH, repay 8,400 USDC for {name}"
        decision = await journal.decisions.record(decided(name, when, "act", summary))
        await journal.decisions.record_outcome(decision, outcome, {"reason": "restored", "detail": ""})  # type: ignore[arg-type]
        sent = await journal.transactions.add_signed(signed(decision, when), attempt(when))
        await journal.transactions.mark_broadcast(attempt(when).hash)
        if outcome == "restored":
            mined: dict[str, Any] = {"block_number": 21_343_108, "block_hash": "0x" + "ab" * 32, "gas_used": 412_331}
            await journal.transactions.settle(sent, "confirmed", **mined, effective_gas_price=21 * 10**9)
    clock[0] = now
    drill = Drill(now - 9000, 21_344_928, (
        Drilled(name, "protect", DrillEnding.WORKS, "WETH at 1,742.10", plan="sell 4.1 WETH, repay 7,100 USDC"),
        Drilled("calm-loan", "protect", DrillEnding.FAILS, "WETH at 1,355.00", "no gas money", "send some"),
    ))  # fmt: skip
    await journal.facts.set(drill_key("ethereum", f"1:{view['mode']}"), drill_plain(drill))
    await journal.decisions.record_hold(decided("calm-loan", now - 30, "hold", "price of WETH is 4,000 s old; holds"))


def decided(name: str, at: int, kind: str, summary: str) -> NewDecision:
    return NewDecision(
        chain_id=1, block_number=100, block_hash="0x" + "ab" * 32, block_timestamp=at, position=name, rule="protect",
        mode="live", kind=kind, reason="rule_fired", summary=summary, inputs={},
    )  # type: ignore[arg-type]  # fmt: skip


def signed(decision: int, nonce: int) -> NewTransaction:
    return NewTransaction(
        decision_id=decision, step=0, chain_id=1, signer=OWNER, nonce=nonce, to=OWNER, value=0, data="0x00",
        purpose="sell and repay in one bundle", spend_usd=8_400 * 10**8, gas_limit=600_000,
    )  # fmt: skip


def attempt(nonce: int) -> NewAttempt:
    return NewAttempt(hash=f"0x{nonce:064x}", raw="0x02", max_fee_per_gas=30 * 10**9, max_priority_fee_per_gas=10**9)


@dataclass(slots=True)
class Scene:
    """A page's parts on a folder of a test's own."""

    settings: Settings
    sight: Onlooker
    access: Access


def access(*, control: bool = False, names: tuple[str, ...] = ()) -> Access:
    return Access(PageToken(LOOK), PageToken(CONTROL) if control else None, names, 8520)


_MADE: dict[tuple[tuple[str, ...], str, bool], tuple[int, Path]] = {}
"""Journals of nights that were written, and when: a test takes a copy."""
FRESH_S = 3
"""For so long a night of this moment is one still."""


async def _written(folder: Path, names: Sequence[str], mode: str, at: int) -> Path:
    file, clock = an_empty_journal(folder / "keeper.sqlite"), [at]
    async with await open_journal(str(file), clock=lambda: clock[0]) as journal:
        await write(journal, await seen(names, mode=mode, now=at), names[0], at, clock)
    return file


async def scene(
    folder: Path, names: Sequence[str] = NAMES, *, mode: str = "live", control: bool = False, now: int | None = None
) -> Scene:
    """The whole night; ``now`` for who looks with a browser, which has a clock of its own."""
    settings, at = settings_at(folder, names), now or AT
    key = tuple(names), mode, now is None
    when, made = _MADE.get(key, (0, folder))
    if not 0 <= at - when <= (FRESH_S if now else 0):
        when, made = _MADE[key] = at, await _written(Path(tempfile.mkdtemp(prefix="pk")), names, mode, at)
    shutil.copyfile(made, folder / "keeper.sqlite")
    (folder / "keeper.sqlite").chmod(0o600)
    return Scene(settings, Onlooker(settings, clock=time.time if now else lambda: float(AT)), access(control=control))


__all__ = [
    "AT",
    "CONTROL",
    "LOOK",
    "NAMES",
    "Scene",
    "access",
    "decided",
    "scene",
    "seen",
    "settings_at",
    "units",
    "write",
]
