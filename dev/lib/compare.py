"""The service's copy beside the legacy tables, row by row, through the service's API."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import past
from decoding import Transaction
from orders import CUSTOMER_IDS, SECRET, Orders
from shop import canonical, records

ORDERS, CUSTOMERS, EVENTS = "shop.orders", "shop.customers", "shop.order-events"
EXAMPLES_MAX = 5
Rows = dict[str, str]
"""Of each key what is held under it, as text that is equal where the things are."""


@dataclass
class Comparison:
    rows: dict[str, int] = field(default_factory=dict)
    """Of each list, how many the legacy database says there are."""
    differing: int = 0
    examples: list[str] = field(default_factory=list)

    def compare(self, name: str, wanted: Rows, held: Rows, twice: int) -> None:
        self.rows[name] = len(wanted)
        wrong = [key for key in wanted.keys() | held.keys() if wanted.get(key) != held.get(key)]
        self.differing += len(wrong) + twice
        for key in wrong[:EXAMPLES_MAX]:
            self.examples.append(f"{name} {key}: source {wanted.get(key)}, copy {held.get(key)}"[:400])
        if twice:
            self.examples.append(f"{name}: {twice} are told twice")


def public_id(key: str) -> str:
    """As the service makes it, said a second time."""
    if CUSTOMER_IDS == "published":
        return key
    digest = hmac.new(SECRET.encode(), b"customer\0" + key.encode(), hashlib.sha256).digest()
    return "cus_" + base64.b32encode(digest).decode().lower()[:20]


def compare(service: Orders, tables: past.States, history: Iterable[Transaction]) -> Comparison:
    """`tables`: what the legacy tables hold now; `history`: what was committed since the bridge was set up."""
    found = Comparison()
    sources = {"orders": _orders(tables), "customers": _customers(tables), "events": _events(history)}
    for name, wanted in sources.items():
        held: Rows = {}
        twice = 0
        for row in service.rows(name):
            key = str(row["number"] if name == "orders" else row["id"] if name == "customers" else f"{row['order']} #{row['version']}")
            twice += key in held
            held[key] = canonical(_told(row)) if name == "events" else canonical(row)
        found.compare(name, wanted, held, twice)
    return found


def _told(event: dict[str, Any]) -> dict[str, Any]:
    return {"type": event["type"], "data": canonical(event["data"])}


def _outside(data: dict[str, Any]) -> dict[str, Any]:
    return data | {"customer": public_id(str(data["customer"]))}


def _orders(tables: past.States) -> Rows:
    rows: Rows = {}
    for (topic, number), text in tables.items():
        if topic == ORDERS:
            data = json.loads(text)
            key = str(data["customer"])
            of = json.loads(tables.get((CUSTOMERS, key), "{}"))
            customer = {"id": public_id(key), "name": of.get("name"), "country": of.get("country")}
            rows[number] = canonical(data | {"customer": customer})
    return rows


def _customers(tables: past.States) -> Rows:
    rows: Rows = {}
    for (topic, key), text in tables.items():
        if topic == CUSTOMERS:
            data = json.loads(text)
            rows[public_id(key)] = canonical({"id": public_id(key), "name": data["name"], "country": data["country"], "version": data["version"]})
    return rows


def _events(history: Iterable[Transaction]) -> Rows:
    """What happened to each order, counted from 1."""
    told: dict[str, int] = defaultdict(int)
    rows: Rows = {}
    for transaction in history:
        for index, change in enumerate(transaction.changes):
            for record in records(change, index):
                if record.topic == EVENTS and record.data is not None:
                    told[record.key] += 1
                    data = canonical(_outside(json.loads(record.data)))
                    rows[f"{record.key} #{told[record.key]}"] = canonical({"type": record.type, "data": data})
    return rows
