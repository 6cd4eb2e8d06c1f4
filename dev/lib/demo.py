"""The demo: a live shop, a bridge that is killed in the middle, and a count by someone else."""

from __future__ import annotations

import argparse
import sys
import time

import harness
from bridge import Halted
from judge import KINDS, table
from reader import Seen, shown

CHANGES_PER_SECOND = 250
ROWS_MAX = 200
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev/demo")
    parser.add_argument("--seconds", type=float, default=30, help="how long the shop is open (default: 30)")
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    options = parser.parse_args()
    with harness.run(harness.Way.DIRECT, Sample().show) as run:
        print(f"PostgreSQL {run.postgres.url('shop')}   Kafka {run.kafka.address()}   config {run.bridge.config.name}")
        run.start(int(time.time()), CHANGES_PER_SECOND, 0, ROWS_MAX)
        print(f"bridge ready after {run.bridge.wait_ready():.1f} s; events as they arrive:")
        run.sleep(options.seconds / 2)
        run.kill_bridge()
        print(f"bridge killed with SIGKILL and started again; ready after {run.bridge.wait_ready():.1f} s")
        run.sleep(options.seconds / 2)
        if options.keep:
            print(f"kept running: http://127.0.0.1:{run.bridge.http}/status; Ctrl-C stops everything and counts")
            try:
                run.sleep(float("inf"))
            except KeyboardInterrupt:
                print()
        run.stop_writers()
        drained = run.drain()
        verdict = run.verdict()
    print()
    print(table(verdict, [("drained after", f"{drained:.1f} s"), ("bridge killed", "1 time")]))
    if verdict.seen == 0 or any(verdict.deviations[kind] for kind in KINDS):
        print("\nnot exactly once:", *verdict.examples, sep="\n  ")
        return 1
    print("\nexactly once")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, Halted) as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
