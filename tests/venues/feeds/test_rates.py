"""What a staked asset stands for: found by how its contract gives it, and never made up."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from keeper.core.units import WAD, Address
from keeper.venues.codec.abi import address, load
from keeper.venues.feeds.rates import RateKind, RateSource, discover_rates
from keeper.venues.ports import Answer

ABI = load("asset_rate")
ASSET, CONTRACT, OTHER = (address("0x" + f"{i}{i}" * 20) for i in range(1, 4))
RATE = 1_234_567_890_123_456_789


def word(value: int) -> bytes:
    return encode(["int256"], [value])


def found(known: dict[str, bytes], own: int = 18, of: int = 18) -> dict[Address, RateSource]:
    """What is found of an asset whose contract answers these functions alone."""
    search = discover_rates({ASSET: CONTRACT}, {ASSET: (own, of)})
    answers = {getattr(ABI, name).selector: answer for name, answer in known.items()}
    reads = next(search)
    try:
        search.send([answers.get(read.data[:4]) for read in reads])
    except StopIteration as done:
        sources: dict[Address, RateSource] = done.value
        return sources
    raise AssertionError("one round is enough")


LATEST = encode(["uint80", "int256", "uint256", "uint256", "uint80"], [1, RATE // 10**10, 0, 0, 1])


@pytest.mark.parametrize(
    ("known", "kind", "answer", "rate"),
    [
        ({"getRate": word(RATE)}, RateKind.RATE_PROVIDER, word(RATE), RATE),
        ({"stEthPerToken": word(RATE)}, RateKind.STAKED_ETH, word(RATE), RATE),
        ({"getExchangeRate": word(RATE)}, RateKind.EXCHANGE_RATE, word(RATE), RATE),
        ({"getRatio": word(RATE), "RATIO_DECIMALS": word(18)}, RateKind.RATIO, word(RATE), RATE),
        ({"convertToAssets": word(RATE)}, RateKind.VAULT, word(RATE), RATE),
        ({"latestRoundData": LATEST, "decimals": word(8)}, RateKind.FEED, LATEST, RATE // 10**10 * 10**10),
    ],
)
def test_each_way_a_contract_gives_a_rate_is_read(
    known: dict[str, bytes], kind: RateKind, answer: bytes, rate: int
) -> None:
    """A Balancer rate provider, wstETH, rETH, Aave's ratio adapters, an ERC-4626 vault, a Chainlink-shaped feed."""
    source = found(known)[ASSET]
    assert source.kind is kind
    assert source.probe().decode([answer]) == rate


def test_a_vault_s_shares_and_assets_have_decimals_of_their_own() -> None:
    """A share of 18 decimals that stands for 1.05 of an asset of 6."""
    source = found({"convertToAssets": word(1_050_000)}, own=18, of=6)[ASSET]
    assert source.probe().decode([word(1_050_000)]) == 105 * WAD // 100


@pytest.mark.parametrize("answer", [None, b"", b"\x01", word(0), word(-1), word(2**200)])
def test_what_cannot_be_a_rate_is_none(answer: Answer) -> None:
    """Silence, nonsense, zero, a million of the other and more: unknown, not one."""
    assert found({"getRate": answer} if answer is not None else {}) == {}
    assert RateSource(CONTRACT, RateKind.RATE_PROVIDER, WAD, WAD).probe().decode([answer]) is None


def test_a_feed_of_unknown_decimals_gives_no_rate() -> None:
    """Nor does a ratio: a wrong power of ten is a wrong rate."""
    assert found({"latestRoundData": LATEST}) == {}
    assert found({"getRatio": word(RATE)}) == {}


def test_nothing_asked_for_costs_no_read() -> None:
    """A network file that names no rate."""
    with pytest.raises(StopIteration) as done:
        next(discover_rates({}, {}))
    assert done.value.value == {}
