"""A rule for each trigger, as docs/rules.md shows it. Between them they use every target and action; a test loads each.

They are about the positions of ``LENDING_SETTINGS`` and ``PERP_SETTINGS``: a loop on Aave, a short on Perp v2, a book.
"""

from __future__ import annotations

OWNER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
LENDING_SETTINGS = f"""\
[network]
file = "ethereum"
rpc_url = "https://node.example"

[[signers]]
name = "me"
address = "{OWNER}"
keystore = "me.json"

[[positions]]
name = "eth-loop"
venue = "aave_v3"
owner = "{OWNER}"
signer = "me"
"""
PERP_SETTINGS = (
    LENDING_SETTINGS.replace('"ethereum"', '"optimism"')
    + f"""
[[positions]]
name = "short"
venue = "perp_v2"
owner = "{OWNER}"
signer = "me"
market = "ETH"

[[books]]
name = "eth"
positions = ["eth-loop"]
hedge = ["short"]
unwind = "eth-loop"
"""
)


def _rule(about: str, name: str, *lines: str) -> str:
    return "\n".join(("[[rules]]", f'name = "{name}"', about, *lines))


def _loan(name: str, when: str, actions: str, *more: str) -> str:
    return _rule('position = "eth-loop"', name, f"when = {{ {when} }}", *more, f"actions = [{actions}]")


def _perp(name: str, when: str, actions: str, *more: str) -> str:
    return _rule('position = "short"', name, f"when = {{ {when} }}", *more, f"actions = [{actions}]")


ALERT, RESCUES = '"alert"', '"top_up", "repay", "deleverage"'
HEALTHY, CLOSE = 'restore = { health_factor = "1.60" }', 'restore = "close"'

LENDING = {
    "health_factor_below": _loan("protect", 'health_factor_below = "1.25"', RESCUES, HEALTHY),
    "health_factor_above": _loan(
        "boost", 'health_factor_above = "2.40"', '"leverage_up"', 'restore = { health_factor = "1.90" }'
    ),
    "ltv_above": _loan("less-debt", 'ltv_above = "0.70"', '"repay", "deleverage"', 'restore = { ltv = "0.60" }'),
    "liquidation_distance_below": _loan("early-warning", 'liquidation_distance_below = "0.25"', ALERT),
    "borrow_limit_distance_below": _loan(
        "keep-it-movable", 'borrow_limit_distance_below = "0.05"', '"top_up", "repay"', HEALTHY
    ),
    "price_below": _loan(
        "way-out", 'price_below = "1500", asset = "WETH"', '"repay", "deleverage"', 'restore = "exit"'
    ),
    "price_above": _loan("take-the-gain", 'price_above = "6000", asset = "WETH"', '"repay", "deleverage"', CLOSE),
    "borrow_rate_above": _loan(
        "dear-loan",
        'borrow_rate_above = "0.08", window = "1d"',
        '"repay", "deleverage"',
        'restore = { health_factor = "2.20" }',
    ),
    "net_rate_below": _loan("eats-itself", 'net_rate_below = "-0.01", window = "7d"', '"deleverage"', CLOSE),
    "peg_below": _loan("off-its-peg", 'peg_below = "0.985", asset = "wstETH"', '"deleverage"', CLOSE),
    "utilisation_above": _loan(
        "lent-out",
        'utilisation_above = "0.97", asset = "WETH"',
        '"repay", "deleverage"',
        'restore = { health_factor = "2.50" }',
    ),
    "liquidation_probability_above": _loan(
        "see-it-coming",
        'liquidation_probability_above = { probability = "0.01", horizon = "24h" }',
        RESCUES,
        'restore = { liquidation_probability = "0.002" }',
    ),
    "value_at_risk_above": _loan(
        "a-bad-day",
        'value_at_risk_above = { loss = "20000", horizon = "1d" }',
        '"deleverage"',
        'restore = { health_factor = "2.00" }',
    ),
    "expected_shortfall_above": _loan(
        "the-worst-days",
        'expected_shortfall_above = { loss = "25000", horizon = "1d" }',
        '"deleverage"',
        'restore = { ltv = "0.40" }',
    ),
    "volatility_above": _loan("wild", 'volatility_above = "1.20", asset = "WETH", window = "1d"', '"repay"', HEALTHY),
    "drawdown_above": _loan("falling", 'drawdown_above = "0.12", asset = "WETH", window = "1d"', RESCUES, HEALTHY),
    "loss_in_stress_above": _loan("at-stake", 'loss_in_stress_above = { loss = "20000", fall = "0.40" }', ALERT),
    "collateral_share_above": _loan(
        "not-too-much-ether",
        'collateral_share_above = { asset = "WETH", share = "0.60" }',
        '"swap_collateral"',
        'restore = { collateral_share = "0.50" }',
        'into = ["USDC", "DAI"]',
        'cooldown = "1d"',
    ),
    "collateral_share_below": _loan(
        "enough-ether",
        'collateral_share_below = { asset = "WETH", share = "0.40" }',
        '"swap_collateral"',
        'restore = { collateral_share = "0.50" }',
        'cooldown = "1d"',
    ),
    "debt_share_above": _loan(
        "not-all-in-usdc",
        'debt_share_above = { asset = "USDC", share = "0.80" }',
        '"swap_debt"',
        'restore = { debt_share = "0.60" }',
        'into = ["DAI"]',
        'cooldown = "1d"',
    ),
    "debt_share_below": _loan(
        "some-usdc",
        'debt_share_below = { asset = "USDC", share = "0.30" }',
        '"swap_debt"',
        'restore = { debt_share = "0.50" }',
        'cooldown = "1d"',
    ),
    "every": _rule(
        'position = "eth-loop"',
        "half-and-half",
        'every = "7d"',
        'restore = { collateral_share = "0.50", asset = "WETH" }',
        'actions = ["swap_collateral"]',
    ),
}
PERP = {
    "margin_ratio_below": _perp(
        "margin", 'margin_ratio_below = "0.12"', '"add_margin", "reduce"', 'restore = { margin_ratio = "0.20" }'
    ),
    "leverage_above": _perp("too-much", 'leverage_above = "8"', '"reduce"', 'restore = { leverage = "5" }'),
    "liquidation_distance_below": _perp("near", 'liquidation_distance_below = "0.08"', ALERT),
    "liquidation_probability_above": _perp(
        "see-it-coming",
        'liquidation_probability_above = { probability = "0.01", horizon = "24h" }',
        '"add_margin", "reduce"',
        'restore = { liquidation_probability = "0.002" }',
    ),
    "value_at_risk_above": _perp(
        "at-risk",
        'value_at_risk_above = { loss = "2000", horizon = "24h" }',
        '"reduce"',
        'restore = { leverage = "3" }',
    ),
    "expected_shortfall_above": _perp(
        "tail",
        'expected_shortfall_above = { loss = "3000", horizon = "24h" }',
        '"reduce", "close"',
        'restore = { leverage = "2" }',
    ),
    "volatility_above": _perp(
        "wild",
        'volatility_above = "1.50", window = "12h"',
        '"add_margin", "reduce"',
        'restore = { margin_ratio = "0.40" }',
    ),
    "drawdown_above": _perp("against-me", 'drawdown_above = "0.15", window = "24h"', '"close"', CLOSE),
    "loss_in_stress_above": _perp(
        "stress",
        'loss_in_stress_above = { loss = "2500", fall = "0.20" }',
        '"reduce"',
        'restore = { leverage = "2" }',
    ),
    "stop_loss": _perp("stop", 'stop_loss = "2600"', '"close"', CLOSE),
    "take_profit": _perp("gain", 'take_profit = "1500"', '"close"', CLOSE),
    "trailing_stop": _perp("trail", 'trailing_stop = "0.08"', '"close"', CLOSE),
    "funding_above": _perp("dear-funding", 'funding_above = "0.60", market = "ETH", window = "8h"', '"close"', CLOSE),
}
BOOKS = {
    **{
        key: _rule('book = "eth"', name, f"when = {{ {when} }}", f"actions = [{ALERT}]")
        for key, name, when in (
            (
                "liquidation_probability_above",
                "a-member-goes",
                'liquidation_probability_above = { probability = "0.01", horizon = "24h" }',
            ),
            ("value_at_risk_above", "at-risk", 'value_at_risk_above = { loss = "5000", horizon = "24h" }'),
            ("expected_shortfall_above", "tail", 'expected_shortfall_above = { loss = "7000", horizon = "24h" }'),
            ("volatility_above", "wild", 'volatility_above = "1.50", underlying = "ETH", window = "12h"'),
            ("drawdown_above", "against-me", 'drawdown_above = "0.15", underlying = "ETH", window = "24h"'),
            ("loss_in_stress_above", "stress", 'loss_in_stress_above = { loss = "9000", fall = "0.30" }'),
        )
    },
    "delta_outside": _rule(
        'book = "eth"',
        "delta",
        'when = { delta_outside = { underlying = "ETH", band = "0.5" } }',
        'restore = { delta = "0" }',
        'actions = ["hedge", "add_margin", "unwind"]',
    ),
}
