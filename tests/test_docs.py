"""What the documents say is so."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import tomllib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from compiled_rules import compile_rules
from segmentd.cli.exits import Exit
from segmentd.cli.main import COMMANDS
from segmentd.config import load_config
from segmentd.segmenter.ruleset import Shop
from segmentd.store import open_store

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The README's code blocks of one language, out of their lists."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page: Path) -> None:
    for name in re.findall(r"`((?:src|connectors|tests|docs|contrib)/[\w./-]+)`", page.read_text()):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_are_there(page: Path) -> None:
    text = page.read_text()
    scripts = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    typed = re.findall(r"^segmentd (\w+)", scripts, re.MULTILINE)
    for name in {*typed, *re.findall(r"`segmentd (\w+)", text)}:
        assert name in COMMANDS


def test_every_command_is_in_the_readme() -> None:
    table = README.split("## Commands")[1].split("##")[0]
    for name in COMMANDS:
        assert re.search(rf"^\|.*`{name}\b.*\|", table, re.MULTILINE), name


def test_every_exit_code_is_in_the_readme() -> None:
    cells = re.findall(r"^\| ([\d, ]+) \|", README, re.MULTILINE)
    assert [int(code) for cell in cells for code in cell.split(",")] == list(Exit)


def test_the_configuration_in_the_readme_is_right(tmp_path: Path) -> None:
    merged = "\n".join(sorted(blocks("toml"), key=lambda text: text.startswith("[segments")))
    tomllib.loads(merged)
    (tmp_path / "segmentd.toml").write_text(merged)
    config = load_config(tmp_path / "segmentd.toml")
    assert set(config.sources) == {"shop", "woo"}
    assert set(config.destinations) == {"shop_tags", "woo_tags", "newsletter"}


def test_the_rules_in_the_readme_are_rules() -> None:
    rules = {str(number): line for number, line in enumerate(blocks("text")[0].splitlines())}
    rules |= {"vip": tomllib.loads(blocks("toml")[0])["segments"]["vip"]["where"]}
    assert len(compile_rules(rules, Shop("UTC", "EUR")).keys) == 4


def test_the_backup_in_the_readme_has_what_a_daemon_wrote_last(tmp_path: Path) -> None:
    scripts = "".join(blocks("sh"))
    (command,) = re.findall(r"^python3 -c '.*backup.*'$", scripts, re.MULTILINE)
    now = datetime(2026, 6, 1, tzinfo=UTC)
    with open_store(f"sqlite:///{tmp_path / 'segmentd.db'}") as store:
        store.acquire("source:shop", "the daemon", timedelta(minutes=1), now)
        subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT holder FROM leases").fetchall() == [("the daemon",)]
