"""A record is understood as a whole, or refused with its place and without its values."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from orders_service.load import Mark, Phase
from orders_service.records import Event, Gap, Kind, PassedOver, Poison, Reading, State
from tests.made import CUSTOMERS, EVENTS, ORDERS, customer, gap, mark, order, record, sequence, settings, tombstone

ONE = sequence(0x16B374800, 3, part=1)


def read(raw, **more):
    return Reading(settings(**more)).read(raw)


def test_a_state_is_the_entity():
    told = read(record(ORDERS, "Order", "A-1", ONE, order()))
    assert isinstance(told, State)
    assert (told.kind, told.key, told.sequence) == (Kind.ORDER, "A-1", ONE)
    assert str(told.data.total) == "19.90", "a decimal keeps its digits"
    assert told.data.customer == "7", "a key is text, whatever it is in JSON"


def test_a_key_that_is_a_public_id_is_text_all_the_same():
    told = read(record(CUSTOMERS, "Customer", "cus_abc", ONE, customer("cus_abc")))
    assert told.data.number == told.key == "cus_abc"


@pytest.mark.parametrize("prefix", ["", "com.example."])
def test_a_tombstone_says_when_it_was_and_names_the_entity_alone(prefix):
    told = read(tombstone(CUSTOMERS, "Customer", "7", ONE), type_prefix=prefix)
    assert told == State(Kind.CUSTOMER, "7", ONE, told.time, None)


def test_an_event_keeps_its_text_and_a_type_nobody_knows():
    raw = record(EVENTS, "OrderPraised", "A-1", ONE, {"number": "A-1", "exact": 12345678901234567890.5})
    told = read(raw)
    assert isinstance(told, Event)
    assert (told.id, told.aggregate_id, told.type, told.document) == (ONE, "A-1", "OrderPraised", raw.value.decode())


@pytest.mark.parametrize("prefix", ["", "com.example."])
def test_control_records_tell_of_the_stream(prefix):
    begun = read(mark("Order", ORDERS, ONE, "begun", 2, partition=4, prefix=prefix, where=True), type_prefix=prefix)
    assert begun == Mark(ORDERS, 4, ONE, Phase.BEGUN, 2, partial=True)
    complete = read(mark("Order", ORDERS, ONE, "complete", prefix=prefix, rows=9), type_prefix=prefix)
    assert complete == Mark(ORDERS, 0, ONE, Phase.COMPLETE, 1, partial=False)


def test_a_gap_is_kept():
    told = read(gap("Order", EVENTS, ONE, None))
    assert told == Gap(ONE, "Order", told.time, None, "0/17A0000", "source.slot_lost")


def test_a_control_record_of_a_later_version_is_passed_over():
    raw = record(ORDERS, "Order.moved", "Order.moved", ONE, {}, subject="Order")
    assert read(raw) == PassedOver("Order.moved")


def test_a_row_that_looks_like_a_control_record_is_a_row():
    for subject in ("Order.backfill", "Order"):
        told = read(record(ORDERS, "Order", "Order.backfill", ONE, order("Order.backfill"), subject=subject))
        assert isinstance(told, State)
    assert isinstance(read(record(EVENTS, "Order.paid", "Order.paid", ONE, {})), Event)


GOOD = record(ORDERS, "Order", "A-1", ONE, order())
POISON = {
    "no key": replace(GOOD, key=None),
    "no UTF-8 in the key": replace(GOOD, key=b"\xff"),
    "no JSON": replace(GOOD, value=b"{"),
    "no object": replace(GOOD, value=b"[]"),
    "no data": record(ORDERS, "Order", "A-1", ONE, None),
    "another type": record(ORDERS, "Quote", "A-1", ONE, order()),
    "another key than in its data": record(ORDERS, "Order", "A-2", ONE, order("A-1")),
    "a sequence in small letters": record(ORDERS, "Order", "A-1", ONE.lower(), order()),
    "a sequence that is too long": record(ORDERS, "Order", "A-1", ONE + "0", order()),
    "a field that is not there": record(ORDERS, "Order", "A-1", ONE, {"number": "A-1"}),
    "a total that is a float": record(ORDERS, "Order", "A-1", ONE, order(total=19.9)),
    "a total that is none": record(ORDERS, "Order", "A-1", ONE, order(total="NaN")),
    "a time without offset": record(ORDERS, "Order", "A-1", ONE, order(placedAt="2026-11-23T08:12:00")),
    "a customer that is a truth": record(ORDERS, "Order", "A-1", ONE, order(customer=True)),
    "a tombstone without its sequence": replace(tombstone(ORDERS, "Order", "A-1", ONE), headers={"ce_type": b"Order"}),
    "a tombstone of another entity": tombstone(ORDERS, "Quote", "A-1", ONE),
    "a tombstone with a prefix": tombstone(ORDERS, "com.example.Order", "A-1", ONE),
    "a tombstone among events": tombstone(EVENTS, "Order", "A-1", ONE),
    "a phase nobody knows": mark("Order", ORDERS, ONE, "paused"),
}


@pytest.mark.parametrize("raw", POISON.values(), ids=POISON.keys())
def test_what_cannot_be_understood_is_refused_with_its_place(raw):
    raw = replace(raw, place=replace(raw.place, partition=2, offset=41))
    with pytest.raises(Poison, match=rf"{raw.place.topic}\[2\]@41: "):
        read(raw)


def test_a_refusal_shows_no_value():
    with pytest.raises(Poison) as refused:
        read(record(ORDERS, "Order", "A-1", ONE, order(status=["top secret"], note={"top": "secret"})))
    assert refused.value.why == "data.status: string_type; data.note: string_type"


def test_fields_that_are_new_are_passed_over():
    assert read(record(ORDERS, "Order", "A-1", ONE, order(total="1e2", color="blue"))).data.total == Decimal(100)
