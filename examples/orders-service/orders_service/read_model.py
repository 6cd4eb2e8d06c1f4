"""What the API asks of the database: the read model, the customers and the audit trail, by public ids, a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from orders_service.public_id import PublicId

Connection = psycopg.Connection[dict[str, Any]]
Row = dict[str, Any]

PAGE_MAX = 1000
COUNT_MAX = 100_000
COUNTED = {"orders": "order_overview", "customers": "customers WHERE NOT gone", "events": "event_store"}
SHOWN = ("number", "placedAt", "total", "status", "express", "due", "currency", "note")
"""Fields of an event's data that may leave. One that the bridge begins to publish is shown when somebody has looked at it."""

ORDERS = """
SELECT number, placed_at, total, status, express, due, currency, note, customer_id, customer_name, customer_country
FROM order_overview
"""
CUSTOMERS = "SELECT public_id AS id, name, country, version FROM customers WHERE NOT gone"
EVENTS = "SELECT event_id, aggregate_id, type, data, time, version, schema FROM event_store"


@dataclass(frozen=True)
class Page:
    rows: list[Row]
    next: str | None
    """What `after` is for the page behind this one."""


def _page(rows: list[Row], limit: int, key: str) -> Page:
    """One row more than wanted was asked for: whether there is a next page is known without counting."""
    more = len(rows) > limit
    kept = rows[:limit]
    return Page(kept, kept[-1][key] if more else None)


def orders(connection: Connection, limit: int, after: str, status: str | None = None, customer: str | None = None) -> Page:
    rows = connection.execute(
        ORDERS + "WHERE number > %(after)s AND (%(status)s::text IS NULL OR status = %(status)s) "
        "AND (%(customer)s::text IS NULL OR customer_id = %(customer)s) ORDER BY number LIMIT %(limit)s",
        {"after": after, "status": status, "customer": customer, "limit": limit + 1},
    ).fetchall()
    return _page(rows, limit, "number")


def order(connection: Connection, number: str) -> Row | None:
    return connection.execute(ORDERS + "WHERE number = %s", [number]).fetchone()


def customers(connection: Connection, limit: int, after: str) -> Page:
    rows = connection.execute(CUSTOMERS + " AND public_id > %s ORDER BY public_id LIMIT %s", [after, limit + 1]).fetchall()
    return _page(rows, limit, "id")


def customer(connection: Connection, public_id: str) -> Row | None:
    return connection.execute(CUSTOMERS + " AND public_id = %s", [public_id]).fetchone()


def events(connection: Connection, limit: int, after: str, public_id: PublicId) -> Page:
    rows = connection.execute(EVENTS + " WHERE event_id > %s ORDER BY event_id LIMIT %s", [after, limit + 1]).fetchall()
    return _page(_public(rows, public_id), limit, "event_id")


def events_of(connection: Connection, number: str, public_id: PublicId) -> list[Row]:
    rows = connection.execute(EVENTS + " WHERE aggregate_id = %s ORDER BY version", [number]).fetchall()
    return _public(rows, public_id)


def _public(rows: list[Row], public_id: PublicId) -> list[Row]:
    return [row | {"data": public_data(row["data"], public_id)} for row in rows]


def public_data(data: Row, public_id: Callable[[str], str]) -> Row:
    shown = {name: data[name] for name in SHOWN if name in data}
    if data.get("customer") is not None:
        shown["customer"] = public_id(str(data["customer"]))
    return shown


def numbers(connection: Connection) -> Row:
    """For the page: how many there are, counted to a bound, so that a large copy is not counted for everyone who looks."""
    counts = (
        f"(SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {COUNT_MAX + 1}) t) AS {name}" for name, table in COUNTED.items()
    )
    return connection.execute("SELECT " + ", ".join(counts)).fetchone() or {}
