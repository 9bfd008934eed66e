"""Known requests and answers of the real service, against our copy of its document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from segmentd_klaviyo import sandbox
from segmentd_klaviyo.sandbox import document

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name[:2])
def test_every_example_fits_the_document(path: Path) -> None:
    example = load(path)
    found = document().find(example["method"], example["path"])
    assert found is not None
    operation, _ = found
    assert operation.id == example["operation"]
    if "request" in example:
        faults = list(document().body_faults(operation, example["request"]))
    else:
        body = orjson.dumps(example["response"])
        faults = list(document().answer_faults(operation, example["status"], body))
    assert faults == []


@pytest.mark.parametrize(
    ("number", "path", "value"),
    [
        ("04", ("data", "type"), "profile"),
        ("04", ("data", "attributes", "profiles", "data", 0, "attributes", "email"), 5),
        ("04", ("data", "attributes", "profiles", "data", 0, "attributes", "subscriptions"), {}),
        ("09", ("data", "attributes", "opt_in_process"), "maybe"),
        ("09", ("data", "attributes", "consent"), "SUBSCRIBED"),
        ("11", ("data", 0, "id"), 7),
    ],
)
def test_a_spoilt_example_is_found_out(
    number: str, path: tuple[str | int, ...], value: object
) -> None:
    (file,) = [file for file in EXAMPLES if file.name.startswith(number)]
    example = load(file)
    node = example["request"]
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    found = document().find(example["method"], example["path"])
    assert found is not None
    assert list(document().body_faults(found[0], example["request"]))


def test_a_spoilt_answer_is_found_out() -> None:
    (file,) = [file for file in EXAMPLES if file.name.startswith("07")]
    example = load(file)
    example["response"]["data"]["attributes"]["status"] = "failed"
    found = document().find("GET", "/api/profile-bulk-import-jobs/X")
    assert found is not None
    body = orjson.dumps(example["response"])
    assert list(document().answer_faults(found[0], 200, body))


def test_the_document_names_its_origin_and_licence() -> None:
    info = document().content["info"]
    assert "f0a30ba" in info["x-source"]
    assert "MIT License" in info["x-licence"]
    notice = (Path(sandbox.__file__).parent / "NOTICE").read_text(encoding="utf-8")
    assert "f0a30ba" in notice
    assert "MIT License" in notice
