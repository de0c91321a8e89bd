"""Why a node refused signed bytes, read from its words into a typed cause. A table over what clients say; pure.

The texts are those of geth (core/error.go, core/txpool, and so op-geth, bor, coreth and most providers), erigon
(txpoolcfg DiscardReason), nethermind (AcceptTxResult, TxErrorMessages), besu (TransactionInvalidReason), reth
(RpcPoolError, PoolErrorKind), anvil, Arbitrum nitro and OpenEthereum. The first row that fits counts, so what is
special stands first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from keeper.chain.errors import NodeError, NodeRefusedError


class Cause(Enum):
    """What was wrong with the bytes, for the node that refused them."""

    ALREADY_KNOWN = "already known"
    NONCE_USED = "nonce used"
    NONCE_GAP = "nonce too high"
    UNDERPRICED = "replacement underpriced"
    TIP_TOO_LOW = "tip too low"
    CAP_TOO_LOW = "fee cap too low"
    GAS_TOO_LOW = "gas limit too low"
    GAS_TOO_HIGH = "gas limit too high"
    FUNDS_SHORT = "funds short"
    NODE_FEE_CAP = "above the node's own fee cap"
    ONE_AT_A_TIME = "one transaction at a time for a delegated account"
    POOL_FULL = "pool full"
    TYPE_UNSUPPORTED = "transaction type not supported"
    OVERLOADED = "node overloaded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal. The figures are None where the node did not say."""

    cause: Cause
    text: str
    wanted: int | None = None
    """The least that would do: wei of tip or cap per gas, gas, or the nonce that is next."""
    short_by: int | None = None
    """Wei the account lacks."""


_NUMBER = r"(0x[0-9a-f]+|\d[\d_,]*(?:\.\d+)?)"
_TIMES = {"wei": 1, "kwei": 10**3, "mwei": 10**6, "gwei": 10**9, "ether": 10**18, "eth": 10**18}
_UNIT = r"\s*(wei|kwei|mwei|gwei|ether|eth)?\b"

_TABLE: tuple[tuple[Cause, tuple[str, ...]], ...] = (
    (
        # another's at the nonce, though the words are like those of what is known: it was not taken
        Cause.UNDERPRICED,
        (r"same nonce(?! and hash)", r"\bnonce\b.{0,20}already (?:in|exists|pending|queued)"),
    ),
    (
        # these bytes are on the chain, or something at their nonce is: the chain says more
        Cause.NONCE_USED,
        (
            r"already (?:been )?(?:mined|included|confirmed|finali[sz]ed|executed|processed)",
            r"already in (?:a |the )?block",
            r"noncealreadyused",
        ),
    ),
    (
        Cause.ALREADY_KNOWN,
        (
            r"already known",
            r"alreadyknown",
            r"already imported",
            r"(?<!un)(?<!not )known transaction(?! type)",
            r"already in (?:the )?(?:mem)?pool",
            r"same hash",
            r"transaction already exists",
            r"already exists in",
        ),
    ),
    (
        Cause.ONE_AT_A_TIME,
        (
            r"in-?flight transaction limit",
            r"delegated account",
            r"delegatorhaspendingtx",
            r"notcurrentnoncefordelegation",
            r"delegator has pending",
            r"current nonce for delegation",
            r"authority (?:is )?already reserved",
            r"with authority already",
        ),
    ),
    (
        Cause.UNDERPRICED,
        (
            r"replacement transaction underpriced",
            r"replacement.{0,20}underpriced",
            r"replaceunderpriced",
            r"could not replace",
            r"replacementnotallowed",
            r"replacement not allowed",
            r"same nonce",
            r"another transaction with",
            r"fee too low to replace",
            r"replacement.{0,30}(?:too low|must be|increase)",
            r"not enough to replace",
            r"tries to replace pending",
        ),
    ),
    (
        Cause.NONCE_USED,
        (
            r"nonce too low",
            r"oldnonce",
            r"old nonce",
            r"nonce is too low",
            r"nonce.{0,12}too low",
            r"already been used",
            r"stale nonce",
            r"nonce too small",
            r"invalid nonce.{0,40}expected",
            r"lower than the (?:current|account) nonce",
            r"nonce has already",
            r"nonce (?:was|is|has been) (?:already )?used",
            r"nonce expired",
        ),
    ),
    (
        Cause.NONCE_GAP,
        (
            r"nonce too high",
            r"noncegap",
            r"nonce gap",
            r"gapped.?nonce",
            r"future nonce",
            r"nonce is too (?:high|distant|far)",
            r"too distant from",
            r"nonce.{0,12}too (?:high|far)",
            r"incorrect nonce",
        ),
    ),
    (
        Cause.NODE_FEE_CAP,
        (
            r"exceeds the configured cap",
            r"fee cap exceeded",
            r"feecap exceeded",
            r"exceeds.{0,20}fee cap",
            r"txfeecap",
        ),
    ),
    (
        Cause.FUNDS_SHORT,
        (
            r"insufficient funds",
            r"insufficientfunds",
            r"insufficient balance",
            r"insufficient maxfee",
            r"upfront cost exceeds",
            r"exceeds (?:account )?balance",
            r"not have enough funds",
            r"not enough (?:funds|balance)",
            r"balance (?:is )?too low",
            r"lack of funds",
            r"overshot",
            r"less than sending value",
        ),
    ),
    (
        Cause.GAS_TOO_LOW,
        (
            r"intrinsic gas",
            r"intrinsicgas",
            r"floor data gas",
            r"(?<!per )\bgas (?:limit )?(?:is )?too low",
            r"gaslimittoolow",
            r"not enough gas to cover",
            r"gas limit below",
            r"below intrinsic",
            r"insufficient gas",
            r"out of gas: gas required",
            r"not enough gas",
            r"gas limit is (?:too low|below)",
        ),
    ),
    (
        Cause.GAS_TOO_HIGH,
        (
            r"exceeds block gas limit",
            r"gaslimitexceeded",
            r"gas limit is too high",
            r"gas limit too high",
            r"gas limit reached",
            r"gas limit exceeds",
            r"exceeds transaction gas limit",
            r"gas required exceeds",
            r"gas too high",
            r"gas uint64 overflow",
            r"max(?:imum)? (?:transaction )?gas limit",
            r"gas limit.{0,20}exceed",
        ),
    ),
    (
        Cause.TIP_TOO_LOW,
        (
            r"(?:gas )?tip cap",
            r"tip (?:needed|too low|below|is too low|cap)",
            r"tip.{0,30}(?:minimum|below|too low|required)",
            r"minimum needed",
            r"priority.?fee.{0,40}(?:too low|below|less than|minimum|required)",
        ),
    ),
    (
        Cause.CAP_TOO_LOW,
        (
            r"less than (?:the )?(?:block )?base ?fee",
            r"below (?:the )?(?:current |block )?base ?fee",
            r"base fee per gas",
            r"max ?fee ?per ?gas.{0,40}(?:too low|below|less)",
            r"gas fee cap.{0,60}(?:<|below|less|minimum)",
            r"basefee",
        ),
    ),
    (
        Cause.POOL_FULL,
        (
            r"pool is full",
            r"pool full",
            r"pool overflow",
            r"sub-pool is full",
            r"too many transactions",
            r"account limit exceeded",
            r"feetoolowtocompete",
            r"fee too low to compete",
            r"dropped due to limit",
            r"pool.{0,20}(?:capacity|limit)",
            r"queue is full",
            r"discarded",
            r"too many queued",
        ),
    ),
    (
        Cause.TYPE_UNSUPPORTED,
        (
            r"type not supported",
            r"notsupportedtxtype",
            r"unsupported (?:transaction )?type",
            r"invalid transaction type",
            r"typenotactivated",
            r"type not activated",
            r"unsupported tx",
            r"(?:tx|transaction) type.{0,40}(?:not|invalid|unsupported|unknown|disabled)",
            r"(?:unexpected|unknown|unrecogni[sz]ed|not known) (?:tx|transaction) type",
            r"rlp: expected",
            r"unsupported transaction",
            r"eip-7702.{0,30}not",
            r"set ?code.{0,40}not (?:enabled|supported|active)",
        ),
    ),
    (
        Cause.TIP_TOO_LOW,
        (
            r"underpriced",
            r"feetoolow",
            r"fee too low",
            r"gas ?price.{0,40}(?:too low|below|minimum|less than)",
            r"below configured minimum",
        ),
    ),
    (
        Cause.OVERLOADED,
        (
            r"rate limit",
            r"too many requests",
            r"request limit",
            r"exceeded.{0,20}(?:capacity|limit)",
            r"over capacity",
            r"overloaded",
            r"timeout",
            r"timed out",
            r"try again",
            r"temporarily",
            r"deadline exceeded",
            r"\bsync(?:ing|hroni[sz]ing)\b",
            r"no (?:healthy )?(?:backends?|upstreams?|nodes?) available",
            r"(?:backend|upstream|service|sequencer).{0,30}(?:offline|unavailable|not available)",
        ),
    ),
)
"""Cause, and what its texts have in common. ``underpriced`` alone is what geth says of a tip below its own least."""
_CONSTANT = re.compile(r"(?<=[a-z])_(?=[a-z])")
"""Some services say causes as constants: NONCE_TOO_LOW."""
_ROWS = tuple((cause, re.compile("|".join(patterns))) for cause, patterns in _TABLE)

_WANTED: dict[Cause, tuple[str, ...]] = {
    Cause.NONCE_USED: (
        rf"next nonce:? {_NUMBER}",
        rf"state:? {_NUMBER}",
        rf"current nonce:? {_NUMBER}",
        rf"expected(?: nonce)?:? {_NUMBER}",
    ),
    Cause.NONCE_GAP: (
        rf"next nonce:? {_NUMBER}",
        rf"state:? {_NUMBER}",
        rf"expected nonce:? {_NUMBER}",
        rf"expected:? {_NUMBER}",
    ),
    Cause.UNDERPRICED: (rf"<=? {_NUMBER}{_UNIT} queued", rf"<=? {_NUMBER}{_UNIT}"),
    Cause.TIP_TOO_LOW: (
        rf"\d(?: ?g?wei)? <=? {_NUMBER}{_UNIT}",
        rf"have .{{0,40}}want {_NUMBER}{_UNIT}",
        rf"(?:needed|required priority fee)[^\d]{{0,40}}?{_NUMBER}{_UNIT}",
        rf"(?:minimum|required|least|minimal)[^\d]{{0,40}}?{_NUMBER}{_UNIT}",
        rf"<=? (?:[a-z ]*\()?{_NUMBER}{_UNIT}",
    ),
    Cause.CAP_TOO_LOW: (
        rf"base ?fee:? {_NUMBER}{_UNIT}",
        rf"(?:needed|minimum|required|least)[^\d]{{0,40}}?{_NUMBER}{_UNIT}",
        rf"<=? (?:[a-z ]*\()?{_NUMBER}{_UNIT}",
    ),
    Cause.GAS_TOO_LOW: (
        rf"(?:needed|want|minimum|minimal|required|at least|supply)[^\d]{{0,20}}?{_NUMBER}",
        rf"intrinsic gas {_NUMBER}",
    ),
    Cause.NODE_FEE_CAP: (rf"cap \({_NUMBER}{_UNIT}\)", rf"cap of {_NUMBER}{_UNIT}"),
}
_SHORT = (rf"overshot:? {_NUMBER}", rf"short(?: by|fall)?:? {_NUMBER}", rf"balance is {_NUMBER} less than")
_HELD_AND_COST = (
    rf"have {_NUMBER}[, ]+want {_NUMBER}",
    rf"balance:? {_NUMBER},? (?:tx cost|cumulative cost|cost|required):? {_NUMBER}",
    rf"supplied gas.{{0,10}}{_NUMBER}.{{0,20}}{_NUMBER}",
)
_COST_AND_HELD = (rf"required {_NUMBER} and got:? {_NUMBER}",)


def read(text: str) -> Refusal:
    """Return what a node's words mean."""
    said = _CONSTANT.sub(" ", " ".join(text.lower().split()))
    cause = next((cause for cause, pattern in _ROWS if pattern.search(said)), Cause.UNKNOWN)
    wanted = next((figure for p in _WANTED.get(cause, ()) if (figure := _figure(p, said)) is not None), None)
    return Refusal(cause, text, wanted, _short(said) if cause is Cause.FUNDS_SHORT else None)


def of(error: NodeError) -> Refusal | None:
    """Return why a node refused bytes; None for a silence, which says nothing about them."""
    return read(f"{error.message} {error.data or ''}") if isinstance(error, NodeRefusedError) else None


def weightiest(errors: Sequence[NodeError]) -> NodeError | None:
    """Return of several nodes' errors the one to act on: a refusal that says most, before a silence."""
    order = list(Cause)
    refused = [e for e in errors if isinstance(e, NodeRefusedError)]
    # the table's own order, but what is unknown or passing last: it says nothing about the bytes
    return min(refused, key=lambda e: order.index(read(e.message).cause)) if refused else next(iter(errors), None)


def _figure(pattern: str, said: str) -> int | None:
    found = re.search(pattern, said)
    if found is None:
        return None
    unit = found.group(2) if found.re.groups > 1 else None
    return _number(found.group(1), unit)


def _number(text: str, unit: str | None = None) -> int:
    if text.startswith("0x"):
        return int(text, 16)
    plain = text.replace(",", "").replace("_", "")
    return int(Decimal(plain) * _TIMES[unit or "wei"])


def _short(said: str) -> int | None:
    for pattern in _SHORT:
        if (found := _figure(pattern, said)) is not None:
            return found
    for patterns, held_at, cost_at in ((_HELD_AND_COST, 1, 2), (_COST_AND_HELD, 2, 1)):
        for pattern in patterns:
            if found_ := re.search(pattern, said):
                return max(0, _number(found_.group(cost_at)) - _number(found_.group(held_at)))
    return None
