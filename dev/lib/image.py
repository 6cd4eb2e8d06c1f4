"""The images at work: what is in them, how they are confined, and a legacy shop carried into the service's copy by both."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from servers import DEV, ROOT, Postgres, both, free_port

BRIDGE, ORDERS = "localhost/walbridge", "localhost/orders-service"
PODMAN = os.environ["WALBRIDGE_PODMAN"].split()
CONFINED = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges"]
# Where a container may not raise a limit, these are below every limit.
LIMITS = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]
NOBODY = "65532"
IMAGE_BYTES_MAX = 40 * 1000 * 1000
HEALTHY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 5
WRITE_SECONDS = 10
IN_THE_IMAGE = {"walbridge", "etc/ssl/certs/ca-certificates.crt"}


class Wrong(Exception):
    """An image is not as it must be."""


def must(is_so: bool, what: str) -> None:
    if not is_so:
        raise Wrong(what)


def podman(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*PODMAN, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    must(done.returncode == 0 or not check, f"podman {words[0]}: {done.stderr.strip()}")
    return done


def inspected(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(podman("inspect", name).stdout)[0]
    return found


def files(image: str) -> set[str]:
    """All that is in it: there is no shell that could list them."""
    name = podman("create", *LIMITS, image).stdout.strip()
    try:
        with subprocess.Popen([*PODMAN, "export", name], stdout=subprocess.PIPE) as export:
            listed = subprocess.run(["tar", "t"], stdin=export.stdout, capture_output=True, text=True, check=True).stdout
    finally:
        podman("rm", name)
    # Mount points that a runtime makes are empty.
    made = {"dev", "proc", "sys", "run", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "run/.containerenv"}
    return {line for line in listed.splitlines() if not line.endswith("/") and not line.startswith("dev/")} - made


def look(image: str) -> None:
    """What can be seen before it runs."""
    found = inspected(image)
    size, config = found["Size"], found["Config"]
    must(size < IMAGE_BYTES_MAX, f"{size} bytes are more than {IMAGE_BYTES_MAX}")
    must(config["User"].split(":")[0] == NOBODY, f"its user is {config['User']!r}")
    must(found.get("Healthcheck", {}).get("Test", [])[1:2] == ["/walbridge"], "it has no health check of its own")
    must((held := files(image)) == IN_THE_IMAGE, f"it holds {sorted(held)}")
    print(f"  the bridge's image: {size / 1e6:.1f} MB, user {config['User']}, nothing but {' and '.join(sorted(held))}")
    print("  " + podman("run", "--rm", "--network=none", *CONFINED, *LIMITS, image, "--version").stdout.strip().replace("\n", ", "))


class Container:
    """One that runs with what the compose file and the manifests take from it; stopped by name."""

    def __init__(self, name: str, *words: str) -> None:
        self.name = f"{name}-{os.getpid()}"
        podman("run", "-d", f"--name={self.name}", "--network=host", "--health-interval=disable", *CONFINED, *LIMITS, *words)

    def healthy(self) -> bool:
        return podman("healthcheck", "run", self.name, check=False).returncode == 0

    def wait_healthy(self) -> float:
        begin = time.monotonic()
        while not self.healthy():
            must(inspected(self.name)["State"]["Running"], f"{self.name} ended:\n{self.said()}")
            must(time.monotonic() - begin < HEALTHY_SECONDS_MAX, f"{self.name} does not become healthy:\n{self.said()}")
            time.sleep(0.5)
        return time.monotonic() - begin

    def said(self) -> str:
        done = podman("logs", "--tail=15", self.name, check=False)
        return done.stdout + done.stderr

    def kernel(self, field: str) -> str:
        """What the kernel says of its first process."""
        status = Path(f"/proc/{inspected(self.name)['State']['Pid']}/status").read_text()
        return next(line.split(":", 1)[1].strip() for line in status.splitlines() if line.startswith(f"{field}:"))

    def confined(self) -> str:
        pid = inspected(self.name)["State"]["Pid"]
        root = next(line for line in Path(f"/proc/{pid}/mounts").read_text().splitlines() if line.split()[1] == "/")
        must("ro" in root.split()[3].split(","), f"its root file system can be written: {root}")
        must(self.kernel("Uid").split() == [NOBODY] * 4, f"it runs as {self.kernel('Uid')}")
        must(int(self.kernel("CapEff"), 16) == 0 and self.kernel("NoNewPrivs") == "1", "it has privileges")
        return "read-only root, user 65532, no capability, no new privileges"

    def stop(self) -> tuple[int, float]:
        begin = time.monotonic()
        podman("stop", "-t", "15", self.name)
        seconds = time.monotonic() - begin
        return inspected(self.name)["State"]["ExitCode"], seconds

    def remove(self) -> None:
        podman("rm", "-f", self.name, check=False)


def config(source: str, brokers: str, http: int, home: Path) -> Path:
    """docker/bridge.toml with the addresses of these servers."""
    text = (ROOT / "docker" / "bridge.toml").read_text()
    for written, here in {
        "postgresql://walbridge@127.0.0.1:5432/shop": source, "kafka:9092": brokers, "0.0.0.0:9400": f"0.0.0.0:{http}"
    }.items():  # fmt: skip
        must(written in text, f"docker/bridge.toml does not say {written}")
        text = text.replace(written, here)
    path = home / "bridge.toml"
    path.write_text(text)
    path.chmod(0o644)
    return path


def legacy_shop(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        for name in ("shop", "orders_service"):
            connection.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(postgres.url("shop"), autocommit=True) as connection:
        for script in ("legacy.sql", "demo/past.sql", "demo/role.sql"):
            connection.execute((ROOT / "docker" / script).read_text())


def writers(port: int, seconds: int, program: Path) -> int:
    """The compose file's own legacy shop; gives its transactions."""
    script = str(ROOT / "docker" / "demo" / "shop.pgbench")
    done = subprocess.run(
        [str(program), "-n", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-c", "4", "-R", "50", "-T", str(seconds),
         "-f", script, "shop"], capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"actually processed: (\d+)", done.stdout)
    must(done.returncode == 0 and found is not None and "failed" not in done.stderr, f"pgbench: {done.stderr}")
    return int(found.group(1)) if found else 0


def same(postgres: Postgres) -> tuple[int, int]:
    """Orders of the legacy table, and how many of them the copy has otherwise or not at all."""
    with psycopg.connect(postgres.url("shop")) as legacy, psycopg.connect(postgres.url("orders_service")) as copy:
        then = {
            number: (status, total)
            for number, status, total in legacy.execute(
                "SELECT ord_no, CASE sts_cd WHEN 'N' THEN 'placed' WHEN 'P' THEN 'paid' WHEN 'S' THEN 'shipped' ELSE 'cancelled' END, "
                "round(tot_ct / 100.0, 2)::text FROM ord_hdr WHERE ord_typ = 'S' AND del_flg = 'N'"
            )
        }
        now = {number: (status, total) for number, status, total in copy.execute("SELECT number, status, total::text FROM order_overview")}
    return len(then), len(set(then.items()) ^ set(now.items()))


def until(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS_MAX
    while not is_so():
        must(time.monotonic() < deadline, f"not within {HEALTHY_SECONDS_MAX} s: {what}")
        time.sleep(0.5)


def main() -> int:
    look(BRIDGE)
    with both() as (postgres, kafka), contextlib.ExitStack() as later, tempfile.TemporaryDirectory(dir=DEV) as folder:
        home = Path(folder)
        home.chmod(0o755)
        legacy_shop(postgres)
        http, api = free_port(), free_port()
        file = config(f"postgresql://walbridge@127.0.0.1:{postgres.port}/shop", kafka.address(), http, home)
        mounts = [f"-v={file}:/etc/walbridge/bridge.toml:ro", f"-v={ROOT}/docker/demo/legacy_pg:/run/secrets/legacy_pg:ro"]
        administrator = postgres.url("shop")
        podman(
            "run", "--rm", "--network=host", *CONFINED, *LIMITS, *mounts, BRIDGE,
            "setup", "-c", "/etc/walbridge/bridge.toml", "--apply", "--as", administrator,
        )  # fmt: skip
        bridge = Container("walbridge", *mounts, BRIDGE)
        later.callback(bridge.remove)
        print(f"  the bridge: healthy after {bridge.wait_healthy():.1f} s; {bridge.confined()}")

        variables = {
            "ORDERS_DATABASE_URL": postgres.url("orders_service"),
            "ORDERS_KAFKA_BROKERS": kafka.address(), "ORDERS_PUBLIC_ID_SECRET": "for-this-demo-only", "ORDERS_LISTEN_PORT": str(api),
        }  # fmt: skip
        words = [f"-e={name}={value}" for name, value in variables.items()]
        podman("run", "--rm", "--network=host", *CONFINED, *LIMITS, *words, ORDERS, "migrate")
        orders = Container("orders-service", *words, ORDERS)
        later.callback(orders.remove)
        print(f"  orders-service: healthy after {orders.wait_healthy():.1f} s; {orders.confined()}")

        transactions = writers(postgres.port, WRITE_SECONDS, postgres.bin / "pgbench")
        until("the copy equals the legacy table", lambda: same(postgres)[1] == 0)
        count, _ = same(postgres)
        must(bridge.healthy() and orders.healthy(), "somebody is not healthy at the end")
        print(f"  {transactions} transactions of the legacy shop: all {count} orders of the copy are as in the legacy table")
        print(f"  the bridge's resident memory at its highest: {bridge.kernel('VmHWM')}")
        code, seconds = bridge.stop()
        must(code == 0 and seconds < STOP_SECONDS_MAX, f"it stopped with {code} after {seconds:.1f} s:\n{bridge.said()}")
        print(f"  told to stop: exit 0 after {seconds:.1f} s")
        must(orders.stop()[0] == 0, f"orders-service ended otherwise:\n{orders.said()}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Wrong as wrong:
        sys.exit(f"wrong: {wrong}")
