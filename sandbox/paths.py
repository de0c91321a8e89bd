"""Where the sandbox keeps things; everything below BUILD, RUN and MODULES is generated and git-ignored."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
BUILD = HERE / "build"
RUN = HERE / "run"

CONTRACTS = BUILD / "contracts"
STATE = BUILD / "world.state.json"
ADDRESSES = BUILD / "world.addresses.json"
