"""In which portions and in which order many changes are noted and sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
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
[destinations.tags]
connector = "memory"
source = "shop"
batch_size = 2
[destinations.lists]
connector = "memory"
shop = "platform"
kind = "lists"
batch_size = 2
"""
BUYERS = """
[segments.buyers]
where = "number_of_orders >= 1"
push = [{{ to = "lists", list = "{name}" }}]
"""
TAGS = """
[segments.some]
where = "number_of_orders >= 1"
push = ["tags"]
[segments.spent]
where = "amount_spent >= 1"
push = ["tags"]
"""


@dataclass
class Bench:
    """A shop with five buyers."""

    shop: MemoryShop
    lists: MemoryLists
    path: Path

    def sync(self, segments: str) -> None:
        """Once, in a process of its own."""
        self.path.write_text(CONFIG + segments)
        app = open_app(load_config(self.path), sleep=lambda _: None)
        app.sync().check()
        app.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(MemoryShop(), MemoryLists(), tmp_path / "segmentd.toml")
    for number in range(1, 6):
        put(made.shop, number, 10_000)
    with registered("first", made.shop), registered("platform", made.lists):
        yield made


def test_what_needs_no_request_is_noted_in_short_transactions(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    note = Store.note

    def counted(store: Store, lease: Any, name: str, needs: str, entries: Any, now: Any) -> None:
        sizes.append(len(entries))
        note(store, lease, name, needs, entries, now)

    monkeypatch.setattr(Store, "note", counted)
    monkeypatch.setattr(pushing, "NOTED_AT_ONCE", 2)
    for number in range(1, 6):
        bench.shop.set_tags(str(number), ["some", "spent"])
    bench.sync(TAGS)
    assert sizes == [2, 2, 2, 2, 2]
    assert bench.shop.writes() == 0


def test_what_is_sent_is_noted_request_by_request(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    note = Store.note

    def counted(store: Store, lease: Any, name: str, needs: str, entries: Any, now: Any) -> None:
        note(store, lease, name, needs, entries, now)
        seen.append((len(entries), sum(1 for tags in bench.shop.tags().values() if tags)))

    monkeypatch.setattr(Store, "note", counted)
    bench.sync(TAGS)
    # both tags of two customers, before they and after the others have theirs
    assert [each for each in seen if each[0]] == [(4, 0), (4, 2), (2, 4)]
    assert all(tags == {"some", "spent"} for tags in bench.shop.tags().values())


def test_all_are_on_the_new_list_before_any_is_taken_off_the_old_one(bench: Bench) -> None:
    bench.sync(BUYERS.format(name="Zinnia"))
    before = len(bench.lists.log)
    bench.sync(BUYERS.format(name="Aster"))
    sent = [entry.request.path for entry in bench.lists.log[before:] if entry.request.body]
    assert sent == ["/lists", *["/lists/L2"] * 3, *["/lists/L1"] * 3]
    assert {name: len(who) for name, who in bench.lists.members().items()} == {
        "Zinnia": 0,
        "Aster": 5,
    }


def test_a_long_push_is_planned_anew_where_it_is_of_tags(bench: Bench) -> None:
    bench.path.write_text(CONFIG + TAGS + BUYERS.format(name="Aster"))
    with closing(open_app(load_config(bench.path), stretch=timedelta())) as app:
        first = app.sync().pushed.done
        then = [app.push(["tags"]).done[0] for _ in range(2)]
    assert [(each.destination, each.added, each.unfinished) for each in [*first, *then]] == [
        ("tags", 4, True),
        ("lists", 5, False),
        ("tags", 4, True),
        ("tags", 2, False),
    ]
