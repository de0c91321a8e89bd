"""What was seen, decided and done about loans, as plain data: journal, --json, explain."""

from __future__ import annotations

from keeper.core.decide import Hold
from keeper.core.lending import distances
from keeper.core.lending import figures as lending
from keeper.core.lending.moves import Approve, ByLoan, Flash, Move, Swap
from keeper.core.lending.plan import Plan
from keeper.core.lending.position import Barred, Holding, SecondLine
from keeper.core.lending.rules import LendingAssessment, LendingIntent
from keeper.core.lending.slippage import slippage_of
from keeper.core.rules import Unjudged
from keeper.core.snapshot import AccountFigures, LendingPosition
from keeper.core.units import BPS, INFINITE, WAD, Address, decimal_of, mul_div_down, ratio_text
from keeper.engine import report
from keeper.engine.report import Data
from keeper.execution.encoding import PlannedCall
from keeper.execution.outcome import Outcome
from keeper.execution.rehearsal import Rehearsed


def figures(of: AccountFigures) -> Data:
    """Return an account's figures; the health factor exact (wad) and for people. None means infinite."""
    infinite = of.health_factor >= INFINITE
    return {
        "health_factor": None if infinite else decimal_of(of.health_factor, 18),
        "collateral_usd": decimal_of(of.collateral_value, 8),
        "debt_usd": decimal_of(of.debt_value, 8),
        "equity_usd": decimal_of(of.collateral_value - of.debt_value, 8),
        "ltv": decimal_of(lending.current_ltv(of), 18, 6) if of.collateral_value else None,
        "liquidation_threshold_bps": of.average_threshold,
        "available_borrows_usd": decimal_of(of.available_borrows, 8),
        "liquidation_distance": decimal_of(lending.liquidation_distance(of), 18, 6),
    }


def position(of: LendingPosition, account: lending.Loan | None) -> Data:
    """Return a position with its balances, prices and where they came from."""
    return {
        "name": of.name,
        "venue": of.venue,
        "owner": of.owner,
        **of.model.facts,
        "balances": [_balance(h, account) for h in of.held],
        "protocol": figures(of.reported),
        **({"second_lines": [second_line(line) for line in of.second_lines]} if of.second_lines else {}),
    }


def second_line(of: SecondLine) -> Data:
    """Return a contract that sells a part before liquidation begins, whether the owner let it or not."""
    first, last = zip(of.share, of.penalty, strict=True)
    return {
        "contract": of.contract,
        "is_let": of.is_let,
        "is_known": of.is_known,
        "begins_at_health": decimal_of(of.begins_at, 18),
        "first": {"share": decimal_of(first[0], 18, 6), "penalty": decimal_of(first[1], 18, 6)},
        "at_liquidation": {"share": decimal_of(last[0], 18, 6), "penalty": decimal_of(last[1], 18, 6)},
    }


def assessment(of: LendingAssessment | Unjudged) -> Data:
    """Return what the rules say of a position."""
    if isinstance(of, Unjudged):
        return report.unjudged(of)
    return {
        **position(of.position, of.account),
        "figures": figures(of.figures),
        "liquidates": _liquidates(of),
        **report.ruled(of, of.all_doubts),
    }


def decision(of: Hold | LendingIntent) -> Data:
    """Return a decision, with what a sale may lose."""
    more = {} if isinstance(of, Hold) else {"slippage_bps": _slippage(of)}
    return report.decision(of) | more


def _slippage(of: LendingIntent) -> Data:
    """Return what a sale may lose: as a rule, by now, at most."""
    found = slippage_of(of.rule, of.assessment, of.outrun)
    return {"usual": found.usual, "now": found.widened, "worst": found.worst}


def plan(of: Plan, calls: tuple[PlannedCall, ...] = ()) -> Data:
    """Return a plan with its steps, cost and promise; with calldata where it was encoded."""
    symbols = {h.asset: h for h in of.intent.assessment.position.holdings}
    steps = [
        {
            "move": type(s.move).__name__,
            **_move(s.move, symbols),
            "spend_usd": decimal_of(s.spend, 8, 2),
            "health_factor_after": ratio_text(s.health_after),
        }
        for s in of.steps
    ]
    return report.plan(of, figures(of.before), figures(of.projected), steps, [planned.call for planned in calls])


def rehearsal(of: Rehearsed) -> Data:
    """Return how a rehearsal went."""
    return report.rehearsal(of.how, of.where, of.gas_used, figures(of.after))


def outcome(of: Outcome) -> Data:
    """Return what came of a plan."""
    return report.outcome(of, figures)


def _liquidates(of: LendingAssessment) -> Data:
    """Return the least move of one price that liquidates, and of all against the position at once."""
    least = next(iter(distances.price_moves(of.account)), None)
    if least is None:
        return {"least_move": None, "all_at_once": None}
    symbol = of.position.holding(least.asset).symbol
    one = {"asset": least.asset, "symbol": symbol, "when": _way(least), "move": decimal_of(least.share, 18, 6)}
    return {
        "least_move": one | {"price_usd": decimal_of(least.price, 8)},
        "all_at_once": decimal_of(distances.together(of.account), 18, 6),
    }


def _way(move: distances.PriceMove) -> str:
    return "rises" if move.is_rise else "falls"


def _balance(of: Holding, account: lending.Loan | None) -> Data:
    move = next((m for m in distances.price_moves(account) if m.asset == of.asset), None) if account else None
    price = of.price
    return {
        "symbol": of.symbol,
        "asset": of.asset,
        "supplied": decimal_of(of.supplied, of.decimals) if account else None,
        "borrowed": decimal_of(of.borrowed, of.decimals) if account else None,
        "is_collateral": of.is_collateral,
        "price_usd": decimal_of(price.answer, 8),
        "price_updated_at": price.updated_at,
        "price_round": None if price.round_id is None else str(price.round_id),
        "liquidation_price_usd": None if move is None else decimal_of(move.price, 8),
        "liquidation_when": None if move is None else _way(move),
        "liquidation_move": None if move is None else decimal_of(move.share, 18, 6),
        "liquidation_threshold_bps": mul_div_down(of.liquidation_factor, BPS, WAD),
        "supply_rate": decimal_of(of.rates.supply, 18, 6),
        "borrow_rate": decimal_of(of.rates.borrow, 18, 6),
        "utilisation": decimal_of(of.rates.utilisation, 18, 6),
        "barred": {
            way: room.reason.code
            for way in ("supply", "withdraw", "borrow", "repay")
            if isinstance(room := getattr(of.room, way), Barred)
        },
    }


def _move(move: Move, reserves: dict[Address, Holding]) -> Data:
    if isinstance(move, Swap | ByLoan):
        given, got = reserves[move.route.tokens[0]], reserves[move.route.tokens[-1]]
        lent: Data = {"lender": move.lender} if isinstance(move, ByLoan) else {}
        if isinstance(move, Flash) and move.fee:
            lent["loan_fee"] = decimal_of(move.fee, got.decimals)
        if isinstance(move, Flash) and move.beside is not None:
            lent["ways"] = [
                {
                    "exchange": part.route.exchange,
                    "fees": list(part.route.fees),
                    "amount": decimal_of(part.sold, given.decimals),
                    "bought": decimal_of(part.bought, got.decimals),
                }
                for part in move.parts
            ]
        if isinstance(move, Flash) and move.then:
            lent["then"] = [_move(one, reserves) for one in move.then]
        return {
            **lent,
            "asset": given.symbol,
            "amount": decimal_of(move.sold, given.decimals),
            "for": got.symbol,
            "bought": decimal_of(move.bought, got.decimals),
            "fees": list(move.route.fees),
        }
    reserve = reserves[move.asset]
    amount = "all" if move.amount is None else decimal_of(move.amount, reserve.decimals)
    shown: Data = {"asset": reserve.symbol, "amount": amount}
    if isinstance(move, Approve):
        shown["spender"] = move.spender
    return shown
