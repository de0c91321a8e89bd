"""A position of a Safe, and the settings of a keeper whose signer is one of its owners."""

from __future__ import annotations

from dataclasses import dataclass, field

from scenes import DOLLAR, ETHER, Scene

from sandbox.safe.desk import SafeDesk

FLASH_RULE = """
[[rules]]
name = "protect"
position = "eth-loop"
when = { health_factor_below = "1.25" }
restore = { health_factor = "1.60" }
actions = ["deleverage"]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 100
max_fee_gwei = "200"
"""


@dataclass
class SafeScene(Scene):
    """The owner of the position is a Safe; the scene's signer is one of its owners."""

    desk: SafeDesk = field(kw_only=True)
    safe: str = field(kw_only=True)
    rules: str = FLASH_RULE

    @property
    def owner(self) -> str:
        return self.safe

    def open(  # type: ignore[override]
        self, collateral: dict[str, int] | None = None, debt: dict[str, int] | None = None
    ) -> SafeScene:
        """A hundred ether against 152,000 dollars unless told otherwise; what was borrowed leaves the Safe."""
        collateral, debt = collateral or {"WETH": 100 * ETHER}, debt or {"USDC": 152_000 * DOLLAR}
        self.world.open_position(self.owner, collateral, debt)
        for symbol, amount in debt.items():
            away = self.world.token(symbol).functions.transfer(self.world.role("lp"), amount)
            with self.world.acting_as(self.owner):
                self.world.chain.send(away, self.owner)
        return self

    def write(self) -> SafeScene:
        """The settings, with the Safe under the signer."""
        super().write()
        network = self.folder / "network.toml"
        network.write_text(self.desk.furnish(network.read_text()))
        text = self.config.read_text()
        line = f'address = "{self.signer}"\n'
        self.config.write_text(text.replace(line, f'{line}safe = "{self.safe}"\n', 1))
        return self

    def safe_nonce(self) -> int:
        return self.desk.nonce(self.safe)
