"""Metrics and spans of one process."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from orders_service.settings import Settings

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Meters:
    """Units stand last. The registry is this object's own, so that a test may have several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.records = Counter(
            "orders_records",
            "Records by what became of them: applied, superseded (by a newer one of the batch), stale (dropped by the guard), "
            "control, passed_over",
            ["outcome"], registry=r,
        )  # fmt: skip
        self.batch_seconds = Histogram(
            "orders_batch_seconds", "A transaction of the copy, from its records to its commit", buckets=SECONDS, registry=r
        )
        self.batch_records = Histogram(
            "orders_batch_records", "Records in it", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000), registry=r
        )
        self.commit_to_copy_seconds = Histogram(
            "orders_commit_to_copy_seconds", "From the source's commit to the copy's, by both clocks", buckets=SECONDS, registry=r
        )
        self.lag_offsets = Gauge(
            "orders_lag_offsets", "Offsets between the copy and the topic's end", ["topic", "partition"], registry=r
        )
        self.restarts = Counter("orders_reading_restarts", "Readings that began again, by why", ["reason"], registry=r)
        self.halted = Gauge("orders_halted", "1: the reading stands still until an operator acts", registry=r)
        self.copy_age_seconds = Gauge("orders_copy_age_seconds", "Of the copy's oldest partition; NaN: not known", registry=r)
        self.load_complete = Gauge("orders_initial_load_complete", "1: every partition holds every row", registry=r)
        self.http_seconds = Histogram(
            "orders_http_seconds", "Answers of the API", ["method", "route", "status"], buckets=SECONDS, registry=r
        )


def tracing(settings: Settings) -> TracerProvider:
    """Spans are made in any case, so that a trace that comes in goes on; they are sent only where the settings say so."""
    provider = TracerProvider(resource=Resource.create({"service.name": "orders-service"}))
    exporter = _exporter(settings)
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _exporter(settings: Settings) -> SpanExporter | None:
    if settings.traces == "console":
        return ConsoleSpanExporter(out=sys.stderr)
    if settings.traces == "otlp":
        # An extra of its own: most of what it needs is for sending alone.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        return OTLPSpanExporter()
    return None


class JsonLines(logging.Formatter):
    """One object a line, with the trace it belongs to. No row's value is ever logged."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = trace.format_trace_id(context.trace_id)
        if record.exc_info and record.exc_info[0] is not None:
            # Where it was raised, and not its text: a database's error may show a row.
            line["error"] = record.exc_info[0].__name__
            line["stack"] = "".join(traceback.format_tb(record.exc_info[2]))
        return json.dumps(line, ensure_ascii=False)


def logging_to_stderr(settings: Settings) -> None:
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(JsonLines())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[lines], force=True)
