"""A name that changes in its case only stays the same list."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from daemons import put
from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.sdk.testing.memory import MemoryLists, MemoryShop, registered

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
title = "TITLE"
push = ["lists"]
"""


class Bench:
    """A shop, an e-mail platform, and a configuration whose one segment can be renamed."""

    def __init__(self, folder: Path) -> None:
        self.shop, self.lists = MemoryShop(), MemoryLists()
        self._path = folder / "segmentd.toml"

    def sync(self, title: str) -> None:
        self._path.write_text(CONFIG.replace("TITLE", title))
        app: App = open_app(load_config(self._path), sleep=lambda _: None)
        try:
            app.sync().check()
        finally:
            app.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    with ExitStack() as stack:
        stack.enter_context(registered("first", made.shop))
        stack.enter_context(registered("platform", made.lists))
        yield made


def test_i3_members_before_and_after_are_on_one_list(bench: Bench) -> None:
    put(bench.shop, 1, 10_000)
    bench.sync("VIP")
    put(bench.shop, 2, 10_000)
    bench.sync("vip")
    (members,) = bench.lists.members().values()
    assert len(members) == 2


def test_i3_who_leaves_after_the_change_leaves_that_list(bench: Bench) -> None:
    put(bench.shop, 1, 10_000)
    put(bench.shop, 2, 10_000)
    bench.sync("VIP")
    bench.shop.cancel("1001", bench.shop.clock.now())
    bench.sync("vip")
    (members,) = bench.lists.members().values()
    assert len(members) == 1
