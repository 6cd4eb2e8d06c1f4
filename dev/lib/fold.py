"""A state topic as a consumer folds it, and what of it is wrong."""

from __future__ import annotations

import json
import time
from typing import Any

import psycopg
from confluent_kafka import TopicPartition

from reader import consumer

SILENT_SECONDS_MAX = 60


class Copy:
    """Reads a topic of accounts to its end. Of each key it holds what the last record said, as compact as it goes."""

    def __init__(self, brokers: str, topic: str) -> None:
        self.records = self.old = 0
        self.held: dict[str, int] = {}
        self.deviations = {"out of order": 0, "older after newer": 0, "told twice in one generation": 0}
        self._newest: dict[str, int] = {}
        self._told: set[tuple[int, str]] = set()
        self._last: dict[int, str] = {}
        self._read(brokers, topic)

    def _read(self, brokers: str, topic: str) -> None:
        reading = consumer(brokers)
        partitions = reading.list_topics(topic, timeout=20).topics[topic].partitions
        ends = {
            one: reading.get_watermark_offsets(TopicPartition(topic, one), timeout=20, cached=False)[1] for one in partitions
        }
        reading.assign([TopicPartition(topic, one, 0) for one in partitions])
        heard = time.monotonic()
        while any(
            place.offset < ends[place.partition] for place in reading.position([TopicPartition(topic, one) for one in partitions])
        ):
            messages = reading.consume(5_000, timeout=0.2)
            heard = time.monotonic() if messages else heard
            if time.monotonic() - heard > SILENT_SECONDS_MAX:
                raise RuntimeError(f"cannot read {topic} to its end")
            for message in messages:
                if message.error() is None:
                    headers = dict(message.headers() or [])
                    self._take(message.partition(), message.key().decode(), message.value(), headers.get("ce_sequence"))
        reading.close()

    def _take(self, partition: int, key: str, value: bytes | None, told: bytes | None) -> None:
        self.records += 1
        document: dict[str, Any] = json.loads(value) if value is not None else {"sequence": (told or b"").decode()}
        sequence = document["sequence"]
        if sequence <= self._last.get(partition, ""):
            self.deviations["out of order"] += 1
        self._last[partition] = sequence
        if value is None:
            self.held.pop(key, None)
            return
        data = document["data"]
        if data["written"] < self._newest.get(key, 0):
            self.deviations["older after newer"] += 1
        self._newest[key] = data["written"]
        if document.get("origin") == "backfill":
            self.old += 1
            mark = (document["generation"], key)
            self.deviations["told twice in one generation"] += mark in self._told
            self._told.add(mark)
        self.held[key] = _digest(key, data["name"], data["balance"], data["written"])

    def differing(self, connection: psycopg.Connection[Any], question: str) -> int:
        """Keys whose row in the table is another one than in the copy, or missing on either side."""
        left = dict(self.held)
        differing = 0
        with connection.transaction(), connection.cursor(name="rows") as cursor:
            cursor.itersize = 20_000
            cursor.execute(question)
            for key, name, balance, written in cursor:
                differing += left.pop(key, None) != _digest(key, name, balance, written)
        return differing + len(left)


def _digest(key: str, name: str, balance: str | None, written: int) -> int:
    return hash((key, name, balance, written))
