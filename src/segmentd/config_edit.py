"""Changes to configuration files: what a person wrote around them stays as it is."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomlkit

from segmentd.config import load_config
from segmentd.config_file import ConfigFile
from segmentd.config_segments import included, is_key
from segmentd.domain.errors import ConfigError


def check_key(key: str) -> None:
    """ConfigError for what cannot be the key of a segment."""
    if not is_key(key):
        raise ConfigError(f'"{key}" is no name of a segment: letters, digits, _ and - only')


def segment_table(key: str, values: Mapping[str, Any]) -> str:
    """``[segments.KEY]`` with its values, as it is pasted into a file."""
    table = tomlkit.table()
    for name, value in values.items():
        table.add(name, value)
    return f"[segments.{key}]\n{table.as_string()}"


def add_segment(path: Path, key: str, values: Mapping[str, Any]) -> None:
    """Write a new ``[segments.KEY]`` at the end of the main file.

    ConfigError, and the file stays as it is, for a file that is no TOML or cannot be written, that
    has such a table already, or that would be no right configuration any more.
    """
    before = _read(path)
    parsed = _parsed(path, before)
    if key in parsed.get("segments", {}):
        raise ConfigError(f"{path}: [segments.{key}] is there already")
    gap = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
    after = before + gap + segment_table(key, values)
    wanted = {**parsed, "segments": {**parsed.get("segments", {}), key: dict(values)}}
    _replace(path, after, wanted, load_config)


def set_where(path: Path, key: str, where: str) -> Path:
    """Give a segment another rule, wherever it stands; returns the changed file.

    ``path``: the main file; those that it includes are searched too. ConfigError as above.
    """
    home = _home(path, key)
    text = _read(home)
    document = tomlkit.parse(text)
    table: Any = document["segments"][key]
    if "where" not in table:
        raise ConfigError(
            f"{home}: [segments.{key}] is made from a preset; write a where in its place"
        )
    wanted = tomllib.loads(text)
    wanted["segments"][key]["where"] = where
    table["where"] = where
    # a file that is included is no configuration by itself
    _replace(home, tomlkit.dumps(document), wanted, load_config if home == path else None)
    return home


def _home(path: Path, key: str) -> Path:
    if key in _parsed(path, _read(path)).get("segments", {}):
        return path
    for part in included(ConfigFile(path)):
        if key in part.table("segments"):
            return part.path
    raise ConfigError(f"there is no segment {key!r} in {path}")


def _read(path: Path) -> str:
    try:
        # as it is: line ends too
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"there is no {path}", hint="segmentd init") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no valid TOML: {error}") from None


def _replace(
    path: Path,
    text: str,
    wanted: Mapping[str, Any],
    check: Callable[[Path], object] | None,
) -> None:
    """Put ``text`` in the place of a file in one step, if it says exactly what is wanted and passes
    the check."""
    if _says(text) != wanted:
        raise ConfigError(f"{path} is written in a way that cannot be edited; change it by hand")
    target = path.resolve()
    draft = path.parent / f".{path.name}.{os.getpid()}"
    try:
        # a file that may not be written could still be replaced
        target.open("ab").close()
        # beside the file: what it names is relative to its folder
        with draft.open("xb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(target, draft)
        if check is not None:
            check(draft)
        draft.replace(target)
    except ConfigError as error:
        raise ConfigError(error.message.replace(str(draft), str(path)), hint=error.hint) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)


def _says(text: str) -> object:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
