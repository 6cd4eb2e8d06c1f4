"""Whether the copy may be asked: how old it is, and whether it is whole. Every instance says the same: the facts are stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from pydantic import BaseModel, Field

from orders_service.load import Load, Phase, Standing, of_all, standing
from orders_service.settings import Settings


@dataclass(frozen=True)
class Facts:
    """What is stored of the reading."""

    now: datetime
    partitions: Mapping[str, Collection[int]] = field(default_factory=dict)
    """Of each topic that was ever looked at."""
    oldest: datetime | None = None
    """The freshness of the partition that is behind most."""
    never_fresh: int = 0
    """Partitions whose end was never met."""
    loads: Mapping[tuple[str, int], Load] = field(default_factory=dict)
    gaps: int = 0


class Health(BaseModel):
    ready: bool = Field(description="the copy is whole, and younger than its limit")
    why_not: list[str]
    age_seconds: float | None = Field(
        description="all that was visible in the topics this long ago is in the copy; null: not known"
    )
    age_seconds_max: float
    fresh_at: datetime | None
    initial_load: str = Field(description="of the rows that were there before the bridge: unknown, loading, cancelled, complete")
    halted: str | None = Field(description="why this instance reads no more, until an operator acts")
    event_gaps: int = Field(description="times that the source's history was replaced: no event tells what happened in between")


def facts(connection: psycopg.Connection[dict[str, Any]]) -> Facts:
    row = connection.execute(
        "SELECT now() AS now, min(fresh_at) AS oldest, count(*) FILTER (WHERE fresh_at IS NULL) AS never, "
        "(SELECT count(*) FROM event_gap) AS gaps FROM read_position"
    ).fetchone()
    if row is None:
        raise RuntimeError("an aggregate without a row")
    partitions: dict[str, set[int]] = {}
    for one in connection.execute("SELECT topic, partition FROM read_position"):
        partitions.setdefault(one["topic"], set()).add(one["partition"])
    loads = {
        (one["topic"], one["partition"]): Load(
            one["sequence"], one["generation"], Phase(one["phase"]), one["partial"], one["whole"]
        )
        for one in connection.execute("SELECT * FROM initial_load")
    }
    return Facts(row["now"], partitions, row["oldest"], row["never"], loads, row["gaps"])


def judge(told: Facts, settings: Settings, halted: str | None) -> Health:
    why_not = []
    age = None
    known = told.never_fresh == 0 and all(told.partitions.get(topic) for topic in settings.topics)
    if known and told.oldest is not None:
        age = max(0.0, (told.now - told.oldest).total_seconds())
        if age > settings.age_seconds_max:
            why_not.append(f"the copy is older than {settings.age_seconds_max:g} s")
    else:
        why_not.append("the copy never met the end of every partition")
    load = _load(told, settings)
    if settings.load_markers and load is not Standing.COMPLETE:
        why_not.append(f"the initial load is {load.value}")
    return Health(
        ready=not why_not, why_not=why_not, age_seconds=age, age_seconds_max=settings.age_seconds_max,
        fresh_at=told.oldest if age is not None else None, initial_load=load.value, halted=halted, event_gaps=told.gaps,
    )  # fmt: skip


def _load(told: Facts, settings: Settings) -> Standing:
    return of_all(
        [
            standing(told.loads.get((topic, partition), Load()))
            for topic in settings.state_topics
            for partition in told.partitions.get(topic, ())
        ]
    )
