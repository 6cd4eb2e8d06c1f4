"""The process: the API, and beside it the thread that reads; both begin and end together."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from opentelemetry import propagate, trace

from orders_service.api import router
from orders_service.consume import Halt, read
from orders_service.parts import Parts, pool
from orders_service.public_id import customer_ids
from orders_service.settings import Settings
from orders_service.telemetry import Meters, tracing

STOP_SECONDS_MAX = 20
log = logging.getLogger(__name__)
Next = Callable[[Request], Awaitable[Response]]


def create_app(settings: Settings) -> FastAPI:
    meters, provider, halt = Meters(), tracing(settings), Halt()
    tracer = provider.get_tracer("orders-service")
    parts = Parts(
        settings, pool(settings.database_url.get_secret_value()), meters, tracer, halt, customer_ids(settings)
    )  # fmt: skip

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        reading = threading.Thread(target=read, args=(settings, meters, tracer, halt, stop), name="reading")
        parts.pool.open(wait=False)
        reading.start()
        yield
        # A batch that is under way is finished; what was not begun is read again by whoever comes next.
        stop.set()
        reading.join(STOP_SECONDS_MAX)
        parts.pool.close()
        provider.shutdown()
        log.info("stopped")

    # The interactive pages of FastAPI load scripts from elsewhere: /openapi.json and the front page do without.
    app = FastAPI(title="orders-service", version="0.1.0", lifespan=life, docs_url=None, redoc_url=None)
    app.state.parts = parts
    app.include_router(router)
    app.middleware("http")(_measured(parts))
    app.exception_handler(psycopg.OperationalError)(_unavailable)
    app.exception_handler(psycopg.DataError)(_no_text)
    return app


def _measured(parts: Parts) -> Callable[[Request, Next], Awaitable[Response]]:
    async def measured(request: Request, call_next: Next) -> Response:
        begin = time.perf_counter()
        context = propagate.extract(dict(request.headers))
        with parts.tracer.start_as_current_span("http", context=context, kind=trace.SpanKind.SERVER) as span:
            status = 500
            try:
                response = await call_next(request)
                status = response.status_code
                return response
            finally:
                # The route's pattern, and not the path: a number of an order is neither a label nor a span's name.
                route = getattr(request.scope.get("route"), "path", "none")
                span.update_name(f"{request.method} {route}")
                span.set_attributes(
                    {"http.request.method": request.method, "http.route": route, "http.response.status_code": status}
                )
                parts.meters.http_seconds.labels(request.method, route, str(status)).observe(time.perf_counter() - begin)

    return measured


async def _unavailable(_: Request, failure: Exception) -> JSONResponse:
    log.warning("the database does not answer: %s", type(failure).__name__)
    return JSONResponse({"detail": "the copy's database does not answer"}, 503, {"Retry-After": "2"})


async def _no_text(_: Request, __: Exception) -> JSONResponse:
    """What nothing in the copy can be called, such as a NUL; the questions are the only data that come from outside."""
    return JSONResponse({"detail": "no text that the copy can hold"}, 422)
