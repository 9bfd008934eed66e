from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segmentd.domain.memberships import diff

pairs = st.sets(st.tuples(st.integers(1, 9), st.sampled_from(["vip", "new"])))


@given(pairs, pairs)
def test_the_difference_leads_from_before_to_after(
    before: set[tuple[int, str]], after: set[tuple[int, str]]
) -> None:
    entered, left = diff(before, after)
    assert (before | entered) - left == after
    assert not entered & before
    assert left <= before


def test_nothing_changed() -> None:
    assert diff({(1, "vip")}, {(1, "vip")}) == (set(), set())
