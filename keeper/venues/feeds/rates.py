"""What one staked or wrapped asset stands for now, by a rate provider, the token itself, a vault, or a feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from keeper.core.units import WAD, Address, Wad, mul_div_down
from keeper.venues.codec.abi import load
from keeper.venues.ports import Answer, Discovery, Probe, Read

_RATE = load("asset_rate")
MOST_RATE = 10**6 * WAD
"""No asset stands for a million of another: an answer beyond it is something else."""


class RateKind(Enum):
    """How a contract gives the rate."""

    RATE_PROVIDER = "getRate"
    STAKED_ETH = "stEthPerToken"
    EXCHANGE_RATE = "getExchangeRate"
    RATIO = "getRatio"
    VAULT = "convertToAssets"
    FEED = "latestRoundData"


@dataclass(frozen=True, slots=True)
class RateSource:
    """A contract that gives a rate, and how. ``unit`` is a whole share, ``scale`` what its answers are counted in."""

    contract: Address
    kind: RateKind
    unit: int
    scale: int

    @property
    def read(self) -> Read:
        """The one read of the rate."""
        return _read(self.contract, self.kind, self.unit)

    def probe(self) -> Probe[Wad | None]:
        """Return the probe of the rate; None when it does not answer, or nothing that could be a rate."""

        def decode(answers: Sequence[Answer]) -> Wad | None:
            return _rate(self.kind, answers[0], self.scale)

        return Probe((self.read,), decode)


def discover_rates(
    wanted: Mapping[Address, Address], decimals: Mapping[Address, tuple[int, int]]
) -> Discovery[dict[Address, RateSource]]:
    """Find how each asset's contract gives its rate; one that gives none is left out.

    ``wanted`` is asset → contract, ``decimals`` asset → decimals of the asset, and of what it stands for.
    """
    if not wanted:
        return {}
    reads = list[Read]()
    for asset, contract in wanted.items():
        reads += [_read(contract, kind, 10 ** decimals[asset][0]) for kind in RateKind]
        reads += [_RATE.decimals.read(contract), _RATE.RATIO_DECIMALS.read(contract)]
    answers, found, width = (yield tuple(reads)), dict[Address, RateSource](), len(RateKind) + 2
    for i, (asset, contract) in enumerate(wanted.items()):
        *mine, feed, ratio = answers[i * width : (i + 1) * width]
        own, stands_for = decimals[asset]
        scales = {
            RateKind.VAULT: 10**stands_for,
            RateKind.FEED: _power(_RATE.decimals.decode_or_none(feed)),
            RateKind.RATIO: _power(_RATE.RATIO_DECIMALS.decode_or_none(ratio)),
        }
        for kind, answer in zip(RateKind, mine, strict=True):
            scale = scales.get(kind, WAD)
            if scale and _rate(kind, answer, scale) is not None:
                found[asset] = RateSource(contract, kind, 10**own, scale)
                break
    return found


def _read(contract: Address, kind: RateKind, unit: int) -> Read:
    match kind:
        case RateKind.RATE_PROVIDER:
            return _RATE.getRate.read(contract, gas=60_000)
        case RateKind.STAKED_ETH:
            return _RATE.stEthPerToken.read(contract, gas=60_000)
        case RateKind.EXCHANGE_RATE:
            return _RATE.getExchangeRate.read(contract, gas=60_000)
        case RateKind.RATIO:
            return _RATE.getRatio.read(contract, gas=60_000)
        case RateKind.VAULT:
            return _RATE.convertToAssets.read(contract, unit, gas=60_000)
        case RateKind.FEED:
            return _RATE.latestRoundData.read(contract, gas=60_000)


def _power(decimals: tuple[int, ...] | None) -> int:
    """Return the scale of so many decimals, zero where nobody says it."""
    return 10 ** decimals[0] if decimals else 0


def _rate(kind: RateKind, answer: Answer, scale: int) -> Wad | None:
    """Return the rate in an answer, rounded down."""
    decoded = getattr(_RATE, kind.value).decode_or_none(answer)
    if not decoded:
        return None
    rate = mul_div_down(decoded[1] if kind is RateKind.FEED else decoded[0], WAD, scale)
    return Wad(rate) if 0 < rate <= MOST_RATE else None
