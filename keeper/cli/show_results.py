"""What was decided and done, as ``keeper once`` and ``keeper explain`` show it: the same for every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from keeper.cli.words import Data, brief, percent, short
from keeper.core.family import Family

Text = Callable[[str | None], str]


def _plain(value: str | None) -> str:
    return value or ""


HEADLINES: tuple[tuple[str, str, Text], ...] = (
    ("health_factor", "health factor", short),
    ("margin_ratio", "margin ratio", percent),
    ("delta", "delta", short),
)
"""The figure that an owner goes by, as it is called and written."""
OF_PERPS: tuple[tuple[str, str, Text], ...] = (
    ("margin_ratio", "margin ratio", percent),
    ("equity_usd", "equity $", _plain),
    ("notional_usd", "notional $", _plain),
)
COMPARED: Mapping[Family, tuple[tuple[str, str, Text], ...]] = {
    Family.LENDING: (
        ("health_factor", "health factor", short),
        ("collateral_usd", "collateral $", short),
        ("debt_usd", "debt $", short),
    ),
    Family.PERP: OF_PERPS,
    Family.BOOK: OF_PERPS,
}
"""The figures that a plan changes; of a book those of the hedge that trades."""


def print_result(console: Console, family: Family, row: Data) -> None:
    """Print what one cycle saw, decided and did about a position or a book."""
    figures = [f"{called} {text(row[key])}" for key, called, text in HEADLINES if key in row]
    console.print(f"{row['name']}  {''.join(figures)}")
    _print_others(console, row)
    if row["decision"]["kind"] == "hold":
        _print_hold(console, row["decision"])
    else:
        _print_plan(console, family, row)


def _print_others(console: Console, row: Data) -> None:
    """Print what the other rules came to: none speaks for another."""
    for other in row["others"]:
        whose = f"rule {other['rule']}: " if other["rule"] else ""
        detail = f": {other['detail']}" if other["detail"] else ""
        console.print(f"  also: {whose}{other['text']}{detail}", soft_wrap=True)


def _print_hold(console: Console, decision: Data) -> None:
    console.print(f"  holds: {decision['text']}")
    for key in ("detail", "remedy"):
        if decision[key]:
            console.print(f"  {key}: {decision[key]}", soft_wrap=True)


def _print_plan(console: Console, family: Family, row: Data) -> None:
    decision, plan, rehearsal, outcome = row["decision"], row["plan"], row["rehearsal"], row["outcome"]
    partial = " (partial: all that the limits allow)" if plan["is_partial"] else ""
    console.print(f"  rule {decision['rule']} fires; target {decision['target']}")
    console.print(f"  plan: {plan['label']}{partial}, costs ${plan['cost_usd']['total']}", soft_wrap=True)
    how = rehearsal.get("how", "rehearsed")
    console.print(f"  {how} by {rehearsal['where']}: {rehearsal['gas_used']} gas", soft_wrap=True)
    table = Table("", "before", "after", box=None, pad_edge=False)
    for key, called, text in COMPARED[family]:
        table.add_row(f"  {called}", text(plan["before"][key]), text(rehearsal["after"][key]))
    console.print(table)
    if outcome:
        console.print(f"  {outcome['kind']}: {outcome['detail']}", soft_wrap=True)
        for hash_ in outcome["transactions"]:
            console.print(f"    {hash_}")


def print_steps(console: Console, row: Data) -> None:
    """Print the steps of a plan, and the ways that were not chosen."""
    table = Table("step", "asset", "amount", "health after", "calldata", box=None, pad_edge=False)
    for step in row["plan"]["steps"]:
        asset, amount = step.get("asset") or step.get("market", ""), step.get("amount") or step.get("size", "")
        health = step.get("health_factor_after", "")
        table.add_row(step["purpose"], asset, brief(amount), health, step["data"][:10])
        for said, of, much in _within(step):
            table.add_row(f"  {said}", of, brief(much), "", "")
    console.print(table)
    if count := row["plan"].get("transactions"):
        console.print(_goes_out(count, could_be_one=row["plan"]["could_be_one"]), soft_wrap=True)
    for other in row["alternatives"]:
        cost = f", costs ${other['cost_usd']['total']}" if other.get("cost_usd") else ""
        console.print(f"not chosen: {other['label']}: {other['text']} {other['detail']}{cost}", soft_wrap=True)
    console.print("The calldata in full is in --json. Nothing was signed.")


def _goes_out(count: int, *, could_be_one: bool) -> str:
    if count == 1:
        return "Goes out as one transaction: all of it or nothing."
    one = ": batch = true in its signer makes it one, where max_spend_per_tx_usd allows that" if could_be_one else ""
    return f"Goes out as {count} transactions, one after the other{one}."


def _within(step: Data) -> Iterator[tuple[str, str, str]]:
    """Yield what one call of a loan does within: each way of a sale by two pools, each further loan, what leaves."""
    for way in step.get("ways", ()):
        yield f"sold at {way['exchange']}, fee {' and '.join(map(str, way['fees']))}", step["asset"], way["amount"]
    for then in step.get("then", ()):
        yield (f"then sold for {then['for']}" if "for" in then else "then all of it out"), then["asset"], then["amount"]


def print_rules(console: Console, seen: Data) -> None:
    """Print what each rule measures against its bound, and what is in doubt."""
    for rule in seen.get("rules", ()):
        verdict = f"measures nothing: {rule['doubt']}" if rule["doubt"] else "fires" if rule["fired"] else "rests"
        measured = "–" if rule["doubt"] else short(rule["measured"])
        comparison = f"{measured} {rule['side']} {short(rule['bound'])}"
        console.print(f"rule {rule['rule']}: {rule['measure']} {comparison}? {verdict}", soft_wrap=True)
    for doubt in seen.get("doubts", ()):
        console.print(f"in doubt: {doubt['detail']} ({doubt['reason']})", style="yellow")


def rules_text(rules: Sequence[Data]) -> str:
    """Return how many rules rest, which fire, and which measure nothing: those are not at rest."""
    fired, blind = [r["rule"] for r in rules if r["fired"]], [r["rule"] for r in rules if r["doubt"]]
    resting = len(rules) - len(fired) - len(blind)
    stated = [f"{', '.join(fired)} fires"] if fired else [f"{resting} rest"] if resting else []
    stated += [f"{', '.join(blind)} measures nothing"] if blind else []
    return "; ".join(stated) or "none"


def concerns(seen: Data) -> list[str]:
    """Return what the owner should know of a position or a book."""
    if "doubts" not in seen:  # it could not be judged
        return [f"{seen['name']}: {seen['detail']} ({seen['reason']})"]
    lines = [f"{seen['name']}: {rule['doubt']}" for rule in seen.get("rules", ()) if rule["doubt"]]
    lines += [f"{seen['name']}: {d['detail']} ({d['reason']})" for d in seen["doubts"]]
    return [*lines, f"{seen['name']}: {seen['naked']}"] if seen.get("naked") else lines
