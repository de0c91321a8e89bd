"""Every reason to hold, reject or fail: a code, a short text and what the owner can do. One table for log and docs."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """A typed refusal. ``code`` is stable for scripts; ``remedy`` says what the owner can do about it."""

    # nothing to do
    HEALTHY = ("healthy", "no rule asks for anything", "")
    AT_TARGET = ("at_target", "the target is already met", "")
    COOLDOWN = ("cooldown", "the rule acted a short while ago", "wait, or shorten `cooldown`")
    IN_FLIGHT = ("in_flight", "an earlier plan of this position is still being carried out", "wait for its outcome")
    SIGNER_BUSY = (
        "signer_busy",
        "the signer is still carrying out another position's plan, of an earlier block",
        "wait: both are decided together as soon as it is mined",
    )
    GIVES_WAY = (
        "gives_way",
        "another position needs the signer: the next round is decided together with it",
        "set `batch = true`, which makes one transaction of all rounds",
    )
    ORDER_PENDING = (
        "order_pending",
        "an order of this position waits for the venue",
        "wait: it is executed, cancelled or frozen by the venue's keepers",
    )
    RESCUE_FIRST = ("rescue_first", "a rule that protects the position fires: no leverage is added", "")
    TOO_MANY_FAILURES = (
        "too_many_failures",
        "plans of this rule failed several times in a row",
        "see their reasons with `keeper journal`; tried again when the cooldown is over",
    )
    SIGNING_STOPPED = (
        "signing_stopped",
        "the keeper stopped signing after repeated failures",
        "see the log; it resumes after some good cycles, or with a restart",
    )
    SIGNER_AWAY = (
        "signer_away",
        "the signer that is asked for each transaction did not answer",
        "look at it; the plan is decided anew at the next block",
    )
    SIGNER_REFUSED = (
        "signer_refused",
        "the signer that is asked for each transaction will not sign this one",
        "look at its own rules and log, or whoever sits before it",
    )
    SIGNED_OTHERWISE = (
        "signed_otherwise",
        "the signer answered with something else than it was asked to sign",
        "nothing of it was sent: find out who runs that signer before it is trusted again",
    )
    PAUSED = ("paused", "its owner paused it: nothing is signed", "end the pause with `keeper resume`")
    ALERT_ONLY = ("alert_only", "the rule only alerts", "add an action to the rule to let the keeper act")
    # the position cannot be judged
    POSITION_UNREADABLE = ("position_unreadable", "the position could not be read", "check the node and the addresses")
    NO_POSITION = ("no_position", "the account has nothing in this market", "check `owner` and the network file")
    FIGURES_DISAGREE = (
        "figures_disagree",
        "our figures differ from the protocol's own",
        "nothing is sent until they agree; report the market's version",
    )
    RULE_UNDECIDABLE = (
        "rule_undecidable",
        "the rule cannot be judged on this position",
        "name what it has in the rule",
    )
    UNMEASURED = (
        "unmeasured",
        "the rule has not seen enough yet to measure anything",
        "wait; until then the rule cannot fire",
    )
    HISTORY_SHORT = (
        "history_short",
        "the price history says too little to measure risk",
        "wait until enough is seen, or give a file of prices; until then the rule cannot fire",
    )
    TARGET_BEYOND_TRIGGER = (
        "target_beyond_trigger",
        "the target would leave the rule still firing",
        "move the target away from the trigger",
    )
    CLOSED = ("closed", "the position is closed", "")
    LIQUIDATED = (
        "liquidated",
        "the position was liquidated",
        "see what is left of it, and repay or add to it if it is near again; it goes on being watched",
    )
    DELEVERAGED = ("deleveraged", "the venue reduced the position by itself", "see what is left of it and its hedge")
    CHANGED_OUTSIDE = (
        "changed_outside",
        "the position was changed, and not by this keeper",
        "if it was not you, somebody else holds the key of its owner: move what is left to another account",
    )
    # prices
    PRICE_NOT_POSITIVE = (
        "price_not_positive",
        "the oracle answers zero or less",
        "wait for the feed; until then top up or repay by hand",
    )
    PRICE_STALE = ("price_stale", "the feed is older than its heartbeat", "wait for the feed, or correct `heartbeat`")
    PRICE_AGE_UNKNOWN = (
        "price_age_unknown",
        "no feed behind the oracle says when it was updated",
        "name a `feed` for the asset in the network file",
    )
    PRICE_DEVIATES = (
        "price_deviates",
        "oracle and second source disagree",
        "wait until they agree, or widen `max_deviation_bps`",
    )
    SEQUENCER_DOWN = (
        "sequencer_down",
        "the L2 sequencer is down",
        "wait: nothing is traded on this chain until it is back",
    )
    TIME_DOUBTFUL = (
        "time_doubtful",
        "the newest block's time is far from this machine's clock",
        "set the machine's clock, or see whether the node is behind: until they agree nothing is traded",
    )
    EXPOSURE_LIMIT = (
        "exposure_limit",
        "the owner's exposure is beyond its limit",
        "no leverage is added until it is within again; raise the limit in [exposure], or sell",
    )
    BREAKER_TRIPPED = (
        "breaker_tripped",
        "a price moved further than the circuit breaker allows",
        "top-ups, repayments and margin go on; trades wait for the pause that safety.breaker names",
    )
    SEQUENCER_RESTARTED = ("sequencer_restarted", "the L2 sequencer came back a short while ago", "wait for the grace")
    # planning
    NOTHING_HELPS = ("nothing_helps", "no allowed action can help", "fund the wallet or allow more actions")
    DOUBTFUL_PRICE = ("doubtful_price", "selling is forbidden while a price is in doubt", "wait, or top up")
    NOT_ALLOWED_FOR_GUARDIAN = (
        "not_allowed_for_guardian",
        "a guardian never takes anything out",
        "let the owner sign, or allow top_up or repay",
    )
    WALLET_EMPTY = ("wallet_empty", "the signer's wallet holds none of the asset", "fund the signer")
    NO_DEBT = ("no_debt", "there is no debt to repay", "")
    NO_COLLATERAL = ("no_collateral", "there is no collateral to sell", "")
    COLLATERAL_STUCK = (
        "collateral_stuck",
        "collateral that counts for no loan keeps the rest inside",
        "sell it, or stop using it as collateral, by hand",
    )
    RESERVE_UNAVAILABLE = ("reserve_unavailable", "the reserve is paused, frozen or inactive", "wait for the protocol")
    STABLE_RATE = (
        "stable_rate",
        "a debt at a stable rate is never repaid by the keeper",
        "swap it to the variable rate yourself (`swapBorrowRateMode`), or repay it by hand",
    )
    CAP_REACHED = ("cap_reached", "the reserve's supply or borrow cap is reached", "use another asset")
    POOL_TOO_THIN = (
        "pool_too_thin",
        "no market trades within `max_slippage_bps`",
        "wait, top up, or allow more slippage",
    )
    COSTS_TOO_MUCH = (
        "costs_too_much",
        "gas and trading would cost too large a share of what is moved",
        "wait for cheaper gas, move more at once (a wider band), or raise `limits.max_cost_bps`",
    )
    LENDER_SHORT = (
        "lender_short",
        "nobody lends so much within one transaction now",
        "nothing to do: rounds are tried in its place",
    )
    LENDER_DEAR = (
        "lender_dear",
        "the lender of the same transaction asks more than most_fee_bps of its table in the network file",
        "nothing to do: another lender or rounds are tried in its place; raise most_fee_bps if it is worth that to you",
    )
    LENDER_REFUSED = (
        "lender_refused",
        "the lender of the same transaction does not lend on the terms that were agreed",
        "nothing to do: nothing was sent, and rounds are tried in its place",
    )
    PERMIT_UNAVAILABLE = (
        "permit_unavailable",
        "the token takes no permit of the owner's key",
        "nothing to do: the approval goes before in its place",
    )
    LEFT_IN_HANDS = (
        "left_in_hands",
        "money stays with a contract that only passes it on: anybody may take it",
        "nothing to do before it is sent: rounds are tried in its place; after it, send what is named back if you can",
    )
    SAFE_THRESHOLD = (
        "safe_threshold",
        "the Safe asks for more than one signature",
        "lower its threshold to 1, or take `safe` out of the signer: the keeper signs with one key",
    )
    SAFE_NOT_OURS = (
        "safe_not_ours",
        "the signer is not an owner of the Safe",
        "add its address as an owner of the Safe, or correct `safe`",
    )
    SAFE_TOO_OLD = (
        "safe_too_old",
        "the Safe is older than version 1.3",
        "upgrade it: signatures of older ones do not name the chain",
    )
    SAFE_UNREADABLE = (
        "safe_unreadable",
        "there is no Safe at the address, or it does not answer",
        "check `safe` of the signer, and the node",
    )
    SAFE_GUARD = (
        "safe_guard",
        "the plan does not pass, and the Safe has a guard that may forbid it",
        "let the guard pass what the keeper does, or take it off the Safe",
    )
    SAFE_NONCE_USED = (
        "safe_nonce_used",
        "the Safe's own nonce was used since the plan was made",
        "decided anew: another owner acted, or another keeper acts for the same Safe",
    )
    POOL_SHARED = (
        "pool_shared",
        "another position of ours needs the same pool at this block",
        "decided anew on the next block; the most endangered goes first",
    )
    FLOOR_TOO_NEAR = (
        "floor_too_near",
        "no collateral can be withdrawn above the health floor",
        "top up or repay from the wallet",
    )
    ABOVE_BORROW_LIMIT = (
        "above_borrow_limit",
        "more is owed than may be borrowed, so no collateral leaves before debt is repaid",
        "top up or repay from the wallet, or let a loan of one transaction repay first",
    )
    LIQUIDITY_SHORT = (
        "liquidity_short",
        "the reserve has too little liquidity to withdraw or borrow",
        "wait, or top up or repay from the wallet",
    )
    INSUFFICIENT = ("insufficient", "helps, but does not reach the target", "raise the limits or fund the wallet")
    DEARER = ("dearer", "sufficient, but another way is cheaper", "")
    # limits
    SPEND_LIMIT = ("spend_limit", "the rule's spending limit is used up", "raise `max_spend_per_day_usd`")
    FEE_LIMIT = ("fee_limit", "gas costs more than the rule allows", "raise `max_fee_gwei`, or wait")
    NO_GAS_MONEY = ("no_gas_money", "the signer cannot pay for gas", "send native currency to the signer")
    POLICY_FORBIDS = ("policy_forbids", "a call is not on the allow-list", "this is a defect: report it")
    # rehearsal and sending
    REHEARSAL_FAILED = (
        "rehearsal_failed",
        "a call of the plan would revert",
        "nothing was sent; tried anew at each block; if it stays act by hand, and see `keeper journal` for the call",
    )
    POSTCONDITION_FAILED = (
        "postcondition_failed",
        "the plan would not do what it promises",
        "nothing was sent; tried anew at each block; if it stays act by hand, and see `keeper journal` for the figures",
    )
    REHEARSAL_UNAVAILABLE = (
        "rehearsal_unavailable",
        "the node does not simulate and no anvil was found",
        "use a node with eth_simulateV1, or install anvil",
    )
    VENUE_UNTRIED = (
        "venue_untried",
        "this version of the exchange lets no order be tried before it is left",
        "set `trade_unrehearsed = true` in [safety] to trade by quote and bounds alone",
    )
    STALE_STATE = ("stale_state", "the chain moved on before the plan could be sent", "decided anew on the next block")
    REVERTED = (
        "reverted",
        "a transaction of the plan reverted on chain",
        "decided anew at the next block; if it fails again act by hand, and see `keeper journal` for why",
    )
    PRICE_MOVED = (
        "price_moved",
        "the price moved away before the transaction was mined",
        "asked for anew at once; where it happens often, allow a wider `max_slippage_bps` worst",
    )
    POSITION_CHANGED = (
        "position_changed",
        "somebody else changed the position before the transaction was mined",
        "nothing was sold; decided anew at once",
    )
    APPROVAL_MISSING = (
        "approval_missing",
        "an approval that a call needs is not there, or too small: the token gave less, or somebody took it back",
        "nothing was sold; the next best plan is tried; if it comes again see who else uses the account, and the token",
    )
    WORDS_USED = (
        "words_used",
        "somebody else used up the signatures within the transaction before it was mined",
        "nothing was sold; decided anew at once with new ones; a private relay, or `batch = true`, shows none",
    )
    NOT_MINED = ("not_mined", "a transaction was not mined in time", "raise `max_fee_gwei` or cancel it")
    ORDER_FAILED = (
        "order_failed",
        "the venue cancelled or froze an order",
        "see its reason; tried again within the limits, then the first leg is unwound",
    )
    ORDER_LATE = (
        "order_late",
        "the venue has not carried out an order in time",
        "it is followed, and taken back once the venue allows",
    )
    NONCE_TAKEN = (
        "nonce_taken",
        "the signer's nonce was used by another program",
        "let only one program use this signer; decided anew",
    )
    NO_LONGER_NEEDED = ("no_longer_needed", "the rescue was cancelled: the position recovered while it was pending", "")
    CANCELLED = ("cancelled", "the transaction was cancelled by hand", "")
    SUPERSEDED = ("superseded", "another plan took the place of this one", "")
    SENDING_FAILED = (
        "sending_failed",
        "the node did not take the transaction",
        "decided anew at the next block; check the node",
    )
    OUTBID = (
        "outbid",
        "another program's transaction waits at the signer's nonce and offers more than may be paid",
        "let only one program use this signer; raise `max_fee_gwei`, or cancel the other transaction",
    )
    GAS_REFUSED = (
        "gas_refused",
        "the node wants another gas limit than may be given",
        "see its words: a rollup may charge its parent chain's part as gas; decided anew",
    )
    TYPE_REFUSED = (
        "type_refused",
        "the node does not take transactions of this kind",
        "take `batch = true` out where it was a batch (EIP-7702); else use another node",
    )
    POOL_FULL = ("pool_full", "the node's pool of transactions is full", "raise `max_fee_gwei`, or use another node")
    RECEIPT_MISSING = (
        "receipt_missing",
        "the signer's nonce was used, and no node has shown yet by what",
        "it is looked for, and counts as spent until it is found; check the node",
    )
    NODE_AWAY = (
        "node_away",
        "the node does not answer",
        "check the node and `rpc_url`, or name a second node under [[network.nodes]]",
    )
    UNCONFIRMED = (
        "unconfirmed",
        "a plan is under way, and no node can say whether it is still right",
        "it waits at what it offers, and nothing more is bid; check the node, or offer more with `keeper tx speed-up`",
    )
    NODES_DISAGREE = (
        "nodes_disagree",
        "the nodes give different answers about what decides a spend",
        "see which node is wrong and take it out; nothing is spent until they agree",
    )
    JOURNAL_AWAY = ("journal_away", "the journal cannot be written", "check disk space and the journal's database")
    INTERRUPTED = ("interrupted", "the keeper was stopped before the plan was finished", "decided anew after the start")
    NO_SIGNER = ("no_signer", "no key to sign with", "declare a signer with a keystore")
    # outcomes
    RULE_FIRED = ("rule_fired", "a rule asks for action", "")
    RESTORED = ("restored", "the position is back at its target", "")
    NEAR_MISS = (
        "near_miss",
        "the plan was carried out, and came a little short of its target",
        "the rest is made up for at once",
    )
    UPKEPT = ("upkept", "the orders that rest with the venue are what the rules want", "")
    UNVERIFIED = (
        "unverified",
        "the plan was mined and every call succeeded, but the position could not be read afterwards",
        "check the node; the position is judged anew on the next block",
    )
    PARTIAL = ("partial", "the plan helped as far as the limits allow", "raise the limits or fund the wallet")
    REHEARSED = ("rehearsed", "the plan works on this block; dry run sends nothing", "use --live to send")

    def __init__(self, code: str, short: str, remedy: str) -> None:
        self.code = code
        self.short = short
        self.remedy = remedy

    def __str__(self) -> str:
        return self.code
