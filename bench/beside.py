"""What a telling of old rows costs others: the stream's delay and the writers' rate, with and without one, in turns."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import time
import urllib.request

import psycopg
from place import DEV, LAST_SECONDS, Bench, Reader, count_rows, empty, fill, writing
from servers import Kafka, Postgres

RATE = 1_000
WARM_SECONDS = 30


def ask(bench: Bench, action: str) -> None:
    body = json.dumps({"action": action, "entities": ["Order"]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{bench.http}/backfill", body, {"Authorization": "Bearer bench"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


def writers_rate(postgres: Postgres, seconds: int) -> float:
    """Transactions a second of writers that do not wait."""
    command = [
        str(postgres.bin / "pgbench"), "-n", "-f", str(DEV / "bench.sql"), "-c", "4", "-T", str(seconds), postgres.url(),
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


def delay(bench: Bench, postgres: Postgres, kafka: Kafka, seconds: int) -> float:
    """The 99th percentile of the time from statement to consumer, in milliseconds, at 1,000 transactions a second."""
    before, reader = count_rows(postgres), Reader(kafka, f"{bench.name}.orders")
    with writing(postgres, RATE, seconds) as writers:
        if writers.wait(seconds + LAST_SECONDS) != 0:
            raise RuntimeError("pgbench failed: see target/dev/bench.log")
    times = sorted(at - written for written, at in reader.seen(count_rows(postgres) - before))
    return times[int(len(times) * 0.99)] * 1e3


def beside(rows: int, seconds: int, runs: int, servers: tuple[Postgres, Kafka]) -> None:
    postgres, kafka = servers
    empty(postgres)
    fill(postgres, rows, 10_000)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE IF NOT EXISTS ids CACHE 100")
        connection.execute("SELECT setval('ids', %s)", (10 * rows,))
        connection.execute("VACUUM ANALYZE ord")
    bench = Bench("beside", postgres, kafka)
    token = DEV / "bench-token"
    token.write_text("bench")
    named = f'[http]\ntoken = {{ file = "{token}" }}\n'
    bench.config.write_text(bench.config.read_text().replace("[http]\n", named))
    delays: tuple[list[float], list[float]] = ([], [])
    rates: tuple[list[float], list[float]] = ([], [])
    with bench.running():
        bench.wait_streaming()
        with writing(postgres, RATE, WARM_SECONDS) as writers:
            writers.wait()
        for run in range(runs):
            for telling in (False, True):
                told = 0
                if telling:
                    ask(bench, "tell")
                    while bench.old_rows() == 0:
                        time.sleep(0.05)
                begin = time.monotonic()
                delays[telling].append(delay(bench, postgres, kafka, seconds))
                rates[telling].append(writers_rate(postgres, seconds))
                took = time.monotonic() - begin
                if telling:
                    told = bench.old_rows()
                    ask(bench, "cancel")
                print(
                    f"  beside   run {run + 1}, {'with' if telling else 'without'} old rows: p99 {delays[telling][-1]:.1f} ms, "
                    f"{rates[telling][-1]:,.0f} transactions/s" + (f", {told / took:,.0f} old rows/s" if telling else ""),
                    flush=True,
                )
    (alone, with_old), (rate, rate_with) = map(statistics.median, delays), map(statistics.median, rates)
    print(
        f"beside   p99 {alone:.1f} ms without, {with_old:.1f} ms with: {with_old / alone:.2f} times · "
        f"writers {rate:,.0f} transactions/s without, {rate_with:,.0f} with: {(rate_with / rate - 1) * 100:+.1f} %"
    )
