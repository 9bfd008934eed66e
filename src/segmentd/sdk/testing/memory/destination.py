"""Writes tags to a shop in memory, or members to lists in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from segmentd.domain.errors import ConfigError, SafetyStop
from segmentd.sdk.contract import (
    Action,
    Capabilities,
    Change,
    Destination,
    DestinationInfo,
    Outcome,
    Receipt,
    Runtime,
)
from segmentd.sdk.settings import ConnectorSettings
from segmentd.sdk.testing.memory.client import connect
from segmentd.sdk.testing.memory.protocol import LONGEST_NAME
from segmentd.sdk.testing.memory.settings import MemorySettings
from segmentd.sdk.values import instant

_OUTCOMES = {"done": Outcome.APPLIED, "refused": Outcome.REJECTED, "gone": Outcome.GONE}


class MemoryDestination(Destination):
    """Sends what belongs together in one request: customers with tags, or members of a list."""

    Settings = MemorySettings

    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None:
        self._settings = MemorySettings.model_validate(settings)
        self._tags = self._settings.kind == "tags"
        needs = "customer_id" if self._tags else "email"
        self.capabilities = Capabilities(self._settings.kind, self._settings.batch_size, needs)
        self._client = connect(self._settings, runtime)

    def info(self) -> DestinationInfo:
        return DestinationInfo(self._client.request("GET", "/shop").json()["name"])

    def check_name(self, name: str) -> None:
        if not name.strip() or len(name) > LONGEST_NAME or (self._tags and "," in name):
            raise ConfigError(f"{name[:40]!r} cannot be a name: empty, too long, or with a comma")

    def prepare(self, name: str, known: str | None) -> str:
        if self._tags:
            return super().prepare(name, known)
        existing = self._client.request("GET", "/lists").json()["lists"]
        if known is not None and known not in existing:
            raise SafetyStop(f"the list {name!r} was removed at the platform")
        return known or self._create(name, existing)

    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:
        waiting: dict[str, dict[str, list[Change]]] = {}
        for change in changes:
            who = change.customer_id if self._tags else change.email
            if who is None:
                yield Receipt(change, Outcome.REJECTED, f"has no {self.capabilities.needs}")
                continue
            path = "/tags" if self._tags else f"/lists/{names[change.name]}"
            group = waiting.setdefault(path, {})
            group.setdefault(who, []).append(change)
            if len(group) == self.capabilities.batch_size:
                yield from self._send(path, waiting.pop(path))
        for path, group in waiting.items():
            yield from self._send(path, group)

    def close(self) -> None:
        self._client.close()

    def _create(self, name: str, existing: Mapping[str, str]) -> str:
        # a list made by us whose answer was lost is found again by its name, not made twice
        for key, known in existing.items():
            if known == name:
                return key
        response = self._client.request(
            "POST", "/lists", json={"name": name}, write=True, retry=False
        )
        return str(response.json()["id"])

    def _send(self, path: str, group: Mapping[str, Sequence[Change]]) -> Iterator[Receipt]:
        entry = _tag_entry if self._tags else _list_entry
        payload = [entry(who, changes) for who, changes in group.items()]
        body = {"customers" if self._tags else "members": payload}
        results = self._client.request("POST", path, json=body, write=True).json()["results"]
        for result in results:
            for change in group[result["id"]]:
                yield _receipt(change, result)


def _tag_entry(who: str, changes: Sequence[Change]) -> Mapping[str, object]:
    return {
        "id": who,
        "add": [change.name for change in changes if change.action is Action.ADD],
        "remove": [change.name for change in changes if change.action is Action.REMOVE],
    }


def _list_entry(who: str, changes: Sequence[Change]) -> Mapping[str, object]:
    return {"email": who, "add": changes[-1].action is Action.ADD}


def _receipt(change: Change, result: Mapping[str, Any]) -> Receipt:
    updated_at = result.get("updated_at")
    return Receipt(
        change,
        _OUTCOMES[result["status"]],
        result.get("detail"),
        updated_at=instant(updated_at) if updated_at else None,
    )
