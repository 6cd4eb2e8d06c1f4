"""Old rows: how fast walbridge tells a table, beside reading it once and writing as many records, one after the other."""

from __future__ import annotations

import itertools
import os
import subprocess
import time

import psycopg
from confluent_kafka import Consumer, Producer
from place import DEV, Bench, empty, fill, partitions_of
from servers import Kafka, Postgres

# Records of one Kafka transaction, as many as the bridge's largest.
TRANSACTION_RECORDS = 150_000

# So many of the bridge's own records are written again and again.
SAMPLE_RECORDS = 20_000

# Seconds between two looks at how far it is: each costs the bridge and the bench some of the two cores.
LOOK = 0.05


def copy(postgres: Postgres) -> float:
    """Seconds that PostgreSQL needs to write the table to /dev/null."""
    begin = time.monotonic()
    command = [str(postgres.bin / "psql"), "-q", "-d", postgres.url(), "-c", "COPY ord TO STDOUT"]
    with open(os.devnull, "wb") as nowhere, (DEV / "bench.log").open("ab") as log:
        subprocess.run(command, check=True, stdout=nowhere, stderr=log)
    return time.monotonic() - begin


Sample = list[tuple[int, bytes, bytes]]


def sample(address: str, topic: str) -> Sample:
    """Records as the bridge wrote them: partition, key and value of each."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign(partitions_of(consumer, topic))
    records = []
    while len(records) < SAMPLE_RECORDS:
        for message in consumer.consume(SAMPLE_RECORDS, timeout=5):
            key, value, partition = message.key(), message.value(), message.partition()
            if isinstance(key, bytes) and isinstance(value, bytes) and partition is not None:
                records.append((partition, key, value))
    consumer.close()
    return records


def produce(address: str, topic: str, rows: int, records: Sample) -> float:
    """Seconds that a bare transactional producer needs for as many records."""
    producer = Producer({
        "bootstrap.servers": address, "transactional.id": "bench-bare", "linger.ms": 5, "compression.type": "lz4",
        "queue.buffering.max.messages": 2 * TRANSACTION_RECORDS,
    })  # fmt: skip
    producer.init_transactions()
    begin = time.monotonic()
    for first in range(0, rows, TRANSACTION_RECORDS):
        producer.begin_transaction()
        count = min(TRANSACTION_RECORDS, rows - first)
        for partition, key, value in itertools.islice(itertools.cycle(records), count):
            producer.produce(topic, value, key, partition)
        producer.commit_transaction()
    return time.monotonic() - begin


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
            while (first := bench.old_rows()) == 0:
                time.sleep(LOOK)
            begin = time.monotonic()
            while bench.old_rows() < rows:
                time.sleep(LOOK)
            ours = (rows - first) / (time.monotonic() - begin)
            cpu, peak = bench.cpu_seconds() / rows * 1e6, bench.peak_mib()
        reading = copy(postgres)
        writing = produce(kafka.address(), f"{name}.orders", rows, sample(kafka.address(), f"{name}.orders"))
        bare = rows / (reading + writing)
        print(
            f"backfill {count} reader{'s' if count > 1 else ''}: {bare:9,.0f} rows/s in two steps (COPY {rows / reading:,.0f}, "
            f"bare producer {rows / writing:,.0f}), {ours:9,.0f} rows/s walbridge, ratio {ours / bare:.2f}, "
            f"{cpu:.2f} us CPU a row, peak {peak:.0f} MiB",
            flush=True,
        )
