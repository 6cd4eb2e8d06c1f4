"""Shows that the comparison of a copy can fail: a service that tells the tables as they are, spoiled in each way it must find."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, cast

import past
from compare import Comparison, compare, public_id
from decoding import Transaction
from orders import Orders
from shop import canonical, records

Lists = dict[str, list[dict[str, Any]]]


class Told:
    """A service of which nothing but its lists is there."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        yield from self.lists[name]


def _tables(history: list[Transaction]) -> past.States:
    tables = past.States()
    for transaction in history:
        past.apply(tables, transaction)
    # One with a customer, who has a country.
    order = {
        "number": "Z-1", "placedAt": "2026-03-29T01:30:00+00:00", "total": "1.00", "status": "paid", "express": None,
        "due": None, "customer": 1, "currency": "EUR", "note": "n",
    }  # fmt: skip
    tables["shop.orders", "Z-1"] = canonical(order)
    return tables


def _sound(tables: past.States, history: list[Transaction]) -> Lists:
    lists: Lists = {"orders": [], "customers": [], "events": []}
    for (topic, key), text in tables.items():
        data = json.loads(text)
        if topic == "shop.customers":
            told = {name: data[name] for name in ("name", "country", "version")}
            lists["customers"].append({"id": public_id(key), **told})
        elif topic == "shop.orders":
            of = json.loads(tables.get(("shop.customers", str(data["customer"])), "{}"))
            customer = {"id": public_id(str(data["customer"])), "name": of.get("name"), "country": of.get("country")}
            # The same instant as the API writes it.
            placed = data["placedAt"].replace("+00:00", "Z")
            lists["orders"].append({**data, "placedAt": placed, "customer": customer})
    versions: dict[str, int] = {}
    for transaction in history:
        for index, change in enumerate(transaction.changes):
            for record in records(change, index):
                if record.topic == "shop.order-events" and record.data is not None:
                    data = json.loads(record.data)
                    data["customer"] = public_id(str(data["customer"]))
                    versions[record.key] = versions.get(record.key, 0) + 1
                    event = {"order": record.key, "version": versions[record.key], "type": record.type, "data": data}
                    lists["events"].append(event)
    return lists


def _surrogate(lists: Lists) -> None:
    lists["customers"][0]["id"] = "1"


SPOILED: list[tuple[str, Callable[[Lists], object]]] = [
    ("an order is missing", lambda lists: lists["orders"].pop()),
    ("an order that is gone is still there", lambda lists: lists["orders"].append({**lists["orders"][0], "number": "A-4"})),
    ("an order is there twice", lambda lists: lists["orders"].append(lists["orders"][0])),
    ("an order has an older value", lambda lists: lists["orders"][0].update(status="placed")),
    ("an amount lost a digit", lambda lists: lists["orders"][0].update(total="19.9")),
    ("an order shows another customer's name", lambda lists: lists["orders"][-1]["customer"].update(name="Zoé")),
    ("a customer is missing", lambda lists: lists["customers"].pop()),
    ("a customer has an older value", lambda lists: lists["customers"][0].update(version=-1)),
    ("a customer shows the legacy's number", _surrogate),
    ("an event is missing", lambda lists: lists["events"].pop()),
    ("an event is there twice", lambda lists: lists["events"].append(lists["events"][0])),
    ("an event has another type", lambda lists: lists["events"][0].update(type="OrderPaid")),
    ("an event has another value", lambda lists: lists["events"][0]["data"].update(note="x")),
]  # fmt: skip


def _compared(lists: Lists, tables: past.States, history: list[Transaction]) -> Comparison:
    return compare(cast(Orders, Told(lists)), tables, history)


def checks(history: list[Transaction]) -> Iterator[tuple[str, bool]]:
    tables = _tables(history)
    sound = _compared(_sound(tables, history), tables, history)
    yield "\n    ".join(["a sound copy", *sound.examples]), sound.differing == 0 and min(sound.rows.values()) >= 30
    for name, spoil in SPOILED:
        lists = _sound(tables, history)
        spoil(lists)
        found = _compared(lists, tables, history)
        yield f"{name}: {found.examples}", found.differing > 0
