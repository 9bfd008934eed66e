"""The suite for destinations fails where it must: each planted bug is caught by the test named."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import pytest

from segmentd.domain.errors import AuthError, RejectedError, SegmentdError, TransientError
from segmentd.sdk.contract import Action, Change, DestinationInfo, Outcome, Receipt, Runtime
from segmentd.sdk.http import HttpClient, HttpResponse, classify_status
from segmentd.sdk.settings import ConnectorSettings
from segmentd.sdk.testing.conformance import DestinationBench, DestinationConformance
from segmentd.sdk.testing.memory import MemoryDestination, MemoryLists, MemoryShop
from segmentd.sdk.testing.sandbox import Sandbox, ShopSandbox

Group = Mapping[str, Sequence[Change]]


class ReceiptsBeforeTheWrite(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        for changes in group.values():
            for change in changes:
                yield Receipt(change, Outcome.APPLIED)
        list(super()._send(path, group))


class FailedBatchIsDone(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        try:
            yield from super()._send(path, group)
        except RejectedError:
            for changes in group.values():
                yield from (Receipt(change, Outcome.APPLIED) for change in changes)


class ErrorIsTheEnd(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        with contextlib.suppress(TransientError):
            yield from super()._send(path, group)


class OneRefusalRefusesAll(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        receipts = list(super()._send(path, group))
        if any(receipt.outcome is Outcome.REJECTED for receipt in receipts):
            receipts = [replace(entry, outcome=Outcome.REJECTED) for entry in receipts]
        yield from receipts


class RefusalIsDone(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        for receipt in super()._send(path, group):
            yield replace(receipt, outcome=Outcome.APPLIED)


class ForgetsTheLastBatch(MemoryDestination):
    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:
        wanted = list(changes)
        return super().apply(wanted[: len(wanted) // 4 * 4], names)


class TwoReceipts(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        for receipt in super()._send(path, group):
            yield from (receipt, receipt)


class OneWriteEach(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        for who, changes in group.items():
            yield from super()._send(path, {who: changes})


class WritesTwice(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        list(super()._send(path, group))
        yield from super()._send(path, group)


class OwnSpelling(MemoryDestination):
    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:
        for change in changes:
            for receipt in super().apply([replace(change, name=change.name.lower())], names):
                yield replace(receipt, change=change)


class NeverRemoves(MemoryDestination):
    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:
        for change in changes:
            if change.action is Action.ADD:
                yield from super().apply([change], names)
            else:
                yield Receipt(change, Outcome.APPLIED)


class RemovesForeignTags(MemoryDestination):
    """Makes the tags exactly those that it was asked for."""

    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:
        wanted = list(changes)
        for change in wanted:
            customer = self._client.request("GET", f"/customers/{change.customer_id}").json()
            foreign = [replace(change, action=Action.REMOVE, name=tag) for tag in customer["tags"]]
            list(super().apply(foreign, names))
        yield from super().apply(wanted, names)


class WritesBackWhatItRead(MemoryDestination):
    """Reads the tags, then removes all that it did not see and adds all that it did."""

    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:
        for change in changes:
            path = f"/customers/{change.customer_id}"
            seen = set(self._client.request("GET", path).json()["tags"])
            self._client.request("POST", "/nothing", classify=lambda response: None)
            now = set(self._client.request("GET", path).json()["tags"])
            unseen = [replace(change, action=Action.REMOVE, name=tag) for tag in now - seen]
            list(super().apply(unseen, names))
            yield from super().apply([change], names)


class Subscribes(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        members = [{"email": who, "add": True, "subscribe": True} for who in group]
        self._client.request("POST", path, json={"members": members}, write=True)
        yield from super()._send(path, group)


class GoneIsDone(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        for receipt in super()._send(path, group):
            gone = receipt.outcome is Outcome.GONE
            yield replace(receipt, outcome=Outcome.APPLIED) if gone else receipt


class RetriesRefusals(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        for _ in range(20):
            with contextlib.suppress(AuthError):
                yield from super()._send(path, group)
                return
        raise AuthError("refused")


class MakesListsAnew(MemoryDestination):
    def prepare(self, name: str, known: str | None) -> str:
        return self._create(name, {})


class MissesALostList(MemoryDestination):
    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:
        for name, known in names.items():
            self.prepare(name, known)
        yield from super().apply(changes, names)


class TakesAnyName(MemoryDestination):
    def check_name(self, name: str) -> None:
        pass


class WritesToProveItsRights(MemoryDestination):
    def info(self) -> DestinationInfo:
        self._client.request("POST", "/tags", json={"customers": []}, write=True)
        return super().info()


class SendsForNothing(MemoryDestination):
    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:
        self.info()
        return super().apply(changes, names)


class HidesItsWrites(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        receipts = list(super()._send(path, group))
        assert isinstance(self._client, HttpClient)
        self._client._runtime.meter.writes = 0
        yield from receipts


class WithClient(MemoryDestination):
    """A destination whose HTTP client is changed."""

    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None:
        super().__init__(settings, runtime)
        assert isinstance(self._client, HttpClient)
        self.change(self._client)

    def change(self, client: HttpClient) -> None:
        raise NotImplementedError


class FollowsRedirects(WithClient):
    def change(self, client: HttpClient) -> None:
        client._client.follow_redirects = True


class SecretInAddress(WithClient):
    def change(self, client: HttpClient) -> None:
        token = client._headers["authorization"].partition(" ")[2]
        client._auth = lambda outgoing: outgoing.params.update(token=token)


class IgnoresRetryAfter(WithClient):
    def change(self, client: HttpClient) -> None:
        def classify(response: HttpResponse) -> None:
            if response.status == 429:
                raise TransientError("slow down")
            classify_status(response)

        client._classify = classify


class NeverRetries(WithClient):
    def change(self, client: HttpClient) -> None:
        client._retry = replace(client._retry, attempts=1)


class SecretInReceipts(MemoryDestination):
    def _send(self, path: str, group: Group) -> Iterator[Receipt]:
        try:
            yield from super()._send(path, group)
        except RejectedError as error:
            assert isinstance(self._client, HttpClient)
            detail = f"{error} {self._client._headers}"
            for changes in group.values():
                yield from (Receipt(change, Outcome.REJECTED, detail) for change in changes)


CAUGHT_WITH_TAGS: Sequence[tuple[type[MemoryDestination], str, tuple[object, ...]]] = [
    (ReceiptsBeforeTheWrite, "i5_a_lasting_fault_leaves_the_rest_unconfirmed", ("status-500",)),
    (FailedBatchIsDone, "i17_a_refused_request_applies_nothing", (422,)),
    (ErrorIsTheEnd, "i5_a_lasting_fault_leaves_the_rest_unconfirmed", ("reset",)),
    (OneRefusalRefusesAll, "i17_one_refused_change_of_many", ()),
    (RefusalIsDone, "i17_one_refused_change_of_many", ()),
    (ForgetsTheLastBatch, "i3_more_than_a_batch_in_as_few_writes_as_can_be", ()),
    (ForgetsTheLastBatch, "i3_adds_and_removes", ()),
    (TwoReceipts, "i3_adds_and_removes", ()),
    (OneWriteEach, "i3_more_than_a_batch_in_as_few_writes_as_can_be", ()),
    (WritesTwice, "i3_more_than_a_batch_in_as_few_writes_as_can_be", ()),
    (OwnSpelling, "i3_adds_and_removes", ()),
    (NeverRemoves, "i3_adds_and_removes", ()),
    (RemovesForeignTags, "i4_foreign_tags_stay_to_the_letter", ()),
    (WritesBackWhatItRead, "i4_a_tag_given_by_hand_meanwhile_stays", ()),
    (GoneIsDone, "f37_a_customer_gone_meanwhile", (Action.ADD,)),
    (GoneIsDone, "f37_a_customer_gone_meanwhile", (Action.REMOVE,)),
    (RetriesRefusals, "f35_a_lasting_401_is_an_auth_error", ()),
    (RetriesRefusals, "f35_wrong_secrets_stop_at_once", ()),
    (WritesToProveItsRights, "info_proves_the_rights_without_writing", ()),
    (TakesAnyName, "f36_refuses_names_that_cannot_exist", ()),
    (SendsForNothing, "i9_nothing_asked_nothing_sent", ()),
    (HidesItsWrites, "counts_requests_and_writes", ()),
    (FollowsRedirects, "f22_follows_no_redirect", (308,)),
    (SecretInAddress, "i14_no_secret_in_addresses", ()),
    (SecretInReceipts, "i14_no_secret_in_errors_receipts_or_logs", (400,)),
    (IgnoresRetryAfter, "f25_waits_as_long_as_the_server_says", ()),
    (NeverRetries, "f18_to_f27_one_fault_costs_nothing", ("answer-dropped", "first")),
]
CAUGHT_WITH_LISTS: Sequence[tuple[type[MemoryDestination], str, tuple[object, ...]]] = [
    (Subscribes, "i11_no_consent_changes", ()),
    (MakesListsAnew, "prepare_stops_where_a_known_list_is_gone", ()),
    (MakesListsAnew, "prepare_keeps_what_is_known", ()),
    (MissesALostList, "i3_nobody_is_on_a_list_that_is_gone", ()),
    (OneRefusalRefusesAll, "i17_one_refused_change_of_many", ()),
    (OneWriteEach, "i3_more_than_a_batch_in_as_few_writes_as_can_be", ()),
]


def suite_for(
    sandbox: type[Sandbox], destination: type[MemoryDestination]
) -> DestinationConformance:
    class Suite(DestinationConformance):
        sandbox_class = sandbox
        destination_class = destination
        extra_settings: ClassVar = {"batch_size": 4}

        def spoil(self, bench: DestinationBench[Sandbox], customer_id: str) -> bool:
            assert isinstance(bench.sandbox, ShopSandbox)
            bench.sandbox.set_tags(customer_id, [f"tag {number}" for number in range(250)])
            return True

    return Suite()


def assert_caught(
    sandbox: type[Sandbox],
    mutant: type[MemoryDestination],
    name: str,
    arguments: tuple[object, ...],
) -> None:
    sound, mutated = suite_for(sandbox, MemoryDestination), suite_for(sandbox, mutant)
    with sound.open() as bench:
        getattr(sound, f"test_{name}")(bench, *arguments)
    failures = (AssertionError, SegmentdError, pytest.fail.Exception)
    with mutated.open() as bench, pytest.raises(failures):
        getattr(mutated, f"test_{name}")(bench, *arguments)


@pytest.mark.parametrize(("mutant", "name", "arguments"), CAUGHT_WITH_TAGS)
def test_a_planted_bug_is_caught_with_tags(
    mutant: type[MemoryDestination], name: str, arguments: tuple[object, ...]
) -> None:
    assert_caught(MemoryShop, mutant, name, arguments)


@pytest.mark.parametrize(("mutant", "name", "arguments"), CAUGHT_WITH_LISTS)
def test_a_planted_bug_is_caught_with_lists(
    mutant: type[MemoryDestination], name: str, arguments: tuple[object, ...]
) -> None:
    assert_caught(MemoryLists, mutant, name, arguments)
