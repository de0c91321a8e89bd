"""What must hold after a run whatever happened in it: chain and journal compared, transaction by transaction."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from stage import Stage

TRIGGER, OVERSHOT = 1.25, 1.68
DUST_USD = 5.0
WORST_SLIPPAGE = 0.10
"""What is taken out and not sold is what the price might have cost: ten times the usual, near liquidation, counted from
the price that one block of the fall leaves, which is at most as much again."""
BAD_SETTINGS = 2
APPROVE = "095ea7b3"
LANDED = {"mined": True, "confirmed": True, "reverted": False}
NO_DEFECT = ("JournalError", "ReadFailedError", "NonceTakenError")


def violations(stage: Stage) -> list[str]:
    """Return everything that does not hold, in words; empty when all does."""
    return [
        *nonces(stage),
        *steps(stage),
        *allowances(stage),
        *money(stage),
        *ending(stage),
        *behaviour(stage),
    ]


# --- each nonce once, and known ---------------------------------------------------------------------------------------


def nonces(stage: Stage) -> Iterator[str]:
    """Every mined transaction of the signer is in the journal, and the journal says of it what the chain says."""
    # what both of two keepers signed is the same transaction: the one that saw it land knows
    journaled = {row["hash"]: row for row in sorted(_attempts(stage), key=lambda row: row["state"] in LANDED)}
    on_chain = mined(stage)
    for hash_, (nonce, succeeded) in on_chain.items():
        row = journaled.get(hash_)
        if hash_ in stage.foreign:
            if row and row["state"] in LANDED:
                yield f"nonce {nonce}: foreign {hash_[:10]} is {row['state']} in the journal"
        elif row is None:
            yield f"nonce {nonce}: {hash_[:10]} was mined but never journaled"
        elif row["nonce"] != nonce:
            yield f"{hash_[:10]}: nonce {nonce} on chain, {row['nonce']} in the journal"
        elif LANDED.get(row["state"]) is not succeeded and row["state"] != "pending":
            yield f"nonce {nonce}: row {row['id']} is {row['state']}, its receipt says {'1' if succeeded else '0'}"
    for id_, nonce, state, hashes in _landed_rows(stage):
        if not hashes & on_chain.keys():
            yield f"nonce {nonce}: row {id_} is {state}, but none of its hashes is on the chain"


def steps(stage: Stage) -> Iterator[str]:
    """No step of a decision moves money twice."""
    done = dict[tuple[int, int, str], set[str]]()
    on_chain = {h for h, (_, succeeded) in mined(stage).items() if succeeded}
    for row in _attempts(stage):
        if row["hash"] in on_chain and row["spend_usd"] != "0":
            done.setdefault((row["decision_id"], row["step"], row["data"]), set()).add(row["hash"])
    yield from (f"decision {d}, step {s} was mined {len(n)} times" for (d, s, _), n in done.items() if len(n) > 1)


# --- nothing unaccounted ---------------------------------------------------------------------------------------------


def allowances(stage: Stage) -> Iterator[str]:
    """No allowance is left after a plan that ran to its end; after one cut short none beyond what plans approved."""
    world, owner, given = stage.world, stage.scene.owner, _approved(stage)
    for symbol in ("WETH", "USDC"):
        token = world.token(symbol)
        for name, spender in (("router", world.addresses["uniswap"]["swap_router_02"]), ("pool", world.pool.address)):
            left = token.functions.allowance(owner, spender).call()
            if left > (0 if is_finished(stage) else given.get((token.address.lower(), spender.lower()), 0)):
                yield f"{symbol}: the {name} may still take {left}"


def is_finished(stage: Stage) -> bool:
    """Whether the last plan that sent anything came to its end."""
    sent = "select outcome_kind k from decisions where id = (select max(decision_id) from transactions)"
    return any(row["k"] in ("restored", "partial") for row in stage.rows(sent))


def _approved(stage: Stage) -> dict[tuple[str, str], int]:
    """Token and spender → the most that any signed call approved, also within a batch."""
    most = dict[tuple[str, str], int]()
    for row in stage.rows('select t."to", t.data from transactions t'):
        for token, data in _calls(row["to"].lower(), row["data"][2:]):
            if data.startswith(APPROVE):
                key = token, "0x" + data[32:72]
                most[key] = max(most.get(key, 0), int(data[72:136], 16))
    return most


def _calls(to: str, data: str) -> list[tuple[str, str]]:
    """The calls in a transaction: itself, and those of a batch, by where an approval stands in it."""
    found = [(to, data)]
    for match in re.finditer(f"(?={APPROVE}0{{24}})", data[8:]):
        start = 8 + match.start()
        # executeBatch((address,uint256,bytes)[]): target, value, offset, length, then the bytes
        found.append(("0x" + data[start - 232 : start - 192], data[start:]))
    return found


def money(stage: Stage) -> Iterator[str]:
    """What the owner has is what there was, less what selling may cost."""
    then, now = stage.began, stage.holdings()
    price = float(stage.world.price("WETH"))

    def worth(held: dict[str, int]) -> float:
        return (held["supplied"] + held["weth"]) / 1e18 * price + (held["usdc"] - held["debt"]) / 1e6

    sold = sum(int(row["spend_usd"]) for row in stage.rows("select spend_usd from transactions")) / 1e8
    change = worth(now) - worth(then)
    room = (0.02 + stage.moved) * sold + DUST_USD
    if not -room <= change <= room:
        yield f"worth {worth(then):.2f} dollars before and {worth(now):.2f} after, {sold:.2f} moved"
    outside = (now["weth"] - then["weth"]) / 1e18 * price
    if is_finished(stage) and outside > WORST_SLIPPAGE * sold + DUST_USD:
        yield f"{outside:.2f} dollars of collateral were taken out and left outside of {sold:.2f} sold"
    if is_finished(stage) and (left := (now["usdc"] - then["usdc"]) / 1e6) > 0.01 * sold + DUST_USD:
        yield f"{left:.2f} dollars were bought and not repaid"


# --- how it ended ----------------------------------------------------------------------------------------------------


def ending(stage: Stage) -> Iterator[str]:
    """Safe, and not beyond the target: done twice it would be. Else a typed reason, said aloud."""
    health = stage.scene.health()
    if stage.expects_action and health > OVERSHOT:
        yield f"health factor {health:.3f}: the rescue was done more than once"
    if health >= TRIGGER and (left := stage.open_rows()):
        yield f"{len(left)} rows are still open: {[(r['id'], r['nonce'], r['state']) for r in left]}"
    if health >= TRIGGER:
        return
    last = stage.rows("select reason, outcome, kind from decisions order by id desc limit 1")
    said = [e for e in stage.events() if e.get("level") in ("warning", "error", "critical") and e.get("reason")]
    if not last or not said:
        yield f"health factor {health:.3f}, and nobody was told why"
    else:
        outcome = json.loads(last[0]["outcome"] or "{}")
        yield f"health factor {health:.3f} at the end: {last[0]['reason']} {outcome.get('reason', '')} {said[-1]}"


def behaviour(stage: Stage) -> Iterator[str]:
    """No defect showed in the log, and nobody left without being told to."""
    for event in stage.events():
        if event.get("event") == "cycle_failed" and not str(event["error"]).startswith(NO_DEFECT):
            yield f"a defect: {event['error'][:160]}"
    for code, place in stage.ends:
        if code == -9 or (code == BAD_SETTINGS and "the node is on chain" in stage.log):
            continue
        yield f"the keeper left by itself with code {code} {place}: {stage.log.splitlines()[-1][:200]}"


# --- reading ---------------------------------------------------------------------------------------------------------


def mined(stage: Stage) -> dict[str, tuple[int, bool]]:
    """Return hash → nonce and success of everything the signer had mined since the stage was set."""
    found = dict[str, tuple[int, bool]]()
    owner = stage.scene.owner.lower()
    for number in range(stage.first_block, stage.world.w3.eth.block_number + 1):
        for tx in stage.world.rpc("eth_getBlockByNumber", hex(number), True)["transactions"]:
            if tx["from"].lower() == owner:
                status = stage.world.rpc("eth_getTransactionReceipt", tx["hash"])["status"]
                found[tx["hash"]] = int(tx["nonce"], 16), int(status, 16) == 1
    return found


def _attempts(stage: Stage) -> list[dict[str, Any]]:
    return stage.rows("select a.hash, t.* from attempts a join transactions t on t.id = a.transaction_id")


def _landed_rows(stage: Stage) -> Iterator[tuple[int, int, str, set[str]]]:
    rows = dict[tuple[int, int, str], set[str]]()
    for row in _attempts(stage):
        if row["state"] in LANDED:
            rows.setdefault((row["id"], row["nonce"], row["state"]), set()).add(row["hash"])
    yield from ((*key, hashes) for key, hashes in rows.items())
