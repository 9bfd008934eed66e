"""Putting people on lists and taking them off, by import jobs and relationships.

Nothing here knows how to subscribe, unsubscribe, suppress or unsuppress anybody: membership of a
list is not consent, and both ways below leave consent alone (Klaviyo points to other operations
for it).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from segmentd.sdk import Change, Outcome, Receipt, TransientError
from segmentd_klaviyo import client as api
from segmentd_klaviyo.client import PAGE, Klaviyo, Refused
from segmentd_klaviyo.lists import Lists
from segmentd_klaviyo.mapping import (
    MAX_IDS,
    Problem,
    Resource,
    address,
    any_of,
    email_of,
    failures,
    import_body,
    import_problem,
    members_body,
    profile_body,
)
from segmentd_klaviyo.profiles import Profiles
from segmentd_klaviyo.settings import KlaviyoSettings

BATCH = 1000
FEW = 24
"""Below so many rows no import job is worth its polling (developers.klaviyo.com, "Use Klaviyo's
Bulk Profile Import API": not for a few profiles)."""
_MOST_SUSPECTS = 10
Rows = dict[str, list[Change]]
"""Address or profile id → the changes that ask for it."""
Fresh = dict[str, tuple[str, str | None]]
"""Id of a profile that a push has put on a list → by which name of the list, and which address."""


@dataclass(frozen=True)
class Target:
    """One list, in one portion of changes."""

    name: str
    id: str
    renamed: bool
    """Whether the push knows it by another name too, so who is there is there by us."""
    fresh: Fresh
    """Whom this push has put there: asked for by another name or address they have to stay."""

    def keeps(self, one_id: str, asked: Sequence[Change]) -> bool:
        """Whether a profile that is to be taken off was put there otherwise by the same push."""
        by = self.fresh.get(one_id)
        return by is not None and by not in {(c.name, address(c.email)) for c in asked}


@dataclass(frozen=True)
class Sent:
    """Rows that were taken with ``answer``, or one row that was refused because of ``problem``."""

    rows: Sequence[str]
    answer: Any = None
    problem: Problem | None = None


class Members:
    """Members of the lists of one account; every method waits until its work is done."""

    def __init__(self, klaviyo: Klaviyo, lists: Lists, settings: KlaviyoSettings) -> None:
        self._klaviyo = klaviyo
        self._lists = lists
        self._profiles = Profiles(klaviyo)
        self._poll_every = settings.poll_every.total_seconds()
        self._max_wait = settings.max_wait.total_seconds()
        self._adopt = settings.adopt_members

    def settle(self, list_ids: Set[str]) -> None:
        """Wait for imports into these lists that an earlier run, or somebody else, began.

        Jobs end in no stated order: an import that ends after a removal would undo it.
        """
        query = {"filter": any_of("status", ["queued", "processing"]), **PAGE}
        for job in list(self._klaviyo.many(api.JOBS, params=query)):
            lists = {record["id"] for record in self._klaviyo.many(api.JOB_LISTS, job["id"])}
            if lists & list_ids:
                self._wait_for(job["id"])

    def add(self, target: Target, changes: Sequence[Change]) -> Iterator[Receipt]:
        """Put people on a list by their addresses; profiles that are missing are made."""
        rows: Rows = {}
        for change in changes:
            if email := address(change.email):
                rows.setdefault(email, []).append(change)
            else:
                yield Receipt(change, Outcome.REJECTED, "no e-mail address that can be sent")
        put = self._add_one_by_one if len(rows) < FEW else self._import
        emails = list(rows)
        for begin in range(0, len(emails), BATCH):
            part = {email: rows[email] for email in emails[begin : begin + BATCH]}
            ours = self._adopt or target.renamed
            there = set[str]() if ours else self._on_list(target, list(part))
            for receipt in put(target, part):
                yield replace(receipt, was_there=address(receipt.change.email) in there)

    def remove(self, target: Target, changes: Sequence[Change]) -> Iterator[Receipt]:
        """Take people off a list, by profile id.

        Who is not in Klaviyo is not on it either, and nobody is on a list that is gone.
        """
        rows: Rows = {}
        unknown: Rows = {}
        for change in changes:
            if change.remote_id:
                rows.setdefault(change.remote_id, []).append(change)
            else:
                unknown.setdefault(address(change.email) or "", []).append(change)
        found = self._profiles.known([email for email in unknown if email])
        for email, asked in unknown.items():
            if email in found:
                rows.setdefault(found[email], []).extend(asked)
            else:
                yield from (Receipt(change, Outcome.APPLIED) for change in asked)
        kept = {one_id for one_id, asked in rows.items() if target.keeps(one_id, asked)}
        yield from _applied(sorted(kept), rows)
        ids = [one_id for one_id in rows if one_id not in kept]
        for begin in range(0, len(ids), MAX_IDS):
            yield from self._take_off(target, ids[begin : begin + MAX_IDS], rows)

    def _on_list(self, target: Target, emails: Sequence[str]) -> Set[str]:
        """Those of ``emails`` who are on the list before they are put there."""
        try:
            return self._profiles.on_list(target.id, emails).keys()
        except Refused:
            self._lists.check(target.name, target.id)
            raise

    def _add_one_by_one(self, target: Target, rows: Rows) -> Iterator[Receipt]:
        ids: dict[str, list[Change]] = {}
        for email, asked in rows.items():
            try:
                profile = self._klaviyo.one(api.UPSERT, json=profile_body(email))
            except Refused as error:
                if error.of_request:
                    raise
                yield from _rejected(asked, error.problems[0])
            else:
                ids.setdefault(profile["id"], []).extend(asked)
        if not ids:
            return

        def post(part: Sequence[str]) -> object:
            return self._klaviyo.call(api.ADD_MEMBERS, target.id, json=members_body(part))

        for sent in self._send(target, list(ids), post):
            # a refused one vanished in this moment: without a receipt it is asked again
            if sent.problem is None:
                for one_id in sent.rows:
                    target.fresh[one_id] = (target.name, address(ids[one_id][0].email))
                yield from _applied(sent.rows, ids)

    def _import(self, target: Target, rows: Rows) -> Iterator[Receipt]:
        def post(part: Sequence[str]) -> Resource:
            return self._klaviyo.one(api.IMPORT, json=import_body(target.id, part))

        for sent in self._send(target, list(rows), post):
            if sent.problem:
                yield from _rejected(rows[sent.rows[0]], sent.problem)
            else:
                yield from self._finish(target, sent.answer["id"], sent.rows, rows)

    def _finish(
        self, target: Target, job_id: str, emails: Sequence[str], rows: Rows
    ) -> Iterator[Receipt]:
        """Receipts for the rows of a job, once it is done."""
        job = self._wait_for(job_id)
        failed: dict[str, Problem] = {}
        count = job["attributes"].get("failed_count") or 0
        if count:
            errors = self._klaviyo.many(api.JOB_ERRORS, job_id, PAGE)
            failed = failures([import_problem(error) for error in errors], emails)
        query = {"fields[profile]": "email", **PAGE}
        found = {p["id"]: email_of(p) for p in self._klaviyo.many(api.JOB_PROFILES, job_id, query)}
        for one_id, email in found.items():
            # one that goes by another address was put there by one that is not told
            target.fresh[one_id] = (target.name, email if email in rows else None)
        ids: dict[str | None, str | None] = {email: one_id for one_id, email in found.items()}
        if len(failed) >= count:
            # a profile may go by another primary address; but if some failures cannot be told
            # apart, a row that is not seen again may be one of them: then it is asked again
            unseen = [email for email in emails if email not in ids and email not in failed]
            known = self._profiles.known(unseen)
            ids |= {email: known.get(email) for email in unseen}
        for email in emails:
            if email in failed:
                yield from _rejected(rows[email], failed[email])
            elif email in ids:
                for change in rows[email]:
                    yield Receipt(change, Outcome.APPLIED, remote_id=ids[email])

    def _take_off(self, target: Target, ids: Sequence[str], rows: Rows) -> Iterator[Receipt]:
        for sent in self._send(target, ids, self._remover(target)):
            if sent.problem is None:
                yield from _applied(sent.rows, rows)
                continue
            for change in rows[sent.rows[0]]:
                yield self._take_off_again(target, sent.rows[0], change, sent.problem)

    def _take_off_again(
        self, target: Target, old_id: str, change: Change, problem: Problem
    ) -> Receipt:
        """Klaviyo does not know the profile id: it was deleted, or merged into another."""
        email = address(change.email)
        new_id = self._profiles.known([email]).get(email) if email else None
        if new_id is None:
            return Receipt(change, Outcome.GONE, "the profile exists no longer in Klaviyo")
        if target.keeps(new_id, [change]):
            return Receipt(change, Outcome.APPLIED, remote_id=new_id)
        if new_id != old_id:
            sent = next(self._send(target, [new_id], self._remover(target)))
            if sent.problem is None:
                return Receipt(change, Outcome.APPLIED, remote_id=new_id)
        return Receipt(change, Outcome.REJECTED, problem.reason)

    def _remover(self, target: Target) -> Callable[[Sequence[str]], None]:
        def send(ids: Sequence[str]) -> None:
            try:
                self._klaviyo.call(api.REMOVE_MEMBERS, target.id, json=members_body(ids))
            except Refused as error:
                # if the list is what is gone, nobody is on it any more
                if error.status != 404 or self._lists.exists(target.id):
                    raise

        return send

    def _wait_for(self, job_id: str) -> Resource:
        """Look at a job until it is complete; TransientError if it is cancelled, or too slow."""
        pause, waited = 1.0, 0.0
        while waited < self._max_wait:
            pause = min(pause, self._poll_every)
            self._klaviyo.wait(pause)
            waited += pause
            pause *= 2
            job = self._job(job_id)
            status = job["attributes"].get("status")
            if status == "complete":
                return job
            if status == "cancelled":
                raise TransientError(f"import job {job_id} was cancelled in Klaviyo")
        raise TransientError(f"import job {job_id} is not complete after {waited:.0f} s")

    def _job(self, job_id: str) -> Resource:
        try:
            return self._klaviyo.one(api.JOB, job_id)
        except Refused as error:
            raise TransientError(f"import job {job_id} cannot be followed: {error}") from error

    def _send(
        self, target: Target, rows: Sequence[str], send: Callable[[Sequence[str]], object]
    ) -> Iterator[Sent]:
        """Send rows; what is refused is narrowed down to the rows that are the reason.

        One bad row refuses a whole request. Klaviyo often points at it; where it does not, the
        rest is halved until it is found.
        """
        waiting, suspects, taken = [list(rows)], list[Sent](), False
        while waiting:
            part = waiting.pop()
            try:
                answer = send(part)
            except Refused as error:
                bad = self._blamed(target, error, part)
                if not bad and len(part) == 1:
                    suspects.append(Sent(part, problem=error.problems[0]))
                    # where nothing at all is taken, it is hardly the rows
                    if len(suspects) > _MOST_SUSPECTS and not taken:
                        raise
            else:
                taken = True
                yield Sent(part, answer)
                continue
            for index, problem in bad.items():
                yield Sent([part[index]], problem=problem)
            waiting += _again(part, bad)
        yield from suspects

    def _blamed(self, target: Target, error: Refused, part: Sequence[str]) -> dict[int, Problem]:
        """Index → problem of the rows that a refusal is about; empty if it does not say.

        Raises SafetyStop if the list is gone, ``error`` if the request as a whole is wrong.
        """
        bad = {p.row: p for p in error.problems if p.row is not None and p.row < len(part)}
        if bad:
            return bad
        self._lists.check(target.name, target.id)
        if error.of_request:
            raise error
        return {}


def _again(part: Sequence[str], bad: Collection[int]) -> list[list[str]]:
    """What to send again: the rest; halves, if nobody knows which row is bad."""
    rest = [row for index, row in enumerate(part) if index not in bad]
    if bad or len(rest) < 2:
        return [rest] if bad and rest else []
    middle = len(rest) // 2
    return [rest[middle:], rest[:middle]]


def _rejected(asked: Sequence[Change], problem: Problem) -> Iterator[Receipt]:
    for change in asked:
        yield Receipt(change, Outcome.REJECTED, problem.reason)


def _applied(ids: Sequence[str], rows: Rows) -> Iterator[Receipt]:
    for remote_id in ids:
        for change in rows[remote_id]:
            yield Receipt(change, Outcome.APPLIED, remote_id=remote_id)
