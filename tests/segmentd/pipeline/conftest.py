"""What the stories of the pipeline share."""

from __future__ import annotations

import pytest

from segmentd.sdk.testing.memory.protocol import TOKEN, TOKEN_VARIABLE


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of the platforms in memory."""
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
