"""The table of a Klaviyo destination."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from segmentd.sdk import ConfigError, Runtime
from segmentd_klaviyo.client import Klaviyo
from segmentd_klaviyo.destination import KlaviyoDestination
from segmentd_klaviyo.sandbox import document
from segmentd_klaviyo.settings import KlaviyoSettings


def test_the_default_revision_is_the_one_the_sandbox_checks_against() -> None:
    assert KlaviyoSettings().revision == document().content["info"]["version"]


@pytest.mark.parametrize(
    "table", [{"api_key": "pk_1"}, {"revision": "newest"}, {"poll_every": "often"}]
)
def test_what_cannot_work_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        KlaviyoSettings.model_validate(table)


def test_durations_are_written_with_units() -> None:
    settings = KlaviyoSettings.model_validate({"poll_every": "500ms", "max_wait": "1h"})
    assert settings.poll_every == timedelta(seconds=0.5)
    assert settings.max_wait == timedelta(hours=1)


def test_the_key_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("pk_1\n", encoding="utf-8")
    assert KlaviyoSettings(api_key_file=path).secret("api_key").reveal() == "pk_1"


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KLAVIYO_KEY", raising=False)
    with pytest.raises(ConfigError, match="KLAVIYO_KEY"):
        Klaviyo(KlaviyoSettings(api_key_env="KLAVIYO_KEY"), Runtime())


def test_the_planner_learns_what_a_push_needs() -> None:
    capabilities = KlaviyoDestination.capabilities
    assert (capabilities.kind, capabilities.needs) == ("lists", "email")
    assert capabilities.batch_size == 1000
