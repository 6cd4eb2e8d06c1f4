"""The numbered SQL of migrations/, each applied once, in order, in a transaction of its own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import psycopg

LOCK = 0x0DE6
"""Two that migrate at the same time go one after the other."""


class Outdated(Exception):
    """The database is not as this version of the service wants it."""


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    files = [file for file in resources.files("orders_service").joinpath("migrations").iterdir() if file.name.endswith(".sql")]
    found = [Migration(int(file.name.split("_")[0]), file.name, file.read_text()) for file in files]
    return sorted(found, key=lambda one: one.number)


def _applied(connection: psycopg.Connection) -> int:
    if connection.execute("SELECT to_regclass('schema_version')").fetchone() == (None,):
        return 0
    row = connection.execute("SELECT coalesce(max(number), 0) FROM schema_version").fetchone()
    return int(row[0]) if row else 0


def migrate(url: str) -> list[str]:
    """Gives the names of what was applied."""
    done = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version "
            "(number integer PRIMARY KEY, name text NOT NULL, applied timestamptz NOT NULL DEFAULT now())"
        )
        applied = _applied(connection)
        for one in migrations():
            if one.number > applied:
                with connection.transaction():
                    connection.execute(one.sql)
                    connection.execute("INSERT INTO schema_version (number, name) VALUES (%s, %s)", [one.number, one.name])
                done.append(one.name)
    return done


def check(connection: psycopg.Connection) -> None:
    """A newer database is fine: what is deployed before the service only adds."""
    applied, wanted = _applied(connection), migrations()[-1].number
    if applied < wanted:
        raise Outdated(f"cannot work with schema {applied}, {wanted} is needed: run `orders-service migrate`")
