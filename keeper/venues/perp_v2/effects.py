"""What calls to Perp v2's vault and clearing house do: the gate's own reading, apart from ``calls``, which makes them.

Trades are of an exact size of the underlying, bounded in dollars after the exchange's fee, whole, without a referral.
"""

from __future__ import annotations

from collections.abc import Mapping

from keeper.core.perp.position import PerpPosition
from keeper.core.units import WAD, Address, mul_div_down, mul_div_up
from keeper.venues.codec.calldata import decoder, refuse
from keeper.venues.contracts.effects import token_decoders
from keeper.venues.effects import Closes, Decoder, Effect, Opens, Pays, Takes
from keeper.venues.perp_v2.markets import PerpV2Deployment, PerpV2Scope

MILLION = 10**6
"""What the exchange's fee is a share of."""


def decoders(deployment: PerpV2Deployment, scope: PerpV2Scope, position: PerpPosition) -> Mapping[Address, Decoder]:
    """Return the contracts that calls for an account go to, and what calls to each do."""
    vault = deployment.vault
    return {
        **token_decoders([deployment.collateral], [vault]),
        vault: _vault(vault),
        deployment.clearing_house: _clearing_house(
            {leg.market: leg.size for leg in position.legs}, {m.base_token: m.exchange_fee for m in scope.markets}
        ),
    }


def _vault(vault: Address) -> Decoder:
    """The vault takes what is paid by its own allowance; it credits and pays whoever sends, unless another is named."""
    return decoder(
        {
            "deposit(address,uint256)": lambda asset, amount: (Pays(asset, amount, None, vault),),
            "depositFor(address,address,uint256)": lambda owner, asset, amount: (Pays(asset, amount, owner, vault),),
            "withdraw(address,uint256)": lambda asset, amount: (Takes(asset, amount, None),),
        }
    )


def _clearing_house(sizes: Mapping[Address, int], fees: Mapping[Address, int]) -> Decoder:
    """Every trade is on the sender's account. ``sizes`` are signed, as they are at the block."""

    def size_of(market: Address) -> int:
        if market not in sizes or market not in fees:
            raise ValueError(f"{market} is not a market of the account")
        return sizes[market]

    def open_position(order: tuple[Address, bool, bool, int, int, int, int, bytes]) -> tuple[Effect, ...]:
        market, sells, is_exact_input, amount, bound, deadline, price_limit, referral = order
        held = size_of(market)
        refuse(sells != is_exact_input, "a trade of an exact amount of dollars")
        _check_form(bound, price_limit, referral)
        refuse(not amount, "a trade of nothing")
        worst = _worst_price(amount, bound, fees[market], sells=sells)
        if held and (held > 0) == sells:
            return (Closes(market, held > 0, amount, worst, deadline=deadline),)
        return (Opens(market, not sells, amount, worst, deadline=deadline),)

    def close_position(order: tuple[Address, int, int, int, bytes]) -> tuple[Effect, ...]:
        market, price_limit, bound, deadline, referral = order
        held = size_of(market)
        _check_form(bound, price_limit, referral)
        refuse(not held, "a trade of nothing")
        worst = _worst_price(abs(held), bound, fees[market], sells=held > 0)
        return (Closes(market, held > 0, None, worst, deadline=deadline),)

    return decoder(
        {
            "openPosition((address,bool,bool,uint256,uint256,uint256,uint160,bytes32))": open_position,
            "closePosition((address,uint160,uint256,uint256,bytes32))": close_position,
        }
    )


def _check_form(bound: int, price_limit: int, referral: bytes) -> None:
    refuse(not bound, "a trade without a bound")
    refuse(price_limit != 0, "a trade that may be filled in part")
    refuse(any(referral), "a referral")


def _worst_price(size: int, bound: int, fee: int, *, sells: bool) -> int:
    """Return the worst price, before the fee, that a bound after it lets a trade have; rounded against us."""
    if sells:  # the seller is paid the proceeds less the fee
        return mul_div_down(mul_div_up(bound, MILLION, MILLION - fee), WAD, size)
    return mul_div_up(mul_div_down(bound, MILLION - fee, MILLION), WAD, size)
