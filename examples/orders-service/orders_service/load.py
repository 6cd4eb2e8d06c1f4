"""Whether the rows that were there before the bridge are all in the copy: what the control records say. No I/O."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

EPOCH_DIGITS = 4


class Phase(Enum):
    BEGUN = "begun"
    COMPLETE = "complete"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Mark:
    """A control record `<Entity>.backfill` of one partition."""

    topic: str
    partition: int
    sequence: str
    phase: Phase
    generation: int
    partial: bool
    """It began with a `where`: some of the rows only."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one partition's marks have said until now."""

    sequence: str = ""
    generation: int = 0
    phase: Phase | None = None
    partial: bool = False
    whole: str | None = None
    """The mark by which this partition held every row."""


class Standing(Enum):
    UNKNOWN = "unknown"
    """Not all partitions have said anything. For ever so where the bridge writes no markers."""
    LOADING = "loading"
    CANCELLED = "cancelled"
    COMPLETE = "complete"


def step(load: Load, mark: Mark) -> Load:
    if mark.sequence <= load.sequence:
        return load
    if mark.phase is Phase.BEGUN:
        partial = mark.partial
    else:
        # Compaction keeps only the newest mark of a partition: where the beginning is gone, nobody says `where`, and it counts as a
        # telling of all rows, which is what the first telling is.
        own = _epoch(mark.sequence) == _epoch(load.sequence) and mark.generation == load.generation
        partial = mark.partial or (own and load.partial)
    whole = mark.sequence if mark.phase is Phase.COMPLETE and not partial else load.whole
    return Load(mark.sequence, mark.generation, mark.phase, partial, whole)


def standing(load: Load) -> Standing:
    """A copy that was whole stays whole while the rows are told again; not so in a new epoch, whose source may lack rows."""
    if load.phase is None:
        return Standing.UNKNOWN
    if load.whole is not None and _epoch(load.whole) == _epoch(load.sequence):
        return Standing.COMPLETE
    if load.partial:
        return Standing.UNKNOWN
    return Standing.CANCELLED if load.phase is Phase.CANCELLED else Standing.LOADING


def of_all(standings: Collection[Standing]) -> Standing:
    """Of the whole copy: as far as its slowest partition."""
    for one in (Standing.CANCELLED, Standing.LOADING, Standing.UNKNOWN):
        if one in standings:
            return one
    return Standing.COMPLETE if standings else Standing.UNKNOWN


def _epoch(sequence: str) -> str:
    return sequence[:EPOCH_DIGITS]
