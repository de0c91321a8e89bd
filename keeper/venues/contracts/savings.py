"""Savings of two kinds, recognised by what their token answers: vaults (ERC-4626), and supplies in pools as Aave's.

A vault says itself what may be withdrawn now (``maxWithdraw``: fees and what is lent out are in it). Of a supply it is
the balance, no more than the asset that lies with its token: what is lent out nobody withdraws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.units import UINT256_MAX, Address, Amount, Wei
from keeper.venues.codec.abi import address, load
from keeper.venues.codec.calldata import decoder, refuse
from keeper.venues.effects import Call, Decoder, Draws, Effect
from keeper.venues.ports import Answer, Discovery, Probe, Saver

_VAULT, _RECEIPT, _ERC20 = load("erc4626"), load("pool_receipt"), load("erc20")


@dataclass(frozen=True, slots=True)
class VaultShares:
    """Shares of an ERC-4626 vault."""

    token: Address
    asset: Address

    @property
    def teller(self) -> Address:
        """The vault itself."""
        return self.token

    def probe(self, holder: Address) -> Probe[Amount]:
        """Return the probe of what may be withdrawn now."""
        read = _VAULT.maxWithdraw.read(self.token, holder)
        return Probe((read,), lambda answers: _amount(_VAULT.maxWithdraw.decode_or_none(answers[0])))

    def encode(self, amount: Amount, holder: Address) -> Call:
        """Return the withdrawal of exactly so much."""
        return Call(self.token, _VAULT.withdraw.encode(amount, holder, holder), Wei(0), "redeem savings from the vault")

    def decoder(self) -> Decoder:
        """Return what a withdrawal does; nothing else of a vault is called."""

        def withdrawn(amount: int, receiver: Address, owner: Address) -> tuple[Effect, ...]:
            refuse(not amount, "a withdrawal of nothing")
            return (Draws(self.asset, amount, owner, receiver),)

        return decoder({"withdraw(uint256,address,address)": withdrawn})


@dataclass(frozen=True, slots=True)
class PoolSupply:
    """A supply in a lending pool, one for one, with nothing owed against it that is looked at."""

    token: Address
    asset: Address
    pool: Address

    @property
    def teller(self) -> Address:
        """The pool."""
        return self.pool

    def probe(self, holder: Address) -> Probe[Amount]:
        """Return the probe of the balance, or what lies there where that is less."""
        reads = (_ERC20.balanceOf.read(self.token, holder), _ERC20.balanceOf.read(self.asset, self.token))

        def decode(answers: Sequence[Answer]) -> Amount:
            held, there = (_amount(_ERC20.balanceOf.decode_or_none(answer)) for answer in answers)
            return min(held, there)

        return Probe(reads, decode)

    def encode(self, amount: Amount, holder: Address) -> Call:
        """Return the withdrawal of exactly so much."""
        data = _RECEIPT.withdraw.encode(self.asset, amount, holder)
        return Call(self.pool, data, Wei(0), "redeem savings from the pool")

    def decoder(self) -> Decoder:
        """Return what a withdrawal does: whoever sends it withdraws what is his own."""

        def withdrawn(asset: Address, amount: int, receiver: Address) -> tuple[Effect, ...]:
            refuse(asset != self.asset, "a withdrawal of another asset")
            refuse(not amount or amount == UINT256_MAX, "a withdrawal without an amount")
            return (Draws(asset, amount, None, receiver),)

        return decoder({"withdraw(address,uint256,address)": withdrawn})


def discover_saver(token: Address) -> Discovery[Saver | None]:
    """Find what kind of savings a token is; None for one that is none."""
    asset, underlying, pool = yield (
        _VAULT.asset.read(token),
        _RECEIPT.UNDERLYING_ASSET_ADDRESS.read(token),
        _RECEIPT.POOL.read(token),
    )
    of_vault, of_pool = _VAULT.asset.decode_or_none(asset), _RECEIPT.UNDERLYING_ASSET_ADDRESS.decode_or_none(underlying)
    at = _RECEIPT.POOL.decode_or_none(pool)
    if of_pool is not None and at is not None:
        return PoolSupply(token, address(of_pool[0]), address(at[0]))
    return None if of_vault is None else VaultShares(token, address(of_vault[0]))


def _amount(found: tuple[int, ...] | None) -> Amount:
    return Amount(found[0] if found else 0)
