"""Records as the bridge writes them, for tests."""

from __future__ import annotations

import json

from orders_service.records import Place, Raw
from orders_service.settings import Settings

ORDERS, EVENTS, CUSTOMERS = "shop.orders", "shop.order-events", "shop.customers"
TIME = "2026-11-23T09:30:00.123456Z"
SECRET = "a secret for tests only"


def settings(**more) -> Settings:
    given = {"database_url": "postgresql://nowhere/", "kafka_brokers": "nowhere:1", "public_id_secret": SECRET}
    return Settings(**(given | more))


def sequence(lsn: int, rank: int = 0, epoch: int = 1, part: int = 0) -> str:
    return f"{epoch:04X}-{lsn:016X}-{rank:08X}-{part:02X}"


def order(number="A-1", **more) -> dict:
    fields = {
        "number": number, "placedAt": "2026-11-23T08:12:00Z", "total": "19.90", "status": "paid", "express": True,
        "due": "2026-12-31", "customer": 7, "currency": "EUR", "note": None,
    }  # fmt: skip
    return fields | more


def customer(number=7, **more) -> dict:
    return {"number": number, "name": "Zoë", "country": "DE", "version": 1} | more


def document(type_: str, key: str, told: str, data: object, **more) -> bytes:
    one = {
        "specversion": "1.0", "id": told, "source": "walbridge/shop", "type": type_, "subject": key, "time": TIME,
        "datacontenttype": "application/json", "dataschema": f"urn:walbridge:shop:{type_}:1", "sequence": told, "data": data,
    }  # fmt: skip
    return json.dumps(one | more).encode()


def record(topic: str, type_: str, key: str, told: str, data: object, offset=0, partition=0, **more) -> Raw:
    return Raw(Place(topic, partition, offset), key.encode(), document(type_, key, told, data, **more), {})


def tombstone(topic: str, type_: str, key: str, told: str, offset=0, partition=0) -> Raw:
    headers = {"ce_id": told, "ce_sequence": told, "ce_time": TIME, "ce_type": type_}
    return Raw(Place(topic, partition, offset), key.encode(), None, {name: text.encode() for name, text in headers.items()})


def mark(entity: str, topic: str, told: str, phase: str, generation=1, offset=0, partition=0, prefix="", **more) -> Raw:
    data = {"phase": phase, "generation": generation, "as_of": "0/16B3748"} | more
    name = f"{entity}.backfill"
    value = document(prefix + name, entity, told, data)
    return Raw(Place(topic, partition, offset), name.encode(), value, {})


def gap(entity: str, topic: str, told: str, since: str | None, offset=0) -> Raw:
    data = {"from": since, "to": "0/17A0000", "epoch": 2, "reason": "source.slot_lost"}
    return Raw(Place(topic, 0, offset), f"{entity}.gap".encode(), document(f"{entity}.gap", entity, told, data), {})
