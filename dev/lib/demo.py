"""The demo: a live shop, a bridge and a service that keeps a copy, all killed in the middle, and a count by someone else."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import harness
import orders
import past
import psycopg
from bridge import NAME, Halted
from compare import Comparison, compare
from judge import KINDS, table
from reader import Seen, shown

CHANGES_PER_SECOND = 250
ROWS_MAX = 200
OLD_ORDERS = 20_000
BAR_WIDTH = 20
LINES_PER_SECOND = 2.5


class Sample:
    """Shows a few records a second, and every kind about as often."""

    def __init__(self) -> None:
        self.next = 0.0
        self.shown: dict[tuple[str, str | None], int] = {}

    def show(self, record: Seen) -> None:
        kind = record.topic, record.type
        times = self.shown.setdefault(kind, 0)
        now = time.monotonic()
        if now >= self.next and times <= min(self.shown.values()) + 1:
            self.next = now + 1 / LINES_PER_SECOND
            self.shown[kind] += 1
            print(shown(record))


class OldRows:
    """Shows how far the bridge has told the rows that were there before it, as its /status says."""

    def __init__(self, run: harness.Run) -> None:
        self.run = run
        self.shown: dict[str, str] = {}

    def sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.run.sleep(min(1.0, left))
            for one in self._told():
                line = self._line(one)
                if line is not None and self.shown.get(one["entity"]) != line:
                    self.shown[one["entity"]] = line
                    print(line)

    def _told(self) -> list[dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.run.bridge.http}/status", timeout=2) as answer:
                told: list[dict[str, Any]] = json.load(answer)["backfill"]
                return told
        except OSError:
            return []

    @staticmethod
    def _line(one: dict[str, Any]) -> str | None:
        if one["state"] == "complete":
            return f"old rows of {one['entity']}: all {one['rows']:,} are told"
        if one["state"] != "telling" or one["rows"] == 0:
            return None
        estimate = one["rows_estimate"] or one["rows"]
        full = min(BAR_WIDTH, BAR_WIDTH * one["rows"] // estimate)
        line = f"old rows of {one['entity']}: [{'#' * full}{'-' * (BAR_WIDTH - full)}] {one['rows']:,} of about {estimate:,}"
        if one["rows_per_second"]:
            line += f", {one['rows_per_second']:,}/s"
        if one["seconds_left"] is not None:
            line += f", about {one['seconds_left']} s left"
        return line


def kill_all(run: harness.Run, service: orders.Orders, sleep: Callable[[float], None], seconds: float) -> None:
    """Bridge, service and broker, each by SIGKILL, with a part of the seconds before each."""
    sleep(seconds / 2)
    run.kill_bridge()
    print(f"bridge killed with SIGKILL and started again; it publishes after {run.wait_moving():.1f} s")
    sleep(seconds / 4)
    service.kill()
    killed = time.time()
    service.start()
    print(f"service killed with SIGKILL and started again; its copy is fresh after {service.wait_fresh(killed):.1f} s")
    sleep(seconds / 4)
    killed = time.monotonic()
    run.kafka.stop(signal.SIGKILL)
    run.kafka.start()
    away = time.monotonic() - killed
    publishing = run.wait_moving()
    behind = service.wait_fresh(time.time())
    print(f"Kafka killed with SIGKILL and started again, which took it {away:.1f} s; the bridge publishes after {publishing:.1f} s, "
          f"the service's copy is fresh {behind:.1f} s later")  # fmt: skip


def copied(run: harness.Run, service: orders.Orders) -> Comparison:
    """With the writers at rest, and the copy as fresh as that."""
    service.wait_ready()
    service.wait_fresh(time.time())
    with psycopg.connect(run.postgres.url(NAME), autocommit=True) as connection:
        tables = past.states(connection)
    return compare(service, tables, (one for one in run.log.transactions if one.end > run.begin))


def open_shop(run: harness.Run, service: orders.Orders, options: argparse.Namespace) -> None:
    old = OldRows(run)
    print(f"PostgreSQL {run.postgres.url(NAME)}   Kafka {run.kafka.address()}   config {run.bridge.config.name}")
    run.start(int(time.time()), CHANGES_PER_SECOND, 0, ROWS_MAX)
    print(f"bridge ready after {run.bridge.wait_ready():.1f} s; {OLD_ORDERS:,} old orders, and events as they arrive:")
    old.sleep(options.seconds / 4)
    kill_all(run, service, old.sleep, options.seconds / 2)
    old.sleep(options.seconds / 4)
    if options.keep:
        print(f"kept running: service {service.url()}   bridge http://127.0.0.1:{run.bridge.http}/status")
        print("Ctrl-C stops everything, counts and compares")
        try:
            run.sleep(float("inf"))
        except KeyboardInterrupt:
            print()


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev/demo")
    parser.add_argument("--seconds", type=float, default=30, help="how long the shop is open (default: 30)")
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    options = parser.parse_args()
    with harness.run(harness.Way.DIRECT, Sample().show, OLD_ORDERS) as run, orders.serve(run.postgres, run.kafka) as service:
        open_shop(run, service, options)
        run.stop_writers()
        drained = run.drain()
        comparison = copied(run, service)
        service.stop()
        verdict = run.verdict()
    print()
    print(table(verdict, [("drained after", f"{drained:.1f} s"), ("bridge killed", "1 time"), ("service killed", "1 time"), ("Kafka killed", "1 time")]))
    print(copy_table(comparison))
    wrong = [*verdict.examples, *comparison.examples]
    if verdict.seen == 0 or not all(comparison.rows.values()):
        wrong.append("nothing was seen, or nothing compared")
    if wrong or comparison.differing or any(verdict.deviations[kind] for kind in KINDS):
        print("\nnot exactly once:", *wrong, sep="\n  ")
        return 1
    print("\nexactly once, and the service's copy equals the source")
    return 0


def copy_table(comparison: Comparison) -> str:
    rows = [(f"{name} compared", f"{count:,}", "") for name, count in comparison.rows.items()]
    rows.append(("rows that differ", f"{comparison.differing:,}", "legacy tables and the service's copy, through its API"))
    return "\n".join(f"  {name:<24}{value:>14}  {remark}".rstrip() for name, value, remark in rows)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, Halted) as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
