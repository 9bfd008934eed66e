"""Segments as configured: from the main file and from those that it includes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from glob import glob
from typing import Any

from segmentd.config_file import ConfigFile
from segmentd.config_tables import PushTable, SegmentTable
from segmentd.domain.identity import tag_key
from segmentd.domain.segments import PushTo, Segment
from segmentd.domain.suggest import did_you_mean


def read_segments(file: ConfigFile, kinds: Mapping[str, str | None]) -> tuple[Segment, ...]:
    """The segments of ``file`` and of the files that it includes, in this order.

    ``kinds``: destination → ``tags`` or ``lists``, None where that is not known yet.
    """
    found: dict[str, Segment] = {}
    home: dict[str, ConfigFile] = {}
    taken: dict[tuple[str, str], str] = {}
    for part in (file, *_included(file)):
        for key, raw in part.tables("segments").items():
            table = f"segments.{key}"
            if key in found:
                raise part.error(table, f"is in {home[key].path} already")
            found[key], home[key] = _segment(part, key, raw, kinds), part
            for to in found[key].push:
                name = (to.destination, tag_key(to.name))
                if name in taken:
                    raise part.error(
                        table,
                        f'key "push": "{to.name}" at "{to.destination}" '
                        f'is the name of segment "{taken[name]}" already',
                    )
                taken[name] = key
    return tuple(found.values())


def _included(file: ConfigFile) -> Iterator[ConfigFile]:
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
            for key in sorted(part.keys() - {"segments"}):
                raise part.error("", f'only segments may be in an included file, not "{key}"')
            yield part


def _segment(
    file: ConfigFile,
    key: str,
    raw: dict[str, Any],
    kinds: Mapping[str, str | None],
) -> Segment:
    table = f"segments.{key}"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", key):
        raise file.error(table, "must be named by letters, digits, _ and - only")
    if "preset" in raw:
        raise file.error(table, 'key "preset": presets are not available yet; write "where"')
    parsed = file.parse(SegmentTable, table, raw)
    title = (parsed.title or key).strip()
    push = tuple(_push(file, table, entry, title, kinds) for entry in parsed.push)
    return Segment(key, title, parsed.where, push)


def _push(
    file: ConfigFile,
    table: str,
    entry: str | dict[str, Any],
    title: str,
    kinds: Mapping[str, str | None],
) -> PushTo:
    to = PushTable(to=entry) if isinstance(entry, str) else file.parse(PushTable, table, entry)
    if to.to not in kinds:
        near = did_you_mean(to.to, kinds)
        raise file.error(table, f'key "push": no destination is called "{to.to}"{near}')
    wrong, right = (to.list, "tag") if kinds[to.to] == "tags" else (to.tag, "list")
    if kinds[to.to] and wrong:
        raise file.error(
            table, f'key "push": "{to.to}" has {kinds[to.to]}; write {right} = "{wrong}"'
        )
    return PushTo(to.to, (to.tag or to.list or title).strip(), to.restore)
