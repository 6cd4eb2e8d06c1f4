"""The independent consumer: every record of the shop's topics as `read_committed` shows it, and the position topic."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from decoding import lsn
from marks import Mark, mark
from shop import STATE_TOPICS, TOPICS, canonical

POSITION = "walbridge.shop.position"
Place = tuple[str, int]
Offsets = dict[Place, int]


@dataclass(slots=True)
class Seen:
    topic: str
    partition: int
    offset: int
    key: str
    id: str
    type: str | None
    data: str | None
    time: datetime
    xid: str | None
    arrival: float
    fault: str | None = None
    """Which rule of a record's form it breaks."""
    origin: str | None = None
    """Of an old row: who told it."""


def _fault(document: dict[str, Any], key: str, topic: str) -> str | None:
    wanted = {
        "specversion": "1.0",
        "source": "walbridge/shop",
        "subject": key,
        "datacontenttype": "application/json",
        "sequence": document["id"],
        "dataschema": f"urn:walbridge:shop:{document['type']}:1",
    }
    for name, value in wanted.items():
        # What a state's schema is called is not part of the contract.
        if document.get(name) != value and not (name == "dataschema" and topic in STATE_TOPICS):
            return name
    return None


def seen(topic: str, partition: int, offset: int, key: bytes, value: bytes | None, headers: dict[str, str]) -> Seen:
    now = time.time()
    text = key.decode()
    if value is None:
        fault = None if headers.get("ce_sequence") == headers["ce_id"] and headers.get("ce_type") else "tombstone headers"
        instant = datetime.fromisoformat(headers["ce_time"])
        return Seen(topic, partition, offset, text, headers["ce_id"], None, None, instant, None, now, fault)
    document = json.loads(value)
    return Seen(
        topic, partition, offset, text, document["id"], document["type"], canonical(document["data"]),
        datetime.fromisoformat(document["time"]), document.get("transaction"), now, _fault(document, text, topic), document.get("origin"),
    )  # fmt: skip


def consumer(brokers: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "counter",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        }
    )


class Reader:
    def __init__(self, brokers: str, show: Callable[[Seen], None] | None = None) -> None:
        self.records: list[Seen] = []
        self.positions: list[tuple[int, int]] = []
        """Of each position record: its offset, and the commit end LSN it holds."""
        self.told: dict[str, object] = {}
        """How far the old rows of each entity are, as the last position says."""
        self.marks: list[Mark] = []
        self.values: list[bytes] = []
        """Of every record that is no tombstone, as it came."""
        self.unreadable = 0
        self.failure: BaseException | None = None
        self._show = show
        self._consumer = consumer(brokers)
        self._asking = consumer(brokers)
        self.places = self._places()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _places(self) -> list[Place]:
        """Every partition of the shop's topics; those nobody made are the bridge's to answer for."""
        topics = self._asking.list_topics(timeout=20).topics
        wanted = [*TOPICS, POSITION]
        if missing := [topic for topic in wanted if topic not in topics]:
            raise RuntimeError(f"cannot read topics that are not there after setup: {', '.join(missing)}")
        return [(topic, partition) for topic in wanted for partition in topics[topic].partitions]

    def partitions(self, topic: str) -> int:
        return sum(1 for place in self.places if place[0] == topic)

    def start(self) -> None:
        self._consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in self.places])
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for message in self._consumer.consume(2_000, timeout=0.02):
                    if message.error() is None:
                        self._take(message)
        except BaseException as failure:  # told to whoever asks for the count
            self.failure = failure

    def _take(self, message: Message) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        key, value = message.key(), message.value()
        if topic == POSITION:
            if value is not None:
                position = json.loads(value)
                self.positions.append((offset, lsn(position["commit_end_lsn"])))
                self.told = {name: one["standing"] for name, one in position.get("backfill", {}).get("entities", {}).items()}
            return
        try:
            if value is not None and (told := mark(topic, partition, offset, key.decode(), json.loads(value))) is not None:
                self.marks.append(told)
                return
            headers = {name: (content or b"").decode() for name, content in message.headers() or []}
            record = seen(topic, partition, offset, key, value, headers)
        except (KeyError, ValueError, TypeError, AttributeError):
            self.unreadable += 1
            return
        self.records.append(record)
        if value is not None:
            self.values.append(value)
        if self._show is not None:
            self._show(record)

    def visible(self, places: list[Place] | None = None) -> Offsets:
        """Up to where a `read_committed` consumer can read now; raises KafkaException while the broker is away."""
        offsets = {}
        for topic, partition in places or self.places:
            answer = self._asking.get_watermark_offsets(TopicPartition(topic, partition), timeout=2, cached=False)
            if answer is None:
                raise KafkaException("no answer")
            offsets[topic, partition] = answer[1]
        return offsets

    def position(self) -> int:
        return self.positions[-1][1] if self.positions else 0

    def finish(self) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()
        self._asking.close()
        if self.failure is not None:
            raise self.failure


def shown(record: Seen) -> str:
    """One line for people."""
    clock = record.time.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
    what = record.type or "(gone)"
    if record.origin is not None:
        what += " (old row)"
    return f"  {clock}  {record.topic:<18} {record.key:<16} {what:<16} {(record.data or '')[:90]}"
