"""When a copy is whole, by what the markers say."""

from __future__ import annotations

from functools import reduce

import pytest

from orders_service.load import Load, Mark, Phase, Standing, of_all, standing, step
from tests.made import sequence

BEGUN, COMPLETE, CANCELLED = Phase.BEGUN, Phase.COMPLETE, Phase.CANCELLED


def mark(lsn, phase, generation=1, partial=False, epoch=1):
    return Mark("shop.orders", 0, sequence(lsn, epoch=epoch), phase, generation, partial)


def after(*marks):
    return standing(reduce(step, marks, Load()))


CASES = {
    "nothing was said": ([], Standing.UNKNOWN),
    "begun": ([mark(1, BEGUN)], Standing.LOADING),
    "all told": ([mark(1, BEGUN), mark(2, COMPLETE)], Standing.COMPLETE),
    "the beginning was compacted away": ([mark(2, COMPLETE)], Standing.COMPLETE),
    "an operator ended it": ([mark(1, BEGUN), mark(2, CANCELLED)], Standing.CANCELLED),
    "told again": ([mark(1, BEGUN), mark(2, COMPLETE), mark(3, BEGUN, 2)], Standing.COMPLETE),
    "told again, and ended": ([mark(1, BEGUN), mark(2, COMPLETE), mark(3, BEGUN, 2), mark(4, CANCELLED, 2)], Standing.COMPLETE),
    "some rows only": ([mark(1, BEGUN, partial=True), mark(2, COMPLETE)], Standing.UNKNOWN),
    "some rows, said at the end": ([mark(2, COMPLETE, partial=True)], Standing.UNKNOWN),
    "some rows of a whole copy": (
        [mark(1, BEGUN), mark(2, COMPLETE), mark(3, BEGUN, 2, True), mark(4, COMPLETE, 2)],
        Standing.COMPLETE,
    ),
    "all after some": ([mark(1, BEGUN, partial=True), mark(2, BEGUN, 2), mark(3, COMPLETE, 2)], Standing.COMPLETE),
    "a new history": ([mark(8, BEGUN), mark(9, COMPLETE), mark(1, BEGUN, epoch=2)], Standing.LOADING),
    "a new history, told": ([mark(9, COMPLETE), mark(1, BEGUN, epoch=2), mark(2, COMPLETE, epoch=2)], Standing.COMPLETE),
    "a mark of the history before": ([mark(1, BEGUN, epoch=2), mark(9, COMPLETE)], Standing.LOADING),
    "all told, after some that nobody ended": ([mark(1, BEGUN, partial=True), mark(3, COMPLETE, 2)], Standing.COMPLETE),
    "an older mark again": ([mark(1, BEGUN), mark(2, COMPLETE), mark(1, BEGUN)], Standing.COMPLETE),
}


@pytest.mark.parametrize(("marks", "expected"), CASES.values(), ids=CASES.keys())
def test_standing(marks, expected):
    assert after(*marks) is expected


def test_a_mark_that_comes_again_changes_nothing():
    once = reduce(step, [mark(1, BEGUN), mark(2, COMPLETE)], Load())
    assert reduce(step, [mark(1, BEGUN), mark(2, COMPLETE)], once) == once


def test_a_copy_is_as_whole_as_its_slowest_partition():
    assert of_all([]) is Standing.UNKNOWN
    assert of_all([Standing.COMPLETE, Standing.COMPLETE]) is Standing.COMPLETE
    assert of_all([Standing.COMPLETE, Standing.LOADING, Standing.UNKNOWN]) is Standing.LOADING
    assert of_all([Standing.LOADING, Standing.CANCELLED]) is Standing.CANCELLED
    assert of_all([Standing.COMPLETE, Standing.UNKNOWN]) is Standing.UNKNOWN
