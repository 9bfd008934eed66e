"""Ready-made rules with parameters, from the table ``presets.toml``.

A template is a rule with four additions.

- ``{days}`` is the value of a parameter as a rule writes it (``90d``, ``10%``, ``'a', 'b'``),
  ``{days:n}`` its bare number; ``{share+margin}`` and ``{365-days}`` add and take away.
- ``[days? A | B]`` is A where the parameter has a value (0 and false are none), else B.
- ``@name`` is a part that several templates share, from the table ``[part]``; in the same way a
  parameter may be given as the name of one from ``[parameter]``.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from segmentd.domain.errors import ConfigError
from segmentd.domain.suggest import did_you_mean
from segmentd.segmenter.presets_values import Parameter, Value, shown

_PART = re.compile(r"@(\w+)")
_OPTION = re.compile(r"\[(\w+)\?([^\[\]|]*)(?:\|([^\[\]]*))?\]")
_PLACE = re.compile(r"\{(?:(\d+)-)?(\w+)(?:\+(\w+))?(:n)?\}")


@dataclass(frozen=True, slots=True)
class Preset:
    """A rule with parameters."""

    key: str
    title: str
    words: str
    """What it selects with the default values, in one sentence."""
    rule: str
    """The template of the rule."""
    articles: tuple[str, ...] = ()
    """What others call it."""
    parameters: Mapping[str, Parameter] = dataclasses.field(default_factory=dict)
    waits_for: str = ""
    """The input that no connector brings yet, and without which the rule is refused."""
    rule_to_stay: str = ""
    """The template of the second rule, by which a member stays one; "" if there is none."""
    set: str = ""
    """The presets of a set exclude each other as long as they are given the same values."""

    def is_waiting(self, values: Mapping[str, object]) -> bool:
        """Whether the rule is refused with these values, for an input that nothing brings yet."""
        # a field of the shop's own may hold what no connector brings
        return bool(self.waits_for) and "field" not in values

    def where(self, values: Mapping[str, object]) -> str:
        """The rule with these values put in, and the defaults of the other parameters.

        ConfigError names the key that is unknown, missing or has a wrong value; it reads on from
        the name of the table that holds the values.
        """
        return self._filled(self.rule, values)

    def stays(self, values: Mapping[str, object]) -> str:
        """The second rule, by which a member stays one; "" if there is none. Errors as above."""
        return self._filled(self.rule_to_stay, values)

    def _filled(self, template: str, values: Mapping[str, object]) -> str:
        read = dict(self._read(values))
        rule = template
        while _OPTION.search(rule):
            rule = _OPTION.sub(lambda option: _chosen(option, read), rule)
        return _PLACE.sub(lambda place: self._written(place, read), _tidy(rule))

    def _read(self, values: Mapping[str, object]) -> Iterator[tuple[str, Value]]:
        for key in values:
            if key not in self.parameters:
                near = did_you_mean(key, self.parameters)
                raise ConfigError(f'has no key "{key}" for preset "{self.key}"{near}')
        for key, parameter in self.parameters.items():
            value = values.get(key, parameter.default)
            if value is not None:
                yield key, parameter.read(key, value)

    def _written(self, place: re.Match[str], values: Mapping[str, Value]) -> str:
        whole, key, more, bare = place.groups()
        parameter = self.parameters[key]
        if key not in values:
            example = shown(parameter.example)
            raise ConfigError(
                f'key "{key}" is missing for preset "{self.key}"; write {key} = {example}'
            )
        value = values[key]
        if whole:
            value = int(whole) - _number(value)
        elif more:
            value = _number(value) + _number(values[more])
        return parameter.write(value, bare=bare is not None)


def _chosen(option: re.Match[str], values: Mapping[str, Value]) -> str:
    key, given, otherwise = option.groups(default="")
    return given if values.get(key) else otherwise


def _number(value: Value) -> int | Decimal:
    assert isinstance(value, int | Decimal)  # noqa: S101 - templates reckon with numbers only
    return value


def _tidy(template: str) -> str:
    """On one line, without blanks beside parentheses."""
    return re.sub(r"(?<=\() | (?=[),])", "", " ".join(template.split()))


@cache
def _table() -> Mapping[str, Preset]:
    text = resources.files("segmentd.segmenter").joinpath("presets.toml").read_text("utf-8")
    table = tomllib.loads(text)
    shared = {key: _parameter(raw) for key, raw in table["parameter"].items()}
    return {key: _preset(key, raw, table["part"], shared) for key, raw in table["preset"].items()}


def _parameter(raw: dict[str, Any]) -> Parameter:
    return Parameter(**{**raw, "choices": tuple(raw.get("choices", ()))})


def _preset(
    key: str, raw: dict[str, Any], parts: Mapping[str, str], shared: Mapping[str, Parameter]
) -> Preset:
    parameters = {
        name: shared[given] if isinstance(given, str) else _parameter(given)
        for name, given in raw.get("parameters", {}).items()
    }
    rules = {
        name: _tidy(_PART.sub(lambda part: parts[part[1]], raw.get(name, "")))
        for name in ("rule", "rule_to_stay")
    }
    articles = tuple(raw.get("articles", ()))
    return Preset(**{**raw, **rules, "key": key, "articles": articles, "parameters": parameters})


class _Presets(Mapping[str, Preset]):
    """Read when first asked for: most runs need none."""

    def __getitem__(self, key: str) -> Preset:
        return _table()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(_table())

    def __len__(self) -> int:
        return len(_table())


PRESETS: Mapping[str, Preset] = _Presets()
"""Every preset by the name that ``preset = "…"`` gives, in the order of the table."""
