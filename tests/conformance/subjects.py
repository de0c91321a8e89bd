"""The subjects of the suite: for each venue what it makes, and by hand what that must be read back as.

A third telling, beside the encoder and the decoder: where two of them agree by mistake the third does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from comet_recordings import accounts as comet_accounts
from core_builders import BLOCK, NOW, OWNER, at, holding, position
from gmx_recordings import MARKET, USDC
from hypothesis import strategies as st
from morpho_builders import BLUE, a_market
from morpho_builders import a_position as a_loan
from perp_builders import a_leg, a_position, resting
from test_gmx_v2_orders import TERMS
from toy_bank.subject import made_of, market_of
from venus_builders import V_DOLLAR, V_ETHER, V_OWN
from venus_builders import a_market as a_comptroller
from venus_builders import a_position as a_v2_loan

from keeper.core.grounds import Grounds
from keeper.core.lending.grounds import grounds as of_lending
from keeper.core.lending.moves import (
    Borrow,
    Flash,
    MarketMove,
    Pledge,
    Repay,
    RepayWithCollateral,
    Route,
    Supply,
    Swap,
    Unpledge,
    Withdraw,
)
from keeper.core.perp.grounds import grounds as of_perp
from keeper.core.perp.moves import (
    AddMargin,
    AllowMargin,
    CancelOrder,
    ClaimFunding,
    PerpMove,
    PlaceOrder,
    TakeMargin,
    Trade,
    UpdateOrder,
)
from keeper.core.perp.position import OrderKind, PerpPosition
from keeper.core.units import NATIVE, UINT256_MAX, WAD, Address, Amount, Wei
from keeper.execution.carriers import Plain
from keeper.execution.through_safe import ThroughSafe
from keeper.venues.aave_v3.market import AaveMarket
from keeper.venues.aave_v3.reserves import Listing
from keeper.venues.balancer_v3.calls import encode_loan, encode_return, encode_unlock
from keeper.venues.balancer_v3.lender import Vault
from keeper.venues.bundler3.lender import Bundler
from keeper.venues.codec.abi import address
from keeper.venues.compound_v2.market import V2Listing
from keeper.venues.contracts import batch_account, erc20
from keeper.venues.contracts.effects import batch_decoder, token_decoders
from keeper.venues.contracts.safe import Safe, encode_back, encode_by_owner
from keeper.venues.contracts.savings import PoolSupply, VaultShares
from keeper.venues.effects import (
    Approves,
    Borrows,
    Bundles,
    Call,
    Cancels,
    Carries,
    Changes,
    Claims,
    Closes,
    Decoder,
    Draws,
    Effect,
    Entrusts,
    GivesBack,
    Insists,
    Lends,
    Nested,
    Offsets,
    Opens,
    Orders,
    Passes,
    Pays,
    Pledges,
    Pulls,
    Redeems,
    Releases,
    Repays,
    Returns,
    Sells,
    Takes,
    Trades,
    Unpledges,
    UsesUp,
)
from keeper.venues.gmx_v2 import effects as gmx_v2
from keeper.venues.gmx_v2.moves import Execution
from keeper.venues.gmx_v2.moves import encode_move as encode_gmx
from keeper.venues.gmx_v2.positions import GmxScope
from keeper.venues.perp_v2 import effects as perp_v2
from keeper.venues.perp_v2.calls import encode_move as encode_perp
from keeper.venues.perp_v2.markets import PerpV2Deployment, PerpV2Market, PerpV2Scope
from keeper.venues.ports import Agency, Borrower, Exchange, Mandate
from keeper.venues.uniswap_v3.effects import router_decoder
from keeper.venues.uniswap_v3.exchange import UniswapV3
from keeper.venues.uniswap_v3.pools import UniswapDeployment
from keeper.venues.uniswap_v3.swaps import encode_swap, path_of
from keeper.venues.uniswap_v4.exchange import UniswapV4
from keeper.venues.uniswap_v4.pools import V4Deployment

DEADLINE = NOW + 1800
STRANGER = address("0x90F79bf6EB2c4f870365E785982E1f101E93b906")
ME = address(OWNER)
amounts = st.integers(1, 2**200).map(Amount)


@dataclass(frozen=True, slots=True)
class Made:
    """A call, what it must be read back as, and the places of bytes that may be others with the same effects."""

    call: Call
    effects: tuple[Effect, ...]
    free: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Subject:
    """One venue: all that it makes for a signer, and how the gate reads and judges it."""

    name: str
    made: Callable[[Address], st.SearchStrategy[Made]]
    """What can be made for the owner's position by a signer."""
    allowed: Mapping[Address, Decoder]
    grounds: Grounds

    def __str__(self) -> str:
        return self.name


def _checksummed(grounds: Grounds) -> Grounds:
    return replace(grounds, assets={address(a): p for a, p in grounds.assets.items()})


# --- lending ---------------------------------------------------------------------------------------------------------

SYMBOLS = ("WETH", "USDC", "DAI")
WETH, DOLLAR, DAI = (address(at(symbol)) for symbol in SYMBOLS)
POOL = address("0x87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2")
ROUTER = address("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45")
MARKET_OF = AaveMarket(
    POOL,
    at("o"),
    10**8,
    tuple(
        Listing(address(at(s)), s, 18, at("f"), index=i, a_token=address(at(f"a{s}")), debt_token=at("d"))
        for i, s in enumerate(SYMBOLS)
    ),
)
LENT = _checksummed(of_lending(position(*(holding(symbol) for symbol in SYMBOLS))))
MINE = replace(position(*(holding(symbol) for symbol in SYMBOLS)), owner=ME)
assets = st.sampled_from((WETH, DOLLAR, DAI))


def _aave(signer: Address) -> st.SearchStrategy[Made]:
    def made(move: MarketMove, *effects: Effect) -> Made:
        return Made(MARKET_OF.encode(move, MINE, signer), effects)

    def payments(asset: Address, amount: Amount) -> Iterator[Made]:
        yield made(Supply(asset, amount), Pays(asset, amount, ME, POOL))
        yield made(Repay(asset, amount), Pays(asset, amount, ME, POOL))
        owed = None if signer == ME else amount
        yield made(Repay(asset, amount, is_all=True), Pays(asset, owed, ME, POOL))

    def others(asset: Address, amount: Amount) -> Iterator[Made]:
        yield made(Withdraw(asset, amount), Takes(asset, amount, ME))
        yield made(Withdraw(asset, None), Takes(asset, None, ME))
        yield made(Borrow(asset, amount), Borrows(asset, amount, ME))
        yield made(RepayWithCollateral(asset, amount), Offsets(asset, amount))
        yield made(Unpledge(asset), Unpledges(asset))
        insisted = MARKET_OF.insist(asset, amount, ME)
        assert insisted
        yield Made(insisted, (Insists(asset, amount, ME),))

    def each(asset: Address, amount: Amount) -> list[Made]:
        return [*payments(asset, amount), *others(asset, amount)]

    return st.builds(each, assets, amounts).flatmap(st.sampled_from)


# --- tokens, exchanges, the batch account ----------------------------------------------------------------------------


def _token(signer: Address) -> st.SearchStrategy[Made]:
    def made(asset: Address, spender: Address, amount: int) -> Made:
        call = erc20.encode_approve(asset, "X", spender, Amount(amount), "it")
        return Made(call, (Approves(asset, spender, amount),))

    return st.builds(made, assets, st.sampled_from((POOL, ROUTER)), st.integers(0, UINT256_MAX // 2 - 1))


TIERS = (100, 500, 3000, 10_000)
UNISWAP = UniswapDeployment(at("fac"), at("quo"), ROUTER, TIERS)


def _swap(signer: Address) -> st.SearchStrategy[Made]:
    def made(tokens: list[Address], fees: list[int], most: Amount, least: Amount) -> Made:
        route = Route(tuple(tokens), tuple(fees[: len(tokens) - 1]), "uniswap_v3")
        call = encode_swap(UNISWAP, Swap(route, most, least), ME, DEADLINE, ("A", "B"))
        begin = call.data.index(path_of(route))
        middle = range(begin + 20, begin + 23 * (len(tokens) - 1))  # through which pools is the planner's to choose
        sold = Sells(tokens[0], most, tokens[-1], least, ME, ROUTER, DEADLINE)
        return Made(call, (sold,), frozenset(middle))

    paths = st.permutations((WETH, DOLLAR, DAI)).flatmap(lambda p: st.integers(2, 3).map(lambda n: list(p[:n])))
    return st.builds(made, paths, st.lists(st.sampled_from(TIERS), min_size=2, max_size=2), amounts, amounts)


def _batch(signer: Address) -> st.SearchStrategy[Made]:
    def made(inside: list[Made]) -> Made:
        calls = [replace(one.call, purpose="in a batch") for one in inside]
        return Made(batch_account.encode_batch(ME, calls, "all"), tuple(Nested(call) for call in calls))

    return st.builds(made, st.lists(st.one_of(_aave(signer), _token(signer), _swap(signer)), min_size=1, max_size=4))


LENDING_LIST: Mapping[Address, Decoder] = {
    **MARKET_OF.decoders(),
    ROUTER: router_decoder(ROUTER, TIERS),
    **token_decoders((WETH, DOLLAR, DAI), (POOL, ROUTER)),
    ME: batch_decoder(),
}


# --- loans of one transaction ----------------------------------------------------------------------------------------

BUNDLER, GENERAL, ADAPTER, LENDER = (address("0x" + f"b{i}" * 20) for i in range(4))
BY_BUNDLE = Bundler("bundler3", BUNDLER, GENERAL, LENDER, {MARKET_OF.name.upper(): ADAPTER})
AT_UNISWAP = UniswapV3("uniswap_v3", UNISWAP)
V4_ROUTER = address("0x" + "d4" * 20)
LOANS = st.integers(1, 2**128 - 1).map(Amount)
"""Uniswap v4 counts in 128 bits."""
AT_V4 = UniswapV4("uniswap_v4", V4Deployment(POOL, POOL, V4_ROUTER, tuple(TIERS)))
STANDS_FOR = {x.asset: x.a_token for x in MARKET_OF.listings}
BUNDLER_LIST: Mapping[Address, Decoder] = BY_BUNDLE.decoders(MARKET_OF, [AT_UNISWAP, AT_V4], OWNER)
LENT_AND_SUPPLIED = replace(
    LENT, assets={**LENT.assets, **{token: LENT.assets[asset] for asset, token in STANDS_FOR.items()}}
)


def _bundle(signer: Address) -> st.SearchStrategy[Made]:
    """Sold at Uniswap v3, by one pool or two."""
    paths = st.permutations((WETH, DOLLAR, DAI)).flatmap(lambda p: st.integers(2, 3).map(lambda n: list(p[:n])))
    return _bundles_at(signer, AT_UNISWAP, ROUTER, paths, amounts)


def _at_v4(signer: Address) -> st.SearchStrategy[Made]:
    """Sold at Uniswap v4, which sells within bundles alone, by one pool."""
    return _bundles_at(signer, AT_V4, V4_ROUTER, st.permutations((WETH, DOLLAR, DAI)).map(lambda p: list(p[:2])), LOANS)


def _bundles_at(
    signer: Address,
    exchange: Exchange,
    router: Address,
    paths: st.SearchStrategy[list[Address]],
    loans: st.SearchStrategy[Amount],
) -> st.SearchStrategy[Made]:
    """Owners only: what is pulled is pulled from whoever sends it."""

    def made(tokens: list[Address], fees: list[int], sold: Amount, bought: Amount) -> Made:
        flash = Flash(BY_BUNDLE.name, Route(tuple(tokens), tuple(fees[: len(tokens) - 1]), exchange.name), sold, bought)
        borrower = Borrower(MINE, ME, Plain(ME).call_back)
        call = BY_BUNDLE.encode(flash, MARKET_OF, {exchange.name: exchange}, borrower, DEADLINE, "all in one")
        given, owed = tokens[0], tokens[-1]
        token = STANDS_FOR[given]
        flows = (
            Lends(owed, bought, GENERAL),
            Passes(owed, bought, GENERAL, ADAPTER),
            Repays(owed, None, ADAPTER, ME),
            Pulls(token, sold, ADAPTER, GENERAL),
            Redeems(given, token, None, ADAPTER, router),
            Trades(given, None, router, owed, bought, ADAPTER, DEADLINE),
            Passes(owed, bought, ADAPTER, GENERAL),
            Passes(owed, None, ADAPTER, ME),
            Returns(owed, bought, GENERAL),
        )
        return Made(call, (Bundles(flows),))

    if signer != ME:
        return st.nothing()
    return st.builds(made, paths, st.lists(st.sampled_from(TIERS), min_size=2, max_size=2), amounts, loans)


# --- a Safe, and a lender that calls it back --------------------------------------------------------------------------

KEY, MANY, VAULT = (address("0x" + f"c{i}" * 20) for i in range(3))
SAFE = Safe(ME, KEY, MANY, 31337)
AS_SAFE = ThroughSafe(SAFE, 7)
BY_VAULT = Vault("balancer_v3", VAULT)
SAFE_LIST: Mapping[Address, Decoder] = {
    **MARKET_OF.decoders(),
    ROUTER: router_decoder(ROUTER, TIERS),
    **token_decoders((WETH, DOLLAR, DAI), (POOL, ROUTER), BY_VAULT.paid_by_wallet),
    **BY_VAULT.decoders(MARKET_OF, [AT_UNISWAP], ME),
    **AS_SAFE.decoders(),
}


def _safe(signer: Address) -> st.SearchStrategy[Made]:
    """One call, several, or none: then it only uses up a nonce."""

    def made(inside: list[Made], is_called_back: bool) -> Made:
        calls = [replace(one.call, purpose="of a Safe") for one in inside]
        back = Call(ME, encode_back(SAFE, calls), Wei(0), "called back")
        call = back if is_called_back else encode_by_owner(SAFE, calls, "all")
        return Made(call, tuple(Nested(one) for one in calls) or (UsesUp(ME),))

    if signer != ME:
        return st.nothing()
    inside = st.one_of(_aave(signer), _token(signer), _swap(signer))
    return st.builds(made, st.lists(inside, max_size=4), st.booleans())


def _vault(signer: Address) -> st.SearchStrategy[Made]:
    """A loan and what goes back, each by itself, and the call that makes both possible."""

    def each(asset: Address, amount: Amount, inside: list[Made]) -> list[Made]:
        back = encode_back(SAFE, [one.call for one in inside])
        given, counted = encode_return(VAULT, asset, amount)
        return [
            Made(encode_unlock(VAULT, back, "all"), (Nested(Call(ME, back, Wei(0), "called back")),)),
            Made(encode_loan(VAULT, asset, amount, ME), (Lends(asset, amount, ME),)),
            Made(given, (GivesBack(asset, amount, VAULT),)),
            Made(counted, (Returns(asset, amount, VAULT),)),
        ]

    if signer != ME:
        return st.nothing()
    return st.builds(each, assets, amounts, st.lists(_aave(signer), max_size=3)).flatmap(st.sampled_from)


# --- savings: what is drawn from them is the signer's own, for his own wallet -----------------------------------------

SHARES, RECEIPT, SAVED_AT = (address("0x" + f"d{i}" * 20) for i in range(3))
SAVERS = (VaultShares(SHARES, DOLLAR), PoolSupply(RECEIPT, WETH, SAVED_AT))
SAVINGS_LIST: Mapping[Address, Decoder] = {saver.teller: saver.decoder() for saver in SAVERS}


def _savings(signer: Address) -> st.SearchStrategy[Made]:
    vault, pool = SAVERS
    of_vault = amounts.map(lambda a: Made(vault.encode(a, signer), (Draws(DOLLAR, a, signer, signer),)))
    of_pool = amounts.map(lambda a: Made(pool.encode(a, signer), (Draws(WETH, a, None, signer),)))
    return st.one_of(of_vault, of_pool)


# --- a venue of the tests' own: the suite is written for whoever adds one --------------------------------------------

BANK = address("0x00000000000000000000000000000000000BA4c0")
TOY = market_of(BANK, WETH, DOLLAR, (address(at("f")), address(at("g"))))
TOY_LIST: Mapping[Address, Decoder] = {**TOY.decoders(), **token_decoders((WETH, DOLLAR), (BANK, ROUTER))}


def _toy(signer: Address) -> st.SearchStrategy[Made]:
    return made_of(TOY, ME, signer).map(lambda made: Made(*made))


# --- Morpho Blue: ether against dollars ------------------------------------------------------------------------------

BLUE_MARKET = a_market(WETH, DOLLAR)
LOAN = a_loan(BLUE_MARKET, ME, BLOCK)
AT_MORPHO = replace(BLUE_MARKET, blue=address(BLUE))
BY_AGENT = Bundler("bundler3", BUNDLER, GENERAL, AT_MORPHO.blue, {})
BLUE_LIST: Mapping[Address, Decoder] = {
    BLUE: BLUE_MARKET.agency.decoder((GENERAL,)),
    **token_decoders((WETH, DOLLAR), (BLUE, ROUTER)),
}
AGENT_LIST: Mapping[Address, Decoder] = BY_AGENT.decoders(AT_MORPHO, [AT_UNISWAP], OWNER)


def _morpho(signer: Address) -> st.SearchStrategy[Made]:
    def made(move: MarketMove, *effects: Effect) -> Made:
        return Made(BLUE_MARKET.encode(move, LOAN, signer), effects)

    def all_of_it(amount: Amount) -> Made:
        whole = made(Repay(DOLLAR, amount, is_all=True), Pays(DOLLAR, None, ME, BLUE))
        shares = LOAN.holding(DOLLAR).principal.debt.to_bytes(32, "big")
        begin = whole.call.data.index(shares)  # how many shares: what is taken is bounded by the allowance
        return replace(whole, free=frozenset(range(begin, begin + 32)))

    def trust(*, is_on: bool) -> list[Made]:
        """The owner's own calls, alone: the gate lets none through that is not taken back."""
        return [Made(BLUE_MARKET.agency.encode(GENERAL, is_on=is_on), (Entrusts(GENERAL, is_on),))]

    def each(amount: Amount) -> list[Made]:
        return [
            *(trust(is_on=True) if signer == ME else []),
            made(Supply(WETH, amount), Pays(WETH, amount, ME, BLUE)),
            made(Repay(DOLLAR, amount), Pays(DOLLAR, amount, ME, BLUE)),
            all_of_it(amount),
            made(Withdraw(WETH, amount), Takes(WETH, amount, ME)),
            made(Withdraw(WETH, None), Takes(WETH, LOAN.holding(WETH).supplied, ME)),
            made(Borrow(DOLLAR, amount), Borrows(DOLLAR, amount, ME)),
        ]

    return amounts.map(each).flatmap(st.sampled_from)


def _by_agent(signer: Address) -> st.SearchStrategy[Made]:
    """A bundle in which an adapter acts for whoever begins it, by his two words."""
    agency, signed = AT_MORPHO.agency, (27, b"\1" * 32, b"\2" * 32)

    def made(fee: int, sold: Amount, bought: Amount) -> Made:
        flash = Flash(BY_AGENT.name, Route((WETH, DOLLAR), (fee,), AT_UNISWAP.name), sold, bought)
        on, off = (Mandate(ME, GENERAL, i == 0, 5 + i, DEADLINE, *signed) for i in range(2))
        borrower = Borrower(LOAN, ME, Plain(ME).call_back, words=(on, off))
        call = BY_AGENT.encode(flash, AT_MORPHO, {AT_UNISWAP.name: AT_UNISWAP}, borrower, DEADLINE, "all in one")
        flows = (
            Entrusts(GENERAL, True, ME, DEADLINE),
            Lends(DOLLAR, bought, GENERAL),
            Repays(DOLLAR, None if bought >= LOAN.holding(DOLLAR).borrowed else bought, GENERAL, ME),
            Releases(WETH, sold, ROUTER, GENERAL),
            Trades(WETH, None, ROUTER, DOLLAR, bought, GENERAL, DEADLINE),
            Returns(DOLLAR, bought, GENERAL, None),
            Entrusts(GENERAL, False, ME, DEADLINE),
            Passes(DOLLAR, None, GENERAL, ME),
        )
        return Made(call, (Bundles(flows, (0,)),), frozenset(_of_words(call.data, agency, (on, off))))

    if signer != ME:
        return st.nothing()
    return st.builds(made, st.sampled_from(TIERS), amounts, amounts)


def _of_words(data: bytes, agency: Agency, words: Iterable[Mandate]) -> Iterator[int]:
    """The bytes of numbers and signatures: of others the contract makes nothing, and the bundle reverts."""
    for word in words:
        begin = data.index(agency.encode_mandate(word)[1]) + 4
        yield from range(begin + 3 * 32, begin + 4 * 32)
        yield from range(begin + 5 * 32, begin + 8 * 32)


# --- Compound v3: as it was recorded ----------------------------------------------------------------------------------

COMET_SEEN = next(s for s in comet_accounts() if len(s.account.listings) > 1)
COMET = COMET_SEEN.account.market
COMET_LOAN = replace(COMET_SEEN.account.probe("mine", COMET_SEEN.block).decode(COMET_SEEN.answers), owner=ME)
COMET_BASE, COMET_BACKING = (x.asset for x in COMET_SEEN.account.listings[:2])
COMET_LIST: Mapping[Address, Decoder] = {
    COMET.comet: COMET.agency.decoder((ADAPTER,)),
    **token_decoders((COMET_BASE, COMET_BACKING), (COMET.comet, ROUTER)),
}
AT_COMET = Bundler("bundler3", BUNDLER, GENERAL, LENDER, {COMET.name.upper(): ADAPTER})
COMET_AGENT_LIST: Mapping[Address, Decoder] = AT_COMET.decoders(COMET, [AT_UNISWAP], OWNER)


def _comet(signer: Address) -> st.SearchStrategy[Made]:
    def made(move: MarketMove, *effects: Effect) -> Made:
        return Made(COMET.encode(move, COMET_LOAN, signer), effects)

    def each(amount: Amount) -> list[Made]:
        base, backing, at_market = COMET_BASE, COMET_BACKING, COMET.comet
        lets = Made(COMET.agency.encode(ADAPTER, is_on=True), (Entrusts(ADAPTER, True),))
        return [
            *([lets] if signer == ME else []),
            made(Supply(backing, amount), Pays(backing, amount, ME, at_market)),
            made(Repay(base, amount), Pays(base, amount, ME, at_market)),
            made(Repay(base, amount, is_all=True), Pays(base, None, ME, at_market)),
            made(Withdraw(backing, amount), Takes(backing, amount, ME)),
            made(Withdraw(backing, None), Takes(backing, COMET_LOAN.holding(backing).supplied, ME)),
            made(Borrow(base, amount), Borrows(base, amount, ME)),
        ]

    return amounts.map(each).flatmap(st.sampled_from)


def _comet_by_agent(signer: Address) -> st.SearchStrategy[Made]:
    """A bundle in which an adapter of its own acts for whoever begins it, by his two words."""
    agency, signed, base, backing = COMET.agency, (27, b"\1" * 32, b"\2" * 32), COMET_BASE, COMET_BACKING

    def made(fee: int, sold: Amount, bought: Amount) -> Made:
        flash = Flash(AT_COMET.name, Route((backing, base), (fee,), AT_UNISWAP.name), sold, bought)
        on, off = (Mandate(ME, ADAPTER, i == 0, 5 + i, DEADLINE, *signed) for i in range(2))
        borrower = Borrower(COMET_LOAN, ME, Plain(ME).call_back, words=(on, off))
        call = AT_COMET.encode(flash, COMET, {AT_UNISWAP.name: AT_UNISWAP}, borrower, DEADLINE, "all in one")
        flows = (
            Entrusts(ADAPTER, True, ME, DEADLINE),
            Lends(base, bought, GENERAL),
            Passes(base, bought, GENERAL, ADAPTER),
            Repays(base, None, ADAPTER, ME),
            Releases(backing, sold, ROUTER, ADAPTER),
            Trades(backing, None, ROUTER, base, bought, ADAPTER, DEADLINE),
            Passes(base, bought, ADAPTER, GENERAL),
            Passes(base, None, ADAPTER, ME),
            Returns(base, bought, GENERAL),
            Entrusts(ADAPTER, False, ME, DEADLINE),
        )
        return Made(call, (Bundles(flows, (0,)),), frozenset(_of_words(call.data, agency, (on, off))))

    if signer != ME:
        return st.nothing()
    return st.builds(made, st.sampled_from(TIERS), amounts, amounts)


# --- the Compound v2 family: ether against dollars -------------------------------------------------------------------

V2 = a_comptroller(WETH, DOLLAR)
V2_LOAN = a_v2_loan(V2, ME, BLOCK)
V2_LIST: Mapping[Address, Decoder] = {
    **V2.decoders(),
    **token_decoders((WETH,), (V_ETHER, ROUTER)),
    **token_decoders((DOLLAR,), (V_DOLLAR, ROUTER)),
}


def _venus(signer: Address) -> st.SearchStrategy[Made]:
    def made(move: MarketMove, *effects: Effect) -> Made:
        return Made(V2.encode(move, V2_LOAN, signer), effects)

    def each(amount: Amount) -> list[Made]:
        whom = None if signer == ME else ME
        paid = [
            made(Supply(WETH, amount), Pays(WETH, amount, whom, V_ETHER)),
            made(Repay(DOLLAR, amount), Pays(DOLLAR, amount, whom, V_DOLLAR)),
            made(Repay(DOLLAR, amount, is_all=True), Pays(DOLLAR, None, whom, V_DOLLAR)),
        ]
        if signer != ME:
            return paid
        whole = made(Withdraw(WETH, None), Takes(WETH, None, None))
        tokens = replace(whole, free=frozenset(range(4, 36)))  # how many of its own tokens: all is what it is read as
        return [
            *paid,
            tokens,
            made(Withdraw(WETH, amount), Takes(WETH, amount, None)),
            made(Borrow(DOLLAR, amount), Borrows(DOLLAR, amount, None)),
            made(Pledge(WETH), Pledges(WETH)),
        ]

    return amounts.map(each).flatmap(st.sampled_from)


V2_OWN = replace(V2, listings=(*V2.listings, V2Listing(NATIVE, "BNB", 18, V_OWN, V2.oracle, None, 90_000)))
V2_OWN_LOAN = replace(V2_LOAN, holdings=(*V2_LOAN.holdings, replace(V2_LOAN.holdings[0], asset=NATIVE, symbol="BNB")))


def _venus_by_value(signer: Address) -> st.SearchStrategy[Made]:
    """What goes along with the call is what is paid: no byte of the calldata says how much."""

    def each(amount: Amount) -> list[Made]:
        whom = None if signer == ME else ME
        supply, repay = Supply(NATIVE, amount), Repay(NATIVE, amount)
        moves = (supply, repay) if signer == ME else (repay,)
        paid = (Pays(NATIVE, amount, whom, V_OWN),)
        return [Made(V2_OWN.encode(move, V2_OWN_LOAN, signer), paid) for move in moves]

    return amounts.map(each).flatmap(st.sampled_from)


# --- perpetual venues ------------------------------------------------------------------------------------------------

A = [address("0x" + f"{i:02x}" * 20) for i in range(1, 14)]
COIN, BASE = A[7], A[8]
PERP = PerpV2Deployment(A[0], A[1], A[2], A[3], A[4], A[5], A[6], COIN, "USDC", 6, 900)
PERP_SCOPE = PerpV2Scope(ME, (PerpV2Market(BASE, "ETH", A[11], A[12], 1000, 10_000, 100_000, A[0], None, A[0]),))
INDEX = 2000 * WAD
HELD = 3 * WAD


def _perp_position() -> PerpPosition:
    leg = replace(a_leg(size=-HELD), market=BASE)
    return a_position(leg, collateral=COIN, owner=ME)


def _perp(signer: Address) -> st.SearchStrategy[Made]:
    """A short of three ether; prices within a tenth of the index, so that the bound on them can be told."""

    def made(move: PerpMove, *effects: Effect, free: frozenset[int] = frozenset()) -> Made:
        return Made(encode_perp(PERP, PERP_SCOPE, move, signer, DEADLINE), effects, free)

    def each(amount: Amount, size: int, price: int) -> list[Made]:
        beneficiary = None if signer == ME else ME
        paid = made(AddMargin(BASE, False, COIN, amount), Pays(COIN, amount, beneficiary, PERP.vault))
        allowed = made(AllowMargin(COIN, amount), Approves(COIN, PERP.vault, amount))
        if signer != ME:
            return [paid, allowed]
        buys, sells = Trade(BASE, False, size, 0, price), Trade(BASE, False, -size, 0, price)
        closes = replace(buys, size_change=HELD, is_close=True)
        return [
            paid,
            allowed,
            made(TakeMargin(BASE, False, COIN, amount), Takes(COIN, amount, None)),
            made(buys, Closes(BASE, False, size, price, deadline=DEADLINE), free=_word(4)),
            made(sells, Opens(BASE, False, size, price, deadline=DEADLINE), free=_word(4)),
            made(closes, Closes(BASE, False, None, price, deadline=DEADLINE), free=_word(2)),
        ]

    return st.builds(each, amounts, st.integers(10**12, HELD), st.integers(INDEX * 9 // 10, INDEX * 11 // 10)).flatmap(
        st.sampled_from
    )


def _word(number: int) -> frozenset[int]:
    """The last bytes of an argument, below what a price can tell apart."""
    end = 4 + 32 * (number + 1)
    return frozenset(range(end - 12, end))


# --- GMX v2 ----------------------------------------------------------------------------------------------------------

TEN = 10**19
USD30, PRICE = 10**30, 10**12
OPENED = 30_000 * USD30
GMX_SCOPE = GmxScope(MARKET, ME, USDC.address, False)
STOP = "0x" + "5a" * 32
EXECUTION = Execution(TERMS, Wei(2 * 10**7))


def _gmx_position() -> PerpPosition:
    leg = a_leg(size=-TEN, entry_notional=OPENED, price_scale=1, index_price=3000 * PRICE, mark_price=3000 * PRICE)
    order = resting(STOP, market=MARKET.token, collateral=USDC.address, size_usd=OPENED)
    leg = replace(leg, market=MARKET.token)
    return a_position(leg, collateral=USDC.address, usd_unit=USD30, collateral_price=USD30, owner=ME, orders=(order,))


def _gmx(signer: Address) -> st.SearchStrategy[Made]:
    """A short of ten ether, opened at 3,000 dollars: a dollar of it is a three-thousandth of an ether."""
    market, coin, router = MARKET.token, USDC.address, MARKET.deployment.router

    def made(move: PerpMove, *effects: Effect, fee: bool = True) -> Made:
        call = encode_gmx(GMX_SCOPE, move, EXECUTION, _gmx_position().orders)
        carried = (Carries(call.value),) if fee else ()
        return Made(call, (*carried, *effects), _places(call.data, getattr(move, "size_usd", 0)))

    def each(amount: Amount, milli: int, price: int) -> list[Made]:
        size, dollars = milli * 10**15, milli * 3 * USD30
        grows = Trade(market, False, -size, dollars, price, margin=amount)
        stop = PlaceOrder(OrderKind.STOP_LOSS, market, False, dollars, price, price + 1)
        takes = PlaceOrder(OrderKind.TAKE_PROFIT, market, False, UINT256_MAX, price, price + 1)
        part = size if dollars < OPENED else None
        return [
            made(AllowMargin(coin, amount), Approves(coin, router, amount), fee=False),
            made(AddMargin(market, False, coin, amount), Pays(coin, amount, ME, router)),
            made(TakeMargin(market, False, coin, amount), Takes(coin, amount, ME)),
            made(grows, Pays(coin, amount, ME, router), Opens(market, False, size, price, ME)),
            made(Trade(market, False, size, dollars, price), Closes(market, False, part, price, ME)),
            made(stop, Orders(market, False, part, price, price + 1, False, ME, True)),
            made(takes, Orders(market, False, None, price, price + 1, False, ME, True)),
            made(UpdateOrder(STOP, dollars, price, price + 1), Changes(STOP, size, price, price + 1, True)),
            made(CancelOrder(STOP), Cancels(STOP), fee=False),
            made(ClaimFunding((market, market), (WETH, coin)), Claims(((market, WETH), (market, coin)), ME), fee=False),
        ]

    if signer != ME:
        return st.nothing()
    return st.builds(each, amounts, st.integers(1, 10_000), st.integers(1, 10**17)).flatmap(st.sampled_from)


def _places(data: bytes, dollars: int) -> frozenset[int]:
    """The bytes of a size in dollars: finer than sizes are, and all there is when it is more than there is."""
    begin = data.find(dollars.to_bytes(32, "big")) if dollars else -1
    return frozenset(range(begin, begin + 32)) if begin >= 0 else frozenset()


PERP_POSITION, GMX_POSITION = _perp_position(), _gmx_position()
SUBJECTS: list[Subject] = [
    Subject("aave_v3", _aave, LENDING_LIST, LENT),
    Subject("toy_bank", _toy, TOY_LIST, LENT),
    Subject("morpho_blue", _morpho, BLUE_LIST, LENT),
    Subject("compound_v3", _comet, COMET_LIST, of_lending(COMET_LOAN)),
    Subject("compound_v2", _venus, V2_LIST, of_lending(V2_LOAN)),
    Subject("compound_v2 by value", _venus_by_value, V2_OWN.decoders(), of_lending(V2_OWN_LOAN)),
    Subject("token", _token, LENDING_LIST, LENT),
    Subject("uniswap_v3", _swap, LENDING_LIST, LENT),
    Subject("uniswap_v4", _at_v4, BUNDLER_LIST, LENT_AND_SUPPLIED),
    Subject("batch", _batch, LENDING_LIST, LENT),
    Subject("bundler3", _bundle, BUNDLER_LIST, LENT_AND_SUPPLIED),
    Subject("bundler3 by an agent", _by_agent, AGENT_LIST, LENT),
    Subject("bundler3 by an agent of its own", _comet_by_agent, COMET_AGENT_LIST, of_lending(COMET_LOAN)),
    Subject("savings", _savings, SAVINGS_LIST, LENT),
    Subject("safe", _safe, SAFE_LIST, LENT),
    Subject("balancer_v3", _vault, SAFE_LIST, LENT),
    Subject("perp_v2", _perp, perp_v2.decoders(PERP, PERP_SCOPE, PERP_POSITION), of_perp(PERP_POSITION)),
    Subject("gmx_v2", _gmx, gmx_v2.decoders(GMX_SCOPE, GMX_POSITION), of_perp(GMX_POSITION)),
]
