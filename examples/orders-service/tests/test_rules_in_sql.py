"""Against a PostgreSQL: the SQL that docs/consumers.md shows keeps the rules that it states."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from tests.made import TIME, sequence

PAGE = Path(__file__).parents[3] / "docs" / "consumers.md"


@pytest.fixture
def run(empty_database):
    """The statements of the page by name, on the tables of the page."""
    if not PAGE.exists():
        pytest.skip("the page belongs to the project that this folder was taken from")
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    statements = {
        name: [sql for sql in blocks if f"INSERT INTO {name}" in sql] for name in ("read_position", "orders", "event_store")
    }
    assert all(len(found) == 1 for found in statements.values())
    (tables,) = (sql for sql in blocks if "CREATE TABLE" in sql)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(tables)
        for name, (sql,) in statements.items():
            connection.execute(f"PREPARE one_{name} AS {sql}")

        def executed(name, *values):
            cursor = psycopg.ClientCursor(connection)
            return cursor.execute(f"EXECUTE one_{name} ({', '.join(['%s'] * len(values))})", values)

        executed.ask = lambda sql: connection.execute(sql).fetchall()
        yield executed


def test_a_partition_is_claimed_by_whoever_knows_where_it_stands(run):
    assert run("read_position", "shop.orders", 0, 5, -1).fetchall() == [(5,)]
    assert run("read_position", "shop.orders", 0, 9, -1).fetchall() == [], "this reader was not the first"
    assert run("read_position", "shop.orders", 0, 9, 5).fetchall() == [(9,)]
    assert run("read_position", "shop.orders", 0, 8, 5).fetchall() == [], "another one has read on"


def test_rows_are_guarded_and_deletes_too(run):
    run("orders", "A-1", False, "19.90", "paid", sequence(5))
    run("orders", "A-1", False, "1.00", "placed", sequence(4))
    run("orders", "A-1", False, "2.00", "placed", sequence(5))
    assert run.ask("SELECT status, total::text FROM orders") == [("paid", "19.90")]
    run("orders", "A-1", True, None, None, sequence(6))
    run("orders", "A-1", False, "19.90", "paid", sequence(5))
    assert run.ask("SELECT gone FROM orders") == [(True,)]
    run("orders", "A-1", False, "3.00", "placed", sequence(1, epoch=2))
    assert run.ask("SELECT gone, status FROM orders") == [(False, "placed")]


def test_an_event_is_stored_once(run):
    for _ in range(2):
        run("event_store", sequence(1), "A-1", "OrderPaid", "{}", TIME)
    assert run.ask("SELECT count(*) FROM event_store") == [(1,)]


def test_sequences_are_compared_byte_by_byte(run):
    columns = run.ask(
        "SELECT attname FROM pg_attribute a JOIN pg_collation c ON c.oid = attcollation "
        "WHERE collname = 'C' AND attrelid = ANY(ARRAY['orders', 'event_store']::regclass[]) ORDER BY 1"
    )
    assert columns == [("event_id",), ("number",), ("sequence",)]
