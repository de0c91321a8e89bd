"""The fire drill as ``keeper doctor`` shows it: what each rule's rescue would come to at the price that fires it."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.cli.doctor_findings import Finding, failing, fine, warning
from keeper.cli.doctor_shared import examine_shared
from keeper.core.drills import Drilled, DrillEnding
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address
from keeper.engine.cases import cases_of
from keeper.journal import JournalError
from keeper.service.opened import Opened
from keeper.venues.ports import ReadFailedError

UNSIGNED = "name one in [[signers]], and it as `signer` of the position: until then nothing is sent"


async def examine_drill(engine: Opened, snapshot: Snapshot) -> tuple[list[Finding], Mapping[Address, int]]:
    """Return what every rescue would come to, and the gas of the dearest by who signs it. Raises NodeError."""
    found, gas, drilled = list[Finding](), dict[Address, int](), list[Drilled]()
    for case in cases_of(engine, snapshot):
        for rehearsal in case.rehearsals():
            try:
                one = await rehearsal()
            except (ReadFailedError, JournalError) as error:
                found.append(failing(f"drill of {case.name}", str(error), "see the node's own line"))
                continue
            drilled.append(one)
            found.append(finding_of(one))
            gas[case.signer] = max(gas.get(case.signer, 0), one.gas)
    return [*found, *examine_shared(engine, snapshot, drilled)], gas


def finding_of(one: Drilled) -> Finding:
    """Return one rule's drill as a finding."""
    topic = f"rescue {one.position}/{one.rule}"
    match one.ending:
        case DrillEnding.WORKS if not one.has_signer:
            return warning(topic, one.said, UNSIGNED)
        case DrillEnding.WORKS:
            return fine(topic, one.said)
        case DrillEnding.UNTRIED:
            return fine(topic, one.said)
        case DrillEnding.SHORT:
            return warning(topic, one.said, one.remedy or "raise the limits or fund the wallet")
        case DrillEnding.FAILS:
            return failing(topic, one.said, one.remedy or "see `keeper explain`")
