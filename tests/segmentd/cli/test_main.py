"""The command line as a whole: what is loaded, how it ends, what it says."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click
import pytest

from segmentd import __version__
from segmentd.cli import main as cli
from segmentd.cli.common import Instant, Invocation, echo_json
from segmentd.cli.exits import Exit
from segmentd.domain import errors

HEAVY = ("pandas", "numpy", "pyarrow", "sqlmodel", "sqlalchemy", "httpx", "pydantic", "structlog")


def segmentd(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program as its own process."""
    return subprocess.run(
        [sys.executable, "-m", "segmentd", *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_nothing_heavy_is_loaded_to_say_who_we_are(option: str) -> None:
    script = (
        "import sys\nfrom segmentd.cli.main import run\n"
        f"code = run([{option!r}])\n"
        f"print(code, [name for name in {HEAVY} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"


def test_help_takes_less_than_a_quarter_of_a_second_of_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in os.environ if name.startswith("COVERAGE")]:
        monkeypatch.delenv(name)  # what measuring costs is not ours

    def cost() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert segmentd("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cost() for _ in range(5)) < 0.25


def test_help_names_every_command_and_every_command_is_there() -> None:
    text = segmentd("--help").stdout
    for name in cli.COMMANDS:
        assert f"  {name} " in text
        module, _, attribute = cli.COMMANDS[name][0].partition(":")
        assert isinstance(getattr(import_module(module), attribute), click.Command)


def test_version() -> None:
    assert segmentd("--version").stdout == f"segmentd, version {__version__}\n"


def test_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["snyc"]) == Exit.CONFIG
    assert 'No command is called "snyc"; did you mean "sync"?' in capsys.readouterr().err


def test_an_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["init", "--frce"]) == Exit.CONFIG
    assert "No such option" in capsys.readouterr().err


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., object]], None]:
    """Makes a function the command ``init``."""

    def install(function: Callable[..., object]) -> None:
        monkeypatch.setitem(cli.COMMANDS, "init", ("segmentd.cli.init:replaced", ""))
        module = import_module("segmentd.cli.init")
        monkeypatch.setattr(module, "replaced", click.command()(function), raising=False)

    return install


Install = Callable[[Callable[..., object]], None]


def raising(error: BaseException) -> Callable[[], NoReturn]:
    """A command that fails."""

    def command() -> NoReturn:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("x"), 2),
        (errors.RuleError("x", line=1, column=1), 2),
        (errors.RejectedError("x"), 3),
        (errors.AuthError("x"), 4),
        (errors.TransientError("x"), 5),
        (errors.SafetyStop("x"), 6),
        (errors.UndecidedError("x"), 6),
        (errors.LockedError("x"), 7),
        (errors.SchemaError("x"), 8),
        (errors.Stopping("x"), 130),
        (errors.SegmentdError("x"), 1),
    ],
)
def test_every_expected_error_is_a_sentence_and_a_code(
    error: errors.SegmentdError, code: int, command: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(error))
    assert cli.run(["init"]) == code
    assert capsys.readouterr() == ("", "segmentd: x\n")


def test_the_next_command_stands_behind_the_sentence(
    command: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(errors.SafetyStop("held", hint="segmentd push --confirm 1")))
    assert cli.run(["init"]) == Exit.HELD
    assert capsys.readouterr().err == "segmentd: held\ntry: segmentd push --confirm 1\n"


def test_an_unexpected_error_shows_where_only_when_asked(
    command: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(KeyError("shpat_0123456789")))
    assert cli.run(["init"]) == Exit.UNEXPECTED
    quiet = capsys.readouterr().err
    assert quiet.startswith("segmentd: unexpected error: KeyError: 'shpat_***'\n")
    assert "Traceback" not in quiet
    assert cli.run(["init", "--debug"]) == Exit.UNEXPECTED
    loud = capsys.readouterr().err
    assert "Traceback" in loud
    assert "0123456789" not in loud


def test_debug_by_the_environment(
    command: Install, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTD_DEBUG", "1")
    command(raising(errors.ConfigError("wrong")))
    assert cli.run(["init"]) == Exit.CONFIG
    assert "Traceback" in capsys.readouterr().err


def test_errors_hold_no_personal_data(command: Install, capsys: pytest.CaptureFixture[str]) -> None:
    command(raising(errors.RejectedError("nobody is called anna@shopper.example\x1b[2J")))
    cli.run(["init"])
    assert capsys.readouterr().err == "segmentd: nobody is called ***@***\\x1b[2J\n"


def test_ctrl_c(command: Install, capsys: pytest.CaptureFixture[str]) -> None:
    command(raising(KeyboardInterrupt()))
    assert cli.run(["init"]) == Exit.INTERRUPTED
    assert capsys.readouterr().err.strip() == "segmentd: interrupted"


def test_a_command_chooses_its_own_code(command: Install) -> None:
    command(lambda: Exit.PARTIAL)
    assert cli.run(["init"]) == 3


@pytest.mark.parametrize(
    "args",
    [
        ["--config", "a.toml", "--log-level", "debug", "init"],
        ["init", "--config", "a.toml", "--log-level", "debug"],
        ["--config", "b.toml", "init", "--config", "a.toml", "--log-level", "debug"],
    ],
)
def test_common_options_may_stand_before_and_behind_the_command(
    args: list[str], command: Install
) -> None:
    seen = []

    @click.pass_obj
    def keep(invocation: Invocation) -> None:
        seen.append(invocation)

    command(keep)
    assert cli.run(args) == Exit.OK
    assert seen == [Invocation(Path("a.toml"), "debug")]


def test_commands_of_a_group_take_the_common_options(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.run(["db", "check", "--config", str(tmp_path / "none.toml")]) == Exit.CONFIG
    assert "none.toml" in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "segmentd", "connectors"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2011-09-01T00:00:00Z", "2011-09-01T00:00:00+00:00"),
        ("2011-09-01", "2011-09-01T00:00:00+00:00"),
        ("2011-09-01T02:00:00.5+02:00", "2011-09-01T00:00:00+00:00"),
    ],
)
def test_instants(text: str, expected: str) -> None:
    assert Instant().convert(text, None, None).isoformat() == expected


@pytest.mark.parametrize("option", ["--now", "--as-of"])
def test_help_says_that_an_instant_is_utc(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["explain", "--help"]) == 0
    assert f"{option} UTC INSTANT" in capsys.readouterr().out


def test_no_instant() -> None:
    with pytest.raises(click.BadParameter, match="write for example 2011-09-01T00:00:00Z"):
        Instant().convert("yesterday", None, None)


def test_json_is_one_line_that_programs_understand(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    echo_json({"at": at, "names": {"b", "ä"}, "file": Path("x.toml")})
    assert capsys.readouterr().out == (
        '{"at": "2026-01-01T00:00:00Z", "names": ["b", "ä"], "file": "x.toml"}\n'
    )
