"""Saves what else a platform keeps of its customers, by the names that rules use."""

from __future__ import annotations

from collections.abc import Mapping

from segmentd.store.saving import Saving

_COLUMNS = ("profile_id", "name", "value", "source", "at", "expires_at")


def save_traits(saving: Saving, traits: Mapping[int, Mapping[str, str]]) -> set[int]:
    """Profile → its traits by this source: what is no longer among them is deleted.

    Returns the profiles of which a trait came, changed or went.
    """
    stored = _stored(saving, list(traits))
    wanted = {
        (profile_id, name): value
        for profile_id, named in traits.items()
        for name, value in named.items()
    }
    dropped = sorted(stored.keys() - wanted.keys())
    saving.bulk.execute_many("DELETE FROM traits WHERE profile_id = ? AND name = ?", dropped)
    at = saving.bulk.instant(saving.now)
    rows = [
        (*key, value, saving.source, at, None)
        for key, value in wanted.items()
        if stored.get(key) != value
    ]
    saving.bulk.upsert("traits", _COLUMNS, rows)
    return {key[0] for key in dropped} | {row[0] for row in rows}


def remove_traits(saving: Saving, profile_ids: list[int]) -> None:
    """Delete what this source said of profiles."""
    saving.bulk.execute(
        "DELETE FROM traits WHERE source = ? AND profile_id IN (?*)", saving.source, profile_ids
    )


def _stored(saving: Saving, profile_ids: list[int]) -> dict[tuple[int, str], str]:
    if not profile_ids:
        return {}
    rows = saving.bulk.rows(
        "SELECT profile_id, name, value FROM traits WHERE source = ? AND profile_id IN (?*)",
        saving.source,
        profile_ids,
    )
    return {(row.profile_id, row.name): row.value for row in rows}
