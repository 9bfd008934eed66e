"""Whose an address is in Klaviyo, and who is on a list already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from segmentd_klaviyo import client as api
from segmentd_klaviyo.client import PAGE, Klaviyo, Refused
from segmentd_klaviyo.mapping import any_of, email_of, portions

Ids = dict[str, str]
"""Address → profile id."""


class Profiles:
    """The people of one account."""

    def __init__(self, klaviyo: Klaviyo) -> None:
        self._klaviyo = klaviyo

    def known(self, emails: Sequence[str]) -> Ids:
        """Those of ``emails`` that Klaviyo knows."""
        ask = partial(self._ask, api.PROFILES, "", "email")
        found: Ids = {}
        for portion in portions(emails):
            found |= _told_apart(portion, ask)
        return found

    def on_list(self, list_id: str, emails: Sequence[str]) -> Ids:
        """Those of ``emails`` who are on a list; Refused if it is gone."""
        # no answer may lack joined_group_at, says the document
        ask = partial(self._ask, api.MEMBERS, list_id, "email,joined_group_at")
        found: Ids = {}
        for portion in portions(emails):
            try:
                found |= _told_apart(portion, ask)
            except Refused as error:
                if error.status == 404:
                    raise
                for email in portion:
                    # an address that cannot even be asked for is on no list
                    with suppress(Refused):
                        found |= _told_apart([email], ask)
        return found

    def _ask(
        self, operation: api.Operation, list_id: str, fields: str, emails: Sequence[str]
    ) -> Ids:
        """Primary address → profile id, of the profiles that answer to these addresses."""
        query = {"filter": any_of("email", emails), "fields[profile]": fields, **PAGE}
        profiles = self._klaviyo.many(operation, list_id, query)
        return {email_of(profile) or "": profile["id"] for profile in profiles}


def _told_apart(emails: Sequence[str], ask: Callable[[Sequence[str]], Ids]) -> Ids:
    """Of the addresses that were asked for, whatever the primary ones of the profiles are."""
    profiles = ask(emails)
    found = {email: one_id for email, one_id in profiles.items() if email in emails}
    if profiles.keys() - set(emails):
        # somebody answers to a second address: whose it is shows only one by one
        for email in [email for email in emails if email not in found]:
            for one_id in ask([email]).values():
                found[email] = one_id
    return found
