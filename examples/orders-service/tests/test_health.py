"""When a copy may be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orders_service.health import Facts, judge
from orders_service.load import Load, Phase
from tests.made import CUSTOMERS, EVENTS, ORDERS, sequence, settings

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
WHOLE = Load(sequence(2), 1, Phase.COMPLETE, False, sequence(2))
GOOD = Facts(
    now=NOW,
    partitions={ORDERS: {0, 1}, EVENTS: {0}, CUSTOMERS: {0}},
    oldest=NOW - timedelta(seconds=2),
    loads={(ORDERS, 0): WHOLE, (ORDERS, 1): WHOLE, (CUSTOMERS, 0): WHOLE},
)


def test_a_whole_and_fresh_copy_is_ready():
    told = judge(GOOD, settings(), None)
    assert (told.ready, told.why_not, told.age_seconds, told.initial_load) == (True, [], 2.0, "complete")


def test_an_old_copy_is_not_ready():
    told = judge(replace(GOOD, oldest=NOW - timedelta(seconds=31)), settings(age_seconds_max=30), None)
    assert (told.ready, told.age_seconds) == (False, 31.0)
    assert told.why_not == ["the copy is older than 30 s"]


def test_a_partition_whose_end_was_never_met_leaves_the_age_open():
    told = judge(replace(GOOD, never_fresh=1), settings(), None)
    assert (told.ready, told.age_seconds, told.fresh_at) == (False, None, None)


def test_a_topic_that_nobody_looked_at_leaves_the_age_open():
    told = judge(replace(GOOD, partitions={ORDERS: {0, 1}, CUSTOMERS: {0}}), settings(), None)
    assert (told.ready, told.age_seconds) == (False, None)


def test_one_partition_that_is_not_whole_is_enough():
    told = judge(replace(GOOD, loads={(ORDERS, 0): WHOLE, (CUSTOMERS, 0): WHOLE}), settings(), None)
    assert (told.ready, told.why_not, told.initial_load) == (False, ["the initial load is unknown"], "unknown")


def test_a_bridge_without_markers_cannot_be_waited_for():
    told = judge(replace(GOOD, loads={}), settings(load_markers=False), None)
    assert (told.ready, told.initial_load) == (True, "unknown")


def test_a_halt_is_told_and_the_copy_is_asked_until_it_is_old():
    told = judge(GOOD, settings(), "cannot apply the record at shop.orders[0]@7: the value is no JSON")
    assert told.ready
    assert told.halted is not None


def test_clocks_that_differ_make_no_negative_age():
    assert judge(replace(GOOD, oldest=NOW + timedelta(seconds=1)), settings(), None).age_seconds == 0
