"""Looks at both sides while they run: is anything acknowledged that Kafka does not hold, or shown in part?"""

from __future__ import annotations

import bisect
import threading
import time
from dataclasses import dataclass

import psycopg
from confluent_kafka import KafkaException

from reader import POSITION, Offsets, Reader

SAMPLE_SECONDS = 0.1
# A broker answers "committed" just before readers may see it; a sample is held against what is visible this much later.
LATER_SAMPLES = 2
STILL_SECONDS = 0.25
CUT_SECONDS_MAX = 20


@dataclass(frozen=True, slots=True)
class Cut:
    """What was visible, and acknowledged, while no bridge was alive."""

    offsets: Offsets
    acknowledged: int


class Witness:
    def __init__(self, url: str, slot: str, reader: Reader) -> None:
        self.url, self.slot, self.reader = url, slot, reader
        self.samples: list[tuple[int, int]] = []
        """Acknowledged LSN, and the end of the position topic right after."""
        self.cuts: list[Cut] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def acknowledged(self, connection: psycopg.Connection) -> int:
        row = connection.execute(
            "select (confirmed_flush_lsn - '0/0')::bigint from pg_replication_slots where slot_name = %s", [self.slot]
        ).fetchone()
        if row is None:
            raise RuntimeError(f"cannot find slot {self.slot}")
        return int(row[0])

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True, connect_timeout=2) as connection:
                    while not self._stop.wait(SAMPLE_SECONDS):
                        self._sample(connection)
            except (psycopg.OperationalError, KafkaException):
                self._stop.wait(SAMPLE_SECONDS)

    def _sample(self, connection: psycopg.Connection) -> None:
        """PostgreSQL first: what is visible after can only be more than what was when it was acknowledged."""
        acknowledged = self.acknowledged(connection)
        self.samples.append((acknowledged, self.reader.visible([(POSITION, 0)])[POSITION, 0]))

    def cut(self) -> None:
        """Call it when the bridge is dead: waits until what is visible stands still, and keeps it."""
        deadline = time.monotonic() + CUT_SECONDS_MAX
        before: Offsets | None = None
        while True:
            try:
                now = self.reader.visible()
            except KafkaException:
                # A broker that has just come back does not know its partitions yet.
                if time.monotonic() > deadline:
                    raise
                time.sleep(STILL_SECONDS)
                continue
            if now == before:
                break
            if time.monotonic() > deadline:
                raise RuntimeError("cannot take a cut: something still writes though the bridge is dead")
            before = now
            time.sleep(STILL_SECONDS)
        with psycopg.connect(self.url, autocommit=True) as connection:
            self.cuts.append(Cut(now, self.acknowledged(connection)))


def newest(positions: list[tuple[int, int]], end: int) -> int:
    """The position that a reader sees who may read up to offset `end`."""
    at = bisect.bisect_left(positions, (end, 0))
    return positions[at - 1][1] if at else 0


def early(samples: list[tuple[int, int]], cuts: list[Cut], positions: list[tuple[int, int]]) -> int:
    """How often more was acknowledged than was stored."""
    found = sum(
        acknowledged > newest(positions, end)
        for (acknowledged, _), (_, end) in zip(samples, samples[LATER_SAMPLES:], strict=False)
    )
    return found + sum(cut.acknowledged > newest(positions, cut.offsets[POSITION, 0]) for cut in cuts)
