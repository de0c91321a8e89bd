"""Where a signer's key may be: in one place, and what that place cannot sign is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

KEYSTORE = 'keystore = "hot.json"'


def test_a_remote_signer_and_a_key_of_kms_are_read(load_text: Any) -> None:
    """The usual name for the question; no address of it is ever shown."""
    (one,) = load_text((KEYSTORE, 'remote = "http://me:passw0rd@127.0.0.1:9000"')).signers
    assert one.remote.method == "eth_signTransaction"
    assert "passw0rd" not in repr(one)
    assert one.has_key
    (two,) = load_text((KEYSTORE, 'kms_key = "alias/keeper"\nkms_region = "eu-central-1"')).signers
    assert (two.kms.id, two.kms.region, two.has_key) == ("alias/keeper", "eu-central-1", True)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (f'{KEYSTORE}\nremote = "http://h"', "remote (in 'hot'): a key is in one place: name keystore or remote"),
        ('remote = "http://h"\nkms_key = "k"', "kms_key (in 'hot'): a key is in one place"),
        ('remote = "ws://h"', "remote (in 'hot'): must begin with http:// or https://"),
        ('remote = "http://h"\nremote_method = "eth_sign"', "remote_method (in 'hot')"),
        (f'{KEYSTORE}\nremote_method = "eth_signTransaction"', "remote_method (in 'hot'): is how `remote` is asked"),
        (f'{KEYSTORE}\nkms_region = "r"', "kms_region (in 'hot'): is where `kms_key` is"),
        ('remote = "http://h"\npassword_file = "p"', "password_file (in 'hot'): is for a keystore"),
        ('remote = "http://h"\nbatch = true', "batch (in 'hot'): needs a delegation (EIP-7702), which remote does not"),
        (
            'kms_key = "k"\nsafe = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"',
            "safe (in 'hot'): needs the inner signature of a Safe's loan, which kms_key does not sign",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_field(faults: Callable[..., list[str]], lines: str, said: str) -> None:
    """Before anything is opened."""
    found = faults((KEYSTORE, lines))
    assert any(line.startswith(f"signers[0].{said}") for line in found), found
