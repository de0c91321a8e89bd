"""What clients say when they refuse signed bytes, by what they mean: a table, and where in their words the figures are.

The texts are those of geth (core/error.go, core/txpool, and so op-geth, bor, coreth and most providers), erigon
(txpoolcfg DiscardReason), nethermind (AcceptTxResult, TxErrorMessages), besu (TransactionInvalidReason), reth
(RpcPoolError, PoolErrorKind), anvil, Arbitrum nitro and OpenEthereum. The first row that fits counts, so what is
special stands first.
"""

from __future__ import annotations

from enum import Enum


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


NUMBER = r"(0x[0-9a-f]+|\d[\d_,]*(?:\.\d+)?)"
UNIT = r"\s*(wei|kwei|mwei|gwei|ether|eth)?\b"
TABLE: tuple[tuple[Cause, tuple[str, ...]], ...] = (
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
WANTED: dict[Cause, tuple[str, ...]] = {
    Cause.NONCE_USED: (
        rf"next nonce:? {NUMBER}",
        rf"state:? {NUMBER}",
        rf"current nonce:? {NUMBER}",
        rf"expected(?: nonce)?:? {NUMBER}",
    ),
    Cause.NONCE_GAP: (
        rf"next nonce:? {NUMBER}",
        rf"state:? {NUMBER}",
        rf"expected nonce:? {NUMBER}",
        rf"expected:? {NUMBER}",
    ),
    Cause.UNDERPRICED: (rf"<=? {NUMBER}{UNIT} queued", rf"<=? {NUMBER}{UNIT}"),
    Cause.TIP_TOO_LOW: (
        rf"\d(?: ?g?wei)? <=? {NUMBER}{UNIT}",
        rf"have .{{0,40}}want {NUMBER}{UNIT}",
        rf"(?:needed|required priority fee)[^\d]{{0,40}}?{NUMBER}{UNIT}",
        rf"(?:minimum|required|least|minimal)[^\d]{{0,40}}?{NUMBER}{UNIT}",
        rf"<=? (?:[a-z ]*\()?{NUMBER}{UNIT}",
    ),
    Cause.CAP_TOO_LOW: (
        rf"base ?fee:? {NUMBER}{UNIT}",
        rf"(?:needed|minimum|required|least)[^\d]{{0,40}}?{NUMBER}{UNIT}",
        rf"<=? (?:[a-z ]*\()?{NUMBER}{UNIT}",
    ),
    Cause.GAS_TOO_LOW: (
        rf"(?:needed|want|minimum|minimal|required|at least|supply)[^\d]{{0,20}}?{NUMBER}",
        rf"intrinsic gas {NUMBER}",
    ),
    Cause.NODE_FEE_CAP: (rf"cap \({NUMBER}{UNIT}\)", rf"cap of {NUMBER}{UNIT}"),
}
SHORT = (rf"overshot:? {NUMBER}", rf"short(?: by|fall)?:? {NUMBER}", rf"balance is {NUMBER} less than")
HELD_AND_COST = (
    rf"have {NUMBER}[, ]+want {NUMBER}",
    rf"balance:? {NUMBER},? (?:tx cost|cumulative cost|cost|required):? {NUMBER}",
    rf"supplied gas.{{0,10}}{NUMBER}.{{0,20}}{NUMBER}",
)
COST_AND_HELD = (rf"required {NUMBER} and got:? {NUMBER}",)
