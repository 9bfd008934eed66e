from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from segmentd.cli.signals import Signals


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    made = Signals()
    made.install()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_main_loop(signals: Signals, number: signal.Signals) -> None:
    signal.raise_signal(number)
    assert signals.wait(0) is number
    assert signals.wait(0) is None


def test_a_signal_ends_the_waiting(signals: Signals) -> None:
    sender = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGHUP))
    sender.start()
    assert signals.wait(20) is signal.SIGHUP
    sender.join()


def test_reloads_are_no_wish_to_end(signals: Signals) -> None:
    for _ in range(3):
        signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGTERM)
    assert [signals.wait(0) for _ in range(4)] == [*[signal.SIGHUP] * 3, signal.SIGTERM]


@pytest.mark.parametrize(("first", "second", "code"), [("TERM", "TERM", 143), ("TERM", "INT", 130)])
def test_the_second_wish_ends_the_process_at_once(first: str, second: str, code: int) -> None:
    program = (
        "import signal; from segmentd.cli.signals import Signals; Signals().install();"
        f"signal.raise_signal(signal.SIG{first}); signal.raise_signal(signal.SIG{second});"
        "raise SystemExit(0)"
    )
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert ended.returncode == code
