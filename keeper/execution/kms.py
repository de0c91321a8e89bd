"""A key that never leaves AWS KMS (ECC_SECG_P256K1): asked for the signature of each transaction's hash."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from keeper.core.units import Address
from keeper.execution.signer import Envelope, KeyUnavailableError, Signed
from keeper.execution.signing import Elsewhere, account_of_key, put_together, unsigned_bytes
from keeper.execution.unsigned import away, otherwise, refused
from keeper.venues.codec.hashes import keccak
from keeper.venues.ports import Call

CONNECT_S, READ_S, TRIES = 2, 5, 2
MOST_AT_ONCE = 8
"""Signatures of one burst that are asked for side by side."""
POINT_BYTES = 65
SECP256K1 = bytes.fromhex("06052b8104000a")
"""The curve's object identifier, as it stands in a public key in DER."""
INTEGER, SEQUENCE = 0x02, 0x30


class KmsSigner(Elsewhere):
    """Asks KMS by a client that is opened once."""

    def __init__(self, address: Address, client: Any, key: str) -> None:
        super().__init__(address)
        self._client = client
        self._key = key
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE, "kms")
        """Its own: what hangs elsewhere, a look-up of a name for one, takes none of them."""

    async def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False)

    async def _signed(self, call: Call, envelope: Envelope) -> Signed:
        """Return signed bytes with KMS's signature, of low s and the account's own. Raises UnsignedError."""
        digest = keccak(unsigned_bytes(call, envelope))
        r, s = integers_in(await asyncio.get_running_loop().run_in_executor(self._threads, self._sign, digest))
        return put_together(call, envelope, self.address, r, s)

    def _sign(self, digest: bytes) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see open_kms

        asked = {"KeyId": self._key, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
        try:
            return bytes(self._client.sign(**asked)["Signature"])
        except ClientError as error:
            raise refused(f"KMS: {_code(error)}") from None
        except BotoCoreError as error:
            raise away(f"KMS: {type(error).__name__}") from None


def open_kms(name: str, address: Address, key: str, region: str | None) -> KmsSigner:
    """Ask KMS for the public key, which has to be the declared account's. Raises KeyUnavailableError."""
    try:
        import boto3  # noqa: PLC0415 - an extra, for who has such a key
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    except ImportError:
        raise KeyUnavailableError(f"signer {name!r}: `kms_key` needs boto3: pip install position-keeper[aws]") from None
    limits = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": TRIES})
    try:
        client = boto3.client("kms", region_name=region, config=limits)
        found = client.get_public_key(KeyId=key)
    except ClientError as error:
        raise KeyUnavailableError(f"signer {name!r}: KMS refuses its key: {_code(error)}") from None
    except (BotoCoreError, ValueError) as error:
        why = type(error).__name__
        raise KeyUnavailableError(f"signer {name!r}: KMS cannot be asked ({why}): region and credentials?") from None
    public = bytes(found["PublicKey"])
    if SECP256K1 not in public:
        raise KeyUnavailableError(f"signer {name!r}: the KMS key is of another curve: make one of ECC_SECG_P256K1")
    owner = account_of_key(public[-POINT_BYTES:])
    if owner != address:
        raise KeyUnavailableError(f"signer {name!r}: the KMS key is that of {owner}, the settings say {address}")
    return KmsSigner(address, client, key)


def integers_in(der: bytes) -> tuple[int, int]:
    """Return r and s of a signature in DER: SEQUENCE of two INTEGERs and nothing else. Raises UnsignedError."""
    try:
        kind, length, body = der[0], der[1], der[2:]
        if kind != SEQUENCE or length != len(body) or length > 0x7F:
            raise otherwise("KMS's signature is not two numbers in DER")
        r, rest = _integer(body)
        s, rest = _integer(rest)
    except IndexError:
        raise otherwise("KMS's signature is cut short") from None
    if rest:
        raise otherwise("KMS's signature is longer than two numbers")
    return r, s


def _integer(body: bytes) -> tuple[int, bytes]:
    length = body[1]
    if body[0] != INTEGER or not 0 < length <= 33 or len(body) < 2 + length:
        raise otherwise("KMS's signature is not two numbers in DER")
    return int.from_bytes(body[2 : 2 + length], "big", signed=True), body[2 + length :]


def _code(error: Any) -> str:
    """Return what Amazon calls it: its message may hold account numbers and names."""
    return str(error.response.get("Error", {}).get("Code", "refused"))[:80]
