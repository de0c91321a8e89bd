"""[[panic]]: every way an owner may declare a way out, and what makes no sense, by field and with a remedy."""

from __future__ import annotations

import pytest
from test_settings_rules import Faults, Load

from keeper.core.lending.actions import DELEVERAGE, REPAY
from keeper.core.lending.kind import LENDING
from keeper.core.rules import ORDERED
from keeper.core.units import WAD

RULES = "[[rules]]"


def declared(*lines: str) -> tuple[str, str]:
    return RULES, "\n".join(("[[panic]]", *lines, "", RULES))


def test_a_way_out_is_a_rule_that_no_figure_fires(load_text: Load) -> None:
    """It stands beside the rules, not among them: to a target, or to close."""
    three = load_text(
        declared('position = "eth-loop"', 'restore = { health_factor = "3" }', 'actions = ["repay", "deleverage"]')
    )
    (rule,) = three.panic_rules
    assert (rule.name, rule.position, rule.actions) == (ORDERED, "eth-loop", (REPAY, DELEVERAGE))
    assert rule.target is not None
    assert rule.target.value == 3 * WAD
    assert rule not in three.rules
    (leaving,) = load_text(
        declared('position = "eth-loop"', 'restore = "exit"', 'actions = ["deleverage"]')
    ).panic_rules
    assert leaving.target == LENDING.exited
    (closing,) = load_text(declared('position = "eth-loop"', 'actions = ["deleverage"]')).panic_rules
    assert str(closing.target) == "closed"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (('position = "nobody"', 'actions = ["repay"]'), "there is no such position"),
        (('position = "eth-loop"', 'actions = ["leverage_up"]'), "actions: leverage_up"),
        (('position = "eth-loop"', 'actions = ["swap_debt"]'), "actions: swap_debt"),
        (('position = "eth-loop"', 'restore = { collateral_share = "0.5" }', 'actions = ["repay"]'), "no way out"),
        (('position = "eth-loop"', 'actions = ["reduce"]'), "actions: reduce"),
        (('position = "eth-loop"', "actions = []"), "actions"),
        (
            ('position = "eth-loop"', 'restore = { health_factor = "0.9" }', 'actions = ["repay"]'),
            "restore.health_factor",
        ),
        (('position = "eth-loop"', 'restore = { margin_ratio = "0.2" }', 'actions = ["repay"]'), "restored to"),
        (
            (
                'position = "eth-loop"',
                'actions = ["repay"]',
                "",
                "[[panic]]",
                'position = "eth-loop"',
                'actions = ["repay"]',
            ),
            "declared twice",
        ),
    ],
    ids=["position", "boost", "swap", "share", "kind", "nothing", "bound", "target", "twice"],
)
def test_a_way_out_that_makes_no_sense_is_refused_by_field(faults: Faults, lines: tuple[str, ...], said: str) -> None:
    """At start, not in the night it is needed."""
    assert any(said in fault for fault in faults(declared(*lines)))


def test_no_rule_may_be_called_as_an_order_is(faults: Faults) -> None:
    """No pause holds an order, so no rule may pass for one."""
    assert any("choose another" in fault for fault in faults(('name = "protect"', f'name = "{ORDERED}"')))
