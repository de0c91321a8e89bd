"""Any account, wallet, limits and pools: what planning and policy must both hold for."""

from __future__ import annotations

from dataclasses import replace

from core_builders import at, below, holding, intent, limits, position, quoted, rule, safety, state, terms, usd, wallet
from hypothesis import strategies as st

from keeper.core.lending import actions
from keeper.core.lending.metrics import CLOSED, HEALTH_FACTOR
from keeper.core.lending.moves import MARKET
from keeper.core.lending.plan import Allowances
from keeper.core.lending.proposals import Means, PlanTerms
from keeper.core.lending.rules import LendingIntent
from keeper.core.units import BPS, WAD, Amount

TOP_UP, REPAY, DELEVERAGE = actions.TOP_UP, actions.REPAY, actions.DELEVERAGE

dollar = st.integers(1, 10**6)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[LendingIntent, Means, PlanTerms, Allowances]:
    """One to two collaterals, one to two debts, any wallet, any limits, any depth of the pools."""
    eth, btc = draw(dollar), draw(st.just(0) | dollar)
    capacity = (eth * 8300 + btc * 7800) // BPS
    share = draw(st.integers(50, 97))
    debt = max(2, capacity * share // 100)
    dai = draw(st.just(0) | st.integers(1, debt - 1))
    own = draw(st.just(0) | st.integers(1, debt))
    of = position(
        holding("WETH", f"{eth / 2000:.9f}"),
        holding("WBTC", f"{btc / 60_000:.8f}"),
        holding("USDC", draw(st.sampled_from([0, own])), debt - dai, is_collateral=draw(st.booleans())),
        holding("DAI", 0, dai),
    )
    health = of.reported.health_factor
    goal = draw(st.sampled_from(["1.30", "1.60", "2.50", "close"]))
    bound = max(health + 1, WAD)
    wanted_rule = rule(
        trigger=below(HEALTH_FACTOR, bound),
        target=CLOSED if goal == "close" else rule(to=goal).target,
        actions=draw(st.lists(st.sampled_from([TOP_UP, REPAY, DELEVERAGE]), min_size=1, max_size=3, unique=True)),
        limits=limits(
            slippage=draw(st.sampled_from([10, 50, 300])),
            per_tx=draw(st.none() | dollar.map(str)),
        ),
    )
    wanted_rule = replace(wanted_rule, actions=tuple(wanted_rule.actions))
    wanted = intent(of, wanted_rule, draw(st.none() | dollar.map(usd)))
    held = wallet(
        WETH=f"{draw(st.integers(0, 500)) / 7:.6f}", USDC=draw(st.just(0) | dollar), DAI=draw(st.just(0) | dollar)
    )
    now = state(wanted, held)
    on = terms(signer_is_owner=draw(st.booleans()), safety=safety(max_rounds=draw(st.integers(1, 12))))
    depth = draw(st.none() | st.integers(1, 10**6).map(lambda d: {at("USDC"): d * 10**6, at("DAI"): d * WAD}))
    approved = draw(st.sampled_from([{}, {(at("USDC"), MARKET): Amount(1)}]))
    return wanted, now, quoted(wanted, now, on, draw(st.integers(0, 60)), depth), approved
