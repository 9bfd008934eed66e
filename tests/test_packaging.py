"""What is shipped: the lock, the image's recipe, the package itself."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from importlib.metadata import metadata
from pathlib import Path

import pytest

import segmentd
from segmentd.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(text: str) -> dict[str, str]:
    """Package → everything that the lock says of it."""
    blocks = re.split(r"\n(?=\S)", text)
    pins = [block for block in blocks if not block.startswith("#")]
    return {plain(re.split(r"==", pin)[0]): pin for pin in pins}


class TestLock:
    def test_everything_is_pinned_by_hash(self) -> None:
        for pin in requirements(LOCK).values():
            assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+", pin), pin
            assert "--hash=sha256:" in pin

    def test_it_names_no_place(self) -> None:
        assert not re.search(r"://|^-|@ |/(home|root|tmp|work|opt)/", LOCK, re.MULTILINE)

    def test_it_covers_what_the_project_asks_for(self) -> None:
        extras = PROJECT["optional-dependencies"]
        asked = [*PROJECT["dependencies"], *extras["test"], *extras["dask"]]
        names = {plain(re.split(r"[<>=\[ ]", requirement)[0]) for requirement in asked}
        assert names - {"segmentd"} <= requirements(LOCK).keys()


class TestDockerfile:
    def test_the_base_is_one_exact_version(self) -> None:
        bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
        assert len(bases) == 1
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases.pop())

    def test_nobody_special_runs_it(self) -> None:
        last_stage = DOCKERFILE.rsplit("\nFROM ", 1)[1]
        assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last_stage, re.MULTILINE)
        assert "USER" not in last_stage.split("USER 10001:10001", 1)[1]

    def test_it_is_process_1_itself_and_told_to_stop_politely(self) -> None:
        assert 'ENTRYPOINT ["segmentd"]' in DOCKERFILE
        assert "STOPSIGNAL SIGTERM" in DOCKERFILE

    def test_what_it_calls_are_commands(self) -> None:
        health = re.search(
            r'^HEALTHCHECK .* CMD \["segmentd", "(\w+)"\]$', DOCKERFILE, re.MULTILINE
        )
        start = re.search(r'^CMD \["(\w+)"\]$', DOCKERFILE, re.MULTILINE)
        assert health
        assert start
        assert {health[1], start[1]} <= COMMANDS.keys()

    def test_what_it_copies_is_there_and_not_ignored(self) -> None:
        lines = (ROOT / ".dockerignore").read_text().splitlines()
        let_in = [line[1:] for line in lines if line.startswith("!")]
        assert lines[0] == "*"
        for names in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE):
            for name in names.split():
                assert (ROOT / name).exists()
                assert any(fnmatch(name, pattern) for pattern in let_in)

    def test_what_it_needs_to_build_is_copied(self) -> None:
        copied = " ".join(re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE)).split()
        assert {PROJECT["readme"], *PROJECT["license-files"], "src", "connectors"} <= {*copied}

    def test_no_secret_is_asked_for_at_build_time(self) -> None:
        assert not re.search(r"^ARG|TOKEN=|SECRET=|KEY=", DOCKERFILE, re.MULTILINE)


class TestPackage:
    def test_one_version_everywhere(self) -> None:
        assert metadata("segmentd")["Version"] == segmentd.__version__
        newest = re.search(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
        assert newest
        assert newest[1] == segmentd.__version__

    @pytest.mark.parametrize(
        "package",
        ["segmentd", *sorted(p.parent.name for p in ROOT.glob("connectors/*/__init__.py"))],
    )
    def test_its_types_are_for_others_too(self, package: str) -> None:
        (home,) = [*ROOT.glob(f"src/{package}"), *ROOT.glob(f"connectors/{package}")]
        assert (home / "py.typed").exists()

    def test_the_example_is_the_one_that_init_writes(self) -> None:
        example = ROOT / "config.example.toml"
        assert example.samefile(ROOT / "src/segmentd/config.example.toml")
