from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import segmentd.sdk as sdk


def test_every_name_can_be_had() -> None:
    assert all(getattr(sdk, name) is not None for name in sdk._HOME)
    assert set(sdk._HOME) <= set(dir(sdk))


def test_the_type_checker_sees_the_same_names() -> None:
    tree = ast.parse(Path(sdk.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert seen == sdk._HOME


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        sdk.__getattr__("Nonsense")


def test_importing_the_sdk_does_not_import_the_http_client() -> None:
    script = (
        "import sys, segmentd.sdk, segmentd.sdk.contract; "
        "print([m for m in ('httpx', 'tenacity', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
