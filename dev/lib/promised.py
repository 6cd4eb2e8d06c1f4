"""What `walbridge schema` promises of each type, as something that records can be held against."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from bridge import PROGRAM

FORMATS = FormatChecker(["date", "date-time", "uuid"])


class Wrong(Exception):
    """Something does not hold."""


def said(command: list[str], code: int = 0) -> str:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != code:
        raise Wrong(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def closed(schema: Any) -> Any:
    """The same, for what is told today and nothing more: a field that the contract does not name is an error here."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return inner | {"additionalProperties": False} if "properties" in inner and inner.get("type") == "object" else inner


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FORMATS)


def of_types(config: Path) -> dict[str, Draft202012Validator]:
    """By what `type` says: of every record that this config tells."""
    document = json.loads(said([PROGRAM, "schema", "-c", str(config)]))
    schemas = document["components"]["schemas"].values()
    return {schema["properties"]["type"]["const"]: validator(closed(schema)) for schema in schemas}


def broken(promised: dict[str, Draft202012Validator], values: Iterable[bytes]) -> list[str]:
    """What records say that their type does not promise."""
    found = []
    for value in values:
        document = json.loads(value)
        kind = document["type"]
        if kind not in promised:
            found.append(f"{document['id']}: nothing is promised of {kind}")
        elif (error := next(promised[kind].iter_errors(document), None)) is not None:
            found.append(f"{document['id']} {kind}: {error.json_path}: {error.message[:120]}")
    return found
