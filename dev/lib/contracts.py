"""The contracts that `walbridge schema` prints, held against official validators and against every record of a real run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import TopicPartition
from jsonschema import Draft202012Validator

import everything
from bridge import NAME, PROGRAM, Bridge
from promised import Wrong, closed, said, validator
from reader import consumer
from servers import DEV, ROOT, both

VALIDATORS = DEV / "validators"
SECONDS_MAX = 60
LAST = 99999
TOPICS = ["things", "thing-events", "pairs", "pair-events"]
CONFIG_SCHEMA = ROOT / "config" / "walbridge.schema.json"


def must_refuse(checker: Draft202012Validator, document: Any, what: str) -> None:
    if checker.is_valid(document):
        raise Wrong(f"{what} is taken")


def config_schema() -> None:
    """Every example is taken, each spoiled one refused: by jsonschema, and by the editors' own Taplo."""
    schema = json.loads(said([PROGRAM, "schema", "--config"]))
    if schema != json.loads(CONFIG_SCHEMA.read_text()):
        raise Wrong("`walbridge schema --config` is not config/walbridge.schema.json")
    checker = validator(schema)
    files = sorted((ROOT / "config").rglob("*.toml"))
    for file in files:
        for error in checker.iter_errors(tomllib.loads(file.read_text())):
            raise Wrong(f"{file}: {error.json_path}: {error.message}")
    shop = (ROOT / "config" / "shop.toml").read_text()
    spoiled = [
        ("name =", "nme ="), ('key = "number"', ""), ('on = "enters"', 'on = "enter"'), ("decimals = 2", 'decimals = "2"'),
    ]  # fmt: skip
    taplo = [str(VALIDATORS / "node_modules" / ".bin" / "taplo"), "check", "--no-auto-config", "--schema", f"file://{CONFIG_SCHEMA}"]
    for place, other in spoiled:
        if place not in shop:
            raise Wrong(f"config/shop.toml does not hold {place}")
        must_refuse(checker, tomllib.loads(shop.replace(place, other, 1)), f"a config with {other or 'no key'}")
        wrong = DEV / "spoiled.toml"
        wrong.write_text(shop.replace(place, other, 1))
        said([*taplo, str(wrong)], 1)
    said([*taplo, *map(str, files)])
    print(f"config: {len(files)} files taken, {len(spoiled)} spoiled ones refused, by jsonschema and by Taplo")


def asyncapi(path: Path) -> str:
    done = subprocess.run(
        ["node", str(ROOT / "dev" / "lib" / "asyncapi.mjs"), str(VALIDATORS), str(path)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return done.stdout.strip() or f"taken: {done.stderr.strip()}"


def documents(bridge: Bridge) -> dict[str, Any]:
    """The AsyncAPI document, and by type the JSON Schema of its records as it stands in a file of its own."""
    folder = DEV / "contracts"
    for old in folder.glob("*.json"):
        old.unlink()
    said([PROGRAM, "schema", "-c", str(bridge.config), "--out", str(folder)])
    path = folder / "asyncapi.json"
    verdict = asyncapi(path)
    if not verdict.startswith("taken"):
        raise Wrong(f"AsyncAPI's parser says: {verdict}")
    whole = json.loads(path.read_text())
    if whole != json.loads(said([PROGRAM, "schema", "-c", str(bridge.config)])):
        raise Wrong("what is printed is not what is written")
    spoiled = DEV / "spoiled.json"
    spoiled.write_text(json.dumps(whole | {"channels": {"a": {"address": 7}}}))
    if asyncapi(spoiled).startswith("taken"):
        raise Wrong("AsyncAPI's parser takes everything")
    schemas = {"asyncapi": whole}
    for file in sorted(folder.glob("*.*.json")):
        schema = json.loads(file.read_text())
        kind, version, _ = file.name.rsplit(".", 2)
        if schema["properties"]["data"]["$id"] != f"urn:walbridge:{NAME}:{kind}:{version}":
            raise Wrong(f"{file.name} names its data otherwise than `dataschema`")
        schemas[kind] = schema
    print(f"AsyncAPI: {verdict}; {len(schemas) - 1} types with a JSON Schema of their own")
    return schemas


def records(brokers: str) -> Iterator[tuple[str, str, str | None, dict[str, str]]]:
    """Topic, key, value and headers of every committed record."""
    reading = consumer(brokers)
    places = [(topic, partition) for topic in TOPICS for partition in reading.list_topics(topic, timeout=20).topics[topic].partitions]
    for topic, partition in places:
        _, high = reading.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)
        reading.assign([TopicPartition(topic, partition, 0)])
        while reading.position([TopicPartition(topic, partition)])[0].offset < high:
            for message in reading.consume(1000, timeout=0.2):
                if message.error() is None:
                    value = message.value()
                    headers = {name: (text or b"").decode() for name, text in message.headers() or []}
                    yield topic, message.key().decode(), None if value is None else value.decode(), headers
    reading.close()


def hold(schemas: dict[str, Any], brokers: str) -> None:
    """Every record against the schema of its type: of its file, and of the AsyncAPI document."""
    whole = schemas["asyncapi"]
    parts = whole["components"]
    prefix = "com.example."
    checkers = {
        prefix + name: [validator(closed(schema)) for schema in (parts["schemas"][name], schemas.get(name)) if schema is not None]
        for name in parts["schemas"]
    }
    keys = {prefix + name: validator(closed(message["bindings"]["kafka"]["key"])) for name, message in parts["messages"].items()}
    seen: Counter[str] = Counter()
    samples: dict[str, Any] = {}
    for topic, key, value, headers in records(brokers):
        if value is None:
            kind = f"{prefix}{headers['ce_type']}.gone"
            message = parts["messages"].get(f"{headers['ce_type']}.gone")
            if message is None:
                raise Wrong(f"a tombstone in {topic} has ce_type {headers['ce_type']}, which is no entity's name")
            errors = list(validator(closed(message["headers"])).iter_errors(headers))
        else:
            document = json.loads(value)
            kind = document["type"]
            errors = [error for checker in checkers[kind] for error in checker.iter_errors(document)]
            samples[kind] = document
        of_key = keys[kind].schema
        errors += keys[kind].iter_errors(json.loads(key) if of_key.get("type") == "object" else key)
        if kind.removeprefix(prefix) not in whole["channels"][topic]["messages"]:
            raise Wrong(f"{topic} holds {kind}, which its channel does not name")
        for error in errors:
            raise Wrong(f"{kind} in {topic}: {error.json_path}: {error.message[:300]}")
        seen[kind] += 1
    expected = {prefix + name for name in parts["messages"] if not name.endswith(".gap")}
    if missing := expected - seen.keys():
        raise Wrong(f"no record was seen of {', '.join(sorted(missing))}")
    refused = 0
    for kind, document in samples.items():
        for name in [*document, *(f"data.{name}" for name in document["data"])]:
            spoiled = json.loads(json.dumps(document))
            holder = spoiled["data"] if name.startswith("data.") else spoiled
            holder[name.removeprefix("data.")] = {"no": "such value"}
            # A column of JSON may hold this.
            if name not in ("data.json",):
                must_refuse(checkers[kind][0], spoiled, f"{kind} with another {name}")
                refused += 1
    print(f"records: {sum(seen.values())} of {len(seen)} kinds taken, {refused} spoiled ones refused")


def of_the_page(schemas: dict[str, Any]) -> None:
    """What the page for consumers shows of control records."""
    page = (ROOT / "docs" / "consumers.md").read_text()
    for name, start in [("Thing.gap", '{"from"'), ("Thing.backfill", '{"phase"')]:
        checker = validator(closed(schemas["asyncapi"]["components"]["schemas"][name]["properties"]["data"]))
        shown = [text for text in page.split("`") if text.startswith(start)]
        if not shown:
            raise Wrong(f"docs/consumers.md shows no data of {name}")
        for text in shown:
            for error in checker.iter_errors(json.loads(text)):
                raise Wrong(f"docs/consumers.md, {name}: {error.message}")


def until(what: str, bridge: Bridge, is_so: Callable[[], bool]) -> None:
    begin = time.monotonic()
    while not is_so():
        bridge.keep()
        if time.monotonic() - begin > SECONDS_MAX:
            raise Wrong(f"not within {SECONDS_MAX} s: {what}")
        time.sleep(0.2)


def all_told(bridge: Bridge) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{bridge.http}/status", timeout=2) as answer:
        return {account["state"] for account in json.load(answer)["backfill"]} == {"complete"}


def main() -> int:
    os.environ["WALBRIDGE_ID_KEY"] = "a secret of this check: 32 bytes."
    config_schema()
    with both() as (postgres, kafka):
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {NAME}")
        url = postgres.url(NAME)
        with psycopg.connect(url, autocommit=True) as connection:
            everything.create(connection)
            everything.insert(connection, "old")
            bridge = Bridge(url, kafka.address(), "contracts", "contracts.toml-template")
            bridge.setup(url)
            schemas = documents(bridge)
            of_the_page(schemas)
            bridge.start()
            bridge.wait_ready()
            until("old rows are told", bridge, lambda: all_told(bridge))
            everything.insert(connection, "new")
            everything.change(connection, "new")
            everything.change(connection, "old")
            connection.execute(f"INSERT INTO pair VALUES ({LAST}, 'last', 1)")
            until("the last change is told", bridge, lambda: any(str(LAST) in key for _, key, _, _ in records(kafka.address())))
            bridge.stop()
        hold(schemas, kafka.address())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        sys.exit(1)
