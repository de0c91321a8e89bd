"""Keys are opened once, belong to the declared account, and never show themselves."""

from __future__ import annotations

import json
import pickle
import traceback
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.chain.fees import Fees
from keeper.core.units import Address, Wei
from keeper.execution.signer import (
    Envelope,
    KeystoreSigner,
    KeyUnavailableError,
    find_password,
    open_keystore,
)
from keeper.venues.ports import Call

LOCAL = Account.from_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
OTHER = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
PASSWORD = "correct horse battery staple"
CALL = Call(OTHER, bytes.fromhex("a9059cbb"), Wei(7), "a test")
ENVELOPE = Envelope(31337, 5, 100_000, Fees(Wei(3 * 10**9), Wei(10**9)))


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key.json"
    path.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, iterations=2)))
    return path


@pytest.fixture(scope="module")
def signer(keystore: Path) -> KeystoreSigner:
    return open_keystore("me", ADDRESS, keystore, PASSWORD)


def refusal(path: Path, password: str = PASSWORD, address: Address = ADDRESS) -> str:
    """The message; and neither it nor its traceback has the key, the password or a cause that might."""
    with pytest.raises(KeyUnavailableError) as refused:
        open_keystore("me", address, path, password)
    shown = "".join(traceback.format_exception(refused.value))
    assert KEY[2:] not in shown
    assert password not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert "'me'" in str(refused.value)
    assert str(path) in str(refused.value)
    return str(refused.value)


def test_the_right_password_opens_the_keystore(signer: KeystoreSigner) -> None:
    """And the signer is the declared account."""
    assert signer.address == ADDRESS


def test_a_wrong_password_is_told_without_it(keystore: Path) -> None:
    """Signer and file are named, nothing of the attempt is."""
    assert "the password does not open" in refusal(keystore, "incorrect horse")


@pytest.mark.parametrize(
    "content", ["", "not json", '"a string"', "[]", "{}", '{"crypto": {}, "version": 3}', "null", "5"]
)
def test_what_is_no_keystore_is_told(tmp_path: Path, content: str) -> None:
    """A clear line, not a traceback of the decoder."""
    path = tmp_path / "key.json"
    path.write_text(content)
    assert "keystore" in refusal(path)


def test_a_plain_private_key_is_no_keystore(tmp_path: Path) -> None:
    """And is not echoed."""
    path = tmp_path / "key.json"
    path.write_text(KEY)
    refusal(path)


def test_bytes_that_are_no_text_are_no_keystore(tmp_path: Path) -> None:
    """Whatever file was named by mistake."""
    path = tmp_path / "key.json"
    path.write_bytes(b"\xff\xfe\x00\x01" * 30)
    assert "is not a JSON keystore" in refusal(path)


def test_another_version_of_keystore_is_told(keystore: Path, tmp_path: Path) -> None:
    """Version 3 it is."""
    path = tmp_path / "key.json"
    path.write_text(json.dumps({**json.loads(keystore.read_text()), "version": 4}))
    assert "not a v3 keystore" in refusal(path)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    """With the path that was looked at."""
    assert "does not exist" in refusal(tmp_path / "none.json")
    assert "cannot be read" in refusal(tmp_path)


def test_another_accounts_keystore_is_refused(keystore: Path) -> None:
    """Both addresses are named: one of the two lines is wrong."""
    message = refusal(keystore, address=OTHER)
    assert ADDRESS in message
    assert OTHER in message


def test_nothing_secret_shows(signer: KeystoreSigner) -> None:
    """Not in repr, str, a format or what an f-string debugging makes of it."""
    for shown in (repr(signer), str(signer), f"{signer}", f"{signer=}", repr([signer]), repr({"s": signer})):
        assert KEY[2:].lower() not in shown.lower()
        assert ADDRESS in shown


def test_a_signer_shows_no_key_in_its_fields(signer: KeystoreSigner) -> None:
    """What a careless dump of its attributes prints."""
    assert KEY[2:].lower() not in repr(vars(signer)).lower()


# --- signatures ------------------------------------------------------------------------------------------------------


def test_a_signature_recovers_to_the_signer(signer: KeystoreSigner) -> None:
    """The chain would take it for the declared account's."""
    assert Account.recover_transaction(signer.sign(CALL, ENVELOPE).raw) == ADDRESS


def test_the_signed_bytes_are_the_call_and_its_envelope(signer: KeystoreSigner) -> None:
    """Field by field, decoded from what would go on the wire."""
    signed = signer.sign(CALL, ENVELOPE)
    fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
    assert fields["chainId"] == 31337
    assert fields["nonce"] == 5
    assert fields["gas"] == 100_000
    assert fields["maxFeePerGas"] == 3 * 10**9
    assert fields["maxPriorityFeePerGas"] == 10**9
    assert HexBytes(fields["to"]) == HexBytes(OTHER)
    assert fields["value"] == 7
    assert HexBytes(fields["data"]) == CALL.data
    assert not fields["accessList"]


def test_signing_again_gives_the_same_bytes(signer: KeystoreSigner) -> None:
    """So what is in the journal can be said again; another nonce is another transaction."""
    first, again = signer.sign(CALL, ENVELOPE), signer.sign(CALL, ENVELOPE)
    assert first == again
    other = signer.sign(CALL, Envelope(31337, 6, 100_000, ENVELOPE.fees))
    assert other.hash != first.hash


def test_the_hash_is_that_of_the_bytes(signer: KeystoreSigner) -> None:
    """The receipt will be asked for by it."""
    signed = signer.sign(CALL, ENVELOPE)
    assert signed.hash == "0x" + keccak(HexBytes(signed.raw)).hex()


# --- passwords -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_password_file_may_end_in_a_line_break(tmp_path: Path, ending: str) -> None:
    """An editor adds one; spaces are the password's own."""
    path = tmp_path / "password"
    path.write_bytes(f" {PASSWORD} {ending}".encode())
    assert find_password("me", path, None, None) == f" {PASSWORD} "


def test_a_missing_password_file_is_told(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(KeyUnavailableError, match=r"'me'.*nowhere"):
        find_password("me", tmp_path / "nowhere", None, None)


def test_a_systemd_credential_is_read_from_its_directory(tmp_path: Path) -> None:
    """Where systemd puts it, and before a file."""
    (tmp_path / "pass").write_text(f"{PASSWORD}\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find_password("me", Path("/nowhere"), "pass", None, environment) == PASSWORD


def test_a_credential_without_systemd_is_told() -> None:
    """What it needs is named."""
    with pytest.raises(KeyUnavailableError, match="LoadCredential=pass"):
        find_password("me", None, "pass", None, {})


def test_a_credential_that_was_not_loaded_is_told(tmp_path: Path) -> None:
    """With the path where it should be."""
    with pytest.raises(KeyUnavailableError, match="pass"):
        find_password("me", None, "pass", None, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_somebody_is_asked_when_nothing_is_named() -> None:
    """The prompt says for whom."""
    asked = []
    assert find_password("me", None, None, lambda text: asked.append(text) or PASSWORD, {}) == PASSWORD
    assert "'me'" in asked[0]


def test_with_nobody_to_ask_it_is_told() -> None:
    """A daemon has no terminal."""
    with pytest.raises(KeyUnavailableError, match="nobody to ask"):
        find_password("me", None, None, None, {})


@pytest.mark.filterwarnings("ignore")
def test_a_refusal_carries_no_secret_when_it_is_pickled(keystore: Path) -> None:
    """As an error is that crosses a process."""
    with pytest.raises(KeyUnavailableError) as refused:
        open_keystore("me", ADDRESS, keystore, "incorrect horse")
    assert b"incorrect horse" not in pickle.dumps(refused.value)


@settings(max_examples=60, deadline=None)
@given(
    nonce=st.integers(0, 2**40),
    gas=st.integers(21_000, 30_000_000),
    tip=st.integers(0, 10**12),
    max_fee=st.integers(0, 10**12),
    value=st.integers(0, 10**24),
    data=st.binary(max_size=300),
    delegates=st.booleans(),
)
def test_signed_bytes_are_eth_account_s_own(
    nonce: int, gas: int, tip: int, max_fee: int, value: int, data: bytes, delegates: bool
) -> None:
    """Laid out by us for speed; the library lays out the same."""
    to = Address(to_checksum_address("0x" + "5a" * 20))
    envelope = Envelope(42161, nonce, gas, Fees(Wei(max_fee), Wei(tip)), to if delegates else None)
    ours = KeystoreSigner(LOCAL).sign(Call(to, data, Wei(value), ""), envelope)
    wanted: dict[str, object] = {
        "type": 2,
        "chainId": 42161,
        "nonce": nonce,
        "to": to,
        "value": value,
        "data": data,
        "gas": gas,
        "maxFeePerGas": max_fee,
        "maxPriorityFeePerGas": tip,
        "accessList": [],
    }
    if delegates:
        grant = LOCAL.sign_authorization({"chainId": 42161, "address": to, "nonce": nonce + 1})
        wanted |= {"type": 4, "authorizationList": [grant]}
    theirs = LOCAL.sign_transaction(wanted)
    assert (ours.raw, ours.hash) == (theirs.raw_transaction.to_0x_hex(), theirs.hash.to_0x_hex())
