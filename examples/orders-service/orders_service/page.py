"""The page for people: how the copy is, its orders, and what else can be asked. No script, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from importlib import resources
from string import Template
from typing import Any
from urllib.parse import quote, urlencode

from orders_service.health import Health
from orders_service.read_model import COUNT_MAX, Page, Row

ROWS = 25
NOTE_LETTERS_MAX = 60
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
PAGE = Template(resources.files("orders_service").joinpath("page.html").read_text())
Asked = dict[str, str]
Route = tuple[str, str]


def asked(status: str | None, customer: str | None) -> Asked:
    return {name: value for name, value in (("status", status), ("customer", customer)) if value}


def routes(openapi: dict[str, Any]) -> list[Route]:
    """Path and first line of each."""
    told = [(path, one["get"]) for path, one in openapi["paths"].items() if "get" in one]
    return [(path, (one.get("description") or one["summary"]).splitlines()[0]) for path, one in told]


def render(health: Health, orders: Page, numbers: Row, filters: Asked, told: list[Route]) -> str:
    good = health.ready and health.halted is None
    more = ""
    if orders.next is not None:
        more = f'<a href="?{escape(urlencode(filters | {"after": orders.next}))}">next {ROWS}</a>'
    return PAGE.substitute(
        tone="good" if good else "bad",
        verdict=escape(_verdict(health)),
        figures=_figures(health, numbers),
        status=escape(filters.get("status", "")),
        customer=escape(filters.get("customer", "")),
        rows="\n".join(map(_row, orders.rows)) or '<tr><td colspan="7" class="soft">none</td></tr>',
        more=more,
        routes="\n".join(f"<tr><td><code>GET {escape(path)}</code></td><td>{escape(what)}</td></tr>" for path, what in told),
    )


def _verdict(health: Health) -> str:
    told = ["Ready: the copy is whole and fresh."] if health.ready else [f"Not ready: {'; '.join(health.why_not)}."]
    if health.halted is not None:
        told.append(f"Halted: {health.halted}")
    return " ".join(told)


def _figures(health: Health, numbers: Row) -> str:
    shown = {
        "age of the copy": "not known" if health.age_seconds is None else f"{health.age_seconds:.1f} s",
        "initial load": health.initial_load,
        **{name: _count(count) for name, count in numbers.items()},
        "gaps in events": f"{health.event_gaps:,}",
    }
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in shown.items())


def _count(count: int) -> str:
    return f"more than {COUNT_MAX:,}" if count > COUNT_MAX else f"{count:,}"


def _row(row: Row) -> str:
    number, note = row["number"], row["note"] or ""
    if len(note) > NOTE_LETTERS_MAX:
        note = note[:NOTE_LETTERS_MAX] + "…"
    who = row["customer_name"] or "not known"
    cells = [
        f'<td><a href="orders/{escape(quote(number))}">{escape(number)}</a></td>',
        f"<td>{row['placed_at']:%Y-%m-%d %H:%M}</td>",
        f"<td>{escape(row['status'])}</td>",
        f'<td class="number">{row["total"]:,} {escape(row["currency"])}</td>',
        f'<td><a href="?{escape(urlencode({"customer": row["customer_id"]}))}">{escape(who)}</a></td>',
        f"<td>{row['due'] or ''}</td>",
        f'<td class="note">{escape(note)}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"
