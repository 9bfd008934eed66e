"""Writes segments to Klaviyo as lists."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, cast

from segmentd.sdk import (
    Action,
    Capabilities,
    Change,
    ConfigError,
    ConnectorSettings,
    Destination,
    DestinationInfo,
    Receipt,
    Runtime,
)
from segmentd_klaviyo import client as api
from segmentd_klaviyo.client import Klaviyo, refusals_named
from segmentd_klaviyo.lists import Lists
from segmentd_klaviyo.mapping import address
from segmentd_klaviyo.members import BATCH, Fresh, Members, Target
from segmentd_klaviyo.settings import KlaviyoSettings

_LONGEST_NAME = 255


class KlaviyoDestination(Destination):
    """Lists by name, members by e-mail."""

    Settings: ClassVar[type[ConnectorSettings]] = KlaviyoSettings
    # a batch is one import, its polling, ten pages of members and ten of profile ids
    capabilities = Capabilities("lists", BATCH, "email", seconds_per_request=9.0)

    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None:
        own = cast("KlaviyoSettings", settings)
        self._fill_flow_lists = own.fill_flow_lists
        self._klaviyo = Klaviyo(own, runtime)
        self._lists = Lists(self._klaviyo)
        self._members = Members(self._klaviyo, self._lists, own)
        self._fresh: dict[str, Fresh] = defaultdict(dict)
        """By list; a push may come in many portions."""

    def info(self) -> DestinationInfo:
        """The account's name. A key tells its rights to write only by writing."""
        with refusals_named():
            accounts = list(self._klaviyo.many(api.ACCOUNTS))
            # needs lists:read and profiles:read
            next(self._klaviyo.many(api.JOBS, params={"page[size]": "1"}), None)
        attributes = accounts[0]["attributes"] if accounts else {}
        contact = attributes.get("contact_information") or {}
        warnings = ["this is a test account"] if attributes.get("test_account") else []
        return DestinationInfo(str(contact.get("organization_name") or "Klaviyo"), warnings)

    def check_name(self, name: str) -> None:
        """Klaviyo states no rule for names: refused is what could not be found again."""
        if name != name.strip() or not name.isprintable() or not 1 <= len(name) <= _LONGEST_NAME:
            raise ConfigError(
                f"{name[:80]!r} cannot be the name of a Klaviyo list: 1 to {_LONGEST_NAME} "
                "characters, no control characters, no outer blanks"
            )

    def prepare(self, name: str, known: str | None) -> str:
        """Check a known list, find one by its name and check that, or make one."""
        with refusals_named():
            if known:
                self._lists.check(name, known)
                return known
            found = self._lists.find(name)
            if found is None:
                return self._lists.create(name)
            if not self._fill_flow_lists:
                self._lists.check_flows(name, found)
            return found

    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:
        """Adds before removals; nobody is ever in both at the same time."""
        for group in _groups(changes):
            targets = self._targets(group, names)
            with refusals_named():
                self._members.settle({target.id for target in targets.values()})
                for name, asked in _by_name(group, Action.ADD).items():
                    yield from self._members.add(targets[name], asked)
                for name, asked in _by_name(group, Action.REMOVE).items():
                    yield from self._members.remove(targets[name], asked)

    def close(self) -> None:
        """Let go of connections."""
        self._klaviyo.close()

    def _targets(self, group: Iterable[Change], names: Mapping[str, str]) -> dict[str, Target]:
        """Name → list; after a renaming by hand two names may mean the same one."""
        known_as = Counter(names.values())
        asked = {change.name: names[change.name] for change in group}
        return {
            name: Target(name, list_id, known_as[list_id] > 1, self._fresh[list_id])
            for name, list_id in asked.items()
        }


def _groups(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Changes in portions, none of which asks for opposite things for one person and list."""
    group: list[Change] = []
    actions: dict[tuple[str, str | None], Action] = {}
    for change in changes:
        key = (change.name, address(change.email) or change.remote_id)
        if actions.get(key, change.action) is not change.action:
            yield group
            group, actions = [], {}
        group.append(change)
        actions[key] = change.action
    if group:
        yield group


def _by_name(group: Iterable[Change], action: Action) -> dict[str, list[Change]]:
    found: dict[str, list[Change]] = {}
    for change in group:
        if change.action is action:
            found.setdefault(change.name, []).append(change)
    return found
