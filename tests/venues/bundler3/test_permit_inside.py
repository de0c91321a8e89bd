"""The permit inside the bundle, byte for byte as the real token and the real bundler took it."""

from __future__ import annotations

from typing import Any

import pytest
from bundler3_recordings import OWNER, SCENARIOS, plain, raw
from eth_abi.abi import encode
from eth_account import Account

from keeper.execution.permit_signer import NoPermitError, PermitSigner
from keeper.execution.signer import KeystoreSigner
from keeper.venues.codec.abi import address
from keeper.venues.contracts.permit import PermitTerms, encode_permit, terms_probe

THIRD = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"  # anvil's well-known account 3
STEPS: list[dict[str, Any]] = SCENARIOS["12_permit_inside_the_bundle"]["steps"]
(SENT,) = (s["tree"][0] for s in STEPS if "tree" in s)
SEPARATOR = raw("0x003e1681323973e4c84ce835af5929c1924829869f35e188dc5f043c423e65c7")  # as the token was asked then
TOKEN, SPENDER = address(SENT["to"]), address(SENT["args"]["spender"])


NAME = encode(["string"], ["Aave WETH"])
CHAIN = 31337  # of the recordings


def terms() -> PermitTerms:
    found = terms_probe(TOKEN, OWNER, CHAIN).decode([NAME, SEPARATOR, bytes(32)])
    assert found is not None
    return found


def signer() -> KeystoreSigner:
    return KeystoreSigner(Account.from_key(THIRD))


def test_a_permit_is_signed_as_the_recorded_one() -> None:
    """Domain and nonce are asked of the token; the signature is the same to the last byte."""
    args = SENT["args"]
    permit = PermitSigner(signer(), {TOKEN: terms()}).of(TOKEN, SPENDER, int(args["value"]), int(args["deadline"]))
    assert encode_permit(OWNER, SPENDER, permit) == plain(SENT).data


def test_the_recorded_permit_may_fail_and_ours_too() -> None:
    """Who saw it may have used it first: then the approval is there all the same."""
    assert SENT["skipRevert"] is True


def test_a_token_without_permits_has_no_terms_and_nothing_is_signed() -> None:
    """Nobody answers: the plan is one with an approval before."""
    assert terms_probe(TOKEN, OWNER, CHAIN).decode([None, None, None]) is None
    with pytest.raises(NoPermitError):
        PermitSigner(signer(), {}).of(TOKEN, SPENDER, 1, 1)


@pytest.mark.parametrize(
    ("token", "name", "chain_id"),
    [("0x" + "11" * 20, "Aave WETH", CHAIN), (TOKEN, "Aave USDC", CHAIN), (TOKEN, "Aave WETH", 1)],
    ids=["token", "name", "chain"],
)
def test_the_domain_of_another_is_never_signed(token: str, name: str, chain_id: int) -> None:
    """A node that answers with the domain of another token, or of another chain, gets no signature for it."""
    said = [encode(["string"], [name]), SEPARATOR, bytes(32)]
    assert terms_probe(address(token), OWNER, chain_id).decode(said) is None


def test_nobody_signs_a_permit_of_somebody_else() -> None:
    """A guardian's key gives no word for the owner."""
    other = KeystoreSigner(Account.from_key("0x" + "11" * 32))
    with pytest.raises(NoPermitError):
        PermitSigner(other, {TOKEN: terms()}).of(TOKEN, SPENDER, 1, 1)
    with pytest.raises(ValueError, match="cannot be signed"):
        other.sign_permit(terms(), SPENDER, 1, 1)
