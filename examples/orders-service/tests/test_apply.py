"""What a batch of records comes to before it meets the database."""

from __future__ import annotations

import itertools

from orders_service import apply
from orders_service.public_id import as_published, keyed
from orders_service.records import Kind, Reading
from tests.made import CUSTOMERS, EVENTS, ORDERS, customer, gap, mark, order, record, sequence, settings, tombstone

NEW = record(ORDERS, "Order", "A-1", sequence(1), order(status="placed"), offset=0)
PAID = record(ORDERS, "Order", "A-1", sequence(2), order(status="paid"), offset=1)
GONE = tombstone(ORDERS, "Order", "A-1", sequence(3), offset=2)
AGAIN = record(ORDERS, "Order", "A-1", sequence(4), order(status="cancelled"), offset=3)


def batch(*raws):
    reading = Reading(settings())
    return apply.batch((raw.place, reading.read(raw)) for raw in raws)


def held(made):
    state = made.states[Kind.ORDER, "A-1"]
    return state.sequence, None if state.data is None else state.data.status


def test_the_greatest_sequence_of_a_key_wins_in_whatever_order_it_comes():
    for raws in itertools.permutations([NEW, PAID, GONE]):
        assert held(batch(*raws)) == (sequence(3), None), "gone, and not brought back by an older record"
    for raws in itertools.permutations([NEW, PAID, GONE, AGAIN]):
        assert held(batch(*raws)) == (sequence(4), "cancelled")


def test_what_comes_twice_counts_once():
    made = batch(NEW, NEW, PAID, NEW)
    assert held(made) == (sequence(2), "paid")
    assert made.superseded == 3


def test_everything_of_a_new_epoch_is_newer():
    restored = record(ORDERS, "Order", "A-1", sequence(1, epoch=2), order(status="shipped"))
    assert held(batch(AGAIN, restored, PAID)) == (sequence(1, epoch=2), "shipped")


def test_old_rows_stand_behind_the_transaction_before_them():
    old = record(ORDERS, "Order", "A-1", sequence(2, 0x80000000), order(status="paid"), origin="backfill")
    assert held(batch(old, PAID)) == (sequence(2, 0x80000000), "paid")
    assert held(batch(old, GONE)) == (sequence(3), None)


def test_a_batch_knows_how_far_it_goes():
    made = batch(NEW, PAID, record(CUSTOMERS, "Customer", "7", sequence(1), customer(), offset=9, partition=2))
    assert made.next_offsets == {(ORDERS, 0): 2, (CUSTOMERS, 2): 10}
    assert (made.keys(Kind.ORDER), made.keys(Kind.CUSTOMER)) == (["A-1"], ["7"])


def test_other_records_are_sorted_by_what_they_do():
    event = record(EVENTS, "OrderPaid", "A-1", sequence(2, part=1), order())
    later = record(ORDERS, "Order.moved", "Order.moved", sequence(5), {}, subject="Order", offset=7)
    made = batch(
        event, event, gap("Order", EVENTS, sequence(1, epoch=2), None, 3), mark("Order", ORDERS, sequence(4), "begun"), later
    )
    assert [one.id for one in made.events] == [sequence(2, part=1)] * 2, "the event store knows what it has"
    assert (len(made.gaps), len(made.marks), made.passed_over) == (1, 1, 1)
    assert made.next_offsets[ORDERS, 0] == 8, "what is passed over is read all the same"


def test_rows_have_a_value_for_every_place_of_their_sql():
    made = batch(NEW, tombstone(ORDERS, "Order", "A-2", sequence(1)), record(CUSTOMERS, "Customer", "7", sequence(1), customer()),
                 tombstone(CUSTOMERS, "Customer", "8", sequence(1)))  # fmt: skip
    states = made.states.values()
    orders, customers = apply.order_rows(states, as_published), apply.customer_rows(states, as_published)
    assert [len(row) for row in orders] == [apply.ORDER.count("%s")] * 2
    assert [len(row) for row in customers] == [apply.CUSTOMER.count("%s")] * 2


def test_a_row_that_is_gone_keeps_its_key_and_its_sequence_alone():
    (row,) = apply.order_rows(batch(NEW, GONE).states.values(), as_published)
    assert row[:3] == ("A-1", True, sequence(3))
    assert set(row[4:]) == {None}, "nothing is kept of a row that the source removed"


def test_public_ids_are_made_of_the_key():
    ids = keyed(b"a secret", "customer", "cus_")
    made = batch(NEW, record(CUSTOMERS, "Customer", "7", sequence(1), customer()))
    (order_row,) = apply.order_rows(made.states.values(), ids)
    (customer_row,) = apply.customer_rows(made.states.values(), ids)
    assert customer_row[1] == ids("7")
    assert ids("7") in order_row, "an order names its customer by the same id, whether the customer came or not"
