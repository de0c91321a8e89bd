"""Savings at the gate: a signer draws on its own, for its own wallet, in an asset of the position, and nothing else."""

from __future__ import annotations

import pytest
from core_builders import GUARDIAN, OWNER, at
from test_policy_bundles import POSITION, VENUES, grant

from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Amount, Wei
from keeper.execution import policy
from keeper.execution.carriers import Plain
from keeper.execution.encoding import Venues, allow_list
from keeper.execution.policy import PolicyError
from keeper.venues.codec.abi import address, load
from keeper.venues.contracts.savings import PoolSupply, VaultShares
from keeper.venues.effects import Call, Draws
from keeper.venues.ports import Saver

USDC, STRANGER = at("USDC"), Address(address("0x" + "5e" * 20))
VAULT, SHARE, POOL = (Address(address("0x" + f"e{i}" * 20)) for i in range(3))
SAVERS: dict[Address, Saver] = {VAULT: VaultShares(VAULT, USDC), SHARE: PoolSupply(SHARE, USDC, POOL)}


def why(call: Call, signer: Address) -> str:
    venues = Venues(VENUES.market, VENUES.exchanges, VENUES.lenders, SAVERS)
    allowed = allow_list(venues, [at("WETH"), USDC, at("DAI")], Plain(signer))
    block: BlockRef = POSITION.block
    try:
        policy.check([call], block.chain_id, grant(signer), allowed, venues.grounds(POSITION))
    except PolicyError as refused:
        return f"{refused.reason.code}: {refused.detail}"
    return ""


@pytest.mark.parametrize("saver", SAVERS.values(), ids=["a vault", "a supply"])
@pytest.mark.parametrize("signer", [OWNER, GUARDIAN])
def test_one_s_own_savings_for_one_s_own_wallet_pass(saver: Saver, signer: Address) -> None:
    """A guardian's as well: it takes nothing of the owner's."""
    call = saver.encode(Amount(5), signer)
    assert not why(call, signer)
    (effect,) = saver.decoder()(call)
    assert isinstance(effect, Draws)
    assert (effect.asset, effect.amount, effect.receiver) == (USDC, 5, signer)


VAULT_ABI, POOL_ABI = load("erc4626"), load("pool_receipt")
ATTACKS = {
    "shares to a stranger": (VAULT, VAULT_ABI.withdraw.encode(5, STRANGER, OWNER), "for somebody else"),
    "a stranger's shares": (VAULT, VAULT_ABI.withdraw.encode(5, OWNER, STRANGER), "of somebody else"),
    "a supply to a stranger": (POOL, POOL_ABI.withdraw.encode(USDC, 5, STRANGER), "for somebody else"),
    "another asset of the pool": (POOL, POOL_ABI.withdraw.encode(at("DAI"), 5, OWNER), "another asset"),
    "all of a supply": (POOL, POOL_ABI.withdraw.encode(USDC, 2**256 - 1, OWNER), "without an amount"),
    "nothing": (VAULT, VAULT_ABI.withdraw.encode(0, OWNER, OWNER), "of nothing"),
    "another function": (VAULT, load("erc20").transfer.encode(STRANGER, 5), "is not one a keeper calls"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_no_withdrawal_of_one_s_own_is_refused(attack: str) -> None:
    """Each differs in one thing."""
    to, data, said = ATTACKS[attack]
    found = why(Call(to, data, Wei(0), "an attack"), OWNER)
    assert found.startswith(Reason.POLICY_FORBIDS.code)
    assert said in found
