"""Values of preset parameters: what may be given for them, and how a rule writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from segmentd.domain.errors import ConfigError
from segmentd.domain.suggest import did_you_mean
from segmentd.segmenter.fields import find_field
from segmentd.segmenter.spelling import quoted

Value = int | bool | Decimal | str | tuple[str, ...]
"""Money in major units, shares between 0 and 1, days as a number or as ``$variable``."""

_MOST = 36_525
_VARIABLE = re.compile(r"\$[A-Za-z_]\w*", re.ASCII)
_RANGE = re.compile(r"(\d{4}-\d{2}-\d{2})(?: to (\d{4}-\d{2}-\d{2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value of a rule that may be given."""

    kind: str
    """One of KINDS."""
    words: str
    default: object = None
    """As in the configuration; None where there is none."""
    example: object = None
    """What may be typed, where there is no default."""
    choices: tuple[str, ...] = ()
    """All that a word, or an element of a list, may be."""
    most: int = _MOST
    """The greatest whole number."""

    @property
    def allowed(self) -> str:
        """What may be given, as words that follow "must be"."""
        words = KINDS[self.kind].allowed.format(most=self.most)
        if self.choices:
            return f"{words} of {', '.join(self.choices)}"
        return f'{words}, or a variable such as "{self.default}"' if self.fitted else words

    @property
    def fitted(self) -> bool:
        """The default is fitted to the store, and other variables may be given."""
        return isinstance(self.default, str) and _VARIABLE.fullmatch(self.default) is not None

    def read(self, key: str, given: object) -> Value:
        """The value that was given under ``key``. ConfigError says what may be given."""
        if self.fitted and isinstance(given, str) and _VARIABLE.fullmatch(given):
            return given
        value = KINDS[self.kind].read(self, given)
        if value is None:
            raise ConfigError(f'key "{key}" must be {self.allowed}, not {shown(given)}')
        for word in value if isinstance(value, tuple) else (value,):
            if self.choices and word not in self.choices:
                near = did_you_mean(str(word), self.choices)
                raise ConfigError(f'key "{key}" cannot be "{word}"{near}')
        return value

    def write(self, value: Value, *, bare: bool = False) -> str:
        """The value as a rule writes it; ``bare``: its number, without a unit or a sign."""
        if isinstance(value, str) and self.fitted:
            return value
        return _plain(value) if bare else KINDS[self.kind].write(value)


def shown(value: object) -> str:
    """A value as it is typed in the configuration."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case list() | tuple():
            return f"[{', '.join(shown(element) for element in value)}]"
        case dict():
            return "a table"
        case _:
            return str(value)


@dataclass(frozen=True, slots=True)
class _Kind:
    allowed: str
    read: Callable[[Parameter, object], Value | None]
    """None for what may not be given."""
    write: Callable[[Value], str]


def _whole(parameter: Parameter, given: object) -> Value | None:
    if isinstance(given, bool) or not isinstance(given, int):
        return None
    return given if 0 <= given <= parameter.most else None


def _decimal(_: Parameter, given: object) -> Decimal | None:
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        return None
    number = Decimal(str(given))
    return number if number.is_finite() and abs(number) < 10**12 else None


def _money(parameter: Parameter, given: object) -> Value | None:
    number = _decimal(parameter, given)
    return number if number is not None and number >= 0 else None


def _share(parameter: Parameter, given: object) -> Value | None:
    if isinstance(given, str):
        found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)\s*%", given, re.ASCII)
        number = Decimal(found[1]) / 100 if found else None
    else:
        number = _decimal(parameter, given)
    return number if number is not None and 0 < number <= 1 else None


def _truth(_: Parameter, given: object) -> Value | None:
    return given if isinstance(given, bool) else None


def _text(_: Parameter, given: object) -> Value | None:
    return given if isinstance(given, str) and given.strip() else None


def _list(_: Parameter, given: object) -> Value | None:
    if not isinstance(given, list | tuple) or not given:
        return None
    if not all(isinstance(each, str | int) and not isinstance(each, bool) for each in given):
        return None
    return tuple(str(each) for each in given)


def _field(_: Parameter, given: object) -> Value | None:
    return given if isinstance(given, str) and find_field(given) else None


def _months(_: Parameter, given: object) -> Value | None:
    if not isinstance(given, list | tuple) or not given:
        return None
    if not all(type(month) is int and 1 <= month <= 12 for month in given):
        return None
    return tuple(str(month) for month in given)


def _ranges(_: Parameter, given: object) -> Value | None:
    if not isinstance(given, list | tuple) or not given:
        return None
    found = [_range(each) for each in given]
    return None if None in found else tuple(each for each in found if each)


def _range(given: object) -> str | None:
    """``2025-11-28 to 2025-12-01`` as a condition."""
    days = _RANGE.fullmatch(given) if isinstance(given, str) else None
    if days is None:
        return None
    first, last = days[1], days[2] or days[1]
    try:
        ordered = date.fromisoformat(first) <= date.fromisoformat(last)
    except ValueError:
        return None
    return f"date BETWEEN {first} AND {last}" if ordered else None


def _plain(value: Value) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _percent(value: Value) -> str:
    """Sums of shares end at 100 %."""
    assert isinstance(value, Decimal)  # noqa: S101 - what _share made
    return f"{(min(value, Decimal(1)) * 100).normalize():f}%"


def _joined(value: Value) -> tuple[str, ...]:
    assert isinstance(value, tuple)  # noqa: S101 - what the reader of a list made
    return value


KINDS: Mapping[str, _Kind] = {
    "days": _Kind("a whole number of days from 0 to {most}", _whole, lambda days: f"{days}d"),
    "count": _Kind("a whole number from 0 to {most}", _whole, _plain),
    "number": _Kind("a number such as 1.5", _decimal, _plain),
    "money": _Kind("an amount of money such as 19.99", _money, _plain),
    "share": _Kind('a share such as "10%" or 0.1', _share, _percent),
    "truth": _Kind("true or false", _truth, _plain),
    "text": _Kind("a text in quotes", _text, lambda text: quoted(str(text))),
    "word": _Kind("one", _text, _plain),
    "field": _Kind('a field such as "metafields.facts.birth_date"', _field, _plain),
    "list": _Kind(
        "a list of texts in quotes",
        _list,
        lambda texts: ", ".join(quoted(text) for text in _joined(texts)),
    ),
    "months": _Kind(
        "a list of months such as [11, 12]", _months, lambda months: ", ".join(_joined(months))
    ),
    "dates": _Kind(
        'a list of days such as ["2025-11-28 to 2025-12-01", "2025-12-24"]',
        _ranges,
        lambda ranges: " OR ".join(_joined(ranges)),
    ),
}
