"""The reading: from Kafka into the copy, for ever. Faults that pass begin it again; what needs an operator halts it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Sequence
from datetime import datetime

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from opentelemetry import trace

from orders_service.apply import Partition, batch
from orders_service.ends import ANSWER_SECONDS_MAX, Asking
from orders_service.progress import Progress
from orders_service.public_id import customer_ids
from orders_service.records import Event, Place, Poison, Raw, Reading, State, Told
from orders_service.settings import Settings
from orders_service.store import Moved, Positions, Remade, Store
from orders_service.telemetry import Meters

POLL_SECONDS = 0.2
FRESHEN_SECONDS = 1.0
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.2, 5.0
log = logging.getLogger(__name__)


class Lost(Exception):
    """Records were deleted from the topic before they were read."""


class Halt:
    """Why the reading stands still, for whoever asks."""

    def __init__(self) -> None:
        self.why: str | None = None


class Following:
    """One membership of the group, from joining to leaving. Its offsets are those of the copy's database, and nobody else's."""

    def __init__(self, settings: Settings, store: Store, meters: Meters, tracer: trace.Tracer) -> None:
        self._settings, self._store, self._meters, self._tracer = settings, store, meters, tracer
        self._reading = Reading(settings)
        self._progress = Progress(())
        self._positions: Positions = {}
        self._freshened = 0.0
        self._common = {"bootstrap.servers": settings.kafka_brokers, "client.id": "orders-service", **settings.kafka_properties}

    def run(self, stop: threading.Event) -> None:
        asking = Asking(self._admin, self._know(self._admin()))
        consumer = self._consumer()
        asking.start()
        try:
            consumer.subscribe(list(self._settings.topics), on_assign=self._assigned, on_revoke=self._revoked)
            while not stop.is_set():
                self._take(self._some(consumer))
                if asking.latest is not None:
                    self._progress.ends(asking.latest)
                self._freshen()
        finally:
            asking.stop()
            consumer.close()

    def _admin(self) -> AdminClient:
        return AdminClient(self._common, logger=logging.getLogger("librdkafka"))

    def _consumer(self) -> Consumer:
        own = {
            "group.id": self._settings.group,
            # Kafka's default shows what was aborted, too.
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            # An offset that is not there any more means records that nobody read.
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
        }
        if self._settings.instance is not None:
            own["group.instance.id"] = self._settings.instance
        return Consumer(self._common | own, logger=logging.getLogger("librdkafka"))

    def _know(self, admin: AdminClient) -> list[Partition]:
        """Every partition of the topics, which must be those that the stored offsets are of."""
        answers = admin.describe_topics(TopicCollection(list(self._settings.topics)), request_timeout=ANSWER_SECONDS_MAX)
        partitions: list[Partition] = []
        for topic, answer in answers.items():
            told = answer.result(ANSWER_SECONDS_MAX * 2)
            self._store.know(topic, str(told.topic_id), len(told.partitions))
            partitions += [(topic, one.id) for one in told.partitions]
        return partitions

    def _assigned(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        partitions = [(one.topic, one.partition) for one in given]
        self._positions = self._store.positions(partitions)
        if unknown := set(partitions) - self._positions.keys():
            raise Moved(f"{len(unknown)} partitions are new")
        self._progress = Progress(partitions)
        self._meters.lag_offsets.clear()
        offsets = [(one, self._positions[one]) for one in partitions]
        for one, offset in offsets:
            self._progress.reached(one, offset or 0)
        consumer.assign([TopicPartition(*one, OFFSET_BEGINNING if offset is None else offset) for one, offset in offsets])
        log.info("reads %d partitions", len(partitions))

    def _revoked(self, consumer: Consumer, _given: list[TopicPartition]) -> None:
        """Nothing is under way: what was taken is in the copy, or will be read again."""
        self._positions = {}
        self._progress = Progress(())
        consumer.unassign()

    def _some(self, consumer: Consumer) -> list[Message]:
        """Waits for one record, and takes what else is there: a single record is not held up by the wish for many."""
        first = consumer.poll(POLL_SECONDS)
        if first is None:
            return []
        return [first, *consumer.consume(self._settings.batch_records_max - 1, timeout=0)]

    def _take(self, messages: Sequence[Message]) -> None:
        told, met, poison = self._told(messages)
        if told:
            self._apply(told)
        for partition, offset in met.items():
            self._progress.reached(partition, offset)
        if poison is not None:
            # What stood in front of it is in the copy: the stored offset is the place of the fault.
            raise poison

    def _told(self, messages: Sequence[Message]) -> tuple[list[tuple[Place, Told]], dict[Partition, int], Poison | None]:
        told: list[tuple[Place, Told]] = []
        met: dict[Partition, int] = {}
        for message in messages:
            place = Place(message.topic() or "", message.partition() or 0, message.offset() or 0)
            partition = place.topic, place.partition
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    met[partition] = place.offset
                else:
                    _judge(place, error)
            elif place.offset >= self._next(partition):
                headers = {name: content or b"" for name, content in message.headers() or []}
                try:
                    told.append((place, self._reading.read(Raw(place, message.key(), message.value(), headers))))
                except Poison as poison:
                    return told, met, poison
        return told, met, None

    def _next(self, partition: Partition) -> float:
        """What was fetched for a former assignment can still arrive: of partitions that are not ours, or from before a place that
        another instance has read to."""
        return (self._positions[partition] or 0) if partition in self._positions else math.inf

    def _apply(self, told: list[tuple[Place, Told]]) -> None:
        begin = time.perf_counter()
        with self._tracer.start_as_current_span(
            "apply records", kind=trace.SpanKind.CONSUMER,
            attributes={"messaging.system": "kafka", "messaging.batch.message_count": len(told)},
        ):  # fmt: skip
            try:
                self._store_batch(told)
            except (psycopg.DataError, psycopg.IntegrityError):
                self._store_singly(told)
        self._meters.batch_seconds.observe(time.perf_counter() - begin)
        self._meters.batch_records.observe(len(told))
        now = time.time()
        for _, one in told:
            if isinstance(one, State | Event):
                self._meters.commit_to_copy_seconds.observe(max(0.0, now - datetime.fromisoformat(one.time).timestamp()))

    def _store_batch(self, told: Sequence[tuple[Place, Told]]) -> None:
        made = batch(told)
        outcome = self._store.apply(made, self._positions)
        self._positions |= made.next_offsets
        for partition, offset in made.next_offsets.items():
            self._progress.reached(partition, offset)
        counted = {
            "applied": outcome.applied, "stale": outcome.stale, "superseded": made.superseded,
            "control": len(made.marks), "passed_over": made.passed_over,
        }  # fmt: skip
        for name, count in counted.items():
            self._meters.records.labels(name).inc(count)

    def _store_singly(self, told: Sequence[tuple[Place, Told]]) -> None:
        """The database refused one of them, and does not say which."""
        for place, one in told:
            try:
                self._store_batch([(place, one)])
            except (psycopg.DataError, psycopg.IntegrityError) as failure:
                raise Poison(place, f"PostgreSQL refuses it: {failure.sqlstate or type(failure).__name__}") from None

    def _freshen(self) -> None:
        now = time.monotonic()
        if now - self._freshened < FRESHEN_SECONDS:
            return
        self._freshened = now
        if fresh := self._progress.fresh():
            self._store.freshen(fresh, self._positions)
        for (topic, partition), lag in self._progress.lag().items():
            self._meters.lag_offsets.labels(topic, str(partition)).set(lag)


def _judge(place: Place, error: KafkaError) -> None:
    if error.code() == KafkaError._AUTO_OFFSET_RESET:
        raise Lost(
            f"cannot go on with {place.topic}[{place.partition}]: its records were deleted before they were read, or the topic "
            f"is shorter than it was; `orders-service rewind {place.topic}` reads what there is"
        )
    if error.fatal():
        raise KafkaException(error)
    log.warning("Kafka says of %s: %s", place.topic, error.name())


def read(settings: Settings, meters: Meters, tracer: trace.Tracer, halt: Halt, stop: threading.Event) -> None:
    """Until it is told to stop. Never raises: why it halted is said in `halt`, and the API goes on with a copy that grows old."""
    pause = PAUSE_SECONDS
    while not stop.is_set():
        begin = time.monotonic()
        try:
            store = Store(settings.database_url.get_secret_value(), customer_ids(settings))
            try:
                Following(settings, store, meters, tracer).run(stop)
            finally:
                store.close()
        except (Poison, Remade, Lost) as failure:
            halt.why = str(failure)
        except (Moved, KafkaException, psycopg.OperationalError, TimeoutError) as failure:
            meters.restarts.labels(type(failure).__name__).inc()
            log.warning("the reading begins again: %s", _passing(failure))
            pause = PAUSE_SECONDS if time.monotonic() - begin > PAUSE_SECONDS_MAX else min(pause * 2, PAUSE_SECONDS_MAX)
            stop.wait(pause)
        except Exception as failure:
            log.exception("the reading failed")
            halt.why = f"cannot read on: {type(failure).__name__}; the log says where"
        if halt.why is not None:
            meters.halted.set(1)
            log.error("halted: %s", halt.why)
            return


def _passing(failure: Exception) -> str:
    if isinstance(failure, psycopg.Error):
        return f"PostgreSQL says {failure.sqlstate or 'nothing'}"
    return str(failure)
