"""``segmentd run`` as a real process, watched through its log, and a small world for it."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from segmentd.domain.records import Customer, Order
from segmentd.sdk.testing.memory import MemoryLists, MemoryShop
from segmentd.sdk.testing.server import serve

PATIENCE = 60.0
"""Seconds after which a test gives up; none takes them when all is well."""

SPENDER = """
[segments.spender]
title = "Big spender"
where = "amount_spent >= 100"
push = ["tags", "lists"]
"""


_ELSEWHERE = """
import socket
socket.gethostname = lambda: "elsewhere"
from segmentd.cli.main import main
main()
"""
"""A daemon that takes this machine for another one: of its death nobody here can know."""


class Process:
    """A daemon; ``log`` holds every line that was read so far."""

    def __init__(self, config: Path, *, elsewhere: bool = False) -> None:
        self.log: list[dict[str, Any]] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        program = ["-c", _ELSEWHERE] if elsewhere else ["-m", "segmentd"]
        self._process = subprocess.Popen(
            [sys.executable, *program, "run", "--config", str(config)],
            stderr=subprocess.PIPE,
            text=True,
            # its own group: Ctrl-C on the tests is not for it
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for(self, event: str, **fields: object) -> dict[str, Any]:
        """The next line of the log with this event and these fields."""
        deadline = time.monotonic() + PATIENCE
        while True:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            if line is None:
                raise AssertionError(f"the process ended before {event} {fields}: {self.log[-3:]}")
            entry = _parsed(line)
            self.log.append(entry)
            if entry.get("event") == event and fields.items() <= entry.items():
                return entry

    def wait_for_each(self, event: str, *wanted: Mapping[str, object]) -> list[dict[str, Any]]:
        """The next lines with this event and each of these fields, logged in whichever order."""
        found: dict[int, dict[str, Any]] = {}
        while len(found) < len(wanted):
            entry = self.wait_for(event)
            for place, fields in enumerate(wanted):
                if fields.items() <= entry.items():
                    found.setdefault(place, entry)
        return [found[place] for place in range(len(wanted))]

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end; its exit code, and the seconds that it took."""
        begun = time.monotonic()
        self._process.send_signal(number)
        return self._process.wait(PATIENCE), time.monotonic() - begun

    def wait(self) -> int:
        """Its exit code, once it has ended by itself."""
        return self._process.wait(PATIENCE)

    def rest(self) -> str:
        """What else it wrote until its end."""
        lines = list(iter(self._lines.get, None))
        return "".join(line for line in lines if line is not None)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.put(line)
        self._lines.put(None)


def _parsed(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {"event": None, "text": line}
    return entry if isinstance(entry, dict) else {"event": None, "text": line}


@dataclass
class World:
    """A shop, a second one and an e-mail platform in memory, served over HTTP."""

    folder: Path
    shops: dict[str, MemoryShop]
    lists: MemoryLists
    tables: dict[str, dict[str, object]] = field(default_factory=dict)
    running: list[Process] = field(default_factory=list)
    store: dict[str, str] = field(default_factory=lambda: {"url": "sqlite:///segmentd.db"})

    @property
    def shop(self) -> MemoryShop:
        return self.shops["shop"]

    @property
    def config(self) -> Path:
        return self.folder / "segmentd.toml"

    def write(self, segments: str = SPENDER, web: int | None = 0) -> None:
        """The configuration, as ``tables`` are now; ``web`` None: the daemon does not listen."""
        listens = "enabled = false" if web is None else f"port = {web}"
        parts = [f"[web]\n{listens}"]
        tables: dict[str, Mapping[str, object]] = {"store": self.store, **self.tables}
        for name, table in tables.items():
            lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
            parts.append("\n".join([f"[{name}]", *lines]))
        self.config.write_text("\n\n".join([*parts, segments]))

    def start(self, *, elsewhere: bool = False) -> Process:
        """A daemon; ended with the world. ``elsewhere``: as if on another machine."""
        process = Process(self.config, elsewhere=elsewhere)
        self.running.append(process)
        return process


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Three customers: 1 and 2 spent enough, 3 did not."""
    made = World(folder, {"shop": MemoryShop()}, MemoryLists())
    with ExitStack() as stack:
        settings = dict(made.shop.settings(stack.enter_context(serve(made.shop))))
        made.tables["sources.shop"] = {**settings, "every": "1h"}
        made.tables["destinations.tags"] = {"connector": "memory", "source": "shop"}
        lists = made.lists.settings(stack.enter_context(serve(made.lists)))
        made.tables["destinations.lists"] = dict(lists)
        variable = str(settings["token_env"])
        before = os.environ.get(variable)
        os.environ[variable] = made.shop.credentials()["token"]
        for number, total in ((1, 15_000), (2, 10_000), (3, 900)):
            put(made.shop, number, total)
        made.write()
        try:
            yield made
        finally:
            for process in made.running:
                process.close()
            if before is None:
                del os.environ[variable]
            else:
                os.environ[variable] = before


def put(shop: MemoryShop, number: int, total: int, ago: timedelta = timedelta(days=2)) -> None:
    """A customer with one order."""
    # whole seconds, as shops have them: a window of reading ends with the second that has begun
    now = datetime.now(UTC).replace(microsecond=0)
    at = now - ago
    email = f"c{number}@shopper.example"
    shop.put_customer(Customer(id=str(number), email=email, created_at=at))
    shop.put_order(
        Order(
            id=str(1000 + number),
            customer_id=str(number),
            email=email,
            placed_at=at,
            updated_at=now,
            currency="EUR",
            total=total,
            paid=True,
        )
    )


def ask(url: str, path: str) -> tuple[int, bytes]:
    """One GET request to a daemon."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def ask_json(url: str, path: str) -> tuple[int, Mapping[str, Any]]:
    """The same, parsed."""
    status, body = ask(url, path)
    return status, json.loads(body)
