"""Reads accounts of the Aave pool: one owner's totals, many owners' totals in one call, one token's balance."""

from collections.abc import Sequence
from typing import NamedTuple

from eth_abi.abi import decode

from sandbox.chain import Chain
from sandbox.deploy import Addresses


class AccountData(NamedTuple):
    """Aave's getUserAccountData as it is: dollars with 8 decimals, basis points, health factor with 18 decimals."""

    collateral: int
    debt: int
    available: int
    liquidation_threshold: int
    ltv: int
    health_factor: int


def account_data(chain: Chain, pool: str, owner: str) -> AccountData:
    return AccountData(*chain.at("PoolInstance", pool).functions.getUserAccountData(owner).call())


def accounts_data(chain: Chain, addresses: Addresses, owners: Sequence[str]) -> dict[str, AccountData]:
    """Many owners in one call, at one block."""
    pool = chain.at("PoolInstance", addresses["aave"]["pool"])
    calls = [(pool.address, True, pool.encode_abi("getUserAccountData", [owner])) for owner in owners]
    answers = chain.at("Multicall3", addresses["multicall3"]).functions.aggregate3(calls).call()
    return {
        owner: AccountData(*decode(["uint256"] * 6, data))
        for owner, (succeeded, data) in zip(owners, answers, strict=True)
        if succeeded
    }


def owed(chain: Chain, token: str, owner: str) -> int:
    """The balance of an aToken or a debt token, interest to the latest block included."""
    return int(chain.at("ERC20", token).functions.balanceOf(owner).call())
