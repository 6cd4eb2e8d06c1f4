"""Which of the records that Kafka hands over count."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException
from opentelemetry.trace import get_tracer

from orders_service.consume import Following, Lost
from orders_service.telemetry import Meters
from tests.made import ORDERS, order, record, sequence, settings


class Message:
    """As much of a client's message as is looked at."""

    def __init__(self, offset, partition=0, error=None):
        raw = record(ORDERS, "Order", "A-1", sequence(offset + 1), order())
        told = {
            "topic": ORDERS,
            "partition": partition,
            "offset": offset,
            "key": raw.key,
            "value": raw.value,
            "headers": [],
            "error": error,
        }
        for name, value in told.items():
            setattr(self, name, lambda value=value: value)


def following(positions):
    one = Following(settings(), None, Meters(), get_tracer("test"))
    one._positions = positions
    return one


def offsets(one, *messages):
    told, _, poison = one._told(messages)
    assert poison is None
    return [(place.partition, place.offset) for place, _ in told]


def test_what_was_fetched_for_a_former_assignment_is_dropped():
    one = following({(ORDERS, 0): 7, (ORDERS, 1): None})
    assert offsets(one, Message(6), Message(7), Message(8)) == [(0, 7), (0, 8)], "it was read up to 7"
    assert offsets(one, Message(0, 1)) == [(1, 0)], "nothing was read yet"
    assert offsets(one, Message(0, 2)) == [], "somebody else's"


def test_an_end_that_is_met_is_no_record():
    met = following({(ORDERS, 0): 7})._told([Message(7), Message(9, error=KafkaError(KafkaError._PARTITION_EOF))])[1]
    assert met == {(ORDERS, 0): 9}


def test_errors_that_pass_are_left_to_the_client_and_others_are_not():
    one = following({(ORDERS, 0): 7})
    assert offsets(one, Message(-1, error=KafkaError(KafkaError._TRANSPORT)), Message(7)) == [(0, 7)]
    with pytest.raises(Lost, match=f"rewind {ORDERS}"):
        one._told([Message(7, error=KafkaError(KafkaError._AUTO_OFFSET_RESET))])
    with pytest.raises(KafkaException):
        one._told([Message(-1, error=KafkaError(KafkaError.FENCED_INSTANCE_ID, "fenced", True))])
