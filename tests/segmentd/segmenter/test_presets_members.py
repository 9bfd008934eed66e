"""Whom each preset selects: small shops made for it, with members and with others beside them."""

from __future__ import annotations

import dataclasses

import pytest

from segmentd.segmenter.fields import FUNCTIONS, find_field
from segmentd.segmenter.presets import PRESETS
from segmenter_oracle import preset_cases_activity, preset_cases_buying, preset_cases_people
from segmenter_oracle.histories import Membership
from segmenter_oracle.small_shops import Case, ago, buys

CASES = [
    *preset_cases_buying.CASES,
    *preset_cases_activity.CASES,
    *preset_cases_people.CASES,
]


def name(case: Case) -> str:
    return "-".join([case.preset, *case.values])


@pytest.mark.parametrize("case", CASES, ids=name)
def test_members_and_others(case: Case) -> None:
    decided = case.decide(PRESETS[case.preset].where(case.values))
    assert decided == [True] * len(case.members) + [False] * len(case.others)


def test_only_what_nothing_can_fill_has_no_case() -> None:
    without = PRESETS.keys() - {case.preset for case in CASES}
    for key in without:
        asked = PRESETS[key].where({}).split()
        known = [find_field(word) for word in asked]
        assert "product_reviews" in asked or not all(f.filled for f in known if f), key
    assert "product_reviews" in FUNCTIONS


def test_a_vip_stays_until_well_outside() -> None:
    was_in = [Membership("asked", ago(100))]
    between = buys(5, total=143_000)
    shop = Case(
        "vip",
        [dataclasses.replace(between, memberships=was_in)],
        [between, dataclasses.replace(buys(5), memberships=was_in)],
        store=True,
    )
    vip = PRESETS["vip"]
    assert shop.decide(vip.where({}), vip.stays({})) == [True, False, False]
    assert shop.decide(vip.where({})) == [False, False, False]
