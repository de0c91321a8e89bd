"""The kinds of position that plans are made ready for. A book is none: no price moves its delta (``arms``)."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.core.family import Family
from keeper.engine.armed.ladder import AnyArms
from keeper.engine.armed.loan_arms import LoanArms
from keeper.engine.armed.perp_arms import PerpArms

ARMS: Mapping[Family, AnyArms] = {Family.LENDING: LoanArms(), Family.PERP: PerpArms()}
"""By kind."""
