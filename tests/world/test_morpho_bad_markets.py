"""Markets of Morpho that are not what they should be: each a reason of its own, and none ever healthy."""

from __future__ import annotations

from typing import Any

import pytest
from scenes import DOLLAR, ETHER, Scene
from test_morpho_blue import keep, once

from keeper.venues.feeds.fixed_price import price_source
from sandbox.morpho.desk import MorphoDesk

pytestmark = pytest.mark.world
REVERTS = "0x60006000fd"
"""PUSH1 0, PUSH1 0, REVERT: whatever it is asked."""
EMPTY = "0x"
SHORT = "0x60016000526001601ff3"
"""Answers one byte."""


@pytest.fixture
def morpho(scene: Scene) -> MorphoDesk:
    return MorphoDesk(scene.world)


@pytest.fixture
def id_(scene: Scene, morpho: MorphoDesk) -> str:
    """Ten ether against 13,100 dollars: far below its trigger were the price what an oracle says below."""
    made = morpho.create("WETH", "USDC")
    morpho.open(made, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    keep(scene, morpho, made)
    return made


def put(scene: Scene, at: str, code: str) -> None:
    scene.world.rpc("anvil_setCode", at, code)


def says(scene: Scene) -> str:
    (row,) = scene.data("status")["positions"]
    return str(row)


@pytest.mark.parametrize("code", [REVERTS, EMPTY, SHORT], ids=["reverts", "is no contract", "answers one byte"])
def test_an_oracle_that_does_not_answer_blinds_the_position(
    scene: Scene, morpho: MorphoDesk, id_: str, code: str
) -> None:
    """By name, in every command; nothing is planned, and there is no health to be read."""
    put(scene, morpho.oracles[id_].address, code)
    (row,) = scene.data("status")["positions"]
    assert "figures" not in row, row
    assert {"price_not_positive", "position_unreadable"} & set(words(row)), row
    row = once(scene, "--live")
    assert not row.get("outcome"), row
    assert "price" in " ".join(scene.keeper("explain", "lent").output.split())


def test_an_oracle_that_says_nothing_is_worth_anything_is_no_price(scene: Scene, morpho: MorphoDesk, id_: str) -> None:
    """Zero is not a crash to sell into: the contract would liquidate, but there is no price to sell at."""
    put(scene, morpho.oracles[id_].address, "0x" + price_source(0).hex())
    (row,) = scene.data("status")["positions"]
    assert "price_not_positive" in words(row), row
    row = once(scene, "--live")
    assert not row.get("outcome"), row


@pytest.mark.parametrize("times", [10, 0.1], ids=["ten times", "a tenth"])
def test_an_oracle_that_lies_wildly_is_doubted(scene: Scene, morpho: MorphoDesk, id_: str, times: float) -> None:
    """The pools say otherwise: nothing is sold at its price, and the owner hears why."""
    true = morpho.oracles[id_].functions.price().call()
    put(scene, morpho.oracles[id_].address, "0x" + price_source(int(true * times)).hex())
    (row,) = scene.data("status")["positions"]
    assert "price_deviates" in words(row), row
    row = once(scene, "--live")
    assert not row.get("outcome"), row


def test_a_rate_model_that_reverts_blinds_the_position(scene: Scene, morpho: MorphoDesk, id_: str) -> None:
    """Nobody can do anything in such a market, and what is owed by now nobody knows."""
    put(scene, morpho.irm.address, REVERTS)
    scene.world.mine()
    (row,) = scene.data("status")["positions"]
    assert "figures" not in row, row
    assert "position_unreadable" in words(row), row


def words(row: Any) -> list[str]:
    """Every word of a row."""
    return str(row).replace("'", " ").replace('"', " ").replace(",", " ").split()
