"""Every recorded request is made anew, byte for byte, and every answer is read as it was recorded."""

from __future__ import annotations

import re

import pytest
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from gmx_recordings import (
    ADDRESSES,
    AT,
    ERRORS,
    KEYS,
    MARKET,
    SCENARIOS,
    USDC,
    WETH,
    as_given,
    every,
    function,
    raw,
    step,
    steps,
)

from keeper.core.units import Address, Bps
from keeper.venues.codec.abi import Abi, custom_error, load, revert_reason
from keeper.venues.gmx_v2 import answers as gmx_v2_answers
from keeper.venues.gmx_v2 import keys as gmx_v2_keys
from keeper.venues.gmx_v2 import markets as gmx_v2
from keeper.venues.gmx_v2.markets import discover_account, discover_market, price_probe
from keeper.venues.ports import Answer, Discovery, Read, ReadFailedError

ABIS = {"Reader": load("gmx_v2_reader"), "DataStore": load("gmx_v2_data_store")}
WHERE = {"Reader": AT.reader, "DataStore": AT.data_store}
TRADER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")


def known(abi: Abi | None, name: str) -> bool:
    return hasattr(abi, name)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_read_is_made_and_read_as_recorded(name: str) -> None:
    """All views the keeper has a use for; a thousand requests."""
    for s in steps(name, "read"):
        abi = ABIS.get(s["to_name"])
        if abi is None or not known(abi, function(s)):
            continue
        view = getattr(abi, function(s))
        assert view.read(WHERE[s["to_name"]], *as_given(s["args"])) == Read(WHERE[s["to_name"]], raw(s["calldata"]))
        assert view.decode(raw(s["result"])) == as_given(s["decoded"])


def test_almost_every_read_is_among_them() -> None:
    """What is left out are lists of markets and the token contracts' own views."""
    reads = [s for _, s in every("read") if s["to_name"] in ABIS]
    assert sum(known(ABIS[s["to_name"]], function(s)) for s in reads) >= len(reads) - 6 >= 900


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KEYS)
def test_a_key_of_the_data_store_is_the_recorded_one(name: str) -> None:
    """Base keys, and those derived from them."""
    told = KEYS[name]
    assert gmx_v2_keys.base_key(name) == raw(told["base_key"])
    arguments = as_given(told["example"]["args"])
    base, types = gmx_v2_keys.base_key(name), tuple(told["arg_types"])
    assert gmx_v2_keys.derived(base, types, arguments) == raw(told["example"]["key"])
    if name in gmx_v2_keys.ARGUMENTS:
        assert gmx_v2_keys.key(name, *arguments) == raw(told["example"]["key"])


def test_every_key_that_was_read_is_derived_alike() -> None:
    """Nine hundred of them."""
    count = 0
    for _, s in every("read"):
        if told := s.get("key"):
            types = tuple(KEYS[told["name"]]["arg_types"])
            base = gmx_v2_keys.base_key(told["name"])
            assert gmx_v2_keys.derived(base, types, tuple(as_given(a)[-1] for a in told["args"])) == raw(told["key"])
            count += 1
    assert count >= 700


def test_a_key_takes_its_arguments_and_no_others() -> None:
    """A key of a market without the market would be somebody else's figure."""
    with pytest.raises(ValueError, match="takes 2 arguments"):
        gmx_v2_keys.key("POSITION_FEE_FACTOR", MARKET.token)


def test_a_position_key_is_the_one_the_reader_was_asked_with() -> None:
    """Scenario 02: the trader's short with USDC."""
    key = gmx_v2_keys.position_key(TRADER, MARKET.token, USDC.address, is_long=False)
    assert key == raw(step("02", 57)["args"]["positionKey"])


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("selector", ERRORS["seen"])
def test_every_error_seen_has_its_name(selector: str) -> None:
    """By selector, whatever its arguments."""
    signature = ERRORS["seen"][selector]["signature"]
    found = custom_error(raw(selector))
    assert (found[0] if found else "Error") == signature.split("(")[0]


def test_errors_are_read_with_their_arguments() -> None:
    """Every refused call of the recordings."""
    count = 0
    for _, s in every("call_revert"):
        error = s["error"]
        if not error["selector"] or error["selector"] == "0x08c379a0":
            continue
        found = custom_error(raw(s["revert_data"]))
        assert found
        assert (found[0], found[1]) == (error["signature"].split("(")[0], as_given(error["args"]))
        count += 1
    assert count >= 15


def test_a_refusal_is_told_in_words() -> None:
    """As everything else that reverts."""
    assert revert_reason(raw("0x4dfbbff3")) == "EmptyPosition"


# --- discovery -------------------------------------------------------------------------------------------------------


def run(search: Discovery[object], answer: object) -> object:
    reads = next(search)
    while True:
        try:
            reads = search.send([answer(read) for read in reads])  # type: ignore[operator]
        except StopIteration as done:
            return done.value


FEEDS = {WETH.address: WETH, USDC.address: USDC}


def chain(read: Read) -> Answer:
    """The lab's market, with the feeds it stands on."""
    data, reader, erc20, feed = ABIS["DataStore"], ABIS["Reader"], load("erc20"), load("chainlink_feed")
    if read.data[:4] == reader.getMarket.selector:
        return encode(["address"] * 4, [MARKET.token, WETH.address, WETH.address, USDC.address])
    if token := FEEDS.get(read.to):
        text = read.data[:4] == erc20.symbol.selector
        return encode(["string"], [token.symbol]) if text else encode(["uint8"], [token.decimals])
    for token in FEEDS.values():
        stored: dict[bytes, tuple[str, object]] = {
            gmx_v2_keys.key("PRICE_FEED", token.address): ("address", token.feed),
            gmx_v2_keys.key("PRICE_FEED_MULTIPLIER", token.address): ("uint256", token.multiplier),
            gmx_v2_keys.key("PRICE_FEED_HEARTBEAT_DURATION", token.address): ("uint256", token.heartbeat_s),
        }
        if read.to == AT.data_store and read.data[4:] in stored:
            kind, value = stored[read.data[4:]]
            return encode([kind], [value])
    assert read.data[:4] in (feed.decimals.selector, data.getUint.selector)
    return encode(["uint8"], [8])


def test_a_market_is_found_with_its_feeds() -> None:
    """From its token's address alone."""
    assert run(discover_market(AT, MARKET.token), chain) == MARKET


def test_an_index_without_a_contract_has_the_decimals_of_its_feed() -> None:
    """GMX's synthetic tokens are only addresses; the multiplier tells how they are counted."""

    def silent(read: Read) -> Answer:
        return None if read.to == WETH.address else chain(read)

    found = run(discover_market(AT, MARKET.token, symbol="ETH"), silent)
    assert isinstance(found, gmx_v2.GmxMarket)
    assert (found.index.decimals, found.symbol) == (18, "ETH")


def test_a_token_without_a_feed_is_not_guessed() -> None:
    """Without a price nothing of the market can be judged."""
    key = gmx_v2_keys.key("PRICE_FEED", WETH.address)

    def without(read: Read) -> Answer:
        return bytes(32) if read.data[4:] == key else chain(read)

    with pytest.raises(ReadFailedError, match="no feed"):
        run(discover_market(AT, MARKET.token), without)
    found = run(discover_market(AT, MARKET.token, {"WETH": WETH.feed}.get), without)
    assert isinstance(found, gmx_v2.GmxMarket)
    assert (found.index.feed, found.index.multiplier) == (WETH.feed, WETH.multiplier)


def test_an_age_that_nobody_tells_is_the_owner_s() -> None:
    """What GMX allows is known; a feed of the owner's own has none."""
    found = run(discover_market(AT, MARKET.token, {"WETH": USDC.feed}.get), chain)
    assert isinstance(found, gmx_v2.GmxMarket)
    assert (found.index.heartbeat_s, found.short.heartbeat_s) == (0, USDC.heartbeat_s)
    aged = gmx_v2.with_heartbeats(found, lambda token: token.heartbeat_s or 90_000)
    assert [t.heartbeat_s for t in aged.tokens] == [90_000, 90_000, USDC.heartbeat_s]


def test_an_address_that_is_no_market_is_refused() -> None:
    """The Reader answers zeros for it."""
    with pytest.raises(ReadFailedError, match="no market"):
        run(discover_market(AT, MARKET.token), lambda _: bytes(128))


def test_prices_are_the_feeds_in_the_reader_s_units() -> None:
    """3000 dollars are 3000 * 10^12 for one wei of ETH, one dollar is 10^24 for a millionth of a USDC."""
    answers = {
        WETH.feed: encode(["uint80", "int256", "uint256", "uint256", "uint80"], [7, 3000 * 10**8, 1, 1_700_000_000, 7]),
        USDC.feed: encode(["uint80", "int256", "uint256", "uint256", "uint80"], [9, 10**8, 1, 1_700_000_001, 9]),
    }
    probe = price_probe(MARKET)
    prices = probe.decode([answers[read.to] for read in probe.reads])
    assert prices.struct == ((3000 * 10**12,) * 2, (3000 * 10**12,) * 2, (10**24,) * 2)
    assert (prices.index.answer, prices.index.updated_at, prices.index.round_id) == (3000 * 10**8, 1_700_000_000, 7)
    wide = price_probe(MARKET, Bps(10)).decode([answers[read.to] for read in probe.reads])
    assert wide.struct[0] == (2997 * 10**12, 3003 * 10**12)


def test_an_account_is_found_with_all_it_has() -> None:
    """Scenario 12: one short and two resting orders."""
    recorded = {raw(s["calldata"]): raw(s["result"]) for s in steps("12", "read") if int(s["i"]) < 12}
    positions, orders = run(discover_account(AT, TRADER), lambda read: recorded[read.data])  # type: ignore[misc]
    assert [(p.market, p.collateral_token, p.is_long) for p in positions] == [(MARKET.token, USDC.address, False)]
    assert [o.type for o in orders] == [6, 6]


def test_a_deleted_order_is_no_order() -> None:
    """getOrder answers zeros for it."""
    answers = [
        ABIS["Reader"].getOrder.decode(raw(s["result"]))[0] for _, s in every("read") if function(s) == "getOrder"
    ]
    rows = [gmx_v2_answers.order_row(bytes(32), fields) for fields in answers]
    assert [row.exists for row in rows] == [True, False]


def test_the_recordings_name_only_the_contracts_of_the_chain() -> None:
    """Addresses are checksummed, as every address the keeper compares."""
    found = [value for value in ADDRESSES.values() if re.fullmatch("0x[0-9a-fA-F]{40}", str(value))]
    assert all(to_checksum_address(value) == value for value in found)
