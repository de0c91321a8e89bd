"""A rescue bot as web3's documentation teaches it: the peer that the keeper is measured against.

    python -m bench.plain_bot URL KEY POOL ORACLE ASSET TRIGGER TARGET

It subscribes to new heads over WebSocket, reads the account with contract calls, and repays from the wallet with
``build_transaction``, ``sign_transaction`` and ``send_raw_transaction``. Nothing is made slower than the documentation
shows it; the allowance was given beforehand, and it keeps no journal, checks no price, rehearses nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from web3 import AsyncWeb3, WebSocketProvider

ABIS = Path(__file__).parents[1] / "contracts_abi"


def abi(name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((ABIS / f"{name}.json").read_text())
    return found


async def main(url: str, key: str, pool_at: str, oracle_at: str, asset: str, trigger: float, target: float) -> None:
    async with AsyncWeb3(WebSocketProvider(url)) as w3:
        account = w3.eth.account.from_key(key)
        pool = w3.eth.contract(address=w3.to_checksum_address(pool_at), abi=abi("aave_v3_pool"))
        oracle = w3.eth.contract(address=w3.to_checksum_address(oracle_at), abi=abi("aave_v3_oracle"))
        await w3.eth.subscribe("newHeads")
        print("ready", flush=True)
        async for _ in w3.socket.process_subscriptions():
            collateral, debt, _, threshold, _, health = await pool.functions.getUserAccountData(account.address).call()
            if health >= trigger * 10**18:
                continue
            price = await oracle.functions.getAssetPrice(asset).call()
            amount = int((debt - collateral * threshold / 10_000 / target) * 10**6 / price)
            transaction = await pool.functions.repay(asset, amount, 2, account.address).build_transaction(
                {"from": account.address, "nonce": await w3.eth.get_transaction_count(account.address)}
            )
            signed = account.sign_transaction(transaction)
            await w3.eth.send_raw_transaction(signed.raw_transaction)
            print("sent", flush=True)
            return


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:6], float(sys.argv[6]), float(sys.argv[7])))
