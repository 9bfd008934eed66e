"""The destination against the sandbox, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from segmentd.sdk import (
    Action,
    AuthError,
    Change,
    ConfigError,
    Outcome,
    Receipt,
    Runtime,
    SafetyStop,
    TransientError,
)
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Fault, Request, Response
from segmentd_klaviyo.destination import KlaviyoDestination
from segmentd_klaviyo.sandbox import KlaviyoSandbox

Make = Callable[..., KlaviyoDestination]
JOBS = "/api/profile-bulk-import-jobs"


def add(email: str | None, name: str = "VIP") -> Change:
    return Change(Action.ADD, name, None, email)


def remove(email: str | None, name: str = "VIP", remote_id: str | None = None) -> Change:
    return Change(Action.REMOVE, name, None, email, remote_id)


def people(count: int, word: str = "person") -> list[str]:
    return [f"{word}.{number:05d}@shopper.example" for number in range(count)]


def outcomes(receipts: list[Receipt]) -> list[Outcome]:
    return [receipt.outcome for receipt in receipts]


def asked(sandbox: KlaviyoSandbox, method: str, path: str) -> int:
    """How many requests with this method came to paths that end so."""
    return sum(
        entry.request.method == method and entry.request.path.endswith(path)
        for entry in sandbox.log
    )


@pytest.fixture
def names(sandbox: KlaviyoSandbox) -> dict[str, str]:
    return {"VIP": sandbox.put_list("VIP"), "Lapsed": sandbox.put_list("Lapsed")}


class TestInfo:
    def test_tells_the_account(self, destination: KlaviyoDestination) -> None:
        assert destination.info().name == "Sandbox Shop"

    def test_writes_nothing(self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination) -> None:
        destination.info()
        assert sandbox.writes() == 0

    def test_a_wrong_key_is_an_auth_error(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SANDBOX_KLAVIYO_API_KEY", "pk_wrong")
        with pytest.raises(AuthError, match=r"does not know the API key \(401\)") as error:
            make().info()
        assert "pk_wrong" not in str(error.value)
        assert "scopes" not in str(error.value)

    def test_a_missing_scope_is_named(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        sandbox.scopes.remove("profiles:read")
        with pytest.raises(AuthError, match="profiles:read"):
            destination.info()

    def test_a_retired_revision_is_a_config_error(self, make: Make) -> None:
        with pytest.raises(ConfigError, match="revision 2021-01-01"):
            make(revision="2021-01-01").info()

    def test_the_newest_revision_works_too(self, make: Make) -> None:
        assert make(revision="2026-10-15").info().name == "Sandbox Shop"


class TestNames:
    @pytest.mark.parametrize("name", ["", " VIP", "VIP ", "a\nb", "x" * 256])
    def test_a_name_that_cannot_be_looked_for_is_refused(
        self, destination: KlaviyoDestination, name: str
    ) -> None:
        with pytest.raises(ConfigError):
            destination.check_name(name)

    def test_ordinary_names_pass(self, destination: KlaviyoDestination) -> None:
        destination.check_name("Café, d'été (100 %)")


class TestPrepare:
    def test_makes_a_missing_list_and_nothing_but_its_name(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        list_id = destination.prepare("VIP", None)
        (record,) = sandbox.account.lists.values()
        assert record.id == list_id
        assert record.name == "VIP"
        (created,) = [entry.request for entry in sandbox.log if entry.write]
        assert created.body == b'{"data":{"type":"list","attributes":{"name":"VIP"}}}'

    def test_finds_a_list_among_more_than_a_page(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        wanted = {f"List {number}": sandbox.put_list(f"List {number}") for number in range(25)}
        assert {name: destination.prepare(name, None) for name in wanted} == wanted
        assert sandbox.writes() == 0

    def test_a_name_that_no_filter_can_hold_is_found_among_all_lists(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        for number in range(15):
            sandbox.put_list(f"List {number}")
        wanted = {name: sandbox.put_list(name) for name in ('12" vinyl', "back\\slash", "VIP")}
        assert {name: destination.prepare(name, None) for name in wanted} == wanted
        assert sandbox.writes() == 0

    def test_a_name_is_compared_exactly(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        sandbox.put_list("vip")
        list_id = destination.prepare("VIP", None)
        assert sandbox.account.lists[list_id].name == "VIP"

    def test_two_lists_of_one_name_stop_it(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        first, second = sandbox.put_list("VIP"), sandbox.put_list("VIP")
        with pytest.raises(SafetyStop, match=f"{first}, {second}"):
            destination.prepare("VIP", None)
        assert sandbox.writes() == 0

    def test_a_known_list_is_used_even_if_renamed(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        known = sandbox.put_list("VIP (renamed by hand)")
        assert destination.prepare("VIP", known) == known
        assert sandbox.writes() == 0

    def test_a_known_list_that_is_gone_is_not_made_anew(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        known = sandbox.put_list("VIP")
        del sandbox.account.lists[known]
        with pytest.raises(SafetyStop, match="exists no longer") as stop:
            destination.prepare("VIP", known)
        assert stop.value.hint
        assert sandbox.writes() == 0

    def test_a_page_of_a_proxy_is_not_taken_for_a_list_that_is_gone(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        known = sandbox.put_list("VIP")
        sandbox.faults += [faults.html(404)]
        assert destination.prepare("VIP", known) == known

    def test_a_list_that_triggers_flows_is_not_filled_for_the_first_time(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        list_id = sandbox.put_list("VIP", flows=2)
        flows = ", ".join(sandbox.account.lists[list_id].flows)
        with pytest.raises(SafetyStop, match=flows) as stop:
            destination.prepare("VIP", None)
        assert stop.value.hint
        assert "fill_flow_lists" in stop.value.hint
        assert sandbox.writes() == 0

    def test_unless_the_settings_say_so(self, sandbox: KlaviyoSandbox, make: Make) -> None:
        list_id = sandbox.put_list("VIP", flows=1)
        assert make(fill_flow_lists=True).prepare("VIP", None) == list_id

    def test_or_it_was_known_before(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        list_id = sandbox.put_list("VIP", flows=1)
        assert destination.prepare("VIP", list_id) == list_id

    def test_a_lost_answer_does_not_make_a_second_list(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        sandbox.faults += [faults.none(), faults.drop_answer()]
        list_id = destination.prepare("VIP", None)
        assert list(sandbox.account.lists) == [list_id]

    def test_a_failed_creation_is_not_repeated_blindly(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        sandbox.faults += [faults.none(), faults.reset()]
        with pytest.raises(TransientError):
            destination.prepare("VIP", None)
        assert asked(sandbox, "POST", "/api/lists") <= 1

    def test_a_throttled_creation_waits_and_looks_first(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        began = sandbox.clock.now()
        sandbox.faults += [faults.none(), faults.status(429, {"retry-after": "7"})]
        destination.prepare("VIP", None)
        assert len(sandbox.account.lists) == 1
        assert (sandbox.clock.now() - began).total_seconds() >= 7

    def test_the_days_quota_of_new_lists_is_not_waited_for(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination
    ) -> None:
        for number in range(150):
            destination.prepare(f"List {number}", None)
        with pytest.raises(TransientError) as error:
            destination.prepare("List 150", None)
        assert error.value.retry_after is not None
        assert error.value.retry_after > 3600
        assert len(sandbox.account.lists) == 150


class TestFewAdds:
    def test_go_one_by_one_and_then_to_the_list(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        emails = people(3)
        receipts = list(destination.apply([add(email) for email in emails], names))
        assert sandbox.members()["VIP"] == set(emails)
        assert outcomes(receipts) == [Outcome.APPLIED] * 3
        for receipt in receipts:
            assert receipt.remote_id is not None
            assert sandbox.account.profiles[receipt.remote_id].email == receipt.change.email
        assert asked(sandbox, "POST", JOBS) == 0
        assert sandbox.writes() == 4

    def test_send_nothing_but_the_address(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        list(destination.apply([add(" Ada@Shopper.Example")], names))
        (profile,) = sandbox.account.profiles.values()
        assert profile.attributes == {"email": "ada@shopper.example", "properties": {}}

    def test_a_person_who_is_there_is_found_and_left_as_they_are(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        known = sandbox.put_profile("ada@shopper.example", first_name="Ada")
        (receipt,) = destination.apply([add("ada@shopper.example")], names)
        assert receipt.remote_id == known
        assert sandbox.account.profiles[known].attributes["first_name"] == "Ada"

    @pytest.mark.parametrize("others", [0, 130])
    def test_who_was_on_the_list_before_is_told_apart(
        self,
        sandbox: KlaviyoSandbox,
        make: Make,
        names: dict[str, str],
        others: int,
    ) -> None:
        sandbox.put_member(names["VIP"], "ada@shopper.example")
        aliased = sandbox.put_member(names["VIP"], "first@shopper.example")
        sandbox.account.aliases[aliased] = {"second@shopper.example"}
        sandbox.put_member(names["Lapsed"], "bob@shopper.example")
        emails = ["bob@shopper.example", "Ada@shopper.example", *people(others)]
        changes = [add(email) for email in [*emails, "second@shopper.example"]]
        receipts = list(make().apply(changes, names))
        there = {receipt.change.email for receipt in receipts if receipt.was_there}
        assert there == {"Ada@shopper.example", "second@shopper.example"}
        again = list(make(adopt_members=True).apply(changes, names))
        assert not any(receipt.was_there for receipt in again)

    def test_an_address_that_cannot_be_asked_for_holds_nothing_up(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        sandbox.put_member(names["VIP"], "ada@shopper.example")

        def refuse(request: Request, handle: faults.Handler) -> Response:
            odd = "odd@" in request.query.get("filter", "")
            return (invalid_filter() if odd else faults.none())(request, handle)

        sandbox.faults += [refuse] * 6
        changes = [add("odd@shopper.example"), add("ada@shopper.example")]
        receipts = list(destination.apply(changes, names))
        assert outcomes(receipts) == [Outcome.APPLIED] * 2
        assert [r.change for r in receipts if r.was_there] == [changes[1]]

    def test_who_cannot_be_sent_is_rejected_and_the_others_go_on(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        sandbox.account.refused.add("bad@shopper.example")
        changes = [add(None), add("bad@shopper.example"), add("ok@shopper.example"), add("x y")]
        receipts = {receipt.change: receipt for receipt in destination.apply(changes, names)}
        assert [receipts[change].outcome for change in changes] == [
            Outcome.REJECTED,
            Outcome.REJECTED,
            Outcome.APPLIED,
            Outcome.REJECTED,
        ]
        assert receipts[changes[1]].detail == "Invalid email address (invalid)"
        assert sandbox.members()["VIP"] == {"ok@shopper.example"}

    def test_two_spellings_of_one_address_get_a_receipt_each(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        changes = [add("ada@shopper.example"), add("ADA@shopper.example")]
        receipts = list(destination.apply(changes, names))
        assert {receipt.change for receipt in receipts} == set(changes)
        assert sandbox.members()["VIP"] == {"ada@shopper.example"}

    def test_an_identity_conflict_is_rejected_as_such(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        sandbox.faults += [faults.none(), faults.none(), conflict()]
        (receipt,) = destination.apply([add("ada@shopper.example")], names)
        assert receipt.outcome is Outcome.REJECTED
        assert receipt.detail is not None
        assert receipt.detail.startswith("identity conflict")

    def test_a_list_deleted_in_between_stops_it(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        del sandbox.account.lists[names["VIP"]]
        with pytest.raises(SafetyStop, match="exists no longer"):
            list(destination.apply([add("ada@shopper.example")], names))


def invalid_filter() -> Fault:
    body = (
        b'{"errors":[{"id":"1","status":400,"code":"invalid","title":"Invalid input.",'
        b'"detail":"Invalid email address","source":{"parameter":"filter"},"links":{},"meta":{}}]}'
    )
    return faults.status(400, {"content-type": "application/vnd.api+json"}, body)


def conflict() -> Fault:
    body = (
        b'{"errors":[{"id":"1","status":409,"code":"duplicate_profile","title":"Conflict.",'
        b'"detail":"A profile already exists with one of these identifiers.",'
        b'"source":{"pointer":"/data/attributes"},"links":{},"meta":{}}]}'
    )
    return faults.status(409, {"content-type": "application/vnd.api+json"}, body)


class TestManyAdds:
    def test_go_by_jobs_of_a_thousand(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        emails = people(1030)
        receipts = list(destination.apply([add(email) for email in emails], names))
        assert sandbox.members()["VIP"] == set(emails)
        assert outcomes(receipts) == [Outcome.APPLIED] * 1030
        assert [len(job.rows) for job in sandbox.account.jobs.values()] == [1000, 30]
        for receipt in receipts:
            assert receipt.remote_id is not None
            assert sandbox.account.profiles[receipt.remote_id].email == receipt.change.email

    def test_receipts_come_job_by_job(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        receipts = destination.apply([add(email) for email in people(1030)], names)
        next(receipts)
        assert len(sandbox.account.jobs) == 1

    @pytest.mark.parametrize("pointers", [True, False])
    def test_bad_rows_are_rejected_and_the_rest_is_sent_again(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
        pointers: bool,
    ) -> None:
        emails = people(60)
        bad = {emails[0], emails[31], emails[59]}
        sandbox.account.refused |= bad
        sandbox.account.pointers = pointers
        receipts = list(destination.apply([add(email) for email in emails], names))
        rejected = {r.change.email for r in receipts if r.outcome is Outcome.REJECTED}
        assert rejected == bad
        assert len(receipts) == 60
        assert sandbox.members()["VIP"] == set(emails) - bad

    def test_with_a_pointer_two_requests_are_enough(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        emails = people(60)
        sandbox.account.refused |= {emails[7], emails[8]}
        list(destination.apply([add(email) for email in emails], names))
        assert asked(sandbox, "POST", JOBS) == 2

    def test_where_every_row_is_refused_it_is_not_the_rows(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        emails = people(500)
        sandbox.account.refused |= set(emails)
        sandbox.account.pointers = False
        receipts: list[Receipt] = []
        with pytest.raises(ConfigError, match="bulk_import_profiles"):
            receipts.extend(destination.apply([add(email) for email in emails], names))
        assert receipts == []
        assert asked(sandbox, "POST", JOBS) < 40

    @pytest.mark.parametrize("pointers", [True, False])
    def test_rows_that_fail_inside_of_a_job_are_rejected(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
        pointers: bool,
    ) -> None:
        emails = [*people(150), "double..dot@shopper..example"]
        sandbox.account.pointers = pointers
        sandbox.account.failing |= dict.fromkeys(emails[:130], "Mailbox is closed")
        receipts = list(destination.apply([add(email) for email in emails], names))
        rejected = {r.change.email: r.detail for r in receipts if r.outcome is Outcome.REJECTED}
        assert rejected.keys() == {*emails[:130], emails[-1]}
        assert rejected[emails[0]] == "Mailbox is closed (invalid)"
        assert sandbox.members()["VIP"] == set(emails[130:150])

    def test_a_job_that_says_less_than_it_should_leaves_rows_to_be_asked_again(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        emails = people(30)
        sandbox.account.failing[emails[3]] = "no"
        page = b'{"data":[],"links":{"self":"https://a.klaviyo.com/api/"}}'
        hide = faults.when(lambda r: r.path.endswith("/import-errors"), faults.body(page))
        sandbox.faults += [hide] * 12
        receipts = list(destination.apply([add(email) for email in emails], names))
        assert {receipt.change.email for receipt in receipts} == set(emails) - {emails[3]}

    def test_who_goes_by_another_primary_address_is_applied_without_an_id(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        emails = people(30)
        changes = [add(email) for email in emails]
        receipts = destination.apply(changes, names)
        sandbox.account.job_seconds = 0.5
        original = sandbox.account.upsert

        def upsert(attributes: dict[str, str], now: object) -> object:
            profile, created = original(attributes, now)  # type: ignore[arg-type]
            if attributes["email"] == emails[0]:
                profile.attributes["email"] = "primary@shopper.example"
            return profile, created

        sandbox.account.upsert = upsert  # type: ignore[assignment,method-assign]
        found = {receipt.change.email: receipt for receipt in receipts}
        assert found[emails[0]].outcome is Outcome.APPLIED
        assert found[emails[0]].remote_id is None
        assert found[emails[1]].remote_id is not None

    def test_who_answers_to_a_second_address_is_applied_with_the_id(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        emails = people(30)
        one_id = sandbox.put_profile("primary@shopper.example")
        sandbox.account.aliases[one_id] = {emails[0]}
        found = {r.change.email: r for r in destination.apply(map(add, emails), names)}
        assert found[emails[0]].remote_id == one_id
        assert len({receipt.remote_id for receipt in found.values()}) == 30

    def test_a_job_is_looked_at_ever_more_rarely(
        self,
        sandbox: KlaviyoSandbox,
        make: Make,
        runtime: Runtime,
        names: dict[str, str],
    ) -> None:
        sandbox.account.job_seconds, sandbox.account.job_polls = 300, 1000
        destination = make(poll_every="20s")
        list(destination.apply([add(email) for email in people(30)], names))
        looks = asked(sandbox, "GET", next(iter(sandbox.account.jobs)))
        assert 15 <= looks <= 20

    def test_a_job_that_takes_too_long_is_left_for_the_next_push(
        self,
        sandbox: KlaviyoSandbox,
        make: Make,
        names: dict[str, str],
    ) -> None:
        sandbox.account.job_seconds, sandbox.account.job_polls = 10_000, 1000
        destination = make(max_wait="60s")
        with pytest.raises(TransientError, match="not complete"):
            list(destination.apply([add(email) for email in people(30)], names))

    def test_a_cancelled_job_confirms_nothing(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        def cancel(request: Request, handle: faults.Handler) -> Response:
            for job in sandbox.account.jobs.values():
                job.cancelled = True
            return handle(request)

        sandbox.faults += [*[faults.none()] * 3, cancel]
        with pytest.raises(TransientError, match="cancelled"):
            list(destination.apply([add(email) for email in people(30)], names))
        assert sandbox.members()["VIP"] == set()

    def test_a_list_deleted_in_between_stops_it(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        del sandbox.account.lists[names["VIP"]]
        with pytest.raises(SafetyStop, match="exists no longer"):
            list(destination.apply([add(email) for email in people(30)], names))
        assert sandbox.account.jobs == {}


class TestRemovals:
    def test_go_by_the_ids_of_earlier_receipts(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        emails = people(1001)
        ids = {email: sandbox.put_member(names["VIP"], email) for email in emails}
        changes = [remove(email, remote_id=ids[email]) for email in emails]
        receipts = list(destination.apply(changes, names))
        assert outcomes(receipts) == [Outcome.APPLIED] * 1001
        assert sandbox.members()["VIP"] == set()
        assert sandbox.writes() == 2
        assert asked(sandbox, "GET", "/api/profiles") == 0

    def test_ids_that_are_not_known_are_looked_up_a_hundred_at_a_time(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        emails = people(150)
        for email in emails:
            sandbox.put_member(names["VIP"], email)
        receipts = list(destination.apply([remove(email.upper()) for email in emails], names))
        assert outcomes(receipts) == [Outcome.APPLIED] * 150
        assert sandbox.members()["VIP"] == set()
        assert asked(sandbox, "GET", "/api/profiles") == 2

    def test_who_is_not_in_klaviyo_is_not_on_the_list_either(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        changes = [remove("nobody@shopper.example"), remove(None)]
        assert outcomes(list(destination.apply(changes, names))) == [Outcome.APPLIED] * 2
        assert sandbox.writes() == 0

    def test_leaves_other_lists_and_hand_added_members_alone(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        for list_id in names.values():
            sandbox.put_member(list_id, "ada@shopper.example")
            sandbox.put_member(list_id, "by.hand@shopper.example")
        list(destination.apply([remove("ada@shopper.example")], names))
        assert sandbox.members() == {
            "VIP": {"by.hand@shopper.example"},
            "Lapsed": {"ada@shopper.example", "by.hand@shopper.example"},
        }

    @pytest.mark.parametrize("pointers", [True, False])
    def test_a_profile_that_is_gone_is_reported_and_the_others_are_removed(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
        pointers: bool,
    ) -> None:
        emails = people(20)
        ids = [sandbox.put_member(names["VIP"], email) for email in emails]
        sandbox.account.forget(sandbox.account.profiles[ids[13]])
        sandbox.account.pointers = pointers
        changes = [remove(email, remote_id=one) for email, one in zip(emails, ids, strict=True)]
        receipts = {r.change: r.outcome for r in destination.apply(changes, names)}
        assert receipts.pop(changes[13]) is Outcome.GONE
        assert set(receipts.values()) == {Outcome.APPLIED}
        assert sandbox.members()["VIP"] == set()

    def test_a_profile_that_was_merged_is_looked_up_anew(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        old = sandbox.put_member(names["VIP"], "ada@shopper.example")
        sandbox.account.forget(sandbox.account.profiles[old])
        new = sandbox.put_member(names["VIP"], "ada@shopper.example")
        (receipt,) = destination.apply([remove("ada@shopper.example", remote_id=old)], names)
        assert (receipt.outcome, receipt.remote_id) == (Outcome.APPLIED, new)
        assert sandbox.members()["VIP"] == set()

    def test_who_answers_to_a_second_address_is_found_one_by_one(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        one_id = sandbox.put_member(names["VIP"], "second@shopper.example")
        sandbox.account.profiles[one_id].attributes["email"] = "first@shopper.example"
        sandbox.put_member(names["VIP"], "ada@shopper.example")
        sandbox.account.aliases[one_id] = {"second@shopper.example"}
        changes = [remove("second@shopper.example"), remove("ada@shopper.example")]
        receipts = {r.change: r for r in destination.apply(changes, names)}
        assert receipts[changes[0]].remote_id == one_id
        assert sandbox.members()["VIP"] == set()

    def test_wait_for_an_import_that_an_earlier_run_began(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        sandbox.account.job_seconds, sandbox.account.job_polls = 120, 1000
        job = sandbox.put_job(names["VIP"], "ada@shopper.example")
        (receipt,) = destination.apply([remove("ada@shopper.example")], names)
        assert job.completed is not None
        assert receipt.outcome is Outcome.APPLIED
        assert sandbox.members()["VIP"] == set()

    def test_do_not_wait_for_imports_into_other_lists(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        sandbox.account.job_seconds, sandbox.account.job_polls = 10_000, 1000
        job = sandbox.put_job(names["Lapsed"], "ada@shopper.example")
        list(destination.apply([remove("ada@shopper.example")], names))
        assert job.completed is None

    def test_nobody_is_on_a_list_that_is_gone(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        one_id = sandbox.put_member(names["VIP"], "ada@shopper.example")
        del sandbox.account.lists[names["VIP"]]
        changes = [remove("ada@shopper.example", remote_id=one_id), remove("b@shopper.example")]
        receipts = list(destination.apply(changes, names))
        assert {receipt.change for receipt in receipts} == set(changes)
        assert outcomes(receipts) == [Outcome.APPLIED] * 2


class TestApply:
    def test_nothing_to_do_asks_nothing(
        self, sandbox: KlaviyoSandbox, destination: KlaviyoDestination, names: dict[str, str]
    ) -> None:
        assert list(destination.apply([], names)) == []
        assert sandbox.log == []

    def test_the_last_wish_for_a_person_wins(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        changes = [
            remove("in@shopper.example"),
            add("in@shopper.example"),
            add("out@shopper.example"),
            remove("OUT@shopper.example"),
        ]
        receipts = list(destination.apply(changes, names))
        assert {receipt.change for receipt in receipts} == set(changes)
        assert sandbox.members()["VIP"] == {"in@shopper.example"}

    @pytest.mark.parametrize("apart", [False, True])
    @pytest.mark.parametrize("others", [0, 30])
    def test_who_changed_their_address_stays_on_the_list(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
        others: int,
        apart: bool,
    ) -> None:
        one_id = sandbox.put_member(names["VIP"], "old@shopper.example")
        profile = sandbox.account.profiles[one_id]
        sandbox.account.write(profile, {"email": "new@shopper.example"}, sandbox.clock.now())
        emails = ["new@shopper.example", *people(others)]
        changes = [*map(add, emails), remove("old@shopper.example", remote_id=one_id)]
        # a large push comes in portions
        portions = [changes[:-1], changes[-1:]] if apart else [changes]
        receipts = [r for portion in portions for r in destination.apply(portion, names)]
        assert outcomes(receipts) == [Outcome.APPLIED] * len(changes)
        # by its id it is told apart from somebody whom others put there
        assert (receipts[0].was_there, receipts[0].remote_id) == (True, one_id)
        assert sandbox.members()["VIP"] == set(emails)

    def test_who_was_merged_into_a_new_address_stays_on_the_list(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        old = sandbox.put_member(names["VIP"], "old@shopper.example")
        sandbox.account.forget(sandbox.account.profiles[old])
        new = sandbox.put_member(names["VIP"], "new@shopper.example")
        sandbox.account.aliases[new] = {"old@shopper.example"}
        changes = [add("new@shopper.example"), remove("old@shopper.example", remote_id=old)]
        receipts = list(destination.apply(changes, names))
        assert outcomes(receipts) == [Outcome.APPLIED] * 2
        assert sandbox.members()["VIP"] == {"new@shopper.example"}

    @pytest.mark.parametrize("apart", [False, True])
    def test_two_names_of_one_list_do_not_undo_each_other(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        apart: bool,
    ) -> None:
        # a person renamed the list in Klaviyo and in the configuration
        list_id = sandbox.put_list("Gold")
        one_id = sandbox.put_member(list_id, "ada@shopper.example")
        changes = [
            add("ada@shopper.example", "Gold"),
            remove("ada@shopper.example", "VIP", remote_id=one_id),
        ]
        ids = {"VIP": list_id, "Gold": list_id}
        portions = [changes[:1], changes[1:]] if apart else [changes]
        receipts = [r for portion in portions for r in destination.apply(portion, ids)]
        assert not any(receipt.was_there for receipt in receipts)
        assert sandbox.members()["Gold"] == {"ada@shopper.example"}

    def test_adds_of_a_person_end_before_a_removal_begins(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        emails = people(30)
        changes = [*map(add, emails), *map(remove, emails)]
        receipts = list(destination.apply(changes, names))
        assert outcomes(receipts) == [Outcome.APPLIED] * 60
        sandbox.clock.advance(3600)
        assert sandbox.members()["VIP"] == set()

    def test_a_lost_answer_to_an_import_is_caught_up_with(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        sandbox.account.job_seconds = 60
        sandbox.faults += [faults.none(), faults.none(), faults.drop_answer()]
        emails = people(30)
        list(destination.apply([*map(add, emails), *map(remove, emails)], names))
        assert len(sandbox.account.jobs) == 2
        sandbox.clock.advance(3600)
        assert sandbox.members()["VIP"] == set()

    def test_two_lists_are_kept_apart(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        list(
            destination.apply([add("a@shopper.example"), add("b@shopper.example", "Lapsed")], names)
        )
        assert sandbox.members() == {
            "VIP": {"a@shopper.example"},
            "Lapsed": {"b@shopper.example"},
        }

    def test_the_pace_stays_below_the_limits(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        for _ in range(40):
            list(destination.apply([add(email) for email in people(20)], names))
        assert {entry.status for entry in sandbox.log} == {200, 201, 204}
        assert len(sandbox.log) == 40 * 23

    def test_what_the_server_asks_to_wait_is_waited(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        began = sandbox.clock.now()
        sandbox.faults += [faults.status(429, {"retry-after": "40"})]
        list(destination.apply([add("ada@shopper.example")], names))
        assert (sandbox.clock.now() - began).total_seconds() >= 40
        assert sandbox.members()["VIP"] == {"ada@shopper.example"}

    @pytest.mark.parametrize(
        "fault",
        [
            faults.status(503),
            faults.html(200),
            faults.html(404),
            faults.empty_body(),
            faults.body(b"{}"),
            faults.body(b'{"data":[{"no":"id"}]}'),
            faults.drop_answer(),
            faults.reset(),
            faults.cut_body(10),
        ],
    )
    @pytest.mark.parametrize("position", range(5))
    def test_whatever_happens_to_one_request_nothing_is_confirmed_wrongly(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
        fault: Fault,
        position: int,
    ) -> None:
        sandbox.faults += [*[faults.none()] * position, fault]
        sandbox.put_member(names["VIP"], "out@shopper.example")
        confirmed: list[Receipt] = []
        changes = [add("in@shopper.example"), remove("out@shopper.example")]
        for _ in range(3):
            try:
                confirmed = list(destination.apply(changes, names))
                break
            except TransientError:
                continue
        assert outcomes(confirmed) == [Outcome.APPLIED] * 2
        assert sandbox.members()["VIP"] == {"in@shopper.example"}

    def test_a_missing_right_to_write_names_its_scope(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
        names: dict[str, str],
    ) -> None:
        sandbox.scopes.remove("profiles:write")
        with pytest.raises(AuthError, match=r"create_or_update_profile.*profiles:write"):
            list(destination.apply([add("ada@shopper.example")], names))


class TestConsent:
    def test_is_never_changed(
        self,
        sandbox: KlaviyoSandbox,
        destination: KlaviyoDestination,
    ) -> None:
        states = [
            ("SUBSCRIBED", None),
            ("UNSUBSCRIBED", "UNSUBSCRIBE"),
            (None, "USER_SUPPRESSED"),
            ("SUBSCRIBED", "HARD_BOUNCE"),
            (None, None),
        ]
        emails = people(100)
        for number, email in enumerate(emails):
            sandbox.put_profile(email, *states[number % len(states)])
        before = sandbox.consents()
        assert len(before) == 80
        names = {"VIP": destination.prepare("VIP", None)}
        everybody = [*emails, *people(30, "new")]
        list(destination.apply([add(email) for email in everybody], names))
        list(destination.apply([add(email) for email in everybody[:5]], names))
        assert sandbox.consents() == before
        list(destination.apply([remove(email) for email in everybody], names))
        assert sandbox.members()["VIP"] == set()
        assert sandbox.consents() == before
        paths = {entry.request.path for entry in sandbox.log}
        assert not [path for path in paths if "subscription" in path or "suppression" in path]
