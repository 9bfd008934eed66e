"""The example of docs/rule-tests.md, typed as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segmentd.cli.main import run

PAGE = (Path(__file__).parents[3] / "docs" / "rule-tests.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of a language on the page."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the example."""
    monkeypatch.chdir(tmp_path)
    segments, tests, _ = blocks("toml")
    Path("segmentd.toml").write_text('[shop]\ncurrency = "EUR"\n' + segments)
    file = Path("tests/rules/regulars.toml")
    file.parent.mkdir(parents=True)
    file.write_text(tests)
    return tmp_path


def test_all_is_as_expected(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "test"]) == 0
    assert capsys.readouterr().out == blocks("")[0]
    assert not (example / "segmentd.db").exists()


def test_an_edit_that_loses_somebody(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Path("segmentd.toml")
    config.write_text(config.read_text().replace("number_of_orders >= 2", "number_of_orders >= 3"))
    assert run(["rules", "test", "tests/rules/regulars.toml"]) == 3
    assert capsys.readouterr().out == blocks("")[1]


def test_values_of_the_whole_store(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, tests = Path("segmentd.toml"), Path("tests/rules/regulars.toml")
    rule = "amount_spent IN TOP 10% AND last_order_date >= -$at_risk_days"
    config.write_text(config.read_text() + f'[segments.vip]\nwhere = "{rule}"\n')
    customers = tests.read_text().split("[[tests]]")[0]
    given = blocks("toml")[2]
    tests.write_text(customers + given)
    assert run(["rules", "test"]) == 0
    tests.write_text(customers + given.replace("100,", "150,").replace('["anna"]', "[]"))
    assert run(["rules", "test"]) == 0
    tests.write_text(customers + given.replace("= 30", "= 5").replace('["anna"]', "[]"))
    assert run(["rules", "test"]) == 0
    assert "not as expected" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("regulars = []", "regular = []", 'number 1] there is no segment "regular"; did you mean'),
        (
            "expect = { regulars = [], lapsed = [] }",
            'expect = {}\nvalues = { "TOP 10%" = 5 }',
            'no rule uses the value "TOP 10%"',
        ),
        ("now = 2026-02-01", "when = 2026-02-01", 'has no key "when"'),
    ],
)
def test_mistakes_in_a_file(
    example: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    file = Path("tests/rules/regulars.toml")
    file.write_text(file.read_text().replace(old, new, 1))
    assert run(["rules", "test"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "tests/rules/regulars.toml: [tests, number 1]" in error


def test_pins_grace_and_the_past(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("segmentd.toml").write_text(
        '[segments.a]\nwhere = "last_order_date >= -30d"\ngrace = "20d"\n'
        'pins = [{ customer = "cleo@shopper.example", member = true, reason = "a friend" }]\n'
        "[segments.b]\nwhere = \"MEMBER OF segment('a') FOR 7d\"\n"
    )
    Path("tests/rules/regulars.toml").write_text(
        "[customers.anna]\norders = [{ date = 2026-02-01, amount = 5 }]\n"
        'memberships = [{ segment = "a", entered = 2026-02-01 }]\n'
        "[customers.bob]\norders = [{ date = 2026-02-01, amount = 5 }]\n"
        '[customers.cleo]\nemail = "Cleo@shopper.example"\n'
        '[[tests]]\nnow = 2026-02-05\nexpect = { a = ["anna", "bob", "cleo"], b = [] }\n'
        '[[tests]]\nnow = 2026-02-10\nexpect = { b = ["anna"] }\n'
        '[[tests]]\nnow = 2026-03-10\nexpect = { a = ["anna", "cleo"] }\n'
    )
    assert run(["rules", "test"]) == 0, capsys.readouterr().out
