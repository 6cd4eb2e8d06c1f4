"""Against a PostgreSQL: what the API shows, and what it never shows."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pytest

from orders_service import apply
from orders_service.public_id import customer_ids
from orders_service.records import Reading
from orders_service.store import Store
from tests import asking
from tests.made import CUSTOMERS, EVENTS, ORDERS, SECRET, customer, mark, order, record, sequence, settings, tombstone

IDS = customer_ids(settings())
INTERNAL = 424242
"""The legacy's number of a customer."""


def give(url, *raws):
    store = Store(url, IDS)
    for topic in (ORDERS, EVENTS, CUSTOMERS):
        store.know(topic, "id", 1)
    made = apply.batch((raw.place, Reading(settings()).read(raw)) for raw in raws)
    store.apply(made, store.positions(made.next_offsets))
    everywhere = store.positions([(topic, 0) for topic in (ORDERS, EVENTS, CUSTOMERS)])
    store.freshen(dict.fromkeys(everywhere, time.time()), everywhere)
    store.close()


@pytest.fixture
def client(database):
    with asking.client(settings(database_url=database, age_seconds_max=3)) as (one, _):
        yield one


@pytest.fixture
def shop(database):
    orders = [record(ORDERS, "Order", f"A-{n}", sequence(n), order(f"A-{n}", customer=INTERNAL)) for n in range(1, 8)]
    events = [
        record(EVENTS, kind, "A-1", sequence(n), order("A-1", customer=INTERNAL))
        for n, kind in ((1, "OrderPlaced"), (9, "OrderPaid"))
    ]
    give(
        database, *orders, *events, record(CUSTOMERS, "Customer", str(INTERNAL), sequence(1), customer(INTERNAL)),
        record(ORDERS, "Order", "B/1 ü", sequence(20), order("B/1 ü", status="placed", customer=99, note="n")),
        tombstone(ORDERS, "Order", "A-3", sequence(30)),
        record(CUSTOMERS, "Customer", "8", sequence(1), customer(8)), tombstone(CUSTOMERS, "Customer", "8", sequence(2)),
    )  # fmt: skip


def pages(client, path, limit=2, **asked):
    items, after = [], ""
    while after is not None:
        answer = client.get(path, limit=limit, after=after, **asked).json()
        items += answer["items"]
        assert 0 < len(answer["items"]) <= limit or not items, "a page that says there is more is followed by some"
        after = answer["next"]
    return items


@pytest.mark.usefixtures("shop")
def test_orders_are_shown_with_their_customers_a_page_at_a_time(client):
    found = pages(client, "/orders")
    assert [one["number"] for one in found] == ["A-1", "A-2", "A-4", "A-5", "A-6", "A-7", "B/1 ü"]
    known = {"id": IDS(str(INTERNAL)), "name": "Zoë", "country": "DE"}
    assert found[0] == {
        "number": "A-1", "placedAt": "2026-11-23T08:12:00Z", "total": "19.90", "status": "paid", "express": True,
        "due": "2026-12-31", "currency": "EUR", "note": None, "customer": known,
    }  # fmt: skip
    assert found[-1]["customer"] == {"id": IDS("99"), "name": None, "country": None}, "a customer that never came"
    assert pages(client, "/orders", limit=7) == found
    assert [one["number"] for one in pages(client, "/orders", status="placed")] == ["B/1 ü"]
    assert len(pages(client, "/orders", customer=IDS(str(INTERNAL)))) == 6
    assert pages(client, "/orders", customer=str(INTERNAL)) == []


@pytest.mark.usefixtures("shop")
def test_one_thing_is_found_by_its_public_id(client):
    assert client.get("/orders/B%2F1%20%C3%BC").json()["note"] == "n"
    assert client.get("/orders/A-3").status == 404, "it is gone"
    assert client.get(f"/customers/{IDS(str(INTERNAL))}").json() == {
        "id": IDS(str(INTERNAL)), "name": "Zoë", "country": "DE", "version": 1,
    }  # fmt: skip
    assert client.get(f"/customers/{INTERNAL}").status == 404
    assert [one["id"] for one in pages(client, "/customers")] == [IDS(str(INTERNAL))]


@pytest.mark.usefixtures("shop")
def test_the_audit_trail_is_told(client):
    of_one = client.get("/orders/A-1/events").json()
    assert [(one["version"], one["type"]) for one in of_one] == [(1, "OrderPlaced"), (2, "OrderPaid")]
    assert of_one[0]["order"] == "A-1"
    assert of_one[0]["data"]["customer"] == IDS(str(INTERNAL))
    assert pages(client, "/events") == of_one
    assert client.get("/orders/nobody/events").json() == []


@pytest.mark.usefixtures("shop")
def test_no_answer_shows_an_internal_number(client):
    paths = ["/", "/orders", "/orders/A-1", "/orders/A-1/events", "/customers", f"/customers/{IDS(str(INTERNAL))}", "/events"]
    for path in [*paths, "/health", "/readyz", "/livez", "/metrics", "/openapi.json"]:
        answer = client.get(path)
        assert answer.status in {200, 503}, path
        assert str(INTERNAL) not in answer.text, path


@pytest.mark.usefixtures("shop")
def test_the_page_counts_what_is_there(client):
    text = client.get("/").text
    for name, count in (("orders", 7), ("customers", 1), ("events", 2)):
        assert f"<dt>{name}</dt><dd>{count}</dd>" in text
    assert "B/1 ü" in text
    assert "GET /orders/{number}" in text


def test_questions_are_bounded(client):
    assert client.get("/orders", limit=1001).status == 422
    assert client.get("/orders", limit=0).status == 422
    assert client.get("/nowhere").status == 404
    for path in ("/orders/%00", "/orders/%00/events", "/customers/%00"):
        assert client.get(path).status == 422, path
    assert client.get("/orders", status="\0").status == 422
    assert client.get("/events", after="\0").status == 422


def test_a_copy_is_ready_when_it_is_whole_and_while_it_is_fresh(client, database, query):
    assert client.get("/readyz").status == 503
    give(
        database, *(mark(entity, topic, sequence(9), "complete") for entity, topic in (("Order", ORDERS), ("Customer", CUSTOMERS)))
    )
    assert client.get("/readyz").json()["why_not"] == []
    assert client.get("/readyz").status == 200
    assert client.get("/health").json()["initial_load"] == "complete"
    assert "orders_initial_load_complete 1.0" in client.get("/metrics").text
    assert 'class="good">Ready' in client.get("/").text
    query("UPDATE read_position SET fresh_at = fresh_at - interval '1 minute' RETURNING 1")
    assert client.get("/readyz").json()["why_not"] == ["the copy is older than 3 s"]
    assert client.get("/readyz").status == 503
    assert client.get("/livez").status == 200


def test_the_api_cannot_write(database):
    with (
        asking.client(settings(database_url=database)) as (_, parts),
        parts.pool.connection() as connection,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        connection.execute("DELETE FROM orders")


def test_without_its_database_the_api_says_so(brokers):
    """A broker listens there, and does not speak PostgreSQL."""
    host, port = brokers.split(":")
    with asking.client(settings(database_url=f"postgresql://nobody@{host}:{port}/x?sslmode=disable")) as (client, _):
        answer = client.get("/orders")
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert client.get("/livez").status == 200
        assert "orders_copy_age_seconds NaN" in client.get("/metrics").text


def test_answers_are_measured_by_route(client):
    client.get("/orders/A-1")
    text = client.get("/metrics").text
    assert 'orders_http_seconds_count{method="GET",route="/orders/{number:path}",status="404"} 1.0' in text


def test_the_process_stops_in_order_and_says_what_is_wrong(database, brokers):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    surroundings = os.environ | {
        "ORDERS_DATABASE_URL": database, "ORDERS_KAFKA_BROKERS": brokers, "ORDERS_PUBLIC_ID_SECRET": SECRET,
        "ORDERS_LISTEN_PORT": str(port), "ORDERS_ORDERS_TOPIC": "topic.of.nobody",
    }  # fmt: skip
    command, here = [sys.executable, "-m", "orders_service"], Path(__file__).parents[1]
    process = subprocess.Popen([*command, "run"], env=surroundings, cwd=here, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                assert json.load(answer)["ready"] is False
                break
        except urllib.error.URLError:
            time.sleep(0.1)
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0, log
    assert time.monotonic() - begin < 15
    assert all(json.loads(line)["message"] for line in log.splitlines())
    assert SECRET not in log
    wrong = subprocess.run(
        [*command, "run"], env=surroundings | {"ORDERS_PUBLIC_ID_SECRET": "x"}, cwd=here, capture_output=True, text=True
    )
    assert (wrong.returncode, "at least 16 bytes" in wrong.stderr) == (2, True)
    lost = subprocess.run([*command, "rewind", "nothing"], env=surroundings, cwd=here, capture_output=True, text=True)
    assert (lost.returncode, "no topic of this service is called nothing" in lost.stderr) == (2, True)
