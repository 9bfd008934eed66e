"""What a push of very many changes does to others who use the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemons import put
from segmentd.bootstrap import open_app
from segmentd.config import load_config
from segmentd.pipeline import push as pushing
from segmentd.sdk.testing.memory import MemoryLists, MemoryShop, registered
from segmentd.store import Store

CONFIG = """
[store]
url = "sqlite:///segmentd.db"
[sources.shop]
connector = "memory"
shop = "first"
[destinations.lists]
connector = "memory"
shop = "platform"
kind = "lists"
[segments.buyers]
where = "number_of_orders >= 1"
push = ["lists"]
"""


def test_entries_are_noted_in_short_transactions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    note = Store.note

    def counted(store: Store, lease: Any, name: str, needs: str, entries: Any, now: Any) -> None:
        sizes.append(len(entries))
        note(store, lease, name, needs, entries, now)

    monkeypatch.setattr(Store, "note", counted)
    monkeypatch.setattr(pushing, "NOTED_AT_ONCE", 2)
    path = tmp_path / "segmentd.toml"
    path.write_text(CONFIG)
    shop, lists = MemoryShop(), MemoryLists()
    for number in range(1, 6):
        put(shop, number, 10_000)
    with registered("first", shop), registered("platform", lists):
        app = open_app(load_config(path), sleep=lambda _: None)
        app.sync().check()
        app.close()
    assert sizes == [2, 2, 1]
    assert len(lists.members()["buyers"]) == 5
