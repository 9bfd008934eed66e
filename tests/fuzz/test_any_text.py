"""Any text at all: a rule, or a RuleError that tells where; never anything else, and soon.

``benchmarks.fuzz`` does the same for as long as one likes.
"""

from __future__ import annotations

import pytest

from fuzz.texts import Texts, attempt

pytestmark = pytest.mark.unmeasured


@pytest.mark.parametrize("seed", range(10))
def test_any_text_is_a_rule_or_refused_with_its_place(seed: int) -> None:
    texts = Texts(seed)
    outcomes = [attempt(texts.text()) for _ in range(400)]
    accepted = sum(outcome.accepted for outcome in outcomes)
    assert 0.1 < accepted / len(outcomes) < 0.6  # both ways are tried
