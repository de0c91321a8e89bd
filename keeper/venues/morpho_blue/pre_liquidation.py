"""Pre-liquidation contracts of a market: which of those named are of it, and what each may do.

Source: morpho-org/pre-liquidation, ``PreLiquidation`` (terms fixed when it is made; ``preLiquidate``). It sells while
debt is above ``preLltv`` and not above LLTV of the collateral's worth, for whoever authorised it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.lending.position import SecondLine
from keeper.core.units import WAD, Address, Wad, mul_div_down
from keeper.venues.codec.abi import address, load
from keeper.venues.ports import Discovery

_PRE = load("morpho_blue_pre_liquidation")


@dataclass(frozen=True, slots=True)
class PreLiquidation:
    """One contract's terms: they never change."""

    contract: Address
    pre_lltv: int
    close_factors: tuple[int, int]
    incentives: tuple[int, int]
    oracle: Address
    is_known: bool = True
    """Whether Morpho's factory made it, as far as the network file names the factory."""

    def line(self, lltv: int, *, is_let: bool) -> SecondLine:
        """Return it as the story knows a second line, of a market with such an LLTV."""
        first, last = (Wad(factor - WAD) for factor in self.incentives)
        most = Wad(min(WAD, self.close_factors[0])), Wad(min(WAD, self.close_factors[1]))
        return SecondLine(
            self.contract,
            Wad(mul_div_down(lltv, WAD, self.pre_lltv)),
            most,
            (first, last),
            is_let=is_let,
            is_known=self.is_known,
        )


def discover_pre_liquidations(
    contracts: Sequence[Address], blue: Address, id_: str, factory: Address | None = None
) -> Discovery[tuple[PreLiquidation, ...]]:
    """Find which of the contracts named are of this Morpho and this market; what does not answer is none."""
    if not contracts:
        return ()
    asked = (_PRE.MORPHO, _PRE.ID, _PRE.preLiquidationParams)
    answers = yield tuple(f.read(at) for at in contracts for f in asked)
    made = [True] * len(contracts)
    if factory is not None:
        said = yield tuple(_PRE.isPreLiquidation.read(factory, at) for at in contracts)
        made = [bool((_PRE.isPreLiquidation.decode_or_none(a) or (0,))[0]) for a in said]
    found = list[PreLiquidation]()
    for i, at in enumerate(contracts):
        morpho, market, terms = (f.decode_or_none(a) for f, a in zip(asked, answers[3 * i : 3 * i + 3], strict=True))
        if morpho is None or market is None or terms is None:
            continue
        (lltv, least, most, low, high, oracle) = terms[0]
        if address(morpho[0]) == blue and market[0] == bytes.fromhex(id_[2:]) and lltv:
            found.append(PreLiquidation(at, lltv, (least, most), (low, high), address(oracle), made[i]))
    return tuple(found)
