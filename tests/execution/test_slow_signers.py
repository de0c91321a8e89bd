"""A signer that sleeps: plans go before what is done beside them, bursts are asked for at once, its owner hears."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field
from typing import Any

import pytest
from eth_account import Account
from test_lane import Rig, guidance, rig  # noqa: F401 - the fixture

from keeper.chain.fees import Fees
from keeper.core.units import Address, Wei
from keeper.execution.course import SendFailedError
from keeper.execution.signer import Envelope, KeystoreSigner, Signed
from keeper.execution.signing import Elsewhere
from keeper.execution.unsigned import UnsignedError, away, refused
from keeper.observe.observer import Observer
from keeper.observe.signing_voice import SigningVoice
from keeper.venues.ports import Call

CALL = Call(Address("0x" + "11" * 20), b"", Wei(0), "Approve 5 USDC")
ENVELOPE = Envelope(31337, 5, 100_000, Fees(Wei(3 * 10**9), Wei(10**9)))


@dataclass
class Asked(Elsewhere):
    """Signs with a key; ``before`` is awaited first, and may sleep or refuse."""

    inner: KeystoreSigner
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.inner.address)

    async def before(self, call: Call) -> None:
        """Nothing keeps it."""

    async def _signed(self, call: Call, envelope: Envelope) -> Signed:
        self.asked.append(call.purpose)
        await self.before(call)
        return self.inner.sign(call, envelope)


def asks(rig: Rig, before: Any) -> Asked:  # noqa: F811
    """Have the rig's lane ask somebody else for its signatures."""
    found = Asked(KeystoreSigner(Account.from_key("0x" + "42" * 32)))
    found.before = before  # type: ignore[method-assign]
    rig.lane.signer = rig.lane._dispatch.signer = found
    return found


async def soon(condition: Any) -> None:
    """Wait in real time: the rig's own sleep is played."""
    for _ in range(500):
        if condition():
            return
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, event.set)
        await event.wait()
    raise AssertionError("never")


async def test_a_plan_goes_before_what_waits_for_a_signature_beside_it(rig: Rig) -> None:  # noqa: F811
    """Tidying asks a person who sleeps; the rescue that comes is asked for at once and takes the nonce."""

    async def sleeps(call: Call) -> None:
        if call.purpose == "call 0a":
            await asyncio.Event().wait()

    signer = asks(rig, sleeps)

    async def tidy() -> None:
        await rig.lane.send([rig.out("0a")], guidance())

    beside = rig.lane.sideline.begin(tidy())
    await soon(lambda: "call 0a" in signer.asked)
    assert rig.lane.sideline.is_under_way
    rig.clock.at = [(1, rig.chain.mine)]
    receipts = await asyncio.wait_for(rig.lane.send([rig.out("0b")], guidance()), 20)
    assert receipts[0].succeeded
    assert beside.cancelled()
    assert [s.nonce for s in rig.chain.log] == [0], "what was not signed was never sent"


async def test_a_burst_of_somebody_else_s_signatures_is_asked_for_at_once(rig: Rig) -> None:  # noqa: F811
    """It takes as long as its slowest signature, and goes out in its order."""

    async def waits_for_all(_: Call) -> None:
        await soon(lambda: len(signer.asked) == 5)

    signer = asks(rig, waits_for_all)
    rig.clock.at = [(3, rig.chain.mine)]
    await asyncio.wait_for(rig.lane.send([rig.out(f"0{i}") for i in range(5)], guidance()), 20)
    assert signer.asked == [f"call 0{i}" for i in range(5)]
    assert [s.nonce for s in rig.chain.log] == list(range(5))


async def test_a_burst_of_which_one_is_refused_is_neither_written_down_nor_sent(rig: Rig) -> None:  # noqa: F811
    """Half of a burst signed is no burst: nothing of it is in the journal, and no nonce is used."""

    async def refuses(call: Call) -> None:
        if call.purpose == "call 02":
            raise refused("not that one")

    asks(rig, refuses)
    with pytest.raises(SendFailedError, match="not that one"):
        await rig.lane.send([rig.out("01"), rig.out("02")], guidance())
    with sqlite3.connect(str(rig.journal.store.engine.url.database)) as db:
        assert db.execute("select count(*) from attempts").fetchone()[0] == 0
    assert rig.chain.log == []


@dataclass
class Box:
    """A channel."""

    got: list[tuple[str, str]] = field(default_factory=list)

    def notify(self, title: str, body: str) -> bool:
        self.got.append((title, body))
        return True


async def test_an_owner_hears_of_a_signature_that_lets_itself_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose, for what and what to do; nothing of one that answers; no trouble once it signs."""
    monkeypatch.setattr(Asked, "patience_s", 0.05)
    signer, box, quiet = Asked(KeystoreSigner(Account.create())), Box(), Box()
    prompt, slow = Observer("live", quiet), Observer("live", box)
    signer.report_to(SigningVoice(prompt.voice))
    await signer.signed(CALL, ENVELOPE)
    prompt.close()
    assert quiet.got == []
    signer.before = lambda _: asyncio.sleep(0.3)  # type: ignore[method-assign,assignment,return-value]
    signer.report_to(SigningVoice(slow.voice))
    await signer.signed(CALL, ENVELOPE)
    slow.close()
    (title, body), *_ = box.got
    assert title.endswith("A transaction waits for its signature")
    for said in ("Approve 5 USDC", signer.address, "Answer at the keeper's terminal"):
        assert said in body
    assert slow.troubles("unsigned:") == []
    assert box.got[-1][0].endswith("All clear: transactions are signed again")


async def test_a_signature_that_never_came_stays_a_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ended without one: nobody hears that all is well."""
    monkeypatch.setattr(Asked, "patience_s", 0.01)

    async def gives_up(_: Call) -> None:
        await asyncio.sleep(0.05)
        raise away("nobody is there")

    signer, heard = Asked(KeystoreSigner(Account.create())), Observer("live")
    signer.before = gives_up  # type: ignore[method-assign]
    signer.report_to(SigningVoice(heard.voice))
    with pytest.raises(UnsignedError):
        await signer.signed(CALL, ENVELOPE)
    assert heard.troubles("unsigned:") == [f"unsigned:{signer.address}"]
