"""Ctrl-C does not wait for what workers have begun."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from segmentd.cli.exits import Exit

pytestmark = pytest.mark.unmeasured


def test_workers_end_at_once(tmp_path: Path) -> None:
    (tmp_path / "segmentd.toml").write_text('[store]\nurl = "sqlite:///s.db"\n')
    script = Path(__file__).with_name("interrupted.py")
    process = subprocess.Popen(
        [sys.executable, script], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"busy\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == Exit.INTERRUPTED, errors.decode()
