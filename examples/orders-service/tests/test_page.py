"""The page for people, and what of an event's data is public."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from orders_service.health import judge
from orders_service.page import ROWS, asked, render, routes
from orders_service.read_model import COUNT_MAX, Page, public_data
from tests.made import order, settings
from tests.test_health import GOOD

ROW = {
    "number": "A/1 <b>", "placed_at": datetime(2026, 11, 23, 8, 12, tzinfo=UTC), "status": "paid", "total": Decimal("1999.90"),
    "currency": "EUR", "customer_id": "cus_abc", "customer_name": "Zoë & Söhne", "due": date(2026, 12, 31),
    "note": "<script>" + "x" * 99,
}  # fmt: skip


def page(rows=(ROW,), follows=None, halted=None):
    return render(
        judge(GOOD, settings(), halted),
        Page(list(rows), follows),
        {"customers": 1234, "events": COUNT_MAX + 1},
        asked("paid", None),
        [],
    )


def test_values_are_text_and_no_markup():
    text = page(halted="because <i>")
    assert "<script" not in text
    assert "A/1 &lt;b&gt;" in text
    assert "because &lt;i&gt;" in text
    assert "Zoë &amp; Söhne" in text
    assert 'href="orders/A/1%20%3Cb%3E"' in text


def test_it_says_how_the_copy_is():
    assert 'class="good">Ready' in page()
    assert 'class="bad">Ready' in page(halted="x"), "the copy can be asked, and grows old"
    assert "1,999.90 EUR" in page()
    assert "<dt>customers</dt><dd>1,234<" in page()
    assert "<dt>events</dt><dd>more than 100,000<" in page()


def test_the_next_page_keeps_what_was_asked():
    assert f'<a href="?status=paid&amp;after=A-9">next {ROWS}</a>' in page(follows="A-9")
    assert ">next" not in page()
    assert ">none<" in page(rows=())


def test_it_names_what_else_can_be_asked():
    document = {
        "paths": {"/orders": {"get": {"summary": "Orders", "description": "Orders, by number.\nMore."}}, "/x": {"post": {}}}
    }
    assert routes(document) == [("/orders", "Orders, by number.")]


def test_an_event_shows_what_is_known_to_be_public():
    data = order(customer=7, internalCost="3.20")
    shown = public_data(data, lambda key: f"cus_{key}")
    assert shown["customer"] == "cus_7"
    assert "internalCost" not in shown
    assert shown["total"] == "19.90"
    assert public_data({"number": "A-1", "customer": None}, str) == {"number": "A-1"}
