"""What the surroundings say: environment variables that begin with ORDERS_."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRET_BYTES_MIN = 16
OURS = {
    "isolation.level",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "enable.partition.eof",
    "group.id",
}
"""What the promises of this service rest on."""


class Settings(BaseSettings):
    """Refused as a whole where one is missing or wrong; `orders-service settings` explains them."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_", extra="ignore", hide_input_in_errors=True)

    database_url: SecretStr = Field(description="the service's own PostgreSQL, as libpq reads it")
    kafka_brokers: str = Field(description="host:port, more of them behind commas")
    kafka_properties: dict[str, str] = Field(
        default_factory=dict, description="librdkafka's own, as JSON: security.protocol and the like"
    )
    group: str = Field(default="orders-service", description="instances of one group share the partitions")
    instance: str | None = Field(
        default=None, description="a name that outlives restarts, such as a pod's: it gets its partitions back at once"
    )

    orders_topic: str = "shop.orders"
    order_events_topic: str = "shop.order-events"
    customers_topic: str = "shop.customers"
    type_prefix: str = Field(default="", description="the bridge's cloudevents.type_prefix")
    load_markers: bool = Field(
        default=True, description="the bridge has backfill.markers = true; else nobody can say whether the copy is whole"
    )

    customer_ids: Literal["keyed", "published"] = Field(
        default="keyed",
        description="keyed: a customer's key is the legacy's number and stays inside; published: it is a public id already",
    )
    public_id_secret: SecretStr | None = Field(default=None, description="for keyed; the same for ever, at least 16 bytes")

    age_seconds_max: float = Field(default=30, gt=0, description="an older copy is not ready to be asked")
    batch_records_max: int = Field(default=500, gt=0, description="records in one transaction of the copy")

    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    traces: Literal["off", "console", "otlp"] = "off"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _keyed_ids_need_a_secret(self) -> Self:
        if self.customer_ids == "keyed":
            secret = self.public_id_secret
            if secret is None or len(secret.get_secret_value().encode()) < SECRET_BYTES_MIN:
                raise ValueError(
                    f"ORDERS_PUBLIC_ID_SECRET must have at least {SECRET_BYTES_MIN} bytes; "
                    "or set ORDERS_CUSTOMER_IDS=published where the bridge maps the key with public_id"
                )
        return self

    @model_validator(mode="after")
    def _promises_are_kept(self) -> Self:
        if taken := sorted(OURS & self.kafka_properties.keys()):
            raise ValueError(f"ORDERS_KAFKA_PROPERTIES must not set {', '.join(taken)}: the copy's correctness rests on it")
        return self

    @property
    def topics(self) -> tuple[str, ...]:
        return self.orders_topic, self.order_events_topic, self.customers_topic

    @property
    def state_topics(self) -> tuple[str, ...]:
        return self.orders_topic, self.customers_topic
