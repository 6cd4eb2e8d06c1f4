"""Shows that the judge can fail: one synthetic history, spoiled in each way it must find."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import past
import selfcopy
from decoding import Log, Transaction, lsn
from gate import Gate, KafkaSpeech, PostgresSpeech, Split
from judge import Judge, Verdict, murmur2
from marks import Mark
from promised import broken, closed, validator
from reader import POSITION, Seen, seen
from servers import free_port
from shop import STATE_TOPICS, TABLES, TOPICS, canonical, instant, records
from witness import Cut

PARTITIONS = 3
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _order(number: str, status: str, note: str = "null") -> str:
    return (
        f"ord_no[character varying]:'{number}' ord_typ[character]:'S' cust_id[integer]:7 sts_cd[character]:'{status}' tot_ct[bigint]:1999 "
        "cur[character]:'EUR ' exp_fl[character]:'Y' due_dt[integer]:20261231 crt_ts[timestamp without time zone]:'2026-03-29 02:30:00' "
        f"rmk[text]:{note} upd_usr[character varying]:null del_flg[character]:'N'"
    )


def _history() -> list[Transaction]:
    """What test_decoding says of a few transactions: quotes in values, a rename, an unchanged long value, a delete."""
    rows: list[tuple[str, str, str]] = []
    spoken = "'it''s new-tuple: x[text]:''y'''"
    for number in range(1, 41):
        xid, name = str(700 + number), f"A-{number}"
        commit = f"COMMIT {xid} (at {(START + timedelta(seconds=number)).isoformat(sep=' ')})"
        place = f"0/{number * 0x1000:X}"
        rows.append((place, xid, f"BEGIN {xid}"))
        rows.append((place, xid, f"table public.ord_hdr: INSERT: {_order(name, 'N', spoken)}"))
        old = _order(name, "N", spoken)
        rows.append((place, xid, f"table public.ord_hdr: UPDATE: old-key: {old} new-tuple: {_order(name, 'P', 'unchanged-toast-datum')}"))
        customer = f"cust_id[integer]:{number} nm[character varying]:'Zoë' ctry[character]:'DE ' chg_no[integer]:0"
        rows.append((place, xid, f"table public.cust: INSERT: {customer}"))
        if number % 4 == 0:
            rows.append((place, xid, f"table public.ord_hdr: DELETE: {_order(name, 'P', spoken)}"))
            rows.append((place, xid, f"table public.cust: DELETE: cust_id[integer]:{number}"))
        rows.append((place, xid, commit))
    log = Log("", TABLES)
    log.take(rows)
    return log.transactions


@dataclass
class World:
    history: list[Transaction]
    seen: list[Seen] = field(default_factory=list)
    positions: list[tuple[int, int]] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    samples: list[tuple[int, int]] = field(default_factory=list)
    before: past.States = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)

    def verdict(self) -> Verdict:
        judge = Judge(self.history, 0, dict.fromkeys(TOPICS, PARTITIONS), self.before)
        judge.marks(self.marks, self.seen)
        return judge.judge(self.seen, self.cuts, self.samples, self.positions)


def _world() -> World:
    """What a bridge without a fault would have published."""
    world = World(_history())
    offsets = {(topic, partition): 0 for topic in TOPICS for partition in range(PARTITIONS)} | {(POSITION, 0): 0}
    for transaction in world.history:
        for rank, change in enumerate(transaction.changes):
            for part, record in enumerate(records(change, rank)):
                id = f"0001-{transaction.end - 8:016X}-{rank:08X}-{part:02X}"
                key, partition = record.key.encode(), murmur2(record.key.encode()) % PARTITIONS
                time = transaction.time.isoformat()
                value, headers = None, {"ce_id": id, "ce_sequence": id, "ce_time": time, "ce_type": "x"}
                if record.data is not None:
                    schema = f"urn:walbridge:shop:{record.type}:1"
                    value = json.dumps(
                        {"specversion": "1.0", "id": id, "source": "walbridge/shop", "type": record.type, "subject": record.key,
                         "time": time, "datacontenttype": "application/json", "dataschema": schema, "sequence": id,
                         "transaction": str(transaction.xid), "data": json.loads(record.data)}
                    ).encode()  # fmt: skip
                place = record.topic, partition
                world.seen.append(seen(*place, offsets[place], key, value, headers))
                offsets[place] += 1
        world.positions.append((offsets[POSITION, 0], transaction.end))
        # The record, and the marker that ends the Kafka transaction.
        offsets[POSITION, 0] += 2
        world.samples += [(transaction.end, offsets[POSITION, 0])] * 3
        if transaction.xid % 10 == 1:
            _old_row(world, transaction, offsets)
        if transaction.xid % 10 == 0:
            world.cuts.append(Cut(dict(offsets), transaction.end))
    for place in ((topic, partition) for topic in STATE_TOPICS for partition in range(PARTITIONS)):
        world.marks.append(Mark(*place, -1, "0001-0000000000000000-80000000-00", "begun", 1))
        world.marks.append(Mark(*place, 10**7, "0001-0000000000FFFFFF-80000000-00", "complete", 1))
    return world


def _old_row(world: World, transaction: Transaction, offsets: dict[tuple[str, int], int]) -> None:
    """A customer nobody touches is told behind this transaction."""
    number, topic = 9_000 + transaction.xid, "shop.customers"
    data = {"number": number, "name": "Old", "country": "DE", "version": 0}
    key, id = str(number).encode(), f"0001-{transaction.end - 8:016X}-80000000-00"
    document = {"specversion": "1.0", "id": id, "source": "walbridge/shop", "type": "Customer", "subject": str(number),
                "time": START.isoformat(), "datacontenttype": "application/json", "dataschema": "urn:walbridge:shop:Customer:1",
                "sequence": id, "origin": "backfill", "generation": 1, "data": data}  # fmt: skip
    place = topic, murmur2(key) % PARTITIONS
    world.before[topic, str(number)] = canonical(data)
    world.seen.append(seen(*place, offsets[place], key, json.dumps(document).encode(), {}))
    offsets[place] += 1


def _find_old(world: World) -> int:
    return next(at for at, record in enumerate(world.seen) if record.origin is not None)


def _change_old(world: World, **fields: Any) -> None:
    at = _find_old(world)
    world.seen[at] = replace(world.seen[at], **fields)


def _repeat_old(world: World) -> None:
    record = world.seen[_find_old(world)]
    world.seen.append(replace(record, offset=1_000_000, id=record.id.replace("80000000", "80000001")))


def _drop_old(world: World) -> None:
    del world.seen[_find_old(world)]


def _change_mark(world: World, which: str, **fields: Any) -> None:
    old = world.seen[_find_old(world)]
    wanted = old.topic, old.partition, which
    at = next(at for at, mark in enumerate(world.marks) if (mark.topic, mark.partition, mark.phase) == wanted)
    world.marks[at] = replace(world.marks[at], **fields)


def _find(world: World, wanted: Callable[[Seen], bool]) -> int:
    return [at for at, record in enumerate(world.seen) if wanted(record)][10]


def _change(world: World, wanted: Callable[[Seen], bool], **fields: Any) -> None:
    at = _find(world, wanted)
    world.seen[at] = replace(world.seen[at], **fields)


def _event(record: Seen) -> bool:
    return record.type == "OrderPaid"


def _drop(world: World) -> None:
    del world.seen[_find(world, _event)]


def _drop_tombstone(world: World) -> None:
    del world.seen[_find(world, lambda record: record.type is None)]


def _drop_all(world: World) -> None:
    world.seen.clear()


def _duplicate(world: World) -> None:
    record = world.seen[_find(world, _event)]
    world.seen.append(replace(record, offset=1_000_000))


def _swap(world: World, first: Seen, second: Seen) -> None:
    """Exchanges what two places of one partition hold."""
    a, b = world.seen.index(first), world.seen.index(second)
    world.seen[a], world.seen[b] = replace(first, offset=second.offset), replace(second, offset=first.offset)


def _swap_key(world: World) -> None:
    states = [record for record in world.seen if record.key == "A-9" and record.topic == "shop.orders"]
    _swap(world, states[0], states[1])


def _swap_transactions(world: World) -> None:
    place = [record for record in world.seen if (record.topic, record.partition) == ("shop.customers", 0)]
    _swap(world, place[3], place[4])


def _swap_statements(world: World) -> None:
    """Ids rise, but the second statement's record bears the rank of the first."""
    states = [record for record in world.seen if record.key in ("A-9", "9") and record.topic in STATE_TOPICS]
    for record, rank in zip(states, (2, 3, 1), strict=True):
        world.seen[world.seen.index(record)] = replace(record, id=f"{record.id[:22]}{rank:08X}-00")


def _tear(world: World) -> None:
    """One record of a transaction is not yet visible when the bridge is dead."""
    cut = world.cuts[1]
    record = max((r for r in world.seen if r.topic == "shop.orders" and r.offset < cut.offsets[r.topic, r.partition]),
                 key=lambda record: record.id)  # fmt: skip
    cut.offsets[record.topic, record.partition] = record.offset


def _part(world: World) -> None:
    """Records are visible, the position that belongs to them is not."""
    cut = world.cuts[1]
    cut.offsets[POSITION, 0] -= 2


def _early_sample(world: World) -> None:
    at = len(world.samples) // 2
    world.samples[at] = (world.samples[at][0] + 0x2000, world.samples[at][1])


def _early_cut(world: World) -> None:
    world.cuts[1] = replace(world.cuts[1], acknowledged=world.cuts[1].acknowledged + 1)


SPOILED: list[tuple[str, str, Callable[[World], None]]] = [
    ("an event is dropped", "missing", _drop),
    ("a tombstone is dropped", "missing", _drop_tombstone),
    ("nothing is published", "missing", _drop_all),
    ("an event comes twice", "duplicated", _duplicate),
    ("two states of a key are swapped", "out of order", _swap_key),
    ("two transactions are swapped", "out of order", _swap_transactions),
    ("two statements are swapped", "out of order", _swap_statements),
    ("a position goes back", "out of order", lambda w: w.positions.append((10**6, 5))),
    ("a transaction is torn", "torn", _tear),
    ("records without their position", "torn", _part),
    ("acknowledged early, sampled", "acknowledged early", _early_sample),
    ("acknowledged early, after a kill", "acknowledged early", _early_cut),
    ("a value is wrong", "unexpected", lambda w: _change(w, _event, data="{}")),
    ("a value is wrong", "missing", lambda w: _change(w, _event, data="{}")),
    ("a record of no commit", "unexpected", lambda w: _change(w, _event, id="0001-00000000FFFFFFFF-00000000-00")),
    ("a wrong key", "wrong partition", lambda w: _change(w, _event, key="B-99")),
    ("an id in small letters", "malformed", lambda w: _change(w, _event, id="0001-000000000000abcd-00000000-00")),
    ("the time of another commit", "malformed", lambda w: _change(w, _event, time=START)),
    ("an old row comes twice", "duplicated", _repeat_old),
    ("an old row is dropped", "missing", _drop_old),
    ("an old row has another value", "unexpected", lambda w: _change_old(w, data="{}")),
    ("an old row is told as an event", "malformed", lambda w: _change_old(w, topic="shop.order-events")),
    ("an end of old rows is not marked", "missing", lambda w: w.marks.pop()),
    ("an end of old rows is marked twice", "duplicated", lambda w: w.marks.append(replace(w.marks[-1], offset=10**8))),
    ("a mark where nothing is marked", "unexpected", lambda w: w.marks.append(replace(w.marks[-1], topic="shop.order-events"))),
    ("a telling ends that never began", "unexpected", lambda w: _change_mark(w, "begun", phase="cancelled")),
    ("an end before its begin", "out of order", lambda w: _change_mark(w, "complete", offset=-2)),
    ("the end of another telling", "out of order", lambda w: _change_mark(w, "complete", generation=2)),
    ("old rows behind their end", "out of order", lambda w: _change_mark(w, "complete", offset=0)),
    ("another transaction's number", "malformed", lambda w: _change(w, _event, xid="1")),
]


def _frame(body: bytes, own: int = 0) -> bytes:
    """PostgreSQL counts the four bytes of the length too, Kafka does not."""
    return struct.pack(">i", len(body) + own) + body


def _said() -> list[tuple[Split, bytes, list[str]]]:
    """One side of a conversation, and its requests or answers by name."""
    kafka, postgres = KafkaSpeech(), PostgresSpeech()
    asked = [_frame(struct.pack(">hhi", key, 9, number) + b"rest") for number, key in enumerate((18, 0, 26))]
    answered = [_frame(struct.pack(">i", number) + b"ok") for number in (1, 0, 2)]
    greeting = struct.pack(">ii", 8, 80877103) + _frame(struct.pack(">i", 3 << 16) + b"user\0x\0\0", 4)
    begin = b"Q" + _frame(b"START_REPLICATION SLOT s LOGICAL 0/0\0", 4)
    update = b"d" + _frame(b"r" + bytes(33), 4)
    return [
        (kafka.asks, b"".join(asked), ["", "Produce", "EndTxn"]),
        (kafka.answers, b"".join(answered), ["Produce", "", "EndTxn"]),
        (postgres.asks, greeting + begin + update, ["", "", "START_REPLICATION", "Standby status update"]),
        (postgres.answers, b"W", ["START_REPLICATION"]),
    ]


Check = tuple[str, bool]


def _facts() -> Iterator[Check]:
    # From Kafka's own UtilsTest.
    for key, value in {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}.items():
        yield f"murmur2 of {key!r}", murmur2(key) == value & 0x7FFFFFFF
    yield "a place in the log", lsn("16/B374D848") == 0x16B374D848
    # As PostgreSQL says: SELECT '…'::timestamp AT TIME ZONE 'Europe/Berlin'.
    moments = {
        "2026-10-25 02:36:38": "2026-10-25T01:36:38+00:00",
        "2026-03-29 02:30:00": "2026-03-29T01:30:00+00:00",
        "2026-07-01 12:00:00": "2026-07-01T10:00:00+00:00",
    }
    for local, utc in moments.items():
        yield f"{local} in Berlin", instant(local) == utc


def _judged() -> Iterator[Check]:
    """A sound history is found sound, and a spoiled one is not."""
    sound = _world().verdict()
    whole = not sound.deviations and sound.seen == sound.expected >= 200
    yield "\n    ".join(["a sound history", *sound.examples]), whole
    for name, kind, spoil in SPOILED:
        world = _world()
        spoil(world)
        deviations = world.verdict().deviations
        yield f"{name}: found as {kind} in {dict(deviations)}", bool(deviations[kind])


def _promised() -> Iterator[Check]:
    """A record that says what its type does not promise is found."""
    schema = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "type": {"const": "A"}, "data": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        "required": ["id", "type", "data"],
    }
    kinds = {"A": validator(closed(schema))}
    for data, found in [({"n": 1}, 0), ({"n": "1"}, 1), ({"n": 1, "more": 1}, 1)]:
        found_in = broken(kinds, [json.dumps({"id": "1", "type": "A", "data": data}).encode()])
        yield f"promised, {data}: {found_in}", len(found_in) == found
    other = broken(kinds, [b'{"id": "1", "type": "B", "data": {}}'])
    yield f"promised, another type: {other}", len(other) == 1


def _gate() -> Iterator[Check]:
    """The gate names what passes and leaves it as it is, however it arrives."""
    for size in (1, 3, 1_000):
        for split, data, names in _said():
            passed = [one for at in range(0, len(data), size) for one in split(data[at : at + size])]
            whole = [name for _, name in passed] == names and b"".join(frame for frame, _ in passed) == data
            yield f"gate, {size} bytes at a time: {passed}", whole


def _endures() -> Iterator[Check]:
    """One connection that fails is not the end of the gate; closing it is."""
    spoken = iter((ConnectionResetError(), KafkaSpeech()))

    def speech() -> KafkaSpeech:
        if isinstance(one := next(spoken), OSError):
            raise one
        return one

    said = _frame(struct.pack(">hhi", 18, 9, 1))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        front = free_port()
        gate = Gate(front, server.getsockname()[1], speech)
        heard: list[bytes] = []
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", front), 5) as client:
                try:
                    behind, _ = server.accept()
                    client.sendall(said)
                    behind.settimeout(5)
                    heard.append(behind.recv(len(said)))
                    behind.close()
                except OSError:
                    heard.append(b"")
        gate.close()
    yield f"gate, a connection after one that failed: {heard}", heard == [b"", said]
    yield "gate, closed", not _connects(front)


def _connects(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def main() -> int:
    checks = [*_facts(), *_judged(), *selfcopy.checks(_history()), *_promised(), *_gate(), *_endures()]
    failed = [name for name, ok in checks if not ok]
    for name in failed:
        print(f"✗ {name}")
    print(f"test result: {'FAILED' if failed else 'ok'}. {len(checks) - len(failed)} passed; {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
