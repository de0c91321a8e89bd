"""Rules that cannot rest, cannot act or contradict each other are refused before anything runs."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from keeper.core.lending.metrics import CLOSED, METRICS
from keeper.core.metrics import Subject, Target, Trigger, Widening
from keeper.core.scales import Range
from keeper.core.units import DAY_S, WAD
from keeper.settings import Settings, futile
from keeper.settings.rule_keys import either, goes_with, targets_of, triggers_of

Faults = Callable[..., list[str]]
Load = Callable[..., Settings]
WHEN = 'when = { health_factor_below = "1.25" }'
RESTORE = 'restore = { health_factor = "1.60" }'
ACTIONS = 'actions = ["top_up", "repay", "deleverage"]'
BOOST = """
[[rules]]
name = "boost"
position = "eth-loop"
when = { health_factor_above = "2.00" }
restore = { health_factor = "%s" }
actions = ["leverage_up"]
"""


@pytest.mark.parametrize(
    ("when", "restore", "said"),
    [
        ('health_factor_below = "1.25"', 'health_factor = "1.25"', "restore.health_factor: 1.25 must lie above"),
        ('health_factor_below = "1.25"', 'health_factor = "1.10"', "restore.health_factor: 1.1 must lie above"),
        ('ltv_above = "0.70"', 'ltv = "0.70"', "restore.ltv: 0.7 must lie below"),
        ('ltv_above = "0.70"', 'ltv = "0.75"', "restore.ltv: 0.75 must lie below"),
        ('liquidation_distance_below = "0.20"', 'health_factor = "1.25"', "write 1.2501 or more"),
        ('liquidation_distance_below = "0.30"', 'health_factor = "1.40"', "write 1.4286 or more"),
    ],
)
def test_a_target_on_the_wrong_side_of_the_trigger_is_refused(
    faults: Faults, when: str, restore: str, said: str
) -> None:
    """The rule would fire again on its own result, for ever, paying each time."""
    (fault,) = faults((WHEN, f"when = {{ {when} }}"), (RESTORE, f"restore = {{ {restore} }}"))
    assert fault.startswith("rules[0].restore.")
    assert "(in 'protect')" in fault
    assert said.rpartition(": ")[2] in fault


def test_a_boost_that_raises_is_on_the_wrong_side_too(faults: Faults, good: str) -> None:
    """Borrowing more lowers the health factor."""
    (fault,) = faults(text=good + BOOST % "2.10")
    assert (
        fault == "rules[1].restore.health_factor (in 'boost'): 2.1 must lie below the trigger, or the rule never rests"
    )


@pytest.mark.parametrize(
    ("when", "restore"),
    [
        ('health_factor_below = "1.25"', '{ health_factor = "1.26" }'),
        ('health_factor_below = "1.25"', '{ ltv = "0.50" }'),
        ('ltv_above = "0.70"', '{ ltv = "0.60" }'),
        ('ltv_above = "0.70"', '{ health_factor = "1.60" }'),
        ('liquidation_distance_below = "0.20"', '{ health_factor = "1.2501" }'),
        ('price_below = "1500", asset = "WETH"', '{ health_factor = "2" }'),
        ('price_above = "9000", asset = "WETH"', '"close"'),
    ],
)
def test_a_target_beyond_its_trigger_is_taken(load_text: Load, when: str, restore: str) -> None:
    """Every measure can be written with a target of its own or another kind."""
    assert load_text((WHEN, f"when = {{ {when} }}"), (RESTORE, f"restore = {restore}")).rules[0].target is not None


def test_a_boost_that_ends_where_a_rescue_begins_is_refused(faults: Faults, good: str) -> None:
    """The two would trade to and fro without end."""
    (fault,) = faults(text=good + BOOST % "1.20")
    assert fault == (
        "rules: 'boost' brings the health factor to 1.2, where 'protect' begins: they would never rest; "
        "write 1.2501 or more"
    )


def test_a_boost_that_ends_above_the_rescue_is_taken(load_text: Load, good: str) -> None:
    """At the trigger itself a rescue does not fire: it is strict."""
    assert load_text(text=good + BOOST % "1.25").rules[1].is_boost


@pytest.mark.parametrize("actions", ['["leverage_up", "repay"]', '["leverage_up"]'])
def test_leverage_up_on_a_falling_health_factor_is_refused(faults: Faults, actions: str) -> None:
    """More debt is no rescue."""
    (fault,) = faults((ACTIONS, f"actions = {actions}"))
    assert fault.startswith("rules[0].actions (in 'protect'): leverage_up stands alone, with when = { health_factor_")


@pytest.mark.parametrize("restore", ['restore = "close"', 'restore = { ltv = "0.5" }'])
def test_leverage_up_needs_a_health_factor_to_end_at(faults: Faults, good: str, restore: str) -> None:
    """Borrowing has no other end that the rule can be held to."""
    (fault,) = faults(text=good + BOOST.replace('restore = { health_factor = "%s" }', restore))
    assert "leverage_up stands alone" in fault


def test_a_rescue_cannot_lower_a_health_factor(faults: Faults) -> None:
    """Health above a bound asks for leverage or for an alert."""
    (fault,) = faults((WHEN, 'when = { health_factor_above = "2" }'))
    assert fault.startswith("rules[0].actions (in 'protect'): top_up, repay, deleverage cannot lower a health factor")


@pytest.mark.parametrize("measure", ["ltv_above", "liquidation_distance_below"])
@pytest.mark.parametrize("value", ["0", "1", "1.5", "70", "-0.1"])
def test_a_share_lies_between_nothing_and_all(faults: Faults, measure: str, value: str) -> None:
    """70 for 70 % would never fire."""
    (fault,) = faults((WHEN, f'when = {{ {measure} = "{value}" }}'))
    assert f"when.{measure} (in 'protect'): {value} must lie between 0 and 1" in fault


@pytest.mark.parametrize("value", ["0", "1", "50"])
def test_a_target_ltv_lies_between_nothing_and_all(faults: Faults, value: str) -> None:
    """To get to zero debt there is "close"."""
    (fault,) = faults((RESTORE, f'restore = {{ ltv = "{value}" }}'))
    assert fault.startswith(f"rules[0].restore.ltv (in 'protect'): {value} must lie between 0 and 1")


@pytest.mark.parametrize("measure", ["health_factor_below", "price_below"])
def test_a_bound_is_positive(faults: Faults, measure: str) -> None:
    """Nothing is ever below zero."""
    (fault,) = faults((WHEN, f'when = {{ {measure} = "0" }}'))
    assert fault == f"rules[0].when.{measure} (in 'protect'): 0 must be positive"


def test_a_target_at_liquidation_is_refused(faults: Faults) -> None:
    """A health factor of one is where liquidation begins."""
    assert faults((WHEN, 'when = { health_factor_below = "0.9" }'), ("1.60", "1")) == [
        "rules[0].restore.health_factor (in 'protect'): 1 must be above 1"
    ]


@pytest.mark.parametrize("when", ["", 'health_factor_below = "1.2", ltv_above = "0.7"'])
def test_a_rule_has_exactly_one_measure(faults: Faults, when: str) -> None:
    """Two conditions are two rules."""
    (fault,) = faults((WHEN, f"when = {{ {when} }}"))
    assert fault.startswith("rules[0].when (in 'protect'): names ")
    assert "a rule has exactly one: health_factor_below, " in fault


@pytest.mark.parametrize("restore", ["{}", '{ health_factor = "1.6", ltv = "0.5" }', '"all"', "1.6"])
def test_a_rule_has_exactly_one_target(faults: Faults, restore: str) -> None:
    """One message for one fault, without the schema's own words."""
    (fault,) = faults((RESTORE, f"restore = {restore}"))
    assert fault.startswith("rules[0].restore (in 'protect'): ")
    assert "restore as a" not in fault


def test_close_repays_everything(load_text: Load) -> None:
    """The one target that is a word."""
    assert load_text((RESTORE, 'restore = "close"')).rules[0].target == CLOSED


def test_an_asset_goes_with_what_is_of_one_asset_only(faults: Faults) -> None:
    """A health factor belongs to the whole position."""
    (fault,) = faults((WHEN, 'when = { health_factor_below = "1.25", asset = "WETH" }'))
    assert fault.endswith(f"`asset` goes with {either(goes_with('asset'))} only")


def test_an_acting_rule_without_a_target_is_refused(faults: Faults) -> None:
    """Where to stop is the owner's decision."""
    assert faults((RESTORE, ""))[0].startswith("rules[0].restore (in 'protect'): is missing; say where to get to")


def test_an_alert_needs_no_target(load_text: Load) -> None:
    """It moves nothing."""
    assert load_text((RESTORE, ""), (ACTIONS, 'actions = ["alert"]')).rules[0].target is None


def test_a_rule_without_actions_is_refused(faults: Faults) -> None:
    """It would be silent."""
    assert faults((ACTIONS, "actions = []")) == ["rules[0].actions (in 'protect'): is empty; it needs at least one"]


def test_a_rule_for_an_unknown_position_is_refused(faults: Faults) -> None:
    """The position it was meant for would go unprotected."""
    assert faults(('position = "eth-loop"', 'position = "eth-lop"')) == [
        "rules[0].position: there is no position 'eth-lop'; known: eth-loop"
    ]


def test_several_faults_of_one_rule_are_told_together(faults: Faults, good: str) -> None:
    """The owner corrects them in one go."""
    said = faults((RESTORE, 'restore = { ltv = "50" }'), (WHEN, 'when = { ltv_above = "70" }'), text=good)
    assert len(said) == 2


FIGURES = {Range.ANY: "0.04", Range.POSITIVE: "1.30", Range.SHARE: "0.30", Range.ABOVE_ONE: "1.30"}
DAYS = 7


@pytest.mark.parametrize("key", triggers_of(METRICS))
def test_every_metric_that_is_watched_is_a_settings_key_and_comes_back_as_itself(load_text: Load, key: str) -> None:
    """Whatever is put into METRICS: its key, its unit and its window need nothing else."""
    metric, side = triggers_of(METRICS)[key]
    figure = f"{DAYS}d" if metric.paces else FIGURES[metric.valid]
    when = f'when = {{ {key} = "{figure}" }}'
    (rule, *_) = load_text((WHEN, when), (RESTORE, ""), (ACTIONS, 'actions = ["alert"]')).rules
    bound = DAYS * DAY_S if metric.paces else metric.unit.of(Decimal(figure))
    expected = Trigger(metric, side, bound, Subject(None, metric.window_s, metric.fall))
    assert (rule.trigger, rule.trigger.key) == (expected, key)


@pytest.mark.parametrize(
    ("when", "actions", "said"),
    [
        ('utilisation_above = "0.95"', '"top_up", "repay"', "top_up adds to what may not be withdrawn; use repay or"),
        ('borrow_rate_above = "0.08"', '"top_up"', "top_up leaves the debt as it is; use repay or deleverage"),
        ('peg_below = "0.98"', '"top_up"', "top_up adds to what loses its peg; use repay or deleverage"),
    ],
)
def test_an_action_that_does_nothing_about_what_is_watched_is_refused(
    faults: Faults, when: str, actions: str, said: str
) -> None:
    """With why, and what helps."""
    (fault,) = faults((WHEN, f"when = {{ {when} }}"), (ACTIONS, f"actions = [{actions}]"))
    assert fault.startswith(f"rules[0].actions (in 'protect'): {said}")


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('borrow_rate_above = "8"', 'a rate of 8 is 800.00 % a year; 4 % is "0.04"'),
        ('net_rate_below = "-2"', 'a rate of -2 is -200.00 % a year; 4 % is "0.04"'),
    ],
)
def test_a_rate_written_in_percent_can_never_work(load_text: Load, when: str, said: str) -> None:
    """A slip of the point that is no contradiction: `keeper check` refuses it, a running keeper says it."""
    settings = load_text((WHEN, f"when = {{ {when} }}"), (ACTIONS, 'actions = ["repay"]'))
    assert any(said in line for line in futile(settings))


@pytest.mark.parametrize("key", [key for key, metric in targets_of(METRICS).items() if not metric.band])
def test_every_metric_with_a_dangerous_side_is_a_target(load_text: Load, key: str) -> None:
    """An alert at a price, and where to get to by each of them."""
    metric = METRICS[key]
    price = 'when = { price_below = "1", asset = "WETH" }'
    (rule, *_) = load_text((WHEN, price), (RESTORE, f'restore = {{ {key} = "{FIGURES[metric.valid_target]}" }}')).rules
    of = Subject(window_s=metric.window_s)
    assert rule.target == Target(metric, metric.unit.of(Decimal(FIGURES[metric.valid_target])), of)


@pytest.mark.parametrize(
    ("when", "key", "bound", "of"),
    [
        (
            'liquidation_probability_above = { probability = "0.01", horizon = "12h" }',
            "liquidation_probability_above",
            WAD // 100,
            Subject(None, 43_200),
        ),
        ('liquidation_probability_above = "0.01", window = "7d"', "liquidation_probability_above", WAD // 100, None),
        ('value_at_risk_above = { loss = "5000" }', "value_at_risk_above", 5_000 * 10**8, Subject(None, 86_400)),
        ('expected_shortfall_above = { loss = "1", horizon = "1h" }', "expected_shortfall_above", 10**8, None),
        (
            'loss_in_stress_above = { loss = "20000", fall = "0.60" }',
            "loss_in_stress_above",
            20_000 * 10**8,
            Subject(None, 0, WAD * 6 // 10),
        ),
        ('loss_in_stress_above = "20000"', "loss_in_stress_above", 20_000 * 10**8, Subject(None, 0, WAD * 2 // 5)),
        (
            'drawdown_above = "0.20", asset = "WETH", window = "7d"',
            "drawdown_above",
            WAD // 5,
            Subject("WETH", 604_800),
        ),
    ],
)
def test_what_looks_ahead_is_a_number_or_a_table(
    load_text: Load, when: str, key: str, bound: int, of: Subject | None
) -> None:
    """The bound, and over which time or at which fall."""
    (rule, *_) = load_text((WHEN, f"when = {{ {when} }}"), (RESTORE, ""), (ACTIONS, 'actions = ["alert"]')).rules
    assert (rule.trigger.key, rule.trigger.bound) == (key, bound)
    assert of is None or rule.trigger.of == of


def test_a_target_is_asked_over_the_trigger_s_time(load_text: Load) -> None:
    """A probability within twelve hours is brought down to one within twelve hours, and health to what that needs."""
    when = 'when = { liquidation_probability_above = { probability = "0.01", horizon = "12h" } }'
    for goal in ('liquidation_probability = "0.002"', 'health_factor = "1.60"'):
        (rule, *_) = load_text((WHEN, when), (RESTORE, f"restore = {{ {goal} }}")).rules
        assert rule.target is not None
        assert rule.target.of.window_s == 43_200


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('liquidation_probability_above = { chance = "0.01" }', "is a number, or a table of probability and horizon"),
        ('liquidation_probability_above = { horizon = "1h" }', "is a number, or a table of probability and horizon"),
        ('liquidation_probability_above = { probability = "1", horizon = "1h" }', "must lie between 0 and 1"),
        ('liquidation_probability_above = { probability = "0.01", horizon = "0s" }', "must be longer than nothing"),
        (
            'liquidation_probability_above = { probability = "0.01", horizon = "1h" }, window = "1h"',
            "write one of them",
        ),
        ('loss_in_stress_above = { loss = "5", fall = "1.5" }', "1.5 must lie between 0 and 1"),
        ('health_factor_below = "1.2", fall = "0.5"', "`fall` goes with loss_in_stress_above only"),
        ('value_at_risk_above = "-5"', "must be positive"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(faults: Faults, when: str, said: str) -> None:
    """With the key, and what to write."""
    found = faults((WHEN, f"when = {{ {when} }}"), (RESTORE, ""), (ACTIONS, 'actions = ["alert"]'))
    assert any(said in fault for fault in found), found


def test_a_probability_s_target_must_lie_below_its_trigger(faults: Faults) -> None:
    """Or the rule never rests."""
    when = 'when = { liquidation_probability_above = { probability = "0.01" } }'
    (fault,) = faults((WHEN, when), (RESTORE, 'restore = { liquidation_probability = "0.02" }'))
    assert "must lie below the trigger" in fault


def test_a_bound_may_widen_with_volatility(load_text: Load) -> None:
    """Its base is the bound; the rest says by how much, and how far at the most."""
    when = 'when = { health_factor_below = { base = "1.25", per_volatility = "0.4", max = "1.5" } }'
    (rule, *_) = load_text((WHEN, when), (RESTORE, 'restore = { health_factor = "1.60" }')).rules
    assert rule.trigger.bound == WAD * 5 // 4
    assert rule.trigger.widening == Widening(WAD * 2 // 5, WAD * 3 // 2)
    assert rule.trigger.farthest == WAD * 3 // 2


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (
            'health_factor_below = { base = "1.25", max = "2.0" }',
            "is a number, or a table of base, per_volatility, max",
        ),
        ('health_factor_below = { base = "1.25", per_volatility = "-1", max = "1.5" }', "must be positive"),
        ('health_factor_below = { base = "1.25", per_volatility = "0.4", max = "1.2" }', "must lie above base"),
        ('ltv_above = { base = "0.5", per_volatility = "0.4", max = "0.9" }', "table of base, per_volatility, min"),
        ('ltv_above = { base = "0.5", per_volatility = "0.4", min = "0.6" }', "must lie below base"),
        ('ltv_above = { base = "0.5", per_volatility = "0.4", min = "-0.1" }', "must lie between 0 and 1"),
        (
            'price_below = { base = "900", per_volatility = "9", min = "800", max = "950" }',
            "per_volatility, max or min",
        ),
        ('health_factor_below = "1.25", per_volatility = "0.4"', "names both per_volatility and how far at the most"),
        ('peg_below = "0.98", per_volatility = "0.4", most = "0.99"', "goes with health_factor_below"),
        ('peg_below = { base = "0.98", per_volatility = "0.4", max = "0.99" }', "is not a number"),
    ],
)
def test_a_widening_that_makes_no_sense_is_refused(faults: Faults, when: str, said: str) -> None:
    """With the key, and what to write."""
    found = faults((WHEN, f"when = {{ {when} }}"), (RESTORE, ""), (ACTIONS, 'actions = ["alert"]'))
    assert any(said in fault for fault in found), found


def test_the_target_must_lie_beyond_the_farthest_bound(faults: Faults) -> None:
    """Or the rule fires again at its own target in the next storm."""
    when = 'when = { health_factor_below = { base = "1.25", per_volatility = "0.4", max = "2.0" } }'
    (fault,) = faults((WHEN, when), (RESTORE, 'restore = { health_factor = "1.60" }'))
    assert "restore.health_factor" in fault
