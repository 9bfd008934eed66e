from __future__ import annotations

import pytest

from segmentd.domain.errors import (
    AuthError,
    ConfigError,
    LockedError,
    RejectedError,
    RuleError,
    SafetyStop,
    SchemaError,
    SegmentdError,
    TransientError,
    UndecidedError,
)


@pytest.mark.parametrize(
    "kind",
    [
        AuthError,
        ConfigError,
        LockedError,
        RejectedError,
        SafetyStop,
        SchemaError,
        TransientError,
        UndecidedError,
    ],
)
def test_every_error_is_a_sentence_with_an_optional_hint(kind: type[SegmentdError]) -> None:
    error = kind("it is so", hint="segmentd check")
    assert isinstance(error, SegmentdError)
    assert str(error) == error.message == "it is so"
    assert error.hint == "segmentd check"
    assert kind("it is so").hint is None


def test_a_rule_error_is_a_config_error_with_a_place() -> None:
    error = RuleError("unexpected AND", line=2, column=7)
    assert isinstance(error, ConfigError)
    assert (error.line, error.column) == (2, 7)


def test_a_transient_error_may_know_when_to_come_back() -> None:
    assert TransientError("later").retry_after is None
    assert TransientError("later", retry_after=7).retry_after == 7
