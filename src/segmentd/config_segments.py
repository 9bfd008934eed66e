"""Segments as configured, and the words that their rules may use: from the main file and from those
that it includes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from glob import glob
from typing import Any, TypeVar

from segmentd.config_file import ConfigFile
from segmentd.config_tables import LimitTable, PinTable, PushTable, SegmentTable, SetTable
from segmentd.domain.errors import ConfigError
from segmentd.domain.identity import tag_key
from segmentd.domain.segments import ExclusiveSet, Limit, Pin, PushTo, Segment, Value, rivalry
from segmentd.domain.suggest import did_you_mean
from segmentd.segmenter.presets import PRESETS

_T = TypeVar("_T")
_SHARED = {"conditions", "segments", "sets", "variables"}
"""The tables that may be in an included file."""
_WORD = r"[A-Za-z_]\w*"


@dataclass(frozen=True)
class Rules:
    """All that is said about segments, in the order of the files."""

    segments: tuple[Segment, ...]
    sets: tuple[ExclusiveSet, ...]
    variables: Mapping[str, Value]
    conditions: Mapping[str, str]


def read_rules(file: ConfigFile, kinds: Mapping[str, str | None]) -> Rules:
    """What ``file`` and the files that it includes say.

    ``kinds``: destination → ``tags`` or ``lists``, None where that is not known yet.
    """
    files = (file, *included(file))

    def segment(part: ConfigFile, key: str, raw: object) -> Segment:
        return _segment(part, key, raw, kinds)

    segments = _gathered(files, "segments", segment)
    sets = _gathered(files, "sets", _set)
    _check_names(segments)
    _check_sets(sets, segments)
    return Rules(
        tuple(found for found, _ in segments.values()),
        tuple(found for found, _ in sets.values()),
        {name: found for name, (found, _) in _gathered(files, "variables", _variable).items()},
        {name: found for name, (found, _) in _gathered(files, "conditions", _condition).items()},
    )


def _gathered(
    files: tuple[ConfigFile, ...], table: str, read: Callable[[ConfigFile, str, object], _T]
) -> dict[str, tuple[_T, ConfigFile]]:
    """Key → what stands there, and in which file."""
    found: dict[str, tuple[_T, ConfigFile]] = {}
    for part in files:
        for key, raw in part.values(table).items():
            if key in found:
                raise part.error(f"{table}.{key}", f"is in {found[key][1].path} already")
            found[key] = read(part, key, raw), part
    return found


def _check_names(segments: Mapping[str, tuple[Segment, ConfigFile]]) -> None:
    taken: dict[tuple[str, str], str] = {}
    for key, (segment, part) in segments.items():
        for to in segment.push:
            name = (to.destination, tag_key(to.name))
            if name in taken:
                raise part.error(
                    f"segments.{key}",
                    f'key "push": "{to.name}" at "{to.destination}" '
                    f'is the name of segment "{taken[name]}" already',
                )
            taken[name] = key


def _check_sets(
    sets: Mapping[str, tuple[ExclusiveSet, ConfigFile]], segments: Mapping[str, object]
) -> None:
    checked: list[ExclusiveSet] = []
    for key, (each, part) in sets.items():
        try:
            rivalry([*checked, each], segments.keys())
        except ConfigError as error:
            raise part.error(f"sets.{key}", f'key "segments": {error.message}') from None
        checked.append(each)


def included(file: ConfigFile) -> Iterator[ConfigFile]:
    """The files that ``file`` includes, in the order in which it names them.

    ConfigError for what names no file, or a file that holds what only the main one may.
    """
    patterns = file.value("include", [])
    if not isinstance(patterns, list) or not all(isinstance(item, str) for item in patterns):
        raise file.error("", 'key "include" must be a list of file names')
    for pattern in patterns:
        # Path.glob refuses absolute patterns
        names = sorted(glob(pattern, root_dir=file.path.parent))  # noqa: PTH207
        if not names:
            # a mistyped pattern would drop segments, and with them all their tags
            raise file.error("", f'key "include": no file matches "{pattern}"')
        for name in names:
            part = ConfigFile(file.path.parent / name)
            for key in sorted(part.keys() - _SHARED):
                raise part.error(
                    "",
                    "only segments, sets, conditions and variables may be in an included file, "
                    f'not "{key}"',
                )
            yield part


def is_key(text: str) -> bool:
    """Whether it can be the key of a segment or the name of a set."""
    return re.fullmatch(r"[A-Za-z0-9_-]+", text) is not None


def _segment(file: ConfigFile, key: str, given: object, kinds: Mapping[str, str | None]) -> Segment:
    table = f"segments.{key}"
    raw = _named_table(file, table, given)
    preset = file.expanded(table, raw, "preset")
    if preset is not None:
        raw = _from_preset(file, table, preset, raw)
    parsed = file.parse(SegmentTable, table, raw, {"preset"})
    title = (parsed.title or key).strip()
    limit = None
    if parsed.limit is not None:
        read = file.parse(LimitTable, f"{table}.limit", parsed.limit)
        limit = Limit(read.count, read.by, read.least)
    return Segment(
        key,
        title,
        parsed.where,
        tuple(_pushes(file, table, parsed, title, kinds)),
        parsed.stays,
        parsed.grace,
        limit,
        tuple(_pins(file, table, parsed)),
        preset,
    )


def _from_preset(file: ConfigFile, table: str, name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The table as if its rules had been written out."""
    preset = PRESETS.get(name)
    if preset is None:
        near = did_you_mean(name, PRESETS)
        raise file.error(table, f'key "preset": there is no preset "{name}"{near}')
    if "where" in raw:
        raise file.error(table, 'has both "preset" and "where"; keep one of them')
    own = {key: value for key, value in raw.items() if key in SegmentTable.model_fields}
    parameters = {k: v for k, v in raw.items() if k not in own and k != "preset"}
    if preset.is_waiting(parameters):
        waits = preset.waits_for[0].lower() + preset.waits_for[1:].rstrip(".")
        raise file.error(table, f'key "preset": "{name}" {waits}')
    try:
        made = {"title": preset.title, "where": preset.where(parameters)}
        stays = preset.stays(parameters)
    except ConfigError as error:
        raise file.error(table, error.message) from None
    return {**made, **({"stays": stays} if stays else {}), **own}


def _pins(file: ConfigFile, table: str, parsed: SegmentTable) -> Iterator[Pin]:
    seen: set[str] = set()
    for number, entry in enumerate(parsed.pins, 1):
        where = f"{table}.pins, number {number}"
        pin = file.parse(PinTable, where, entry)
        if pin.customer in seen:
            raise file.error(where, f'key "customer": "{pin.customer}" is pinned already')
        seen.add(pin.customer)
        yield Pin(pin.customer, pin.member, pin.reason, pin.until)


def _set(file: ConfigFile, key: str, given: object) -> ExclusiveSet:
    table = f"sets.{key}"
    parsed = file.parse(SetTable, table, _named_table(file, table, given))
    if len(parsed.segments) < 2:
        raise file.error(table, 'key "segments" must name two segments or more')
    return ExclusiveSet(key, parsed.segments)


def _named_table(file: ConfigFile, table: str, given: object) -> dict[str, Any]:
    raw = file.as_table(given, table)
    if not is_key(table.partition(".")[2]):
        raise file.error(table, "must be named by letters, digits, _ and - only")
    return raw


def _variable(file: ConfigFile, name: str, value: object) -> Value:
    _check_word(file, "variables", name)
    unreal = isinstance(value, float) and not math.isfinite(value)
    if unreal or not isinstance(value, str | bool | int | float | date):
        raise file.error(
            "variables", f'key "{name}" must be a number, a text, a date, or true or false'
        )
    return value


def _condition(file: ConfigFile, name: str, value: object) -> str:
    _check_word(file, "conditions", name)
    if not isinstance(value, str) or not value.strip():
        raise file.error("conditions", f'key "{name}" must be a condition, as a text in quotes')
    return value


def _check_word(file: ConfigFile, table: str, name: str) -> None:
    if not re.fullmatch(_WORD, name, re.ASCII):
        raise file.error(table, f'key "{name}" must be made of letters, digits and _ only')


def _pushes(
    file: ConfigFile,
    table: str,
    parsed: SegmentTable,
    title: str,
    kinds: Mapping[str, str | None],
) -> Iterator[PushTo]:
    for number, entry in enumerate(parsed.push, 1):
        where = f"{table}.push, number {number}"
        to = PushTable(to=entry) if isinstance(entry, str) else file.parse(PushTable, where, entry)
        if to.to not in kinds:
            near = did_you_mean(to.to, kinds)
            raise file.error(table, f'key "push": no destination is called "{to.to}"{near}')
        wrong, right = (to.list, "tag") if kinds[to.to] == "tags" else (to.tag, "list")
        if kinds[to.to] and wrong:
            raise file.error(
                table, f'key "push": "{to.to}" has {kinds[to.to]}; write {right} = "{wrong}"'
            )
        yield PushTo(to.to, (to.tag or to.list or title).strip(), to.restore)
