"""A recording of the real Compound v3, played again on the sandbox's stand-in: each figure, event and refusal compared.

What a recording does not show being done (its ``setup`` steps) is written into storage from what was read afterwards;
all that is read once more, after transactions or later, is compared.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from comet_recordings import constants, every, recorded
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3 import Web3

from sandbox.anvil import Anvil
from sandbox.chain import Chain
from sandbox.compound.install import artifact

Step = dict[str, Any]
IMPLEMENTATION = int.from_bytes(keccak(text="eip1967.proxy.implementation"), "big") - 1
TOTALS, USERS, HELD, OF_ASSETS, NONCES, POINTS = 0, 2, 3, 4, 6, 7
ANSWER, BALANCES, ALLOWANCES = 0, 1, 2
PLENTY = 10**32
TOO_LITTLE = 10**5
NOBODY = "0x" + "00" * 19 + "01"
OF_AN_ACCOUNT = ("balanceOf", "borrowBalanceOf", "baseTrackingAccrued", "isLiquidatable", "isBorrowCollateralized")
OF_TOTALS = ("getUtilization", "totalSupply", "totalBorrow", "getReserves")
ERROR = "0x08c379a0"
USER = (("principal", 104), ("baseTrackingIndex", 64), ("baseTrackingAccrued", 64), ("assetsIn", 16), ("_reserved", 8))
FIRST = (("baseSupplyIndex", 64), ("baseBorrowIndex", 64), ("trackingSupplyIndex", 64), ("trackingBorrowIndex", 64))
SECOND = (("totalSupplyBase", 104), ("totalBorrowBase", 104), ("lastAccrualTime", 40), ("pauseFlags", 8))
APART = ("assetList()", "extensionDelegate()", "liquidatorPoints(address)")
"""Not of the arithmetic: where parts of the real contract live, and what its calls used in gas."""


@dataclass
class Compared:
    """How much was held against the recording, and what was not equal."""

    reads: int = 0
    refusals: int = 0
    transactions: int = 0
    events: int = 0
    differ: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """What was asked that the stand-in does not have: never of the three markets that it is held against."""


def play(name: str) -> Compared:
    """Play one recording."""
    with _on_chain(name) as stage:
        for step in recorded(name)["steps"]:
            stage.step(step)
        return stage.found


@contextmanager
def _on_chain(name: str) -> Iterator[Stage]:
    first = min(int(b["timestamp"]) for b in recorded(name)["blocks"].values())
    anvil = Anvil("--hardfork", "prague", "--chain-id", "1", "--timestamp", str(first - 200))
    try:
        anvil.rpc("anvil_setBlockTimestampInterval", 1)
        yield Stage(name, anvil)
    finally:
        anvil.stop()


class Stage:
    """The stand-in under the addresses of a recording, and what of its state is known."""

    def __init__(self, name: str, anvil: Anvil) -> None:
        self.recording, self.anvil, self.chain = recorded(name), anvil, Chain(anvil.url)
        self.comet, self.constants = self._contract(), constants(name)
        self.base = self.constants["cfg"]["baseToken"]
        entries = [e for n in ("Comet", "CometBulker") for e in artifact(n)[0] if e["type"] == "function"]
        self.functions = {e["name"] for e in entries}
        self.found, self.known, self.steps = Compared(), set[str](), self.recording["steps"]
        self.price_of = {s["args"]["priceFeed"]: int(s["decoded"]["0"]) for _, s in reversed(list(_prices()))}
        self.borrowers = {s["args"]["0"] for s in self.steps if s.get("signature") == "userBasic(address)"}
        self._deploy()
        self._learn(0)

    # --- what is there before the first step --------------------------------------------------------------------------

    def _contract(self) -> str:
        return str(self.recording["contracts"][self.recording["market"]])

    def _deploy(self) -> None:
        cfg, assets = self.constants["cfg"], self.constants["assets"]
        who = ("governor", "pauseGuardian", "baseToken", "baseTokenPriceFeed", "extensionDelegate")
        parties = [{"baseToken": self.base, **cfg}.get(n, NOBODY) for n in who]
        abi, _ = artifact("CometTerms")
        numbers = next(i["components"] for i in abi[0]["inputs"] if i["name"] == "what")
        listed = [
            (
                a,
                x["priceFeed"],
                *(int(x[n]) for n in ("scale", "borrowCollateralFactor", "liquidateCollateralFactor")),
                int(x["liquidationFactor"]),
                int(x["supplyCap"]),
            )
            for a, x in sorted(assets.items(), key=lambda item: int(item[1]["offset"]))
        ]
        usual = {"decimals": len(cfg["baseScale"]) - 1, "maxAssets": 24}
        what = [int(cfg.get(c["name"], usual.get(c["name"], 0))) for c in numbers]
        names = cfg.get("name", "a market"), cfg.get("symbol", self.recording["market"])
        terms = self._new("CometTerms", parties, what, listed, *names)
        self.implementation = self._new("Comet", terms)
        proxy = self._new("CometProxy", self.implementation)
        self._put(self.comet, self._code(proxy))
        self._store(self.comet, IMPLEMENTATION, int(self.implementation, 16))
        simple = self._code(self._new("CometOnRecord"))
        contracts = self.recording["contracts"]
        feeds = [cfg["baseTokenPriceFeed"], *(x["priceFeed"] for x in assets.values())]
        for at in {self.base, *assets, *feeds, contracts["WETH"]}:
            self._put(at, simple)
        self.feeds = feeds
        bulker = self._new("CometBulker", contracts["WETH"])
        self._put(contracts["Bulker"], self._code(bulker))
        self.anvil.rpc("anvil_setBalance", contracts["WETH"], hex(10**30))

    def _new(self, name: str, *args: Any) -> str:
        abi, code = artifact(name)
        who = self.chain.w3.eth.accounts[0]
        sent = self.chain.w3.eth.contract(abi=abi, bytecode=code).constructor(*args).transact({"from": who})
        return str(self.chain.wait(sent.to_0x_hex(), name)["contractAddress"])

    def _code(self, at: str) -> str:
        return self.chain.w3.eth.get_code(Web3.to_checksum_address(at)).to_0x_hex()

    def _put(self, at: str, code: str) -> None:
        self.anvil.rpc("anvil_setCode", at, code)

    def _store(self, at: str, slot: int, value: int) -> None:
        word = value % 2**256
        self.anvil.rpc("anvil_setStorageAt", at, hex(slot), "0x" + word.to_bytes(32, "big").hex())

    # --- one step -----------------------------------------------------------------------------------------------------

    def step(self, step: Step) -> None:  # noqa: C901 - a case for each kind of step
        """Do what it did, and hold what comes of it against what came of it."""
        if step["kind"] == "setup":
            if not step["text"].endswith("approves the market for them"):
                self._forget(is_all=step["changed"] != "tokens")
            self._learn(step["i"] + 1)
            return
        if step["kind"] not in ("read", "call", "call_revert", "tx"):
            return
        is_ours = step["to"] in (self.comet, self.recording["contracts"].get("Bulker"))
        if step["kind"] == "tx":
            self._transact(step) if is_ours else self._leave(step)
            return
        if not is_ours or step.get("signature") in APART:
            return
        if step.get("signature", "").split("(")[0] not in self.functions:
            self.found.unknown.append(f"#{step['i']} {step.get('signature')}")  # a contract beside ours, or newer
            return
        if int(step["timestamp"]) > self._now:
            self._mine(int(step["timestamp"]))
        if (step["kind"] == "read" and self._take(step)) or not self._is_known(step):
            return
        self._fund(step)
        found = self._call(step)
        expected = step.get("result") or step.get("revert_data") or "0x"
        if step["kind"] == "call_revert":
            self.found.refusals += 1
            is_token_s = expected.startswith(ERROR)
            if found[:10] != expected[:10] if is_token_s else found != expected:
                self._differs(step, found, expected)
            return
        self.found.reads += 1
        if found != expected:
            self._differs(step, found, expected)

    def _forget(self, *, is_all: bool) -> None:
        """What was done and is not shown may have changed anything; with tokens alone, what the market has of them."""
        self.known = set() if is_all else {key for key in self.known if not key.startswith("cash")}

    def _leave(self, step: Step) -> None:
        """Another contract's transaction: what it did to the market is read afterwards."""
        self._mine(int(step["timestamp"]))
        self._forget(is_all=True)
        self._learn(step["i"] + 1)

    def _is_known(self, step: Step) -> bool:
        """Whether all is known that decides what comes of a step."""
        name = step["signature"].split("(")[0]
        if step["kind"] == "read":
            if name in OF_TOTALS:
                return "totals" in self.known
            return name not in OF_AN_ACCOUNT or (
                "totals" in self.known and self._knows(str(next(iter(step["args"].values()))))
            )
        if name == "buyCollateral" and "cash" not in self.known:
            return False
        if name in ("getPrice", "getAssetInfo", "getAssetInfoByAddress", "pause", "allow", "approve"):
            return True
        args = {str(a) for a in step["decoded_call"]["args"].values()} if step.get("decoded_call") else set()
        accounts = {step["from"], *args} & set(self.recording["accounts"].values())
        return "totals" in self.known and all(self._knows(a) for a in accounts if a in self.borrowers)

    def _knows(self, who: str) -> bool:
        """Whether an account's principal and all that it holds are known."""
        if f"user {who}" not in self.known:
            return False
        word = int(self._asked("userBasic(address)", who)[2 + 64 * 3 :], 16)
        bits = word >> 256 | (word & 2**256 - 1) << 16
        held = (a for a, x in self.constants["assets"].items() if bits >> int(x["offset"]) & 1)
        return all(f"held {[who, a]}" in self.known for a in held)

    def _differs(self, step: Step, found: str, expected: str) -> None:
        what = f"#{step['i']} {step.get('signature')} {step.get('label', '')}: {found[:140]} and not {expected[:140]}"
        self.found.differ.append(what)

    @property
    def _now(self) -> int:
        return int(self.chain.w3.eth.get_block("latest")["timestamp"])

    def _mine(self, timestamp: int) -> None:
        self.anvil.rpc("evm_setNextBlockTimestamp", timestamp)
        self.anvil.rpc("evm_mine")

    def _call(self, step: Step) -> str:
        body = {"from": step["from"], "to": step["to"], "data": step["calldata"], "gas": hex(20_000_000)}
        if step.get("value") not in (None, "0"):
            body["value"] = hex(int(step["value"]))
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [body, "latest"]}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(self.anvil.url, json=asked, timeout=60).json()
        if "result" in answer:
            return str(answer["result"])
        data = answer["error"].get("data", "0x")
        return data if isinstance(data, str) else "0x"

    def _transact(self, step: Step) -> None:
        self._fund(step)
        is_known = self._is_known(step)
        self.anvil.rpc("anvil_impersonateAccount", step["from"])
        self.anvil.rpc("anvil_setBalance", step["from"], hex(10**30))
        self.anvil.rpc("evm_setNextBlockTimestamp", int(step["timestamp"]))
        limit = int(step.get("gas_limit") or 10**6)
        gas = limit if limit < TOO_LITTLE and step["status"] == "0" else 20_000_000
        sent = self.anvil.rpc(
            "eth_sendTransaction",
            {
                "from": step["from"],
                "to": step["to"],
                "data": step["calldata"],
                "gas": hex(gas),
                "value": hex(int(step.get("value") or 0)),
            },
        )
        receipt = self._mined(sent)
        if not is_known:
            self._forget(is_all=True)
            self._learn(step["i"] + 1)
            return
        self.found.transactions += 1
        if int(receipt["status"], 16) != int(step["status"]):
            self._differs(step, f"status {receipt['status']}", str(step["status"]))
        said = [(log["topics"], log["data"]) for log in receipt["logs"] if log["address"] == self.comet.lower()]
        wanted = [(e["topics"], e["data"]) for e in step["events"] if e["address"] == self.comet]
        self.found.events += len(wanted)
        if said != wanted:
            self._differs(step, f"events {said}", str(wanted))

    def _mined(self, sent: str) -> Any:
        for _ in range(1000):
            if receipt := self.anvil.rpc("eth_getTransactionReceipt", sent):
                return receipt
            time.sleep(0.01)
        raise AssertionError(f"{sent} was not mined")

    def _fund(self, step: Step) -> None:
        """Whoever pays has enough and allows it; where the token refused, nobody has anything."""
        if step["kind"] == "read":
            return
        refused = (step.get("revert_data") or "").startswith(ERROR)
        assets = (self.base, *self.constants["assets"])
        for asset in assets:
            self._store(asset, _at(step["from"], BALANCES), 0 if refused else PLENTY)
            self._store(asset, _at(self.comet, _at(step["from"], ALLOWANCES)), 2**255)
        self.anvil.rpc("anvil_setBalance", step["from"], hex(10**30))
        if refused and step["signature"].startswith("withdraw"):
            self._store(self.base, _at(self.comet, BALANCES), 0)

    # --- what is taken over -------------------------------------------------------------------------------------------

    def _learn(self, begin: int) -> None:
        """Write into storage what is read before the next thing is done; what nobody read gets a usual value."""
        for feed in self.feeds:
            if f"price {feed}" not in self.known:
                self._store(feed, ANSWER, self.price_of.get(feed, 10**8))
        for asset, x in self.constants["assets"].items():
            if f"total {asset}" not in self.known:
                usual = int(x["supplyCap"]) // 2
                self._store(self.comet, _at(asset, OF_ASSETS), usual)
                self._store(asset, _at(self.comet, BALANCES), usual)
        if "cash" not in self.known:
            self._store(self.base, _at(self.comet, BALANCES), 10**9 * int(self.constants["cfg"]["baseScale"]))
        for step in self.steps[begin:]:
            if step["kind"] in ("tx", "setup"):
                return
            if step["kind"] == "read" and step["to"] == self.comet and step["signature"] != "getReserves()":
                self._take(step)  # reserves are of their block's time
            error = (step.get("error") or {}).get("signature")
            if step["kind"] == "call_revert" and error == "BadPrice()" and step["signature"] == "getPrice(address)":
                feed = Web3.to_checksum_address("0x" + step["calldata"][-40:])
                self._store(feed, ANSWER, 0)
                self.known.add(f"price {feed}")

    def _take(self, step: Step) -> bool:  # noqa: C901 - a case for each thing that is kept
        """Write what a read says into storage, where it is not known; return whether it was."""
        args, decoded = [str(a) for a in step["args"].values()], step["decoded"]
        match step["signature"]:
            case "userBasic(address)":
                return self._set(f"user {args[0]}", self.comet, _at(args[0], USERS), _packed(decoded, USER))
            case "totalsBasic()":
                of = decoded.get("0") if isinstance(decoded.get("0"), dict) else decoded
                is_new = self._set("totals", self.comet, TOTALS, _packed(of, FIRST))
                if is_new:
                    self._store(self.comet, TOTALS + 1, _packed(of, SECOND))
                return is_new
            case "collateralBalanceOf(address,address)":
                slot = _at(args[1], _at(args[0], HELD))
                return self._set(f"held {args[:2]}", self.comet, slot, int(decoded["0"]))
            case "userCollateral(address,address)":
                slot = _at(args[1], _at(args[0], HELD))
                return self._set(f"held {args[:2]}", self.comet, slot, int(decoded["balance"]))
            case "totalsCollateral(address)":
                spare = int(self._asked("getCollateralReserves(address)", args[0]), 16)
                total = int(decoded["totalSupplyAsset"])
                if is_new := self._set(f"total {args[0]}", self.comet, _at(args[0], OF_ASSETS), total):
                    self._store(args[0], _at(self.comet, BALANCES), total + spare)
                return is_new
            case "getPrice(address)":
                return self._set(f"price {args[0]}", args[0], ANSWER, int(decoded["0"]))
            case "userNonce(address)":
                return self._set(f"nonce {args[0]}", self.comet, _at(args[0], NONCES), int(decoded["0"]))
            case "getReserves()" if "totals" in self.known:
                return self._cash(int(decoded["0"]))
            case "getCollateralReserves(address)" if f"total {args[0]}" in self.known:
                total = int(self._asked("totalsCollateral(address)", args[0])[:66], 16)
                return self._set(f"cash {args[0]}", args[0], _at(self.comet, BALANCES), total + int(decoded["0"]))
            case _:
                return False

    def _cash(self, reserves: int) -> bool:
        if "cash" in self.known:
            return False
        supply, lent = (int(self._asked(f"{n}()"), 16) for n in ("totalSupply", "totalBorrow"))
        return self._set("cash", self.base, _at(self.comet, BALANCES), reserves + supply - lent)

    def _asked(self, signature: str, *args: str) -> str:
        data = keccak(text=signature)[:4] + encode(["address"] * len(args), args)
        return self._call({"from": "0x" + "00" * 20, "to": self.comet, "calldata": "0x" + data.hex()})

    def _set(self, key: str, at: str, slot: int, value: int) -> bool:
        if key in self.known:
            return False
        self.known.add(key)
        self._store(at, slot, value)
        return True


def _prices() -> Iterator[tuple[str, Step]]:
    yield from ((n, s) for n, s in every("read") if s.get("signature") == "getPrice(address)")


def _at(key: str, slot: int) -> int:
    """Where a mapping keeps what belongs to an address."""
    return int.from_bytes(keccak(bytes.fromhex(key[2:]).rjust(32, b"\0") + slot.to_bytes(32, "big")), "big")


def _packed(of: Any, fields: tuple[tuple[str, int], ...]) -> int:
    found, shift = 0, 0
    for name, bits in fields:
        found |= (int(of[name]) % 2**bits) << shift
        shift += bits
    return found
