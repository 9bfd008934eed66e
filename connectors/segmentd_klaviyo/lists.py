"""Finding lists by name, making missing ones, and asking what a list would set off."""

from __future__ import annotations

from segmentd.sdk import SafetyStop, TransientError
from segmentd_klaviyo import client as api
from segmentd_klaviyo.client import Klaviyo, Refused
from segmentd_klaviyo.mapping import any_of, list_body, quotable

_TRIES = 3
_LONGEST_WAIT = 60.0


class Lists:
    """The lists of one account."""

    def __init__(self, klaviyo: Klaviyo) -> None:
        self._klaviyo = klaviyo

    def exists(self, list_id: str) -> bool:
        """Whether there still is a list with this id."""
        try:
            self._klaviyo.one(api.LIST, list_id)
        except Refused as error:
            if error.status != 404:
                raise
            return False
        return True

    def check(self, name: str, list_id: str) -> None:
        """SafetyStop if the list is gone; it is never silently made anew."""
        if not self.exists(list_id):
            raise SafetyStop(
                f'list "{name}" ({list_id}) exists no longer in Klaviyo; it is not made anew, '
                "because flows or campaigns may have used it",
                hint="to begin a new list, give the segment another list name in the configuration",
            )

    def find(self, name: str) -> str | None:
        """The id of the list with this name, if there is one. SafetyStop if there are several."""
        # the filter takes a name only inside of a list (x-klaviyo-filters of get_lists), and none
        # with a quote in it: then all lists are read
        filters = {"filter": any_of("name", [name])} if quotable(name) else {}
        query = {"fields[list]": "name", "page[size]": "10", **filters}
        lists = self._klaviyo.many(api.LISTS, params=query)
        found = [record["id"] for record in lists if record["attributes"].get("name") == name]
        if len(found) > 1:
            raise SafetyStop(
                f'Klaviyo has {len(found)} lists named "{name}": '
                f"{', '.join(sorted(found))}; which one is meant?",
                hint="rename the others in Klaviyo",
            )
        return found[0] if found else None

    def check_flows(self, name: str, list_id: str) -> None:
        """SafetyStop if the first fill of a list would set off flows, that is, mails to people."""
        flows = [flow["id"] for flow in self._klaviyo.many(api.FLOW_TRIGGERS, list_id)]
        if flows:
            raise SafetyStop(
                f'list "{name}" ({list_id}) triggers flows {", ".join(flows)}: filling it for the '
                "first time would mail all its members",
                hint="if that is meant, set fill_flow_lists = true for this destination",
            )

    def create(self, name: str) -> str:
        """Make a list; its id. A failed try is repeated only after looking by name again."""
        for attempt in range(_TRIES):
            try:
                return str(
                    self._klaviyo.one(api.CREATE_LIST, json=list_body(name), retry=False)["id"]
                )
            except TransientError as error:
                # perhaps only the answer was lost
                if made := self.find(name):
                    return made
                wait = error.retry_after
                if wait is None or wait > _LONGEST_WAIT or attempt == _TRIES - 1:
                    raise
                self._klaviyo.wait(wait)
        raise AssertionError
