"""The read model follows the copy: orders and their customers, from two topics that nothing orders with each other.

An order may come before its customer, after it, or without one. So whichever of the two changes, the rows that show it are made
again from both. Where two instances apply an order and its customer at the same time, neither would see the other's row: so each
takes a lock first. The one that gets it later looks after the other has committed, and sees both."""

from __future__ import annotations

import psycopg

LOCK = 0x0DE7
"""Any number that no other use of advisory locks in this database takes."""

GONE = """
DELETE FROM order_overview USING orders
WHERE orders.number = order_overview.number AND orders.gone AND orders.number = ANY(%(orders)s)
"""

PRESENT = """
INSERT INTO order_overview
    (number, placed_at, total, status, express, due, currency, note, customer_id, customer_name, customer_country)
SELECT o.number, o.placed_at, o.total, o.status, o.express, o.due, o.currency, o.note, o.customer_id, c.name, c.country
FROM orders o LEFT JOIN customers c ON c.key = o.customer AND NOT c.gone
WHERE NOT o.gone AND (o.number = ANY(%(orders)s) OR o.customer = ANY(%(customers)s))
ON CONFLICT (number) DO UPDATE SET
    placed_at = excluded.placed_at, total = excluded.total, status = excluded.status, express = excluded.express,
    due = excluded.due, currency = excluded.currency, note = excluded.note, customer_id = excluded.customer_id,
    customer_name = excluded.customer_name, customer_country = excluded.customer_country
"""


def follow(connection: psycopg.Connection, orders: list[str], customers: list[str]) -> None:
    """In the transaction that changed these keys of the copy, as its last step. READ COMMITTED: each statement looks anew."""
    if not orders and not customers:
        return
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    keys = {"orders": orders, "customers": customers}
    connection.execute(GONE, keys)
    connection.execute(PRESENT, keys)
