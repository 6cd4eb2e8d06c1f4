"""What dev/demo.toml-template must publish, said a second time and independently: a row change → records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from decoding import Change, Row

Fields = dict[str, Any]
STATUS = {"N": "placed", "P": "paid", "S": "shipped", "X": "cancelled"}
BERLIN = ZoneInfo("Europe/Berlin")
CUSTOMER = '"cust_id"'
"""How the config tells the key of a customer. `customer_key` says the same a second time."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A record that must be there; no `type` and no `data`: a tombstone."""

    topic: str
    key: str
    type: str | None
    data: str | None
    change: int
    """Which change of its transaction told it, from 0."""


@dataclass(frozen=True)
class Entity:
    name: str
    table: str
    member: Callable[[Row], bool]
    fields: Callable[[Row], Fields]
    state_topic: str
    event_topic: str | None
    events: Callable[[Fields | None, Fields | None], list[str]]


def canonical(data: Fields) -> str:
    """Equal for equal documents: an instant may be written with more or fewer zeros."""
    if placed := data.get("placedAt"):
        instant = datetime.fromisoformat(placed).astimezone(UTC)
        data = data | {"placedAt": instant.isoformat()}
    return json.dumps(data, sort_keys=True, ensure_ascii=False)


def _text(row: Row, column: str) -> str:
    value = row[column]
    if value is None:
        raise ValueError(f"cannot be NULL: {column}")
    return value


@lru_cache(100_000)
def instant(local: str) -> str:
    """As PostgreSQL reads a local time: standard time where it comes twice, the offset before the gap where there is none."""
    first = datetime.fromisoformat(local).replace(tzinfo=BERLIN)
    both = (first, first.replace(fold=1))
    return min(both, key=lambda moment: moment.utcoffset() or timedelta()).astimezone(UTC).isoformat()


def _total(row: Row) -> str:
    cents = int(_text(row, "tot_ct"))
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


def customer_key(row: Row) -> int | str:
    return int(_text(row, "cust_id"))


def _order(row: Row) -> Fields:
    due = row.get("due_dt")
    express = row.get("exp_fl")
    return {
        "number": row["ord_no"],
        "placedAt": instant(_text(row, "crt_ts")),
        "total": _total(row),
        "status": STATUS[_text(row, "sts_cd")],
        "express": None if express is None else express == "Y",
        "due": None if due in ("0", "99991231", None) else f"{due[:4]}-{due[4:6]}-{due[6:]}",
        "customer": customer_key(row),
        "currency": _text(row, "cur").strip(" "),
        "note": row.get("rmk"),
    }


def _quote(row: Row) -> Fields:
    return {"number": row["ord_no"], "total": _total(row), "customer": customer_key(row)}


def _customer(row: Row) -> Fields:
    country = row["ctry"]
    return {
        "number": customer_key(row),
        "name": row["nm"],
        "country": None if country is None else country.rstrip(" "),
        "version": int(_text(row, "chg_no")),
    }


def _order_events(old: Fields | None, new: Fields | None) -> list[str]:
    if new is None:
        return ["OrderRemoved"]
    before, now = (old or {}).get("status"), new["status"]
    told = ["OrderPlaced"] if old is None else []
    if now == "paid" and before != "paid":
        told.append("OrderPaid")
    if old is not None and now == "shipped" and before != "shipped":
        told.append("OrderShipped")
    if old is not None and now == "cancelled" and before != "cancelled":
        told.append("OrderCancelled")
    return told


def _quote_events(old: Fields | None, new: Fields | None) -> list[str]:
    return ["QuoteGone"] if new is None else ["QuoteMade"] if old is None else ["QuoteChanged"]


def _kind(letter: str) -> Callable[[Row], bool]:
    return lambda row: row["ord_typ"] == letter and row["del_flg"] == "N"


ENTITIES = [
    Entity("Order", "public.ord_hdr", _kind("S"), _order, "shop.orders", "shop.order-events", _order_events),
    Entity("Quote", "public.ord_hdr", _kind("Q"), _quote, "shop.quotes", "shop.quote-events", _quote_events),
    Entity("Customer", "public.cust", lambda _: True, _customer, "shop.customers", None, lambda _old, _new: []),
]
TABLES = {entity.table for entity in ENTITIES}
TOPICS = [topic for entity in ENTITIES for topic in (entity.state_topic, entity.event_topic) if topic]
STATE_TOPICS = {entity.state_topic for entity in ENTITIES}


def _tell(entity: Entity, old: Fields | None, new: Fields | None, index: int) -> Iterator[Expected]:
    data = old if new is None else new
    if data is None or old == new:
        return
    key, told = str(data["number"]), canonical(data)
    if new is None:
        yield Expected(entity.state_topic, key, None, None, index)
    else:
        yield Expected(entity.state_topic, key, entity.name, told, index)
    if entity.event_topic:
        for event in entity.events(old, new):
            yield Expected(entity.event_topic, key, event, told, index)


def _keyed(change: Change, index: int) -> Iterator[Expected]:
    """`cust` logs the old row only as its key, and that only where it changes or the row goes."""
    entity = ENTITIES[2]
    if change.old is not None:
        yield Expected(entity.state_topic, str(customer_key(change.old)), None, None, index)
    if change.new is not None:
        data = entity.fields(change.new)
        yield Expected(entity.state_topic, str(data["number"]), entity.name, canonical(data), index)


def records(change: Change, index: int) -> Iterator[Expected]:
    if change.table == "public.cust":
        yield from _keyed(change, index)
        return
    for entity in ENTITIES:
        if entity.table != change.table:
            continue
        old = entity.fields(change.old) if change.old is not None and entity.member(change.old) else None
        new = entity.fields(change.new) if change.new is not None and entity.member(change.new) else None
        if old is not None and new is not None and old["number"] != new["number"]:
            yield from _tell(entity, old, None, index)
            yield from _tell(entity, None, new, index)
        else:
            yield from _tell(entity, old, new, index)
