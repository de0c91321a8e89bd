"""Writes contracts_abi/: the interface data the keeper calls, cut down from pinned npm packages.

    python tools/abi.py --lab DIR

DIR holds `node_modules/` (the packages below) and `build/` (the compiled Aave sources); by default the sandbox. Only
ABI entries are copied, never bytecode. Run it again after a package is bumped and read the diff.
"""

import argparse
import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
Abi = list[Entry]

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "contracts_abi"
CORE_V3 = "@aave/core-v3@1.19.3"
LATER_CODES = """
INVALID_MAX_RATE WITHDRAW_TO_ATOKEN SUPPLY_TO_ATOKEN SLOPE_2_MUST_BE_GTE_SLOPE_1
CALLER_NOT_RISK_OR_POOL_OR_EMERGENCY_ADMIN LIQUIDATION_GRACE_SENTINEL_CHECK_FAILED INVALID_GRACE_PERIOD
INVALID_FREEZE_STATE NOT_BORROWABLE_IN_EMODE CALLER_NOT_UMBRELLA RESERVE_NOT_IN_DEFICIT MUST_NOT_LEAVE_DUST
USER_CANNOT_HAVE_DEBT
"""
"""What 3.1 to 3.3 added, from 92 on: aave-dao/aave-v3-origin, tags v3.1.0, v3.2.1, v3.3.0 (on no registry)."""

POOL = """
getReservesList getConfiguration getUserConfiguration getUserEMode getUserAccountData getReserveNormalizedIncome
getReserveNormalizedVariableDebt getReserveData getReserveAToken getReserveVariableDebtToken
getEModeCategoryCollateralConfig getEModeCategoryCollateralBitmap getEModeCategoryBorrowableBitmap
getEModeCategoryLtvzeroBitmap getEModeCategoryLabel getEModeCategoryData getLiquidationGracePeriod
getVirtualUnderlyingBalance ADDRESSES_PROVIDER supply withdraw borrow repay repayWithATokens
setUserUseReserveAsCollateral setUserEMode liquidationCall FLASHLOAN_PREMIUM_TOTAL Supply Withdraw Borrow Repay
LiquidationCall ReserveDataUpdated UserEModeSet ReserveUsedAsCollateralEnabled ReserveUsedAsCollateralDisabled
"""
ORACLE = "getAssetPrice getAssetsPrices getSourceOfAsset BASE_CURRENCY BASE_CURRENCY_UNIT"
ADDRESSES_PROVIDER = """
getPool getPoolConfigurator getPriceOracle getPoolDataProvider getPriceOracleSentinel getACLManager getMarketId
"""
DATA_PROVIDER = """
getReserveTokensAddresses getAllReservesTokens getReserveCaps getPaused getIsVirtualAccActive getDebtCeiling
getSiloedBorrowing getATokenTotalSupply getTotalDebt
"""
SENTINEL = "isBorrowAllowed isLiquidationAllowed getSequencerOracle getGracePeriod"
SCALED = "scaledBalanceOf scaledTotalSupply getPreviousIndex balanceOf totalSupply UNDERLYING_ASSET_ADDRESS"
STABLE = ("balanceOf", "principalBalanceOf", "getUserStableRate")
FEED = "latestRoundData getRoundData latestRound latestAnswer decimals description AnswerUpdated"
UNISWAP_POOL = "slot0 observe liquidity token0 token1 fee tickSpacing"
QUOTER = "quoteExactInputSingle quoteExactOutputSingle quoteExactInput quoteExactOutput"
ROUTER = "exactInputSingle exactOutputSingle exactInput exactOutput"
PERP_HOUSE = """
getVault getExchange getOrderBook getAccountBalance getClearingHouseConfig getQuoteToken getAccountValue openPosition
closePosition PositionChanged PositionLiquidated FundingPaymentSettled
"""
PERP_VAULT = """
getSettlementToken decimals getBalance getFreeCollateral getCollateralTokens deposit depositFor withdraw Deposited
Withdrawn
"""
PERP_BALANCE = "getBaseTokens getAccountInfo getPnlAndPendingFee getMarginRequirementForLiquidation getMarkPrice"
PERP_EXCHANGE = "getMarketRegistry getPendingFundingPayment getSqrtMarketTwapX96"
PERP_CONFIG = "getImRatio getMmRatio getLiquidationPenaltyRatio getTwapInterval getMaxFundingRate getMarkPriceConfig"
PERP_BASE = "symbol getPriceFeed getIndexPrice isOpen isPaused isClosed getPausedIndexPrice getClosedPrice"

# What a caller may meet; set-up and administration are left out.
PERP_CODES = {
    "AB_MNE": "the account is in as many markets as it may be",
    "BT_NC": "the market is not closed",
    "CH_CLWTISO": "not liquidatable while it provides liquidity",
    "CH_EAV": "the account is worth enough: not liquidatable",
    "CH_F0S": "nothing would be exchanged",
    "CH_IIC": "the insurance fund cannot cover the bad debt",
    "CH_MNC": "the market is not closed",
    "CH_MNO": "the market is not open",
    "CH_MP": "the market is paused",
    "CH_NEFCI": "too little free collateral for the initial margin",
    "CH_NEFCM": "too little collateral for the maintenance margin: only a liquidator may reduce it",
    "CH_OMPS": "market and index price are too far apart",
    "CH_PSZ": "there is no position to close",
    "CH_TE": "the deadline has passed",
    "CH_TF": "a transfer of virtual tokens failed",
    "CH_TLRL": "a purchase would bring less than its bound",
    "CH_TLRS": "a sale would bring less than its bound",
    "CH_TMRL": "a purchase would cost more than its bound",
    "CH_TMRS": "a sale would cost more than its bound",
    "CH_WLD": "liquidation in the wrong direction",
    "EX_BTNE": "there is no such market",
    "EX_MIP": "the market is paused",
    "EX_OPB": "the price would leave its band around the index",
    "EX_OPLAS": "the price would move further than one block may",
    "EX_TKMM": "the pool moved otherwise than the exchange reckoned",
    "MR_PNE": "there is no such market",
    "OB_ONE": "too many liquidity orders",
    "UB_UOA": "the pool cannot fill the whole size",
    "V_GTSTBC": "the vault's deposit cap is reached",
    "V_IBA": "the token arrived with less than was sent",
    "V_NEFC": "more than the free collateral",
    "V_OSCT": "not a collateral of this vault",
    "V_ZA": "the amount is zero",
}

# Views of the proxies and price adapters an Aave market puts between its oracle and a Chainlink feed. They come in no
# npm package; each takes nothing and names the contract that is asked next.
ADAPTER_VIEWS = (
    "aggregator",
    "ASSET_TO_USD_AGGREGATOR",
    "BASE_TO_USD_AGGREGATOR",
    "ASSET_TO_PEG",
    "PEG_TO_BASE",
    "BASE_TO_PEG",
    "ETH_TO_BASE",
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lab", type=Path, default=ROOT / "sandbox", help="folder with node_modules/ and build/")
    options.add_argument("--core-v3", type=Path, help=f"unpacked {CORE_V3}; fetched with npm pack when left out")
    chosen = options.parse_args()

    OUT.mkdir(exist_ok=True)
    for name, abi in interfaces(chosen.lab).items():
        (OUT / f"{name}.json").write_text(in_lines(abi))
    (OUT / "perp_v2_error_codes.json").write_text(json.dumps(perp_codes(chosen.lab), indent=1) + "\n")
    codes = error_codes(chosen.core_v3)
    (OUT / "aave_v3_error_codes.json").write_text(json.dumps(codes, indent=1) + "\n")
    print(f"wrote {len(list(OUT.glob('*.json')))} files to {OUT.name}/")


def interfaces(lab: Path) -> dict[str, Abi]:
    """All that this writes but error codes, by the file's name."""
    return aave(lab) | uniswap(lab) | perp(lab) | {"multicall3": multicall3()}


def aave(lab: Path) -> dict[str, Abi]:
    build = compiled(lab / "build")

    def pick(contract: str, names: str) -> Abi:
        return cut(build[contract], names.split(), contract)

    # of 3.7, which is not on a registry: aave-dao/aave-v3-origin at c3879344
    isolated = function("getIsEModeCategoryIsolated", [argument("id", "uint8")], [argument("", "bool")], "view")
    later: Abi = [{"inputs": [], "name": "UserHasAssetWithZeroLtv", "type": "error"}]
    raisers = ("Errors", "PoolInstance", "ATokenInstance", "VariableDebtTokenInstance")
    delegation = pick("ICreditDelegationToken", "approveDelegation borrowAllowance")
    return {
        "aave_v3_pool": pick("IPool", POOL) + pick("PoolInstance", "POOL_REVISION") + [isolated],
        "aave_v3_errors": unique([*(e for r in raisers for e in build[r] if e["type"] == "error"), *later]),
        "aave_v3_oracle": pick("IAaveOracle", ORACLE),
        "aave_v3_addresses_provider": pick("IPoolAddressesProvider", ADDRESSES_PROVIDER),
        "aave_v3_data_provider": pick("IPoolDataProvider", DATA_PROVIDER),
        "aave_v3_price_oracle_sentinel": pick("IPriceOracleSentinel", SENTINEL),
        "aave_v3_token": pick("IAToken", SCALED) + delegation,
        "aave_v3_stable_token": [view(name, ["address"], ["uint256"]) for name in STABLE],  # of 3.0 and 3.1
        "erc20": pick("IERC20Detailed", "balanceOf decimals symbol allowance approve transfer Transfer Approval"),
        "weth9": pick("WETH9", "deposit withdraw"),
        "chainlink_feed": [
            *pick("AggregatorInterface", FEED),
            view("phaseAggregators", ["uint16"], ["address"]),  # of a feed's proxy, which no package has
            *(view(name, [], ["address"]) for name in ADAPTER_VIEWS),
        ],
    }


def compiled(build: Path) -> dict[str, Abi]:
    """ABI by contract name: one file per contract, or one file keyed `path.sol:Name` (then Aave's own sources only)."""
    if (build / "contracts").is_dir():
        return {file.stem: json.loads(file.read_text())["abi"] for file in (build / "contracts").glob("*.json")}
    keyed: dict[str, dict[str, Abi]] = json.loads((build / "aave36.json").read_text())
    return {path.split(":")[1]: found["abi"] for path, found in keyed.items() if path.startswith("src/")}


def uniswap(lab: Path) -> dict[str, Abi]:
    def artifact(package: str, path: str) -> Abi:
        name = path.rsplit("/", maxsplit=1)[-1]
        file = lab / "node_modules" / "@uniswap" / package / "artifacts" / "contracts" / f"{path}.sol" / f"{name}.json"
        found: Abi = json.loads(file.read_text())["abi"]
        return found

    swaps = cut(artifact("swap-router-contracts", "interfaces/IV3SwapRouter"), ROUTER.split(), "router")
    extended = artifact("swap-router-contracts", "interfaces/IMulticallExtended")
    with_deadline = [e for e in extended if [i["type"] for i in e.get("inputs", [])] == ["uint256", "bytes[]"]]
    return {
        "uniswap_v3_factory": cut(artifact("v3-core", "UniswapV3Factory"), ["getPool"], "factory"),
        "uniswap_v3_pool": cut(artifact("v3-core", "UniswapV3Pool"), UNISWAP_POOL.split(), "pool"),
        "uniswap_v3_quoter_v2": cut(artifact("swap-router-contracts", "lens/QuoterV2"), QUOTER.split(), "quoter"),
        "uniswap_v3_swap_router_02": swaps + cut(with_deadline, ["multicall"], "router"),
    }


def perp(lab: Path) -> dict[str, Abi]:
    """Perpetual Protocol v2; its price feeds are asked for what the index stands on."""

    def artifact(package: str, name: str) -> Abi:
        file = lab / "node_modules" / "@perp" / package / "artifacts" / "contracts" / f"{name}.sol" / f"{name}.json"
        found: Abi = json.loads(file.read_text())["abi"]
        return found

    def pick(name: str, names: str) -> Abi:
        return cut(artifact("curie-contract", name), names.split(), name)

    dispatcher = artifact("perp-oracle-contract", "PriceFeedDispatcher")
    source = artifact("perp-oracle-contract", "ChainlinkPriceFeedV3")
    dispatched = ["getChainlinkPriceFeedV3", "isToUseUniswapV3PriceFeed"]
    return {
        "perp_v2_clearing_house": pick("ClearingHouse", PERP_HOUSE),
        "perp_v2_vault": pick("Vault", PERP_VAULT),
        "perp_v2_account_balance": pick("AccountBalance", PERP_BALANCE),
        "perp_v2_exchange": pick("Exchange", PERP_EXCHANGE),
        "perp_v2_order_book": pick("OrderBook", "getOpenOrderIds"),
        "perp_v2_config": pick("ClearingHouseConfig", PERP_CONFIG),
        "perp_v2_market_registry": pick("MarketRegistry", "getMarketInfo getMarketInfoByTrader"),
        "perp_v2_base_token": pick("BaseToken", PERP_BASE),
        "perp_v2_price_feed": cut(dispatcher, dispatched, "dispatcher")
        + cut(source, ["getAggregator", "getLatestOrCachedPrice", "decimals"], "source"),
    }


def perp_codes(lab: Path) -> dict[str, str]:
    """Revert strings of Perp v2 in our own words; each must still be in the contracts."""
    sources = (lab / "node_modules" / "@perp" / "curie-contract" / "contracts").rglob("*.sol")
    known = set(re.findall(r'"(\w+)"', "".join(file.read_text() for file in sources)))
    if missing := PERP_CODES.keys() - known:
        raise SystemExit(f"Perp v2 has no {', '.join(sorted(missing))}")
    return dict(sorted(PERP_CODES.items()))


def multicall3() -> Abi:
    """Written by hand: the npm packages that carry Multicall3 leave out half of what is used here."""
    call = [argument("target", "address"), argument("allowFailure", "bool"), argument("callData", "bytes")]
    strict_call = [argument("target", "address"), argument("callData", "bytes")]
    result = [argument("success", "bool"), argument("returnData", "bytes")]
    results = argument("returnData", "tuple[]", result)
    return [
        function("aggregate3", [argument("calls", "tuple[]", call)], [results], "payable"),
        function(
            "tryBlockAndAggregate",
            [argument("requireSuccess", "bool"), argument("calls", "tuple[]", strict_call)],
            [argument("blockNumber", "uint256"), argument("blockHash", "bytes32"), results],
            "payable",
        ),
        view("getBlockNumber", [], ["uint256"]),
        view("getBlockHash", ["uint256"], ["bytes32"]),
        view("getLastBlockHash", [], ["bytes32"]),
        view("getCurrentBlockTimestamp", [], ["uint256"]),
        view("getChainId", [], ["uint256"]),
        view("getEthBalance", ["address"], ["uint256"]),
        view("getBasefee", [], ["uint256"]),
    ]


def error_codes(package: Path | None) -> dict[str, str]:
    """Revert strings of Aave 3.0 markets ("35") by the name of their constant."""
    inside = "contracts/protocol/libraries/helpers/Errors.sol"
    source = (package / inside).read_text() if package else packed(CORE_V3, inside)
    found = {code: name for name, code in re.findall(r"constant\s+(\w+)\s*=\s*'(\d+)'", source)}
    last = max(map(int, found))
    found |= {str(code): name for code, name in enumerate(LATER_CODES.split(), last + 1)}
    return {code: found[code] for code in sorted(found, key=int)}


def packed(package: str, inside: str) -> str:
    """One text file of a published npm package."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            member = archive.extractfile(f"package/{inside}")
            if member is None:
                raise SystemExit(f"{package} has no {inside}")
            return member.read().decode()


def cut(abi: Abi, names: list[str], where: str) -> Abi:
    kept = [entry for entry in abi if entry.get("name") in names and entry["type"] in {"function", "event"}]
    missing = set(names) - {entry["name"] for entry in kept}
    if missing:
        raise SystemExit(f"{where} has no {', '.join(sorted(missing))}")
    return kept


def unique(entries: Iterable[Entry]) -> Abi:
    return sorted({entry["name"]: entry for entry in entries}.values(), key=lambda entry: str(entry["name"]))


def argument(name: str, kind: str, components: Abi | None = None) -> Entry:
    return {"name": name, "type": kind} | ({"components": components} if components else {})


def function(name: str, inputs: Abi, outputs: Abi, mutability: str) -> Entry:
    return {"type": "function", "name": name, "inputs": inputs, "outputs": outputs, "stateMutability": mutability}


def view(name: str, inputs: list[str], outputs: list[str]) -> Entry:
    return function(name, [argument("", kind) for kind in inputs], [argument("", kind) for kind in outputs], "view")


def in_lines(abi: Abi) -> str:
    """One entry a line."""
    return "[\n " + ",\n ".join(json.dumps(without_internal_types(entry)) for entry in abi) + "\n]\n"


def without_internal_types(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_internal_types(item) for key, item in value.items() if key != "internalType"}
    return [without_internal_types(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
