"""The state that a Klaviyo account has: profiles, lists, import jobs, consent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from segmentd_klaviyo.sandbox.document import Fault

ROWS = "/data/attributes/profiles/data"
IDENTIFIERS = ("email", "phone_number", "external_id")
PLAIN = (*IDENTIFIERS, "first_name", "last_name", "organization", "locale", "title", "image")
_ADDRESS = re.compile(r"[^@\s\"\\<>,]+@[^@\s]+\.[^@\s.]+")
_PHONE = re.compile(r"\+[1-9]\d{6,14}")


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of the sandbox
    """A request that is answered with an error."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        *faults: Fault,
        meta: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.code = code
        self.title = title
        self.faults = faults
        self.meta = meta or {}


def invalid(*faults: Fault) -> Refusal:
    """400: the request is wrong for good."""
    return Refusal(400, "invalid", "Invalid input.", *faults)


def missing(kind: str, remote_id: str, pointer: str = "/data") -> Refusal:
    """404: there is no such record."""
    detail = f"A {kind} with id {remote_id} does not exist."
    return Refusal(404, "not_found", "Not found.", Fault(detail, pointer=pointer))


@dataclass
class Profile:
    """A person; ``consent`` None means that they were never asked."""

    id: str
    created: datetime
    updated: datetime
    attributes: dict[str, Any]
    consent: str | None = None
    suppressions: set[str] = field(default_factory=set)
    left_lists: set[str] = field(default_factory=set)
    """Lists whose mails the person refused."""

    @property
    def email(self) -> str | None:
        """The primary address."""
        email: str | None = self.attributes.get("email")
        return email


@dataclass
class ListRecord:
    """A list; ``members``: profile id → when it was added."""

    id: str
    name: str
    opt_in_process: str
    created: datetime
    updated: datetime
    members: dict[str, datetime] = field(default_factory=dict)
    flows: list[str] = field(default_factory=list)


@dataclass
class ImportJob:
    """A bulk import: done when its time is over, or when it was looked at often enough."""

    id: str
    rows: list[dict[str, Any]]
    lists: list[str]
    created: datetime
    seconds: float
    polls: int
    completed: datetime | None = None
    cancelled: bool = False
    looks: int = 0
    errors: list[tuple[int, str, str]] = field(default_factory=list)
    """Index of the row, code, detail."""
    profiles: list[str] = field(default_factory=list)

    def status(self, now: datetime) -> str:
        """queued, processing, complete or cancelled."""
        if self.cancelled:
            return "cancelled"
        if self.completed:
            return "complete"
        begun = self.looks > 1 or now >= self.started
        return "processing" if begun else "queued"

    @property
    def started(self) -> datetime:
        """When its work begins, if nobody looks before."""
        return self.created + timedelta(seconds=self.seconds / 2)

    def is_due(self, now: datetime) -> bool:
        """Whether its rows are to be imported now."""
        over = now >= self.created + timedelta(seconds=self.seconds)
        return not self.cancelled and not self.completed and (over or self.looks > self.polls)


class Account:
    """One Klaviyo account."""

    def __init__(self) -> None:
        self.profiles: dict[str, Profile] = {}
        self.lists: dict[str, ListRecord] = {}
        self.jobs: dict[str, ImportJob] = {}
        self.refused: set[str] = set()
        """Addresses for which a whole import request is refused."""
        self.failing: dict[str, str] = {}
        """Address → why its row fails inside of an import job."""
        self.aliases: dict[str, set[str]] = {}
        """Profile id → secondary addresses, of accounts with several per profile."""
        self.pointers = True
        """Whether an error about one row of many says which."""
        self.job_seconds = 2.0
        self.job_polls = 3
        self._serial = 0
        self._index: dict[tuple[str, str], str] = {}
        """Identifier and its value → profile id."""

    def new_id(self, prefix: str, length: int) -> str:
        """An id never given out before."""
        self._serial += 1
        return prefix + str(self._serial).zfill(length - len(prefix))

    def profile(self, remote_id: str, pointer: str = "/data") -> Profile:
        """A profile by its id, or 404."""
        if remote_id not in self.profiles:
            raise missing("profile", remote_id, pointer)
        return self.profiles[remote_id]

    def list_record(self, remote_id: str, pointer: str = "/data") -> ListRecord:
        """A list by its id, or 404."""
        if remote_id not in self.lists:
            raise missing("list", remote_id, pointer)
        return self.lists[remote_id]

    def by_email(self, email: str) -> Profile | None:
        """The profile with this address, spelled so."""
        remote_id = self._index.get(("email", email))
        return self.profiles[remote_id] if remote_id else None

    def holders(self, attributes: Mapping[str, Any]) -> list[Profile]:
        """The profiles to which the identifiers among ``attributes`` belong."""
        found = [self._index.get(key) for key in _keys(attributes)]
        found += [one_id for one_id in self.aliases if self._is_alias(one_id, attributes)]
        return [self.profiles[one_id] for one_id in dict.fromkeys(found) if one_id]

    def _is_alias(self, remote_id: str, attributes: Mapping[str, Any]) -> bool:
        return attributes.get("email") in self.aliases.get(remote_id, ())

    def upsert(self, attributes: Mapping[str, Any], now: datetime) -> tuple[Profile, bool]:
        """Create or update by identifiers; whether it was created. 409 if they name two."""
        holders = self.holders(attributes)
        if len(holders) > 1:
            raise duplicate(holders[1])
        profile = holders[0] if holders else None
        created = profile is None
        if profile is None:
            profile = Profile(self.new_id("01KA", 26), now, now, {})
            self.profiles[profile.id] = profile
        if self._is_alias(profile.id, attributes):
            # a secondary address finds the profile, and does not become the primary one
            attributes = {key: value for key, value in attributes.items() if key != "email"}
        self.write(profile, attributes, now)
        return profile, created

    def write(self, profile: Profile, attributes: Mapping[str, Any], now: datetime) -> None:
        """Set attributes; custom properties are merged by key, null clears."""
        given = dict(attributes)
        added = given.pop("properties", None) or {}
        merged = {**profile.attributes.get("properties", {}), **added}
        self._unindex(profile)
        profile.attributes = {**profile.attributes, **given, "properties": merged}
        profile.updated = now
        self._index |= dict.fromkeys(_keys(profile.attributes), profile.id)

    def _unindex(self, profile: Profile) -> None:
        for key in _keys(profile.attributes):
            self._index.pop(key, None)

    def forget(self, profile: Profile) -> None:
        """Delete a profile."""
        del self.profiles[profile.id]
        self._unindex(profile)
        for record in self.lists.values():
            record.members.pop(profile.id, None)

    def work(self, now: datetime) -> None:
        """Carry out the import jobs whose time has come."""
        for job in self.jobs.values():
            if job.is_due(now):
                self._import(job, now)

    def _import(self, job: ImportJob, now: datetime) -> None:
        for index, row in enumerate(job.rows):
            # a bulk import ignores nulls instead of clearing
            given = {key: value for key, value in row["attributes"].items() if value is not None}
            if failure := self._failure(given):
                job.errors.append((index, *failure))
                continue
            profile, _ = self.upsert(given, now)
            job.profiles.append(profile.id)
            for list_id in job.lists:
                # a list deleted meanwhile takes nobody
                if list_id in self.lists:
                    self.lists[list_id].members.setdefault(profile.id, now)
        job.profiles = list(dict.fromkeys(job.profiles))
        job.completed = now

    def _failure(self, attributes: Mapping[str, Any]) -> tuple[str, str] | None:
        email = attributes.get("email") or ""
        if email in self.failing:
            return "invalid", self.failing[email]
        if ".." in email:
            return "invalid", "Invalid email address"
        if len(self.holders(attributes)) > 1:
            return "duplicate_profile", "A profile already exists with one of these identifiers."
        return None


def _keys(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, attributes[key]) for key in IDENTIFIERS if attributes.get(key)]


def duplicate(holder: Profile) -> Refusal:
    """409: the identifiers belong to another profile, or to two."""
    detail = "A profile already exists with one of these identifiers."
    return Refusal(
        409,
        "duplicate_profile",
        "Conflict.",
        Fault(detail, pointer="/data/attributes"),
        meta={"duplicate_profile_id": holder.id},
    )


def identifier_faults(attributes: Mapping[str, Any], pointer: str) -> list[Fault]:
    """What is wrong with e-mail and phone of one profile, which no schema says."""
    faults: list[Fault] = []
    email, phone = attributes.get("email"), attributes.get("phone_number")
    if not any(attributes.get(key) for key in IDENTIFIERS):
        faults.append(Fault("One of email, phone_number, external_id is required", pointer=pointer))
    if email is not None and not _ADDRESS.fullmatch(email):
        faults.append(Fault("Invalid email address", pointer=f"{pointer}/email"))
    if phone is not None and not _PHONE.fullmatch(phone):
        faults.append(Fault("Invalid phone number format", pointer=f"{pointer}/phone_number"))
    return faults
