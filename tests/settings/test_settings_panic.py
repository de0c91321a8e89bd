"""[[panic]]: what an owner's own order does, declared beforehand."""

from __future__ import annotations

import pytest

from keeper.core.panics import Order, from_plain, in_force, plain

WAY_OUT = '\n[[panic]]\nposition = "eth-loop"\nactions = ["repay", "deleverage"]\n'


def test_a_way_out_is_a_rule_that_is_in_force_on_order_alone(load_text, good) -> None:  # type: ignore[no-untyped-def]
    """It closes unless it names a target, comes before the others, and is no rule by itself."""
    settings = load_text(text=good + WAY_OUT)
    (rule,) = settings.panic_rules
    assert rule.is_ordered
    assert rule.target.is_close
    assert [r.name for r in settings.rules] == ["protect"]
    assert in_force(settings.rules, settings.panic_rules, ()) == settings.rules
    ordered = in_force(settings.rules, settings.panic_rules, ("eth-loop",))
    assert ordered == (rule, *settings.rules)
    assert in_force(ordered, settings.panic_rules, ("eth-loop",)) == ordered


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WAY_OUT.replace("eth-loop", "nobody"), "there is no such position"),
        (WAY_OUT + WAY_OUT, "is declared twice"),
        (WAY_OUT.replace('"repay", "deleverage"', '"leverage_up"'), "leverage_up"),
        (WAY_OUT + 'restore = { margin_ratio = "0.2" }\n', "a lending position is restored to"),
    ],
)
def test_a_way_out_that_is_none_is_refused(load_text, good, text: str, said: str) -> None:  # type: ignore[no-untyped-def]
    """With its place."""
    with pytest.raises(Exception, match="panic") as refused:
        load_text(text=good + text)
    assert said in str(refused.value)


def test_an_order_that_cannot_be_read_sells_nothing() -> None:
    """To sell needs a word."""
    assert from_plain(plain(Order(("a", "b"), 5))) == Order(("a", "b"), 5)
    assert from_plain({"positions": 7}).positions == ()
    assert plain(Order(("a",), 5).without(("a",))) is None
