"""Bundles byte for byte as the real contracts took them, and read back to the last leaf by a decoder written apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bundler3_recordings import (
    A_USDC,
    A_WETH,
    COMET,
    COMET_WHERE,
    ERRORS,
    OF_COMET,
    OWNER,
    RECEIPTS,
    ROUTER,
    SCENARIOS,
    USDC,
    VECTORS,
    WETH,
    WHERE,
    Step,
    plain,
    raw,
    steps,
)
from core_builders import position

from keeper.core.lending.moves import Route
from keeper.core.units import UINT256_MAX, Address, Amount, Wei
from keeper.venues.bundler3 import calls
from keeper.venues.bundler3.calls import ALL, Inner
from keeper.venues.bundler3.effects import Reach, bundle_decoder
from keeper.venues.codec.abi import address, load, revert_reason
from keeper.venues.compound_v3.market import CometListing, CometMarket
from keeper.venues.compound_v3.model import Curve
from keeper.venues.effects import (
    Allows,
    Bundles,
    Call,
    Decoder,
    Entrusts,
    Flow,
    Lends,
    Passes,
    Permits,
    Pulls,
    Redeems,
    Releases,
    Repays,
    Returns,
    Trades,
)
from keeper.venues.ports import Mandate
from keeper.venues.uniswap_v3.effects import AT_ANY_TIME, router_seller
from keeper.venues.uniswap_v3.pools import UniswapDeployment as Uniswap
from keeper.venues.uniswap_v3.swaps import encode_sale

BUNDLES = [(f"{name}#{s['i']}", s) for name, s in steps("tx") if "tree" in s]
NAMES, TREES = [name for name, _ in BUNDLES], [s for _, s in BUNDLES]
REACH = Reach(RECEIPTS, {ROUTER: router_seller(ROUTER, (500, 3000))})
decode = bundle_decoder(WHERE, REACH)
CURVE = Curve(0, 0, 0, 0)
PLACES = ((USDC, "USDC", 6, None), (WETH, "WETH", 18, 0))
COMET_ASSETS = tuple(CometListing(a, s, d, COMET, index=i) for a, s, d, i in PLACES)
AGENCY = CometMarket("comet", COMET, COMET_ASSETS, CURVE, Amount(0), WHERE.bundler).agency
decode_comet = bundle_decoder(COMET_WHERE, Reach({}, REACH.sellers, AGENCY.leaves(COMET_WHERE.market_adapter)))
READ = [(name, s) for name, s in BUNDLES if not name.startswith("15_")]
"""Not the whole close of a Comet: it takes out all there is, which a keeper names."""
BUNDLER, TOKEN, PERMIT = load("bundler3"), load("erc20"), load("uniswap_v3_swap_router_02")
NEVER = 2**40


def bundle(*made: Inner) -> Call:
    return calls.encode_bundle(WHERE.bundler, made, "bundle")


def read(call: Call, by: Decoder = decode) -> Bundles:
    (found,) = by(call)
    assert isinstance(found, Bundles)
    return found


# --- byte for byte ---------------------------------------------------------------------------------------------------


def acting(name: str, args: dict[str, str]) -> bytes:
    """What the adapter for Comets is called with, by our own encoders: it repays with all that it has."""
    assert address(args["instance"]) == COMET
    if name == "compoundV3Repay":
        assert int(args["amount"]) == ALL
        return AGENCY.encode_repay(1, replace(position(), owner=address(args["onBehalf"])))
    return AGENCY.encode_release(address(args["asset"]), int(args["amount"]), address(args["receiver"]))


def made(call: Step) -> Inner:
    """A recorded call, made anew from its arguments alone by our own encoders."""
    args, name = call["args"], str(call["signature"]).split("(")[0]
    to = address(call["to"])
    match name:
        case "morphoFlashLoan":
            inner = [made(c) for c in call["callback"]]
            found = calls.flash_loan(WHERE, address(args["token"]), int(args["assets"]), inner)
        case "erc20Transfer":
            found = calls.hand_on(to, address(args["token"]), address(args["receiver"]), int(args["amount"]))
        case "erc20TransferFrom":
            found = calls.pull(WHERE, address(args["token"]), address(args["receiver"]), int(args["amount"]))
        case "aaveV3Repay":
            found = calls.repay(WHERE, address(args["token"]), int(args["amount"]), address(args["onBehalf"]))
        case "aaveV3Withdraw":
            found = calls.redeem(WHERE, address(args["token"]), address(args["receiver"]), int(args["amount"]))
        case name if name.startswith("compoundV3"):
            return replace(plain(call), data=acting(name, args))
        case _:
            return plain(call)
    return Inner(found.to, found.data, found.value, call["skipRevert"], found.callback_hash)


@pytest.mark.parametrize("step", TREES, ids=NAMES)
def test_a_bundle_is_encoded_as_it_was_sent(step: Step) -> None:
    """The whole transaction, callbacks and their hashes included."""
    assert bundle(*(made(c) for c in step["tree"])).data == raw(step["calldata"])


@pytest.mark.parametrize("vector", VECTORS, ids=[v["what"] for v in VECTORS])
def test_what_is_hashed_is_what_the_bundler_hashes(vector: dict[str, Any]) -> None:
    """The encoding of the calls, the hash that the call names, and the one the bundler keeps."""
    encoded = calls.encode_callback([plain(c) for c in vector["calls"]])
    assert encoded == raw(vector["encoding"])
    assert calls.callback_hash(encoded) == raw(vector["callbackHash"])
    assert calls.reenter_hash(address(vector["caller"]), calls.callback_hash(encoded)) == raw(vector["reenterHash"])


def test_a_sale_of_all_that_the_router_holds_is_the_recorded_one_with_a_deadline() -> None:
    """Scenario 11's swap, inside the multicall that makes it void later."""
    recorded = SCENARIOS["11_router_path_surplus_to_wallet"]["steps"][-1]["tree"][0]["callback"][-1]
    uniswap = Uniswap(ROUTER, ROUTER, ROUTER, (500,))
    sale = encode_sale(uniswap, Route((WETH, USDC), (500,), "uniswap_v3"), 109_100_000_000, WHERE.general_adapter, 7)
    assert sale.data == PERMIT.multicall.encode(7, [raw(recorded["data"])])


# --- read back -------------------------------------------------------------------------------------------------------


def told(call: Step) -> list[Flow]:
    """What a recorded call does, by its decoded arguments: a third telling, beside encoder and decoder."""
    args, name, to = call["args"], str(call["signature"]).split("(")[0], address(call["to"])
    given = args.get("params", args)
    token, receiver = (address(given[k]) if k in given else to for k in ("token", "receiver"))
    whole = given.get("amount")
    amount = None if whole is None or int(whole) == UINT256_MAX else int(whole)
    match name:
        case "morphoFlashLoan":
            inner = [flow for c in call["callback"] for flow in told(c)]
            return [Lends(token, int(args["assets"]), to), *inner, Returns(token, int(args["assets"]), to)]
        case "erc20Transfer":
            return [Passes(token, amount, to, receiver)]
        case "erc20TransferFrom":
            return [Pulls(token, amount, receiver, to)]
        case "aaveV3Repay":
            return [Repays(token, amount, to, address(args["onBehalf"]))]
        case "aaveV3Withdraw":
            return [Redeems(token, {WETH: A_WETH, USDC: A_USDC}[token], amount, to, receiver)]
        case "compoundV3Repay":
            return [Repays(USDC, amount, to, address(args["onBehalf"]))]
        case "compoundV3WithdrawFrom":
            return [Releases(address(args["asset"]), int(args["amount"]), receiver, to)]
        case "exactInputSingle":
            sold = int(given["amountIn"])
            ends = address(given["tokenIn"]), address(given["tokenOut"])
            holder, least = WHERE.bundler if sold else to, int(given["amountOutMinimum"])
            return [Trades(ends[0], sold or None, holder, ends[1], least, address(given["recipient"]), AT_ANY_TIME)]
        case "approve":
            return [Allows(to, int(args["amount"]), WHERE.bundler, address(args["spender"]))]
        case _:
            assert name == "permit"
            owner, spender = address(args["owner"]), address(args["spender"])
            return [Permits(to, int(args["value"]), owner, spender, int(args["deadline"]))]


@pytest.mark.parametrize(("name", "step"), READ, ids=[name for name, _ in READ])
def test_a_recorded_bundle_is_read_down_to_its_last_leaf(name: str, step: Step) -> None:
    """Every step in its order, and which of them may fail without a trace."""
    flows = [(flow, c["skipRevert"]) for c in step["tree"] for flow in told(c)]
    by = decode_comet if name.split("#", maxsplit=1)[0] in OF_COMET else decode
    found = read(Call(WHERE.bundler, raw(step["calldata"]), Wei(0), ""), by)
    assert list(found.flows) == [flow for flow, _ in flows]
    assert found.may_fail == tuple(i for i, (_, skips) in enumerate(flows) if skips)


LOAN = calls.flash_loan(WHERE, USDC, 5, [calls.hand_on(WHERE.general_adapter, USDC, OWNER, ALL)])
SWEEP = calls.hand_on(WHERE.general_adapter, USDC, OWNER, ALL)
STRANGER = Address(address("0x" + "5e" * 20))


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (bundle(), "a bundle of nothing"),
        (bundle(Inner(STRANGER, SWEEP.data)), "not on the list"),
        (bundle(Inner(WHERE.bundler, bundle(SWEEP).data)), "not on the list"),
        (bundle(Inner(SWEEP.to, SWEEP.data, value=1)), "native currency"),
        (bundle(Inner(SWEEP.to, SWEEP.data, callback_hash=b"\1" * 32)), "a call back"),
        (bundle(Inner(LOAN.to, LOAN.data)), "not those that were hashed"),
        (bundle(Inner(LOAN.to, LOAN.data, callback_hash=b"\1" * 32)), "not those that were hashed"),
        (bundle(Inner(SWEEP.to, SWEEP.data + b"\0" * 32)), "behind the arguments"),
        (bundle(Inner(WETH, TOKEN.balanceOf.encode(OWNER))), "is not one a bundle calls"),
        (bundle(Inner(WHERE.general_adapter, b"\1\2\3\4")), "is not one a bundle calls"),
        (bundle(calls.flash_loan(WHERE, USDC, 5, [])), "a bundle of nothing"),
        (bundle(calls.flash_loan(WHERE, USDC, 5, [calls.flash_loan(WHERE, USDC, 5, [LOAN])])), "so many loans"),
        (Call(WHERE.bundler, BUNDLER.reenter.encode([]), Wei(0), ""), "is not one a keeper calls"),
    ],
)
def test_what_no_keeper_sends_is_refused(call: Call, why: str) -> None:
    """A foreign leaf, money along, a wrong hash, a call back, bytes behind: none of it is read as something else."""
    with pytest.raises(ValueError, match=why):
        decode(call)


def test_a_sale_by_an_unknown_pool_within_a_bundle_is_refused() -> None:
    """Only pools that were looked for are sold to."""
    uniswap = Uniswap(ROUTER, ROUTER, ROUTER, ())
    sale = encode_sale(uniswap, Route((WETH, USDC), (100,), "uniswap_v3"), 1, WHERE.general_adapter, NEVER)
    with pytest.raises(ValueError, match="a pool with a fee of 100"):
        decode(bundle(Inner(ROUTER, sale.data)))


def test_a_sale_by_several_pools_is_read_by_its_ends() -> None:
    """The path of exact input has what is sold first."""
    uniswap = Uniswap(ROUTER, ROUTER, ROUTER, ())
    route = Route((WETH, A_WETH, USDC), (500, 3000), "uniswap_v3")
    sale = encode_sale(uniswap, route, 9, WHERE.general_adapter, NEVER)
    expected = Trades(WETH, None, ROUTER, USDC, 9, WHERE.general_adapter, NEVER)
    assert read(bundle(Inner(ROUTER, sale.data))).flows == (expected,)


ADAPTER3 = COMET_WHERE.market_adapter
REPAY_SOME = load("bundler3_compound_v3_adapter").compoundV3Repay


def word(agent: Address, *, is_on: bool) -> Inner:
    """An owner's word, as a bundle brings it."""
    said = Mandate(OWNER, agent, is_on, 3, 9, 27, bytes(32), bytes(32))
    return Inner(*AGENCY.encode_mandate(said))


def test_an_owners_word_about_a_comet_is_read_with_whom_and_until_when() -> None:
    """The market itself is called with it, and with nothing else."""
    said = [word(ADAPTER3, is_on=True), word(ADAPTER3, is_on=False)]
    assert read(bundle(*said), decode_comet).flows == tuple(Entrusts(ADAPTER3, on, OWNER, 9) for on in (True, False))


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (Inner(ADAPTER3, REPAY_SOME.encode(COMET, 5, OWNER)), "may become a supply"),
        (Inner(ADAPTER3, REPAY_SOME.encode(STRANGER, ALL, OWNER)), "another market"),
        (Inner(ADAPTER3, AGENCY.encode_release(WETH, ALL, ROUTER)), "without an amount"),
        (Inner(ADAPTER3, AGENCY.encode_release(WETH, 0, ROUTER)), "without an amount"),
        (word(STRANGER, is_on=True), "a word about"),
        (word(WHERE.bundler, is_on=True), "a word about"),
        (Inner(COMET, AGENCY.encode(ADAPTER3, is_on=True).data), "is not one a bundle calls"),
        (Inner(COMET, load("compound_v3").supplyTo.encode(OWNER, USDC, 5)), "is not one a bundle calls"),
        (calls.redeem(COMET_WHERE, WETH, ROUTER), "is not one a bundle calls"),
        (calls.repay(WHERE, USDC, ALL, OWNER), "not on the list"),
    ],
)
def test_what_no_keeper_sends_to_a_comet_in_a_bundle_is_refused(call: Inner, why: str) -> None:
    """An amount that may become a supply, another market, all there is, another who is let act."""
    with pytest.raises(ValueError, match=why):
        decode_comet(bundle(call))


def test_a_recorded_whole_close_of_a_comet_is_refused_for_all_there_is() -> None:
    """It takes out what it does not name: what is sold would not be what is judged."""
    closed = next(s for name, s in BUNDLES if name.startswith("15_"))
    with pytest.raises(ValueError, match="without an amount"):
        decode_comet(Call(WHERE.bundler, raw(closed["calldata"]), Wei(0), ""))


def test_the_base_asset_is_never_taken_out_of_a_comet() -> None:
    """Without a supply of his own that would be a debt."""
    with pytest.raises(ValueError, match="no collateral"):
        AGENCY.encode_release(USDC, 5, ROUTER)


# --- refusals --------------------------------------------------------------------------------------------------------

REFUSED = [(f"{name}#{s['i']}", s) for name, s in steps("call_revert", "tx") if s.get("revert_data")]


@pytest.mark.parametrize("step", [s for _, s in REFUSED], ids=[name for name, _ in REFUSED])
def test_a_recorded_refusal_has_its_name(step: Step) -> None:
    """The innermost error comes through the bundler unchanged."""
    said, error = revert_reason(raw(step["revert_data"])), step["error"]
    match error["signature"]:
        case "Error(string)":
            assert said == error["args"]["message"]
        case "Panic(uint256)":
            assert said == "panic 0x11"
        case signature:
            assert said.startswith(signature.split("(")[0])


def test_every_error_of_the_adapters_has_its_name() -> None:
    """All that the recordings list, Compound's apart."""
    apart = {"BuyAmountTooLow", "CTokenIsCETH", "DepositFailed", "InvalidAugustus", "InvalidOffset", "RedeemError"}
    apart |= {"RepayError", "SellAmountTooHigh", "WithdrawFailed"}
    listed = ERRORS["all"].items() if isinstance(ERRORS["all"], dict) else [(e["selector"], e) for e in ERRORS["all"]]
    for selector, entry in listed:
        signature = entry if isinstance(entry, str) else entry["signature"]
        name = signature.split("(")[0]
        if name not in apart and name not in ("Error", "Panic"):
            assert revert_reason(raw(selector)).startswith(name), signature
