"""One run from an empty shop to a verdict; what happens in between, a demo or chaos, is the caller's."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from enum import Enum, auto

import psycopg

import past
import promised
from bridge import NAME, SLOT, Bridge, check_program, tail
from decoding import Log
from gate import Gate, KafkaSpeech, PostgresSpeech
from judge import Judge, Verdict
from reader import Reader, Seen
from servers import ROOT, Kafka, Postgres, both, free_port
from shop import ENTITIES, TABLES, TOPICS, records
from witness import Witness
from writers import Pace, Writer

SESSIONS = 4
OLD_ORDERS = 6_000
"""Unless a caller wants more or fewer."""
# How long the last records may take to appear, and how long one waits for records that should not be there.
DRAIN_SECONDS_MAX = 60
AFTERWARDS_SECONDS = 1
RESUME_SECONDS_MAX = 60


class Way(Enum):
    """How the bridge reaches the servers. Gates pass every byte through Python: what is measured behind them is theirs too."""

    DIRECT = auto()
    GATED = auto()


class Run:
    def __init__(self, postgres: Postgres, kafka: Kafka, show: Callable[[Seen], None] | None, way: Way, old_orders: int) -> None:
        self.postgres, self.kafka = postgres, kafka
        url = postgres.url(NAME)
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {NAME}")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((ROOT / "docker" / "legacy.sql").read_text())
            self.old = [past.fill(connection, session + 1, old_orders // SESSIONS) for session in range(SESSIONS)]
            # Else nobody could say about how many rows there are.
            connection.execute("ANALYZE")
            self.before = past.states(connection)
        self.log = Log(url, TABLES)
        self.log.create()
        self.gates: dict[str, Gate] = {}
        servers = url, kafka.address()
        if way is Way.GATED:
            front = free_port()
            self.gates = {"Kafka": Gate(kafka.front, kafka.behind, KafkaSpeech), "PostgreSQL": Gate(front, postgres.port, PostgresSpeech)}
            servers = f"postgresql://postgres@127.0.0.1:{front}/{NAME}", f"127.0.0.1:{kafka.front}"
        self.bridge, self.spare = Bridge(*servers, "a"), Bridge(*servers, "b")
        self.bridge.setup(url)
        self.promised = promised.of_types(self.bridge.config)
        self.reader = Reader(kafka.address(), show)
        # As what watches a server does, from another database: it is nobody at work beside old rows.
        self.witness = Witness(postgres.url(), SLOT, self.reader)
        with psycopg.connect(url, autocommit=True) as connection:
            self.begin = self.witness.acknowledged(connection)
        self.writers: list[Writer] = []
        self.pace = Pace(1, 0)

    def start(self, seed: int, changes_per_second: float, changes_max: int, rows_max: int) -> None:
        self.log.start()
        self.reader.start()
        self.witness.start()
        self.pace = Pace(changes_per_second, changes_max)
        url = self.postgres.url(NAME)
        self.writers = [Writer(url, number + 1, seed, self.pace, rows_max, self.old[number]) for number in range(SESSIONS)]
        for writer in self.writers:
            writer.start()
        self.bridge.start()

    def watch(self) -> None:
        """Raises what went wrong in any thread or process."""
        for failure in (*(writer.failure for writer in self.writers), self.log.failure, self.reader.failure):
            if failure is not None:
                raise failure
        self.bridge.keep()

    def sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.watch()
            time.sleep(min(0.1, left))

    def kill_bridge(self) -> None:
        """Also where it is dead already."""
        self.bridge.kill()
        self.witness.cut()
        self.bridge.start()

    def wait_moving(self) -> float:
        """Until the bridge is ready and the position moves, with no human action; gives the seconds."""
        begin = time.monotonic()
        self.bridge.wait_ready()
        before = self.reader.position()
        while self.reader.position() == before:
            if time.monotonic() - begin > RESUME_SECONDS_MAX:
                raise RuntimeError(f"nothing is published for {RESUME_SECONDS_MAX} s\n{tail(self.bridge.log)}")
            self.sleep(0.05)
        return time.monotonic() - begin

    def stop_writers(self) -> None:
        for writer in self.writers:
            writer.stop.set()
        for writer in self.writers:
            writer.join(60)
        self.watch()

    def drain(self) -> float:
        """Waits until the position is past the last change and the records stand still; gives the seconds."""
        begin = time.monotonic()
        history = self.log.finish()
        last = max((t.end for t in history if any(True for i, c in enumerate(t.changes) for _ in records(c, i))), default=0)
        while (self.reader.position() < last or not self._told()) and time.monotonic() - begin < DRAIN_SECONDS_MAX:
            self.watch()
            time.sleep(0.05)
        seconds = time.monotonic() - begin
        self.sleep(AFTERWARDS_SECONDS)
        return seconds

    def _told(self) -> bool:
        told = self.reader.told
        return len(told) == len(ENTITIES) and all(standing == "complete" for standing in told.values())

    def verdict(self) -> Verdict:
        self.bridge.stop()
        self.witness.cut()
        self.witness.stop()
        self.reader.finish()
        partitions = {topic: self.reader.partitions(topic) for topic in TOPICS}
        judge = Judge(self.log.transactions, self.begin, partitions, self.before)
        if self.reader.unreadable:
            judge.verdict.note("malformed", "records that cannot be read", self.reader.unreadable)
        judge.marks(self.reader.marks, self.reader.records)
        for what in promised.broken(self.promised, self.reader.values):
            judge.verdict.note("malformed", what)
        return judge.judge(self.reader.records, self.witness.cuts, self.witness.samples, self.reader.positions)

    def end(self) -> None:
        for writer in self.writers:
            writer.stop.set()
        self.bridge.kill()
        self.spare.kill()
        for gate in self.gates.values():
            gate.close()


@contextlib.contextmanager
def run(way: Way, show: Callable[[Seen], None] | None = None, old_orders: int = OLD_ORDERS) -> Iterator[Run]:
    check_program()
    with both() as (postgres, kafka):
        one = Run(postgres, kafka, show, way, old_orders)
        try:
            yield one
        finally:
            one.end()
