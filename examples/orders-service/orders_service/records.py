"""A record of Kafka to what it tells, or a refusal that names its place and none of its values. No I/O."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import ValidationError

from orders_service.contract import Customer, Order
from orders_service.load import Mark, Phase
from orders_service.settings import Settings

SEQUENCE = re.compile(r"[0-9A-F]{4}-[0-9A-F]{16}-[0-9A-F]{8}-[0-9A-F]{2}")
"""Of fixed width, so it sorts as text; the epoch stands first, so everything of a new history sorts behind the old one."""


@dataclass(frozen=True, slots=True)
class Place:
    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Poison(Exception):
    """A record that cannot be understood. To pass over it would be a silent gap, so the reading stops in front of it."""

    def __init__(self, place: Place, why: str) -> None:
        super().__init__(f"cannot apply the record at {place}: {why}")
        self.place, self.why = place, why


@dataclass(frozen=True, slots=True)
class Raw:
    """A record as Kafka hands it over."""

    place: Place
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class Kind(Enum):
    """Which of the copies a state belongs to."""

    ORDER = "Order"
    CUSTOMER = "Customer"


@dataclass(frozen=True, slots=True)
class State:
    """An entity as it is now; without data it is gone."""

    kind: Kind
    key: str
    sequence: str
    time: str
    data: Order | Customer | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as the audit trail keeps it."""

    id: str
    aggregate_id: str
    type: str
    schema: str | None
    time: str
    document: str
    """The whole record; PostgreSQL takes its `data` out, so that no number is read and written here."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Changes that no event will ever tell: an operator accepted a new history of the source."""

    id: str
    entity: str
    time: str
    since: str | None
    until: str
    reason: str


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A control record of a kind that is newer than this service."""

    type: str


Told = State | Event | Mark | Gap | PassedOver


class Reading:
    """Knows which topic tells what."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.type_prefix
        self._states = {settings.orders_topic: Kind.ORDER, settings.customers_topic: Kind.CUSTOMER}
        self._models: dict[Kind, type[Order] | type[Customer]] = {Kind.ORDER: Order, Kind.CUSTOMER: Customer}

    def read(self, raw: Raw) -> Told:
        try:
            if raw.key is None:
                raise ValueError("it has no key")
            key = raw.key.decode()
            kind = self._states.get(raw.place.topic)
            if raw.value is None:
                return self._tombstone(kind, key, raw.headers)
            text = raw.value.decode()
            document = json.loads(text)
            if not isinstance(document, dict):
                raise ValueError("the value is no JSON object")
            told = self._control(raw.place, key, document) or self._row(kind, key, document, text)
        except ValidationError as error:
            raise Poison(raw.place, _fields(error)) from None
        except json.JSONDecodeError:
            raise Poison(raw.place, "the value is no JSON") from None
        except UnicodeDecodeError:
            raise Poison(raw.place, "it is no UTF-8") from None
        except ValueError as error:
            raise Poison(raw.place, str(error)) from None
        else:
            return told

    def _tombstone(self, kind: Kind | None, key: str, headers: dict[str, bytes]) -> State:
        if kind is None:
            raise ValueError("a tombstone in a topic of events")
        told = {name: content.decode() for name, content in headers.items() if name.startswith("ce_")}
        # The entity's name, whatever type_prefix is.
        if told.get("ce_type") != kind.value:
            raise ValueError(f"a tombstone without ce_type {kind.value}")
        return State(kind, key, _sequence(told.get("ce_sequence")), _text(told, "ce_time"), None)

    def _row(self, kind: Kind | None, key: str, document: dict[str, Any], text: str) -> State | Event:
        type_, data = _text(document, "type"), _data(document)
        sequence, time = _sequence(document.get("sequence")), _text(document, "time")
        if kind is None:
            return Event(sequence, key, type_, document.get("dataschema"), time, text)
        if type_ != self._prefix + kind.value:
            raise ValueError(f"its type is not {self._prefix}{kind.value}")
        state = self._models[kind].model_validate(data)
        if state.number != key:
            raise ValueError("its key is not the number in its data")
        return State(kind, key, sequence, time, state)

    def _control(self, place: Place, key: str, document: dict[str, Any]) -> Mark | Gap | PassedOver | None:
        """What tells of the entity's stream and of no row: its key is its type, and its subject is the entity."""
        type_ = _text(document, "type")
        entity, dot, word = key.rpartition(".")
        if not dot or type_ != self._prefix + key or entity != document.get("subject"):
            return None
        sequence, data = _sequence(document.get("sequence")), _data(document)
        if word == "backfill":
            phase, generation = Phase(_text(data, "phase")), data.get("generation")
            if not isinstance(generation, int):
                raise ValueError("generation is no number")
            return Mark(place.topic, place.partition, sequence, phase, generation, data.get("where") is True)
        if word == "gap":
            since = data.get("from")
            if not (since is None or isinstance(since, str)):
                raise ValueError("from is no text")
            return Gap(sequence, entity, _text(document, "time"), since, _text(data, "to"), _text(data, "reason"))
        return PassedOver(type_)


def _data(document: dict[str, Any]) -> dict[str, Any]:
    data = document.get("data")
    if not isinstance(data, dict):
        raise ValueError("data is no JSON object")
    return data


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _sequence(value: object) -> str:
    if not (isinstance(value, str) and SEQUENCE.fullmatch(value)):
        raise ValueError("its sequence has not the form 0001-000000016B374800-00000003-01")
    return value


def _fields(error: ValidationError) -> str:
    """Where and why, without the values, which pydantic would show."""
    return "; ".join(f"data.{'.'.join(map(str, one['loc']))}: {one['type']}" for one in error.errors(include_input=False))
