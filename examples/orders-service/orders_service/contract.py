"""What this service relies on in the data of the topics; fields it does not know are passed over."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr


def _as_key(value: object) -> object:
    """Keys are opaque text. One that is a number in JSON is the text of that number, as in the record's key."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _as_decimal(value: object) -> object:
    """A float has lost digits already."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError("a decimal is text")


Key = Annotated[StrictStr, BeforeValidator(_as_key)]
Amount = Annotated[Decimal, BeforeValidator(_as_decimal), Field(allow_inf_nan=False)]


class Contract(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Order(Contract):
    number: Key
    placed_at: AwareDatetime = Field(alias="placedAt")
    total: Amount
    status: StrictStr
    express: StrictBool | None
    due: date | None
    customer: Key
    currency: StrictStr
    note: StrictStr | None


class Customer(Contract):
    number: Key
    name: StrictStr
    country: StrictStr | None
    version: StrictInt
