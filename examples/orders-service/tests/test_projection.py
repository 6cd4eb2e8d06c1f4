"""Against a PostgreSQL: the read model over two topics is right in whatever order they arrive, also side by side."""

from __future__ import annotations

import contextlib
import random
import threading

import pytest

from orders_service import apply, projection
from orders_service.public_id import as_published
from orders_service.records import Reading
from orders_service.store import Store
from tests.made import CUSTOMERS, ORDERS, customer, order, record, sequence, settings, tombstone

BARE = """
SELECT o.number, o.placed_at, o.total, o.status, o.express, o.due, o.currency, o.note, o.customer_id,
       c.name AS customer_name, c.country AS customer_country
FROM orders o LEFT JOIN customers c ON c.key = o.customer AND NOT c.gone WHERE NOT o.gone ORDER BY o.number
"""
MODEL = """
SELECT number, placed_at, total, status, express, due, currency, note, customer_id, customer_name, customer_country
FROM order_overview ORDER BY number
"""


def batch(*raws):
    return apply.batch((raw.place, Reading(settings()).read(raw)) for raw in raws)


def give(store, made):
    return store.apply(made, store.positions(made.next_offsets))


@pytest.fixture
def open_store(database):
    made = []

    def opened():
        one = Store(database, as_published)
        made.append(one)
        one.know(ORDERS, "id", 1)
        one.know(CUSTOMERS, "id", 1)
        return one

    yield opened
    for one in made:
        one.close()


def life(chance, topic, type_, key, values, begin):
    """A key's records, in the order in which its partition tells them."""
    raws = []
    for lsn in range(begin, begin + chance.randint(1, 6)):
        gone = chance.random() < 0.25
        raws.append(tombstone(topic, type_, key, sequence(lsn)) if gone else record(topic, type_, key, sequence(lsn), values(lsn)))
    return raws


def order_life(chance, number):
    return life(chance, ORDERS, "Order", number, lambda lsn: order(number, customer=chance.randint(1, 3), note=str(lsn)), 1)


def customer_life(chance, number):
    return life(chance, CUSTOMERS, "Customer", str(number), lambda lsn: customer(number, name=f"{number} at {lsn}"), 100)


@pytest.mark.parametrize("seed", range(20))
def test_the_model_equals_the_copy_after_every_batch(open_store, query, seed):
    chance, store = random.Random(seed), open_store()
    orders = [raw for n in range(6) for raw in order_life(chance, f"A-{n}")]
    customers = [raw for n in range(1, 4) for raw in customer_life(chance, n)]
    lanes = [orders, customers]
    while any(lanes):
        lane = chance.choice([lane for lane in lanes if lane])
        taken = [lane.pop(0) for _ in range(min(len(lane), chance.randint(1, 4)))]
        give(store, batch(*taken))
        assert query(MODEL) == query(BARE)


def test_two_instances_that_meet_miss_nothing(open_store, query, monkeypatch):
    """An order and its customer are written at the same time, and neither transaction sees the other's row."""
    written, followed = threading.Barrier(2), threading.Barrier(2)
    follow = projection.follow

    def meeting(*arguments):
        written.wait(20)
        follow(*arguments)
        # Neither commits before the other has looked, unless the other has to wait for this one.
        with contextlib.suppress(threading.BrokenBarrierError):
            followed.wait(1)

    monkeypatch.setattr(projection, "follow", meeting)
    lanes = [
        batch(record(ORDERS, "Order", "A-1", sequence(1), order())),
        batch(record(CUSTOMERS, "Customer", "7", sequence(2), customer())),
    ]
    threads = [threading.Thread(target=give, args=(open_store(), made)) for made in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert query(MODEL) == query(BARE)
    assert query("SELECT customer_name FROM order_overview") == [{"customer_name": "Zoë"}]
