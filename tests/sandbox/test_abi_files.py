"""contracts_abi/ is what its tool writes: a whole run after a package was bumped shows what the package changed."""

from __future__ import annotations

import json

import pytest

from sandbox.paths import HERE
from sandbox.world import World
from tools.abi import OUT, in_lines, interfaces, perp_codes

pytestmark = pytest.mark.world


def test_a_whole_run_of_the_tool_changes_no_interface(world: World) -> None:
    """Of the packages that are pinned: nothing that the keeper calls is dropped because a list was not kept up."""
    assert world.addresses, "set up, so that what is compared has been compiled"
    written = interfaces(HERE)
    there = {name: (OUT / f"{name}.json").read_text() for name in written}
    assert {name for name, abi in written.items() if in_lines(abi) != there[name]} == set()
    assert json.loads((OUT / "perp_v2_error_codes.json").read_text()) == perp_codes(HERE)
