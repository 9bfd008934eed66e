"""When a person entered or left another segment, by its stored history."""

from __future__ import annotations

from segmenter_oracle.days import World
from segmenter_oracle.histories import Membership, Person


def entered(person: Person, segment: str, member: bool, world: World) -> int | None:
    """The last time; now for who is a ``member`` that the history does not know of."""
    rows = _history(person, segment, world)
    if member:
        return next((row.entered_at for row in rows if _is_open(row, world)), world.now)
    return rows[-1].entered_at if rows else None


def left(person: Person, segment: str, member: bool, world: World) -> int | None:
    """The last time; now for who is no ``member`` and the history does not know of it."""
    rows = _history(person, segment, world)
    if member:
        rows = [row for row in rows if not _is_open(row, world)]
    if not rows:
        return None
    return world.now if _is_open(rows[-1], world) else rows[-1].left_at


def _history(person: Person, segment: str, world: World) -> list[Membership]:
    rows = [row for row in person.memberships if row.segment == segment]
    return sorted(
        (row for row in rows if row.entered_at <= world.now), key=lambda row: row.entered_at
    )


def _is_open(row: Membership, world: World) -> bool:
    return row.left_at is None or row.left_at > world.now
