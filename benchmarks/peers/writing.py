"""What the peers write: the differences to the stored memberships, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from benchmarks.shops import END
from segmentd.store.engine import adbc_address, parse_url

Ints = npt.NDArray[np.int64]
_SHIFT = 40
"""A membership as one number: the segment's place in the alphabet, then the profile."""


def keys(profiles: Ints, members: Mapping[str, Any]) -> Ints:
    """All memberships, ascending."""
    parts = [
        (place << _SHIFT) | np.sort(profiles[np.asarray(members[segment], bool)])
        for place, segment in enumerate(sorted(members))
    ]
    return np.concatenate(parts)


def stored_keys(memberships: Any, segments: Sequence[str]) -> Ints:
    """As ``keys``, of the table ``memberships`` as Arrow or as a frame."""
    if isinstance(memberships, pd.DataFrame):
        memberships = pa.Table.from_pandas(memberships, preserve_index=False)
    coded = memberships.column("segment").combine_chunks().dictionary_encode()
    places = np.array([sorted(segments).index(name) for name in coded.dictionary.to_pylist()])
    if not len(places):
        return np.zeros(0, np.int64)
    codes = places[coded.indices.to_numpy()].astype(np.int64)
    return np.sort((codes << _SHIFT) | memberships.column("profile_id").to_numpy())


def write(url: str, found: Ints, stored: Ints, segments: Sequence[str]) -> int:
    """Store who entered and left; returns how many."""
    names = sorted(segments)
    entered = np.setdiff1d(found, stored, assume_unique=True)
    left = np.setdiff1d(stored, found, assume_unique=True)
    connection, mark, now = _connect(url)
    added, removed = _rows(entered, names), _rows(left, names)
    with connection:
        cursor = connection.cursor()
        cursor.execute("SELECT coalesce(max(change_id), 0) FROM membership_changes")
        (number,) = cursor.fetchone()
        changes = [(p, s, 1) for p, s in added] + [(p, s, 0) for p, s in removed]
        cursor.executemany(
            "INSERT INTO memberships (profile_id, segment, since, cause) "
            f"VALUES ({mark}, {mark}, {mark}, 'data')",
            [(profile, segment, now) for profile, segment in added],
        )
        cursor.executemany(
            f"DELETE FROM memberships WHERE profile_id = {mark} AND segment = {mark}", removed
        )
        cursor.executemany(
            "INSERT INTO membership_changes (change_id, profile_id, segment, entered, at, cause) "
            f"VALUES ({mark}, {mark}, {mark}, {mark}, {mark}, 'data')",
            [(number + n, *change, now) for n, change in enumerate(changes, 1)],
        )
    connection.close()
    return len(changes)


def _rows(of: Ints, names: Sequence[str]) -> list[tuple[int, str]]:
    profiles, places = (of & ((1 << _SHIFT) - 1)).tolist(), (of >> _SHIFT).tolist()
    return [(profile, names[place]) for profile, place in zip(profiles, places, strict=True)]


def _connect(url: str) -> tuple[Any, str, Any]:
    """A connection, its placeholder, and ``now`` as it takes it."""
    if url.startswith("sqlite"):
        import sqlite3

        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("PRAGMA synchronous = FULL")
        return connection, "?", int(END.timestamp())
    import psycopg

    return psycopg.connect(adbc_address(parse_url(url))), "%s", END
