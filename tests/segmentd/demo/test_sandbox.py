"""The sandbox command: what it prints is enough to connect to what it serves."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from segmentd import plugins
from segmentd.cli.main import run
from segmentd.config import Config, load_config
from segmentd.sdk.contract import Runtime


@contextmanager
def sandbox(*args: str, end: signal.Signals = signal.SIGINT, code: int = 0) -> Iterator[list[str]]:
    """The command as its own process; yields the lines that it printed, and ends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "segmentd", "sandbox", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line == "# answers until Ctrl-C\n":
            break
    try:
        yield lines
    finally:
        process.send_signal(end)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (code, "")


@pytest.mark.parametrize("connector", ["shopify", "woocommerce"])
def test_a_shop_with_a_history(
    connector: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandbox(connector, "--until", "1997-03-01") as lines:
        config = _configured(lines, tmp_path, monkeypatch)
        settings = config.sources[connector].settings
        source = plugins.source(connector)(settings, Runtime())
        info = source.info()
        source.close()
        assert (info.now.date(), info.currency) == (date(1997, 3, 1), "USD")
        assert config.destinations[f"{connector}_tags"].settings == settings


def test_an_email_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sandbox("klaviyo") as lines:
        config = _configured(lines, tmp_path, monkeypatch)
        destination = plugins.destination("klaviyo")(
            config.destinations["klaviyo"].settings, Runtime()
        )
        assert destination.info().name
        destination.close()


def test_sigterm_ends_it_at_once() -> None:
    with sandbox("woocommerce", "--data", "empty", end=signal.SIGTERM, code=143) as lines:
        assert "[sources.woocommerce]" in lines


def test_only_shops_have_a_history(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sandbox", "klaviyo", "--data", "cdnow"]) == 2
    assert "is no shop" in capsys.readouterr().err


def test_an_unknown_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sandbox", "shopfy"]) == 2
    assert 'did you mean "shopify"?' in capsys.readouterr().err


def _configured(lines: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    for line in lines:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            monkeypatch.setenv(name, value)
    text = "\n".join(line for line in lines if not line.startswith("export "))
    tomllib.loads(text)
    (folder / "segmentd.toml").write_text(text)
    return load_config(folder / "segmentd.toml")
