"""What nodes say when they refuse signed bytes: client by client, into one typed cause."""

from __future__ import annotations

import pytest

from keeper.chain.client_words import Cause
from keeper.chain.errors import NodeAwayError, NodeRefusedError
from keeper.chain.rejections import of, read, weightiest

GWEI = 10**9

SAID: list[tuple[str, Cause, int | None]] = [
    # geth, op-geth, bor, coreth
    ("nonce too low: next nonce 5, tx nonce 3", Cause.NONCE_USED, 5),
    ("nonce too low: address 0xAb58, tx: 3 state: 5", Cause.NONCE_USED, 5),
    ("nonce too high: address 0xAb58, tx: 9 state: 5", Cause.NONCE_GAP, 5),
    ("gapped-nonce tx from delegated accounts", Cause.ONE_AT_A_TIME, None),
    ("in-flight transaction limit reached for delegated accounts", Cause.ONE_AT_A_TIME, None),
    ("already known", Cause.ALREADY_KNOWN, None),
    # like what is known, and it was not taken
    ("unknown transaction type", Cause.TYPE_UNSUPPORTED, None),
    ("unknown transaction type: 4", Cause.TYPE_UNSUPPORTED, None),
    ("The transaction is not known transaction type", Cause.TYPE_UNSUPPORTED, None),
    ("unknown transaction", Cause.UNKNOWN, None),
    ("a transaction with the same nonce already exists in the mempool", Cause.UNDERPRICED, None),
    ("nonce 5 already in mempool", Cause.UNDERPRICED, None),
    ("Transaction has already been included in a block", Cause.NONCE_USED, None),
    ("tx already in block", Cause.NONCE_USED, None),
    ("already confirmed", Cause.NONCE_USED, None),
    # as constants
    ("NONCE_TOO_LOW", Cause.NONCE_USED, None),
    ("NONCE_EXPIRED", Cause.NONCE_USED, None),
    ("INSUFFICIENT_FUNDS", Cause.FUNDS_SHORT, None),
    ("REPLACEMENT_UNDERPRICED", Cause.UNDERPRICED, None),
    ("TX_ALREADY_KNOWN", Cause.ALREADY_KNOWN, None),
    ("transaction_already_exists", Cause.ALREADY_KNOWN, None),
    # zkSync, Linea, proxies and others
    ("known transaction. transaction with hash 0xab is already in the system", Cause.ALREADY_KNOWN, None),
    ("nonce too low. allowed nonce range: 3 - 53, actual: 1", Cause.NONCE_USED, None),
    ("nonce has been used", Cause.NONCE_USED, None),
    ("OwnNonceAlreadyUsed", Cause.NONCE_USED, None),
    ("account balance too low for gas", Cause.FUNDS_SHORT, None),
    ("replacement fee too low", Cause.UNDERPRICED, None),
    ("transaction replacement: fee must be increased by 10%", Cause.UNDERPRICED, None),
    ("effective gas tip is below minimum: 1 < 30000000000", Cause.TIP_TOO_LOW, 30 * GWEI),
    ("gas price too low: have 1 gwei, want 30 gwei", Cause.TIP_TOO_LOW, 30 * GWEI),
    ("Transaction type 4 is disabled", Cause.TYPE_UNSUPPORTED, None),
    ("tx type 4 not allowed", Cause.TYPE_UNSUPPORTED, None),
    ("unexpected tx type", Cause.TYPE_UNSUPPORTED, None),
    ("transaction gas limit too high (cap: 16777216, tx: 20000000)", Cause.GAS_TOO_HIGH, None),
    ("Syncing", Cause.OVERLOADED, None),
    ("no backends available for method", Cause.OVERLOADED, None),
    ("sequencer temporarily not available", Cause.OVERLOADED, None),
    ("replacement transaction underpriced", Cause.UNDERPRICED, None),
    (
        "replacement transaction underpriced: new tx gas fee cap 160 gwei < 200 gwei queued + 10% penalty",
        Cause.UNDERPRICED,
        200 * GWEI,
    ),
    ("future transaction tries to replace pending", Cause.UNDERPRICED, None),
    ("transaction underpriced: tip needed 25000000000, tip permitted 50000000", Cause.TIP_TOO_LOW, 25 * GWEI),
    (
        "transaction gas price below minimum: gas tip cap 50000000, minimum needed 25000000000",
        Cause.TIP_TOO_LOW,
        25 * GWEI,
    ),
    ("tip below the minimum needed 25 gwei", Cause.TIP_TOO_LOW, 25 * GWEI),
    ("transaction underpriced", Cause.TIP_TOO_LOW, None),
    ("max fee per gas less than block base fee: address 0xab, maxFeePerGas: 10, baseFee: 20", Cause.CAP_TOO_LOW, 20),
    ("intrinsic gas too low", Cause.GAS_TOO_LOW, None),
    ("intrinsic gas too low: gas 60000, minimum needed 75000", Cause.GAS_TOO_LOW, 75_000),
    ("intrinsic gas too low: have 20000, want 21000", Cause.GAS_TOO_LOW, 21_000),
    ("insufficient gas for floor data gas cost: gas 60000, minimum needed 61000", Cause.GAS_TOO_LOW, 61_000),
    ("exceeds block gas limit", Cause.GAS_TOO_HIGH, None),
    ("transaction gas limit too high (cap: 16777216, tx: 20000000)", Cause.GAS_TOO_HIGH, None),
    ("tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", Cause.NODE_FEE_CAP, 10**18),
    ("transaction type not supported", Cause.TYPE_UNSUPPORTED, None),
    ("txpool is full", Cause.POOL_FULL, None),
    ("account limit exceeded: pooled 64 txs", Cause.POOL_FULL, None),
    # erigon
    ("could not replace existing tx", Cause.UNDERPRICED, None),
    ("existing tx with same hash", Cause.ALREADY_KNOWN, None),
    ("fee too low", Cause.TIP_TOO_LOW, None),
    ("pending sub-pool is full", Cause.POOL_FULL, None),
    ("insufficient funds", Cause.FUNDS_SHORT, None),
    ("EIP-7702 transaction with authority already reserved", Cause.ONE_AT_A_TIME, None),
    # nethermind
    ("OldNonce, Current nonce: 5, nonce of rejected tx: 3", Cause.NONCE_USED, 5),
    ("NonceGap, Future nonce. Expected nonce: 5", Cause.NONCE_GAP, 5),
    ("FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 5", Cause.CAP_TOO_LOW, None),
    ("FeeTooLowToCompete", Cause.POOL_FULL, None),
    ("ReplacementNotAllowed", Cause.UNDERPRICED, None),
    ("AlreadyKnown", Cause.ALREADY_KNOWN, None),
    ("GasLimitExceeded, Gas limit: 30000000, gas limit of rejected tx: 40000000", Cause.GAS_TOO_HIGH, None),
    ("DelegatorHasPendingTx", Cause.ONE_AT_A_TIME, None),
    ("NotCurrentNonceForDelegation", Cause.ONE_AT_A_TIME, None),
    ("NotSupportedTxType", Cause.TYPE_UNSUPPORTED, None),
    # besu
    ("Nonce too low", Cause.NONCE_USED, None),
    ("Known transaction", Cause.ALREADY_KNOWN, None),
    ("Upfront cost exceeds account balance", Cause.FUNDS_SHORT, None),
    ("Intrinsic gas exceeds gas limit", Cause.GAS_TOO_LOW, None),
    ("Transaction gas limit exceeds block gas limit", Cause.GAS_TOO_HIGH, None),
    ("Gas price below current base fee", Cause.CAP_TOO_LOW, None),
    ("Gas price below configured minimum gas price", Cause.TIP_TOO_LOW, None),
    ("Transaction nonce is too distant from current sender nonce", Cause.NONCE_GAP, None),
    ("Transaction fee cap exceeded", Cause.NODE_FEE_CAP, None),
    ("Invalid transaction type", Cause.TYPE_UNSUPPORTED, None),
    # reth
    ("transaction priority fee below minimum required priority fee 25000000000", Cause.TIP_TOO_LOW, 25 * GWEI),
    ("insufficient funds for gas * price + value: have 5 want 12", Cause.FUNDS_SHORT, None),
    ("max fee per gas less than block base fee", Cause.CAP_TOO_LOW, None),
    ("unsupported transaction type", Cause.TYPE_UNSUPPORTED, None),
    # anvil
    ("transaction already imported: 0xab", Cause.ALREADY_KNOWN, None),
    ("Insufficient funds for gas * price + value", Cause.FUNDS_SHORT, None),
    # OpenEthereum and its children
    (
        "Transaction gas price supplied is too low. There is another transaction with same nonce in the queue.",
        Cause.UNDERPRICED,
        None,
    ),
    ("Transaction nonce is too low. Try incrementing the nonce.", Cause.NONCE_USED, None),
    ("There are too many transactions in the queue. Your transaction was dropped due to limit.", Cause.POOL_FULL, None),
    (
        "Transaction gas is too low. There is not enough gas to cover minimal cost (minimal: 21000, got: 20000).",
        Cause.GAS_TOO_LOW,
        21_000,
    ),
    # not about the bytes
    ("Too many requests", Cause.OVERLOADED, None),
    ("something nobody has heard of", Cause.UNKNOWN, None),
]


@pytest.mark.parametrize(("text", "cause", "wanted"), SAID, ids=[s[0][:50] for s in SAID])
def test_a_refusal_is_read_into_its_cause(text: str, cause: Cause, wanted: int | None) -> None:
    """With the least that would do, where the node says so."""
    found = read(text)
    assert found.cause is cause
    assert found.wanted == wanted


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("insufficient funds for gas * price + value: balance 50, tx cost 80, overshot 30", 30),
        ("insufficient funds for gas * price + value: address 0xAb have 50 want 80", 30),
        ("insufficient funds for gas * price + value: have 50 want 80", 30),
        ("InsufficientFunds, Account balance: 50, cumulative cost: 80", 30),
        ("InsufficientFunds, Balance is 30 less than sending value + gas 80", 30),
        ("Insufficient funds. Required 80 and got: 50.", 30),
        ("insufficient funds", None),
    ],
)
def test_what_is_lacking_is_read_too(text: str, short: int | None) -> None:
    """A lower offer, or how much to send."""
    assert read(text).short_by == short


def test_a_silence_is_no_refusal() -> None:
    """A node that is away said nothing of the bytes."""
    assert of(NodeAwayError("a", "eth_sendRawTransaction", "timed out")) is None


def test_of_several_refusals_the_one_that_says_most_is_acted_on() -> None:
    """One node is overloaded, another has never heard of it, the third names the tip it wants."""
    said = [
        NodeAwayError("d", "eth_sendRawTransaction", "timed out"),
        *(
            NodeRefusedError("a", "eth_sendRawTransaction", -32000, text, None)
            for text in ("Too many requests", "no", "transaction underpriced: tip needed 25, tip permitted 1")
        ),
    ]
    found = weightiest(said)
    assert isinstance(found, NodeRefusedError)
    assert of(found).cause is Cause.TIP_TOO_LOW  # type: ignore[union-attr]
