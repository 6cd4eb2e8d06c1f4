"""Against a PostgreSQL: the guard, offsets and rows in one transaction, the audit trail."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

from orders_service import apply, schema
from orders_service.health import facts, judge
from orders_service.public_id import customer_ids
from orders_service.records import Reading
from orders_service.store import Moved, Remade, Store, rewind
from tests.made import CUSTOMERS, EVENTS, ORDERS, customer, gap, mark, order, record, sequence, settings, tombstone

IDS = customer_ids(settings())


@pytest.fixture
def store(database):
    one = Store(database, IDS)
    for topic in (ORDERS, EVENTS, CUSTOMERS):
        one.know(topic, f"id of {topic}", 1)
    yield one
    one.close()


def give(store, *raws):
    """Applies records as one batch, from wherever the store stands."""
    made = apply.batch((raw.place, Reading(settings()).read(raw)) for raw in raws)
    return store.apply(made, store.positions(made.next_offsets))


def state(lsn, offset=0, **more):
    return record(ORDERS, "Order", "A-1", sequence(lsn), order(**more), offset)


def test_only_what_is_greater_is_applied(store, query):
    give(store, state(5, status="paid"))
    late = give(store, state(4, status="placed"), record(CUSTOMERS, "Customer", "7", sequence(1), customer()))
    assert (late.applied, late.stale) == (1, 1)
    assert query("SELECT status FROM orders") == [{"status": "paid"}]
    same = give(store, state(5, status="cancelled"))
    assert (same.applied, same.stale) == (0, 1)
    give(store, record(CUSTOMERS, "Customer", "7", sequence(3), customer(name="Zora")))
    give(store, record(CUSTOMERS, "Customer", "7", sequence(2), customer()))
    assert query("SELECT name FROM customers") == [{"name": "Zora"}]
    give(store, state(6, status="shipped"))
    assert query("SELECT status, sequence FROM orders") == [{"status": "shipped", "sequence": sequence(6)}]


def test_a_row_that_is_gone_is_not_brought_back(store, query):
    give(store, state(5), tombstone(ORDERS, "Order", "A-1", sequence(6)))
    give(store, state(5))
    assert query("SELECT gone, total, note FROM orders") == [{"gone": True, "total": None, "note": None}]
    assert query("SELECT * FROM order_overview") == []
    give(store, tombstone(ORDERS, "Order", "A-9", sequence(3)))
    give(store, record(ORDERS, "Order", "A-9", sequence(2), order("A-9")))
    assert query("SELECT gone FROM orders WHERE number = 'A-9'") == [{"gone": True}], "also where the tombstone came first"
    give(store, state(7))
    assert query("SELECT number FROM order_overview") == [{"number": "A-1"}], "what enters again is there again"


def test_a_new_epoch_is_newer_than_all_of_the_old_one(store, query):
    give(store, state(0xFFFFFF, status="paid"))
    give(store, record(ORDERS, "Order", "A-1", sequence(1, epoch=2), order(status="placed")))
    assert query("SELECT status FROM orders") == [{"status": "placed"}]


def test_values_arrive_as_they_were_told(store, query):
    give(store, state(1, total="12345678901234567.90", note='Größe \U0001f4e6, "blue"\\', placedAt="2026-11-23T08:12:00.123456Z"))
    (row,) = query("SELECT total, note, placed_at AT TIME ZONE 'UTC' AS placed, customer, customer_id FROM orders")
    assert (str(row["total"]), row["note"]) == ("12345678901234567.90", 'Größe \U0001f4e6, "blue"\\')
    assert row["placed"].isoformat() == "2026-11-23T08:12:00.123456"
    assert (row["customer"], row["customer_id"]) == ("7", IDS("7"))


def test_rows_and_offsets_are_stored_together_or_not_at_all(store, query):
    give(store, state(1, offset=3))
    with pytest.raises(psycopg.DataError):
        # The events are the last to be stored, and JSON's null letter is one that PostgreSQL does not take.
        give(store, state(2, offset=4, status="paid"), event(2, note="\0"))
    assert store.positions([(ORDERS, 0), (EVENTS, 0)]) == {(ORDERS, 0): 4, (EVENTS, 0): None}
    assert query("SELECT sequence FROM orders") == [{"sequence": sequence(1)}]


def test_an_instance_that_lost_its_partition_applies_nothing(store, query, database):
    raw = state(1, offset=0)
    made = apply.batch([(raw.place, Reading(settings()).read(raw))])
    stale = store.positions(made.next_offsets)
    other = Store(database, IDS)
    give(other, state(2, offset=0))
    other.close()
    with pytest.raises(Moved, match=r"shop.orders\[0\]"):
        store.apply(made, stale)
    assert query("SELECT sequence FROM orders") == [{"sequence": sequence(2)}]


def event(lsn, type_="OrderPaid", key="A-1", part=1, **more):
    return record(EVENTS, type_, key, sequence(lsn, part=part), order(key, **more))


def test_the_audit_trail_keeps_each_event_once_and_counts_by_aggregate(store, query):
    give(store, event(1, "OrderPlaced"), event(1, "OrderPlaced", "A-2", part=2), event(2))
    again = give(store, event(2), event(3, "OrderShipped"))
    assert (again.applied, again.stale) == (1, 1)
    rows = query("SELECT aggregate_id, version, type FROM event_store ORDER BY aggregate_id, version")
    assert [tuple(row.values()) for row in rows] == [
        ("A-1", 1, "OrderPlaced"), ("A-1", 2, "OrderPaid"), ("A-1", 3, "OrderShipped"), ("A-2", 1, "OrderPlaced"),
    ]  # fmt: skip
    (row,) = query("SELECT event_id, schema, time FROM event_store WHERE aggregate_id = 'A-2'")
    assert (row["event_id"], row["schema"]) == (sequence(1, part=2), "urn:walbridge:shop:OrderPlaced:1")


def test_the_audit_trail_keeps_every_digit(store, query):
    raw = event(1)
    exact = raw.value.replace(b'"19.90"', b"0.10000000000000000000000000000000000000001")
    give(store, type(raw)(raw.place, raw.key, exact, {}))
    (row,) = query("SELECT (data ->> 'total')::numeric AS total FROM event_store")
    assert row["total"] == Decimal("0.10000000000000000000000000000000000000001")


def test_a_gap_in_the_events_is_kept_once(store, query):
    for _ in range(2):
        give(store, gap("Order", EVENTS, sequence(1, epoch=2), "0/16B3748"))
    assert query("SELECT since, until, reason FROM event_gap") == [
        {"since": "0/16B3748", "until": "0/17A0000", "reason": "source.slot_lost"}
    ]


def test_health_is_what_is_stored(store, query, database):
    store.freshen({(topic, 0): 1.0 for topic in (ORDERS, EVENTS)}, store.positions([(ORDERS, 0), (EVENTS, 0)]))
    with psycopg.connect(database, row_factory=psycopg.rows.dict_row) as connection:
        told = judge(facts(connection), settings(), None)
        assert (told.ready, told.age_seconds, told.initial_load) == (False, None, "unknown")
        give(store, mark("Order", ORDERS, sequence(1), "begun"), mark("Order", ORDERS, sequence(2), "complete"))
        give(store, mark("Customer", CUSTOMERS, sequence(1), "begun"), gap("Order", EVENTS, sequence(1, epoch=2), None))
        assert judge(facts(connection), settings(), None).initial_load == "loading"
        give(store, mark("Customer", CUSTOMERS, sequence(2), "complete"))
        (now,) = query("SELECT extract(epoch FROM now())::float8 AS now")
        everywhere = store.positions([(topic, 0) for topic in (ORDERS, EVENTS, CUSTOMERS)])
        store.freshen(dict.fromkeys(everywhere, now["now"] - 5), everywhere)
        connection.commit()
        told = judge(facts(connection), settings(), None)
    assert (told.ready, told.initial_load, told.event_gaps) == (True, "complete", 1)
    assert 5 <= told.age_seconds < 30


def test_nothing_is_fresh_where_somebody_else_reads(store, query):
    store.freshen({(ORDERS, 0): 1.0}, {(ORDERS, 0): 7})
    assert query("SELECT fresh_at FROM read_position WHERE topic = %s", ORDERS) == [{"fresh_at": None}]
    store.freshen({(ORDERS, 0): 2.0}, {(ORDERS, 0): None})
    store.freshen({(ORDERS, 0): 1.0}, {(ORDERS, 0): None})
    (row,) = query("SELECT extract(epoch FROM fresh_at)::int AS at FROM read_position WHERE topic = %s", ORDERS)
    assert row["at"] == 2, "and never less fresh than it was"


def test_offsets_of_a_topic_that_was_made_anew_are_refused_until_it_is_rewound(store, database):
    give(store, state(1, offset=41))
    with pytest.raises(Remade, match=r"run `orders-service rewind shop.orders`"):
        store.know(ORDERS, "another id", 1)
    assert rewind(database, ORDERS) == 1
    store.know(ORDERS, "another id", 2)
    assert store.positions([(ORDERS, 0), (ORDERS, 1)]) == {(ORDERS, 0): None, (ORDERS, 1): None}


def test_a_database_is_migrated_once_and_an_older_one_is_refused(empty_database):
    with psycopg.connect(empty_database) as connection, pytest.raises(schema.Outdated, match="run `orders-service migrate`"):
        schema.check(connection)
    assert len(schema.migrate(empty_database)) == len(schema.migrations())
    assert schema.migrate(empty_database) == []
    with psycopg.connect(empty_database) as connection:
        schema.check(connection)
