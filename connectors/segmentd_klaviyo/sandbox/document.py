"""The official OpenAPI document as a judge of requests and answers.

Schemas are used as they are, but for two things that OpenAPI 3.0 says in its own way (``nullable``)
or leaves open: an attribute that a request body's schema does not name is refused, because Klaviyo
would drop it and the sender would never know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

MEDIA_TYPE = "application/vnd.api+json"
Json = Any


@dataclass(frozen=True)
class Fault:
    """What is wrong with a request or an answer, and where."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


@dataclass(frozen=True, eq=False)
class Operation:
    """One method on one path, with what the document says about it."""

    id: str
    method: str
    path: str
    definition: Mapping[str, Json]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches a path without a trailing slash; groups are the path parameters."""
        return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", self.path))

    @cached_property
    def query(self) -> Mapping[str, Mapping[str, Json]]:
        """Query parameter → schema."""
        return {p["name"]: p["schema"] for p in self.definition["parameters"] if p["in"] == "query"}

    @property
    def scopes(self) -> frozenset[str]:
        """Scopes that a private key needs."""
        return frozenset(self.definition["x-klaviyo-scopes"])

    @property
    def filters(self) -> Mapping[str, Mapping[str, Json]]:
        """Field → operators that its filter takes."""
        filters: Mapping[str, Mapping[str, Json]] = self.definition.get("x-klaviyo-filters", {})
        return filters

    def limit(self, name: str) -> int | None:
        """``max_items``, ``max_item_bytes`` or ``max_payload_bytes``; None if none is known."""
        found: int | None = self.definition.get("x-segmentd-limits", {}).get(name)
        return found

    def rate(self, query: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Name of the quota that a request counts against, and its limits: ``burst`` 10/s …"""
        special = self.definition.get("x-segmentd-rate-with-parameter", {})
        for condition, limits in special.items():
            name, _, value = condition.partition("=")
            if value in query.get(name, "").split(","):
                return f"{self.id} {condition}", limits
        return self.id, self.definition["x-klaviyo-ratelimit"]


@dataclass
class Document:
    """Operations and schemas of the reduced document beside this file."""

    content: Mapping[str, Json]
    _validators: dict[tuple[str, str], jsonschema_rs.Validator] = field(default_factory=dict)

    @cached_property
    def operations(self) -> list[Operation]:
        """All operations."""
        return [
            Operation(definition["operationId"], method.upper(), path, definition)
            for path, methods in self.content["paths"].items()
            for method, definition in methods.items()
        ]

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation for a request and its path parameters."""
        for operation in self.operations:
            match = operation.pattern.fullmatch(path.rstrip("/"))
            if match and operation.method == method:
                return operation, match.groupdict()
        return None

    def query_faults(self, operation: Operation, query: Mapping[str, str]) -> Iterator[Fault]:
        """Unknown parameters, and values that the schema does not allow."""
        for name, value in query.items():
            schema = operation.query.get(name)
            if schema is None:
                yield Fault(f"'{name}' is not a valid parameter.", parameter=name)
                continue
            allowed = schema.get("items", schema).get("enum")
            parts = value.split(",") if schema["type"] == "array" else [value]
            for part in parts:
                if allowed and part not in allowed:
                    yield Fault(f"'{part}' is not allowed for '{name}'.", parameter=name)
            if schema["type"] == "integer" and not _within(schema, value):
                yield Fault(f"'{name}' must be from 1 to {schema['maximum']}.", parameter=name)

    def body_faults(self, operation: Operation, body: Json) -> Iterator[Fault]:
        """What the schema of the request body does not allow."""
        schema = operation.definition["requestBody"]["content"][MEDIA_TYPE]["schema"]
        validator = self._validator(operation.id, "request", schema)
        for error in validator.iter_errors(body):
            pointer = "".join(f"/{part}" for part in error.instance_path)
            yield Fault(error.message, pointer=pointer)

    def answer_faults(self, operation: Operation, status: int, body: bytes) -> Iterator[Fault]:
        """What the schema of the answer does not allow."""
        answers = operation.definition["responses"]
        answer = answers.get(str(status)) or answers.get(f"{status // 100}XX")
        if answer is None:
            yield Fault(f"{operation.id} does not answer {status}")
            return
        if "$ref" in answer:
            answer = self.content["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        content = answer.get("content")
        if content is None:
            if body:
                yield Fault(f"{operation.id} answers {status} without a body")
            return
        validator = self._validator(operation.id, str(status), content[MEDIA_TYPE]["schema"])
        for error in validator.iter_errors(orjson.loads(body)):
            yield Fault(error.message, pointer="".join(f"/{p}" for p in error.instance_path))

    def _validator(self, operation: str, what: str, schema: Json) -> jsonschema_rs.Validator:
        key = (operation, what)
        if key not in self._validators:
            strict = what == "request"
            names = _names(schema, self.content["components"]["schemas"])
            definitions = {
                name: _translate(self.content["components"]["schemas"][name], strict)
                for name in names
            }
            whole = {**_translate(schema, strict), "components": {"schemas": definitions}}
            self._validators[key] = jsonschema_rs.Draft202012Validator(
                whole, validate_formats=not strict
            )
        return self._validators[key]


def _within(schema: Mapping[str, Json], value: str) -> bool:
    return value.isdecimal() and schema["minimum"] <= int(value) <= schema["maximum"]


def _names(schema: Json, schemas: Mapping[str, Json]) -> set[str]:
    """Names of all schemas that ``schema`` needs, directly or not."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name in schemas and name not in found:
                found.add(name)
                waiting.append(schemas[name])
    return found


def _translate(node: Json, strict: bool) -> Json:
    """An OpenAPI 3.0 schema as JSON Schema: null where ``nullable``; closed if ``strict``."""
    if isinstance(node, list):
        return [_translate(child, strict) for child in node]
    if not isinstance(node, dict):
        return node
    made = {
        key: {name: _translate(child, strict) for name, child in value.items()}
        if key == "properties"
        else _translate(value, strict)
        for key, value in node.items()
        if key != "nullable"
    }
    if strict and "properties" in made:
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") is True else made


@cache
def document() -> Document:
    """The document, read once per process."""
    return Document(orjson.loads(Path(__file__).with_name("openapi.json").read_bytes()))
