"""What a lender asks for a loan of one transaction, as lenders say it (ERC-3156 ``flashFee``)."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.lending.loan_fees import LoanFee
from keeper.core.units import WAD, Address, Amount, Wad
from keeper.venues.codec.abi import load
from keeper.venues.ports import Answer, Probe

_LENDER = load("erc3156_lender")
ONE, MANY = 1, WAD
"""What is asked about: of one unit it says the sum, of very many the share."""


def fee_probe(lender: Address, assets: Sequence[Address]) -> Probe[dict[Address, LoanFee]]:
    """Return the probe of a lender's fees, each from above; an asset for which it names none is not in it.

    A sum and a share of what is lent: what is in both answers counts twice, and what is not taken is the owner's.
    """

    def decode(answers: Sequence[Answer]) -> dict[Address, LoanFee]:
        found = dict[Address, LoanFee]()
        for asset, one, many in zip(assets, answers[::2], answers[1::2], strict=True):
            least, most = (_LENDER.flashFee.decode_or_none(answer) for answer in (one, many))
            if least is not None and most is not None:
                found[asset] = LoanFee(Amount(least[0]), Wad(most[0]))
        return found

    reads = tuple(_LENDER.flashFee.read(lender, asset, amount) for asset in assets for amount in (ONE, MANY))
    return Probe(reads, decode)


NOTHING: Probe[dict[Address, LoanFee]] = Probe((), lambda _: {})
"""Of a lender that is taken to lend for nothing nothing is asked."""
