"""Explanations of random rules agree with the decision, now and at the instant that they name."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from compiled_rules import compile_rules
from segmentd.domain.errors import RuleError
from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.explain import Explainer, Explanation
from segmentd.segmenter.scenes import nothing_later
from segmenter_oracle.cases import SEGMENTS, Case, Crowd, at
from segmenter_oracle.histories import frames
from segmenter_oracle.inventor import CATALOGUE
from segmenter_oracle.rules import Rules

pytestmark = pytest.mark.unmeasured

SECOND = timedelta(seconds=1)


def understood(crowd: Crowd, count: int) -> list[str]:
    """Random rules, without those that are refused."""
    rules = Rules(random.Random(crowd.now), list(SEGMENTS))
    found: list[str] = []
    while len(found) < count:
        rule = rules.rule(depth=2)
        try:
            compile_rules({**SEGMENTS, "asked": rule}, crowd.shop)
        except RuleError:
            continue
        found.append(rule)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_what_is_told_is_so(seed: int) -> None:
    crowd = Crowd(seed, 3)
    case = Case(crowd, understood(crowd, 15))
    now, turned = at(case.now), 0
    decision = case.decision(case.now)
    for person in crowd.people:
        known = frames([person], CATALOGUE)
        explainer = Explainer(case.ruleset, known, now, case.thresholds)
        for key in case.ruleset.keys:
            told = explainer.segment(key)
            member = bool(decision.members.at[person.id, key])
            assert told.member == member, (key, person.id)
            assert told.notes or told.holds == member, (key, person.id)
            if told.until is not None:
                turned += 1
                later = nothing_later(known, now)
                after = evaluate(case.ruleset, later, told.until, case.thresholds).members
                assert bool(after.at[person.id, key]) != member, (key, person.id, told.until)
            if told.value is None:
                check_parts(told)
    assert turned > 0


def check_parts(told: Explanation) -> None:
    """AND, OR and NOT follow from their parts."""
    truths = [part.holds for part in told.parts]
    if told.text.startswith("NOT (") and len(truths) == 1:
        assert told.holds != truths[0]
    elif truths:
        assert told.holds in {all(truths), any(truths)}
    for part in told.parts:
        if part.value is None:
            check_parts(part)
