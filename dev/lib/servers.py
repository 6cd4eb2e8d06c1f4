"""A real PostgreSQL and a real Kafka on free loopback ports; `servers.py COMMAND…` runs COMMAND beside them."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEV = ROOT / "target" / "dev"
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60


def free_port() -> int:
    """A loopback port below the range from which outgoing connections take theirs, so that a restart finds it free."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _GIVEN:
                _GIVEN.add(port)
                return port
    raise RuntimeError("cannot find a free loopback port")


_GIVEN: set[int] = set()


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"cannot reach 127.0.0.1:{port}: see target/dev/kafka.log")


class Postgres:
    """One cluster with logical decoding; as root it runs as user postgres, which initdb demands."""

    def __init__(self) -> None:
        self.bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.port = free_port()
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.home = self._home()
        self.data = self.home / "data"

    def _home(self) -> Path:
        """A folder the server's user can reach: below target/dev if that can be searched, else below /tmp."""
        home = Path(tempfile.mkdtemp(prefix="pg-", dir=DEV))
        if self.as_user:
            postgres = pwd.getpwnam("postgres")
            os.chown(home, postgres.pw_uid, postgres.pw_gid)
            if subprocess.run([*self.as_user, "test", "-w", home], cwd="/").returncode != 0:
                home.rmdir()
                home = Path(tempfile.mkdtemp(prefix="walbridge-pg-", dir="/tmp"))
                os.chown(home, postgres.pw_uid, postgres.pw_gid)
        return home

    def _run(self, program: str, *arguments: str) -> None:
        with (DEV / "postgres.log").open("ab") as log:
            command = [*self.as_user, str(self.bin / program), "-D", str(self.data), *arguments]
            subprocess.run(command, cwd="/", check=True, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def create(self) -> None:
        self._run("initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        settings = {
            "wal_level": "logical",
            "max_prepared_transactions": "20",
            "fsync": "off",
            "max_replication_slots": "40",
            "max_wal_senders": "40",
            "port": str(self.port),
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": f"'{self.home}'",
        }
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = {value}\n" for name, value in settings.items())
        self.start()

    def start(self) -> None:
        self._run("pg_ctl", "-l", str(self.home / "log"), "-w", "-t", str(START_SECONDS_MAX), "start")

    def stop(self, mode: str) -> float:
        """`immediate` is a crash, `fast` an orderly stop; gives the seconds it took."""
        begin = time.monotonic()
        self._run("pg_ctl", "-m", mode, "-w", "-t", str(STOP_SECONDS_MAX), "stop")
        return time.monotonic() - begin

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def remove(self) -> None:
        if (self.data / "postmaster.pid").exists():
            with contextlib.suppress(subprocess.CalledProcessError):
                self.stop("immediate")
        shutil.rmtree(self.home, ignore_errors=True)


class Kafka:
    """One broker that is its own controller. A gate between it and a client listens on `front` and connects to `behind`."""

    SMALL = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss256k")
    # What Kafka's own start script gives a broker; and compiler threads that stay, so that what they took can be summed up.
    USUAL = (
        "-XX:-UseDynamicNumberOfCompilerThreads",
        "-server", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
    )  # fmt: skip

    def __init__(self, java: tuple[str, ...]) -> None:
        self.java = java
        self.home = Path(tempfile.mkdtemp(prefix="kafka-", dir=DEV))
        self.port, self.front, self.behind = free_port(), free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.libs = str(DEV / "kafka" / "libs" / "*")
        self.properties = self.home / "server.properties"

    def create(self) -> None:
        controller = free_port()
        self.properties.write_text(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{self.port},GATE://127.0.0.1:{self.behind},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port},GATE://127.0.0.1:{self.front}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,GATE:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={self.home}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=4194304
""")
        (self.home / "log4j2.properties").write_text(
            "appender.out.type=Console\nappender.out.name=out\nappender.out.layout.type=PatternLayout\n"
            "appender.out.layout.pattern=%d %p %c{1} %m%n\nrootLogger.level=warn\nrootLogger.appenderRef.out.ref=out\n"
        )
        tool = ["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c", str(self.properties)]
        with (DEV / "kafka.log").open("ab") as log:
            subprocess.run(self._java(*tool), check=True, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.start()

    def _java(self, *arguments: str) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={self.home}/log4j2.properties"
        return ["java", *self.java, log4j, "-cp", self.libs, *arguments]

    def start(self) -> None:
        with (DEV / "kafka.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._java("kafka.Kafka", str(self.properties)),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        wait_for_port(self.port, self.process)

    def stop(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(STOP_SECONDS_MAX)

    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError("Kafka is not started")
        return self.process.pid

    def remove(self) -> None:
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.home, ignore_errors=True)


@contextlib.contextmanager
def both(java: tuple[str, ...] = Kafka.SMALL) -> Iterator[tuple[Postgres, Kafka]]:
    """Starts both, and stops and removes both whatever happens; SIGTERM and SIGHUP count as Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    DEV.mkdir(parents=True, exist_ok=True)
    postgres, kafka = Postgres(), Kafka(java)
    try:
        postgres.create()
        kafka.create()
        yield postgres, kafka
    finally:
        kafka.remove()
        postgres.remove()


def main() -> int:
    with both() as (postgres, kafka):
        surroundings = {
            "WALBRIDGE_TEST_PG": postgres.url(),
            "WALBRIDGE_TEST_KAFKA": kafka.address(),
            "WALBRIDGE_TEST_KAFKA_PID": str(kafka.pid()),
            "WALBRIDGE_TEST_KAFKA_LIBS": kafka.libs,
        }
        return subprocess.run(sys.argv[1:], env=os.environ | surroundings, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
