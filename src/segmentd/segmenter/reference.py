"""``docs/rules.md``: what people wrote in ``reference.md``, with tables made from the catalogue.

python -m segmentd.segmenter.reference docs/rules.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path

from segmentd.domain import fields as declared
from segmentd.segmenter.examples import Example, Form, examples
from segmentd.segmenter.fields import (
    AGGREGATES,
    FITTED,
    FUNCTIONS,
    Field,
    Function,
    Kind,
    find_field,
)
from segmentd.segmenter.presets import PRESETS, Preset
from segmentd.segmenter.presets_values import shown

_KINDS: Mapping[Kind, str] = {
    Kind.MONEY: "money",
    Kind.COUNT: "number",
    Kind.PLACE: "whole number",
    Kind.RATIO: "share",
    Kind.DATE: "date",
    Kind.TEXT: "text",
    Kind.CHOICE: "word",
    Kind.ID: "id",
    Kind.LIST: "list",
    Kind.TERMS: "list",
    Kind.TRUTH: "true or false",
    Kind.ANY: "any",
}
_FILLED = frozenset[str]().union(
    *(names for names in vars(declared).values() if isinstance(names, frozenset))
)
"""What at least one source declares to fill."""
_FAMILIES = ("shopify_email.", "storefront.")


def markdown() -> str:
    """The whole page."""
    text = resources.files("segmentd.segmenter").joinpath("reference.md").read_text("utf-8")
    parts = {
        "operators": _table(("operator", "for", "meaning", "example"), _operators()),
        "fields": _table(_FIELD, _fields(filled=True)),
        "unfilled": _table(_FIELD, _fields(filled=False)),
        "events": _forms(examples().events),
        "aggregates": _table(("operation", "of", "what it is", "example"), _aggregates()),
        "functions": "\n\n".join(_functions()),
        "dates": _forms(examples().dates),
        "relative": _forms(examples().relative),
        "others": _forms(examples().others),
        "fitted": _table(("variable", "value"), _fitted()),
        "presets": _table(("preset", "whom it selects", "parameters"), _presets()),
        "rules": "\n".join(("```", *examples().rules, "```")),
    }
    return re.sub(r"<!-- (\w+) -->", lambda place: parts[place[1]], text)


_FIELD = ("field", "kind", "what it is", "example")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = [head, tuple("---" for _ in head), *rows]
    lines = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in cells)
    return "\n".join(f"| {line} |" for line in lines)


def _forms(forms: Iterable[Form]) -> str:
    rows = ((_marked(form.written, form.shopify), form.meaning, _code(form.rule)) for form in forms)
    return _table(("written", "means", "example"), rows)


def _operators() -> Iterator[tuple[str, ...]]:
    for form in examples().operators:
        yield _marked(form.written, form.shopify), form.goes_with, form.meaning, _code(form.rule)


def _fields(*, filled: bool) -> Iterator[tuple[str, ...]]:
    for name, example in {**examples().fields, **examples().open_fields}.items():
        field = find_field(name)
        assert field is not None  # noqa: S101 - there are no examples of unknown names
        if (name in _FILLED or name.partition(".")[0] in _FILLED) == filled:
            yield _row(_code(name), name in examples().shopify, field, example)


def _row(name: str, shopify: bool, field: Field, example: Example) -> tuple[str, ...]:
    choices = ", ".join(f"`'{choice}'`" for choice in field.choices)
    told = "; ".join(part for part in (example.note or field.words, choices) if part)
    return _marked(name, shopify), _KINDS[field.kind], told, _code(example.rule)


def _functions() -> Iterator[str]:
    for name, rows in examples().properties.items():
        yield f"### {_family(name)}"
        if name not in _FILLED:
            yield "Known, but filled by no source yet."
        parameters = (
            _parameter(FUNCTIONS[name], parameter, f"{name}.{parameter}", example)
            for parameter, example in rows.items()
        )
        yield _table(("parameter", "kind", "what it is", "example"), parameters)


def _parameter(function: Function, name: str, whole: str, example: Example) -> tuple[str, ...]:
    prop, shopify = function.find(name), whole in examples().shopify
    if prop is not None:
        note = example.note if prop.filled else f"{prop.words}; no source fills it yet"
        return _row(_code(name), shopify, prop, Example(example.rule, note))
    total = function.aggregate(name)
    assert total is not None  # noqa: S101 - there are no examples of unknown names
    return _row(f"total {_code(name)}", shopify, total, example)


def _family(name: str) -> str:
    """All functions that have the same parameters as this one."""
    beginning = next((family for family in _FAMILIES if name.startswith(family)), None)
    if beginning is None:
        argument = "('…')" if FUNCTIONS[name].argument else ""
        return _code(f"{name}{argument}")
    return ", ".join(_code(each) for each in FUNCTIONS if each.startswith(beginning))


def _aggregates() -> Iterator[tuple[str, ...]]:
    for operation, example in examples().aggregates.items():
        kinds = ", ".join(sorted({_KINDS[kind] for kind in AGGREGATES[operation]}))
        shopify = operation == "sum"  # sum_amount and sum_quantity
        yield _marked(_code(operation), shopify), kinds, example.note, _code(example.rule)


def _fitted() -> Iterator[tuple[str, ...]]:
    for name, meaning in FITTED.items():
        yield _code(f"${name}"), meaning


def _presets() -> Iterator[tuple[str, ...]]:
    for key, preset in PRESETS.items():
        told = f"{preset.words} *{preset.waits_for}*" if preset.waits_for else preset.words
        yield _code(key), told, ", ".join(_values(preset))


def _values(preset: Preset) -> Iterator[str]:
    for name, parameter in preset.parameters.items():
        default = "" if parameter.default is None else f" = {shown(parameter.default)}"
        yield _code(f"{name}{default}")


def _marked(words: str, shopify: bool) -> str:
    return words if shopify else f"{words} **+**"


def _code(text: str) -> str:
    return f"`{text}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown(), "utf-8")
