"""The HTTP API: JSON for programs, one page for people, and what machines ask about health."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from orders_service import health, page, read_model
from orders_service.parts import Parts
from orders_service.read_model import PAGE_MAX, Connection, Row

router = APIRouter()
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
After = Annotated[str, Query(description="`next` of the page before")]


class Shown(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class CustomerOfOrder(Shown):
    id: str
    name: str | None
    country: str | None


class Order(Shown):
    number: str
    placed_at: datetime
    total: Decimal
    status: str
    express: bool | None
    due: date | None
    currency: str
    note: str | None
    customer: CustomerOfOrder


class Customer(Shown):
    id: str
    name: str
    country: str | None
    version: int


class Event(Shown):
    id: str
    order: str
    type: str
    data: dict[str, Any]
    time: datetime
    version: int
    schema_name: str | None


class Orders(Shown):
    items: list[Order]
    next: str | None


class Customers(Shown):
    items: list[Customer]
    next: str | None


class Events(Shown):
    items: list[Event]
    next: str | None


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _connection(parts: Annotated[Parts, Depends(_parts)]) -> Iterator[Connection]:
    with parts.pool.connection() as connection:
        yield connection


With = Annotated[Parts, Depends(_parts)]
Database = Annotated[Connection, Depends(_connection)]


def _order(row: Row) -> Order:
    one = CustomerOfOrder(id=row["customer_id"], name=row["customer_name"], country=row["customer_country"])
    return Order(customer=one, **{name: row[name] for name in Order.model_fields if name != "customer"})


def _event(row: Row) -> Event:
    return Event(
        id=row["event_id"], order=row["aggregate_id"], type=row["type"], data=row["data"], time=row["time"],
        version=row["version"], schema_name=row["schema"],
    )  # fmt: skip


@router.get("/orders")
def orders(
    database: Database, limit: Limit = 100, after: After = "", status: str | None = None, customer: str | None = None
) -> Orders:
    """Orders with their customers, by number."""
    found = read_model.orders(database, limit, after, status, customer)
    return Orders(items=[_order(row) for row in found.rows], next=found.next)


@router.get("/orders/{number:path}/events")
def order_events(database: Database, parts: With, number: str) -> list[Event]:
    """What happened to an order, from its first event on; also where the order is gone."""
    return [_event(row) for row in read_model.events_of(database, number, parts.public_id)]


@router.get("/orders/{number:path}")
def order(database: Database, number: str) -> Order:
    """One order with its customer."""
    row = read_model.order(database, number)
    if row is None:
        raise HTTPException(404, "no such order")
    return _order(row)


@router.get("/customers")
def customers(database: Database, limit: Limit = 100, after: After = "") -> Customers:
    """Customers, by public id."""
    found = read_model.customers(database, limit, after)
    return Customers(items=[Customer(**row) for row in found.rows], next=found.next)


@router.get("/customers/{public_id:path}")
def customer(database: Database, public_id: str) -> Customer:
    """One customer."""
    row = read_model.customer(database, public_id)
    if row is None:
        raise HTTPException(404, "no such customer")
    return Customer(**row)


@router.get("/events")
def events(database: Database, parts: With, limit: Limit = 100, after: After = "") -> Events:
    """The audit trail of all orders, by id: in the order of the source's commits."""
    found = read_model.events(database, limit, after, parts.public_id)
    return Events(items=[_event(row) for row in found.rows], next=found.next)


@router.get("/health")
def health_(database: Database, parts: With) -> health.Health:
    """How old the copy is, and whether it is whole."""
    return health.judge(health.facts(database), parts.settings, parts.halt.why)


@router.get("/livez")
def livez() -> PlainTextResponse:
    """The process answers. A reading that halted is no reason to start it again: it would halt again."""
    return PlainTextResponse("ok")


@router.get("/readyz")
def readyz(database: Database, parts: With) -> JSONResponse:
    """200 where the copy is whole and young enough to be asked."""
    told = health.judge(health.facts(database), parts.settings, parts.halt.why)
    return JSONResponse(told.model_dump(mode="json"), 200 if told.ready else 503)


@router.get("/metrics", include_in_schema=False)
def metrics(parts: With) -> Response:
    """Answers without a database, too: then the copy's age is not known."""
    age, complete = float("nan"), False
    with contextlib.suppress(psycopg.OperationalError), parts.pool.connection() as connection:
        told = health.judge(health.facts(connection), parts.settings, parts.halt.why)
        age, complete = age if told.age_seconds is None else told.age_seconds, told.initial_load == "complete"
    parts.meters.copy_age_seconds.set(age)
    parts.meters.load_complete.set(complete)
    return Response(generate_latest(parts.meters.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/", include_in_schema=False)
def front(
    request: Request, database: Database, parts: With, after: After = "", status: str | None = None, customer: str | None = None
) -> HTMLResponse:
    told = health.judge(health.facts(database), parts.settings, parts.halt.why)
    found = read_model.orders(database, page.ROWS, after, status or None, customer or None)
    text = page.render(told, found, read_model.numbers(database), page.asked(status, customer), page.routes(request.app.openapi()))
    return HTMLResponse(text, headers={"Content-Security-Policy": page.POLICY, "X-Content-Type-Options": "nosniff"})
