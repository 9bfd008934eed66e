"""The tests that every destination passes."""
# ruff: noqa: S101 - a suite of tests

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import pytest

from segmentd.domain.errors import AuthError, ConfigError, SafetyStop, SegmentdError, TransientError
from segmentd.domain.records import Customer
from segmentd.sdk.contract import Action, Capabilities, Change, Destination, Outcome, Receipt
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.bench import (
    FAULTS,
    PLACES,
    DestinationBench,
    Recorder,
    at,
    details,
    frozen_clock,
    running,
    serving,
    text_of,
)
from segmentd.sdk.testing.sandbox import (
    ListSandbox,
    Request,
    Response,
    Sandbox,
    SandboxClock,
    ShopSandbox,
)

Bench = DestinationBench[Sandbox]
FOREIGN = ["Wholesale", "größte Kundin", "B2B: net 30"]
"""Tags that a merchant gave by hand."""


class DestinationConformance:
    """Subclass it in ``tests/conformance`` and name the two classes; no more is needed.

        class TestShopifyDestination(DestinationConformance):
            sandbox_class = ShopifySandbox
            destination_class = ShopifyDestination

    If a list sandbox has a method ``put_profile(email, consent)``, people with a consent of their
    own are part of the tests; with ``delete_list(name)`` the removal of a list by hand is too.
    """

    sandbox_class: ClassVar[type[Sandbox]]
    destination_class: ClassVar[type[Destination]]
    extra_settings: ClassVar[Mapping[str, object]] = {}
    """Settings beside those that the sandbox gives."""
    atomic_tags: ClassVar[bool] = True
    """Tags are added and removed one by one; False where an API only takes the full list."""
    writes_per_batch: ClassVar[int] = 1
    """Requests that change state for one full batch of one name."""
    bad_names: ClassVar[Sequence[str]] = ("", "  ", "x" * 300)
    """Names that cannot exist there; a comma is tried too where names are tags."""
    bad_email: ClassVar[str] = "no-address"
    """An e-mail that the platform refuses."""
    public_credentials: ClassVar[frozenset[str]] = frozenset()
    """Credentials that may be seen in addresses (the key of a pair of key and secret)."""

    def make_sandbox(self, clock: SandboxClock) -> Sandbox:
        """An empty account."""
        return self.sandbox_class(clock)

    def spoil(self, bench: Bench, customer_id: str) -> bool:  # noqa: ARG002 - to be overridden
        """Make the shop refuse further tags for a customer; False if it never refuses any."""
        return False

    @contextlib.contextmanager
    def open(self) -> Iterator[Bench]:
        """A served empty account and what is needed to write to it."""
        sandbox = self.make_sandbox(frozen_clock())
        with serving(sandbox) as url:
            bench = DestinationBench(sandbox, url, self.extra_settings, self.destination_class)
            with running(bench):
                yield bench

    @pytest.fixture
    def bench(self) -> Iterator[Bench]:
        with self.open() as bench:
            yield bench

    # -- what the destination says about itself

    def test_info_proves_the_rights_without_writing(self, bench: Bench) -> None:
        with bench.destination() as destination:
            assert destination.info().name
        assert bench.sandbox.log
        assert bench.sandbox.writes() == 0

    def test_capabilities_are_sane(self, bench: Bench) -> None:
        abilities = capabilities(bench)
        assert (abilities.kind, abilities.needs) in {("tags", "customer_id"), ("lists", "email")}
        assert abilities.batch_size >= 1
        assert abilities.seconds_per_request > 0

    def test_f36_refuses_names_that_cannot_exist(self, bench: Bench) -> None:
        bad = [*self.bad_names, *(["a,b"] if isinstance(bench.sandbox, ShopSandbox) else [])]
        with bench.destination() as destination:
            for name in bad:
                with pytest.raises(ConfigError):
                    destination.check_name(name)
            destination.check_name("VIP")
            destination.check_name("Größte Kund:innen (90 Tage)")

    # -- I3: the remote side becomes as asked

    def test_i3_adds_and_removes(self, bench: Bench) -> None:
        people = put_people(bench, 3)
        receipts = apply(bench, adds("VIP", people))
        assert_all(receipts, adds("VIP", people), Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people)
        receipts = apply(bench, removes("VIP", people[:2]))
        assert_all(receipts, removes("VIP", people[:2]), Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people[2:])

    def test_i3_several_names_at_once(self, bench: Bench) -> None:
        people = put_people(bench, 4)
        apply(bench, adds("Lapsed", people))
        changes = [*adds("VIP", people[:3]), *removes("Lapsed", people[1:]), *adds("New", people)]
        assert_all(apply(bench, changes), changes, Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people[:3])
        assert held(bench, "Lapsed") == keys(people[:1])
        assert held(bench, "New") == keys(people)

    def test_i3_again_is_the_same(self, bench: Bench) -> None:
        people = put_people(bench, 3)
        for _ in range(2):
            assert_all(apply(bench, adds("VIP", people)), adds("VIP", people), Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people)
        for _ in range(2):
            receipts = apply(bench, removes("VIP", people))
            assert_all(receipts, removes("VIP", people), Outcome.APPLIED)
        assert held(bench, "VIP") == set()

    def test_i9_nothing_asked_nothing_sent(self, bench: Bench) -> None:
        bench.prepare("VIP")
        with bench.counted() as requests:
            assert apply(bench, []) == []
        assert requests == [0]

    @pytest.mark.parametrize(
        "name", ["Größte Kund:innen", 'O\'Brien "q" <b>&', "日本 ⭐", "50%_off"]
    )
    def test_i3_names_in_every_script(self, bench: Bench, name: str) -> None:
        people = put_people(bench, 2)
        apply(bench, adds(name, people))
        assert held(bench, name) == keys(people)
        apply(bench, removes(name, people[:1]))
        assert held(bench, name) == keys(people[1:])

    def test_i3_more_than_a_batch_in_as_few_writes_as_can_be(self, bench: Bench) -> None:
        people = put_people(bench, more_than_a_batch(bench))
        size = capabilities(bench).batch_size
        fewest = math.ceil(len(people) / size) * self.writes_per_batch
        for changes in (adds("VIP", people), removes("VIP", people)):
            bench.prepare("VIP")
            before = bench.sandbox.writes()
            assert_all(apply(bench, changes), changes, Outcome.APPLIED)
            assert bench.sandbox.writes() - before == fewest
            wanted = keys(people) if changes[0].action is Action.ADD else set()
            assert held(bench, "VIP") == wanted

    def test_counts_requests_and_writes(self, bench: Bench) -> None:
        people = put_people(bench, 2)
        apply(bench, adds("VIP", people))
        assert bench.runtime.meter.requests == len(bench.sandbox.log)
        assert bench.runtime.meter.writes == bench.sandbox.writes()

    def test_may_be_stopped_between_receipts(self, bench: Bench) -> None:
        people = put_people(bench, more_than_a_batch(bench))
        bench.prepare("VIP")
        with bench.destination() as destination:
            receipts = iter(destination.apply(adds("VIP", people), bench.names))
            assert next(receipts).outcome is Outcome.APPLIED
            close = getattr(receipts, "close", None)
            if close:
                close()
        assert_all(apply(bench, adds("VIP", people)), adds("VIP", people), Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people)

    # -- I4 and I11: what is not ours stays as it is

    def test_i4_foreign_tags_stay_to_the_letter(self, bench: Bench) -> None:
        shop = shop_of(bench)
        people = put_people(bench, 2)
        shop.set_tags(key_of(people[0]), FOREIGN)
        apply(bench, adds("VIP", people))
        assert shop.tags()[key_of(people[0])] == {*FOREIGN, "VIP"}
        apply(bench, removes("VIP", people))
        assert shop.tags()[key_of(people[0])] == set(FOREIGN)

    def test_i4_a_tag_in_another_spelling_is_not_doubled(self, bench: Bench) -> None:
        shop = shop_of(bench)
        people = put_people(bench, 1)
        shop.set_tags(key_of(people[0]), ["vip", *FOREIGN])
        apply(bench, adds("VIP", people))
        tags = shop.tags()[key_of(people[0])]
        assert [tag.casefold() for tag in tags].count("vip") == 1
        assert set(FOREIGN) <= tags

    def test_i4_a_tag_given_by_hand_meanwhile_stays(self, bench: Bench) -> None:
        if not self.atomic_tags:
            pytest.skip("the API only takes full lists")
        shop = shop_of(bench)
        people = put_people(bench, 1)

        meanwhile = [FOREIGN]

        def interfere(request: Request, handle: faults.Handler) -> Response:
            if meanwhile and shop.is_write(request):
                shop.set_tags(key_of(people[0]), meanwhile.pop())
            return handle(request)

        shop.faults[:] = [interfere] * 50
        apply(bench, adds("VIP", people))
        assert set(FOREIGN) <= shop.tags()[key_of(people[0])]

    def test_i11_no_consent_changes(self, bench: Bench) -> None:
        lists = lists_of(bench)
        people = put_people(bench, 3)
        put_profile = getattr(lists, "put_profile", None)
        if put_profile:
            put_profile(key_of(people[0]), "UNSUBSCRIBED")
            put_profile(key_of(people[1]), "SUBSCRIBED")
        before = lists.consents()
        apply(bench, adds("VIP", people))
        apply(bench, removes("VIP", people[:1]))
        after = lists.consents()
        assert {email: after.get(email) for email in before} == before
        new = {after[email] for email in after.keys() - before.keys()}
        assert "SUBSCRIBED" not in new, "somebody was subscribed who had not asked for it"

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
                destination.prepare({"VIP": None})
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
            bench.prepare("VIP", "Lapsed")
        assert lists.writes() == before

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


# -- whom the changes are about

Person = tuple[str | None, str]
"""Customer id in a shop, and e-mail."""


def put_people(bench: Bench, count: int) -> list[Person]:
    """Customers of the shop; for lists, people that the platform need not know yet."""
    emails = [f"shopper{number}@shopper.example" for number in range(1, count + 1)]
    if not isinstance(bench.sandbox, ShopSandbox):
        return [(None, email) for email in emails]
    put = bench.sandbox.put_customer
    return [(put(Customer(str(100 + n), email=email)), email) for n, email in enumerate(emails)]


def shop_of(bench: Bench) -> ShopSandbox:
    if not isinstance(bench.sandbox, ShopSandbox):
        pytest.skip("is no shop")
    return bench.sandbox


def lists_of(bench: Bench) -> ListSandbox:
    if not isinstance(bench.sandbox, ListSandbox):
        pytest.skip("has no lists")
    return bench.sandbox


def key_of(person: Person) -> str:
    return person[0] or person[1]


def key_of_change(change: Change) -> str:
    return change.customer_id or change.email or ""


def keys(people: Iterable[Person]) -> set[str]:
    return {key_of(person) for person in people}


def change_of(action: Action, name: str, person: Person) -> Change:
    return Change(action, name, *person)


def adds(name: str, people: Iterable[Person]) -> list[Change]:
    return [change_of(Action.ADD, name, person) for person in people]


def removes(name: str, people: Iterable[Person]) -> list[Change]:
    return [change_of(Action.REMOVE, name, person) for person in people]


# -- what is done and what is found


def capabilities(bench: Bench) -> Capabilities:
    with bench.destination() as destination:
        return destination.capabilities


def more_than_a_batch(bench: Bench) -> int:
    """Two batches and one more; of huge batches one and one more."""
    size = capabilities(bench).batch_size
    return 2 * size + 1 if size <= 500 else size + 1


def apply(bench: Bench, changes: Sequence[Change]) -> list[Receipt]:
    """Prepare the names and carry the changes out to the end."""
    receipts, error = apply_until_error(bench, changes)
    if error:
        raise error
    return receipts


def apply_until_error(
    bench: Bench, changes: Sequence[Change]
) -> tuple[list[Receipt], Exception | None]:
    """The receipts until the end or until an error."""
    receipts: list[Receipt] = []
    unknown = {change.name for change in changes} - bench.names.keys()
    if unknown:
        bench.prepare(*sorted(unknown))
    with bench.destination() as destination:
        try:
            receipts.extend(destination.apply(iter(changes), bench.names))
        except Exception as error:  # noqa: BLE001 - judged by the test
            return receipts, error
    return receipts, None


def held(bench: Bench, name: str) -> set[str]:
    """Who has the name at the platform: customer ids, or e-mails."""
    if isinstance(bench.sandbox, ShopSandbox):
        return {key for key, tags in bench.sandbox.tags().items() if name in tags}
    assert isinstance(bench.sandbox, ListSandbox)
    return bench.sandbox.members().get(name, set())


def assert_all(receipts: Sequence[Receipt], changes: Sequence[Change], outcome: Outcome) -> None:
    """Each change has exactly one receipt, with this outcome."""
    assert [entry for entry in receipts if entry.outcome is not outcome] == []
    assert Counter(receipt.change for receipt in receipts) == Counter(changes)


def assert_only_what_is_held_was_confirmed(bench: Bench, receipts: Sequence[Receipt]) -> None:
    applied = [entry.change for entry in receipts if entry.outcome is Outcome.APPLIED]
    assert {key_of_change(change) for change in applied} <= held(bench, "VIP")
