"""Deploys an Aave v3.6 market from a spec: provider, oracle, pool, configurator, reserves, e-modes."""

from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode
from web3.contract import Contract

from sandbox.chain import Chain
from sandbox.spec import Reserve, WorldSpec

ZERO = "0x" + "00" * 20
LIBRARIES = ("SupplyLogic", "BorrowLogic", "LiquidationLogic", "PoolLogic", "ConfiguratorLogic")
ROLES = ("PoolAdmin", "EmergencyAdmin", "RiskAdmin", "AssetListingAdmin")
LISTED_AT_ONCE = 8
"""Reserves that fit into one transaction's gas."""
FLASHLOAN_PREMIUM_BPS, LIQUIDATION_PROTOCOL_FEE_BPS = 5, 1000


@dataclass(slots=True)
class Market:
    """The contracts of one market."""

    provider: Contract
    acl: Contract
    oracle: Contract
    rates: Contract
    pool: Contract
    configurator: Contract
    data: Contract
    sentinel: str = ZERO
    a_tokens: dict[str, str] = field(default_factory=dict)
    debt_tokens: dict[str, str] = field(default_factory=dict)


def deploy_market(
    chain: Chain, spec: WorldSpec, admin: str, tokens: dict[str, str], sources: dict[str, str], sequencer: str
) -> Market:
    """`tokens` and `sources` are addresses by symbol; `admin` gets every role."""
    market = _deploy_core(chain, spec, admin, tokens, sources)
    _list_reserves(chain, spec, admin, market, tokens)
    for reserve in spec.reserves:
        _configure(chain, admin, market, reserve, tokens[reserve.symbol])
    _add_emodes(chain, spec, admin, market, tokens)
    chain.send(market.configurator.functions.updateFlashloanPremium(FLASHLOAN_PREMIUM_BPS), admin)
    if spec.sentinel:
        provider = market.provider
        grace = spec.sequencer_grace_s
        sentinel = chain.deploy("PriceOracleSentinel", provider.address, sequencer, grace, sender=admin)
        chain.send(provider.functions.setPriceOracleSentinel(sentinel.address), admin)
        market.sentinel = sentinel.address
    return market


def _deploy_core(chain: Chain, spec: WorldSpec, admin: str, tokens: dict[str, str], sources: dict[str, str]) -> Market:
    def deploy(name: str, *args: Any, libraries: dict[str, str] | None = None) -> Contract:
        return chain.deploy(name, *args, sender=admin, libraries=libraries)

    def send(call: Any) -> None:
        chain.send(call, admin, gas=8_000_000)

    provider = deploy("PoolAddressesProvider", "Sandbox", admin)
    send(provider.functions.setACLAdmin(admin))  # the ACLManager reads it when it is deployed
    acl = deploy("ACLManager", provider.address)
    send(provider.functions.setACLManager(acl.address))
    for role in ROLES:
        send(acl.functions["add" + role](admin))
    symbols = [r.symbol for r in spec.reserves]
    listed = ([tokens[s] for s in symbols], [sources[s] for s in symbols])
    oracle = deploy("AaveOracle", provider.address, *listed, ZERO, ZERO, 10**8)
    send(provider.functions.setPriceOracle(oracle.address))
    rates = deploy("DefaultReserveInterestRateStrategyV2", provider.address)
    libraries = {name: str(deploy(name).address) for name in LIBRARIES}
    libraries["FlashLoanLogic"] = str(deploy("FlashLoanLogic", libraries=libraries).address)
    pool = deploy("PoolInstance", provider.address, rates.address, libraries=libraries)
    send(provider.functions.setPoolImpl(pool.address))
    send(provider.functions.setPoolConfiguratorImpl(deploy("PoolConfiguratorInstance", libraries=libraries).address))
    data = deploy("AaveProtocolDataProvider", provider.address)
    send(provider.functions.setPoolDataProvider(data.address))
    return Market(
        provider,
        acl,
        oracle,
        rates,
        chain.at("PoolInstance", provider.functions.getPool().call()),
        chain.at("PoolConfiguratorInstance", provider.functions.getPoolConfigurator().call()),
        data,
    )


def _list_reserves(chain: Chain, spec: WorldSpec, admin: str, market: Market, tokens: dict[str, str]) -> None:
    pool = market.pool
    a_token = chain.deploy("ATokenInstance", pool.address, ZERO, admin, sender=admin).address
    debt_token = chain.deploy("VariableDebtTokenInstance", pool.address, ZERO, sender=admin).address
    inputs = [
        (a_token, debt_token, tokens[s], f"Aave {s}", f"a{s}", f"Aave Variable Debt {s}", f"variableDebt{s}", b"", rate)
        for s, rate in ((r.symbol, encode(["(uint16,uint32,uint32,uint32)"], [r.rate])) for r in spec.reserves)
    ]
    for i in range(0, len(inputs), LISTED_AT_ONCE):
        part = inputs[i : i + LISTED_AT_ONCE]
        chain.send(market.configurator.functions.initReserves(part), admin, gas=25_000_000)
    for symbol, token in tokens.items():
        market.a_tokens[symbol] = pool.functions.getReserveAToken(token).call()
        market.debt_tokens[symbol] = pool.functions.getReserveVariableDebtToken(token).call()


def _configure(chain: Chain, admin: str, market: Market, r: Reserve, token: str) -> None:
    configure = market.configurator.functions
    calls = [
        configure.setReserveFactor(token, r.factor),
        configure.setReserveFlashLoaning(token, True),
        configure.setLiquidationProtocolFee(token, LIQUIDATION_PROTOCOL_FEE_BPS),
        configure.setSupplyCap(token, r.supply_cap),
        configure.setBorrowCap(token, r.borrow_cap),
    ]
    if r.threshold:
        calls.append(configure.configureReserveAsCollateral(token, r.ltv, r.threshold, r.bonus))
    if r.borrowable:
        calls.append(configure.setReserveBorrowing(token, True))
    for call in calls:
        chain.send(call, admin)


def _add_emodes(chain: Chain, spec: WorldSpec, admin: str, market: Market, tokens: dict[str, str]) -> None:
    configure = market.configurator.functions
    for mode in spec.emodes:
        chain.send(configure.setEModeCategory(mode.id, mode.ltv, mode.threshold, mode.bonus, mode.label), admin)
        for symbol in mode.collateral:
            chain.send(configure.setAssetCollateralInEMode(tokens[symbol], mode.id, True), admin)
        for symbol in mode.borrowable:
            chain.send(configure.setAssetBorrowableInEMode(tokens[symbol], mode.id, True), admin)
