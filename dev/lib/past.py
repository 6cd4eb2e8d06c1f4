"""Rows that were there before the bridge: what is to be told of them, and what of them is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from decoding import Row, Transaction
from shop import ENTITIES, STATE_TOPICS, canonical, records

CUSTOMERS = 300
"""Of each session."""
CUSTOMERS_UNKNOWN = 10

States = dict[tuple[str, str], str]
"""By topic and key, as a consumer of the state topics holds them."""


@dataclass(frozen=True)
class Keys:
    """The old rows of one session, which goes on changing them."""

    orders: list[str]
    customers: list[int]


def fill(connection: psycopg.Connection, session: int, orders: int) -> Keys:
    keys = Keys(
        [f"A-{session}-old{number}" for number in range(orders)],
        [session * 100_000_000 + 50_000_000 + number for number in range(CUSTOMERS)],
    )
    connection.execute(
        "INSERT INTO ord_hdr (ord_no, ord_typ, cust_id, sts_cd, tot_ct, exp_fl, due_dt, crt_ts, rmk, del_flg) "
        "SELECT no, (ARRAY['S','S','Q','I'])[1 + n %% 4], %s + n %% %s, (ARRAY['N','P','S','X'])[1 + n %% 4], n * 13, "
        "(ARRAY['Y','N',NULL])[1 + n %% 3], CASE n %% 3 WHEN 0 THEN 0 ELSE 20261231 END, timestamp '2024-10-27 01:30' + n * interval '7 min', "
        "CASE n %% 50 WHEN 0 THEN repeat('long ago ', 400) ELSE 'old ' || n END, CASE n %% 9 WHEN 0 THEN 'Y' ELSE 'N' END "
        "FROM unnest(%s::text[]) WITH ORDINALITY AS old(no, n)",
        # Nothing holds an order to a customer that is there: some of them never were.
        [keys.customers[0], CUSTOMERS + CUSTOMERS_UNKNOWN, keys.orders],
    )
    connection.execute(
        "INSERT INTO cust SELECT id, 'Old ' || n, 'DE' FROM unnest(%s::int[]) WITH ORDINALITY AS old(id, n)", [keys.customers]
    )
    return keys


def states(connection: psycopg.Connection) -> States:
    """What the tables hold now."""
    found: States = {}
    for entity in ENTITIES:
        names = [column.name for column in connection.execute(f"SELECT * FROM {entity.table} LIMIT 0").description or []]
        columns = ", ".join(f'"{name}"::text' for name in names)
        for values in connection.execute(f"SELECT {columns} FROM {entity.table}"):
            row: Row = dict(zip(names, values, strict=True))
            if entity.member(row):
                fields = entity.fields(row)
                found[entity.state_topic, str(fields["number"])] = canonical(fields)
    return found


def apply(held: States, transaction: Transaction) -> None:
    for index, change in enumerate(transaction.changes):
        for record in records(change, index):
            if record.topic in STATE_TOPICS:
                if record.data is None:
                    held.pop((record.topic, record.key), None)
                else:
                    held[record.topic, record.key] = record.data
