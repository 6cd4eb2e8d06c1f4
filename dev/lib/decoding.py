"""What was committed, told by PostgreSQL's own `test_decoding`: text rows of a slot → transactions, in commit order."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

Row = dict[str, str | None]
SLOT = "counter"
CHANGES_PER_PEEK = 20_000

_TABLE = re.compile(r"table ([^ ]+): (INSERT|UPDATE|DELETE): (.*)", re.DOTALL)
_COLUMN = re.compile(r"(\w+)\[[^\]]*\]:('(?:[^']|'')*'|unchanged-toast-datum|[^ ]+)")
_COMMIT = re.compile(r"COMMIT (\d+) \(at (.*)\)")


@dataclass(slots=True)
class Change:
    """One row change; `old` is None where the server did not log it, `new` is None for a DELETE."""

    table: str
    kind: str
    old: Row | None
    new: Row | None


@dataclass(slots=True)
class Transaction:
    xid: int
    end: int = 0
    """LSN of the commit record's end."""
    time: datetime = datetime.min
    changes: list[Change] = field(default_factory=list)


def lsn(text: str) -> int:
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def _row(text: str) -> Row:
    row: Row = {}
    for name, value in _COLUMN.findall(text):
        if value.startswith("'"):
            row[name] = value[1:-1].replace("''", "'")
        elif value != "unchanged-toast-datum":
            row[name] = None if value == "null" else value
    return row


def change(text: str) -> Change:
    found = _TABLE.fullmatch(text)
    if found is None:
        raise ValueError("cannot read a row of test_decoding")
    table, kind, columns = found.groups()
    if kind == "INSERT":
        return Change(table, kind, None, _row(columns))
    if kind == "DELETE":
        return Change(table, kind, _row(columns), None)
    if not columns.startswith("old-key: "):
        return Change(table, kind, None, _row(columns))
    # A value may itself hold the words " new-tuple: ": take the place that is outside of quotes.
    begin = len("old-key: ")
    at = columns.index(" new-tuple: ", begin)
    while columns.count("'", begin, at) % 2:
        at = columns.index(" new-tuple: ", at + 1)
    old, new = _row(columns[begin:at]), _row(columns[at + len(" new-tuple: ") :])
    # An unchanged out-of-line value stands in the old row only.
    return Change(table, kind, old, {**{name: value for name, value in old.items() if name not in new}, **new})


class Log:
    """Keeps reading the slot in a thread, through restarts of the server, and holds every transaction."""

    def __init__(self, url: str, tables: set[str]) -> None:
        self.url = url
        self.tables = tables
        self.transactions: list[Transaction] = []
        self.changes = 0
        self.failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def create(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("select pg_create_logical_replication_slot(%s, 'test_decoding')", [SLOT])

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
                    while not self._stop.is_set():
                        if not self.read(connection):
                            self._stop.wait(0.5)
            except psycopg.OperationalError:
                self._stop.wait(0.2)
            except BaseException as failure:  # told to whoever asks for the count
                self.failure = failure
                return

    def read(self, connection: psycopg.Connection) -> bool:
        """Looks first and takes after, so that a crash in between reads again and loses nothing. What is taken is decoded
        a second time (`pg_replication_slot_advance` would not), and must be what was looked at."""
        rows = connection.execute(
            "select lsn::text, xid::text, data from pg_logical_slot_peek_changes(%s, null, %s, 'include-timestamp', '1')",
            [SLOT, CHANGES_PER_PEEK],
        ).fetchall()
        if not rows:
            return False
        self.take(rows)
        again = connection.execute(
            "select lsn::text, xid::text, data from pg_logical_slot_get_changes(%s, %s::pg_lsn, null, 'include-timestamp', '1')",
            [SLOT, rows[-1][0]],
        ).fetchall()
        if again != rows:
            raise RuntimeError(f"test_decoding told {len(rows)} rows up to {rows[-1][0]}, and {len(again)} the second time")
        return True

    def take(self, rows: Iterable[tuple[str, str, str]]) -> None:
        known = self.transactions[-1].end if self.transactions else 0
        current = Transaction(0)
        for place, xid, data in rows:
            if data.startswith("table "):
                if data[6 : data.index(":")] in self.tables:
                    current.changes.append(change(data))
            elif data.startswith("BEGIN"):
                current = Transaction(int(xid))
            elif found := _COMMIT.fullmatch(data):
                current.end, current.time = lsn(place), datetime.fromisoformat(found[2])
                if current.end > known:
                    self.transactions.append(current)
                    self.changes += len(current.changes)
            else:
                raise ValueError("cannot read a row of test_decoding")

    def finish(self) -> list[Transaction]:
        """Reads what is left; the writers have stopped."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.failure is not None:
            raise self.failure
        with psycopg.connect(self.url, autocommit=True) as connection:
            while self.read(connection):
                pass
        return self.transactions
