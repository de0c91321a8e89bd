"""Keys: an encrypted keystore opened once, a password from a file, a systemd credential or a prompt; never shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from keeper.chain.fees import Fees
from keeper.core.units import Address
from keeper.venues.codec.hashes import keccak, to_checksum_address
from keeper.venues.contracts.permit import PermitTerms
from keeper.venues.ports import Call, Mandate, MandateTerms, Permit

if TYPE_CHECKING:
    from keeper.execution.eth_keys import LocalAccount

ORDINARY, DELEGATING = b"\x02", b"\x04"
"""Transaction types: EIP-1559, EIP-7702."""


class KeyUnavailableError(Exception):
    """A key cannot be used. The message names the signer, the file and the remedy; never the key or the password."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Everything a signature covers besides the call."""

    chain_id: int
    nonce: int
    gas_limit: int
    fees: Fees
    delegate: Address | None = None
    """The account contract this transaction delegates the signer to (EIP-7702); None for an ordinary one."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Signed bytes as 0x-hex, and their hash."""

    raw: str
    hash: str


class Signs(Protocol):
    """Who signs beside transactions: what calls carry inside. Neither gives anything to anybody by itself."""

    @property
    def address(self) -> Address:
        """The key's account."""

    @property
    def is_at_hand(self) -> bool:
        """Whether its key is in this process: nobody is asked, and a signature costs nothing.

        Any other signs transactions and nothing else: no permit, no delegation, nothing within a Safe's call.
        """

    def sign_hash(self, digest: bytes, /) -> bytes:
        """Return the signature of a hash: 65 bytes."""

    def sign_permit(self, terms: PermitTerms, spender: Address, amount: int, deadline: int) -> Permit:
        """Return a permit for exactly so much. Raises ValueError for one of somebody else."""

    def sign_mandate(self, terms: MandateTerms, word: Mandate) -> Mandate:
        """Return a word that somebody may act at a market, or no more. Raises ValueError for one of somebody else."""


class Hears(Protocol):
    """Who hears that a signature lets itself be waited for."""

    def unsigned(self, address: str, purpose: str, seconds: float, /) -> None:
        """Report what was not signed in so long."""

    def signed_at_last(self, address: str, /) -> None:
        """Report that the signer signs."""


class TransactionSigner(Signs, Protocol):
    """Signs what one account sends."""

    def report_to(self, hears: Hears, /) -> None:
        """Report from now on what is waited for."""

    async def signed(self, call: Call, envelope: Envelope) -> Signed:
        """Return signed bytes. Raises UnsignedError."""

    async def close(self) -> None:
        """Let go of whoever is asked."""


class KeystoreSigner:
    """Signs with a key held in memory."""

    is_at_hand = True

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        self.address = Address(str(account.address))
        self._granted: tuple[tuple[int, Address, int], Any] | None = None

    def __repr__(self) -> str:
        return f"KeystoreSigner({self.address})"

    def report_to(self, hears: Hears) -> None:
        """Report nothing: nobody is waited for."""

    def sign(self, call: Call, envelope: Envelope) -> Signed:
        """Return signed bytes: EIP-1559, or EIP-7702 with a delegation. The same input gives the same bytes.

        Laid out here and signed by eth-account: its own way over dictionaries takes four times as long, and the result
        is the same byte for byte (``tests/execution/test_signer.py``).
        """
        from keeper.execution.eth_keys import Hash32, laid_out  # noqa: PLC0415 - who holds a key has it loaded

        fees = envelope.fees
        fields: list[Any] = [envelope.chain_id, envelope.nonce, fees.tip, fees.max_fee, envelope.gas_limit]
        fields += [bytes.fromhex(call.to[2:]), call.value, call.data, []]
        kind = ORDINARY
        if envelope.delegate is not None:
            # the account's nonce is one higher by the time the authorization is read (EIP-7702)
            grant = self._authorization(envelope.chain_id, envelope.delegate, envelope.nonce + 1)
            fields.append([[grant.chain_id, grant.address, grant.nonce, grant.y_parity, grant.r, grant.s]])
            kind = DELEGATING
        signed = self._account.unsafe_sign_hash(Hash32(keccak(kind + laid_out(fields))))
        raw = kind + laid_out([*fields, signed.v - 27, signed.r, signed.s])
        return Signed("0x" + raw.hex(), "0x" + keccak(raw).hex())

    async def signed(self, call: Call, envelope: Envelope) -> Signed:
        """Return signed bytes: nobody has to be asked."""
        return self.sign(call, envelope)

    async def close(self) -> None:
        """Let go of nothing."""

    def sign_permit(self, terms: PermitTerms, spender: Address, amount: int, deadline: int) -> Permit:
        """Return the owner's word that a spender may take so much of a token (EIP-2612): typed data, and no other.

        Raises ValueError for a permit of somebody else.
        """
        if terms.owner != self.address:
            raise ValueError(f"a permit of {terms.owner} cannot be signed by {self.address}")
        signed = self.sign_hash(terms.digest(spender, amount, deadline))
        return Permit(amount, deadline, signed[64], signed[:32], signed[32:64])

    def sign_mandate(self, terms: MandateTerms, word: Mandate) -> Mandate:
        """Return the owner's word, signed: that somebody may act for his account at a market, or no more.

        Raises ValueError for a word of somebody else.
        """
        if {terms.owner, word.owner} != {self.address}:
            raise ValueError(f"a word of {word.owner} cannot be signed by {self.address}")
        signed = self.sign_hash(terms.digest(word))
        return replace(word, v=signed[64], r=signed[:32], s=signed[32:64])

    def sign_hash(self, digest: bytes) -> bytes:
        """Return the signature of a hash: 65 bytes, r, s and v (27 or 28)."""
        from keeper.execution.eth_keys import Hash32  # noqa: PLC0415 - who holds a key has it loaded

        return bytes(self._account.unsafe_sign_hash(Hash32(digest)).signature)

    def _authorization(self, chain_id: int, delegate: Address, nonce: int) -> Any:
        """Return the grant, signed once: every attempt at a nonce carries the same."""
        key = (chain_id, delegate, nonce)
        if self._granted is None or self._granted[0] != key:
            grant = {"chainId": chain_id, "address": delegate, "nonce": nonce}
            self._granted = (key, self._account.sign_authorization(grant))
        return self._granted[1]


def delegates(raw: str) -> bool:
    """Return whether signed bytes delegate the account (EIP-7702), which takes a nonce of its own."""
    return raw.startswith("0x" + DELEGATING.hex())


def delegate_in(raw: str) -> Address | None:
    """Return the account contract that signed bytes delegate to, None for an ordinary transaction."""
    from keeper.execution.eth_keys import read  # noqa: PLC0415 - see there: half a second of imports

    data = bytes.fromhex(raw[2:])
    if data[:1] != b"\x04":
        return None
    authorizations = read(data)["authorizationList"]
    return Address(str(to_checksum_address(authorizations[0]["address"])))


def open_keystore(name: str, address: Address, keystore: Path, password: str) -> KeystoreSigner:
    """Decrypt a v3 keystore and check that it is the declared account's. Raises KeyUnavailableError."""
    from keeper.execution.eth_keys import Account  # noqa: PLC0415 - see there: half a second of imports

    try:
        content = json.loads(keystore.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KeyUnavailableError(f"signer {name!r}: keystore {keystore} does not exist") from None
    except OSError as error:
        raise KeyUnavailableError(f"signer {name!r}: keystore {keystore} cannot be read: {error.strerror}") from None
    except ValueError:
        raise KeyUnavailableError(f"signer {name!r}: keystore {keystore} is not a JSON keystore") from None
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(content, password))
    except (ValueError, KeyError, TypeError, NotImplementedError):
        # the cause is dropped on purpose: nothing of the attempt may reach a log
        raise KeyUnavailableError(
            f"signer {name!r}: the password does not open {keystore}, or it is not a v3 keystore"
        ) from None
    if str(account.address) != address:
        raise KeyUnavailableError(
            f"signer {name!r}: {keystore} holds the key of {account.address}, the settings say {address}"
        )
    return KeystoreSigner(account)


def find_password(
    name: str,
    file: Path | None,
    credential: str | None,
    prompt: Callable[[str], str] | None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return a signer's password: from its file, its systemd credential, or asked for. Raises KeyUnavailableError."""
    env = os.environ if environment is None else environment
    if credential is not None:
        folder = env.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise KeyUnavailableError(
                f"signer {name!r}: password_credential works under systemd only (LoadCredential={credential}:…)"
            )
        file = Path(folder) / credential
    if file is None:
        if prompt is None:
            raise KeyUnavailableError(f"signer {name!r}: no password_file or password_credential, and nobody to ask")
        return prompt(f"Password of signer {name!r}: ")
    try:
        password = file.read_text(encoding="utf-8-sig").rstrip("\r\n")  # some editors begin with a mark
    except UnicodeDecodeError:  # its text holds the bytes, so the cause is dropped
        raise KeyUnavailableError(f"signer {name!r}: password file {file} is not UTF-8: save it anew so") from None
    except OSError as error:
        raise KeyUnavailableError(f"signer {name!r}: password file {file}: {error.strerror}") from None
    if lines := password.count("\n"):
        raise KeyUnavailableError(
            f"signer {name!r}: password file {file} has {lines + 1} lines: keep the one line of it"
        )
    return password
