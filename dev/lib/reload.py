"""Old rows of one large table are told while writers change it at full speed and servers die; then every row is compared."""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from confluent_kafka import Consumer, TopicPartition
from psycopg import OperationalError

import servers
from bridge import Bridge, Halted, check_program
from decoding import lsn
from fold import Copy
from reader import POSITION, consumer

TOPIC = "shop.accounts"
STALE_SECONDS_MAX = 12.0
"""`max_snapshot_seconds` of the config, and what a look at the server may take."""
DONE_SECONDS_MAX = 1_800
EARLY = 0.3
"""Share of the faults that come soon after a start, also before it reads: a start waits for two seconds."""
TABLE = """
CREATE SEQUENCE written;
CREATE TABLE account (id bigint PRIMARY KEY, nm text NOT NULL, bal numeric(12,2), version bigint NOT NULL, unmapped text)
"""
FILL = (
    "INSERT INTO account SELECT n, 'account ' || n, n * 0.01, nextval('written'), repeat('x', 40) FROM generate_series(1, %s) n"
)


@dataclass
class World:
    postgres: servers.Postgres
    kafka: servers.Kafka
    bridge: Bridge
    rows: int
    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    changes: int = 0
    oldest: float = 0.0
    looks: int = 0

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.postgres.url(), autocommit=True)


def write(world: World, number: int, seed: int) -> None:
    """Changes rows of its own share until it is told to stop; goes on after PostgreSQL died."""
    dice = random.Random(f"{seed} {number}")
    while not world.stop.is_set():
        try:
            with world.connect() as connection:
                while not world.stop.is_set():
                    with connection.transaction():
                        count = dice.choice([1, 1, 1, 5, 40])
                        for _ in range(count):
                            _change(connection, dice, number, world.rows)
                    world.changes += count
        except OperationalError:
            world.stop.wait(0.2)


def _change(connection: psycopg.Connection[Any], dice: random.Random, number: int, rows: int) -> None:
    # Each writer has every fourth row, so that none waits for another.
    one = dice.randrange(rows // 4) * 4 + number
    other = dice.randrange(rows // 4) * 4 + number + rows
    version = "nextval('written')"
    match dice.randrange(6):
        case 0:
            connection.execute(
                f"INSERT INTO account VALUES (%s, 'new', 1, {version}) ON CONFLICT DO NOTHING", [dice.choice([one, other])]
            )
        case 1:
            connection.execute("DELETE FROM account WHERE id = %s", [dice.choice([one, other])])
        case 2:
            # The key too: from what is read into what is not, and back.
            here, there = (one, other) if dice.random() < 0.5 else (other, one)
            connection.execute(
                f"UPDATE account SET id = %s, version = {version} WHERE id = %s AND NOT EXISTS (SELECT FROM account WHERE id = %s)",
                [there, here, there],
            )
        case 3:
            # Tells nothing.
            connection.execute("UPDATE account SET unmapped = 'y' WHERE id = %s", [one])
        case _:
            connection.execute(f"UPDATE account SET bal = bal + 1, version = {version} WHERE id = %s", [one])


def watch(world: World) -> None:
    """How long a transaction of the bridge was ever open."""
    question = (
        "SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0)::float FROM pg_stat_activity "
        "WHERE application_name = 'walbridge' AND backend_type = 'client backend'"
    )
    while not world.done.is_set():
        try:
            with world.connect() as connection:
                while not world.done.is_set():
                    row = connection.execute(question).fetchone()
                    world.oldest = max(world.oldest, row[0] if row else 0.0)
                    world.looks += 1
                    time.sleep(0.1)
        except OperationalError:
            time.sleep(0.2)


def position(reading: Consumer) -> dict[str, Any]:
    """The last stored position."""
    (_, end) = reading.get_watermark_offsets(TopicPartition(POSITION, 0), timeout=10, cached=False)
    found: dict[str, Any] = {}
    reading.assign([TopicPartition(POSITION, 0, max(0, end - 20))])
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for message in reading.consume(100, timeout=0.5):
            if message.error() is None:
                found = json.loads(message.value())
        if reading.position([TopicPartition(POSITION, 0)])[0].offset >= end:
            break
    return found


def reach(world: World, rows: int) -> None:
    """Waits until so many old rows are told."""
    deadline = time.monotonic() + DONE_SECONDS_MAX
    while world.bridge.told("Account") < rows:
        world.bridge.keep()
        if time.monotonic() > deadline:
            raise RuntimeError(f"{rows:,} old rows are not told after {DONE_SECONDS_MAX} s")
        time.sleep(0.02)


def hurt(world: World, kills: int, crashes: int, seed: int, reading: Consumer) -> int:
    """Kills the bridge and crashes PostgreSQL while old rows are told; gives how many rows were told by the last fault."""
    dice = random.Random(f"{seed} faults")
    faults = ["kill"] * kills + ["crash"] * crashes
    dice.shuffle(faults)
    told = 0
    for number, fault in enumerate(faults, 1):
        world.bridge.wait_ready()
        if dice.random() < EARLY:
            time.sleep(dice.uniform(0.0, 2.5))
        else:
            # As far on as there are faults before it, however fast it is.
            reach(world, world.rows * number // (len(faults) + 1))
            time.sleep(dice.uniform(0.0, 0.1))
        world.bridge.keep()
        if fault == "kill":
            world.bridge.kill()
            world.bridge.start()
        else:
            world.postgres.stop("immediate")
            world.postgres.start()
        account = position(reading)["backfill"]["entities"]["Account"]
        told = account["rows"]
        print(f"  {number}/{len(faults)} {fault}: {told:,} old rows, {world.changes:,} changes", flush=True)
        if account["standing"] == "complete":
            raise RuntimeError("all old rows were told before all faults happened: give it more rows, or fewer faults")
    return told


def finish(world: World, reading: Consumer) -> None:
    deadline = time.monotonic() + DONE_SECONDS_MAX
    while position(reading)["backfill"]["entities"]["Account"]["standing"] != "complete":
        world.bridge.keep()
        if time.monotonic() > deadline:
            raise RuntimeError(f"old rows are not told after {DONE_SECONDS_MAX} s")
        time.sleep(1)
    world.stop.set()


def drain(world: World, reading: Consumer) -> None:
    with world.connect() as connection:
        row = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    end = lsn(row[0]) if row else 0
    deadline = time.monotonic() + DONE_SECONDS_MAX
    while lsn(position(reading)["commit_end_lsn"]) < end:
        world.bridge.keep()
        if time.monotonic() > deadline:
            raise RuntimeError("the last changes are not told")
        time.sleep(0.5)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev/reload", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000, metavar="N", help="old rows")
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="SIGKILLs of the bridge")
    parser.add_argument("--crashes", type=int, default=5, metavar="N", help="crashes of PostgreSQL")
    parser.add_argument("--seed", type=int, default=None, metavar="S")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}")
    check_program()
    with servers.both() as (postgres, kafka):
        bridge = Bridge(postgres.url(), kafka.address(), "a", "reload.toml-template")
        world = World(postgres, kafka, bridge, options.rows)
        with world.connect() as connection:
            connection.execute(TABLE)
            connection.execute(FILL, [options.rows])
        bridge.setup(postgres.url())
        threads = [threading.Thread(target=write, args=(world, number, seed), daemon=True) for number in range(4)]
        threads.append(threading.Thread(target=watch, args=(world,), daemon=True))
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        reading = consumer(kafka.address())
        try:
            bridge.start()
            bridge.wait_ready()
            hurt(world, options.kills, options.crashes, seed, reading)
            finish(world, reading)
            told = time.monotonic() - begun
            for thread in threads[:4]:
                thread.join()
            drain(world, reading)
            bridge.stop()
        finally:
            world.stop.set()
            world.done.set()
            bridge.kill()
        copy = Copy(kafka.address(), TOPIC)
        with world.connect() as connection:
            differing = copy.differing(connection, "SELECT id::text, nm, bal::text, version FROM account")
    wrong = copy.deviations | {"differing rows": differing, "transactions held too long": int(world.oldest > STALE_SECONDS_MAX)}
    shown = [
        ("old rows in the table", f"{options.rows:,}"), ("old rows told", f"{copy.old:,}"), ("row changes", f"{world.changes:,}"),
        ("records seen", f"{copy.records:,}"), ("keys in the copy", f"{len(copy.held):,}"), ("all told after", f"{told:.0f} s"),
        *((name, f"{count:,}") for name, count in wrong.items()),
        ("longest transaction of ours", f"{world.oldest:.1f} s"), ("looks at it", f"{world.looks:,}"),
        ("fault: kills", f"{options.kills}"), ("fault: crashes of PostgreSQL", f"{options.crashes}"), ("seed", f"{seed}"),
    ]  # fmt: skip
    print("\n".join(f"  {name:<30}{value:>14}" for name, value in shown))
    if any(wrong.values()) or copy.old == 0:
        return 1
    print("\nthe copy equals the table")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, Halted, OperationalError) as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
