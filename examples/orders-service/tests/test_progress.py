"""How fresh a copy is said to be: never fresher than it is."""

from __future__ import annotations

from orders_service.progress import Ends, Progress

A, B = ("shop.orders", 0), ("shop.orders", 1)


def progress(*partitions):
    return Progress(partitions)


def test_a_copy_is_as_fresh_as_the_question_whose_end_it_passed():
    one = progress(A)
    one.ends(Ends(100, {A: 5}))
    one.reached(A, 4)
    assert one.fresh() == {}
    one.reached(A, 5)
    assert one.fresh() == {A: 100}


def test_a_quiet_topic_stays_fresh_and_an_unreachable_one_does_not():
    one = progress(A)
    one.reached(A, 5)
    one.ends(Ends(100, {A: 5}))
    one.ends(Ends(101, {A: 5}))
    assert one.fresh() == {A: 101}
    # Nobody answers any more: nothing new is known, and the age grows.
    assert one.fresh() == {A: 101}


def test_under_load_each_end_is_met_before_the_next_one_counts():
    one = progress(A)
    one.ends(Ends(100, {A: 50}))
    for second in range(1, 10):
        one.ends(Ends(100 + second, {A: 50 + 10 * second}))
        one.reached(A, 5 * second)
    assert one.fresh() == {}
    one.reached(A, 50)
    assert one.fresh() == {A: 100}
    one.ends(Ends(110, {A: 150}))
    one.reached(A, 149)
    assert one.fresh() == {A: 100}, "the next target is 150"
    assert one.lag() == {A: 1}


def test_an_offset_that_is_behind_takes_nothing_back():
    one = progress(A)
    one.reached(A, 9)
    one.reached(A, 3)
    one.ends(Ends(100, {A: 9}))
    assert one.fresh() == {A: 100}


def test_partitions_of_others_do_not_count():
    one = progress(A)
    one.ends(Ends(100, {A: 0, B: 0}))
    one.reached(B, 7)
    assert one.fresh() == {A: 100}
    assert one.lag() == {A: 0}
