"""The same backlog with TLS on both links and without, in turn."""

from __future__ import annotations

import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from place import WARM_RUNS_MAX, Bench, Links, empty, fill, recvlogical, slot, warm_up
from servers import DEV, Kafka, Postgres, free_port

# An authority, and a certificate of it for both servers.
CERTIFICATES = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=ca -keyout ca.key -out ca.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout server.key -out server.csr
printf 'basicConstraints=CA:FALSE\\nsubjectAltName=DNS:localhost\\n' > extensions
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out server.crt
cat server.key server.crt > both.pem
"""


def secure(postgres: Postgres, kafka: Kafka) -> Links:
    """Lets both servers speak TLS too; gives what a bridge's config says then."""
    home = Path(tempfile.mkdtemp(prefix="tls-", dir=DEV))
    with (DEV / "bench.log").open("ab") as log:
        subprocess.run(["sh", "-ec", CERTIFICATES], cwd=home, check=True, stdout=log, stderr=log)
    owner = postgres.data.stat()
    for name in ("server.crt", "server.key"):
        copy = postgres.data / name
        shutil.copy(home / name, copy)
        shutil.chown(copy, owner.st_uid, owner.st_gid)
        copy.chmod(0o600)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET ssl = on")
        connection.execute("SELECT pg_reload_conf()")
    port = free_port()
    text = kafka.properties.read_text()
    text = text.replace("\nlisteners=", f"\nlisteners=TLS://127.0.0.1:{port},")
    text = text.replace("\nadvertised.listeners=", f"\nadvertised.listeners=TLS://localhost:{port},")
    text = text.replace("\nlistener.security.protocol.map=", "\nlistener.security.protocol.map=TLS:SSL,")
    text += f"ssl.keystore.type=PEM\nssl.keystore.location={home}/both.pem\n"
    kafka.properties.write_text(text)
    kafka.stop(signal.SIGTERM)
    kafka.start()
    return Links(
        postgres=postgres.url().replace("127.0.0.1", "localhost") + "?sslmode=verify-full",
        source=f'root_cert = "{home}/ca.pem"\n',
        authority=f"{home}/ca.pem",
        kafka=f"localhost:{port}",
        properties=f'[kafka.properties]\n"security.protocol" = "ssl"\n"ssl.ca.location" = "{home}/ca.pem"\n',
    )


def tls(rows: int, runs: int, servers: tuple[Postgres, Kafka]) -> None:
    """Pairs of runs on one backlog, and of PostgreSQL's own reader: how much TLS costs the server, and so whoever reads.

    Who comes second finds the log in memory, so each is second as often as the other."""
    postgres, kafka = servers
    secured = secure(postgres, kafka)
    empty(postgres)
    pairs = [
        (Bench(f"plain{number}", postgres, kafka), Bench(f"tls{number}", postgres, kafka, links=secured))
        for number in range(runs)
    ]
    # The broker has just begun.
    both = [Bench(f"warm{number}", postgres, kafka, links=(None, secured)[number % 2]) for number in range(WARM_RUNS_MAX)]
    for number in range(runs):
        for kind in ("plain", "tls"):
            slot(postgres, f"bare_{kind}{number}")
    end = fill(postgres, rows, 100)
    urls = {"plain": f"{postgres.url()}?sslmode=disable", "tls": f"{secured.postgres}&sslrootcert={secured.authority}"}
    warm_up(kafka, both, rows // 100)
    ratios, bares = [], []
    for number, pair in enumerate(pairs):
        seconds: dict[str, float] = {}
        for bench in pair if number % 2 == 0 else pair[::-1]:
            seconds[f"bare_{bench.name}"] = recvlogical(
                postgres, f"bare_{bench.name}", "bench", end, urls[bench.name.rstrip("0123456789")]
            )
            with bench.running() as begin:
                bench.wait(rows // 100)
                seconds[bench.name] = time.monotonic() - begin
        plain, encrypted = (seconds[bench.name] for bench in pair)
        bare, bare_encrypted = (seconds[f"bare_{bench.name}"] for bench in pair)
        ratios.append(plain / encrypted)
        bares.append(bare / bare_encrypted)
        print(
            f"  tls      run {number + 1}: {rows / plain:9,.0f} rows/s plain, {rows / encrypted:9,.0f} rows/s with TLS on "
            f"both links, ratio {ratios[-1]:.2f}; pg_recvlogical {rows / bare:9,.0f} and {rows / bare_encrypted:9,.0f}, "
            f"ratio {bares[-1]:.2f}",
            flush=True,
        )
    print(
        f"tls      ratio median {statistics.median(ratios):.2f} best {max(ratios):.2f} worst {min(ratios):.2f}; "
        f"pg_recvlogical median {statistics.median(bares):.2f}",
        flush=True,
    )
