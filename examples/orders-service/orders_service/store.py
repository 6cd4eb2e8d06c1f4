"""The copy's database as the reading sees it: rows, events and offsets change in one transaction, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psycopg

from orders_service import projection
from orders_service.apply import CUSTOMER, EVENT, GAP, ORDER, Batch, Partition, customer_rows, event_rows, gap_rows, order_rows
from orders_service.load import Load, Mark, Phase, step
from orders_service.public_id import PublicId
from orders_service.records import Kind

NOTICED = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
"""A server that is gone without a word is noticed (seconds, and milliseconds the last)."""
Positions = dict[Partition, int | None]
"""The next offset of each partition; None: from its beginning."""


class Moved(Exception):
    """Somebody else has read on from here: the partition is not ours any more."""


class Remade(Exception):
    """A topic is another one than the offsets are of."""


@dataclass
class Outcome:
    applied: int = 0
    stale: int = 0
    """Dropped by the guard: as old as what is there, or older."""

    def count(self, cursor: psycopg.Cursor, offered: int) -> None:
        self.applied += cursor.rowcount
        self.stale += offered - cursor.rowcount


class Store:
    """One connection, used by one thread."""

    def __init__(self, url: str, public_id: PublicId) -> None:
        self._connection = psycopg.connect(url, autocommit=True, application_name="orders-service reading", **NOTICED)
        self._connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        self._public_id = public_id

    def close(self) -> None:
        self._connection.close()

    def know(self, topic: str, topic_id: str, partitions: int) -> None:
        """Every partition has a row from the start, so that one nobody reads is seen to be missing."""
        with self._connection.transaction():
            self._connection.execute(
                "INSERT INTO read_position (topic, partition, topic_id) SELECT %s, n, %s FROM generate_series(0, %s) n "
                "ON CONFLICT (topic, partition) DO NOTHING",
                [topic, topic_id, partitions - 1],
            )
            row = self._connection.execute(
                "SELECT topic_id FROM read_position WHERE topic = %s AND topic_id <> %s LIMIT 1", [topic, topic_id]
            ).fetchone()
        if row is not None:
            raise Remade(
                f"cannot go on with {topic}: it was made anew, and the offsets are of the former one; "
                f"run `orders-service rewind {topic}`, which has it read from its beginning"
            )

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        wanted = list(partitions)
        rows = self._connection.execute(
            "SELECT topic, partition, next_offset FROM read_position JOIN unnest(%s::text[], %s::int[]) AS ours (topic, partition) "
            "USING (topic, partition)",
            [[topic for topic, _ in wanted], [partition for _, partition in wanted]],
        ).fetchall()
        return {(topic, partition): offset for topic, partition, offset in rows}

    def apply(self, batch: Batch, expected: Mapping[Partition, int | None]) -> Outcome:
        """All of the batch and how far it goes. `expected`: where this reader stood before it."""
        outcome = Outcome()
        with self._connection.transaction():
            self._claim(batch.next_offsets, expected)
            states = batch.states.values()
            with self._connection.cursor() as cursor:
                for sql, rows in (
                    (CUSTOMER, customer_rows(states, self._public_id)),
                    (ORDER, order_rows(states, self._public_id)),
                    (EVENT, event_rows(batch.events)),
                    (GAP, gap_rows(batch.gaps)),
                ):
                    if rows:
                        cursor.executemany(sql, rows)
                        outcome.count(cursor, len(rows))
                cursor.executemany(
                    "UPDATE read_position SET next_offset = %s WHERE topic = %s AND partition = %s",
                    [(offset, topic, partition) for (topic, partition), offset in batch.next_offsets.items()],
                )
            for mark in batch.marks:
                self._mark(mark)
            projection.follow(self._connection, batch.keys(Kind.ORDER), batch.keys(Kind.CUSTOMER))
        return outcome

    def _claim(self, partitions: Iterable[Partition], expected: Mapping[Partition, int | None]) -> None:
        """Holds the rows of these partitions until the end of the transaction. An instance that lost a partition without knowing it
        (it slept for too long) finds an offset here that is not its own, and applies nothing."""
        for partition in sorted(partitions):
            row = self._connection.execute(
                "SELECT next_offset FROM read_position WHERE topic = %s AND partition = %s FOR UPDATE", partition
            ).fetchone()
            if row is None or row[0] != expected[partition]:
                raise Moved(f"{partition[0]}[{partition[1]}] was read on by another instance")

    def _mark(self, mark: Mark) -> None:
        row = self._connection.execute(
            "SELECT sequence, generation, phase, partial, whole FROM initial_load WHERE topic = %s AND partition = %s",
            [mark.topic, mark.partition],
        ).fetchone()
        before = Load() if row is None else Load(row[0], row[1], Phase(row[2]), row[3], row[4])
        after = step(before, mark)
        if after.phase is not None and after != before:
            self._connection.execute(
                "INSERT INTO initial_load (topic, partition, sequence, generation, phase, partial, whole) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (topic, partition) DO UPDATE SET sequence = excluded.sequence, "
                "generation = excluded.generation, phase = excluded.phase, partial = excluded.partial, whole = excluded.whole",
                [mark.topic, mark.partition, after.sequence, after.generation, after.phase.value, after.partial, after.whole],
            )

    def freshen(self, moments: Mapping[Partition, float], expected: Mapping[Partition, int | None]) -> None:
        """All that was visible at these moments (seconds since 1970) is in the copy. Said only of partitions still ours."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE read_position SET fresh_at = greatest(fresh_at, to_timestamp(%s)) "
                "WHERE topic = %s AND partition = %s AND next_offset IS NOT DISTINCT FROM %s",
                [(moments[one], *one, expected[one]) for one in sorted(moments)],
            )


def rewind(url: str, topic: str) -> int:
    """Has a topic read from its beginning; the guard drops what is there already. Gives the number of partitions."""
    with psycopg.connect(url) as connection:
        return connection.execute("DELETE FROM read_position WHERE topic = %s", [topic]).rowcount
