"""A table of ten mixed columns, its load, and one bridge and one bare slot for each run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Event, Process, Queue, Value
from pathlib import Path

import psycopg
from confluent_kafka import Consumer, TopicPartition
from servers import DEV, ROOT, Kafka, Postgres, free_port

PROGRAM = os.environ.get("WALBRIDGE", str(ROOT / "target" / "release" / "walbridge"))
TABLE = (
    "CREATE TABLE ord (id bigint PRIMARY KEY, customer int, status text, amount numeric(12,2), currency char(3), "
    "quantity int, express boolean, placed timestamptz, note text, mark text)"
)
ROW = (
    "n, (n % 5000)::int, 'shipped', n * 0.25, 'EUR', (n % 7)::int, n % 2 = 0, clock_timestamp(), "
    "'a note on order ' || n, md5(n::text)"
)
# So many runs go before those that count, or fewer: until the broker's compiler takes less than this share of one.
WARM_RUNS_MAX = 8
COMPILES_MAX = 0.1
# How long rows that were committed may be on their way at the end.
LAST_SECONDS = 10
FIELDS = ("id", "customer", "status", "amount", "currency", "quantity", "express", "placed", "note", "mark")
CONFIG = """[bridge]
name = "{name}"
[source]
url = "{links.postgres}"
{links.source}[kafka]
brokers = "{links.kafka}"
{links.properties}[kafka.topics]
replication = 1
[http]
listen = "127.0.0.1:{http}"
[backfill]
{backfill}
[entity.Order]
table = "public.ord"
key = "id"
state_topic = "{name}.orders"
[entity.Order.fields]
"""


def cpu_seconds(pid: int, threads: str = "") -> float:
    """CPU that a process has taken, or its threads of that name that still live (proc(5), stat)."""
    process = Path(f"/proc/{pid}")
    stats = [stat.read_text() for stat in process.glob("task/*/stat" if threads else "stat")]
    fields = [stat.rsplit(")", 1)[1].split() for stat in stats if threads in stat]
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


def number(lsn: str) -> int:
    high, low = lsn.split("/")
    return (int(high, 16) << 32) | int(low, 16)


@dataclass(frozen=True)
class Links:
    """How a bridge reaches both servers, as its config says it."""

    postgres: str
    kafka: str
    source: str = ""
    authority: str = ""
    properties: str = ""


class Bench:
    """One bridge: set up where the log stands now, run when it is told to."""

    def __init__(
        self,
        name: str,
        postgres: Postgres,
        kafka: Kafka,
        backfill: str = "on_start = false",
        links: Links | None = None,
    ) -> None:
        self.name, self.http = name, free_port()
        links = links or Links(f"{postgres.url()}?sslmode=disable", kafka.address())
        self.config = DEV / f"bench-{name}.toml"
        fields = "".join(f'{field} = "{field}"\n' for field in FIELDS)
        text = CONFIG.format(name=name, links=links, http=self.http, backfill=backfill)
        text += fields
        self.config.write_text(text)
        with (DEV / "bench.log").open("ab") as log:
            command = [PROGRAM, "setup", "-c", str(self.config), "--apply", "--as", postgres.url()]
            subprocess.run(command, check=True, stdout=log, stderr=log)
        self.process: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[float]:
        begin = time.monotonic()
        with (DEV / "bench.log").open("ab") as log:
            self.process = subprocess.Popen([PROGRAM, "run", "-c", str(self.config)], stdout=log, stderr=log)
        try:
            yield begin
        finally:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def status(self) -> dict[str, object]:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"the bridge ended with {self.process.returncode}: see target/dev/bench.log")
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/status", timeout=5) as answer:
                return dict(json.load(answer))
        return {}

    def wait(self, transactions: int, every: float = 0.05) -> None:
        """Until so many transactions are durable in Kafka. A look costs both of them a millisecond: seldom is fair."""
        while int(str(self.status().get("transactions", 0))) < transactions:
            time.sleep(every)

    def wait_streaming(self) -> None:
        while self.status().get("state") != "streaming":
            time.sleep(0.01)

    def old_rows(self) -> int:
        """Old rows that are durable in Kafka."""
        told = self.status().get("backfill")
        return int(told[0]["rows"]) if isinstance(told, list) and told else 0

    def cpu_seconds(self) -> float:
        assert self.process is not None
        return cpu_seconds(self.process.pid)

    def peak_mib(self) -> float:
        return self._memory("VmHWM")

    def forget_peak(self) -> None:
        """The peak is counted from here on (proc(5), clear_refs)."""
        assert self.process is not None
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def resident_mib(self) -> float:
        return self._memory("VmRSS")

    def _memory(self, key: str) -> float:
        assert self.process is not None
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def partitions_of(consumer: Consumer, topic: str) -> list[TopicPartition]:
    """All of them, each from its begin."""
    return [TopicPartition(topic, number, 0) for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions]


class Reader:
    """A process of its own that notes when it sees each change, once it is ready; old rows are passed over.

    Changes are known by their `mark`: the inserting statement's clock in microseconds, and who wrote it.
    """

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.expected, self.told = Value("q", -1), Queue()
        ready = Event()
        arguments = (kafka.address(), topic, ready, self.expected, self.told)
        self.process = Process(target=_read, args=arguments, daemon=True)
        self.process.start()
        if not ready.wait(LAST_SECONDS):
            raise RuntimeError(f"cannot read {topic}")

    def seen(self, expected: int) -> list[tuple[float, float]]:
        """Of each of so many changes: when its statement ran and when it was seen, in seconds."""
        self.expected.value = expected
        seen = self.told.get()
        self.process.join()
        if len(seen) != expected:
            raise RuntimeError(f"{len(seen)} of {expected} rows were seen")
        return [(int(mark.split()[0]) / 1e6, at) for mark, at in seen.items()]


def _read(address: str, topic: str, ready: Event, expected: Value, told: "Queue[dict[bytes, float]]") -> None:
    consumer = Consumer({
        "bootstrap.servers": address, "group.id": "bench", "isolation.level": "read_committed",
        "enable.auto.commit": False,
    })  # fmt: skip
    partitions = partitions_of(consumer, topic)
    for partition in partitions:
        partition.offset = consumer.get_watermark_offsets(partition, timeout=10)[1]
    consumer.assign(partitions)
    ready.set()
    mark, seen, last = b'"mark":"', {}, float("inf")
    while len(seen) != expected.value and time.monotonic() < last:
        if expected.value >= 0:
            last = min(last, time.monotonic() + LAST_SECONDS)
        # One at a time: `consume` would wait until it has many.
        message = consumer.poll(0.05)
        value = None if message is None else message.value()
        if value is not None and b'"origin":"backfill"' not in value and (at := value.find(mark)) >= 0:
            begin = at + len(mark)
            seen[value[begin : value.index(b'"', begin)]] = time.time()
    consumer.close()
    told.put(seen)


def count_rows(postgres: Postgres) -> int:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM ord").fetchone()
        assert row is not None
        return int(row[0])


def empty(postgres: Postgres) -> None:
    """A fresh table; before any bridge is set up, since emptying a followed table halts it. Slots of earlier parts go."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
        connection.execute("DROP PUBLICATION IF EXISTS bench")
        connection.execute("DROP TABLE IF EXISTS ord")
        connection.execute(TABLE)
        connection.execute("CREATE PUBLICATION bench FOR TABLE ord")


def fill(postgres: Postgres, rows: int, batch: int) -> str:
    """Commits rows in transactions of `batch`; gives the end of the log."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(
            f"DO $$ BEGIN FOR i IN 0 .. {rows // batch - 1} LOOP INSERT INTO ord SELECT {ROW} "  # noqa: S608
            f"FROM generate_series(i::bigint * {batch}, (i::bigint + 1) * {batch} - 1) n; COMMIT; END LOOP; END $$"
        )
        row = connection.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
        assert row is not None
        return str(row[0])


@contextlib.contextmanager
def writing(postgres: Postgres, rate: int, seconds: int) -> Iterator[subprocess.Popen[bytes]]:
    """Single-row transactions by PostgreSQL's own load generator; `mark` holds the clock in microseconds and the session."""
    script = DEV / "bench.sql"
    script.write_text(
        "INSERT INTO ord SELECT nextval('ids'), 1, 'new', 1, 'EUR', 1, true, clock_timestamp(), '', "
        "(extract(epoch FROM clock_timestamp()) * 1e6)::bigint || ' ' || pg_backend_pid();\n"
    )
    command = [
        str(postgres.bin / "pgbench"), "-n", "-f", str(script), "-c", "8", "-R", str(rate), "-T", str(seconds), postgres.url(),
    ]  # fmt: skip
    with (DEV / "bench.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def warm_up(kafka: Kafka, benches: list[Bench], transactions: int) -> None:
    """Runs that are not counted, until the broker's virtual machine has compiled what it uses, or none is left."""
    for bench in benches:
        compiled = cpu_seconds(kafka.pid(), "CompilerThre")
        with bench.running() as begin:
            bench.wait(transactions)
        if cpu_seconds(kafka.pid(), "CompilerThre") - compiled < COMPILES_MAX * (time.monotonic() - begin):
            return


def slot(postgres: Postgres, name: str) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))


def recvlogical(postgres: Postgres, slot_name: str, publication: str, end: str, url: str = "") -> float:
    """Seconds that PostgreSQL's own reader needs to write the same changes to /dev/null; by another URL than the plain one."""
    begin = time.monotonic()
    command = [
        str(postgres.bin / "pg_recvlogical"), "-d", url or postgres.url(), "--slot", slot_name, "--start", "-f", "/dev/null",
        "-o", "proto_version=1", "-o", f"publication_names={publication}", "--endpos", end,
    ]  # fmt: skip
    with (DEV / "bench.log").open("ab") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log)
    return time.monotonic() - begin
