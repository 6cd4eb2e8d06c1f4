"""Compares what was committed with what was seen, record by record, and counts every kind of deviation."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC
from functools import lru_cache

import past
from decoding import Transaction
from marks import Mark, wrong
from reader import POSITION, Seen
from shop import STATE_TOPICS, Expected, records
from witness import Cut, early, newest

EXAMPLES_MAX = 12


@dataclass
class Verdict:
    transactions: int = 0
    changes: int = 0
    expected: int = 0
    seen: int = 0
    seen_state: int = 0
    seen_tombstones: int = 0
    deviations: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    old_rows: int = 0

    def note(self, kind: str, what: str, count: int = 1) -> None:
        self.deviations[kind] += count
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(f"{kind}: {what}")

    def percentile(self, share: float) -> float:
        return self.latencies_ms[int(share * (len(self.latencies_ms) - 1))] if self.latencies_ms else float("nan")


@lru_cache(1 << 16)
def murmur2(key: bytes) -> int:
    """As Kafka's Java client computes it, sign bit cleared."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(key)
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if rest := key[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


def _commit_lsn(id: str) -> tuple[int, int]:
    """Commit LSN and rank of `0001-000000016B374800-00000003-01`."""
    epoch, place, rank, part = id.split("-")
    if (len(epoch), len(place), len(rank), len(part)) != (4, 16, 8, 2) or id != id.upper():
        raise ValueError("cannot read an id")
    return int(place, 16), int(rank, 16)


Signature = tuple[str | None, str | None]


def _touched(transaction: Transaction) -> set[tuple[str, str]]:
    return {(one.topic, one.key) for at, change in enumerate(transaction.changes) for one in records(change, at)}


class Judge:
    """`begin` is where the bridge's slot begins: nothing that ended before it is its business."""

    def __init__(self, history: list[Transaction], begin: int, partitions: dict[str, int], before: past.States) -> None:
        self.history = [transaction for transaction in history if transaction.end > begin]
        self.ends = [transaction.end for transaction in self.history]
        self.partitions = partitions
        self.before = before
        self.verdict = Verdict()

    def judge(
        self, seen: list[Seen], cuts: list[Cut], samples: list[tuple[int, int]], positions: list[tuple[int, int]]
    ) -> Verdict:
        self._rising(seen)
        self._old(sorted((record for record in seen if record.origin is not None), key=lambda record: record.id))
        self._copy(seen)
        by_transaction: dict[int, list[Seen]] = defaultdict(list)
        seen = [record for record in seen if record.origin is None]
        for record in sorted(seen, key=lambda record: (record.topic, record.partition, record.offset)):
            if (at := self._at(record)) is not None:
                by_transaction[at].append(record)
        for at, transaction in enumerate(self.history):
            self._transaction(transaction, by_transaction.get(at, []))
        self._cuts(cuts, by_transaction, positions)
        self._positions(positions)
        if found := early(samples, cuts, positions):
            self.verdict.note("acknowledged early", "confirmed_flush_lsn was beyond the stored position", found)
        verdict = self.verdict
        verdict.seen = len(seen)
        verdict.seen_tombstones = sum(record.type is None for record in seen)
        verdict.seen_state = sum(record.topic in STATE_TOPICS for record in seen) - verdict.seen_tombstones
        verdict.latencies_ms.sort()
        return verdict

    def marks(self, marks: list[Mark], seen: list[Seen]) -> None:
        partitions = {topic: count for topic, count in self.partitions.items() if topic in STATE_TOPICS}
        old = [(record.topic, record.partition, record.offset) for record in seen if record.origin is not None]
        for kind, what in wrong(marks, old, partitions):
            self.verdict.note(kind, what)

    def _old(self, old: list[Seen]) -> None:
        """Each once, in a state topic, and as its row was when all that stands before it was committed."""
        self.verdict.old_rows = len(old)
        known: set[tuple[str, str]] = set()
        after = dict(self.before)
        latest: past.States = {}
        passed = 0
        for record in old:
            place = record.topic, record.key
            if place in known:
                self.verdict.note("duplicated", f"the old row {record.key} on {record.topic}")
            known.add(place)
            if record.origin != "backfill" or record.topic not in STATE_TOPICS or record.xid is not None:
                self.verdict.note("malformed", f"{record.id}: no old row is told so")
            at = self._at(record)
            # It stands behind the commit that its id names; or, where that is none, before the next one.
            while at is not None and passed <= at:
                latest = {place: data for place in _touched(self.history[passed]) if (data := after.get(place)) is not None}
                past.apply(after, self.history[passed])
                passed += 1
            if record.data not in (after.get(place), latest.get(place)):
                self.verdict.note("unexpected", f"the old row {record.key} on {record.topic} is not as it was at {record.id}")

    def _copy(self, seen: list[Seen]) -> None:
        """In the end the state topics hold what the tables hold."""
        wanted, copy = dict(self.before), past.States()
        for transaction in self.history:
            past.apply(wanted, transaction)
        for record in sorted(seen, key=lambda record: (record.topic, record.partition, record.offset)):
            if record.topic in STATE_TOPICS and record.data is None:
                copy.pop((record.topic, record.key), None)
            elif record.topic in STATE_TOPICS and record.data is not None:
                copy[record.topic, record.key] = record.data
        for place in wanted.keys() | copy.keys():
            if copy.get(place) != wanted.get(place):
                kind = "unexpected" if place in copy else "missing"
                self.verdict.note(kind, f"in the copy of {place[0]}: key {place[1]}")

    def _at(self, record: Seen) -> int | None:
        """Commit records do not overlap: the id's LSN lies between the end of the commit before and this one's end."""
        try:
            place, _ = _commit_lsn(record.id)
        except ValueError:
            self.verdict.note("malformed", f"id {record.id}")
            return None
        at = bisect.bisect_right(self.ends, place)
        if at == len(self.ends):
            self.verdict.note("unexpected", f"{record.id} on {record.topic}: no such commit")
            return None
        return at

    def _rising(self, seen: list[Seen]) -> None:
        """Per partition every id is greater than all before it; the same id again is counted as a duplicate elsewhere."""
        last: dict[tuple[str, int], str] = {}
        known: set[tuple[str, str]] = set()
        for record in sorted(seen, key=lambda record: (record.topic, record.partition, record.offset)):
            place = record.topic, record.partition
            if record.id < last.get(place, "") and (record.topic, record.id) not in known:
                self.verdict.note("out of order", f"{record.id} after {last[place]} in {record.topic}/{record.partition}")
            last[place] = max(record.id, last.get(place, ""))
            known.add((record.topic, record.id))
            if record.fault is not None:
                self.verdict.note("malformed", f"{record.id} on {record.topic}: {record.fault}")
            if murmur2(record.key.encode()) % self.partitions[record.topic] != record.partition:
                self.verdict.note("wrong partition", f"{record.id} on {record.topic}/{record.partition}")

    def _transaction(self, transaction: Transaction, seen: list[Seen]) -> None:
        wanted = [record for index, change in enumerate(transaction.changes) for record in records(change, index)]
        self.verdict.transactions += bool(transaction.changes)
        self.verdict.changes += len(transaction.changes)
        self.verdict.expected += len(wanted)
        expected_by: dict[tuple[str, str], list[Expected]] = defaultdict(list)
        seen_by: dict[tuple[str, str], list[Seen]] = defaultdict(list)
        for expected in wanted:
            expected_by[expected.topic, expected.key].append(expected)
        for record in seen:
            seen_by[record.topic, record.key].append(record)
        ranks: list[tuple[int, int]] = []
        for place in expected_by.keys() | seen_by.keys():
            ranks += self._key(transaction, place, expected_by.get(place, []), seen_by.get(place, []))
        self._ranks(transaction, ranks)
        for record in seen:
            self._form(transaction, record)

    def _key(
        self, transaction: Transaction, place: tuple[str, str], wanted: list[Expected], seen: list[Seen]
    ) -> list[tuple[int, int]]:
        """One key in one transaction: the same records in the same order. Gives (rank, change) of each."""
        expected: list[Signature] = [(record.type, record.data) for record in wanted]
        got: list[Signature] = [(record.type, record.data) for record in seen]
        if expected == got:
            return [(_commit_lsn(record.id)[1], want.change) for want, record in zip(wanted, seen, strict=True)]
        where = f"{place[0]}, key {place[1]}, commit ending {transaction.end:X}"
        if missing := Counter(expected) - Counter(got):
            self.verdict.note("missing", f"{where}: {next(iter(missing))}", missing.total())
        surplus = Counter(got) - Counter(expected)
        for signature, count in surplus.items():
            self.verdict.note("duplicated" if signature in expected else "unexpected", f"{where}: {signature}", count)
        if not missing and not surplus:
            self.verdict.note("out of order", where)
        return []

    def _ranks(self, transaction: Transaction, ranks: list[tuple[int, int]]) -> None:
        """Ranks order records as the statements were: equal for one change, rising from change to change."""
        ranks.sort()
        for (rank, change), (next_rank, next_change) in zip(ranks, ranks[1:], strict=False):
            if next_change < change or (rank == next_rank) != (change == next_change):
                self.verdict.note("out of order", f"rank {next_rank:X} of the commit ending {transaction.end:X}")

    def _form(self, transaction: Transaction, record: Seen) -> None:
        if record.xid is not None and record.xid != str(transaction.xid):
            self.verdict.note("malformed", f"{record.id}: of another transaction than its id says")
        if abs((record.time - transaction.time.astimezone(UTC)).total_seconds()) > 1e-6:
            self.verdict.note("malformed", f"{record.id}: time is not the commit's")
        self.verdict.latencies_ms.append((record.arrival - transaction.time.timestamp()) * 1000)

    def _cuts(self, cuts: list[Cut], by_transaction: dict[int, list[Seen]], positions: list[tuple[int, int]]) -> None:
        """With no bridge alive every transaction is visible whole or not at all, and exactly up to the position."""
        if not cuts:
            return
        limits = {place: [cut.offsets[place] for cut in cuts] for place in cuts[0].offsets}
        stored = [newest(positions, cut.offsets[POSITION, 0]) for cut in cuts]
        for at, seen in by_transaction.items():
            # Of each record the first cut that shows it; of the transaction the first whose position is past it.
            first = {bisect.bisect_right(limits[record.topic, record.partition], record.offset) for record in seen}
            told = bisect.bisect_left(stored, self.ends[at])
            if len(first) > 1:
                self.verdict.note("torn", f"commit ending {self.ends[at]:X}: visible in part after a kill")
            elif first != {told}:
                self.verdict.note("torn", f"commit ending {self.ends[at]:X}: records and position disagree after a kill")

    def _positions(self, positions: list[tuple[int, int]]) -> None:
        for (_, before), (_, after) in zip(positions, positions[1:], strict=False):
            if after < before:
                self.verdict.note("out of order", f"position {after:X} after {before:X}")


KINDS = ["missing", "duplicated", "out of order", "unexpected", "malformed", "wrong partition", "torn", "acknowledged early"]


def table(verdict: Verdict, extra: list[tuple[str, str]]) -> str:
    events = verdict.seen - verdict.seen_state - verdict.seen_tombstones
    rows = [
        ("changes committed", f"{verdict.changes:,}", f"in {verdict.transactions:,} transactions, told by test_decoding"),
        ("records expected", f"{verdict.expected:,}", "computed from those"),
        ("records seen", f"{verdict.seen:,}", f"{events:,} events, {verdict.seen_state:,} states, {verdict.seen_tombstones:,} tombstones"),
        ("old rows told", f"{verdict.old_rows:,}", "rows that were there before, as states"),
        *((kind, f"{verdict.deviations[kind]:,}", "") for kind in KINDS),
        ("commit to visible p50", f"{verdict.percentile(0.5):,.0f} ms", ""),
        ("commit to visible p99", f"{verdict.percentile(0.99):,.0f} ms", "outages included"),
        *((name, value, "") for name, value in extra),
    ]
    return "\n".join(f"  {name:<24}{value:>14}  {remark}".rstrip() for name, value, remark in rows)
