"""Ids for the outside that say nothing of the legacy's numbers."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from orders_service.settings import Settings

PublicId = Callable[[str], str]
LETTERS = 20
"""100 bits: among a billion customers any two share an id with a chance below 1 in 10^12."""


def keyed(secret: bytes, kind: str, prefix: str) -> PublicId:
    """The same id for the same key for ever, and no way from an id to a key, nor from one id to the next."""

    def of(key: str) -> str:
        digest = hmac.new(secret, kind.encode() + b"\0" + key.encode(), hashlib.sha256).digest()
        return prefix + base64.b32encode(digest).decode().lower()[:LETTERS]

    return of


def as_published(key: str) -> str:
    return key


def customer_ids(settings: Settings) -> PublicId:
    if settings.customer_ids == "published" or settings.public_id_secret is None:
        return as_published
    return keyed(settings.public_id_secret.get_secret_value().encode(), "customer", "cus_")
