"""What the owner's key may sign in the place of an approval, asked of the tokens at the block a plan is tried on."""

from __future__ import annotations

from keeper.core.lending.moves import Flash
from keeper.core.lending.plan import Plan
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.engine.engine import Engine
from keeper.execution.permit_signer import PermitSigner
from keeper.venues.contracts.permit import terms_probe


async def permits_for(engine: Engine, block: BlockRef, plan: Plan, signer: Address) -> PermitSigner | None:
    """Return who may sign the permits of a plan, and their terms; None where it has none. Raises NodeError.

    A token that takes no permit has no terms: its plan cannot be encoded, and the next best is tried.
    """
    flashes = [step.move for step in plan.steps if isinstance(step.move, Flash) and step.move.by_permit]
    sender = engine.senders.get(signer)
    if not flashes or sender is None:
        return None
    venues = engine.venues(plan.intent.position)
    tokens = dict.fromkeys(venues.approved(move.route.tokens[0], move.lender)[0] for move in flashes)
    found = [await engine.reader.read(block, terms_probe(token, signer)) for token in tokens]
    return PermitSigner(sender.lane.signer, {terms.token: terms for terms in found if terms is not None})
