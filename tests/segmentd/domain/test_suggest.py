"""The nearest known name."""

from __future__ import annotations

import pytest

from segmentd.domain.suggest import did_you_mean


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("evry", ["every", "cron"], '; did you mean "every"?'),
        ("VIP", ["Vip"], '; did you mean "Vip"?'),
        ("zzz", ["b", "a"], "; known: a, b"),
        ("zzz", [], ""),
        ("zzz", [f"name{number}" for number in range(13)], ""),
    ],
)
def test_did_you_mean(word: str, known: list[str], expected: str) -> None:
    assert did_you_mean(word, known) == expected
