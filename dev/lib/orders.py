"""The service of examples/orders-service as an operator runs it: a database and a role of its own, started, killed, started again.

The demo's two databases share one PostgreSQL server; the service's role cannot connect to the legacy one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import psycopg

from bridge import NAME, tail
from servers import DEV, ROOT, Kafka, Postgres, free_port

OWN = "orders_service"
FOLDER = ROOT / "examples" / "orders-service"
PYTHON = DEV / "orders-venv" / "bin" / "python"
CUSTOMER_IDS = "keyed"
"""What the service is told of customers' keys: `published` where shop.CUSTOMER is a public id already."""
SECRET = "the demo's own, 16 bytes or more"
WAIT_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
PAGE = 1000


class Orders:
    def __init__(self, postgres: Postgres, kafka: Kafka) -> None:
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {OWN} LOGIN")
            connection.execute(f"CREATE DATABASE {OWN} OWNER {OWN}")
            connection.execute(f"REVOKE CONNECT ON DATABASE {NAME} FROM PUBLIC")
        self.port = free_port()
        self.log = DEV / "orders.log"
        self.log.write_bytes(b"")
        self.process: subprocess.Popen[bytes] | None = None
        self.surroundings = os.environ | {
            "ORDERS_DATABASE_URL": f"postgresql://{OWN}@127.0.0.1:{postgres.port}/{OWN}",
            "ORDERS_KAFKA_BROKERS": kafka.address(),
            "ORDERS_CUSTOMER_IDS": CUSTOMER_IDS,
            "ORDERS_PUBLIC_ID_SECRET": SECRET,
            "ORDERS_INSTANCE": "demo",
            "ORDERS_LISTEN_PORT": str(self.port),
        }
        with self.log.open("ab") as log:
            subprocess.run(self._command("migrate"), env=self.surroundings, cwd=FOLDER, stdout=log, stderr=log, check=True)

    def _command(self, word: str) -> list[str]:
        return [str(PYTHON), "-m", OWN, word]

    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command("run"), env=self.surroundings, cwd=FOLDER,
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """An orderly stop; anything but exit 0 within the time is an error."""
        if (process := self.process) is not None:
            process.send_signal(signal.SIGTERM)
            code = process.wait(STOP_SECONDS_MAX)
            self.process = None
            if code != 0:
                raise RuntimeError(f"the service ended with {code} when told to stop\n{tail(self.log)}")

    def ask(self, path: str, **asked: Any) -> Any:
        with urllib.request.urlopen(f"{self.url()}{path}?{urlencode(asked)}", timeout=20) as answer:
            return json.load(answer)

    def health(self) -> dict[str, Any]:
        """What the service says of its copy; nothing while it does not answer."""
        with contextlib.suppress(urllib.error.URLError, OSError):
            told: dict[str, Any] = self.ask("health")
            return told
        return {}

    def wait_fresh(self, since: float) -> float:
        """Until all that was visible at that moment (seconds since 1970) is in the copy; gives the seconds."""
        return self._wait(lambda told: told.get("age_seconds") is not None and time.time() - told["age_seconds"] > since)

    def wait_ready(self) -> float:
        return self._wait(lambda told: bool(told.get("ready")))

    def _wait(self, what: Callable[[dict[str, Any]], bool]) -> float:
        begin = time.monotonic()
        while not what(told := self.health()):
            if self.process is None or self.process.poll() is not None or told.get("halted"):
                raise RuntimeError(f"the service does not go on: {told.get('halted')}\n{tail(self.log)}")
            if time.monotonic() - begin > WAIT_SECONDS_MAX:
                raise RuntimeError(f"the service's copy is not fresh after {WAIT_SECONDS_MAX} s: {told}\n{tail(self.log)}")
            time.sleep(0.05)
        return time.monotonic() - begin

    def rows(self, path: str) -> Iterator[dict[str, Any]]:
        """All of a list, a page at a time."""
        after: str | None = ""
        while after is not None:
            page = self.ask(path, limit=PAGE, after=after)
            yield from page["items"]
            after = page["next"]


@contextlib.contextmanager
def serve(postgres: Postgres, kafka: Kafka) -> Iterator[Orders]:
    if not PYTHON.exists():
        raise RuntimeError("the service's Python is not there: dev/demo gets it")
    service = Orders(postgres, kafka)
    try:
        service.start()
        yield service
    finally:
        service.kill()
