"""The configuration as a JSON schema, by which editors complete and check the file.

What the schema cannot say (names of destinations, the rule language) ``segmentd check`` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from segmentd import plugins
from segmentd.config_tables import (
    GuardTable,
    LimitTable,
    PinTable,
    PushTable,
    Schedule,
    SegmentTable,
    SetTable,
    ShopTable,
    StoreTable,
    WebTable,
)
from segmentd.domain.errors import ConfigError
from segmentd.segmenter.presets import PRESETS
from segmentd.segmenter.presets_values import Parameter

Schema = dict[str, Any]

_DURATION = r"^\d+(\.\d+)?(ms|s|m|h|d)$"
_REFERENCE = {"type": "string", "pattern": r"\$\{"}
"""A value that comes from the environment."""
_WORDS = {"type": "string"}
_COMMON = tuple(key for key in SegmentTable.model_fields if key != "where")
_BY_KIND: Mapping[str, Schema] = {
    "count": {"type": "integer"},
    "dates": {"type": "array", "items": _WORDS},
    "days": {"type": "integer"},
    "list": {"type": "array", "items": {"type": ["string", "integer"]}},
    "money": {"type": "number"},
    "months": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 12}},
    "number": {"type": "number"},
    "share": {"type": ["string", "number"]},
    "truth": {"type": "boolean"},
}


def schema() -> Schema:
    """JSON schema (draft 2020-12) of the configuration file, with the connectors installed here."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "segmentd",
        "type": "object",
        "additionalProperties": False,
        "$defs": _shared(),
        "properties": {
            "conditions": _by_name(_WORDS, "Named conditions: $name in a rule."),
            "destinations": _by_name(_either(_destinations()), "Where memberships are pushed."),
            "guard": _table(GuardTable),
            "include": {"type": "array", "items": _WORDS, "description": "Files with segments."},
            "paused": {"type": "boolean", "description": "Pull and segment go on, push does not."},
            "segments": _by_name(_either(_segments()), "Segments, by key."),
            "sets": _by_name(_table(SetTable), "Segments that exclude each other."),
            "shop": _table(ShopTable),
            "sources": _by_name(_either(_sources()), "Shops that are read."),
            "store": _table(StoreTable),
            "variables": _by_name({}, "Values: $name in a rule."),
            "web": _table(WebTable),
        },
    }


def _by_name(each: Schema, description: str) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": each}


def _either(schemas: Iterator[Schema]) -> Schema:
    return {"anyOf": list(schemas)}


def _sources() -> Iterator[Schema]:
    own = _table(Schedule)["properties"]
    for name in plugins.installed(plugins.SOURCES):
        try:
            settings = plugins.source(name).Settings
        except ConfigError:  # a broken one must not hide the others
            continue
        yield _connector(name, settings, own)


def _destinations() -> Iterator[Schema]:
    source = {"type": "string", "description": "The source of the same shop."}
    for name in plugins.installed(plugins.DESTINATIONS):
        try:
            settings = plugins.destination(name).Settings
        except ConfigError:
            continue
        # what is required comes from the source where one is named
        yield {**_connector(name, settings, {"source": source}), "required": ["connector"]}


def _connector(name: str, settings: type[BaseModel], own: Schema) -> Schema:
    found = _table(settings)
    properties = {"connector": {"const": name}, **own, **found["properties"]}
    return {
        **found,
        "properties": properties,
        "required": ["connector", *found.get("required", ())],
    }


def _shared() -> Schema:
    """Keys that every segment may have."""
    properties = _table(SegmentTable)["properties"]
    properties["push"]["items"] = {"anyOf": [_WORDS, _table(PushTable)]}
    properties["limit"] = _table(LimitTable)
    properties["pins"]["items"] = _table(PinTable)
    properties["grace"] = {"type": "string", "pattern": r"^\d{1,5}d$"}
    return {key: properties[key] for key in _COMMON}


def _segments() -> Iterator[Schema]:
    common = {key: {"$ref": f"#/$defs/{key}"} for key in _COMMON}
    yield _segment({"where": _WORDS, **common}, "where")
    for preset in PRESETS.values():
        named = {"preset": {"const": preset.key, "description": preset.words}}
        parameters = {key: _parameter(each) for key, each in preset.parameters.items()}
        yield _segment(named | common | parameters, "preset")


def _segment(properties: Schema, required: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [required],
        "additionalProperties": False,
    }


def _parameter(parameter: Parameter) -> Schema:
    kind = dict(_BY_KIND.get(parameter.kind, _WORDS))
    if parameter.choices:
        word: Schema = {"enum": list(parameter.choices)}
        kind = {**kind, "items": word} if "items" in kind else word
    found: Schema = {"anyOf": [kind, _WORDS]} if parameter.fitted else kind
    described: Schema = {**_expandable(found), "description": parameter.words}
    return described if parameter.default is None else {**described, "default": parameter.default}


def _table(model: type[BaseModel]) -> Schema:
    found: Schema = _expandable(model.model_json_schema())
    return found


def _expandable(node: Any) -> Any:
    """As a file is written: no null, durations as ``2m``, and ``${NAME}`` for any value."""
    if isinstance(node, str):
        return node.replace("``", "")
    if isinstance(node, list):
        return [_expandable(each) for each in node if each != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    if node.get("format") == "duration":
        return {"type": "string", "pattern": _DURATION}
    found = {
        key: _expandable(each)
        for key, each in node.items()
        if not (key == "title" and isinstance(each, str)) and not (key == "default" and not each)
    }
    if len(found.get("anyOf", ())) == 1:
        (only,) = found.pop("anyOf")
        return {**only, **found}
    checked = {"enum", "pattern"} & found.keys()
    if checked or found.get("type") in ("boolean", "integer", "number"):
        rest = {key: found.pop(key) for key in ("description", "default") if key in found}
        return {"anyOf": [found, _REFERENCE], **rest}
    return found
