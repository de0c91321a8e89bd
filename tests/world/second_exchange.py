"""A second exchange of Perp v2 on the chain of a world, and settings that name what a test wants of both."""

from __future__ import annotations

import contextlib
import copy
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from scenes import Scene

from sandbox import deploy
from sandbox.perp_desk import PerpDesk
from sandbox.spec import DEFAULT, PerpMarket
from sandbox.world import World

LOAN = re.compile(r"\[\[positions\]\]\nname = \"eth-loop\"\n.*?signer = \"me\"\n", re.DOTALL)


def second_desk(world: World, market: PerpMarket) -> PerpDesk:
    """Everything of Perp v2 once more, with one market."""
    tokens, feeds = world.addresses["tokens"], world.addresses["feeds"]
    uniswap: Any = SimpleNamespace(factory=world.chain.at("UniswapV3Factory", world.addresses["uniswap"]["factory"]))
    roles = world.addresses["roles"]
    with contextlib.ExitStack() as stack:
        for who in dict.fromkeys(roles.values()):
            stack.enter_context(world.acting_as(who))
        found = deploy._deploy_perp(world.chain, replace(DEFAULT, perps=(market,)), uniswap, tokens, feeds, roles)
    other = cast("World", copy.copy(world))
    other.addresses = {**world.addresses, "perp": found}
    return PerpDesk(other)


def table(name: str, desk: PerpDesk) -> str:
    house, base = desk.addresses["clearing_house"], desk.base
    return (
        f'\n[markets.{name}]\nvenue = "perp_v2"\nclearing_house = "{house}"\n'
        f'[markets.{name}.markets]\n{desk.underlying} = "{base}"\n'
    )


def named(scene: Scene, rules: str, tables: str, *, drops: tuple[str, ...]) -> Scene:
    """Settings without the loan; a network file without the tables of ``drops``, with others."""
    scene.rules = rules
    scene.write()
    scene.config.write_text(LOAN.sub("", scene.config.read_text()))
    file = scene.folder / "network.toml"
    text = file.read_text()
    for one in drops:
        text = re.sub(rf"\[{one}(\.\w+)?\]\n(?:.+\n)*", "", text)
    file.write_text(text + tables)
    return scene
