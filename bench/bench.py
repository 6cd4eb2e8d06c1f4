"""walbridge beside PostgreSQL's own reader on the same work in the same run; see README.md for what each part does."""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import time

import psycopg
from beside import beside
from old import backfill
from place import (
    LAST_SECONDS,
    WARM_RUNS_MAX,
    Bench,
    Reader,
    count_rows,
    cpu_seconds,
    empty,
    fill,
    recvlogical,
    slot,
    warm_up,
    writing,
)
from servers import Kafka, Postgres, both
from tls import tls

PARTS = ("drain", "single", "latency", "memory", "backfill", "beside", "tls")
# Until the broker's virtual machine has compiled what it uses: before that its answers take twice as long.
WARM_SECONDS = 60


def drain(title: str, rows: int, batch: int, runs: int, servers: tuple[Postgres, Kafka]) -> None:
    """Both readers on the same backlog, in turn; each run has slots of its own at the backlog's start."""
    postgres, kafka = servers
    empty(postgres)
    short = title.replace(" ", "")
    benches = [Bench(f"{short}{number}", postgres, kafka) for number in range(WARM_RUNS_MAX + runs)]
    for number in range(runs):
        slot(postgres, f"bare_{short}{number}")
    end = fill(postgres, rows, batch)
    warm_up(kafka, benches[runs:], rows // batch)
    ratios, rates, costs, peaks, firsts = [], [], [], [], []
    for number, bench in enumerate(benches[:runs]):
        # Who comes second finds the log in memory: each is second as often as the other.
        bare = 0.0
        if number % 2 == 0:
            bare = recvlogical(postgres, f"bare_{short}{number}", "bench", end)
        brokers = cpu_seconds(kafka.pid())
        with bench.running() as begin:
            bench.wait(1, every=0.01)
            firsts.append(time.monotonic() - begin)
            bench.wait(rows // batch)
            ours = time.monotonic() - begin
            costs.append(bench.cpu_seconds() / rows * 1e6)
            peaks.append(bench.peak_mib())
            brokers = cpu_seconds(kafka.pid()) - brokers
        if number % 2 == 1:
            bare = recvlogical(postgres, f"bare_{short}{number}", "bench", end)
        ratios.append(bare / ours)
        rates.append(rows / ours)
        print(
            f"  {title:8} run {number + 1}: {rows / bare:9,.0f} rows/s pg_recvlogical, {rows / ours:9,.0f} rows/s "
            f"walbridge, ratio {bare / ours:.2f}, {costs[-1]:.2f} us CPU a row ({brokers / rows * 1e6:.2f} the broker's), "
            f"peak {peaks[-1]:.0f} MiB",
            flush=True,
        )
    print(
        f"{title:8} ratio median {statistics.median(ratios):.2f} best {max(ratios):.2f} · median "
        f"{statistics.median(rates):,.0f} rows/s, {statistics.median(costs):.2f} us CPU a row, peak "
        f"{max(peaks):.0f} MiB · first commit {statistics.median(firsts):.2f} s after start",
        flush=True,
    )


def latency(seconds: int, servers: tuple[Postgres, Kafka]) -> None:
    """1,000 transactions a second; writers and reader are processes of their own, so that none waits for another.

    All rows that were committed are counted, and each from its statement's clock: the server's own flush is included.
    """
    postgres, kafka = servers
    empty(postgres)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE IF NOT EXISTS ids CACHE 100")
        bench = Bench("latency", postgres, kafka)
        with bench.running():
            bench.wait_streaming()
            reader = Reader(kafka, "latency.orders")
            with writing(postgres, 1_000, WARM_SECONDS + seconds) as writers:
                time.sleep(WARM_SECONDS)
                warm, before = time.time(), bench.cpu_seconds()
                if writers.wait(seconds + LAST_SECONDS) != 0:
                    raise RuntimeError("pgbench failed: see target/dev/bench.log")
                cpu, resident = bench.cpu_seconds() - before, bench.resident_mib()
            seen = reader.seen(count_rows(postgres))
    times = sorted(at - written for written, at in seen if written >= warm)
    at = lambda share: times[int(len(times) * share)] * 1e3  # noqa: E731
    print(
        f"latency  p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, p99.9 {at(0.999):.1f} ms, longest {times[-1] * 1e3:.0f} "
        f"ms · {len(times) / seconds:,.0f} transactions/s · {cpu / seconds * 100:.0f} % of a core, "
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
        bench.forget_peak()
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
        if "backfill" in asked.parts:
            backfill(asked.rows, [1, 2, 4], servers)
        if "beside" in asked.parts:
            beside(asked.rows, asked.seconds, asked.runs, servers)
        # The last, since it lets both servers speak TLS from then on.
        if "tls" in asked.parts:
            tls(asked.rows, asked.runs, servers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
