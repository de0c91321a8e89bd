"""Which blocks were seen to follow which: whether a state is the child of another, and how far apart they are."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from keeper.core.snapshot import BlockRef

REMEMBERED = 64


@dataclass(slots=True)
class Lineage:
    """Parents of the blocks seen, by hash. What was not seen links nothing."""

    _parents: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def saw(self, block: BlockRef) -> None:
        """Remember a block's parent."""
        self._parents[block.hash] = block.parent_hash
        while len(self._parents) > REMEMBERED:
            self._parents.popitem(last=False)

    def distance(self, block: BlockRef, ancestor: str, most: int) -> int | None:
        """Return how many blocks lie between a block and its ancestor, None when it is none within ``most``."""
        self.saw(block)
        hash_: str | None = block.hash
        for steps in range(most + 1):
            if hash_ == ancestor:
                return steps
            hash_ = self._parents.get(hash_ or "")
        return None
