"""The nearest known name, for errors about a name that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean "every"?``, or ``; known: a, b`` for a few, or nothing at all."""
    names = sorted(known)
    by_folded = {name.casefold(): name for name in names}
    near = get_close_matches(word.casefold(), by_folded, n=1)
    if near:
        return f'; did you mean "{by_folded[near[0]]}"?'
    if 0 < len(names) <= 12:
        return "; known: " + ", ".join(names)
    return ""
