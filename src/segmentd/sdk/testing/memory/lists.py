"""An e-mail platform in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from segmentd.domain.identity import email_key
from segmentd.sdk.testing.memory.protocol import (
    LARGEST_BATCH,
    TOKEN,
    TOKEN_VARIABLE,
    refuse,
    unauthorized,
)
from segmentd.sdk.testing.sandbox import ListSandbox, Request, Response, SandboxClock


class MemoryLists(ListSandbox):
    """Profiles with a consent each, and lists of them."""

    def __init__(self, clock: SandboxClock | None = None) -> None:
        super().__init__(clock)
        self.profiles: dict[str, str] = {}
        """E-mail → consent."""
        self.lists: dict[str, str] = {}
        """Id → name."""
        self._members: dict[str, set[str]] = {}

    def put_profile(self, email: str, consent: str) -> None:
        """Create or change a profile by hand."""
        self.profiles[email] = consent

    def delete_list(self, name: str) -> None:
        """A person removes a list by hand."""
        for key in [key for key, known in self.lists.items() if known == name]:
            del self.lists[key], self._members[key]

    def members(self) -> dict[str, set[str]]:
        return {name: set(self._members[key]) for key, name in self.lists.items()}

    def consents(self) -> dict[str, str]:
        return dict(self.profiles)

    def credentials(self) -> Mapping[str, str]:
        return {"token": TOKEN}

    def settings(self, url: str) -> Mapping[str, object]:
        return {
            "connector": "memory",
            "base_url": url,
            "token_env": TOKEN_VARIABLE,
            "kind": "lists",
        }

    def is_write(self, request: Request) -> bool:
        return request.method == "POST"

    def handle(self, request: Request) -> Response:
        refusal = unauthorized(request)
        if refusal:
            return refusal
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["shop"]:
                return Response.json({"name": "memory lists"})
            case "GET", ["lists"]:
                return Response.json({"lists": self.lists})
            case "POST", ["lists"]:
                return self._create(orjson.loads(request.body)["name"])
            case "POST", ["lists", key]:
                return self._change(key, orjson.loads(request.body)["members"])
        return refuse(404, "no_route", "no such address")

    def _create(self, name: str) -> Response:
        key = f"L{len(self.lists) + 1}"
        self.lists[key] = name
        self._members[key] = set()
        return Response.json({"id": key}, 201)

    def _change(self, key: str, wishes: Sequence[Mapping[str, Any]]) -> Response:
        if len(wishes) > LARGEST_BATCH:
            return refuse(400, "too_many", f"more than {LARGEST_BATCH} members")
        if key not in self.lists and any(wish["add"] for wish in wishes):
            return refuse(404, "no_list", "there is no such list")
        return Response.json({"results": [self._change_one(key, wish) for wish in wishes]})

    def _change_one(self, key: str, wish: Mapping[str, Any]) -> Mapping[str, object]:
        email = email_key(wish["email"])
        if email is None:
            return {"id": wish["email"], "status": "refused", "detail": "no e-mail address"}
        if wish["add"]:
            self.profiles.setdefault(email, "NEVER_SUBSCRIBED")
            self._members[key].add(email)
            if wish.get("subscribe"):
                self.profiles[email] = "SUBSCRIBED"
        else:
            # nobody is on a list that was removed
            self._members.get(key, set()).discard(email)
        return {"id": wish["email"], "status": "done"}
