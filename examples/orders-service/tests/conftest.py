"""Servers for the tests that need them: WALBRIDGE_TEST_PG and WALBRIDGE_TEST_KAFKA, as `dev/test orders-service` sets them."""

from __future__ import annotations

import os
import uuid

import psycopg
import pytest
from psycopg.rows import dict_row

from orders_service import schema


def _surroundings(name):
    value = os.environ.get(name)
    if value is None:
        pytest.skip(f"{name} is not set")
    return value


@pytest.fixture
def empty_database():
    """The address of a database of this test's own."""
    server = _surroundings("WALBRIDGE_TEST_PG")
    name = f"orders_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield psycopg.conninfo.make_conninfo(server, dbname=name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(empty_database):
    schema.migrate(empty_database)
    return empty_database


@pytest.fixture
def query(database):
    """Asks the database beside the service."""
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        yield lambda sql, *values: connection.execute(sql, values).fetchall()


@pytest.fixture
def brokers():
    return _surroundings("WALBRIDGE_TEST_KAFKA")
