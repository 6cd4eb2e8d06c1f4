"""The bridge as an operator runs it: set up once, started, killed, started again, and its exit codes judged."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from servers import DEV, ROOT, free_port
from shop import CUSTOMER

NAME = "shop"
SLOT = f"walbridge_{NAME}"
PROGRAM = os.environ.get("WALBRIDGE", str(ROOT / "target" / "release" / "walbridge"))
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 10
RETRY = 3
"""The exit code that asks to be started again."""
OVERTAKEN = 4
"""The exit code of one whose place another has taken."""


def check_program() -> None:
    try:
        subprocess.run([PROGRAM, "--version"], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as failure:
        raise RuntimeError(f"cannot run walbridge: {failure}") from failure


class Halted(Exception):
    """The bridge ended though nobody told it to."""


class Bridge:
    """One instance; several of the same name differ in their file and in where they listen."""

    def __init__(self, url: str, brokers: str, label: str, template: str = "demo.toml-template") -> None:
        self.label = label
        self.http = free_port()
        self.config = DEV / f"{NAME}-{label}.toml"
        self.log = DEV / f"bridge-{label}.log"
        self.log.write_bytes(b"")
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        text = (ROOT / "dev" / template).read_text()
        for place, value in {
            "@POSTGRES@": url, "@KAFKA@": brokers, "@HTTP@": str(self.http), "@CUSTOMER@": CUSTOMER
        }.items():  # fmt: skip
            text = text.replace(place, value)
        self.config.write_text(text)

    def setup(self, url: str) -> None:
        with (DEV / "setup.log").open("wb") as log:
            code = subprocess.run(
                [PROGRAM, "setup", "-c", str(self.config), "--apply", "--as", url],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=False,
            ).returncode  # fmt: skip
        if code != 0:
            raise RuntimeError(f"cannot set up the bridge: exit {code}\n{tail(DEV / 'setup.log')}")

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "run", "-c", str(self.config)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ready(self) -> bool:
        with contextlib.suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        return False

    def told(self, entity: str) -> int:
        """Old rows of an entity that are told, as its status says; 0 where it says nothing."""
        with contextlib.suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/status", timeout=2) as answer:
                accounts = json.load(answer)["backfill"]
                return sum(account["rows"] for account in accounts if account["entity"] == entity)
        return 0

    def wait_ready(self) -> float:
        begin = time.monotonic()
        while not self.ready():
            self.keep()
            if time.monotonic() - begin > READY_SECONDS_MAX:
                raise RuntimeError(f"bridge {self.label} is not ready after {READY_SECONDS_MAX} s\n{tail(self.log)}")
            time.sleep(0.05)
        return time.monotonic() - begin

    def keep(self) -> None:
        """Does what an orchestrator does: starts it again on exit 3, and calls for help on any other."""
        if self.process is None or (code := self.process.poll()) is None:
            return
        if code != RETRY:
            raise Halted(f"bridge {self.label} ended by itself with {code}\n{tail(self.log)}")
        self.restarts += 1
        time.sleep(0.5)
        self.start()

    def is_overtaken(self) -> None:
        """Another one took over: it waits for the slot, is about to, or says so at its end."""
        code = None if self.process is None else self.process.poll()
        if code not in (None, RETRY, OVERTAKEN):
            raise Halted(f"bridge {self.label} was taken over, and ended with {code}\n{tail(self.log)}")

    def strike(self) -> None:
        """Kills it under way, from another thread; whoever starts it again calls `kill` first."""
        if (process := self.process) is not None:
            process.kill()
            process.wait()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> float:
        """An orderly stop; anything but exit 0 within the time is an error."""
        if self.process is None:
            return 0.0
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"bridge {self.label} does not stop within {STOP_SECONDS_MAX} s") from None
        self.process = None
        if code != 0:
            raise Halted(f"bridge {self.label} ended with {code} when told to stop\n{tail(self.log)}")
        return time.monotonic() - begin


def tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
