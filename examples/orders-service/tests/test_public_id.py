"""Ids for the outside."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from orders_service.public_id import customer_ids, keyed
from tests.made import SECRET, settings


def test_an_id_is_stable_and_says_nothing():
    ids = keyed(b"a secret", "customer", "cus_")
    assert ids("7") == keyed(b"a secret", "customer", "cus_")("7")
    assert re.fullmatch(r"cus_[a-z2-7]{20}", ids("7"))
    others = {keyed(b"another", "customer", "cus_")("7"), keyed(b"a secret", "order", "cus_")("7"), ids("8"), ids("07")}
    assert len(others | {ids("7")}) == 5


def test_keys_that_are_public_stay_as_they_are():
    assert customer_ids(settings(customer_ids="published", public_id_secret=None))("cus_abc") == "cus_abc"
    assert customer_ids(settings())("7") == keyed(SECRET.encode(), "customer", "cus_")("7")


@pytest.mark.parametrize("secret", [None, "", "fifteen letters"])
def test_nothing_is_keyed_without_a_good_secret(secret):
    with pytest.raises(ValidationError, match="at least 16 bytes"):
        settings(public_id_secret=secret)


@pytest.mark.parametrize("name", ["isolation.level", "enable.auto.commit", "group.id"])
def test_what_the_copy_rests_on_cannot_be_set(name):
    with pytest.raises(ValidationError, match=f"must not set {name}"):
        settings(kafka_properties={name: "x", "security.protocol": "SSL"})


def test_a_refusal_of_settings_shows_no_secret():
    with pytest.raises(ValidationError) as refused:
        settings(public_id_secret="short", database_url="postgresql://u:hidden@h/")
    assert "short" not in str(refused.value)
    assert "hidden" not in str(refused.value)
