"""What the owner's circuit breaker and exposure limits hold back in a back-test, and what they never do."""

from __future__ import annotations

from typing import Any

from plays import BEGIN, DAY, came_of, crash, document, fixed, walk, way

FALL = crash(walk(14, volatility=0.5), 10, 0.45)
FALLS_AT = BEGIN + 10 * DAY
BREAKER = {"move_bps": 500, "within_s": 3600, "pause_s": 12 * 3600}


def deeds(**changes: Any) -> list[dict[str, Any]]:
    return list(came_of(document(FALL, [way(fixed())], **changes))["deeds"])


def test_after_a_fast_fall_nothing_is_sold_for_the_pause() -> None:
    """Five percent within the hour: without the breaker it sells in the fall, with it liquidators come first."""
    assert any("sell" in deed["what"] and deed["how"] == "restored" for deed in deeds())
    held = deeds(breaker=BREAKER)
    sold = [deed["at"] for deed in held if "sell" in deed["what"]]
    assert all(at < FALLS_AT + 2 * 3600 or at >= FALLS_AT + BREAKER["pause_s"] for at in sold)
    assert any(deed["how"] == "liquidated" for deed in held)


def test_repayments_go_on_while_trades_rest() -> None:
    """Dollars in the wallet: no price of a pool is in them."""
    kept = came_of(document(FALL, [way(fixed())], breaker=BREAKER, account={"wallet": {"USDC": "150000"}}))
    assert kept["survived"]
    assert {deed["what"] for deed in kept["deeds"]} == {"repay USDC"}


def test_the_breaker_sees_what_is_left_out_too() -> None:
    """Answers at which nothing is judged moved the price all the same: to the digit as if each was."""
    made = document(FALL, [way(fixed())], breaker=BREAKER)
    assert came_of(made) == came_of(made, all_blocks=True)


BOOST = {"when": {"health_factor_above": "1.80"}, "restore": {"health_factor": "1.60"}, "actions": ["leverage_up"]}


def test_beyond_an_exposure_limit_no_leverage_is_added() -> None:
    """A rally lets the boost fire; a limit on the chain that is passed holds it back, a wide one does not."""
    rally = walk(14, volatility=0.4, drift=14)
    came = [
        came_of(
            document(
                rally, [way(fixed() | BOOST)], account={"health": "1.7"},
                exposure={"underlyings": {}, "venues": {}, "chain": most, "leverage": None},
            )
        )
        for most in ("1000", "100000000")
    ]  # fmt: skip
    assert came[0]["actions"] == 0
    assert came[1]["actions"] >= 1


def test_a_rescue_is_never_held_back_by_an_exposure_limit() -> None:
    """Selling makes the exposure smaller."""
    limits = {"underlyings": {"ETH": "1000"}, "venues": {"aave_v3": "1000"}, "chain": None, "leverage": "1.1"}
    assert deeds(exposure=limits) == deeds()
