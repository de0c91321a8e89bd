"""Each alarm as it is really sent names whom it is about, the figure, its limit, what was done, and what you can do.

What makes an alarm is in ``test_alerts_page``: it is raised on the real code. Here its sentences are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from core_builders import OWNER
from owner_stage import Stage
from paper import Paper, holding_dollars
from test_alerts_page import RAISED
from test_watchful import DAY_S, FAR, Play

from keeper.core.units import WAD

SIGNER = OWNER[:10]
BARE = re.compile(r"(?<![\w.,])\d{6,}(?![\w.])")
"""An integer that no person reads: neither dollars nor an amount nor a block."""
FIGURE = r"\d"


@dataclass(frozen=True)
class Parts:
    """What must be read in an alarm, as patterns; a part that its kind has none of says why it is empty."""

    whose: str
    figure: str
    limit: str
    done: str
    remedy: str
    none: dict[str, str] = field(default_factory=dict)


NOT_SEEN = {"limit": "nothing is seen"}
PARTS: dict[str, Parts] = {
    "danger ahead of action: an alert rule fires": Parts(
        r"loop: .*\(rule watch\)",
        r"health factor 1\.66",
        r"below 1\.70",
        "",
        r"Repay about \$[\d,.]+ or supply about \$[\d,.]+",
        {"done": "the rule only alerts"},
    ),
    "action taken": Parts(
        r"loop: rule protect",
        r"health factor 1\.1066 → 1\.6008",
        r"below 1\.25",
        r"Sold [\d.,]+ WETH for [\d.,]+ USDC, repaid .* Debt \$15,000\.00 → \$5,053\.04.* Transaction 0x",
        "",
        {"remedy": "there is nothing left to do"},
    ),
    "action taken, and it was not enough": Parts(
        r"loop: rule protect", r"1\.1066 → 1\.6008", r"below 1\.25", r"Sold .* repaid", r"Raise the limits or fund"
    ),
    "action failed": Parts(
        r"loop: the plan of rule protect",
        r"health factor 1\.1066",
        r"below 1\.25",
        r"The plan: sell .* Why: a transaction of the plan reverted on chain",
        r"Decided anew at the next block; if it fails again act by hand, and see `keeper journal` for why",
    ),
    "a rule fires and cannot help": Parts(
        r"loop: rule protect",
        r"Health factor 16\.6000, collateral \$20,000\.00",
        r"Liquidation when WETH falls to \$",
        r"cannot help: .*no pool takes 4 WETH",
        r"Fund the wallet or allow more actions",
    ),
    "blind: no node answers": Parts(
        r"Not watched meanwhile: loop",
        r"health factor 1\.2000 at block 7",
        "",
        r"Connection refused",
        r"Check the node and `rpc_url`, or name a second node",
        NOT_SEEN,
    ),
    "blind: the chain stands still": Parts(
        r"Not watched meanwhile: loop",
        r"newest for 3 min",
        r"at most 90 s is usual",
        "",
        r"restart it or name another one",
        {"done": "there is nothing to do before a block comes"},
    ),
    "blind: a position cannot be read": Parts(
        r"loop: the position could not be read",
        "",
        "",
        r"Its rules are not judged until this is over",
        r"Check the node and the addresses",
        {"figure": "nothing is seen", **NOT_SEEN},
    ),
    "a node is set aside": Parts(
        r"Node other\.example is not asked",
        r"Answers nothing",
        r"again in 60 s",
        r"The other nodes are asked in its place",
        r"look at it, or take it out",
    ),
    "liquidated": Parts(
        r"loop was liquidated",
        r"2\.1 WETH seized for 4,000 USDC.* Supplied \$40,000\.00 → \$20,000\.00, debt \$18,000\.00 → \$10,000\.00",
        "",
        r"it goes on being watched",
        r"See what is left of it, and repay or add to it",
        {"limit": "it is past"},
    ),
    "closed behind our back, and no longer kept": Parts(
        r"loop was closed",
        r"Supplied \$40,000\.00 → \$0\.00, debt \$18,000\.00 → \$0\.00",
        "",
        r"not by this keeper",
        r"If it was not you, .*: move what is left to another account",
        {"limit": "none was crossed"},
    ),
    "changed behind our back": Parts(
        r"loop was changed",
        r"Supplied \$40,000\.00 → \$20,000\.00, debt \$18,000\.00 → \$10,000\.00",
        "",
        r"not by this keeper",
        r"If it was not you, .*: move what is left to another account",
        {"limit": "none was crossed"},
    ),
    "a rescue would fail (fire drill)": Parts(
        r"loop: the rescue of rule protect",
        r"at WETH at 1,355\.00",
        "",
        r"would fail .* because no gas money",
        r"What you can do: send some",
        {"limit": "it is the price that would fire the rule"},
    ),
    "the drill itself failed": Parts(
        "",
        r"tried 3 times",
        "",
        r"tried again each hour",
        r"What you can do: check the node, and run `keeper doctor`",
        {"whose": "it is every rescue", "limit": "it is a daily duty"},
    ),
    "a signer that is asked is slow, or a person is awaited": Parts(
        r"Repay 5,000 USDC: " + SIGNER,
        r"10 s ago",
        "",
        r"Other accounts and alerts go on",
        r"Answer at the keeper's terminal, or look at the signer",
        {"limit": "its patience is its own"},
    ),
    "the keeper stopped signing": Parts(
        r"Not protected: loop", r"5 cycles failed in a row", "", r"nothing is sent", r"See the log", {"limit": "is 5"}
    ),
}
SEEN_BEFORE = {"loop": 12 * WAD // 10}


def reads(heard: tuple[str, str], parts: Parts) -> None:
    text = " ".join(heard)
    assert not BARE.search(re.sub(r"0x[0-9a-fA-F]+", "", text)), text
    assert ".." not in text, text
    assert "()" not in text, text
    assert heard[0] == "daily summary" or heard[1][:1] == heard[1][:1].upper(), text
    for part in ("whose", "figure", "limit", "done", "remedy"):
        pattern = getattr(parts, part)
        assert bool(pattern) != (part in parts.none), f"{part}: named, or why it is not"
        assert re.search(pattern, text), f"{part} is not said: {text}"


def test_every_alarm_of_the_page_has_its_parts_named() -> None:
    """One that is added to the page is read here as well."""
    assert PARTS.keys() == RAISED.keys()


@pytest.mark.parametrize("what", PARTS)
def test_an_alarm_names_whom_figure_limit_what_was_done_and_what_you_can_do(stage: Stage, what: str) -> None:
    """As it leaves for the owner's phone, the words of its own kind in it."""
    stage.observer.started("mainnet", ["loop"], 7)
    stage.observer.block(7, SEEN_BEFORE, 0.1)
    RAISED[what](stage)
    stage.observer.close()
    (heard,) = stage.phone.told
    reads(heard, PARTS[what])


STALE = Parts(
    r"WETH: .*sold for loop",
    r"updated 1 h \d+ min ago",
    r"heartbeat of 1 h",
    r"nothing of it is sold",
    r"Wait for the feed, or correct",
)
LOW = Parts(
    SIGNER + r".* pays for the rescues of loop",
    r"holds 0\.000010 native",
    r"less than 0\.010000 native",
    "",
    r"Send it 0\.009990 native or more",
    {"done": "nobody but its owner can"},
)
DAILY = Parts(
    "loop: ",
    r"Health factor 1\.6600, collateral \$20,000\.00, debt \$10,000\.00",
    r"Liquidation when WETH falls to \$1,204\.81",
    r"Nothing had to be done",
    "Not over: .*gas money",
)


async def test_what_is_heard_beside_the_rules_names_its_parts_too() -> None:
    """A stale price, gas money that runs low, the summary of the day."""
    play = Play(Paper({"loop": FAR}, holding_dollars(native=10**13)), summary_s=DAY_S)
    await play.judge()
    await play.judge(4000)
    await play.judge(60, count=5)
    await play.judge(DAY_S)
    heard = list(zip(play.titles, play.bodies, strict=True))
    for words, parts in (("WETH: the feed", STALE), ("Gas money", LOW), ("daily summary", DAILY)):
        reads(next(one for one in heard if one[0].startswith(words)), parts)
