"""How old the copy is, of each partition: a moment such that all that was visible then is in the copy. No I/O, no clock.

An age is not the time since the last record: a quiet topic has none, and a topic that cannot be reached has none either. So the end
of each partition is asked for again and again, and once the reading has passed an end, the copy is as fresh as that question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orders_service.apply import Partition


@dataclass(frozen=True)
class Ends:
    """Where `read_committed` readers could read up to, and when that was asked."""

    asked_at: float
    offsets: Mapping[Partition, int]


class Progress:
    """Of the partitions of one assignment."""

    def __init__(self, partitions: Iterable[Partition]) -> None:
        self._reached: dict[Partition, int] = dict.fromkeys(partitions, 0)
        self._targets: dict[Partition, tuple[float, int]] = {}
        self._known: Mapping[Partition, int] = {}
        self._fresh: dict[Partition, float] = {}

    def reached(self, partition: Partition, offset: int) -> None:
        """Everything in front of this offset is in the copy. Where a partition ends with the marks of transactions, no record says
        so, but Kafka's word that the end was met does."""
        if partition in self._reached:
            self._reached[partition] = max(offset, self._reached[partition])
            self._look(partition)

    def ends(self, ends: Ends) -> None:
        self._known = ends.offsets
        for partition, end in ends.offsets.items():
            if partition in self._reached and partition not in self._targets:
                self._targets[partition] = ends.asked_at, end
                self._look(partition)

    def _look(self, partition: Partition) -> None:
        target = self._targets.get(partition)
        if target is not None and self._reached[partition] >= target[1]:
            self._fresh[partition] = target[0]
            # The next question is the next target: one that moves on with every question would never be met under load.
            del self._targets[partition]

    def fresh(self) -> dict[Partition, float]:
        return dict(self._fresh)

    def lag(self) -> dict[Partition, int]:
        """Offsets between the copy and the end, the marks of transactions among them."""
        return {one: max(0, self._known[one] - at) for one, at in self._reached.items() if one in self._known}
