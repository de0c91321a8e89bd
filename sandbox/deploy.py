"""Deploys a whole world onto an empty chain, in the order it has to be; returns its addresses.

Roles have accounts of their own, so that users' accounts 0 to 9 are untouched: nobody else's nonce moves under them.
"""

from decimal import Decimal
from typing import Any

from web3 import Web3

from sandbox.aave import Market, deploy_market
from sandbox.anvil import CHAIN_ID
from sandbox.bundler import deploy_bundler
from sandbox.chain import Chain
from sandbox.gmx import deploy_gmx
from sandbox.perp import deploy_exchange, list_market, open_market
from sandbox.spec import Reserve, WorldSpec
from sandbox.uniswap import MAX, Uniswap, create_pool, deploy_uniswap

MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"
ROLES = {"admin": 10, "lp": 11, "liquidator": 12, "arbitrageur": 13, "feeds": 14}
PERP_ROLES = {"perp_maker": 15, "perp_arbitrageur": 16, "perp_liquidator": 17}
GMX_ROLES = {"gmx_keeper": 18}
FEED_DECIMALS = 8  # Aave adds and compares sources without looking at their decimals
ACTOR_FUNDS_USD = 10**10
PERP_FUNDS_USD = 10**9
PERP_HISTORY_S = 3600  # its prices are averages over half an hour
WARM_UP_S = 7200  # so that pools can be asked for a time-weighted average at once
NATIVE_BACKING = 10**9 * 10**18  # wei behind the mocked WETH, so that withdrawing works

Addresses = dict[str, Any]


def deploy_world(chain: Chain, spec: WorldSpec) -> Addresses:
    """Everything of `spec`, feeds fresh at the last block; plain JSON-able addresses."""
    accounts = chain.w3.eth.accounts
    roles = {name: accounts[index] for name, index in (ROLES | PERP_ROLES | GMX_ROLES).items()}
    admin = roles["admin"]
    _put_multicall3(chain, admin)
    tokens = {r.symbol: _deploy_token(chain, spec, r, admin) for r in spec.reserves}
    feeds, sources = _deploy_feeds(chain, spec, admin)
    native = spec.wrapped_native
    reference = _deploy_feed(chain, f"{native} / USD reference", spec.price(native), admin)
    born = chain.w3.eth.get_block("latest")["timestamp"]
    sequencer = chain.deploy("SequencerFeed", born - 86_400, sender=admin).address
    batch_account = chain.deploy("Simple7702Account", sender=admin).address
    market = deploy_market(chain, spec, admin, tokens, sources, sequencer)
    uniswap = deploy_uniswap(chain, admin, tokens[native])
    chain.rpc("anvil_setBalance", tokens[native], hex(NATIVE_BACKING))
    for role in ("lp", "liquidator", "arbitrageur"):
        _fund(chain, spec, roles[role], admin, tokens, market, uniswap)
    pools = [_create_pool(chain, spec, uniswap, p, tokens, roles["lp"]) for p in spec.pools]
    for r in (r for r in spec.reserves if r.supply):
        supply = market.pool.functions.supply(tokens[r.symbol], r.supply * 10**r.decimals, roles["lp"], 0)
        chain.send(supply, roles["lp"])
    gmx = {"gmx": deploy_gmx(chain, tokens, feeds, admin)} if spec.gmx else {}
    perp = {"perp": _deploy_perp(chain, spec, uniswap, tokens, feeds, roles)} if spec.perps else {}
    bundler = deploy_bundler(chain, spec, admin, tokens, market)
    return {
        "chain_id": CHAIN_ID,
        "multicall3": MULTICALL3,
        "wrapped_native": tokens[native],
        "batch_account": batch_account,
        "aave": _aave_addresses(market),
        "uniswap": {
            "factory": uniswap.factory.address,
            "position_manager": uniswap.positions.address,
            "swap_router_02": uniswap.router.address,
            "quoter_v2": uniswap.quoter.address,
        },
        "bundler": bundler,
        **perp,
        **gmx,
        "tokens": tokens,
        "decimals": {r.symbol: r.decimals for r in spec.reserves},
        "a_tokens": market.a_tokens,
        "debt_tokens": market.debt_tokens,
        "sources": sources,
        "feeds": feeds,
        "ratio_of": {r.symbol: r.ratio_of for r in spec.reserves if r.ratio_of},
        "heartbeats_s": {r.symbol: r.heartbeat_s for r in spec.reserves},
        "reference_feeds": {native: reference},
        "sequencer_feed": sequencer,
        "sequencer_grace_s": spec.sequencer_grace_s,
        "pools": pools,
        "roles": roles,
    }


def answer(price: Decimal) -> int:
    """A price in dollars as a feed's integer (8 decimals), rounded down."""
    return int(price.scaleb(FEED_DECIMALS))


def _put_multicall3(chain: Chain, admin: str) -> None:
    deployed = chain.deploy("Multicall3", sender=admin)
    chain.rpc("anvil_setCode", MULTICALL3, chain.w3.eth.get_code(deployed.address).to_0x_hex())


def _deploy_token(chain: Chain, spec: WorldSpec, r: Reserve, admin: str) -> str:
    if r.symbol == spec.wrapped_native:
        return str(chain.deploy("WETH9Mocked", sender=admin).address)
    return str(chain.deploy("TestnetERC20", r.symbol, r.symbol, r.decimals, admin, sender=admin).address)


def _deploy_feeds(chain: Chain, spec: WorldSpec, admin: str) -> tuple[dict[str, str], dict[str, str]]:
    """(feeds by symbol, Aave price sources by symbol): the same but for ratio adapters, which have no feed."""
    feeds, adapters = {}, {}
    for r in (r for r in spec.reserves if r.ratio_of is None):
        feeds[r.symbol] = _deploy_feed(chain, f"{r.symbol} / USD", Decimal(r.price), admin)
    for r in (r for r in spec.reserves if r.ratio_of is not None):
        ratio, name = int(Decimal(r.ratio).scaleb(18)), f"{r.symbol} / {r.ratio_of} / USD"
        adapter = chain.deploy("RatioAdapter", feeds[str(r.ratio_of)], ratio, name, sender=admin)
        adapters[r.symbol] = str(adapter.address)
    return feeds, feeds | adapters


def _deploy_feed(chain: Chain, description: str, price: Decimal, admin: str) -> str:
    return str(chain.deploy("Feed", description, FEED_DECIMALS, answer(price), sender=admin).address)


def _fund(
    chain: Chain, spec: WorldSpec, who: str, admin: str, tokens: dict[str, str], market: Market, uniswap: Uniswap
) -> None:
    """Ten billion dollars of each token beside what Aave is supplied with, approved: actors never run dry."""
    for r in spec.reserves:
        token = chain.at("TestnetERC20", tokens[r.symbol])
        amount = (int(ACTOR_FUNDS_USD / spec.price(r.symbol)) + r.supply) * 10**r.decimals
        chain.send(token.functions["mint(address,uint256)"](who, amount), admin)
        for spender in (market.pool, uniswap.positions, uniswap.router):
            chain.send(token.functions.approve(spender.address, MAX), who)


def _create_pool(
    chain: Chain, spec: WorldSpec, uniswap: Uniswap, pool: Any, tokens: dict[str, str], lp: str
) -> Addresses:
    amounts = {
        tokens[s]: int(Decimal(pool.depth_usd) / spec.price(s) * 10 ** spec.reserve(s).decimals)
        for s in (pool.a, pool.b)
    }
    address, token0, token1 = create_pool(chain, uniswap, pool.fee, amounts, lp)
    symbol = {address: s for s, address in tokens.items()}
    return {"address": address, "fee": pool.fee, "token0": symbol[token0], "token1": symbol[token1]}


def _deploy_perp(
    chain: Chain,
    spec: WorldSpec,
    uniswap: Uniswap,
    tokens: dict[str, str],
    feeds: dict[str, str],
    roles: dict[str, str],
) -> Addresses:
    """The perp exchange with all its markets: its actors and its insurance fund have a billion dollars each."""
    admin, margin = roles["admin"], spec.perps[0].collateral
    exchange = deploy_exchange(chain, uniswap, tokens[margin], admin)
    prices = {m.underlying: int(spec.price(m.feed_of).scaleb(18)) for m in spec.perps}
    markets = {
        m.underlying: list_market(chain, exchange, m, prices[m.underlying], feeds[m.feed_of]) for m in spec.perps
    }
    found = exchange.addresses()
    token, vault = chain.at("TestnetERC20", tokens[margin]), exchange.parts["Vault"]
    amount = PERP_FUNDS_USD * 10 ** spec.reserve(margin).decimals
    for who in (found["insurance_fund"], *(roles[name] for name in PERP_ROLES)):
        chain.send(token.functions["mint(address,uint256)"](who, amount), admin)
    for who in (roles[name] for name in PERP_ROLES):
        chain.send(token.functions.approve(vault.address, MAX), who)
        chain.send(vault.functions.deposit(token.address, amount), who)
    _pass_time(chain, PERP_HISTORY_S)
    for m in spec.perps:
        base = markets[m.underlying]["base_token"]
        actors = roles["perp_maker"], roles["perp_arbitrageur"]
        open_market(chain, exchange, m, prices[m.underlying], base, *actors)
    return {**found, "collateral": margin, "markets": markets}


def _aave_addresses(market: Market) -> dict[str, str]:
    return {
        "pool_addresses_provider": market.provider.address,
        "pool": market.pool.address,
        "configurator": market.configurator.address,
        "oracle": market.oracle.address,
        "data_provider": market.data.address,
        "acl_manager": market.acl.address,
        "rate_strategy": market.rates.address,
        "sentinel": market.sentinel,
    }


def warm_up(chain: Chain, addresses: Addresses) -> None:
    """Let the pools gather history, then make every feed fresh again."""
    _pass_time(chain, WARM_UP_S)
    for address in [*addresses["feeds"].values(), *addresses["reference_feeds"].values()]:
        feed = chain.at("Feed", address)
        chain.send(feed.functions.setAnswer(feed.functions.latestAnswer().call()), addresses["roles"]["feeds"])


def _pass_time(chain: Chain, seconds: int) -> None:
    now = Web3.to_int(chain.w3.eth.get_block("latest")["timestamp"])
    chain.rpc("evm_setNextBlockTimestamp", now + seconds)
    chain.rpc("evm_mine")
