"""Writes config/networks/: the addresses of each network, read from published packages.

    python tools/networks.py [--book DIR] [--uniswap DIR]

DIR is an unpacked package (its `package.json` inside); left out, the pinned version is fetched with npm pack. Run it
again after a bump and read the diff: an address that changed is a change of what the keeper trusts.
"""

import argparse
import gzip
import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eth_utils.address import to_checksum_address

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "config" / "networks"

BOOK = "@aave-dao/aave-address-book@4.68.1"
UNISWAP = "@uniswap/sdk-core@7.19.4"
GMX = "@gmx-io/sdk@1.4.0"
MORPHO = "@morpho-org/morpho-ts@2.8.0"
PERP = "@perp/curie-deployments@2023.4.12-1681295833590"

# The same on every network below: deployed by its author with a pre-signed transaction.
ENS_REGISTRY = "0x00000000000C2E074eC69A0dFb2997BA6C7d2e1e"
MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"

# Where sdk-core still names the first Quoter, whose results lack the price after the swap. From the deployment
# tables of Uniswap's documentation (repository Uniswap/docs, docs/contracts/v3/reference/deployments/).
QUOTER_V1 = "0xb27308f9F90D607463bb33eA1BeBb41C27CE5AB6"
QUOTER_V2 = "0x61fFE014bA17989E743c5F6cB21bF9697530B21e"

SPARK_CHAIN = 1
SPARK_PROVIDER = "0x02C3eA4e34C0cBd694D2adFa2c690EECbC1793eE"
SPARK_SOURCE = (
    "Spark is not in Aave's address book: its PoolAddressesProvider is from sparkdotfi/spark-address-registry,",
    "src/SparkLend.sol at commit 2934ba2a2ba81fbd12966d50aaca581af71aeea4.",
)
BATCH_ACCOUNT = "0x4Cd241E8d1510e30b2076397afc7508Ae59C66c9"  # one address on every chain; ethereum.org's delegate list


@dataclass(frozen=True, slots=True)
class Network:
    """What the packages do not say about a network, and under which names they know it."""

    name: str
    chain_id: int
    book: str
    sequencer: bool = False
    perp: bool = False
    gmx: bool = False
    heartbeats: tuple[tuple[str, str, str], ...] = ()
    spark: bool = False
    backings: tuple[tuple[str, str, str], ...] = ()
    """Assets whose own contract says what one of them stands for: symbol, of what, by which function."""


STAKED_ETHER = (("wstETH", "WETH", "stEthPerToken"), ("rETH", "WETH", "getExchangeRate"))
HOURLY_ETH = (("WETH", "70m", "Chainlink's ETH / USD here publishes at least hourly; ten minutes for a full block"),)

NETWORKS = (
    Network("ethereum", 1, "Ethereum", heartbeats=HOURLY_ETH, backings=STAKED_ETHER),
    Network("arbitrum", 42161, "Arbitrum", sequencer=True, gmx=True),
    Network("base", 8453, "Base", sequencer=True),
    Network("optimism", 10, "Optimism", sequencer=True, perp=True),
    Network("polygon", 137, "Polygon"),
    Network("avalanche", 43114, "Avalanche", gmx=True),
    Network("bnb", 56, "BNB"),
    Network("spark", 1, "Ethereum", spark=True),
)


BALANCER_V3 = "0xbA1333333333a1BA1108E8412f11850A5C319bA9"
BALANCER_V3_ON = {"ethereum", "arbitrum", "base", "optimism", "avalanche", "spark"}
"""From Balancer's documentation, "Deployment addresses"."""
MULTI_SEND = (
    'multi_send_call_only = "0x9641d764fc13c8B624c04430C7356C1C7C8102e2"'
    "  # Safe 1.4.1; used only by signers with `safe`"
)
"""The same on every chain here: npm @safe-global/safe-deployments 1.37.56, v1.4.1/multi_send_call_only.json."""


def _batch_account(name: str) -> list[str]:
    """Where it is known to be; Avalanche's C-Chain has no type-4 transactions, and of BNB Chain no package says it."""
    known = f'batch_account = "{BATCH_ACCOUNT}"  # Simple7702Account v0.8; used only by signers with batch = true'
    return [] if name in ("avalanche", "bnb") else [known]


def _ens_registry(network: Network) -> list[str]:
    """Where names stand in place of addresses: on Ethereum alone. From ENS's documentation, "Deployments"."""
    known = f'ens_registry = "{ENS_REGISTRY}"  # for names in place of addresses in `owner` and `address`'
    return [known] if network.chain_id == 1 else []


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--book", type=Path, help=f"unpacked {BOOK}")
    options.add_argument("--uniswap", type=Path, help=f"unpacked {UNISWAP}")
    options.add_argument("--perp", type=Path, help=f"unpacked {PERP}")
    options.add_argument("--gmx", type=Path, help=f"unpacked {GMX}")
    options.add_argument("--morpho", type=Path, help=f"unpacked {MORPHO}")
    chosen = options.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        book = chosen.book or unpacked(BOOK, Path(scratch) / "book")
        uniswap = chosen.uniswap or unpacked(UNISWAP, Path(scratch) / "uniswap")
        require_version(book, BOOK)
        perp = chosen.perp or unpacked(PERP, Path(scratch) / "perp")
        require_version(uniswap, UNISWAP)
        gmx = chosen.gmx or unpacked(GMX, Path(scratch) / "gmx")
        require_version(perp, PERP)
        require_version(gmx, GMX)
        morpho = chosen.morpho or unpacked(MORPHO, Path(scratch) / "morpho")
        require_version(morpho, MORPHO)
        for network in NETWORKS:
            text = toml(network, book, Uniswap.read(uniswap, network.chain_id), perp, gmx, morpho)
            (OUT / f"{network.name}.toml").write_text(text)
    print(f"wrote {len(NETWORKS)} networks to {OUT.relative_to(ROOT)}/")


@dataclass(frozen=True, slots=True)
class Uniswap:
    """One chain's entries of sdk-core."""

    factory: str
    quoter_v2: str
    swap_router_02: str
    wrapped_native: str
    block_time: str

    @classmethod
    def read(cls, package: Path, chain_id: int) -> "Uniswap":
        script = (
            "const a = require('./dist/cjs/src/addresses.js'), c = require('./dist/cjs/src/chains.js');"
            f"const of = a.CHAIN_TO_ADDRESSES_MAP[{chain_id}];"
            f"console.log(JSON.stringify([of.v3CoreFactoryAddress, of.quoterAddress,"
            f" a.SWAP_ROUTER_02_ADDRESSES({chain_id}), c.AVERAGE_BLOCK_TIMES_SECONDS[{chain_id}]]))"
        )
        printed = subprocess.run(["node", "-e", script], cwd=package, check=True, capture_output=True, text=True).stdout
        factory, quoter, router, seconds = json.loads(printed)
        wrapped = (package / "dist" / "cjs" / "src" / "entities" / "weth9.js").read_text()
        quoter_v2 = QUOTER_V2 if quoter == QUOTER_V1 else quoter
        return cls(
            factory=to_checksum_address(factory),
            quoter_v2=to_checksum_address(quoter_v2),
            swap_router_02=to_checksum_address(router),
            wrapped_native=found(wrapped, rf"Token\({chain_id}, '(0x[0-9a-fA-F]{{40}})'"),
            block_time=f"{seconds}s" if isinstance(seconds, int) else f"{round(seconds * 1000)}ms",
        )


def perp_v2(network: Network, package: Path) -> list[str]:
    """Clearing house and markets; markets without a feed dispatcher were closed before the package was made."""
    if not network.perp:
        return []
    found = json.loads((package / network.name / "core" / "metadata.json").read_text())
    if found["chainId"] != network.chain_id:
        raise SystemExit(f"{PERP} has chain {found['chainId']} for {network.name}")
    contracts = {name: contract["address"] for name, contract in found["contracts"].items()}
    bases = {pool["baseSymbol"].removeprefix("v"): pool["baseAddress"] for pool in found["pools"]}
    return [
        "",
        "[perp_v2]",
        f'clearing_house = "{to_checksum_address(contracts["ClearingHouse"])}"',
        "",
        "[perp_v2.markets]",
        *(
            f'{symbol} = "{to_checksum_address(base)}"'
            for symbol, base in sorted(bases.items())
            if f"{symbol}USDMarketPriceFeedDispatcher" in contracts
        ),
    ]


def morpho_blue(network: Network, package: Path) -> list[str]:
    """The one contract that has all markets of a chain; nothing where the package names none."""
    script = (
        f"const a = require('./lib/cjs/addresses.js'), id = {network.chain_id};"
        "const [at, of] = [a.addresses[id], a.deployments[id]];"
        "console.log(JSON.stringify(at ? [at.morpho, Number(of.morpho), at.preLiquidationFactory] : null))"
    )
    printed = subprocess.run(["node", "-e", script], cwd=package, check=True, capture_output=True, text=True).stdout
    found = json.loads(printed)
    if found is None:
        return []
    blue, since, factory = found
    named = f"since = {since}  # the block it was deployed at: `keeper init` looks for markets from there"
    lines = ["", "[morpho_blue]", f'morpho = "{to_checksum_address(blue)}"', named]
    if factory is not None:
        what = "  # of contracts that sell before liquidation begins"
        lines.append(f'pre_liquidation_factory = "{to_checksum_address(factory)}"{what}')
    return lines


COMET_MARKETS = ("usdc", "usdc.e", "usdt", "usds", "weth")
COMET_SOURCE = "compound-finance/comet deployments/*/*/roots.json at d5a30b0aaeff7755f1431e87f818990902237b03"
COMET_ADDRESSES = ROOT / "tests" / "venues" / "compound_v3" / "compound_v3_recordings" / "addresses.json.gz"


def compound_v3(network: Network, wrapped_native: str) -> list[str]:
    """A table for each market whose prices are in dollars, or in ether; on no registry, so kept with the recordings."""
    lines = list[str]()
    for of in json.loads(gzip.decompress(COMET_ADDRESSES.read_bytes()))["markets"]:
        if of["chain_id"] != network.chain_id or of["market"] not in COMET_MARKETS:
            continue
        lines += ["", f"[markets.compound-{of['market'].replace('.', '-')}]", 'venue = "compound_v3"']
        lines.append(f'comet = "{to_checksum_address(of["comet"])}"')
        if of["market"] == "weth":
            lines.append(f'money = "{wrapped_native}"  # its prices are in ether')
    return lines


MOONWELL = "@moonwell-fi/moonwell-sdk@1.0.0"
MOONWELL_COMPTROLLERS = {
    8453: "0xfBb21d0380beE3312B33c4353c8936a0F13EF26C",
    10: "0xCa889f40aae37FFf165BccF69aeF1E82b5C511B9",
}
"""By chain, as that package has them in environments/definitions/<chain>/contracts.js; of the Compound v2 family."""


def moonwell(network: Network) -> list[str]:
    """Its core market, where it is on a chain: its tokens count in seconds and say so, whatever a block takes."""
    found = None if network.spark else MOONWELL_COMPTROLLERS.get(network.chain_id)
    return ["", "[markets.moonwell]", 'venue = "compound_v2"', f'comptroller = "{found}"'] if found else []


VENUS = "@venusprotocol/venus-protocol@10.3.0"
VENUS_COMPTROLLERS = {56: ("0xfD36E2c2a6789Db23113685031d7F16329158384", "70_080_000")}
"""By chain, as that package has them: the core pool in deployments/bscmainnet/Unitroller.json, and how many blocks it
takes for a year in dist/helpers/chains.js."""


def venus(network: Network) -> list[str]:
    """Its core pool, which counts in blocks."""
    if network.chain_id not in VENUS_COMPTROLLERS:
        return []
    comptroller, per_year = VENUS_COMPTROLLERS[network.chain_id]
    table = ["", "[markets.venus]", 'venue = "compound_v2"', f'comptroller = "{comptroller}"']
    return [*table, f"blocks_per_year = {per_year}"]


GMX_CONTRACTS = {
    "data_store": "DataStore",
    "reader": "SyntheticsReader",
    "exchange_router": "ExchangeRouter",
    "router": "SyntheticsRouter",
    "order_vault": "OrderVault",
    "event_emitter": "EventEmitter",
    "referral_storage": "ReferralStorage",
}
GMX_MARKETS = ("BTC", "ETH", "SOL", "LINK", "AVAX", "ARB", "DOGE", "XRP")
GMX_CONFIGS = Path("build") / "cjs" / "src" / "configs"
GMX_TOKENS = """
const M = require("module"), load = M._load;
const nothing = new Proxy(() => "", { get: (_, key) => (key === "zeroAddress" ? "0x" + "0".repeat(40) : nothing) });
M._load = (name, ...rest) => (/^[./]/.test(name) ? load(name, ...rest) : nothing);
const { TOKENS } = require("./tokens.js"), { MARKETS } = require("./markets.js"), id = require("./chains.js")[NETWORK];
const known = Object.fromEntries(TOKENS[id].map((token) => [token.address.toLowerCase(), token]));
const used = Object.values(MARKETS[id]).flatMap((m) => [m.indexTokenAddress, m.longTokenAddress, m.shortTokenAddress]);
const rows = [...new Set(used.map((address) => address.toLowerCase()))].map((address) => known[address]);
const plain = rows.filter((token) => token && !token.isStable && !token.isNative);
console.log(JSON.stringify(plain.map((token) => [token.baseSymbol || token.symbol, token.address])));
"""
"""Index and collateral tokens of all markets, by what they stand for; packages the tables do not need are left out."""


def gmx_v2(network: Network, package: Path) -> list[str]:
    """Contracts, and for each underlying the market backed by its own token and USDC, or else the first with USDC."""
    if not network.gmx:
        return []
    configs = package / GMX_CONFIGS
    contracts = section((configs / "contracts.js").read_text(), network.name)
    listed = re.findall(
        r"// (\w+)/USD \[([\w.]+)-USDC\]\s+\"(0x[0-9a-fA-F]{40})\"",
        section((configs / "markets.js").read_text(), network.name),
    )
    markets = dict[str, str]()
    for symbol in GMX_MARKETS:
        backed = {long: market for name, long, market in listed if name == symbol}
        own = next((m for long, m in backed.items() if symbol in long), next(iter(backed.values()), None))
        if own:
            markets[symbol] = to_checksum_address(own)
    tokens = gmx_tokens(network, configs)
    names = {key: found(contracts, rf"\b{name}: \"(0x[0-9a-fA-F]{{40}})\"") for key, name in GMX_CONTRACTS.items()}
    return [
        "",
        "[gmx_v2]",
        *(f'{key} = "{where}"' for key, where in names.items()),
        "",
        "[gmx_v2.markets]",
        *(f'{symbol} = "{market}"' for symbol, market in markets.items()),
        "",
        "[gmx_v2.tokens]  # what stands for what: index tokens without a contract, collateral that is what is traded",
        *(f"{key(symbol)} = {json.dumps(places)}" for symbol, places in sorted(tokens.items())),
    ]


def gmx_tokens(network: Network, configs: Path) -> dict[str, list[str]]:
    """What the exchange calls the tokens of its markets, by the underlying."""
    script = f"const NETWORK = {json.dumps(network.name.upper())};{GMX_TOKENS}"
    printed = subprocess.run(["node", "-e", script], cwd=configs, check=True, capture_output=True, text=True).stdout
    tokens = dict[str, list[str]]()
    for symbol, place in json.loads(printed):
        tokens.setdefault(symbol.upper(), []).append(to_checksum_address(place))
    return tokens


MORPHO_KEYS = {"bundler": "bundler3", "general_adapter": "generalAdapter1", "lender": "morpho"}


def bundler3(network: Network, package: Path, comets: Sequence[str]) -> list[str]:
    """Morpho's bundler, where it has an adapter for Aave's main market: the one that the file calls aave_v3.

    Another adapter of it is for every market of Compound v3.
    """
    if network.spark:
        return []
    script = f"console.log(JSON.stringify(require('./lib/cjs/index.js').addressesRegistry[{network.chain_id}] ?? {{}}))"
    printed = subprocess.run(["node", "-e", script], cwd=package, check=True, capture_output=True, text=True).stdout
    known = json.loads(printed)
    known = {**known, **known.get("bundler3", {})} if isinstance(known.get("bundler3"), dict) else known
    adapter = known.get("aaveV3CoreMigrationAdapter")
    if not adapter:
        return []
    return [
        "",
        "[bundler3]  # a rescue in one transaction, by a loan of the same transaction",
        *(f'{name} = "{to_checksum_address(known[theirs])}"' for name, theirs in MORPHO_KEYS.items()),
        "",
        "[bundler3.adapters]  # by lending market, as its table is called",
        f'aave_v3 = "{to_checksum_address(adapter)}"',
        *_comet_adapters(known.get("compoundV3MigrationAdapter"), comets),
    ]


def _comet_adapters(adapter: str | None, comets: Sequence[str]) -> list[str]:
    """The one adapter, by each table of a market of Compound v3."""
    names = [line.removeprefix("[markets.").removesuffix("]") for line in comets if line.startswith("[markets.")]
    return [f'{name} = "{to_checksum_address(adapter)}"' for name in names] if adapter else []


def balancer_v3(network: Network) -> list[str]:
    """Balancer v3's vault, at one address wherever it is: lends to accounts that are a Safe."""
    if network.name not in BALANCER_V3_ON:
        return []
    return [
        "",
        "[balancer_v3]  # lends to accounts that are a Safe, within one transaction",
        f'vault = "{BALANCER_V3}"',
    ]


def key(name: str) -> str:
    """A name as a TOML key: bare where it may be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def section(text: str, network: str) -> str:
    """What a compiled table of the GMX package says of one network: from its name to the next one's."""
    starts = [(m.start(), m.group(1)) for m in re.finditer(r"\[(?:\w+\.)?([A-Z_]+)\]: \{", text)]
    begin = next(at for at, name in starts if name == network.upper())
    return text[begin : next((at for at, _ in starts if at > begin), len(text))]


def toml(network: Network, book: Path, uniswap: Uniswap, perp: Path, gmx: Path, morpho: Path) -> str:
    market = f"src/AaveV3{network.book}.sol"
    feeds = f"src/Chainlink{network.book}.sol"
    provider = SPARK_PROVIDER if network.spark else constant(book / market, "POOL_ADDRESSES_PROVIDER")
    title = "SparkLend, a fork of Aave v3, on Ethereum" if network.spark else f"Aave v3 on {network.book}"
    header = [
        f"# {title}: addresses and price safety.",
        "# Written by tools/networks.py; addresses are data, so a market of your own is a file like this one.",
        *([] if network.spark else [f"# Aave: npm {BOOK}, {market}."]),
        *(f"# {line}" for line in (SPARK_SOURCE if network.chain_id == SPARK_CHAIN else ())),
        f"# Uniswap, wrapped native token, block time: npm {UNISWAP}, in dist/cjs/src:",
        "# addresses.js, entities/weth9.js, chains.js; where it names the first Quoter, QuoterV2 is from the",
        "# deployment tables in Uniswap's documentation.",
        *([f"# Sequencer feed: npm {BOOK}, {feeds}."] if network.sequencer else []),
        *([f"# Perp v2: npm {PERP}, {network.name}/core/metadata.json."] if network.perp else []),
        *([f"# GMX v2: npm {GMX}, {GMX_CONFIGS}/contracts.js, markets.js, tokens.js."] if network.gmx else []),
    ]
    sequencer = []
    if network.sequencer:
        feed = constant(book / feeds, "L2_Sequencer_Uptime_Status_Feed")
        sequencer = [f'sequencer_feed = "{feed}"', 'sequencer_grace = "1h"']
    comets = compound_v3(network, uniswap.wrapped_native)
    blue, bundler = morpho_blue(network, morpho), bundler3(network, morpho, comets)
    if comets:
        header += ["# Compound v3: repository", f"# {COMET_SOURCE}."]
    core = moonwell(network)
    if core:
        header.append(f"# Moonwell: npm {MOONWELL}, environments/definitions/{network.name}/contracts.js.")
    pool = venus(network)
    if pool:
        header.append(f"# Venus: npm {VENUS}, deployments/bscmainnet/Unitroller.json;")
        header.append("# blocks in a year: its dist/helpers/chains.js.")
    if blue:
        header.append(f"# Morpho Blue: npm {MORPHO}, lib/cjs/addresses.js.")
    if bundler:
        header.append(f"# Morpho's bundler: npm {MORPHO}, addressesRegistry.")
    lines = [
        *header,
        "",
        f'name = "{network.name}"',
        f"chain_id = {network.chain_id}",
        f'multicall3 = "{MULTICALL3}"',
        f'wrapped_native = "{uniswap.wrapped_native}"',
        *_batch_account(network.name),
        MULTI_SEND,
        f'block_time = "{uniswap.block_time}"',
        *_ens_registry(network),
        "",
        "[aave_v3]",
        f'pool_addresses_provider = "{to_checksum_address(provider)}"',
        *_spark_beside(network),
        *blue,
        *comets,
        *core,
        *pool,
        "",
        "[uniswap_v3]",
        f'factory = "{uniswap.factory}"',
        f'quoter_v2 = "{uniswap.quoter_v2}"',
        f'swap_router_02 = "{uniswap.swap_router_02}"',
        "fee_tiers = [100, 500, 3000, 10000]",
        *perp_v2(network, perp),
        *gmx_v2(network, gmx),
        *bundler,
        *balancer_v3(network),
        "",
        "[price_safety]",
        *sequencer,
        'default_heartbeat = "25h"  # most feeds publish daily at the latest; an hour for a late round',
        "max_deviation_bps = 300",
        'twap_window = "5m"',
    ]
    for symbol, heartbeat, why in network.heartbeats:
        lines += ["", f"[price_safety.assets.{symbol}]", f'heartbeat = "{heartbeat}"  # {why}']
    for symbol, of, function in network.backings:
        rate = to_checksum_address(constant(book / market, f"{symbol}_UNDERLYING"))
        lines += ["", f"[price_safety.assets.{symbol}]", f'backed_by = "{of}"', f'rate = "{rate}"  # {function}']
    return "\n".join(lines) + "\n"


def _spark_beside(network: Network) -> list[str]:
    """Spark as one more market of the same chain: a position names it by its `market`."""
    if network.spark or network.chain_id != SPARK_CHAIN:
        return []
    provider = to_checksum_address(SPARK_PROVIDER)
    return ["", "[markets.spark]", 'venue = "aave_v3"', f'pool_addresses_provider = "{provider}"']


def constant(file: Path, name: str) -> str:
    """A Solidity address constant, whether bare or wrapped in its interface."""
    return found(file.read_text(), rf"constant {name}\s*=\s*(?:\w+\()?\s*(0x[0-9a-fA-F]{{40}})")


def found(text: str, pattern: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"not found: {pattern}")
    return to_checksum_address(match.group(1))


def unpacked(package: str, folder: Path) -> Path:
    folder.mkdir()
    subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def require_version(package: Path, wanted: str) -> None:
    stated = json.loads((package / "package.json").read_text())
    if f"{stated['name']}@{stated['version']}" != wanted:
        raise SystemExit(f"{package.name} is {stated['name']}@{stated['version']}, wanted {wanted}")


if __name__ == "__main__":
    main()
