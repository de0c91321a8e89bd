"""Sends from anvil's unlocked accounts, waits for the receipt, explains a revert by its innermost error."""

import time
from collections.abc import Mapping
from typing import Any

from requests import Session
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import TransactionNotFound
from web3.types import TxParams, TxReceipt

from sandbox.anvil import rpc
from sandbox.artifacts import abi, error_names, linked_bytecode
from sandbox.errors import RevertedError, SandboxError

ERROR_STRING = "0x08c379a0"
RECEIPT_LIMIT_S = 60.0
CALL_GAS, DEPLOY_GAS = 3_000_000, 16_000_000


class Chain:
    """One node and the accounts it signs for. Amounts are integers of the smallest unit throughout."""

    def __init__(self, url: str) -> None:
        session = Session()
        session.trust_env = False
        self.url = url
        self.w3 = Web3(HTTPProvider(url, request_kwargs={"timeout": 60}, session=session))
        self.w3.middleware_onion.remove("validation")  # it asks eth_chainId twice per call
        self._contracts: dict[tuple[str, str], Contract] = {}  # web3 takes milliseconds to make one

    def rpc(self, method: str, *params: Any) -> Any:
        return rpc(self.url, method, *params)

    def at(self, name: str, address: str) -> Contract:
        if (name, address) not in self._contracts:
            contract = self.w3.eth.contract(address=Web3.to_checksum_address(address), abi=abi(name))
            self._contracts[name, address] = contract
        return self._contracts[name, address]

    def deploy(self, name: str, *args: Any, sender: str, libraries: Mapping[str, str] | None = None) -> Contract:
        code = linked_bytecode(name, libraries or {})
        constructor = self.w3.eth.contract(abi=abi(name), bytecode=code).constructor(*args)
        sent = constructor.transact({"from": Web3.to_checksum_address(sender), "gas": DEPLOY_GAS})
        return self.at(name, str(self.wait(sent.to_0x_hex(), f"deploying {name}")["contractAddress"]))

    def send(self, call: ContractFunction, sender: str, gas: int = CALL_GAS, value: int = 0) -> TxReceipt:
        """Mined and successful, or `RevertedError`."""
        sent = self.submit(call, sender, gas, value)
        return self.wait(sent, call.fn_name)

    def submit(self, call: ContractFunction, sender: str, gas: int = CALL_GAS, value: int = 0) -> str:
        """Hand it to the node without waiting; the transaction's hash."""
        options: TxParams = {"from": Web3.to_checksum_address(sender), "gas": gas, "value": Web3.to_wei(value, "wei")}
        return call.transact(options).to_0x_hex()

    def wait(self, transaction: str, action: str) -> TxReceipt:
        give_up = time.monotonic() + RECEIPT_LIMIT_S
        while time.monotonic() < give_up:
            try:
                receipt = self.w3.eth.get_transaction_receipt(transaction)  # type: ignore[arg-type]
            except TransactionNotFound:
                time.sleep(0.005)
                continue
            if receipt["status"] != 1:
                raise RevertedError(action, self.revert_reason(transaction))
            return receipt
        raise SandboxError(f"{action}: {transaction} was not mined within {RECEIPT_LIMIT_S:.0f} s")

    def revert_reason(self, transaction: str) -> str:
        frame = self.rpc("debug_traceTransaction", transaction, {"tracer": "callTracer"})
        while failed := [c for c in frame.get("calls", []) if c.get("error")]:
            frame = failed[-1]
        return explain(frame.get("output", "0x")) or frame.get("revertReason") or frame.get("error", "unknown")


def explain(data: str) -> str:
    """Revert data in words: an Aave custom error's name, a string, or the bare selector; empty for no data."""
    selector = data[:10]
    if selector == ERROR_STRING:
        body = bytes.fromhex(data[10:])
        return body[64 : 64 + int.from_bytes(body[32:64])].decode(errors="replace")
    return error_names().get(selector, "" if selector == "0x" else selector)
