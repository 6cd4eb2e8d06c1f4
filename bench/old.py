"""Old rows: how fast walbridge tells a table, beside the least that anybody has to do for it."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request

import psycopg
from confluent_kafka import Consumer, Producer
from place import DEV, Bench, empty, fill, read_all
from servers import Kafka, Postgres

# Records of one Kafka transaction, as many as the bridge's largest.
TRANSACTION_RECORDS = 150_000

# Seconds between two looks at how far it is: each costs the bridge and the bench some of the two cores.
LOOK = 0.05


def copy(postgres: Postgres) -> float:
    """Seconds that PostgreSQL needs to write the table to /dev/null."""
    begin = time.monotonic()
    command = [str(postgres.bin / "psql"), "-q", "-d", postgres.url(), "-c", "COPY ord TO STDOUT"]
    with open(os.devnull, "wb") as nowhere, (DEV / "bench.log").open("ab") as log:
        subprocess.run(command, check=True, stdout=nowhere, stderr=log)
    return time.monotonic() - begin


def record(address: str, topic: str) -> tuple[bytes, bytes]:
    """A record as the bridge wrote it."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "bench", "enable.auto.commit": False})
    read_all(consumer, topic)
    message = None
    while message is None or message.value() is None:
        message = consumer.poll(5)
    consumer.close()
    key, value = message.key(), message.value()
    assert isinstance(key, bytes) and isinstance(value, bytes)
    return key, value


def produce(address: str, topic: str, rows: int, sample: tuple[bytes, bytes]) -> float:
    """Seconds that a bare transactional producer needs for as many records of the same size."""
    producer = Producer({
        "bootstrap.servers": address, "transactional.id": "bench-floor", "linger.ms": 5, "compression.type": "lz4",
        "queue.buffering.max.messages": 2 * TRANSACTION_RECORDS,
    })  # fmt: skip
    producer.init_transactions()
    key, value = sample
    begin = time.monotonic()
    for first in range(0, rows, TRANSACTION_RECORDS):
        producer.begin_transaction()
        for _ in range(min(TRANSACTION_RECORDS, rows - first)):
            producer.produce(topic, value, key, 0)
        producer.commit_transaction()
    return time.monotonic() - begin


def rows_told(bench: Bench) -> int:
    """Old rows that are durable in Kafka."""
    bench.status()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{bench.http}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0
    told = [line for line in lines if line.startswith("walbridge_backfill_rows_total{")]
    return int(float(told[0].rsplit(" ", 1)[1])) if told else 0


def backfill(rows: int, readers: list[int], servers: tuple[Postgres, Kafka]) -> None:
    """Rates from the first durable chunk to the last; the bridge lets two seconds pass before it reads at all."""
    postgres, kafka = servers
    empty(postgres)
    fill(postgres, rows, 10_000)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE ord")
    for count in readers:
        name = f"old{count}"
        bench = Bench(name, postgres, kafka, f"on_start = true\nreaders = {count}")
        with bench.running():
            while (first := rows_told(bench)) == 0:
                time.sleep(LOOK)
            begin = time.monotonic()
            while rows_told(bench) < rows:
                time.sleep(LOOK)
            ours = (rows - first) / (time.monotonic() - begin)
            cpu, peak = bench.cpu_seconds() / rows * 1e6, bench.peak_mib()
        sample = record(kafka.address(), f"{name}.orders")
        reading = copy(postgres)
        writing = produce(kafka.address(), f"{name}.orders", rows, sample)
        floor = rows / (reading + writing)
        print(
            f"backfill {count} reader{'s' if count > 1 else ''}: {floor:9,.0f} rows/s floor (COPY {rows / reading:,.0f}, "
            f"bare producer {rows / writing:,.0f}), {ours:9,.0f} rows/s walbridge, ratio {ours / floor:.2f}, "
            f"{cpu:.2f} us CPU a row, peak {peak:.0f} MiB",
            flush=True,
        )
