"""Control records of the shop's state topics: where a telling of old rows begins and ends, and what of them is wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PHASES = ["begun", "complete"]
"""Of the one telling that a run has, in each partition."""


@dataclass(frozen=True, slots=True)
class Mark:
    topic: str
    partition: int
    offset: int
    id: str
    phase: str
    generation: int


def mark(topic: str, partition: int, offset: int, key: str, document: dict[str, Any]) -> Mark | None:
    """None where it tells of a row."""
    entity, _, word = key.rpartition(".")
    if word != "backfill" or document["type"] != key or document["subject"] != entity:
        return None
    data = document["data"]
    return Mark(topic, partition, offset, document["id"], data["phase"], data["generation"])


def wrong(marks: list[Mark], old: list[tuple[str, int, int]], partitions: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Each partition of the state topics is marked at the begin and at the end, once, with its old rows (their topic, partition
    and offset) in between. Gives kinds of deviation, and where."""
    told: dict[tuple[str, int], list[Mark]] = defaultdict(list)
    for one in sorted(marks, key=lambda one: one.offset):
        told[one.topic, one.partition].append(one)
    for place in ((topic, partition) for topic, count in partitions.items() for partition in range(count)):
        phases = [one.phase for one in told[place]]
        if phases != PHASES:
            yield _kind(phases), f"marks of {place[0]}/{place[1]}: {phases}"
            continue
        begun, complete = told[place]
        if not begun.id < complete.id or begun.generation != complete.generation:
            yield "out of order", f"marks of {place[0]}/{place[1]}: {begun.id} and {complete.id}"
        outside = sum(1 for topic, partition, at in old if (topic, partition) == place and not begun.offset < at < complete.offset)
        if outside:
            yield "out of order", f"{outside} old rows outside of the marks of {place[0]}/{place[1]}"
    for place in told.keys() - {(topic, partition) for topic, count in partitions.items() for partition in range(count)}:
        yield "unexpected", f"marks of {place[0]}/{place[1]}"


def _kind(phases: list[str]) -> str:
    if not set(phases) <= set(PHASES):
        return "unexpected"
    if len(phases) < len(PHASES):
        return "missing"
    return "duplicated" if len(phases) > len(PHASES) or len(set(phases)) == 1 else "out of order"
