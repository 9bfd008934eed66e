"""A destination gets over faults, or says so, and keeps its secrets."""
# ruff: noqa: S101 - a suite of tests

from __future__ import annotations

import contextlib

import pytest

from segmentd.domain.errors import AuthError, SafetyStop, SegmentdError, TransientError
from segmentd.sdk.contract import Action, Outcome
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.bench import (
    FAULTS,
    PLACES,
    Recorder,
    at,
    details,
    frozen_clock,
    serving,
    text_of,
)
from segmentd.sdk.testing.destination_case import DestinationCase
from segmentd.sdk.testing.memberships_there import (
    Bench,
    adds,
    apply,
    apply_until_error,
    assert_all,
    assert_only_what_is_held_was_confirmed,
    change_of,
    held,
    key_of,
    key_of_change,
    keys,
    lists_of,
    more_than_a_batch,
    put_people,
    removes,
    shop_of,
)
from segmentd.sdk.testing.sandbox import (
    Request,
    Response,
    ShopSandbox,
)


class DestinationFaults(DestinationCase):
    """Bad changes, the network, the names and the credentials; see DestinationConformance."""

    # -- I16 and I17: one bad change costs one change

    def test_i17_one_refused_change_of_many(self, bench: Bench) -> None:
        people = put_people(bench, 9)
        if isinstance(bench.sandbox, ShopSandbox):
            if not self.spoil(bench, key_of(people[4])):
                pytest.skip("the shop refuses no tag")
        else:
            people[4] = (None, self.bad_email)
        receipts = apply(bench, adds("VIP", people))
        outcomes = {key_of_change(receipt.change): receipt for receipt in receipts}
        assert len(outcomes) == len(receipts) == 9
        assert outcomes[key_of(people[4])].outcome is Outcome.REJECTED
        assert outcomes[key_of(people[4])].detail, "a refusal has a reason"
        rest = keys(people) - {key_of(people[4])}
        assert {key for key in outcomes if outcomes[key].outcome is Outcome.APPLIED} == rest
        assert held(bench, "VIP") == rest

    @pytest.mark.parametrize("action", [Action.ADD, Action.REMOVE])
    def test_f37_a_customer_gone_meanwhile(self, bench: Bench, action: Action) -> None:
        shop = shop_of(bench)
        people = put_people(bench, 5)
        apply(bench, adds("Old", people))
        shop.delete_customer(key_of(people[2]))
        name = "VIP" if action is Action.ADD else "Old"
        receipts = apply(bench, [change_of(action, name, person) for person in people])
        outcomes = {key_of_change(receipt.change): receipt.outcome for receipt in receipts}
        assert outcomes.pop(key_of(people[2])) is Outcome.GONE
        assert set(outcomes.values()) == {Outcome.APPLIED}
        assert len(outcomes) == 4
        wanted = set(outcomes) if action is Action.ADD else set()
        assert held(bench, name) == wanted

    @pytest.mark.parametrize("code", [400, 404, 422])
    def test_i17_a_refused_request_applies_nothing(self, bench: Bench, code: int) -> None:
        people = put_people(bench, 3)
        bench.prepare("VIP")
        bench.sandbox.faults[:] = [faults.status(code, body=b'{"message":"no"}')] * 100
        receipts, _ = apply_until_error(bench, adds("VIP", people))
        assert_only_what_is_held_was_confirmed(bench, receipts)

    # -- F17 to F27: faults are got over, or said

    @pytest.mark.parametrize("place", PLACES)
    @pytest.mark.parametrize("fault", FAULTS)
    def test_f18_to_f27_one_fault_costs_nothing(self, bench: Bench, fault: str, place: str) -> None:
        people = put_people(bench, 5)
        bench.prepare("VIP")
        with bench.counted() as requests:
            apply(bench, adds("VIP", people))
        apply(bench, removes("VIP", people))
        bench.sandbox.faults[:] = at(place, requests[0], FAULTS[fault])
        receipts = apply(bench, adds("VIP", people))
        assert_all(receipts, adds("VIP", people), Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people)
        assert bench.sandbox.faults == [], "the fault was not met"

    @pytest.mark.parametrize("fault", ["status-500", "page-instead-of-json", "reset"])
    def test_i5_a_lasting_fault_leaves_the_rest_unconfirmed(self, bench: Bench, fault: str) -> None:
        people = put_people(bench, more_than_a_batch(bench))
        bench.prepare("VIP")
        writes: list[Request] = []

        def fail_after_the_first_write(request: Request, handle: faults.Handler) -> Response:
            writes.extend([request] * bench.sandbox.is_write(request))
            broken = len(writes) > self.writes_per_batch and bench.sandbox.is_write(request)
            return FAULTS[fault](request, handle) if broken else handle(request)

        bench.sandbox.faults[:] = [fail_after_the_first_write] * 2_000
        receipts, error = apply_until_error(bench, adds("VIP", people))
        assert isinstance(error, TransientError)
        assert len(receipts) < len(people)
        assert_only_what_is_held_was_confirmed(bench, receipts)
        assert len(writes) <= 12, "a storm of retries"
        bench.sandbox.faults.clear()
        assert_all(apply(bench, adds("VIP", people)), adds("VIP", people), Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people)

    def test_f25_waits_as_long_as_the_server_says(self, bench: Bench) -> None:
        people = put_people(bench, 1)
        bench.prepare("VIP")
        bench.sandbox.faults[:] = [faults.status(429, {"retry-after": "17"})]
        apply(bench, adds("VIP", people))
        assert max(bench.sleeps) >= 17

    # -- names at the platform

    def test_prepare_keeps_what_is_known(self, bench: Bench) -> None:
        bench.prepare("VIP", "Lapsed")
        first = dict(bench.names)
        before = bench.sandbox.writes()
        bench.prepare("VIP", "Lapsed")
        assert bench.names == first
        assert bench.sandbox.writes() == before

    def test_prepare_makes_a_list_once_though_the_answer_is_lost(self, bench: Bench) -> None:
        lists = lists_of(bench)
        with bench.destination() as destination:
            lists.faults[:] = [faults.when(lists.is_write, faults.drop_answer())] * 2
            with contextlib.suppress(TransientError):
                destination.prepare("VIP", None)
        lists.faults.clear()
        people = put_people(bench, 2)
        apply(bench, adds("VIP", people))
        assert held(bench, "VIP") == keys(people)

    def test_prepare_stops_where_a_known_list_is_gone(self, bench: Bench) -> None:
        lists = lists_of(bench)
        bench.prepare("VIP", "Lapsed")
        delete_list = getattr(lists, "delete_list", None)
        if delete_list is None:
            pytest.skip("the sandbox cannot remove a list")
        delete_list("VIP")
        before = lists.writes()
        with pytest.raises(SafetyStop):
            bench.prepare("VIP")
        bench.prepare("Lapsed")
        assert lists.writes() == before

    def test_i3_nobody_is_on_a_list_that_is_gone(self, bench: Bench) -> None:
        lists = lists_of(bench)
        people = put_people(bench, 3)
        apply(bench, adds("VIP", people))
        delete_list = getattr(lists, "delete_list", None)
        if delete_list is None:
            pytest.skip("the sandbox cannot remove a list")
        delete_list("VIP")
        receipts = apply(bench, removes("VIP", people))
        assert_all(receipts, removes("VIP", people), Outcome.APPLIED)

    # -- rights and secrets

    def test_f35_wrong_secrets_stop_at_once(self, bench: Bench) -> None:
        people = put_people(bench, 2)
        bench.prepare("VIP")
        with bench.wrong_secrets() as wrong, bench.counted() as requests:
            with bench.destination() as destination, pytest.raises(AuthError) as raised:
                destination.info()
            receipts, error = apply_until_error(bench, adds("VIP", people))
        assert isinstance(error, AuthError)
        assert receipts == []
        assert requests[0] <= 12, "a storm of retries"
        assert bench.leaked([text_of(raised.value)]) == []
        assert not [secret for secret in wrong if secret in text_of(raised.value)]

    def test_f35_a_lasting_401_is_an_auth_error(self, bench: Bench) -> None:
        people = put_people(bench, 2)
        bench.prepare("VIP")
        bench.sandbox.faults[:] = [faults.status(401, body=b'{"message":"no"}')] * 200
        with bench.counted() as requests:
            receipts, error = apply_until_error(bench, adds("VIP", people))
        assert isinstance(error, AuthError)
        assert receipts == []
        assert requests[0] <= 6, "a storm of retries"

    @pytest.mark.parametrize("code", [302, 308])
    def test_f22_follows_no_redirect(self, bench: Bench, code: int) -> None:
        people = put_people(bench, 1)
        bench.prepare("VIP")
        other = Recorder(frozen_clock())
        with serving(other) as elsewhere:
            bench.sandbox.faults[:] = [faults.redirect(f"{elsewhere}/steal", code)] * 200
            receipts, error = apply_until_error(bench, adds("VIP", people))
        assert isinstance(error, SegmentdError)
        assert receipts == []
        assert other.log == []

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 500])
    def test_i14_no_secret_in_errors_receipts_or_logs(self, bench: Bench, code: int) -> None:
        people = put_people(bench, 1)
        bench.prepare("VIP")
        bench.sandbox.faults[:] = [faults.echo_everything(code)] * 200
        receipts, error = apply_until_error(bench, adds("VIP", people))
        texts = details(receipts) + ([text_of(error)] if error else [])
        assert texts, "the failure was swallowed"
        assert bench.leaked(texts) == []

    def test_i14_no_secret_in_addresses(self, bench: Bench) -> None:
        apply(bench, adds("VIP", put_people(bench, 2)))
        log = [entry.request for entry in bench.sandbox.log]
        addresses = [f"{request.path}?{request.query_string}" for request in log]
        assert bench.leaked(addresses, self.public_credentials) == []
