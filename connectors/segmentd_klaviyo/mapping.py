"""Klaviyo's words and ours: bodies of requests, filters, and what answers mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from segmentd.sdk import email_key

MAX_IDS = 1000
"""Profile ids in one call of a list's relationship (x-klaviyo operation add_profiles_to_list)."""
_MAX_VALUES = 100
_MAX_FILTER = 6000
"""Longest encoded value of a filter that we send; neither limit is published."""
_UNQUOTABLE = re.compile(r"[\"\\\x00-\x1f\x7f]")
_ROW = re.compile(r"/data/(?:attributes/profiles/data/)?(\d+)(?:/.*)?")

Resource = Mapping[str, Any]


def quotable(text: str) -> bool:
    """Whether ``text`` can stand in a filter: how Klaviyo escapes quotes is not documented."""
    return _UNQUOTABLE.search(text) is None


def address(email: str | None) -> str | None:
    """The e-mail as we send and compare it; None if it is none that can be sent."""
    key = email_key(email)
    return key if key and quotable(key) else None


def any_of(field: str, values: Sequence[str]) -> str:
    """``any(email,["a","b"])``, https://developers.klaviyo.com/en/docs/filtering_."""
    quoted = ",".join(f'"{value}"' for value in values)
    return f"any({field},[{quoted}])"


def portions(values: Sequence[str]) -> Iterator[list[str]]:
    """``values`` in portions that fit into one filter."""
    portion: list[str] = []
    length = 0
    for value in values:
        size = len(quote(f'"{value}",', safe=""))
        if portion and (len(portion) >= _MAX_VALUES or length + size > _MAX_FILTER):
            yield portion
            portion, length = [], 0
        portion.append(value)
        length += size
    if portion:
        yield portion


def profile_body(email: str) -> Resource:
    """Create or find a profile by its address, and touch nothing else of it."""
    return {"data": {"type": "profile", "attributes": {"email": email}}}


def import_body(list_id: str, emails: Sequence[str]) -> Resource:
    """Import addresses and put them on a list; the list stands beside the attributes."""
    rows = [profile_body(email)["data"] for email in emails]
    return {
        "data": {
            "type": "profile-bulk-import-job",
            "attributes": {"profiles": {"data": rows}},
            "relationships": {"lists": {"data": [{"type": "list", "id": list_id}]}},
        }
    }


def members_body(profile_ids: Sequence[str]) -> Resource:
    """Profiles by id."""
    return {"data": [{"type": "profile", "id": one_id} for one_id in profile_ids]}


def list_body(name: str) -> Resource:
    """A new list; how people opt in is left to the account's default."""
    return {"data": {"type": "list", "attributes": {"name": name}}}


def next_query(payload: Mapping[str, Any]) -> str | None:
    """The query of the next page's link; None on the last page, where it is null or absent.

    Of the link only the query is taken: it names the real host, whatever address was asked.
    """
    following = (payload.get("links") or {}).get("next")
    return urlsplit(following).query if isinstance(following, str) else None


def query_of(text: str) -> dict[str, str]:
    """A query as parameters."""
    return dict(parse_qsl(text, keep_blank_values=True))


@dataclass(frozen=True)
class Problem:
    """One entry of ``errors`` in an answer, or one import error of a job."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    email: str | None = None
    """Of the row, where Klaviyo gives it back."""

    @property
    def row(self) -> int | None:
        """Index of the row that it is about, if it says so."""
        match = _ROW.fullmatch(self.pointer or "")
        return int(match[1]) if match else None

    @property
    def reason(self) -> str:
        """For the person who reads the list of rejections."""
        if self.code == "duplicate_profile":
            return f"identity conflict: {self.detail}"
        return f"{self.detail} ({self.code})"


def problems(payload: object) -> list[Problem]:
    """The errors of an answer; empty if it is no answer of Klaviyo's API."""
    errors = payload.get("errors") if isinstance(payload, dict) else None
    found = errors if isinstance(errors, list) else []
    return [_problem(error) for error in found if isinstance(error, dict)]


def import_problem(resource: Resource) -> Problem:
    """An import error of a job."""
    return _problem(resource["attributes"])


def _problem(error: Mapping[str, Any]) -> Problem:
    source = error.get("source") or {}
    payload = error.get("original_payload") or {}
    return Problem(
        code=str(error.get("code", "unknown")),
        detail=str(error.get("detail") or error.get("title") or "refused"),
        pointer=source.get("pointer"),
        parameter=source.get("parameter"),
        email=address(_email_in(payload)),
    )


def _email_in(payload: Mapping[str, Any]) -> str | None:
    # whether the payload is the row or only its attributes is not documented
    inner = payload.get("attributes")
    found = (inner if isinstance(inner, dict) else payload).get("email")
    return found if isinstance(found, str) else None


def failures(found: Sequence[Problem], emails: Sequence[str]) -> dict[str, Problem]:
    """Address → what failed, for each of ``found`` that tells which of the rows it is about."""
    rows = set(emails)
    failed: dict[str, Problem] = {}
    for problem in found:
        if problem.email in rows:
            failed[problem.email] = problem
        elif problem.row is not None and problem.row < len(emails):
            failed[emails[problem.row]] = problem
    return failed


def email_of(resource: Resource) -> str | None:
    """The primary address of a profile."""
    return address(resource["attributes"].get("email"))
