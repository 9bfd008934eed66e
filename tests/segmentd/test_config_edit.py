"""Changes to files that people write."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from segmentd.config_edit import add_segment, segment_table, set_where
from segmentd.domain.errors import ConfigError

WRITTEN = """# our shop
include = ["more/*.toml"]

[segments.vip]  # the best
# agreed with Ann
where = "amount_spent > 5"   # euros
title = "VIP"

[segments.long]
where = '''
number_of_orders > 1
AND amount_spent > 2
'''
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration and a file that it includes."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.toml").write_text('[segments.lapsed]\nwhere = "a"\n')
    path = tmp_path / "segmentd.toml"
    path.write_text(WRITTEN)
    return path


def test_only_the_rule_is_changed(file: Path) -> None:
    rule = "customer_tags CONTAINS 'a \"b\"' OR customer_tags CONTAINS 'c\\'d'"
    assert set_where(file, "vip", rule) == file
    changed = file.read_text()
    assert tomllib.loads(changed)["segments"]["vip"]["where"] == rule
    written, new = WRITTEN.splitlines(), changed.splitlines()
    assert [n for n, (a, b) in enumerate(zip(written, new, strict=True)) if a != b] == [5]
    assert new[5].endswith("   # euros")


def test_a_rule_of_several_lines_becomes_another(file: Path) -> None:
    set_where(file, "long", "number_of_orders > 3")
    assert file.read_text() == WRITTEN[: WRITTEN.index("where = '''")] + (
        'where = "number_of_orders > 3"\n'
    )


def test_the_file_that_holds_it_is_found(file: Path) -> None:
    home = set_where(file, "lapsed", "b")
    assert home == file.parent / "more" / "b.toml"
    assert home.read_text() == '[segments.lapsed]\nwhere = "b"\n'
    assert file.read_text() == WRITTEN


def test_an_included_file_may_be_named_by_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RULES", "more")
    file.write_text(WRITTEN.replace('"more/*.toml"', '"${RULES}/*.toml"'))
    assert set_where(file, "lapsed", "b") == file.parent / "more" / "b.toml"


def test_a_segment_is_added_at_the_end(file: Path) -> None:
    values = {"title": 'Big "5"', "preset": "first_time_buyers", "days": 90}
    add_segment(file, "big", values)
    assert file.read_text() == WRITTEN + (
        '\n[segments.big]\ntitle = "Big \\"5\\""\npreset = "first_time_buyers"\ndays = 90\n'
    )


@pytest.mark.parametrize(
    ("before", "gap"),
    [
        ("", ""),
        ("paused = true", "\n\n"),
        ("paused = true\n", "\n"),
        ("paused = true\n\n", ""),
    ],
)
def test_one_empty_line_before_it(tmp_path: Path, before: str, gap: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(before)
    add_segment(path, "b", {"where": "c"})
    assert path.read_text() == before + gap + segment_table("b", {"where": "c"})


def test_line_ends_of_windows_stay(file: Path) -> None:
    file.write_bytes(WRITTEN.replace("\n", "\r\n").encode())
    set_where(file, "vip", "amount_spent > 6")
    assert file.read_bytes() == WRITTEN.replace("> 5", "> 6").replace("\n", "\r\n").encode()


def test_rights_and_links_stay(file: Path, tmp_path: Path) -> None:
    file.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    add_segment(link, "b", {"where": "c"})
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "link.toml",
        "more",
        "segmentd.toml",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[segments.b]\nwhere = 'x'\n", r"\[segments.b\] is there already"),
        ("segments = { a = { where = 'x' } }\n", "change it by hand"),
        ("[segments\n", "no valid TOML"),
        ("[segment]\n", r"a.toml: no table or key is called \"segment\""),
    ],
)
def test_what_cannot_be_added_to_stays_as_it_is(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        add_segment(path, "b", {"where": "c"})
    assert path.read_text() == text


def test_what_cannot_be_found_or_read(file: Path) -> None:
    with pytest.raises(ConfigError, match="there is no segment 'nope'"):
        set_where(file, "nope", "x")
    with pytest.raises(ConfigError, match=r"there is no .*none.toml"):
        set_where(file.parent / "none.toml", "vip", "x")
    add_segment(file, "made", {"preset": "vip"})
    with pytest.raises(ConfigError, match="made from a preset"):
        set_where(file, "made", "x")
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        set_where(file, "vip", "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(file: Path) -> None:
    file.parent.chmod(0o500)
    try:
        with pytest.raises(ConfigError, match="cannot be written"):
            set_where(file, "vip", "x")
        assert file.read_text() == WRITTEN
    finally:
        file.parent.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_may_not_be_written_is_not_replaced(file: Path) -> None:
    file.chmod(0o400)
    with pytest.raises(ConfigError, match="cannot be written: Permission denied"):
        set_where(file, "vip", "x")
    assert file.read_text() == WRITTEN
