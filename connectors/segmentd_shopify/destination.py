"""Writes customer tags to a Shopify shop, adding and removing single tags only."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segmentd.sdk import (
    Action,
    Capabilities,
    Change,
    ConfigError,
    ConnectorSettings,
    Destination,
    DestinationInfo,
    Outcome,
    Receipt,
    RejectedError,
    Runtime,
    clean,
    instant,
    tag_key,
)
from segmentd_shopify.client import ShopifyClient
from segmentd_shopify.mapping import gid
from segmentd_shopify.operations import tag_mutation
from segmentd_shopify.settings import ShopifySettings

LONGEST_TAG = 255
MUTATION_COST = 10
"""Points for each tagsAdd or tagsRemove, however many tags it carries."""
_BATCH = 20
"""Mutations in one request, run one after another: of the 100 that the cost limit allows, as many
as surely end within the 10 seconds after which Shopify's gateway gives up."""
_ROOTS = {Action.ADD: "tagsAdd", Action.REMOVE: "tagsRemove"}


@dataclass
class _Mutation:
    """Changes of one customer that go in one mutation."""

    customer_id: str
    action: Action
    changes: list[Change] = field(default_factory=list)


class ShopifyDestination(Destination):
    """A Shopify shop's customer tags as a destination."""

    Settings = ShopifySettings
    # a Standard shop restores 100 points a second: a full request every 2 s in the long run
    capabilities = Capabilities("tags", _BATCH, "customer_id", _BATCH * MUTATION_COST / 100)

    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None:
        assert isinstance(settings, ShopifySettings)  # noqa: S101 - made by the core from Settings
        self._client = ShopifyClient(settings, runtime)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def info(self) -> DestinationInfo:
        """Prove that the app may write customers."""
        identity = self._client.identify(("write_customers",))
        return DestinationInfo(identity.name, identity.warnings)

    def check_name(self, name: str) -> None:
        """A tag has 1 to 255 characters and no comma (Shopify would make two tags of it)."""
        if not name.strip():
            raise ConfigError("a tag cannot be empty")
        if name != name.strip():
            raise ConfigError(f"the tag {name!r} begins or ends with a blank")
        if "," in name:
            raise ConfigError(f"the tag {name!r} holds a comma: Shopify would make two tags of it")
        if len(name) > LONGEST_TAG:
            raise ConfigError(f"the tag {name[:40]!r}… is longer than {LONGEST_TAG} characters")

    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:  # noqa: ARG002 - a tag has no id
        """Send all changes in requests of 20 mutations, each customer's tags together."""
        reachable = []
        for change in changes:
            if (change.customer_id or "").isdigit():
                reachable.append(change)
            else:
                yield Receipt(change, Outcome.REJECTED, "no customer id of this shop")
        for mutations in _requests(reachable):
            yield from self._send(mutations)

    def _send(self, mutations: Sequence[_Mutation]) -> Iterator[Receipt]:
        try:
            answers = self._write(mutations)
        except RejectedError as error:
            yield from self._refused(mutations, str(error))
            return
        for mutation, answer in zip(mutations, answers, strict=True):
            refusals = answer["userErrors"]
            if refusals and not _is_gone(answer):
                yield from self._refused([mutation], str(refusals[0]["message"]))
            else:
                yield from (_receipt(change, answer) for change in mutation.changes)

    def _write(self, mutations: Sequence[_Mutation]) -> list[dict[str, Any]]:
        variables: dict[str, Any] = {}
        for n, mutation in enumerate(mutations):
            variables[f"id{n}"] = gid("Customer", mutation.customer_id)
            variables[f"tags{n}"] = [change.name for change in mutation.changes]
        operation = tag_mutation([_ROOTS[mutation.action] for mutation in mutations])
        cost = MUTATION_COST * len(mutations)
        data = self._client.execute(operation, variables, write=True, cost=cost)
        return [data[f"m{n}"] for n in range(len(mutations))]

    def _refused(self, mutations: Sequence[_Mutation], reason: str) -> Iterator[Receipt]:
        """Find out which changes are refused: what went together is asked again one by one."""
        changes = [(mutation, change) for mutation in mutations for change in mutation.changes]
        if len(changes) == 1:
            yield Receipt(changes[0][1], Outcome.REJECTED, reason)
            return
        for mutation, change in changes:
            yield from self._send([_Mutation(mutation.customer_id, mutation.action, [change])])


def _requests(changes: Sequence[Change]) -> Iterator[list[_Mutation]]:
    """Mutations for ``changes``: all additions to a customer in one, all removals in another.

    Additions stand first in a request, so that few different texts of requests occur. A second
    change of the same tag on the same customer comes in a later request.
    """
    mutations: dict[tuple[str, Action], _Mutation] = {}
    seen: set[tuple[str, str]] = set()
    later = []
    for change in changes:
        customer_id = str(change.customer_id)
        if (customer_id, tag_key(change.name)) in seen:
            later.append(change)
            continue
        seen.add((customer_id, tag_key(change.name)))
        mutation = mutations.setdefault(
            (customer_id, change.action), _Mutation(customer_id, change.action)
        )
        mutation.changes.append(change)
    waiting = iter(mutations.values())
    while batch := list(itertools.islice(waiting, _BATCH)):
        yield sorted(batch, key=lambda mutation: mutation.action)
    if later:
        yield from _requests(later)


def _is_gone(answer: Mapping[str, Any]) -> bool:
    """A deleted customer, or one merged into another: no node, and a complaint about the id."""
    return answer["node"] is None and any(
        error["field"] == ["id"] for error in answer["userErrors"]
    )


def _receipt(change: Change, answer: Mapping[str, Any]) -> Receipt:
    """What the tags that came back say: Shopify drops some tags without a word."""
    node = answer["node"]
    if node is None:
        return Receipt(change, Outcome.GONE, "the customer does not exist in the shop")
    present = tag_key(change.name) in {tag_key(tag) for tag in node["tags"]}
    updated_at = instant(node["updatedAt"])
    if present != (change.action is Action.ADD):
        done = "keep" if change.action is Action.ADD else "take off"
        detail = f"Shopify did not {done} the tag {clean(change.name)!r}"
        return Receipt(change, Outcome.REJECTED, detail, updated_at=updated_at)
    return Receipt(change, Outcome.APPLIED, updated_at=updated_at)
