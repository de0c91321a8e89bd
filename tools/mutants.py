"""The most dangerous lines, each with a change that must not go unnoticed, and the fast tests that should notice it."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A line of a file, found once in it; what it is changed to; the tests, as pytest takes them."""

    file: str
    old: str
    new: str
    tests: str


MUTANTS = (
    # keeper/core/decide.py
    Mutant(
        "keeper/core/decide.py",
        "return self.rule is not None and not self.is_boost and not self.is_quiet and not is_told_only",
        "return self.rule is not None or not self.is_boost and not self.is_quiet and not is_told_only",
        "tests/core/test_decisions.py",
    ),
    Mutant(
        "keeper/core/decide.py",
        "return Decided((*fired, *blind) or (Hold(name, None, Reason.HEALTHY),))",
        "return Decided((*fired, *blind) and (Hold(name, None, Reason.HEALTHY),))",
        "tests/core/test_decisions.py",
    ),
    Mutant(
        "keeper/core/decide.py",
        "if refusal or rule.target is None:",
        "if refusal and rule.target is None:",
        "tests/core/test_decisions.py",
    ),
    Mutant(
        "keeper/core/decide.py",
        "if not allowed and forbidden:",
        "if allowed and forbidden:",
        "tests/core/test_decisions.py",
    ),
    Mutant(
        "keeper/core/decide.py",
        "if any(v.fired and not (v.rule.target and v.rule.target.is_met(p)) for v in rescues):",
        "if any(v.fired or not (v.rule.target and v.rule.target.is_met(p)) for v in rescues):",
        "tests/core/test_decisions.py",
    ),
    Mutant(
        "keeper/core/held_back.py", "if not memory.may_sign:", "if memory.may_sign:", "tests/core/test_decisions.py"
    ),
    Mutant(
        "keeper/core/held_back.py",
        "if left is not None and left < LEAST_SPEND:",
        "if left is not None and left <= LEAST_SPEND:",
        "tests/core/test_decisions.py",
    ),
    Mutant(
        "keeper/core/held_back.py",
        "last = max((at for (position, _), at in memory.acted_at.items() if position == name), default=None)",
        "last = max((at for (position, _), at in memory.acted_at.items() if position != name), default=None)",
        "tests/core/test_decisions.py",
    ),
    Mutant(
        "keeper/core/decide.py",
        "if there is not None and rule.trigger.fires_at(there, p):",
        "if there is not None and not rule.trigger.fires_at(there, p):",
        "tests/core/test_decisions.py",
    ),
    # keeper/core/rules.py
    Mutant(
        "keeper/core/scales.py",
        "return value < bound",
        "return value <= bound",
        "tests/core/test_rules.py tests/core/test_decisions.py",
    ),
    Mutant(
        "keeper/core/metrics.py",
        "if risk is Beyond.OUTSIDE else not risk.is_beyond(now, self.value)",
        "if risk is Beyond.OUTSIDE else risk.is_beyond(now, self.value)",
        "tests/core/test_rules.py tests/core/test_decisions.py",
    ),
    Mutant(
        "keeper/core/lending/rules.py",
        "if not action.trades or (not self.doubts and not self.doubted):",
        "if action.trades or (not self.doubts and not self.doubted):",
        "tests/core/test_rules.py tests/core/test_decisions.py",
    ),
    Mutant(
        "keeper/core/rules.py",
        "return kind.judged(position, verdicts, doubts, doubted or {}, drifts or {})",
        "return kind.judged(position, verdicts, doubts, doubted and {}, drifts or {})",
        "tests/core/test_rules.py tests/core/test_decisions.py",
    ),
    # keeper/core/prices.py
    Mutant("keeper/core/prices.py", "if price.answer <= 0:", "if price.answer < 0:", "tests/core/test_prices.py"),
    # keeper/core/fee_budget.py
    Mutant(
        "keeper/core/fee_budget.py",
        "left = self.most_fee if self.budget is None else min(self.most_fee, self.budget - self.paid)",
        "left = self.most_fee if self.budget is None else max(self.most_fee, self.budget - self.paid)",
        "tests/core/test_fee_budget.py",
    ),
    Mutant(
        "keeper/core/fee_budget.py",
        "return self.left < self.most_fee",
        "return self.left <= self.most_fee",
        "tests/core/test_fee_budget.py",
    ),
    Mutant(
        "keeper/core/lending/metrics.py",
        "return mul_div_down(threshold, WAD, ltv) if ltv and threshold else INFINITE",
        "return mul_div_up(threshold, WAD, ltv) if ltv and threshold else INFINITE",
        "tests/core/test_fee_budget.py",
    ),
    Mutant(
        "keeper/chain/fees.py",
        "return min((c for c in ceilings if c is not None), default=None)",
        "return max((c for c in ceilings if c is not None), default=None)",
        "tests/core/test_fee_budget.py",
    ),
    Mutant(
        "keeper/core/fee_budget.py",
        "if native_price and gas else None",
        "if native_price or gas else None",
        "tests/core/test_fee_budget.py",
    ),
    # what a lender may take, and what a wallet lets an exchange take
    Mutant(
        "keeper/execution/bundles.py",
        "if most > flow.fee:",
        "if most > 2 * flow.fee:",
        "tests/execution/test_policy_bundles.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse((until or 0) > grant.deadline,",
        "_refuse((until or 0) > grant.deadline + 1,",
        "tests/venues/uniswap_v4/test_v4_purchases.py",
    ),
    Mutant(
        "keeper/venues/uniswap_v4/wallet_effects.py",
        "refuse(spender != router,",
        "refuse(spender == asset,",
        "tests/venues/uniswap_v4/test_v4_purchases.py",
    ),
    Mutant(
        "keeper/core/lending/proposals.py",
        "return self.fee(asset, lent) > mul_div_down(lent, self.most_fee, BPS)",
        "return self.fee(asset, lent) > 2 * mul_div_down(lent, self.most_fee, BPS)",
        "tests/core/lending/test_loan_fees.py",
    ),
    # keeper/execution/policy.py, spends.py
    Mutant(
        "keeper/execution/policy.py",
        "if chain_id != grant.chain_id:",
        "if chain_id == grant.chain_id:",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "if call.to not in allowed:",
        "if call.to in allowed:",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "if depth > MOST_DEPTH:",
        "if depth > 99:",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "if call.value != carried:",
        "if call.value < carried:",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "if (nested and own) or not effects:",
        "if (nested and own) and not effects:",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        '_refuse(amount >= WITHOUT_LIMIT, "an approval without limit")',
        '_refuse(amount > WITHOUT_LIMIT, "an approval without limit")',
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(amount > grant.most_fee,",
        "_refuse(amount > 2 * grant.most_fee,",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(is_guardian and not isinstance(leaf, Pays), what)",
        "_refuse(is_guardian and not isinstance(leaf, Pays | Takes), what)",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        '_refuse(who != grant.owner, f"{who} is not the owner")',
        '_refuse(who == grant.owner, f"{who} is not the owner")',
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(not grant.may_take and",
        "_refuse(grant.may_take and",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(asset.secures,",
        "_refuse(not asset.secures,",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(sale.deadline > grant.deadline,",
        "_refuse(sale.deadline < grant.deadline,",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(sold * BPS > bought * (BPS + bound), what)",
        "_refuse(sold * BPS > bought * (BPS + 2 * bound), what)",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(not grant.may_open,",
        "_refuse(grant.may_open,",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(closing.is_long != (held.size > 0),",
        "_refuse(closing.is_long == (held.size > 0),",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse((closing.size or 0) > abs(held.size),",
        "_refuse((closing.size or 0) > 2 * abs(held.size),",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "buys = trade.is_long if isinstance(trade, Opens) else not trade.is_long",
        "buys = trade.is_long if isinstance(trade, Opens) else trade.is_long",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(not order.closes,",
        "_refuse(order.closes,",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(size > abs(held.size),",
        "_refuse(size > 2 * abs(held.size),",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        '_refuse(leaf.opens, "an order',
        '_refuse(not leaf.opens, "an order',
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "if leaves(sent) != leaves(planned):",
        "if leaves(sent) == leaves(planned):",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "if limits.max_spend_per_tx is not None and max(spends, default=0) >",
        "if limits.max_spend_per_tx is not None and min(spends, default=0) >",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "total + grant.spent_today > limits.max_spend_per_day + dust",
        "total > limits.max_spend_per_day + dust",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/spends.py",
        "self.standing[asset, spender] = amount",
        "self.standing[asset, spender] = 0",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/spends.py",
        "for (asset, spender), left in self.standing.items() if left)",
        "for (asset, spender), left in self.standing.items() if not left)",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/spends.py",
        "self.standing.get((payment.asset, payment.through), UINT256_MAX)",
        "self.standing.get((payment.asset, payment.through), 0)",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/spends.py",
        "self.credit -= credited",
        "self.credit += credited",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    Mutant(
        "keeper/execution/spends.py",
        "self.credit += self.grounds.asset(bought).value_up(least)",
        "self.credit += 2 * self.grounds.asset(bought).value_up(least)",
        "tests/execution/test_policy.py tests/execution/test_policy_effects.py",
    ),
    # keeper/execution/lending_errand.py
    Mutant(
        "keeper/execution/floor.py",
        "        if account is None:\n            raise SendFailedError(Reason.FIGURES_DISAGREE, position.name)",
        "        if account is None:\n            continue",
        "tests/execution/test_kept.py",
    ),
    Mutant(
        "keeper/execution/floor.py",
        "if not isinstance(move, Withdraw | Borrow):",
        "if isinstance(move, Withdraw | Borrow):",
        "tests/execution/test_kept.py",
    ),
    Mutant(
        "keeper/execution/floor.py",
        "account = lending.after(account, move.asset, supply=-(held if amount is None else min(held, amount)))",
        "account = lending.after(account, move.asset, supply=-(held if amount is None else max(held, amount)))",
        "tests/execution/test_kept.py",
    ),
    Mutant(
        "keeper/execution/floor.py",
        'raise SendFailedError(Reason.FLOOR_TOO_NEAR, f"{planned.call.purpose}: health {ratio_text(health)}")',
        "pass",
        "tests/execution/test_kept.py",
    ),
    Mutant(
        "keeper/execution/lending_errand.py",
        "now = await self.read_position(plan.intent.position, max(r.block_number for r in receipts))",
        "now = await self.read_position(plan.intent.position, min(r.block_number for r in receipts))",
        "tests/execution/test_kept.py",
    ),
    Mutant(
        "keeper/execution/lending_errand.py",
        "if not plan.postcondition.is_met(promised, then.holdings):",
        "if plan.postcondition.is_met(promised, then.holdings):",
        "tests/execution/test_kept.py",
    ),
    # keeper/execution/lock.py
    Mutant(
        "keeper/execution/lock.py",
        "if found.st_uid not in (os.geteuid(), 0):",
        "if found.st_uid in (os.geteuid(), 0):",
        'tests/test_lock.py -k "not keeper"',
    ),
    Mutant(
        "keeper/execution/lock.py",
        'self.path = (directory or state_directory() / "locks") / f"{chain_id}-{signer.lower()}.lock"',
        'self.path = (directory and state_directory() / "locks") / f"{chain_id}-{signer.lower()}.lock"',
        'tests/test_lock.py -k "not keeper"',
    ),
    Mutant(
        "keeper/execution/lock.py",
        'raise OSError(errno.EPERM, f"its folder belongs to another user ({found.st_uid})")',
        "pass",
        'tests/test_lock.py -k "not keeper"',
    ),
    Mutant(
        "keeper/execution/lock.py",
        'raise OSError(errno.EPERM, "its folder may be written by others (chmod go-w)")',
        "pass",
        'tests/test_lock.py -k "not keeper"',
    ),
    Mutant(
        "keeper/execution/lock.py",
        "if found.st_uid != os.geteuid():",
        "if found.st_uid == os.geteuid():",
        'tests/test_lock.py -k "not keeper"',
    ),
    # keeper/execution/pricing.py
    Mutant(
        "keeper/execution/pricing.py",
        "return Wei(max(0, self.balance - self.extra) // max(1, self.gas))",
        "return Wei(min(0, self.balance - self.extra) // max(1, self.gas))",
        "tests/execution/test_pricing.py",
    ),
    Mutant(
        "keeper/execution/pricing.py",
        "minable = market.base_fee + max(LEAST_TIP, asked.least_tip)",
        "minable = market.base_fee + min(LEAST_TIP, asked.least_tip)",
        "tests/execution/test_pricing.py",
    ),
    Mutant(
        "keeper/execution/pricing.py",
        "wish = asked.wished or Fees(NOTHING, NOTHING)",
        "wish = asked.wished and Fees(NOTHING, NOTHING)",
        "tests/execution/test_pricing.py",
    ),
    Mutant(
        "keeper/execution/pricing.py",
        "cap = max(least_cap, 2 * market.base_fee + tip, wish.max_fee)",
        "cap = min(least_cap, 2 * market.base_fee + tip, wish.max_fee)",
        "tests/execution/test_pricing.py",
    ),
    Mutant(
        "keeper/execution/pricing.py",
        "cap, tip = payable, max(least_tip, min(tip, payable - market.base_fee))",
        "cap, tip = payable, max(least_tip, max(tip, payable - market.base_fee))",
        "tests/execution/test_pricing.py",
    ),
    Mutant(
        "keeper/execution/pricing.py",
        "payable = allowed if purse is None else min(allowed, purse.per_gas)",
        "payable = allowed if purse is None else max(allowed, purse.per_gas)",
        "tests/execution/test_pricing.py",
    ),
    # keeper/execution/send_state.py
    Mutant(
        "keeper/execution/send_state.py",
        "if now - self.started_at >= timings.give_up_s:",
        "if now - self.started_at > timings.give_up_s:",
        "tests/execution/test_send_state.py",
    ),
    Mutant(
        "keeper/execution/send_state.py",
        "if now - self.said_at >= timings.rebroadcast_s:",
        "if now - self.said_at > timings.rebroadcast_s:",
        "tests/execution/test_send_state.py",
    ),
    Mutant(
        "keeper/execution/send_state.py",
        "if now - self.offered_at >= timings.bump_s:",
        "if now - self.offered_at > timings.bump_s:",
        "tests/execution/test_send_state.py",
    ),
    # keeper/execution/recheck.py
    Mutant(
        "keeper/execution/recheck.py",
        "if [kind for kind, _ in ours] != [kind for kind, _ in theirs]:",
        "if [kind for kind, _ in ours] == [kind for kind, _ in theirs]:",
        "tests/execution/test_recheck.py",
    ),
    Mutant(
        "keeper/core/lending/moves.py",
        "return (type(move), move.asset), move.amount or 0",
        "return (type(move), move.asset), move.amount and 0",
        "tests/execution/test_recheck.py",
    ),
    # keeper/chain/accounts.py
    Mutant(
        "keeper/chain/accounts.py",
        "if wanted is not None and str(found[field]).lower() != wanted.lower():",
        "if wanted is not None and str(found[field]).lower() == wanted.lower():",
        "tests/chain/test_answers_believed.py",
    ),
    Mutant(
        "keeper/chain/accounts.py",
        'gas_price=Wei(quantity(found.get("effectiveGasPrice") or "0x0", MOST_WEI)),',
        'gas_price=Wei(quantity(found.get("effectiveGasPrice") and "0x0", MOST_WEI)),',
        "tests/chain/test_answers_believed.py",
    ),
    Mutant(
        "keeper/chain/accounts.py",
        'raise ValueError(f"{field} is {shown(found[field])}")',
        "pass",
        "tests/chain/test_answers_believed.py",
    ),
    Mutant(
        "keeper/chain/accounts.py",
        'is_done, refused = quantity(found["status"], 1) == 1,',
        'is_done, refused = quantity(found["status"], 1) != 1,',
        "tests/chain/test_answers_believed.py",
    ),
    # keeper/venues/codec/quantities.py
    Mutant(
        "keeper/venues/codec/quantities.py",
        'raise ValueError(f"{shown(value)} is more than can be")',
        "pass",
        "tests/venues/codec/test_quantities.py",
    ),
    Mutant(
        "keeper/venues/codec/quantities.py",
        "if not isinstance(value, str) or not _QUANTITY.fullmatch(value):",
        "if isinstance(value, str) or not _QUANTITY.fullmatch(value):",
        "tests/venues/codec/test_quantities.py",
    ),
    Mutant(
        "keeper/venues/codec/quantities.py",
        'raise ValueError(f"{shown(value)} is not a quantity")',
        "pass",
        "tests/venues/codec/test_quantities.py",
    ),
    Mutant(
        "keeper/venues/codec/quantities.py",
        'raise ValueError(f"{shown(value)} is not a hash")',
        "pass",
        "tests/venues/codec/test_quantities.py",
    ),
    Mutant(
        "keeper/venues/codec/quantities.py",
        'if not isinstance(value, str) or not value.startswith("0x"):',
        'if isinstance(value, str) or not value.startswith("0x"):',
        "tests/venues/codec/test_quantities.py",
    ),
    Mutant(
        "keeper/venues/codec/quantities.py",
        "if not isinstance(value, str) or not _HASH.fullmatch(value):",
        "if isinstance(value, str) or not _HASH.fullmatch(value):",
        "tests/venues/codec/test_quantities.py",
    ),
    # keeper/chain/bounded.py
    Mutant(
        "keeper/chain/bounded.py",
        'raise UnfitAnswerError(f"not JSON ({type(error).__name__})") from None',
        "pass",
        'tests/chain/test_bounded.py -k "nested_200 or brackets or quotes or deepest or unfit"',
    ),
    # keeper/journal/private.py
    Mutant(
        "keeper/journal/private.py",
        "if found.st_uid != os.geteuid():",
        "if found.st_uid == os.geteuid():",
        "tests/journal/test_private.py",
    ),
    Mutant(
        "keeper/journal/private.py",
        "if not stat.S_ISREG(found.st_mode) or any(at in folder.parents or at == folder for at in _handed_over()):",
        "if not stat.S_ISREG(found.st_mode) or any(at in folder.parents or at != folder for at in _handed_over()):",
        "tests/journal/test_private.py",
    ),
    Mutant(
        "keeper/journal/private.py",
        "if there.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not there.st_mode & stat.S_ISVTX:",
        "if there.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or not there.st_mode & stat.S_ISVTX:",
        "tests/journal/test_private.py",
    ),
    # keeper/journal/transactions.py
    Mutant(
        "keeper/journal/transactions.py",
        'decided = [intent for intent in everything if intent[1] in LANDED or intent[1] == "reverted"]',
        'decided = [intent for intent in everything if intent[1] in LANDED or intent[1] != "reverted"]',
        "tests/journal/test_transactions.py -k sqlite",
    ),
    Mutant(
        "keeper/journal/transactions.py",
        'costs = (spend for its_rule, state, spend in open_still if state != "reverted" and rule in {None, its_rule})',
        'costs = (spend for its_rule, state, spend in open_still if state == "reverted" and rule in {None, its_rule})',
        "tests/journal/test_transactions.py -k sqlite",
    ),
    Mutant(
        "keeper/journal/transactions.py",
        "open_still = decided or [intent for intent in everything if intent[1] in UNDECIDED]",
        "open_still = decided and [intent for intent in everything if intent[1] in UNDECIDED]",
        "tests/journal/test_transactions.py -k sqlite",
    ),
    Mutant(
        "keeper/journal/transactions.py",
        "return max(costs, default=0)",
        "return min(costs, default=0)",
        "tests/journal/test_transactions.py -k sqlite",
    ),
    # keeper/core/units.py
    Mutant(
        "keeper/core/units.py",
        "if low > high or not holds(high):",
        "if low >= high or not holds(high):",
        "tests/core/test_units.py",
    ),
    Mutant(
        "keeper/core/units.py",
        "if low > high or not holds(low):",
        "if low >= high or not holds(low):",
        "tests/core/test_units.py",
    ),
    Mutant(
        "keeper/core/units.py",
        'return "∞" if value >= INFINITE else decimal_of(value, 18, 4)',
        'return "∞" if value > INFINITE else decimal_of(value, 18, 4)',
        "tests/core/test_units.py",
    ),
    Mutant(
        "keeper/engine/lending/preflight.py",
        "return Batch(signer, contract, delegated == contract) if",
        "return Batch(signer, contract, delegated != contract) if",
        "tests/execution/test_kept.py",
    ),
    Mutant(
        "keeper/execution/floor.py",
        "raise SendFailedError(Reason.FIGURES_DISAGREE, position.name)",
        "pass",
        "tests/execution/test_kept.py",
    ),
    # keeper/execution/through_safe.py, holders.py, spends.py; venues/contracts/safe_effects.py
    Mutant(
        "keeper/execution/through_safe.py",
        "missing = min(MOST_NONCES, max(0, self.exposed - self.nonce - own))",
        "missing = min(MOST_NONCES, max(0, self.exposed - self.nonce - own - 1))",
        "tests/execution/test_through_safe.py",
    ),
    Mutant(
        "keeper/execution/through_safe.py",
        "found.append(Use(nonce, nonce + count if count else None))",
        "found.append(Use(nonce, nonce if count else None))",
        "tests/execution/test_through_safe.py",
    ),
    Mutant(
        "keeper/execution/holders.py",
        "is_alive = await self._nonce() <= self.exposed",
        "is_alive = await self._nonce() < self.exposed",
        "tests/execution/test_safe_holder.py",
    ),
    Mutant(
        "keeper/execution/holders.py",
        "if highest is not None and (self.exposed is None or highest > self.exposed):",
        "if highest is not None and self.exposed is None:",
        "tests/execution/test_safe_holder.py",
    ),
    Mutant(
        "keeper/venues/contracts/safe_effects.py",
        'refuse(to != multi_send, f"a call of {to} in the Safe\'s own storage")',
        "pass",
        "tests/execution/test_through_safe.py",
    ),
    Mutant(
        "keeper/venues/contracts/safe_effects.py",
        'refuse(signing.owner not in mine, "a signature for another nonce of the Safe, or by somebody else")',
        "pass",
        "tests/execution/test_through_safe.py",
    ),
    Mutant(
        "keeper/venues/contracts/safe_effects.py",
        'refuse(bool(gas or base_gas or price), "a refund for gas")',
        "pass",
        "tests/execution/test_through_safe.py",
    ),
    Mutant(
        "keeper/execution/spends.py",
        "if self.given[asset, lender] > self.lent[asset] + self.fees[asset]:",
        "if self.given[asset, lender] > self.lent[asset] + self.fees[asset] + 1:",
        "tests/execution/test_through_safe.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        'raise PolicyError(Reason.POLICY_FORBIDS, f"{call.purpose}: of a loan {owed}")',
        "pass",
        "tests/execution/test_through_safe.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        '_refuse(isinstance(leaf, Lends) and leaf.receiver != grant.owner, "a loan to somebody who is not the owner")',
        "pass",
        "tests/execution/test_through_safe.py",
    ),
    # keeper/core/prices.py, lending/figures.py
    Mutant(
        "keeper/core/prices.py",
        "return back != asset or (asset in dollars and via not in dollars)",
        "return back != asset and (asset in dollars and via not in dollars)",
        "tests/core/test_prices.py",
    ),
    Mutant(
        "keeper/core/prices.py",
        "if not usable or min(usable) < oracle < max(usable):",
        "if not usable:",
        "tests/core/test_prices.py",
    ),
    Mutant(
        "keeper/core/prices.py",
        "tuple(d for d in found if d.reason is not Reason.PRICE_DEVIATES or not is_anothers(asset))",
        "tuple(d for d in found if not is_anothers(asset))",
        "tests/core/test_prices.py",
    ),
    Mutant(
        "keeper/core/prices.py",
        "else min(block_s, int(clock_s))",
        "else max(block_s, int(clock_s))",
        'tests/engine/test_cycle.py -k "days_limit_new"',
    ),
    Mutant(
        "keeper/core/lending/figures.py",
        "replace(b, is_collateral=False) if b.asset == asset else b",
        "replace(b, is_collateral=False) if b.asset != asset else b",
        "tests/core/lending/test_lending.py -k unpledged",
    ),
    # keeper/execution/executor.py, leftovers.py: what a plan cut short took out
    Mutant(
        "keeper/execution/executor.py",
        "        if await self._is_over():\n            await errand.put_back()",
        "        if reason is Reason.REVERTED:\n            await errand.put_back()",
        "tests/execution/test_brought_back.py",
    ),
    Mutant(
        "keeper/execution/executor.py",
        "            return await self.lane.is_clear()",
        "            return True",
        "tests/execution/test_brought_back.py",
    ),
    Mutant(
        "keeper/execution/leftovers.py",
        "Amount(min(amount, held.get(asset, 0)))",
        "Amount(amount)",
        "tests/execution/test_brought_back.py",
    ),
    # keeper/execution: a plan on its way
    Mutant(
        "keeper/execution/lookout.py",
        "        if row.nonce >= mined:\n            course.used_since.pop(row.nonce, None)",
        "        if row.nonce > mined:\n            course.used_since.pop(row.nonce, None)",
        "tests/execution/test_unseen.py tests/execution/test_lane.py",
    ),
    Mutant(
        "keeper/execution/asking_again.py",
        "has_begun=bool(course.receipts)",
        "has_begun=False",
        "tests/execution/test_lane.py -k begun",
    ),
    Mutant(
        "keeper/execution/asking_again.py",
        "raise PlanChangedError(course.pending)",
        "pass",
        "tests/execution/test_lane.py -k another_plan",
    ),
    Mutant(
        "keeper/execution/saying.py",
        "        course.dropped = why\n",
        "        course.dropped = None\n",
        'tests/execution/test_lane.py -k "no_longer_needed or cancel"',
    ),
    Mutant(
        "keeper/execution/asking_again.py",
        "return Unsure(Reason.NODE_AWAY, str(error))",
        "return Keep(guidance.ceiling)",
        "tests/execution/test_unconfirmed.py",
    ),
    Mutant(
        "keeper/execution/answering.py",
        "return (fees_of(row),) if row.nonce in course.taken_once else ()",
        "return (fees_of(row),)",
        "tests/execution/test_on_its_way.py",
    ),
    Mutant(
        "keeper/execution/answering.py",
        "return (fees_of(row),) if row.nonce in course.taken_once else ()",
        "return ()",
        "tests/execution/test_on_its_way.py",
    ),
    Mutant(
        "keeper/execution/answering.py",
        "        if course.taken_once:\n            return self._leave(course, row)",
        "        if not course.taken_once:\n            return self._leave(course, row)",
        "tests/execution/test_on_its_way.py",
    ),
    Mutant(
        "keeper/execution/lookout.py",
        "            course.gap_since = None\n            return",
        "            return",
        "tests/execution/test_on_its_way.py",
    ),
    Mutant(
        "keeper/execution/lookout.py",
        "course.gap_since = now if course.gap_since is None else course.gap_since",
        "course.gap_since = now",
        "tests/execution/test_on_its_way.py",
    ),
    Mutant(
        "keeper/execution/dispatch.py",
        "if refusal is None or refusal.cause is not Cause.ALREADY_KNOWN:",
        "if True:",
        "tests/execution/test_on_its_way.py",
    ),
    Mutant(
        "keeper/execution/dispatch.py",
        "if any(attempt.hash == signed.hash for attempt in transaction.attempts):",
        "if False:",
        "tests/execution/test_on_its_way.py",
    ),
    Mutant(
        "keeper/execution/dispatch.py",
        "state = TxState.MINED if receipt.succeeded else TxState.REVERTED",
        "state = TxState.MINED",
        "tests/execution/test_lane.py -k reverted",
    ),
    Mutant(
        "keeper/execution/dispatch.py",
        "if winner.id == transaction.id:",
        "if winner.id != transaction.id:",
        'tests/execution/test_lane.py -k "burst or reorg"',
    ),
    Mutant(
        "keeper/execution/dispatch.py",
        "if is_used and (await self._receipt_among(rows)) is None:",
        "if is_used and (await self._receipt_among(rows)) is not None:",
        "tests/execution/test_lane.py -k reorg",
    ),
    Mutant(
        "keeper/execution/lane.py",
        "return not await self._dispatch.open_rows()",
        "return True",
        "tests/execution/test_brought_back.py",
    ),
    Mutant(
        "keeper/execution/gaps.py",
        "self._offers.purse(Wei(balance // FILLERS_SHARE)",
        "self._offers.purse(Wei(balance)",
        "tests/execution/test_nonces.py",
    ),
    Mutant(
        "keeper/execution/lane.py",
        "if not await self._needless(judged_at, is_stranded=is_stranded):\n            return 0",
        "if False:\n            return 0",
        "tests/execution/test_leftovers_followed.py",
    ),
    Mutant(
        "keeper/execution/landed.py",
        "bool(rows or reopened or unseen or fresh or await self._dispatch.open_rows())",
        "bool(rows or reopened or unseen or fresh)",
        "tests/execution/test_leftovers_followed.py",
    ),
    # what nodes say, and what ends
    Mutant(
        "keeper/chain/refusals.py",
        'return "revert" in words or (len(data) - _SELECTOR) % _WORD == 0',
        "return True",
        "tests/chain/test_refusals.py",
    ),
    Mutant(
        "keeper/chain/blocks.py",
        "return await self.node.elsewhere(error, decode, *asked)",
        "raise",
        "tests/chain/test_refusals.py -k multicall",
    ),
    Mutant(
        "keeper/chain/pace.py",
        "self._learned, self._learned_at = max(LEAST, stated), now",
        "self._learned, self._learned_at = stated, now",
        "tests/chain/test_pace.py -k next_to_nothing",
    ),
    Mutant(
        "keeper/chain/tolls.py",
        "middle = found[(len(found) - 1) // 2]",
        "middle = found[-1]",
        "tests/execution/test_tolls.py",
    ),
    Mutant(
        "keeper/chain/accounts.py",
        "if found is None and is_mined:",
        "if False:",
        "tests/chain/test_answers_believed.py -k late",
    ),
    Mutant(
        "keeper/execution/recovery.py",
        "is_stranded=bool(outside))",
        "is_stranded=True)",
        "tests/execution/test_brought_back.py -k waits_for_ever",
    ),
    Mutant(
        "keeper/observe/outward.py",
        "            if keeps_secrets(host):",
        "            if False:",
        "tests/observe/test_alarm_addresses.py -k name_that_means",
    ),
    Mutant(
        "keeper/engine/engine.py",
        "            if left_s is not None and left_s <= 0:",
        "            if False:",
        "tests/engine/test_stopping.py",
    ),
    Mutant(
        "keeper/execution/rehearsal.py",
        "if isinstance(away, NodeBusyError | StaleAnswerError):",
        "if True:",
        "tests/execution/test_rehearsed_elsewhere.py",
    ),
    # keeper/chain/logs.py, passage.py
    Mutant(
        "keeper/chain/logs.py",
        "if len(scan.found) + len(fresh) > MOST_KEPT:",
        "if False:",
        "tests/chain/test_logs.py",
    ),
    Mutant(
        "keeper/chain/logs.py",
        "            at = until + 1\n",
        "            at = until + 2\n",
        "tests/chain/test_logs.py",
    ),
    Mutant(
        "keeper/chain/logs.py",
        "if begin == end or error.is_final:",
        "if begin == end:",
        "tests/chain/test_logs.py",
    ),
    Mutant(
        "keeper/chain/logs.py",
        "scan.begin = max(scan.begin, min(until, settled) + 1)",
        "scan.begin = max(scan.begin, until + 1)",
        "tests/chain/test_logs.py",
    ),
    Mutant(
        "keeper/chain/logs.py",
        "if log.removed or not (is_ours and begin <= log.block_number <= end and log.transaction_hash):",
        "if not (is_ours and log.transaction_hash):",
        "tests/chain/test_logs.py",
    ),
    Mutant(
        "keeper/chain/passage.py",
        "timeout_s=timeout_s, allowed=PASSED)",
        "timeout_s=timeout_s, allowed=None)",
        'tests/chain/test_passage.py -m "not world"',
    ),
    Mutant(
        "keeper/chain/passage.py",
        '"127.0.0.1", 0).start()',
        '"localhost.localdomain", 0).start()',
        'tests/chain/test_passage.py -m "not world"',
    ),
    Mutant(
        "keeper/chain/passage.py",
        "for each in asked[:MOST_AT_ONCE]",
        "for each in asked",
        'tests/chain/test_passage.py -m "not world"',
    ),
    # keeper/observe/alarm_address.py, delivery.py
    Mutant(
        "keeper/observe/delivery.py",
        "            service.redirects = False",
        "            service.redirects = True",
        "tests/observe/test_alarm_addresses.py -k redirect",
    ),
    Mutant(
        "keeper/observe/alarm_address.py",
        "return service is not None and not keeps_secrets(_host(service))",
        "return service is not None",
        "tests/observe/test_alarm_addresses.py -k own_secrets",
    ),
    Mutant(
        "keeper/engine/perp/recheck.py",
        "if assessed.exposure.doubts:  #",
        "if False:  #",
        "tests/engine/test_perp_changes.py",
    ),
    # permits, savings, and what sells within a bundle
    Mutant(
        "keeper/execution/bundles.py",
        "if any(not _is_word(bundle.flows[i]) for i in bundle.may_fail):",
        "if all(not _is_word(bundle.flows[i]) for i in bundle.may_fail):",
        "tests/execution/test_policy_bundles.py",
    ),
    Mutant(
        "keeper/execution/bundles.py",
        "if flow.owner != owner:",
        "if flow.owner == owner:",
        "tests/execution/test_policy_bundles.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(permit.deadline > grant.deadline,",
        "_refuse(permit.deadline < grant.deadline,",
        "tests/execution/test_policy_bundles.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(who != {grant.signer},",
        "_refuse(who == {grant.signer},",
        "tests/execution/test_savings_gate.py",
    ),
    Mutant(
        "keeper/venues/bundler3/effects.py",
        "refuse(spender != at.general_adapter,",
        "refuse(spender == at.general_adapter,",
        "tests/execution/test_policy_bundles.py",
    ),
    Mutant(
        "keeper/venues/uniswap_v4/effects.py",
        "refuse(amount != 0 or taken != 0,",
        "refuse(amount != 0 and taken != 0,",
        "tests/venues/uniswap_v4",
    ),
    Mutant(
        "keeper/execution/bundles.py",
        "if flow.asset not in most or flow.receiver == hands.owner:",
        "if flow.asset not in most:",
        "tests/execution/test_policy_loans_in_one.py",
    ),
    Mutant(
        "keeper/execution/encoding.py",
        "taken = sum(any(loan.by_permit and loan.route.tokens[0] == sold for loan in loans([m])) for m in before)",
        "taken = 0 * sum(any(loan.by_permit and loan.route.tokens[0] == sold for loan in loans([m])) for m in before)",
        "tests/execution/test_policy_bundles.py",
    ),
    Mutant(
        "keeper/core/lending/actions/swaps.py",
        "if value is not None and rule.trigger.fires_at(value, then):",
        "if value is None and rule.trigger.fires_at(value, then):",
        "tests/core/lending/test_swap_plans.py",
    ),
    Mutant(
        "keeper/core/lending/actions/swaps.py",
        "if most is not None and cost.total * BPS > moved * most:",
        "if most is not None and cost.total * BPS < moved * most:",
        "tests/core/lending/test_swap_plans.py",
    ),
    # who may act for all of an account
    Mutant(
        "keeper/execution/policy.py",
        "    for agent in purse.entrusted:",
        "    for agent in ():",
        "tests/execution/test_agents_judged.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "_refuse(word.is_on and not grant.may_take,",
        "_refuse(word.is_on and grant.may_take,",
        "tests/execution/test_agents_judged.py",
    ),
    Mutant(
        "keeper/execution/policy.py",
        '_refuse(grant.signer != grant.owner, "a guardian only pays in: it lets nobody act for the owner")',
        '_refuse(False, "a guardian only pays in: it lets nobody act for the owner")',
        "tests/execution/test_agents_judged.py",
    ),
    Mutant(
        "keeper/execution/bundles.py",
        "if amount > given_back[asset]:",
        "if amount > 2 * given_back[asset]:",
        "tests/execution/test_agents_judged.py -k boost",
    ),
    Mutant(
        "keeper/execution/policy.py",
        "if grant.most_owed is not None and amount > grant.most_owed.get(asset, 0):",
        "if grant.most_owed is None and amount > 0:",
        "tests/execution/test_agents_judged.py -k borrow",
    ),
    Mutant(
        "keeper/execution/bundles.py",
        "    for agent in still:",
        "    for agent in ():",
        "tests/execution/test_agents_judged.py",
    ),
    Mutant(
        "keeper/execution/bundles.py",
        "return (isinstance(flow, Permits) and flow.amount > 0) or (isinstance(flow, Entrusts) and flow.is_on)",
        "return isinstance(flow, Permits | Entrusts)",
        "tests/execution/test_agents_judged.py",
    ),
    Mutant(
        "keeper/execution/signing.py",
        "if bytes.fromhex(made.raw[2:]) != given:",
        "if not given:",
        "tests/execution/test_signers_elsewhere.py -k no_bit",
    ),
    Mutant(
        "keeper/execution/signing.py",
        "if _account_of(digest, v, r, s) == address",
        "if _account_of(digest, v, r, s)",
        "tests/execution/test_signers_elsewhere.py -k another_accounts",
    ),
    Mutant(
        "keeper/web/telegram.py",
        "if message.chat not in self._settings.chats:",
        "if not self._settings.chats:",
        "tests/web/test_telegram.py -k nobody_but",
    ),
    Mutant(
        "keeper/web/telegram.py",
        "if asked is None or self._clock() > asked.until:",
        "if asked is None:",
        "tests/web/test_telegram.py -k panic_wants",
    ),
    Mutant(
        "keeper/settings/pinned.py",
        "return table not in ANEW",
        "return False",
        "tests/settings/test_difference.py -k stays",
    ),
)
