"""ERC-20: balances, allowances and exact approvals."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.units import NATIVE, Address, Amount, Wei
from keeper.venues.codec.abi import load
from keeper.venues.codec.quantities import plain
from keeper.venues.contracts import multicall3
from keeper.venues.ports import Answer, Call, Probe

_ERC20 = load("erc20")
LONGEST_SYMBOL = 32
"""Characters of a token's symbol that are shown."""


def wallet_probe(
    owner: Address,
    assets: Sequence[Address],
    multicall: Address,
    payer: Address | None = None,
    kept: Wei | None = None,
) -> Probe[tuple[Wei, dict[Address, Amount]]]:
    """Return the probe of an account's native balance and its balances of tokens; zero balances are left out.

    The native balance is that of ``payer``, where somebody else pays for its gas. Where it is an asset itself, what is
    above ``kept`` may be paid with; nothing of it where nobody said how much stays for gas.
    """
    tokens = [a for a in assets if a != NATIVE]
    pays = NATIVE in assets and payer in (None, owner) and kept is not None
    reads = (
        multicall3.balance_of().read(multicall, payer or owner),
        *(_ERC20.balanceOf.read(a, owner) for a in tokens),
    )

    def decode(answers: Sequence[Answer]) -> tuple[Wei, dict[Address, Amount]]:
        (native,) = multicall3.balance_of().decode(answers[0])
        found = zip(tokens, answers[1:], strict=True)
        # a token that cannot give a balance is no money to count on
        amounts = {asset: Amount((_ERC20.balanceOf.decode_or_none(answer) or (0,))[0]) for asset, answer in found}
        if pays:
            amounts[NATIVE] = Amount(max(0, native - (kept or 0)))
        return Wei(native), {asset: amount for asset, amount in amounts.items() if amount}

    return Probe(reads, decode)


def allowance_probe(owner: Address, asset: Address, spender: Address) -> Probe[Amount]:
    """Return the probe of what ``spender`` may take of an asset now; of the chain's own currency nobody takes."""
    if asset == NATIVE:
        return Probe((), lambda _: Amount(0))
    read = _ERC20.allowance.read(asset, owner, spender)
    return Probe((read,), lambda answers: Amount(_ERC20.allowance.decode(answers[0])[0]))


def encode_approve(asset: Address, symbol: str, spender: Address, amount: Amount, whom: str) -> Call:
    """Return the call that sets an allowance to exactly ``amount``."""
    purpose = f"approve {whom} to take {symbol}" if amount else f"take back {whom}'s allowance of {symbol}"
    return Call(asset, _ERC20.approve.encode(spender, amount), Wei(0), purpose)


def decimals_probe(asset: Address) -> Probe[int]:
    """Return the probe of how many decimals a token's amounts have. Raises ReadFailedError: it does not say."""

    def decode(answers: Sequence[Answer]) -> int:
        return int(_ERC20.decimals.decode(answers[0])[0])

    return Probe((_ERC20.decimals.read(asset),), decode)


def symbol_probe(asset: Address) -> Probe[str | None]:
    """Return the probe of a token's symbol; None where nothing answers."""
    return Probe((_ERC20.symbol.read(asset),), lambda answers: symbol_of(answers[0], asset) if answers[0] else None)


def symbol_of(answer: Answer, asset: Address) -> str:
    """Return a token's symbol; some old tokens answer 32 bytes instead of a string, some nothing.

    A token calls itself what it likes: in one line, short, and nothing that a terminal obeys.
    """
    text = _ERC20.symbol.decode_or_none(answer)
    if text:
        return plain(str(text[0])).strip()[:LONGEST_SYMBOL] or asset[:8]
    if answer and len(answer) == 32:
        return plain(answer.rstrip(b"\0").decode("ascii", "replace")).strip() or asset[:8]
    return asset[:8]
