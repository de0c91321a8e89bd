"""What calls to Balancer v3's vault do: the gate's own reading of them, apart from ``calls``, which makes them."""

from __future__ import annotations

from keeper.core.units import BPS, Address, Bps, Wei, mul_div_up
from keeper.venues.codec.calldata import decoder
from keeper.venues.effects import Call, Decoder, Effect, Lends, Nested, Returns

NO_FEE = Bps(0)


def vault_decoder(vault: Address, account: Address, most_fee: Bps = NO_FEE) -> Decoder:
    """Return what an account's calls to the vault do: a call back to itself, a loan, and that it is given back."""

    def unlock(data: bytes) -> tuple[Effect, ...]:
        return (Nested(Call(account, data, Wei(0), "called back")),)

    def send(asset: Address, receiver: Address, amount: int) -> tuple[Effect, ...]:
        return (Lends(asset, amount, receiver, mul_div_up(amount, most_fee, BPS)),)

    def settle(asset: Address, amount: int) -> tuple[Effect, ...]:
        return (Returns(asset, amount, vault),)

    return decoder(
        {"unlock(bytes)": unlock, "sendTo(address,address,uint256)": send, "settle(address,uint256)": settle}
    )
