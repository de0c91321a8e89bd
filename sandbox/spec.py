"""What a world contains, as data. Change the numbers here; nothing else knows them.

Prices are US dollars per whole token, as strings; `supply`, caps and depths are whole tokens or whole dollars;
ltv, threshold, bonus, factors and rates are basis points as Aave's configurator takes them.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Reserve:
    """One Aave reserve and the token and feed behind it.

    `rate` is (optimal usage, base, slope below, slope above). `ratio_of` names the reserve whose feed prices this one
    through a ratio adapter (`price` is then ignored and `ratio` counts), as for staked ether. A cap of 0 is no cap.
    Aave refuses fewer than 6 decimals, and a threshold times bonus above 100 %.
    """

    symbol: str
    decimals: int
    price: str
    ltv: int
    threshold: int
    bonus: int
    factor: int = 1000
    rate: tuple[int, int, int, int] = (9000, 0, 400, 6000)
    supply: int = 0
    supply_cap: int = 0
    borrow_cap: int = 0
    borrowable: bool = True
    ratio_of: str | None = None
    ratio: str = "1"
    heartbeat_s: int = 86_400


@dataclass(frozen=True, slots=True)
class EMode:
    """An efficiency-mode category: which reserves count as collateral and which may be borrowed inside it."""

    id: int
    label: str
    ltv: int
    threshold: int
    bonus: int
    collateral: tuple[str, ...]
    borrowable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """A Uniswap v3 pool with full-range liquidity of `depth_usd` on each side; `fee` in millionths."""

    a: str
    b: str
    fee: int
    depth_usd: int


@dataclass(frozen=True, slots=True)
class PerpMarket:
    """A Perp v2 market on `underlying`, priced by the feed of the reserve `feed_of`.

    Margin of all markets is in the first's `collateral`. `depth_usd` is what the maker provides on each side over the
    whole price range; `fee` and `insurance_share` (of the fee) are millionths.
    """

    underlying: str = "ETH"
    feed_of: str = "WETH"
    collateral: str = "USDC"
    depth_usd: int = 100_000_000
    fee: int = 1000
    insurance_share: int = 100_000

    @property
    def name(self) -> str:
        """Of the virtual token: vETH."""
        return f"v{self.underlying}"


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """Everything a world is built from. `sentinel` wires Aave's PriceOracleSentinel to the sequencer feed."""

    reserves: tuple[Reserve, ...]
    pools: tuple[Pool, ...] = ()
    emodes: tuple[EMode, ...] = ()
    wrapped_native: str = "WETH"
    timestamp: int = 1_750_000_000
    sentinel: bool = False
    sequencer_grace_s: int = 600
    perps: tuple[PerpMarket, ...] = ()
    gmx: bool = False
    """Whether there is a stand-in for GMX v2, with WETH and USDC of this world."""

    def reserve(self, symbol: str) -> Reserve:
        return next(r for r in self.reserves if r.symbol == symbol)

    def price(self, symbol: str) -> Decimal:
        """US dollars per whole token."""
        reserve = self.reserve(symbol)
        if reserve.ratio_of is None:
            return Decimal(reserve.price)
        return self.price(reserve.ratio_of) * Decimal(reserve.ratio)


ETH_RATE = (8000, 0, 270, 8000)
STABLE_RATE = (9000, 0, 550, 4000)
BTC_RATE = (4500, 0, 400, 30000)

DEFAULT = WorldSpec(
    reserves=(
        Reserve("WETH", 18, "2000", 8050, 8300, 10500, 1500, ETH_RATE, 200_000, 1_500_000, 1_300_000, heartbeat_s=3600),
        Reserve(
            "wstETH",
            18,
            "0",
            7850,
            8100,
            10600,
            3500,
            (8000, 0, 350, 8000),
            80_000,
            600_000,
            60_000,
            ratio_of="WETH",
            ratio="1.2",
            heartbeat_s=3600,
        ),
        Reserve("WBTC", 8, "60000", 7300, 7800, 10500, 2000, BTC_RATE, 3_000, 40_000, 20_000, heartbeat_s=3600),
        Reserve("USDC", 6, "1", 7500, 7800, 10450, 1000, STABLE_RATE, 200_000_000, 2_000_000_000, 1_800_000_000),
        Reserve(
            "DAI", 18, "1", 6300, 7700, 10500, 2500, STABLE_RATE, 80_000_000, 340_000_000, 270_000_000, heartbeat_s=3600
        ),
        Reserve(
            "LINK", 18, "15", 6600, 7100, 10700, 2000, BTC_RATE, 4_000_000, 15_000_000, 1_300_000, heartbeat_s=3600
        ),
        Reserve("USDT", 6, "1", 7500, 7800, 10450, 1000, STABLE_RATE, 200_000_000, 2_000_000_000, 1_800_000_000),
        Reserve("EURC", 6, "1.08", 0, 0, 0, 1000, STABLE_RATE, 20_000_000, 40_000_000, 36_000_000),
    ),
    pools=(
        Pool("WETH", "USDC", 500, 40_000_000),
        Pool("WETH", "USDC", 3000, 10_000_000),
        Pool("WETH", "DAI", 3000, 8_000_000),
        Pool("WETH", "USDT", 500, 20_000_000),
        Pool("WBTC", "WETH", 500, 30_000_000),
        Pool("WBTC", "USDC", 3000, 10_000_000),
        Pool("wstETH", "WETH", 100, 50_000_000),
        Pool("LINK", "WETH", 3000, 6_000_000),
        Pool("USDC", "USDT", 100, 60_000_000),
        Pool("USDC", "DAI", 100, 60_000_000),
        Pool("EURC", "USDC", 500, 5_000_000),
    ),
    emodes=(
        EMode(1, "ETH correlated", 9300, 9500, 10100, ("WETH", "wstETH"), ("WETH",)),
        EMode(2, "Dollars", 9000, 9300, 10200, ("USDC", "DAI", "USDT"), ("USDC", "DAI", "USDT")),
    ),
    perps=(PerpMarket(),),
    gmx=True,
)
