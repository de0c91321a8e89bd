"""The positions that live through a crash at the same time, one setting each, and the keeper's files for them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from sandbox.world import World

PASSWORD = "survival"  # noqa: S105  of keys that exist for one crash
FIRST_KEY = 0x5EED0000
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Setting:
    """What one position is, and what its owner allows. Ratios as texts, as in the settings file."""

    name: str
    start: str
    """Health factor at the beginning."""
    trigger: str
    target: str
    actions: tuple[str, ...] = ("deleverage",)
    collateral: tuple[tuple[str, str], ...] = (("WETH", "20"),)
    """Whole tokens by symbol."""
    debt: str = "USDC"
    wallet: tuple[tuple[str, str], ...] = ()
    is_batch: bool = False
    slippage: str = ""
    """A line of `[rules.limits]`; empty: what ships."""
    fee: str = ""
    """The same for the fee limit."""
    guardian: str = ""
    """Positions with the same word here are rescued by one signer, who is not their owner."""
    emode: int = 0

    @property
    def twin(self) -> tuple[object, ...]:
        """What decides how it goes without a keeper."""
        return self.start, self.collateral, self.debt, self.emode


@dataclass(slots=True)
class Cell:
    """A setting with its accounts in the world."""

    setting: Setting
    owner: LocalAccount
    signer: LocalAccount
    twin: str
    """The account of its like that nobody keeps."""
    debt: int = 0
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.setting.name.replace(" ", "-").replace(",", "")


SMALL, USUAL, BIG = (("WETH", "2"),), (("WETH", "20"),), (("WETH", "150"),)
SALE, WALLET, ALL = ("deleverage",), ("top_up", "repay"), ("top_up", "repay", "deleverage")
WIDE, TIGHT = "max_slippage_bps = 300", "max_slippage_bps = 50"


def settings(*, is_quick: bool) -> list[Setting]:
    """Start health, means, slippage, batch or call by call, one signer or one for several."""
    found = []
    for start, trigger, target in (("1.15", "1.10", "1.20"), ("1.30", "1.20", "1.40")):
        low = start == "1.15"
        for batch in (True, False):
            way = "batch" if batch else "calls"
            found.append(Setting(f"sale {way} {start}", start, trigger, target, is_batch=batch))
            if low or not is_quick:
                for name, slippage in (("wide", WIDE), ("tight", TIGHT)):
                    words = f"{name} {way} {start}"
                    found.append(Setting(words, start, trigger, target, is_batch=batch, slippage=slippage))
        repay = (("USDC", "6000"),)
        found.append(Setting(f"repay {start}", start, trigger, target, WALLET, wallet=repay))
        found.append(Setting(f"top-up {start}", start, trigger, target, WALLET, wallet=(("WETH", "6"),)))
        half = (("USDC", "1500"),)
        found.append(Setting(f"all {start}", start, trigger, target, ALL, wallet=half, is_batch=True))
        if is_quick and not low:
            continue
        found.append(Setting(f"big {start}", start, trigger, target, SALE, BIG, is_batch=True))
        found.append(Setting(f"small {start}", start, trigger, target, SALE, SMALL, is_batch=True))
    found += [
        Setting(f"guarded {i}", start, "1.12", "1.25", WALLET, wallet=(("WETH", "6"),), guardian="g")
        for i, start in enumerate(("1.15", "1.17", "1.19"), 1)
    ]
    if not is_quick:
        both = (("WETH", "10"), ("WBTC", "0.4"))
        found.append(Setting("two kinds 1.15", "1.15", "1.10", "1.20", SALE, both, is_batch=True))
        found.append(Setting("fixed cap 1.15", "1.15", "1.10", "1.20", SALE, is_batch=True, fee='max_fee_gwei = "500"'))
        loop = (("wstETH", "20"),)
        found.append(Setting("loop 1.03", "1.03", "1.025", "1.05", SALE, loop, "WETH", emode=1, is_batch=True))
        for batch, way in ((True, "batch"), (False, "calls")):
            found.append(
                Setting(f"loop {way} 1.06", "1.06", "1.05", "1.09", SALE, loop, "WETH", is_batch=batch, emode=1)
            )
    return found


def key(number: int) -> LocalAccount:
    """An account of our own; everybody can know its key."""
    account: LocalAccount = Account.from_key((FIRST_KEY + number).to_bytes(32))
    return account


def settle(world: World, wanted: Sequence[Setting]) -> list[Cell]:
    """Open every position, and one twin of each kind that nobody keeps. What was borrowed is spent."""
    numbers = iter(range(1, 10_000))
    twins: dict[tuple[object, ...], str] = {}
    guardians: dict[str, LocalAccount] = {}
    cells = []
    for setting in wanted:
        owner = key(next(numbers))
        signer = owner
        if setting.guardian:
            signer = guardians.setdefault(setting.guardian, key(10_000 + len(guardians)))
        if setting.twin not in twins:
            twins[setting.twin] = key(next(numbers)).address
            _open(world, twins[setting.twin], setting)
        cell = Cell(setting, owner, signer, twins[setting.twin], _open(world, owner.address, setting))
        for symbol, amount in world.units(dict(setting.wallet)).items():
            world.mint(symbol, signer.address, amount)
        for account in {owner.address, signer.address}:
            world.rpc("anvil_setBalance", account, hex(200 * 10**18))
        cells.append(cell)
    return cells


def _open(world: World, owner: str, setting: Setting) -> int:
    """Borrow so much that the health factor is what the setting says; return the debt."""
    world.open_position(owner, world.units(dict(setting.collateral)), emode=setting.emode)
    data = world.account_data(owner)
    at_most = Decimal(data.collateral) * data.liquidation_threshold / 10_000 / Decimal(setting.start)
    dollars = at_most.scaleb(-8) / world.price(setting.debt)
    owed = world.units({setting.debt: dollars})[setting.debt]
    world.borrow(owner, setting.debt, owed)
    with world.acting_as(owner):
        away = world.token(setting.debt).functions.transfer(world.role("lp"), owed)
        world.chain.send(away, owner)
    return owed


def write(folder: Path, world: World, cells: Sequence[Cell], daemon: Mapping[str, str]) -> Path:
    """The keeper's settings, keystores and password for all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    world.network_toml(folder / "network.toml")
    (folder / "password").write_text(PASSWORD)
    parts = [f'[network]\nfile = "network.toml"\nrpc_url = "{world.url}"\n[journal]\nurl = "survival.sqlite"\n']
    signers = {cell.signer.address: cell for cell in cells}
    for address, cell in signers.items():
        store = folder / f"{address}.json"
        store.write_text(json.dumps(Account.encrypt(cell.signer.key, PASSWORD, iterations=2)))
        batch = str(cell.setting.is_batch).lower()
        parts.append(
            f'[[signers]]\nname = "{address}"\naddress = "{address}"\nkeystore = "{store.name}"\n'
            f'password_file = "password"\nbatch = {batch}\n'
        )
    parts += [_position(cell) for cell in cells]
    parts.append("[safety]\narm_within_bps = 0\n[daemon]\nstate_dir = 'state'\nrpc_timeout = '30s'\n")
    parts.append(f"poll = '{POLL_S}s'\n" + "".join(f"{k} = {v}\n" for k, v in daemon.items()))
    path = folder / "keeper.toml"
    path.write_text("\n".join(parts))
    return path


def _position(cell: Cell) -> str:
    setting = cell.setting
    return f"""[[positions]]
name = "{cell.name}"
venue = "aave_v3"
owner = "{cell.owner.address}"
signer = "{cell.signer.address}"
[[rules]]
name = "protect-{cell.name}"
position = "{cell.name}"
when = {{ health_factor_below = "{setting.trigger}" }}
restore = {{ health_factor = "{setting.target}" }}
actions = {json.dumps(list(setting.actions))}
cooldown = "10m"
[rules.limits]
{setting.slippage}
{setting.fee}
"""
