"""Powers as GMX v2 computes them, to the last digit.

``Precision.applyExponentFactor`` goes from 30 to 18 decimals and back, and takes the power in between as
``2 ** (log2(x) * y)`` in the binary fixed point of PRBMathUD60x18. The price impact of a trade is made of such powers,
so whoever wants the contract's figure has to round where it rounds.
"""

from __future__ import annotations

from functools import cache
from math import isqrt

FLOAT = 10**30
_WEI = 10**18
_TO_WEI = 10**12
_BITS = 64


def exponent_factor(value: int, exponent: int) -> int:
    """Return ``value ** exponent``, all with 30 decimals; zero below one dollar, as the contract has it."""
    if value < FLOAT:
        return 0
    if exponent == FLOAT:
        return value
    return _power(value // _TO_WEI, exponent // _TO_WEI) * _TO_WEI


def _power(x: int, y: int) -> int:
    """Return ``x ** y`` with 18 decimals for ``x`` of at least one."""
    product = _log2(x) * y
    return _exp2(product // _WEI + (product % _WEI >= _WEI // 2))


def _log2(x: int) -> int:
    whole = (x // _WEI).bit_length() - 1
    result, y, part = whole * _WEI, x >> whole, _WEI // 2
    if y == _WEI:
        return result
    while part:
        y = y * y // _WEI
        if y >= 2 * _WEI:
            result += part
            y >>= 1
        part >>= 1
    return result


def _exp2(x: int) -> int:
    fixed = (x << _BITS) // _WEI
    result = 1 << 191
    for i, root in enumerate(_roots()):
        if fixed >> (_BITS - 1 - i) & 1:
            result = result * root >> _BITS
    return result * _WEI >> (191 - (fixed >> _BITS))


@cache
def _roots() -> tuple[int, ...]:
    """Return ``2 ** (1/2), 2 ** (1/4), ...`` with 64 binary digits, to the nearest."""
    precise, root = 512, 2 << 512
    found = []
    for _ in range(_BITS):
        root = isqrt(root << precise)
        found.append((root + (1 << (precise - _BITS - 1))) >> (precise - _BITS))
    return tuple(found)
