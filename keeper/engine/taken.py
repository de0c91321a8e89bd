"""What a plan, of any kind, takes out of the wallet that pays for it: gas aside, and nothing that it brings in."""

from __future__ import annotations

from keeper.core.drills import WalletDraw
from keeper.core.lending.joint import Ahead, wallet_after
from keeper.core.lending.plan import Plan
from keeper.core.perp.moves import AddMargin
from keeper.core.perp.plan import PerpPlan
from keeper.core.snapshot import Wallet
from keeper.core.units import Wei


def left_by(wallet: Wallet, made: Plan | PerpPlan) -> Wallet:
    """Return what a wallet has once a plan was carried out."""
    if isinstance(made, Plan):
        return wallet_after(wallet, [Ahead(wallet.address, made, Wei(0))])
    for step in made.steps:
        if isinstance(step.move, AddMargin):
            wallet = wallet.without(step.move.asset, step.move.amount)
    return wallet


def taken_by(wallet: Wallet | None, made: Plan | PerpPlan) -> tuple[WalletDraw, ...]:
    """Return what a plan takes of each asset, savings included."""
    if wallet is None:
        return ()
    left = left_by(wallet, made)
    assets = dict.fromkeys((*wallet.tokens, *(saving.asset for saving in wallet.savings)))
    spent = {asset: wallet.has(asset) - left.has(asset) for asset in assets}
    return tuple(WalletDraw(wallet.address, asset, amount) for asset, amount in spent.items() if amount > 0)
