"""walbridge beside PostgreSQL's own reader on the same work in the same run; see README.md for what each part does."""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import time
from multiprocessing import Event, Process, Queue

import psycopg
from confluent_kafka import Consumer, TopicPartition
from place import Bench, empty, fill, recvlogical, slot, writing
from servers import Kafka, Postgres, both

PARTS = ("drain", "single", "latency", "memory")
WARM_SECONDS = 5


def drain(title: str, rows: int, batch: int, runs: int, servers: tuple[Postgres, Kafka]) -> None:
    """Both readers on the same backlog, in turn; each time for a run has its own slot at the backlog's start."""
    postgres, kafka = servers
    empty(postgres)
    short = title.replace(" ", "")
    benches = [Bench(f"{short}{number}", postgres, kafka) for number in range(runs)]
    for number in range(runs):
        slot(postgres, f"bare_{short}{number}")
    end = fill(postgres, rows, batch)
    ratios, rates, costs, peaks, firsts = [], [], [], [], []
    for number, bench in enumerate(benches):
        bare = recvlogical(postgres, f"bare_{short}{number}", "bench", end)
        with bench.running() as begin:
            bench.wait(1)
            firsts.append(time.monotonic() - begin)
            bench.wait(rows // batch)
            ours = time.monotonic() - begin
            costs.append(bench.cpu_seconds() / rows * 1e6)
            peaks.append(bench.peak_mib())
        ratios.append(bare / ours)
        rates.append(rows / ours)
        print(
            f"  {title:8} run {number + 1}: {rows / bare:9,.0f} rows/s pg_recvlogical, {rows / ours:9,.0f} rows/s "
            f"walbridge, ratio {bare / ours:.2f}, {costs[-1]:.2f} us CPU a row, peak {peaks[-1]:.0f} MiB",
            flush=True,
        )
    print(
        f"{title:8} ratio median {statistics.median(ratios):.2f} best {max(ratios):.2f} · median "
        f"{statistics.median(rates):,.0f} rows/s, {statistics.median(costs):.2f} us CPU a row, peak "
        f"{max(peaks):.0f} MiB · first commit {statistics.median(firsts):.2f} s after start",
        flush=True,
    )


def read(address: str, topic: str, begun: Event, times: "Queue[list[float]]", stop: Event) -> None:
    """Seconds from the inserting statement's clock to here, of every row that came after `begun`."""
    consumer = Consumer({
        "bootstrap.servers": address, "group.id": "bench", "isolation.level": "read_committed",
        "enable.auto.commit": False,
    })  # fmt: skip
    consumer.assign([TopicPartition(topic, 0, 0)])
    mark, seen = b'"mark":"', []
    while not stop.is_set():
        # One at a time: `consume` would wait until it has many.
        message = consumer.poll(0.05)
        value = None if message is None else message.value()
        if value is not None and (at := value.find(mark)) >= 0 and begun.is_set():
            begin = at + len(mark)
            seen.append(time.time() - int(value[begin : value.index(b'"', begin)]) / 1e6)
    consumer.close()
    times.put(seen)


def latency(seconds: int, servers: tuple[Postgres, Kafka]) -> None:
    """1,000 transactions a second; writers and reader are processes of their own, so that none waits for another."""
    postgres, kafka = servers
    empty(postgres)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE IF NOT EXISTS ids CACHE 100")
    bench = Bench("latency", postgres, kafka)
    begun, stop, times = Event(), Event(), Queue()
    with bench.running():
        bench.wait_streaming()
        reader = Process(target=read, args=(kafka.address(), "latency.orders", begun, times, stop))
        reader.start()
        with writing(postgres, 1_000, seconds + WARM_SECONDS + 1) as writers:
            time.sleep(WARM_SECONDS)
            begun.set()
            before = bench.cpu_seconds()
            time.sleep(seconds)
            stop.set()
            cpu, resident = bench.cpu_seconds() - before, bench.resident_mib()
            seen = sorted(times.get())
            reader.join()
            writers.wait()
    at = lambda share: seen[int(len(seen) * share)] * 1e3  # noqa: E731
    print(
        f"latency  p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, p99.9 {at(0.999):.1f} ms, longest {seen[-1] * 1e3:.0f} "
        f"ms · {len(seen) / seconds:,.0f} transactions/s seen · {cpu / seconds * 100:.0f} % of a core, "
        f"resident {resident:.0f} MiB"
    )


def memory(rows: int, seconds: int, servers: tuple[Postgres, Kafka]) -> None:
    """Resident memory when idle, through one giant transaction, and under load while Kafka stands still."""
    postgres, kafka = servers
    empty(postgres)
    bench = Bench("memory", postgres, kafka)
    with bench.running():
        bench.wait_streaming()
        time.sleep(3)
        print(f"memory   idle: resident {bench.resident_mib():.0f} MiB", flush=True)
        fill(postgres, rows, rows)
        bench.wait(1)
        print(f"memory   a transaction of {rows:,} rows: peak {bench.peak_mib():.0f} MiB", flush=True)
        kafka.process.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        told = 0
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            while time.monotonic() - begin < seconds:
                connection.execute(
                    "INSERT INTO ord SELECT n, 1, 'new', 1, 'EUR', 1, true, now(), repeat('x', 200), '' "
                    "FROM generate_series(%s::bigint, %s::bigint) n",
                    (rows + told * 1_000, rows + told * 1_000 + 999),
                )
                told += 1
        peak = bench.peak_mib()
        kafka.process.send_signal(signal.SIGCONT)
        bench.wait(1 + told)
        print(f"memory   {seconds} s with Kafka stopped, {told:,} transactions: peak {peak:.0f} MiB, all told after")


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=30)
    asked = parser.parse_args()
    if unknown := [part for part in asked.parts if part not in PARTS]:
        parser.error(f"no part is called {unknown[0]}: one of {' '.join(PARTS)}")
    with both(Kafka.USUAL) as servers:
        if "drain" in asked.parts:
            drain("drain", asked.rows, 100, asked.runs, servers)
        if "single" in asked.parts:
            drain("single", asked.rows, 1, asked.runs, servers)
        if "latency" in asked.parts:
            latency(asked.seconds, servers)
        if "memory" in asked.parts:
            memory(asked.rows, 2 * asked.seconds, servers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
