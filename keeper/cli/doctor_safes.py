"""What the doctor says of a Safe that a signer acts for: whether it may, and who else has a say in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keeper.cli.doctor_findings import Finding, failing, fine, warning
from keeper.core.account import SafeState
from keeper.core.reasons import Reason
from keeper.core.units import Address
from keeper.settings import Settings, Signer


def examine(safes: Mapping[Address, SafeState | None], settings: Settings, signer: Signer) -> Iterator[Finding]:
    """Yield one line for what it asks for, and one for each other who has a say; nothing for a key's own account."""
    if signer.safe is None:
        return
    topic, state = f"Safe of {signer.name}", safes.get(signer.safe)
    if state is None:
        if any(p.signer and p.signer.name == signer.name for p in settings.positions):
            yield failing(topic, f"{signer.safe} does not answer as one", Reason.SAFE_UNREADABLE.remedy)
        return
    if state.fault is not None:
        reason, detail = state.fault
        yield failing(topic, f"{reason.short}: {detail}", reason.remedy)
    else:
        said = f"version {state.version or 'unknown'}, it asks for {state.asks_for}, next nonce {state.nonce}"
        yield fine(topic, said)
    if state.owners is not None and state.owners > 1 and state.threshold == 1:
        text = f"each of its {state.owners} owners may move all of it alone, and use up a rescue's nonce"
        yield warning(topic, text, "use it by hand while nothing is pending, and run one keeper for it")
    if state.guard is not None:
        text = f"its guard {state.guard} has a say in each transaction: a rescue may not pass it"
        yield warning(topic, text, "rehearse one with `keeper explain`, or take the guard off")
    for module in state.modules:
        text = f"its module {module} may move all of it without a signature"
        yield warning(topic, text, "disable it, unless you know why it is there")
