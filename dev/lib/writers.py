"""The legacy application: sessions that insert, change, rename, soft-delete, roll back and crash in the middle."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable

import psycopg

from past import Keys

Connection = psycopg.Connection
FIELDS = "ord_no, ord_typ, cust_id, sts_cd, tot_ct, cur, exp_fl, due_dt, crt_ts, rmk"


class Pace:
    """At most so many row changes a second over all sessions, and a count of those that were committed."""

    def __init__(self, per_second: float, changes_max: int) -> None:
        self.per_second = per_second
        self.changes_max = changes_max
        self.changes = 0
        self._lock = threading.Lock()
        self._next = time.monotonic()

    def take(self, changes: int) -> float:
        """Counts them and gives the pause that keeps the pace."""
        with self._lock:
            self.changes += changes
            now = time.monotonic()
            # A server that was down is caught up with for 2 s of work at most.
            self._next = max(self._next, now - 2) + changes / self.per_second
            return max(0.0, self._next - now)

    def spent(self) -> bool:
        return self.changes >= self.changes_max


class Writer(threading.Thread):
    """One session. Its keys are its own but for ten hot ones that all sessions fight for."""

    def __init__(self, url: str, number: int, seed: int, pace: Pace, rows_max: int, old: Keys) -> None:
        super().__init__(daemon=True)
        self.url, self.number, self.pace, self.rows_max = url, number, pace, rows_max
        self.random = random.Random(f"{seed}/{number}")
        self.orders, self.customers = list(old.orders), list(old.customers)
        self.serial = 0
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        choices: list[tuple[int, Callable[[Connection], int]]] = [
            (18, self.insert), (22, self.status), (10, self.amount), (5, self.unpublished), (6, self.rename),
            (6, self.hide), (4, self.delete), (6, self.convert), (10, self.customer), (3, self.rename_customer),
            (2, self.delete_customer), (4, self.hot), (4, self.many), (3, self.savepoint), (2, self.note), (3, self.noise),
        ]  # fmt: skip
        self.weights = [weight for weight, _ in choices]
        self.actions = [action for _, action in choices]

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
                    self.work(connection)
            except psycopg.OperationalError:
                self.stop.wait(0.2)
            except BaseException as failure:  # told to whoever waits for the writers
                self.failure = failure
                return

    def work(self, connection: Connection) -> None:
        for (name,) in connection.execute(
            "select gid from pg_prepared_xacts where gid like %s", [f"w{self.number}-%"]
        ).fetchall():
            connection.execute(f"ROLLBACK PREPARED '{name}'")
        while not self.stop.is_set():
            changes = 0
            with contextlib.suppress(psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation):
                changes = self.transaction(connection)
            self.stop.wait(self.pace.take(changes))

    def transaction(self, connection: Connection) -> int:
        """1 to 4 actions; 15 of 100 are rolled back, 4 go through two phases."""
        fate = self.random.random()
        orders, customers = list(self.orders), list(self.customers)
        committed = False
        try:
            connection.execute("BEGIN")
            changes = sum(
                action(connection)
                for action in self.random.choices(self.actions, self.weights, k=self.random.randint(1, 4))
            )
            if fate < 0.15:
                connection.execute("ROLLBACK")
                return 0
            if fate < 0.19:
                self.serial += 1
                name = f"w{self.number}-{self.serial}"
                connection.execute(f"PREPARE TRANSACTION '{name}'")
                committed = self.random.random() < 0.7
                connection.execute(f"{'COMMIT' if committed else 'ROLLBACK'} PREPARED '{name}'")
                return changes if committed else 0
            connection.execute("COMMIT")
            committed = True
            return changes
        finally:
            if not committed:
                self.orders, self.customers = orders, customers
                if not connection.closed:
                    with contextlib.suppress(psycopg.Error):
                        connection.execute("ROLLBACK")

    def _number(self) -> str:
        self.serial += 1
        return f"{self.random.choice('ABC')}-{self.number}-{self.serial}"

    def _some(self) -> str | None:
        return self.random.choice(self.orders) if self.orders else None

    def _buyer(self) -> int:
        """Mostly a customer who is there; nothing in the database asks for that."""
        known = self.customers and self.random.random() < 0.9
        return self.random.choice(self.customers) if known else self.random.randint(1, 999)

    def insert(self, connection: Connection) -> int:
        number, chance = self._number(), self.random
        note = chance.choice([None, "", "it's urgent", "Größe \U0001f4e6, \"blue\"", "a\\b\tc\nd", " new-tuple: x[text]:'y'"])
        connection.execute(
            f"INSERT INTO ord_hdr ({FIELDS}) VALUES (%s,%s,%s,%s,%s,%s,%s,%s,localtimestamp - %s * interval '1 hour',%s)",
            [number, chance.choice("SSSSQQI"), self._buyer(), chance.choice("NNNNP"),
             chance.choice([0, 5, 1999, chance.randint(1, 10**7), chance.randint(1, 10**15)]), chance.choice(["EUR", "CHF"]),
             chance.choice(["Y", "N", None]), chance.choice([0, 99991231, 20270115, 20281231]), chance.randint(0, 9000), note],
        )  # fmt: skip
        self.orders.append(number)
        return 1

    def _update(self, connection: Connection, change: str) -> int:
        number = self._some()
        return 0 if number is None else connection.execute(f"UPDATE ord_hdr SET {change} WHERE ord_no = %s", [number]).rowcount

    def status(self, connection: Connection) -> int:
        return self._update(connection, f"sts_cd = '{self.random.choice('PPSSXN')}'")

    def amount(self, connection: Connection) -> int:
        return self._update(connection, f"tot_ct = tot_ct + {self.random.randint(-500, 5000)}")

    def unpublished(self, connection: Connection) -> int:
        return self._update(connection, f"upd_usr = 'u{self.random.randint(1, 99)}'")

    def hide(self, connection: Connection) -> int:
        return self._update(connection, "del_flg = CASE del_flg WHEN 'N' THEN 'Y' ELSE 'N' END")

    def convert(self, connection: Connection) -> int:
        return self._update(connection, f"ord_typ = '{self.random.choice('SSQI')}'")

    def note(self, connection: Connection) -> int:
        """Stored out of line: later changes of other columns do not send it again."""
        return self._update(connection, f"rmk = repeat('{self.random.randint(100, 999)} ', {self.random.randint(600, 4000)})")

    def rename(self, connection: Connection) -> int:
        old = self._some()
        if old is None:
            return 0
        new = self._number()
        self.orders[self.orders.index(old)] = new
        return connection.execute("UPDATE ord_hdr SET ord_no = %s WHERE ord_no = %s", [new, old]).rowcount

    def delete(self, connection: Connection) -> int:
        number = self._some()
        if number is None:
            return 0
        self.orders.remove(number)
        return connection.execute("DELETE FROM ord_hdr WHERE ord_no = %s", [number]).rowcount

    def customer(self, connection: Connection) -> int:
        if self.customers and self.random.random() < 0.6:
            number = self.random.choice(self.customers)
            return connection.execute("UPDATE cust SET chg_no = chg_no + 1 WHERE cust_id = %s", [number]).rowcount
        self.serial += 1
        number = self.number * 100_000_000 + self.serial
        connection.execute(
            "INSERT INTO cust VALUES (%s, %s, %s)", [number, f"Zoë {self.serial}", self.random.choice(["DE", "AUT", "", None])]
        )
        self.customers.append(number)
        return 1

    def rename_customer(self, connection: Connection) -> int:
        if not self.customers:
            return 0
        at = self.random.randrange(len(self.customers))
        self.serial += 1
        old, new = self.customers[at], self.number * 100_000_000 + self.serial
        self.customers[at] = new
        return connection.execute("UPDATE cust SET cust_id = %s WHERE cust_id = %s", [new, old]).rowcount

    def delete_customer(self, connection: Connection) -> int:
        if not self.customers:
            return 0
        number = self.customers.pop(self.random.randrange(len(self.customers)))
        return connection.execute("DELETE FROM cust WHERE cust_id = %s", [number]).rowcount

    def hot(self, connection: Connection) -> int:
        return connection.execute(
            f"INSERT INTO ord_hdr ({FIELDS}) VALUES (%s,'S',1,'N',1,'EUR','N',0,localtimestamp,null) "
            "ON CONFLICT (ord_no) DO UPDATE SET tot_ct = ord_hdr.tot_ct + 1",
            [f"HOT-{self.random.randrange(10)}"],
        ).rowcount

    def many(self, connection: Connection) -> int:
        """From 2 rows to `rows_max`, small ones more often; then one change of all of them."""
        self.serial += 1
        rows = max(2, int(self.rows_max ** self.random.random()))
        prefix = f"M-{self.number}-{self.serial}-"
        changes = connection.execute(
            f"INSERT INTO ord_hdr ({FIELDS}) SELECT %s || n, CASE WHEN n %% 5 = 0 THEN 'Q' ELSE 'S' END, n, 'N', n * 7, 'EUR', "
            "'N', 0, localtimestamp, null FROM generate_series(1, %s) n",
            [prefix, rows],
        ).rowcount
        if self.random.random() < 0.5:
            changes += connection.execute(
                "UPDATE ord_hdr SET sts_cd = 'P' WHERE ord_no = ANY(SELECT %s || n FROM generate_series(1, %s) n)", [prefix, rows]
            ).rowcount
        return changes

    def savepoint(self, connection: Connection) -> int:
        before = list(self.orders)
        connection.execute("SAVEPOINT s")
        self.insert(connection)
        self.amount(connection)
        connection.execute("ROLLBACK TO SAVEPOINT s")
        self.orders = before
        return self.insert(connection)

    def noise(self, connection: Connection) -> int:
        """A table that nobody mapped."""
        connection.execute("INSERT INTO sys_log (msg) SELECT 'tick' FROM generate_series(1, 20)")
        return 0
