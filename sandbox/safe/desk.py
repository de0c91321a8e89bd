"""Safe 1.5 or 1.4 and Balancer v3's vault in a world: real contracts, accounts made with them, and money to lend.

desk = SafeDesk(world)
safe = desk.make(world.account(0).address)
desk.lend("USDC", 5_000_000)
world.open_position(safe, {"WETH": 100 * 10**18}, {"USDC": 152_000 * 10**6})
"""

from decimal import Decimal
from typing import Any

import rlp
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract import Contract
from web3.types import TxReceipt

from sandbox.safe.install import artifact
from sandbox.world import World

NOBODY = "0x" + "00" * 20
DEPLOY_GAS = 14_000_000
GAS = 3_000_000
PAUSE_S = 10**6


class SafeDesk:
    """The contracts that all Safes share, and the vault."""

    def __init__(self, world: World, version: str = "1.5.0") -> None:
        self.world, self.chain, self.admin = world, world.chain, world.role("admin")
        suffix = "" if version == "1.5.0" else f"_{version.replace('.', '_')}"
        self.singleton = self._deploy(f"SafeL2{suffix}")
        self.factory = self._deploy(f"SafeProxyFactory{suffix}")
        self.multi_send = self._deploy(f"MultiSendCallOnly{suffix}")
        self.vault = self._deploy_vault(self._deploy("Assenter").address)
        self.stranger = self._deploy("Stranger")
        self._made = 0

    # ── accounts ──

    def make(self, *owners: str, threshold: int = 1) -> str:
        """A Safe of these owners; its address."""
        setup = self.singleton.encode_abi("setup", [list(owners), threshold, NOBODY, b"", NOBODY, NOBODY, 0, NOBODY])
        self._made += 1
        made = self.factory.functions.createProxyWithNonce(self.singleton.address, setup, self._made)
        address = str(made.call({"from": self.admin}))
        self.chain.send(made, self.admin)
        return address

    def at(self, safe: str) -> Contract:
        """A Safe's own functions."""
        return self.chain.w3.eth.contract(address=Web3.to_checksum_address(safe), abi=self.singleton.abi)

    def nonce(self, safe: str) -> int:
        return int(self.at(safe).functions.nonce().call())

    def run(self, safe: str, owner: Any, to: str, data: str, operation: int = 0) -> TxReceipt:
        """What an owner does by hand: signed at the Safe's next nonce, handed over by somebody else."""
        contract = self.at(safe)
        head = [to, 0, bytes.fromhex(data[2:]), operation, 0, 0, 0, NOBODY, NOBODY]
        digest = contract.functions.getTransactionHash(*head, self.nonce(safe)).call()
        signature = Account.from_key(owner.key).unsafe_sign_hash(digest).signature
        return self.chain.send(contract.functions.execTransaction(*head, signature), self.admin, GAS)

    def configure(self, safe: str, owner: Any, function: str, *args: Any) -> TxReceipt:
        """A Safe changes itself: ``setGuard``, ``enableModule``, ``changeThreshold`` and the like."""
        return self.run(safe, owner, safe, self.at(safe).encode_abi(function, list(args)))

    # ── the vault ──

    def lend(self, symbol: str, usd: int) -> None:
        """So much of an asset comes into the vault's reserves: only what was settled can be lent."""
        spec = self.world.addresses["decimals"][symbol]
        self.world.mint(symbol, self.vault.address, int(Decimal(usd) / self.world.price(symbol) * 10**spec))
        booked = self.vault.encode_abi("settle", [self.world.token(symbol).address, 0])
        opened = self.stranger.functions.open(self.vault.address, self.vault.address, booked)
        self.chain.send(opened, self.admin, GAS)

    def pause(self) -> None:
        """Its governance pauses the vault."""
        self.chain.send(self.vault.functions.pauseVault(), self.admin)

    def go_silent(self) -> None:
        """From now on it says that it lends, and never calls back."""
        code = self.chain.w3.eth.get_code(self._deploy("SilentVault").address)
        self.world.rpc("anvil_setCode", self.vault.address, code.to_0x_hex())

    def reserves(self, symbol: str) -> int:
        return int(self.vault.functions.getReservesOf(self.world.token(symbol).address).call())

    # ── for the keeper ──

    def furnish(self, network_file: str) -> str:
        """The keeper's network file with where all of this is."""
        return (
            f'multi_send_call_only = "{self.multi_send.address}"\n{network_file}'
            f'\n[balancer_v3]\nvault = "{self.vault.address}"\n'
        )

    def _deploy_vault(self, authorizer: str) -> Contract:
        """The vault's parts must know its address before it exists: it comes three transactions later."""
        nonce = self.chain.w3.eth.get_transaction_count(Web3.to_checksum_address(self.admin))
        address = to_checksum_address(keccak(rlp.encode([bytes.fromhex(self.admin[2:]), nonce + 3]))[12:])
        admin = self._deploy("VaultAdmin", address, PAUSE_S, PAUSE_S, 10**6, 10**4)
        extension = self._deploy("VaultExtension", address, admin.address)
        fees = self._deploy("ProtocolFeeController", address, 0, 0)
        vault = self._deploy("Vault", extension.address, authorizer, fees.address)
        assert vault.address == address
        wanted = [one for one in (*extension.abi, *admin.abi) if one.get("name") in ("getReservesOf", "pauseVault")]
        return self.chain.w3.eth.contract(address=vault.address, abi=[*vault.abi, *wanted])

    def deploy(self, name: str, *args: Any) -> Contract:
        """One of the sandbox's own contracts."""
        return self._deploy(name, *args)

    def _deploy(self, name: str, *args: Any) -> Contract:
        abi, code = artifact(name)
        made = self.chain.w3.eth.contract(abi=abi, bytecode=code).constructor(*args)
        sent = made.transact({"from": Web3.to_checksum_address(self.admin), "gas": DEPLOY_GAS})
        receipt = self.chain.wait(sent.to_0x_hex(), f"deploying {name}")
        return self.chain.w3.eth.contract(address=receipt["contractAddress"], abi=abi)
