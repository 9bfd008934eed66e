"""One TOML file: read, ``${NAME}`` filled in, tables typed, a sentence for every mistake."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from segmentd.domain.errors import ConfigError
from segmentd.domain.suggest import did_you_mean

_KINDS = {
    "bool": "true or false",
    "date": "a day such as 2026-12-31",
    "dict": "a table",
    "float": "a number",
    "int": "a whole number",
    "list": "a list in [ ]",
    "model": "a table",
    "path": "a text in quotes",
    "string": "a text in quotes",
    "tuple": "a list in [ ]",
}
_MODEL = TypeVar("_MODEL", bound=BaseModel)


def config_path(chosen: Path | None) -> Path:
    """Where the configuration is: ``chosen``, else SEGMENTD_CONFIG, else ``./segmentd.toml``."""
    return chosen or Path(os.environ.get("SEGMENTD_CONFIG") or "segmentd.toml")


class ConfigFile:
    """A file of the configuration; every error names it as it was given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw = _read(path)

    def error(self, table: str, text: str) -> ConfigError:
        """``FILE: [TABLE] TEXT``; ``text`` begins with a verb or with ``key "…"``."""
        return ConfigError(f"{self.path}: [{table}] {text}" if table else f"{self.path}: {text}")

    def keys(self) -> Set[str]:
        """The keys at the top of the file."""
        return self._raw.keys()

    def check_keys(self, known: Set[str]) -> None:
        """ConfigError for a key at the top of the file that is none of these."""
        for key in sorted(self.keys() - known):
            near = did_you_mean(key, known)
            raise self.error("", f'no table or key is called "{key}"{near}')

    def value(self, key: str, default: object) -> object:
        """What stands at the top of the file under ``key``."""
        return self._expand(self._raw.get(key, default), "", key)

    def table(self, name: str) -> dict[str, Any]:
        """The table ``[name]``, empty if it is not there."""
        return self.as_table(self._raw.get(name, {}), name)

    def tables(self, name: str) -> dict[str, dict[str, Any]]:
        """The tables ``[name.KEY]`` by key."""
        found = self.table(name)
        return {key: self.as_table(table, f"{name}.{key}") for key, table in found.items()}

    def values(self, name: str) -> dict[str, object]:
        """The table ``[name]``, whose keys are names that a person chose."""
        table = self.table(name)
        return {key: self._expand(value, name, key) for key, value in table.items()}

    def parse(
        self,
        model: type[_MODEL],
        table: str,
        raw: Mapping[str, object],
        known: Iterable[str] = (),
    ) -> _MODEL:
        """``raw``, which stands in ``[table]``, as ``model``.

        ``known``: further keys that are right there, for the suggestion.
        """
        values = {key: self._expand(value, table, key) for key, value in raw.items()}
        try:
            return model.model_validate(values)
        except ValidationError as error:
            sentence = _sentence(error, model.model_fields, {*model.model_fields, *known})
            raise self.error(table, sentence) from None
        except ConfigError as error:  # a connector's own validator
            raise self.error(table, error.message) from error

    def expanded(self, table: str, raw: Mapping[str, object], key: str) -> str | None:
        """One text of ``raw`` by itself, before the table can be parsed as a whole."""
        value = self._expand(raw.get(key), table, key)
        if value is not None and not isinstance(value, str):
            raise self.error(table, f'key "{key}" must be {_KINDS["string"]}')
        return value

    def as_table(self, value: object, name: str) -> dict[str, Any]:
        """What stands at ``[name]``; ConfigError if it is no table."""
        if not isinstance(value, dict):
            raise self.error(name, f"must be {_KINDS['dict']}")
        return value

    def _expand(self, value: object, table: str, key: str) -> object:
        if isinstance(value, str):
            return re.sub(r"\$\{([^}]*)\}", lambda m: self._environment(m[1], table, key), value)
        if isinstance(value, list):
            return [self._expand(element, table, key) for element in value]
        if isinstance(value, dict):
            return {name: self._expand(element, table, key) for name, element in value.items()}
        return value

    def _environment(self, name: str, table: str, key: str) -> str:
        if name not in os.environ:
            raise self.error(
                table, f'key "{key}": the environment variable of ${{{name}}} is not set'
            )
        return os.environ[name]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no {path}", hint="segmentd init") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no UTF-8 text: byte {error.start} is wrong") from None
    except tomllib.TOMLDecodeError as error:
        text = str(error)
        raise ConfigError(f"{path} is no valid TOML: {text[0].lower()}{text[1:]}") from None


def _sentence(error: ValidationError, fields: Mapping[str, FieldInfo], known: set[str]) -> str:
    """What is wrong; unknown keys first, as a missing key is often one that was misspelt."""
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    problem = problems[0]
    key = str(problem["loc"][0]) if problem["loc"] else ""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f'has no key "{key}"{did_you_mean(key, known)}'
    if kind == "missing":
        return f'key "{key}" is missing'
    if kind == "value_error":
        return f'key "{key}": {context["error"]}' if key else str(context["error"])
    if kind == "string_pattern_mismatch" and (example := _example(fields.get(key))):
        return f'key "{key}" must look like {example}'
    return f'key "{key}" {_expectation(kind, context, problem["msg"])}'


def _example(field: FieldInfo | None) -> str | None:
    """Something that is right there, for who cannot read patterns."""
    if field is None:
        return None
    if field.examples:
        return str(field.examples[0])
    return field.default if isinstance(field.default, str) else None


def _expectation(kind: str, context: Mapping[str, Any], message: str) -> str:
    base = kind.partition("_")[0]
    if kind.endswith(("_type", "_parsing", "_from_float")) and base in _KINDS:
        return f"must be {_KINDS[base]}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "string_too_short":
        return "must not be empty"
    if kind == "string_pattern_mismatch":
        return f"must look like {context['pattern']}"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}"
    return f"is wrong: {message[0].lower()}{message[1:]}"
