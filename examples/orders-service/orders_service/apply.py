"""What records do to the copy: the newest state of each key, the events, and the SQL that holds the guard. No I/O.

The guard stands in the SQL, beside the row that it guards: whatever arrives twice, late or from an instance that should have
stopped is dropped by PostgreSQL itself, and not by what this process remembers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from orders_service.contract import Customer, Order
from orders_service.load import Mark
from orders_service.public_id import PublicId
from orders_service.records import Event, Gap, Kind, PassedOver, Place, State, Told

Partition = tuple[str, int]
Row = tuple[object, ...]

ORDER = """
INSERT INTO orders (number, gone, sequence, changed, placed_at, total, status, express, due, customer, customer_id, currency, note)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (number) DO UPDATE SET
    gone = excluded.gone, sequence = excluded.sequence, changed = excluded.changed, placed_at = excluded.placed_at,
    total = excluded.total, status = excluded.status, express = excluded.express, due = excluded.due,
    customer = excluded.customer, customer_id = excluded.customer_id, currency = excluded.currency, note = excluded.note
WHERE orders.sequence < excluded.sequence
"""

CUSTOMER = """
INSERT INTO customers (key, public_id, gone, sequence, changed, name, country, version)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (key) DO UPDATE SET
    gone = excluded.gone, sequence = excluded.sequence, changed = excluded.changed,
    name = excluded.name, country = excluded.country, version = excluded.version
WHERE customers.sequence < excluded.sequence
"""

EVENT = """
INSERT INTO event_store (event_id, aggregate_id, type, data, time, schema, version)
SELECT %(id)s, %(aggregate)s, %(type)s, (%(document)s::jsonb) -> 'data', %(time)s, %(schema)s, coalesce(max(version), 0) + 1
FROM event_store WHERE aggregate_id = %(aggregate)s
ON CONFLICT (event_id) DO NOTHING
"""

GAP = """
INSERT INTO event_gap (gap_id, entity, time, since, until, reason) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (gap_id) DO NOTHING
"""


@dataclass
class Batch:
    """What one transaction of the copy applies."""

    states: dict[tuple[Kind, str], State] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    passed_over: int = 0
    superseded: int = 0
    """States behind which the same batch holds a newer one."""
    next_offsets: dict[Partition, int] = field(default_factory=dict)

    def take(self, place: Place, told: Told) -> None:
        self.next_offsets[place.topic, place.partition] = place.offset + 1
        match told:
            case State():
                self._state(told)
            case Event():
                self.events.append(told)
            case Mark():
                self.marks.append(told)
            case Gap():
                self.gaps.append(told)
            case PassedOver():
                self.passed_over += 1

    def _state(self, told: State) -> None:
        """The guard once more, so that a batch holds each key once."""
        held = self.states.get((told.kind, told.key))
        if held is not None:
            self.superseded += 1
        if held is None or held.sequence < told.sequence:
            self.states[told.kind, told.key] = told

    def keys(self, kind: Kind) -> list[str]:
        return [key for of, key in self.states if of is kind]


def batch(records: Iterable[tuple[Place, Told]]) -> Batch:
    made = Batch()
    for place, told in records:
        made.take(place, told)
    return made


def order_rows(states: Iterable[State], public_id: PublicId) -> list[Row]:
    return [_order(state, public_id) for state in states if state.kind is Kind.ORDER]


def customer_rows(states: Iterable[State], public_id: PublicId) -> list[Row]:
    return [_customer(state, public_id) for state in states if state.kind is Kind.CUSTOMER]


def _order(state: State, public_id: PublicId) -> Row:
    head = state.key, state.data is None, state.sequence, state.time
    if not isinstance(state.data, Order):
        return *head, *[None] * 9
    one = state.data
    return (
        *head, one.placed_at, one.total, one.status, one.express, one.due,
        one.customer, public_id(one.customer), one.currency, one.note,
    )  # fmt: skip


def _customer(state: State, public_id: PublicId) -> Row:
    head = state.key, public_id(state.key), state.data is None, state.sequence, state.time
    if not isinstance(state.data, Customer):
        return *head, None, None, None
    return *head, state.data.name, state.data.country, state.data.version


def event_rows(events: Iterable[Event]) -> list[dict[str, object]]:
    return [
        {
            "id": one.id,
            "aggregate": one.aggregate_id,
            "type": one.type,
            "document": one.document,
            "time": one.time,
            "schema": one.schema,
        }
        for one in events
    ]


def gap_rows(gaps: Iterable[Gap]) -> list[Row]:
    return [(one.id, one.entity, one.time, one.since, one.until, one.reason) for one in gaps]
