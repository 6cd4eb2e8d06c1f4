"""Against a PostgreSQL and a Kafka: what is read, once, through faults; and where it halts."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid

import psycopg
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orders_service.consume import Halt, read
from orders_service.health import facts, judge
from orders_service.store import rewind
from orders_service.telemetry import Meters
from tests.made import customer, mark, order, record, sequence, settings, tombstone

SECONDS_MAX = 40
PARTITIONS = 2


class World:
    """Topics of a test's own, a bridge that is this test, and one instance of the reading."""

    def __init__(self, brokers, database):
        self.admin, self.brokers, self.database = AdminClient({"bootstrap.servers": brokers}), brokers, database
        self.prefix = uuid.uuid4().hex[:8]
        self.settings = settings(
            database_url=database, kafka_brokers=brokers, group=self.prefix, instance=f"{self.prefix}-1", batch_records_max=10,
            orders_topic=self.topic("orders"), order_events_topic=self.topic("events"), customers_topic=self.topic("customers"),
        )  # fmt: skip
        for name in ("orders", "events", "customers"):
            self.create(name)
        self.producer = self.new_producer()
        self.spans = InMemorySpanExporter()
        self.meters, self.halt, self.stop, self.thread = Meters(), Halt(), threading.Event(), None

    def topic(self, name):
        return f"{self.prefix}.{name}"

    def create(self, name):
        for answer in self.admin.create_topics([NewTopic(self.topic(name), PARTITIONS, 1)]).values():
            answer.result(SECONDS_MAX)

    def new_producer(self):
        one = Producer({"bootstrap.servers": self.brokers, "transactional.id": self.prefix, "partitioner": "murmur2_random"})
        one.init_transactions(SECONDS_MAX)
        return one

    def tell(self, *raws, partition=None, fate="commit"):
        """One Kafka transaction, as the bridge writes them."""
        self.producer.begin_transaction()
        for raw in raws:
            where = {} if partition is None else {"partition": partition}
            self.producer.produce(raw.place.topic, raw.value, raw.key, headers=list(raw.headers.items()), **where)
        self.producer.flush(SECONDS_MAX)
        if fate == "commit":
            self.producer.commit_transaction(SECONDS_MAX)
        else:
            self.producer.abort_transaction(SECONDS_MAX)

    def start(self):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meters, self.halt, self.stop = Meters(), Halt(), threading.Event()
        arguments = self.settings, self.meters, provider.get_tracer("test"), self.halt, self.stop
        self.thread = threading.Thread(target=read, args=arguments, daemon=True)
        self.thread.start()

    def end(self):
        self.stop.set()
        if self.thread is not None:
            self.thread.join(SECONDS_MAX)
            assert not self.thread.is_alive()

    def count(self, outcome):
        return self.meters.registry.get_sample_value("orders_records_total", {"outcome": outcome}) or 0

    def ask(self, sql, *values):
        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(sql, values).fetchall()

    def health(self):
        with psycopg.connect(self.database, row_factory=psycopg.rows.dict_row) as connection:
            return judge(facts(connection), self.settings, self.halt.why)

    def order(self, number, lsn, **more):
        return record(self.topic("orders"), "Order", number, sequence(lsn), order(number, **more))

    def event(self, number, lsn):
        return record(self.topic("events"), "OrderPaid", number, sequence(lsn, part=1), order(number))

    def marks(self, phase, lsn):
        for entity, name in (("Order", "orders"), ("Customer", "customers")):
            for partition in range(PARTITIONS):
                told = sequence(lsn, 0x80000000 + partition)
                self.tell(mark(entity, self.topic(name), told, phase), partition=partition)


@pytest.fixture
def world(brokers, database):
    one = World(brokers, database)
    yield one
    one.end()


def wait(what, *, seconds=SECONDS_MAX):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):
            if what():
                return
        time.sleep(0.05)
    raise AssertionError("it does not come to pass")


def test_what_was_committed_is_applied_and_what_was_aborted_is_not(world):
    world.tell(world.order("A-1", 1), world.event("A-1", 1))
    world.tell(world.order("A-2", 2), world.event("A-2", 2), fate="abort")
    world.tell(world.order("A-3", 3), record(world.topic("customers"), "Customer", "7", sequence(3), customer()))
    world.tell(tombstone(world.topic("orders"), "Order", "A-1", sequence(4)))
    world.start()
    wait(lambda: world.ask("SELECT number, customer_name FROM order_overview") == [("A-3", "Zoë")])
    assert world.ask("SELECT aggregate_id FROM event_store") == [("A-1",)]
    assert world.ask("SELECT number FROM orders ORDER BY number") == [("A-1",), ("A-3",)]


def test_a_copy_says_how_fresh_and_whole_it_is(world):
    world.marks("begun", 1)
    world.tell(world.order("A-1", 2))
    world.start()
    # A transaction ends with a mark that is no record; an aborted one leaves records that nobody gets.
    world.tell(world.order("A-2", 3), world.event("A-2", 3), fate="abort")
    wait(lambda: world.health().age_seconds is not None)
    assert (world.health().ready, world.health().initial_load) == (False, "loading")
    world.marks("complete", 4)
    wait(lambda: world.health().ready)
    before = world.health().fresh_at
    wait(lambda: world.health().fresh_at > before)
    assert world.health().age_seconds < world.settings.age_seconds_max
    world.end()
    standing = world.health().age_seconds
    wait(lambda: world.health().age_seconds > standing + 1)


def test_what_is_not_committed_yet_makes_no_copy_old(world):
    world.start()
    wait(lambda: world.health().age_seconds is not None)
    world.producer.begin_transaction()
    raw = world.order("A-1", 1)
    world.producer.produce(raw.place.topic, raw.value, raw.key)
    world.producer.flush(SECONDS_MAX)
    began = time.time()
    wait(lambda: world.health().fresh_at.timestamp() > began + 1)
    assert world.ask("SELECT count(*) FROM orders") == [(0,)]
    world.producer.commit_transaction(SECONDS_MAX)
    wait(lambda: world.ask("SELECT count(*) FROM orders") == [(1,)])


def test_a_reading_goes_on_where_the_copy_is(world):
    world.tell(*(world.order(f"A-{n}", n) for n in range(1, 40)))
    world.start()
    wait(lambda: world.count("applied") == 39)
    world.end()
    world.tell(world.order("B-1", 50))
    world.start()
    wait(lambda: world.ask("SELECT 1 FROM orders WHERE number = 'B-1'"))
    assert (world.count("applied"), world.count("stale")) == (1, 0)


def test_a_second_reading_of_everything_changes_nothing(world):
    world.tell(
        world.order("A-1", 1), world.event("A-1", 1), record(world.topic("customers"), "Customer", "7", sequence(1), customer())
    )
    world.tell(
        world.order("A-1", 2, status="shipped"),
        world.event("A-1", 2),
        tombstone(world.topic("customers"), "Customer", "7", sequence(2)),
    )
    world.start()
    tables = "orders", "customers", "event_store", "order_overview"
    wait(lambda: world.count("applied") + world.count("superseded") == 6)
    once = [world.ask(f"SELECT * FROM {table} ORDER BY 1") for table in tables]
    world.end()
    for topic in world.settings.topics:
        assert rewind(world.database, topic) == PARTITIONS
    world.start()
    wait(lambda: world.count("stale") + world.count("superseded") == 6)
    assert world.count("applied") == 0
    assert [world.ask(f"SELECT * FROM {table} ORDER BY 1") for table in tables] == once


def test_a_record_that_cannot_be_understood_halts_the_reading_in_front_of_it(world):
    one = {"partition": 0}
    world.tell(world.order("A-1", 1), world.order("A-2", 2, total=1.5), world.order("A-3", 3), **one)
    world.start()
    wait(lambda: world.halt.why is not None)
    place = rf"{world.topic('orders')}[0]@1"
    assert world.halt.why == f"cannot apply the record at {place}: data.total: value_error"
    assert world.ask("SELECT number FROM orders") == [("A-1",)], (
        "what stands before it is in the copy, what stands behind it is not"
    )
    offset = "SELECT next_offset FROM read_position WHERE topic = %s AND partition = 0"
    assert world.ask(offset, world.topic("orders")) == [(1,)]
    assert world.meters.registry.get_sample_value("orders_halted") == 1
    world.end()
    world.start()
    wait(lambda: world.halt.why is not None)
    assert place in world.halt.why, "a restart does not get past it"


def test_a_record_that_the_database_refuses_is_named_too(world):
    world.tell(world.order("A-1", 1), world.order("A-2", 2, note="a\u0000b"), world.order("A-3", 3), partition=1)
    world.start()
    wait(lambda: world.halt.why is not None)
    assert f"{world.topic('orders')}[1]@1: PostgreSQL refuses it" in world.halt.why
    assert world.ask("SELECT number FROM orders") == [("A-1",)]


def test_a_topic_that_was_made_anew_halts_until_it_is_rewound(world):
    world.tell(world.order("A-1", 1))
    world.start()
    wait(lambda: world.count("applied") == 1)
    world.end()
    for answer in world.admin.delete_topics([world.topic("orders")]).values():
        answer.result(SECONDS_MAX)
    wait(lambda: world.topic("orders") not in world.admin.list_topics(timeout=10).topics)
    world.create("orders")
    world.producer = world.new_producer()
    world.tell(world.order("A-2", 2), world.order("A-3", 3), partition=0)
    world.start()
    wait(lambda: world.halt.why is not None)
    assert f"rewind {world.topic('orders')}" in world.halt.why
    world.end()
    rewind(world.database, world.topic("orders"))
    world.start()
    wait(lambda: len(world.ask("SELECT 1 FROM order_overview")) == 3)


def test_records_that_were_deleted_unread_halt_the_reading(world):
    world.tell(world.order("A-1", 1), partition=0)
    world.start()
    wait(lambda: world.count("applied") == 1)
    world.end()
    world.tell(world.order("A-2", 2), world.order("A-3", 3), partition=0)
    for answer in world.admin.delete_records([TopicPartition(world.topic("orders"), 0, 4)]).values():
        answer.result(SECONDS_MAX)
    world.start()
    wait(lambda: world.halt.why is not None)
    assert "its records were deleted before they were read" in world.halt.why


def test_a_connection_that_breaks_costs_nothing_but_time(world):
    world.start()
    wait(lambda: world.health().age_seconds is not None)
    for n in range(1, 30):
        world.tell(world.order(f"A-{n}", n), world.event(f"A-{n}", n))
        if n % 10 == 0:
            world.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orders-service reading'")
    wait(lambda: world.ask("SELECT count(*) FROM orders") == [(29,)])
    wait(lambda: world.ask("SELECT count(*), max(version) FROM event_store") == [(29, 1)])
    assert world.halt.why is None
    assert sum(sample.value for sample in world.meters.restarts.collect()[0].samples if sample.name.endswith("_total")) >= 1


def test_partitions_that_are_added_are_read_from_their_beginning(world):
    hurried = {"topic.metadata.refresh.interval.ms": "500"}
    world.settings = world.settings.model_copy(update={"kafka_properties": hurried})
    world.tell(world.order("A-1", 1), partition=0)
    world.start()
    wait(lambda: world.count("applied") == 1)
    more = NewPartitions(world.topic("orders"), PARTITIONS + 1)
    for answer in world.admin.create_partitions([more]).values():
        answer.result(SECONDS_MAX)
    wait(lambda: len(world.producer.list_topics(world.topic("orders")).topics[world.topic("orders")].partitions) == PARTITIONS + 1)
    world.tell(world.order("A-2", 2), partition=PARTITIONS)
    wait(lambda: world.ask("SELECT number FROM orders ORDER BY 1") == [("A-1",), ("A-2",)])
    assert world.halt.why is None
    wait(lambda: world.health().age_seconds is not None)


def test_two_instances_share_the_partitions(world):
    world.start()
    wait(lambda: world.health().age_seconds is not None)
    second, halt, stop = Meters(), Halt(), threading.Event()
    more = world.settings.model_copy(update={"instance": f"{world.prefix}-2"})
    thread = threading.Thread(target=read, args=(more, second, TracerProvider().get_tracer("test"), halt, stop), daemon=True)
    thread.start()
    try:
        numbers = iter(range(1, 10_000))
        applied = lambda: second.registry.get_sample_value("orders_records_total", {"outcome": "applied"}) or 0  # noqa: E731

        def both_have_applied():
            n = next(numbers)
            world.tell(world.order(f"A-{n}", n), world.event(f"A-{n}", n))
            return applied() > 0 and world.count("applied") > 0

        wait(both_have_applied)
        told = next(numbers) - 1
        wait(lambda: world.ask("SELECT count(*) FROM order_overview") == [(told,)])
        wait(lambda: world.ask("SELECT count(*) FROM event_store") == [(told,)])
        assert applied() + world.count("applied") == 2 * told
        assert (halt.why, world.halt.why) == (None, None)
    finally:
        stop.set()
        thread.join(SECONDS_MAX)


def test_a_batch_is_a_span(world):
    world.tell(world.order("A-1", 1), world.order("A-2", 2))
    world.start()
    wait(lambda: world.count("applied") == 2)
    wait(world.spans.get_finished_spans)
    spans = [span for span in world.spans.get_finished_spans() if span.name == "apply records"]
    assert sum(span.attributes["messaging.batch.message_count"] for span in spans) == 2
    assert "A-1" not in json.dumps([span.to_json() for span in spans])
