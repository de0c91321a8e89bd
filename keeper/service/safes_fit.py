"""Whether the Safes that signers act for let them: asked once, at the start."""

from __future__ import annotations

from keeper.chain.blocks import Blocks
from keeper.chain.errors import NodeError
from keeper.core.account import SafeState
from keeper.core.reasons import Reason
from keeper.settings import Settings, SettingsError
from keeper.snapshot.safes import safes_of
from keeper.venues.contracts.safe import Safe, state_probe
from keeper.venues.ports import ReadFailedError, joined


async def refuse_unfit(settings: Settings, blocks: Blocks) -> None:
    """Raise SettingsError, with the field and the remedy, for a Safe that the signer cannot act for alone.

    A node that does not answer says nothing of it: each block asks again, and holds with the same reason.
    """
    safes = safes_of(settings.network, settings.positions)
    if not safes:
        return
    try:
        found = await blocks.read(await blocks.head(), joined([state_probe(safe) for safe in safes]))
    except (NodeError, ReadFailedError):
        return
    faults = [line for safe, state in zip(safes, found, strict=True) if (line := _fault(settings, safe, state))]
    if faults:
        raise SettingsError(faults)


def _fault(settings: Settings, safe: Safe, state: SafeState | None) -> str | None:
    found = (Reason.SAFE_UNREADABLE, "no answer") if state is None else state.fault
    if found is None:
        return None
    reason, detail = found
    i, signer = next((i, s) for i, s in enumerate(settings.signers) if s.safe == safe.address)
    where = f"{settings.path}: signers[{i}].safe (in {signer.name!r})"
    return f"{where}: {safe.address}: {reason.short} ({detail}); {reason.remedy}"
