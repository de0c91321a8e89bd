"""Keys that are not in the process: what comes back is what was asked for, byte for byte, or nothing is sent."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import rlp
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from signing_stand import ADDRESS, KEY, SigningStand

from keeper.chain.fees import Fees
from keeper.core.reasons import Reason
from keeper.core.units import Address, Wei
from keeper.execution.kms import integers_in, open_kms
from keeper.execution.prompted import Prompted, shown
from keeper.execution.remote_signer import RemoteSigner
from keeper.execution.signer import Envelope, KeystoreSigner, KeyUnavailableError
from keeper.execution.signing import ORDER, Elsewhere, confirmed, put_together, unsigned_bytes
from keeper.execution.unsigned import UnsignedError
from keeper.venues.contracts.permit import PermitTerms
from keeper.venues.ports import Call

OTHER = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
ME = Address(ADDRESS)
CALL = Call(OTHER, bytes.fromhex("a9059cbb") + b"\1" * 64, Wei(7), "repay 100 USDC")
ENVELOPE = Envelope(31337, 5, 100_000, Fees(Wei(3 * 10**9), Wei(10**9)))
OURS = KeystoreSigner(Account.from_key(KEY))


@pytest.fixture(params=[False, True], ids=["web3signer", "clef"])
def stand(request: pytest.FixtureRequest) -> Iterator[SigningStand]:
    with SigningStand(is_clef=request.param) as found:
        yield found


def remote(stand: SigningStand, **more: Any) -> RemoteSigner:
    method = "account_signTransaction" if stand.is_clef else "eth_signTransaction"
    return RemoteSigner("me", ME, stand.url, method, **more)


async def why(signer: Any, call: Call = CALL, envelope: Envelope = ENVELOPE) -> Reason:
    with pytest.raises(UnsignedError) as unsigned:
        await signer.signed(call, envelope)
    await signer.close()
    return unsigned.value.reason


# --- JSON-RPC --------------------------------------------------------------------------------------------------------


async def test_a_remote_signers_bytes_are_those_of_the_key_itself(stand: SigningStand) -> None:
    """It is asked for exactly one thing, and what it returns is what our own key would have made."""
    signer = remote(stand)
    assert await signer.signed(CALL, ENVELOPE) == OURS.sign(CALL, ENVELOPE)
    assert [a.lower() for a in await signer.accounts()] == [ME.lower()]
    await signer.close()
    (_, (asked,)), _ = stand.asked
    assert (asked["from"], asked["nonce"], asked["data"]) == (ME, "0x5", "0x" + CALL.data.hex())


@pytest.mark.parametrize(
    "changed",
    [{"to": ME}, {"value": 8}, {"data": "0x"}, {"nonce": 6}, {"gas": 100_001}, {"chainId": 1},
     {"maxFeePerGas": 4 * 10**9}, {"maxPriorityFeePerGas": 2}, {"accessList": [{"address": ME, "storageKeys": []}]}],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
async def test_another_transaction_than_was_asked_for_is_refused(stand: SigningStand, changed: dict[str, Any]) -> None:
    """Whatever differs: whom it pays, how much, in what order, on which chain, for what fee."""
    stand.alter = lambda fields: fields.update(changed)
    assert await why(remote(stand)) is Reason.SIGNED_OTHERWISE


@pytest.mark.parametrize(
    "answer",
    [None, 5, "", "0x", "0x02", "nonsense", "0x02" + "00" * 40, {"raw": None}, {}, [], "0x" + "02" * 100_000],
    ids=lambda answer: str(answer)[:12],
)
async def test_no_transaction_at_all_is_refused(stand: SigningStand, answer: Any) -> None:
    """Nothing that a server may say ends in anything but a word."""
    stand.answer = lambda _: answer
    assert await why(remote(stand)) in (Reason.SIGNED_OTHERWISE, Reason.SIGNER_AWAY)


async def test_another_accounts_signature_is_refused(stand: SigningStand) -> None:
    """The right transaction, signed by somebody else: the chain would take it for his."""
    signer = RemoteSigner("me", ME, stand.url, "account_signTransaction" if stand.is_clef else "eth_signTransaction")
    stranger = Account.from_key("0x" + "11" * 32)
    stand.signed = lambda of: (
        "0x"
        + bytes(  # type: ignore[method-assign]
            stranger.sign_transaction(
                {"to": of["to"], "data": of["data"], "type": 2}
                | {
                    k: int(of[k], 16)
                    for k in ("value", "gas", "maxFeePerGas", "maxPriorityFeePerGas", "nonce", "chainId")
                }
            ).raw_transaction
        ).hex()
    )
    assert await why(signer) is Reason.SIGNED_OTHERWISE


async def test_a_refusal_and_a_silence_are_told_apart(stand: SigningStand) -> None:
    """The one is its owner's will, the other a fault: each its own remedy. Nobody is waited for for ever."""
    stand.error = {"code": -32000, "message": "Request denied"}
    with pytest.raises(UnsignedError, match="Request denied") as denied:
        await remote(stand).signed(CALL, ENVELOPE)
    assert denied.value.reason is Reason.SIGNER_REFUSED
    stand.error, stand.delay_s = None, 3.0
    begun = time.monotonic()
    assert await why(remote(stand, timeout_s=0.3)) is Reason.SIGNER_AWAY
    assert time.monotonic() - begun < 2
    assert await why(RemoteSigner("me", ME, "http://127.0.0.1:9", "eth_signTransaction")) is Reason.SIGNER_AWAY


async def test_its_address_and_its_password_are_never_shown() -> None:
    """It may carry one."""
    signer = RemoteSigner("me", ME, "http://user:passw0rd99@127.0.0.1:9/token123456", "eth_signTransaction")
    with pytest.raises(UnsignedError) as unsigned:
        await signer.signed(CALL, ENVELOPE)
    assert "passw0rd99" not in str(unsigned.value) + repr(signer)
    assert "token123456" not in str(unsigned.value) + repr(signer)


# --- the decoder -----------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 400), bit=st.integers(0, 7))
def test_no_bit_of_what_comes_back_may_be_another(at: int, bit: int) -> None:
    """Each bit of the right answer, turned over: refused."""
    raw = bytearray.fromhex(OURS.sign(CALL, ENVELOPE).raw[2:])
    raw[at % len(raw)] ^= 1 << bit
    with pytest.raises(UnsignedError):
        confirmed("0x" + raw.hex(), CALL, ENVELOPE, ME)


def test_a_high_s_and_what_follows_the_end_are_refused() -> None:
    """Both are the same signature to a careless reader."""
    good = OURS.sign(CALL, ENVELOPE).raw
    assert confirmed(good, CALL, ENVELOPE, ME).raw == good
    assert confirmed("0x" + good[2:].upper(), CALL, ENVELOPE, ME).raw == good
    parts: Any = rlp.decode(bytes.fromhex(good[4:]))
    parity, s = int.from_bytes(parts[9], "big"), int.from_bytes(parts[11], "big")
    high = [*parts[:9], 1 - parity, parts[10], ORDER - s]
    for raw in ("0x02" + bytes(rlp.encode(high)).hex(), good + "00", good[:-2]):
        with pytest.raises(UnsignedError):
            confirmed(raw, CALL, ENVELOPE, ME)


def test_a_delegation_and_a_permit_are_refused_by_name() -> None:
    """They are signed by a key in a keystore alone."""
    with pytest.raises(UnsignedError, match="EIP-7702"):
        unsigned_bytes(CALL, Envelope(1, 1, 1, ENVELOPE.fees, delegate=OTHER))
    elsewhere = Elsewhere(ME)
    with pytest.raises(ValueError, match="no permit"):
        elsewhere.sign_permit(PermitTerms(OTHER, ME, b"", 0), OTHER, 1, 1)
    with pytest.raises(UnsignedError, match="transactions only"):
        elsewhere.sign_hash(bytes(32))


# --- AWS KMS ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    moto = pytest.importorskip("moto")
    boto3 = pytest.importorskip("boto3")
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415 - comes with moto
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from moto.kms.utils import ECDSAPrivateKey  # noqa: PLC0415

    def sign(self: Any, message: bytes, _: str) -> bytes:
        """As Amazon does for MessageType DIGEST, which moto says it does not know yet: the message is the hash."""
        return bytes(self.private_key.sign(message, ec.ECDSA(utils.Prehashed(SHA256()))))

    monkeypatch.setattr(ECDSAPrivateKey, "sign", sign)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws():
        yield boto3.client("kms", region_name="eu-central-1")


def made(kms: Any, spec: str = "ECC_SECG_P256K1") -> tuple[str, Address]:
    key = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec=spec)["KeyMetadata"]["KeyId"]
    with pytest.raises(KeyUnavailableError) as other:
        open_kms("me", OTHER, key, "eu-central-1")
    word = str(other.value).partition("is that of ")[2]
    return key, Address(word[:42])


async def test_kms_signs_with_a_low_s_and_its_own_account(kms: Any) -> None:
    """Many times, for its signatures differ: each of low s, each of the declared account, each taken by a chain."""
    key, address = made(kms)
    signer, asked = open_kms("me", address, key, "eu-central-1"), list[Any]()
    signer._client.meta.events.register("before-parameter-build.kms.Sign", lambda params, **_: asked.append(params))
    for nonce in range(24):
        envelope = Envelope(1, nonce, 100_000, ENVELOPE.fees)
        signed = await signer.signed(CALL, envelope)
        assert Account.recover_transaction(signed.raw) == address
        parts: Any = rlp.decode(bytes.fromhex(signed.raw[4:]))
        assert int.from_bytes(parts[11], "big") <= ORDER // 2
        assert confirmed(signed.raw, CALL, envelope, address) == signed
    assert {(a["MessageType"], a["SigningAlgorithm"], len(a["Message"])) for a in asked} == {
        ("DIGEST", "ECDSA_SHA_256", 32)
    }


async def test_a_kms_key_of_another_account_curve_or_place_is_refused(
    kms: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start, by name: nobody finds out at night."""
    key, address = made(kms)
    with pytest.raises(KeyUnavailableError, match=f"is that of {address}, the settings say {OTHER}"):
        open_kms("me", OTHER, key, "eu-central-1")
    other = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["KeyId"]
    with pytest.raises(KeyUnavailableError, match="of another curve"):
        open_kms("me", address, other, "eu-central-1")
    with pytest.raises(KeyUnavailableError, match="NotFoundException"):
        open_kms("me", address, "00000000-0000-0000-0000-000000000000", "eu-central-1")
    signer = open_kms("me", address, key, "eu-central-1")
    signer._key = "00000000-0000-0000-0000-000000000000"
    assert await why(signer) is Reason.SIGNER_REFUSED


async def test_a_kms_signature_by_another_key_is_refused(kms: Any) -> None:
    """An alias that was moved: the account that comes out is another."""
    key, address = made(kms)
    second, _ = made(kms)
    signer = open_kms("me", address, key, "eu-central-1")
    signer._key = second
    assert await why(signer) is Reason.SIGNED_OTHERWISE


async def test_a_kms_signature_of_another_transaction_is_refused(kms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own key, and a signature of what was asked before: another nonce's, another chain's."""
    key, address = made(kms)
    signer = open_kms("me", address, key, "eu-central-1")
    before = signer._sign(b"\x11" * 32)
    monkeypatch.setattr(signer, "_sign", lambda _: before)
    assert await why(signer) is Reason.SIGNED_OTHERWISE


@pytest.mark.parametrize(
    "der", ["", "30", "3006020101020101ff", "300602010102", "3006020181020101", "3106020101020101"]
)
def test_der_that_is_not_two_numbers_is_refused(der: str) -> None:
    """Cut short, too long, negative or something else."""
    with pytest.raises(UnsignedError):
        put_together(CALL, ENVELOPE, ME, *integers_in(bytes.fromhex(der)))


# --- a person at the terminal ----------------------------------------------------------------------------------------


class Person:
    """Types what it is to type, or nothing."""

    def __init__(self, *lines: str | None) -> None:
        self.lines, self.saw = list(lines), list[str]()

    async def ask(self, text: str, within_s: float) -> str | None:
        self.saw.append(text)
        return self.lines.pop(0)


async def test_a_person_sees_what_it_does_and_signs_with_a_word() -> None:
    """What, to whom, how much, what it may cost at most. Any other word is a no."""
    person = Person("yes\n", "y\n", None)
    signer = Prompted(ME, person, OURS)
    assert await signer.signed(CALL, ENVELOPE) == OURS.sign(CALL, ENVELOPE)
    for word in ("repay 100 USDC", OTHER, "0.0003", "nonce 5", "chain 31337", CALL.data.hex()):
        assert word in person.saw[0]
    assert await why(signer) is Reason.SIGNER_REFUSED
    assert await why(signer) is Reason.SIGNER_AWAY


async def test_bytes_signed_on_a_hardware_wallet_are_held_against_what_was_shown() -> None:
    """No key is here: what is pasted is that transaction, or nothing."""
    good = OURS.sign(CALL, ENVELOPE).raw
    other = OURS.sign(Call(ME, CALL.data, CALL.value, ""), ENVELOPE).raw
    person = Person(good + "\n", other, "")
    signer = Prompted(ME, person, None)
    assert (await signer.signed(CALL, ENVELOPE)).raw == good
    assert unsigned_bytes(CALL, ENVELOPE).hex() in person.saw[0]
    assert await why(signer) is Reason.SIGNED_OTHERWISE
    assert await why(signer) is Reason.SIGNER_REFUSED


def test_what_is_shown_cannot_be_drawn_over() -> None:
    """A token's name may hold what a terminal heeds."""
    assert "\x1b" not in shown(ME, Call(OTHER, b"", Wei(0), "pay \x1b[2J\x1b[H nothing"), ENVELOPE)


@pytest.mark.slow
def test_the_terminal_takes_no_word_that_was_typed_before_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line in the buffer is no answer; a question without one ends."""
    from keeper.cli import terminal  # noqa: PLC0415

    reading, writing = os.openpty()
    with os.fdopen(reading, "w", buffering=1) as keys, os.fdopen(writing, "r") as seen:
        monkeypatch.setattr("sys.stdin", seen)
        keys.write("yes\n")
        time.sleep(0.1)
        assert asyncio.run(terminal.Tty().ask("? ", 1.2)) is None
        threading.Timer(0.3, keys.write, ["no\n"]).start()
        assert asyncio.run(terminal.Tty().ask("? ", 5)) == "no\n"


@pytest.mark.slow
async def test_a_question_that_is_dropped_takes_no_line_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rescue comes while a person is asked for something else: what is typed then answers the rescue."""
    from keeper.cli import terminal  # noqa: PLC0415

    reading, writing = os.openpty()
    with os.fdopen(reading, "w", buffering=1) as keys, os.fdopen(writing, "r") as seen:
        monkeypatch.setattr("sys.stdin", seen)
        tty = terminal.Tty()
        first = asyncio.create_task(tty.ask("take back an approval? ", 60))
        await asyncio.sleep(0.2)
        first.cancel()
        second = asyncio.create_task(tty.ask("rescue? ", 60))
        await asyncio.sleep(terminal.LOOK_S + 0.5)
        keys.write("yes\n")
        assert await asyncio.wait_for(second, 10) == "yes\n"
        assert first.cancelled()
