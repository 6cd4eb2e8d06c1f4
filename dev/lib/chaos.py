"""Faults in a random order from a seed, on a shop under load; then every record is compared."""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import harness
from bridge import Halted, tail
from gate import ANSWERED, ASKED, PASSED, SENT
from judge import KINDS, table
from psycopg import OperationalError

ORDERLY_SECONDS_MAX = 30
ROWS_MAX = 1_000
# What each fault takes with the pause before it, to spread the changes over the whole run.
SECONDS = {"kill": 3.0, "moment": 3.5, "broker": 9.0, "immediate": 5.0, "orderly": 6.0, "second": 6.0, "freeze": 38.0,
           "takeover": 75.0}  # fmt: skip
MOMENT_SECONDS_MAX = 30
# Both servers give a bridge up of which they hear nothing for 60 s.
FROZEN_SECONDS = 70
WHOLE = (ASKED, SENT, PASSED, ANSWERED)
# Server, request, stages; the first three requests are those of a start.
STARTING = [
    ("PostgreSQL", "START_REPLICATION", WHOLE), ("Kafka", "Fetch", (ASKED, ANSWERED)), ("Kafka", "InitProducerId", WHOLE),
]  # fmt: skip
STREAMING = [
    ("Kafka", "AddPartitionsToTxn", WHOLE), ("Kafka", "Produce", WHOLE), ("Kafka", "EndTxn", WHOLE),
    ("PostgreSQL", "Standby status update", (ASKED, SENT)),
]  # fmt: skip
MOMENTS = [(server, request, stage) for server, request, stages in STARTING + STREAMING for stage in stages]


class Chaos:
    def __init__(self, run: harness.Run, seed: int) -> None:
        self.run = run
        self.random = random.Random(seed)
        self.orderly_seconds: list[float] = []
        self.faults: dict[str, Callable[[], None]] = {
            "kill": self.kill, "broker": self.broker, "immediate": self.immediate,
            "orderly": self.orderly, "second": self.second, "freeze": self.freeze,
            "takeover": self.takeover,
            **{_name(moment): partial(self.moment, *moment) for moment in MOMENTS},
        }  # fmt: skip

    def kill(self) -> None:
        """Often ready before the next one, sometimes killed while it starts."""
        self.run.kill_bridge()
        if self.random.random() < 0.7:
            self.run.bridge.wait_ready()

    def moment(self, server: str, request: str, stage: str) -> None:
        """Killed just then."""
        run, gate = self.run, self.run.gates[server]
        gate.arm(request, stage, run.bridge.strike)
        if any(request == one for _, one, _ in STARTING):
            run.kill_bridge()
        if not gate.struck.wait(MOMENT_SECONDS_MAX):
            run.watch()
            raise RuntimeError(f"{request} was never {stage}\n{tail(run.bridge.log)}")
        self.kill()

    def broker(self) -> None:
        self.run.kafka.stop(self.random.choice([signal.SIGKILL, signal.SIGTERM]))
        self.run.sleep(self.random.uniform(0, 4))
        self.run.kafka.start()
        self.run.wait_moving()

    def immediate(self) -> None:
        self.run.postgres.stop("immediate")
        self.run.sleep(self.random.uniform(0, 2))
        self.run.postgres.start()
        self.run.wait_moving()

    def orderly(self) -> None:
        """The bridge must not stand in the way of a shutdown."""
        seconds = self.run.postgres.stop("fast")
        self.orderly_seconds.append(seconds)
        if seconds > ORDERLY_SECONDS_MAX:
            raise RuntimeError(f"an orderly stop of PostgreSQL took {seconds:.0f} s")
        self.run.sleep(self.random.uniform(0, 2))
        self.run.postgres.start()
        self.run.wait_moving()

    def second(self) -> None:
        """It waits, ready, while the first goes on; then it is stopped, or takes over from a first one that is killed."""
        run = self.run
        # The first holds the slot; else the second would be the first.
        run.wait_moving()
        first = run.bridge.process
        run.spare.start()
        run.spare.wait_ready()
        run.sleep(self.random.uniform(0.5, 3))
        if run.bridge.process is not first or not run.bridge.alive():
            raise Halted(f"a second instance ended the first\n{tail(run.bridge.log)}")
        if self.random.random() < 0.5:
            run.spare.stop()
            return
        run.bridge.kill()
        run.bridge, run.spare = run.spare, run.bridge
        run.wait_moving()

    def freeze(self) -> None:
        """As a machine that pauses: for a moment, or until both servers have given the bridge up."""
        self.run.wait_moving()
        with self.frozen():
            self.run.sleep(self.random.choice([self.random.uniform(0.5, 5), FROZEN_SECONDS]))
        self.run.wait_moving()

    def takeover(self) -> None:
        """A second publishes while the first is frozen; back again, the first finds that it is not the one any more."""
        run = self.run
        run.wait_moving()
        with self.frozen():
            run.spare.start()
            self.taken_over()
        run.bridge, run.spare = run.spare, run.bridge
        run.sleep(self.random.uniform(1, 5))
        run.spare.is_overtaken()
        run.spare.kill()
        run.wait_moving()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        process = self.run.bridge.process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def taken_over(self) -> None:
        """Until the second publishes."""
        run, begin = self.run, time.monotonic()
        # What the first had sent is read by then.
        run.sleep(2)
        before = run.reader.position()
        while run.reader.position() == before:
            if time.monotonic() - begin > 2 * FROZEN_SECONDS:
                raise RuntimeError(f"nobody took over from a frozen bridge\n{tail(run.spare.log)}")
            run.sleep(0.2)


def _name(moment: tuple[str, str, str]) -> str:
    _, request, stage = moment
    return f"kill, {request} {stage}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev/chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="SIGKILLs of the bridge")
    parser.add_argument("--moments", type=int, default=3, metavar="N", help=f"SIGKILLs at each of {len(MOMENTS)} named moments")
    parser.add_argument("--broker-restarts", type=int, default=5, metavar="N", help="SIGKILLs and SIGTERMs of Kafka")
    parser.add_argument("--pg-immediate", type=int, default=5, metavar="N", help="crashes of PostgreSQL")
    parser.add_argument("--pg-orderly", type=int, default=5, metavar="N", help="orderly stops of PostgreSQL")
    parser.add_argument("--second", type=int, default=10, metavar="N", help="second instances of the bridge")
    parser.add_argument("--freezes", type=int, default=4, metavar="N", help="SIGSTOPs of the bridge, each other for over a minute")
    parser.add_argument("--takeovers", type=int, default=2, metavar="N", help="second instances while the first is frozen")
    parser.add_argument("--changes", type=int, default=500_000, metavar="N", help="row changes, at least")
    parser.add_argument("--seed", type=int, default=None, metavar="S")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}")
    plan = {
        "kill": options.kills, "broker": options.broker_restarts, "immediate": options.pg_immediate,
        "orderly": options.pg_orderly, "second": options.second, "freeze": options.freezes, "takeover": options.takeovers,
    }  # fmt: skip
    plan |= {_name(moment): options.moments for moment in MOMENTS}
    faults = [name for name, count in plan.items() for _ in range(count)]
    random.Random(seed).shuffle(faults)
    seconds = max(10.0, sum(SECONDS.get(name, SECONDS["moment"]) for name in faults))
    print(f"{len(faults)} faults in about {max(1, round(seconds / 60))} min")
    with harness.run(harness.Way.GATED) as run:
        chaos = Chaos(run, seed)
        run.start(seed, options.changes / seconds, options.changes, ROWS_MAX)
        run.bridge.wait_ready()
        begin = time.monotonic()
        for number, name in enumerate(faults, 1):
            run.sleep(chaos.random.uniform(0.2, 2.5))
            chaos.faults[name]()
            print(f"  {time.monotonic() - begin:6.1f} s  {number}/{len(faults)} {name}: "
                  f"{run.log.changes:,} changes, {len(run.reader.records):,} records")  # fmt: skip
        while run.log.changes < options.changes:
            run.sleep(0.2)
        run.stop_writers()
        drained = run.drain()
        verdict = run.verdict()
        restarts = run.bridge.restarts + run.spare.restarts
    random_faults = [name for name in plan if name in SECONDS]
    extra = [(f"fault: {name}", f"{plan[name]:,}") for name in random_faults]
    extra += [(f"fault: {len(MOMENTS)} named kills", f"{options.moments:,}")]
    extra += [("orderly stop, longest", f"{max(chaos.orderly_seconds, default=0):.1f} s"), ("asked to be restarted", f"{restarts:,}"),
              ("lag gone after", f"{drained:.1f} s"), ("samples of the slot", f"{len(run.witness.samples):,}"),
              ("looks after a kill", f"{len(run.witness.cuts):,}"), ("seed", f"{seed}")]  # fmt: skip
    print(table(verdict, extra))
    if verdict.seen == 0 or any(verdict.deviations[kind] for kind in KINDS):
        print("\ndeviations:", *verdict.examples, sep="\n  ")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, Halted, OperationalError) as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
