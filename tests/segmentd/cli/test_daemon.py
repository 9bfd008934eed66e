"""The daemon in the process of the test: which jobs it plans."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import cast

from segmentd.bootstrap import open_app
from segmentd.cli.daemon import Daemon
from segmentd.cli.signals import Signals
from segmentd.cli.tenure import Tenure
from segmentd.config import Config, load_config
from segmentd.sdk.testing.memory import MemoryLists, MemoryShop, registered

OWN = ("due", "look", "verify")


class Told:
    """A person who lets the configuration be read anew, so many times, and then ends it."""

    def __init__(self, reloads: int) -> None:
        self._signals = [signal.SIGTERM, *[signal.SIGHUP] * reloads]

    def wait(self, _seconds: float) -> signal.Signals | None:
        return self._signals.pop()


def test_sources_that_are_called_as_its_own_jobs_take_no_places_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "segmentd.toml"
    sources = [f'[sources.{name}]\nconnector = "memory"\nshop = "first"' for name in OWN]
    path.write_text("\n".join(['[store]\nurl = "sqlite:///segmentd.db"', *sources]))
    config = load_config(path)
    planned: list[str] = []

    def load() -> Config:
        planned.extend(cast(Mapping[str, object], daemon.status()["next_runs"]))
        return config

    with (
        registered("first", MemoryShop()),
        closing(open_app(config)) as app,
        Tenure(app.store, timedelta(minutes=1), exclusive=True) as tenure,
    ):
        daemon = Daemon(app, tenure, threading.Event())
        assert daemon.run(cast(Signals, Told(1)), load)
    assert sorted(planned) == sorted([*OWN, *(f"source:{name}" for name in OWN)])


def test_a_destination_has_a_job_for_as_long_as_it_is_configured(tmp_path: Path) -> None:
    path = tmp_path / "segmentd.toml"
    planned: list[list[str]] = []

    def configured(destinations: Sequence[str]) -> Config:
        tables = [f'[destinations.{name}]\nconnector = "memory"' for name in destinations]
        kinds = [f'{table}\nkind = "lists"\nshop = "platform"' for table in tables]
        path.write_text("\n".join(['[store]\nurl = "sqlite:///segmentd.db"', *kinds]))
        return load_config(path)

    def load() -> Config:
        jobs = cast(Mapping[str, object], daemon.status()["next_runs"])
        planned.append(sorted(job for job in jobs if job not in OWN))
        return configured(["kept", "new"])

    with (
        registered("platform", MemoryLists()),
        closing(open_app(configured(["kept", "old"]))) as app,
        Tenure(app.store, timedelta(minutes=1), exclusive=True) as tenure,
    ):
        daemon = Daemon(app, tenure, threading.Event())
        assert daemon.run(cast(Signals, Told(2)), load)
    assert planned == [
        ["destination:kept", "destination:old"],
        ["destination:kept", "destination:new"],
    ]
