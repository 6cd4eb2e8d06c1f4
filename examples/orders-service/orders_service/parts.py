"""What the API works with, made once at the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from opentelemetry import trace
from psycopg_pool import ConnectionPool

from orders_service.consume import Halt
from orders_service.public_id import PublicId
from orders_service.settings import Settings
from orders_service.store import NOTICED
from orders_service.telemetry import Meters

Pool = ConnectionPool[psycopg.Connection[dict[str, Any]]]
CONNECTIONS_MAX = 8
CONNECTION_SECONDS_MAX = 3.0


@dataclass(frozen=True)
class Parts:
    settings: Settings
    pool: Pool
    meters: Meters
    tracer: trace.Tracer
    halt: Halt
    public_id: PublicId


def pool(url: str) -> Pool:
    """Of connections that cannot write: the copy is changed by the reading alone."""
    made: Pool = ConnectionPool(
        url,
        min_size=1,
        max_size=CONNECTIONS_MAX,
        timeout=CONNECTION_SECONDS_MAX,
        open=False,
        check=ConnectionPool.check_connection,
        kwargs={
            "autocommit": True,
            "row_factory": psycopg.rows.dict_row,
            **NOTICED,
            "application_name": "orders-service api",
            "options": "-c default_transaction_read_only=on -c timezone=UTC -c statement_timeout=5000",
        },
    )
    return made
