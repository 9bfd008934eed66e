"""Members of rules on real purchase histories, computed elsewhere (DuckDB and Polars agreed).

The expected members at a time are their number and the SHA-256 of their sorted ids, one a line.
The second history may not be copied: with ``SEGMENTD_DATA`` set to the folder that holds it, its
tests exist; without, they do not.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from compiled_rules import compile_rules
from expected_rules import CDNOW_RULES, RETAIL_RULES
from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.ruleset import Shop
from segmenter_oracle.asking import cuts
from segmenter_oracle.purchases import Purchases

Answer = tuple[int, str]


@dataclass(frozen=True)
class Question:
    """One rule on one history, and what is expected at each time."""

    history: Path
    rule: str
    where: str
    answers: tuple[tuple[str, Answer], ...]


def questions() -> Iterator[Question]:
    cdnow = Path(str(resources.files("segmentd.demo").joinpath("cdnow")))
    expected = json.loads(Path(__file__).with_name("expected_cdnow.json").read_text("utf-8"))
    for name, rule in expected.items():
        answers = tuple((at, (count, digest)) for at, count, digest in rule["members"])
        yield Question(cdnow, name, CDNOW_RULES[name], answers)
    if "SEGMENTD_DATA" in os.environ:
        data = Path(os.environ["SEGMENTD_DATA"])
        rules = json.loads((data / "expected/rules_online_retail_a.json").read_text("utf-8"))
        for name, rule in rules["rules"].items():
            yield Question(data / "online_retail_a", name, RETAIL_RULES[name], _answers(rule))


def _answers(rule: dict[str, Any]) -> tuple[tuple[str, Answer], ...]:
    months = {month["as_of"]: month for month in rule["months"]}
    answers = {**months, **rule["as_of"]}
    return tuple((at, (answers[at]["count"], answers[at]["sha256"])) for at in sorted(answers))


@cache
def purchases(history: Path) -> Purchases:
    return Purchases(history)


def members(question: Question, at: str) -> Answer:
    known = purchases(question.history)
    ruleset = compile_rules({"asked": question.where}, Shop("UTC", "USD"))
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    found = evaluate(ruleset, known.frames, now, cuts(ruleset, known.frames, now)).members
    profile_ids = found.index[found["asked"]]
    names = sorted(known.customer_ids[number - 1] for number in profile_ids)
    return len(names), hashlib.sha256("\n".join(names).encode()).hexdigest()


@pytest.mark.parametrize("question", list(questions()), ids=lambda q: f"{q.history.name}-{q.rule}")
def test_members(question: Question) -> None:
    got = [(at, members(question, at)) for at, _ in question.answers]
    assert got == list(question.answers)
    assert len(got) >= 12
