"""What the owner's key may sign in the place of an approval, asked of the tokens at the block a plan is tried on."""

from __future__ import annotations

from collections.abc import Iterable

from keeper.core.lending.moves import Flash, borrowing, loans
from keeper.core.lending.plan import Plan
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.engine.engine import Engine
from keeper.execution.permit_signer import PermitSigner
from keeper.venues.contracts.permit import nonce_read, terms_probe
from keeper.venues.ports import Agency, Answer, Read, joined


async def permits_for(engine: Engine, block: BlockRef, plan: Plan, signer: Address) -> PermitSigner | None:
    """Return who may sign the permits of a plan, and their terms; None where it has none. Raises NodeError.

    A token that takes no permit has no terms: its plan cannot be encoded, and the next best is tried.
    """
    tokens, sender = _tokens(engine, plan), engine.senders.get(signer)
    chain_id, agency = engine.reader.network.chain_id, _agency(engine, plan)
    if sender is not None and agency is not None:
        trust = await engine.reader.read(block, agency.terms_probe(signer, chain_id))
        return PermitSigner(sender.lane.signer, {}, trust)
    if not tokens or sender is None:
        return None
    found = await engine.reader.read(block, joined([terms_probe(token, signer, chain_id) for token in tokens]))
    return PermitSigner(sender.lane.signer, {terms.token: terms for terms in found if terms is not None})


async def used_up(
    engine: Engine, block: BlockRef, plans: Iterable[Plan], signer: Address
) -> tuple[tuple[Read, Answer], ...]:
    """Return what says how many permits of the signer the tokens of plans have used up, each with its answer now."""
    tokens = dict.fromkeys(token for plan in plans for token in _tokens(engine, plan))
    agencies = [found for plan in plans if (found := _agency(engine, plan)) is not None]
    reads = [nonce_read(token, signer) for token in tokens]
    reads += dict.fromkeys(agency.nonce_read(signer) for agency in agencies)
    return tuple(zip(reads, await engine.reader.answers(block, reads), strict=True)) if reads else ()


def _agency(engine: Engine, plan: Plan) -> Agency | None:
    """Return where words of the owner are used that let a lender act for his account; None where a plan takes none."""
    venues = engine.venues(plan.intent.position)
    is_asked = any(loan.by_permit and loan.lender in venues.agents() for loan in borrowing(plan.moves))
    return venues.market.agency if is_asked else None


def _tokens(engine: Engine, plan: Plan) -> tuple[Address, ...]:
    """Return the tokens of which a plan takes a permit."""
    by_permit = [loan for loan in loans(plan.moves) if loan.by_permit]
    venues = engine.venues(plan.intent.position)
    by_permit = [loan for loan in by_permit if loan.lender not in venues.agents()]
    taken = [(loan.route.tokens[0], loan.lender) for loan in by_permit]
    calls = [move for move in plan.moves if isinstance(move, Flash)]
    taken += [(asset, call.lender) for call in calls for asset in call.left_whole]
    return tuple(dict.fromkeys(venues.approved(asset, lender)[0] for asset, lender in taken))
