"""`orders-service run | migrate | rewind TOPIC | settings`."""

from __future__ import annotations

import argparse
import signal
import sys

import psycopg
import uvicorn
from pydantic import ValidationError

from orders_service import schema, store
from orders_service.app import create_app
from orders_service.settings import Settings
from orders_service.telemetry import logging_to_stderr

DONE, FAILED, WRONG = 0, 1, 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="orders-service", description="A copy of a legacy shop's orders, fed by walbridge.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="read the topics and answer over HTTP until SIGTERM or SIGINT")
    commands.add_parser("migrate", help="bring the database to this version's schema")
    commands.add_parser("settings", help="explain the environment variables")
    rewind = commands.add_parser("rewind", help="have a topic read from its beginning; what is in the copy already stays as it is")
    rewind.add_argument("topic")
    options = parser.parse_args()
    if options.command == "settings":
        explain()
        return DONE
    try:
        settings = Settings()
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            name = "_".join(("ORDERS", *map(str, one["loc"]))).upper()
            print(f"{name}: {one['msg']}" if one["loc"] else one["msg"], file=sys.stderr)
        return WRONG
    try:
        return act(options, settings)
    except (psycopg.Error, schema.Outdated) as failure:
        print(failure, file=sys.stderr)
        return FAILED


def act(options: argparse.Namespace, settings: Settings) -> int:
    url = settings.database_url.get_secret_value()
    if options.command == "migrate":
        for name in schema.migrate(url) or ["nothing to do"]:
            print(name)
        return DONE
    if options.command == "rewind":
        if options.topic not in settings.topics:
            print(f"no topic of this service is called {options.topic}: {', '.join(settings.topics)}", file=sys.stderr)
            return WRONG
        print(f"{store.rewind(url, options.topic)} partitions of {options.topic} will be read from their beginning")
        return DONE
    with psycopg.connect(url, connect_timeout=5) as connection:
        schema.check(connection)
    logging_to_stderr(settings)
    # uvicorn stops in order, and then sends itself the signal again: an orderly end is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(DONE))
    uvicorn.run(
        create_app(settings), host=settings.listen_host, port=settings.listen_port,
        log_config=None, access_log=False, timeout_graceful_shutdown=5, server_header=False,
    )  # fmt: skip
    return DONE


def explain() -> None:
    for name, one in Settings.model_fields.items():
        default = "required" if one.is_required() else f"default {one.get_default(call_default_factory=True)!r}"
        print(f"ORDERS_{name.upper()}  {default}\n    {one.description or ''}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
