"""The sandbox refuses what Klaviyo refuses, schemas or not, and keeps the state an account has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
import pytest

from segmentd.sdk.testing.sandbox import Response
from segmentd_klaviyo.sandbox import KlaviyoSandbox

Ask = Callable[..., Response]
JOBS = "/api/profile-bulk-import-jobs"


def payload(response: Response) -> Any:
    return orjson.loads(response.body)


def problem(response: Response) -> dict[str, Any]:
    error: dict[str, Any] = payload(response)["errors"][0]
    return error


def rows(*attributes: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"type": "profile", "attributes": one} for one in attributes]


def job(attributes: list[dict[str, object]], *lists: str) -> dict[str, object]:
    return {
        "data": {
            "type": "profile-bulk-import-job",
            "attributes": {"profiles": {"data": attributes}},
            "relationships": {"lists": {"data": [{"type": "list", "id": one} for one in lists]}},
        }
    }


def profile(**attributes: object) -> dict[str, object]:
    return {"data": {"type": "profile", "attributes": attributes}}


def ids(*remote_ids: str) -> dict[str, object]:
    return {"data": [{"type": "profile", "id": one} for one in remote_ids]}


def new_list(**attributes: object) -> dict[str, object]:
    return {"data": {"type": "list", "attributes": attributes}}


class TestAdmission:
    def test_a_right_request_passes(self, ask: Ask) -> None:
        assert ask("GET", "/api/accounts").status == 200

    def test_a_trailing_slash_is_no_difference(self, ask: Ask) -> None:
        assert ask("GET", "/api/accounts/").status == 200

    @pytest.mark.parametrize("key", [None, "Klaviyo-API-Key pk_other", "Bearer pk_other"])
    def test_a_wrong_key_does_not(self, ask: Ask, key: str | None) -> None:
        assert ask("GET", "/api/accounts", headers={"authorization": key}).status == 401

    @pytest.mark.parametrize("revision", [None, "", "newest", "2026-7-15"])
    def test_a_revision_is_required(self, ask: Ask, revision: str | None) -> None:
        response = ask("GET", "/api/accounts", headers={"revision": revision})
        assert response.status == 400
        assert problem(response)["source"] == {"parameter": "revision"}

    def test_a_retired_revision_falls_forward_unless_told_not_to(self, ask: Ask) -> None:
        old: dict[str, str | None] = {"revision": "2022-10-17"}
        assert ask("GET", "/api/lists", headers=old).status == 200
        old["x-klaviyo-revision-fall-forward-opt-out"] = "1"
        assert ask("GET", "/api/lists", headers=old).status == 410

    def test_an_unknown_path_or_method_is_not_found(self, ask: Ask) -> None:
        assert ask("GET", "/api/audiences").status == 404
        assert ask("PUT", "/api/lists").status == 404

    def test_scopes_are_asked_for(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        sandbox.scopes.remove("lists:write")
        response = ask("POST", "/api/lists", body=new_list(name="VIP"))
        assert response.status == 403
        assert "lists:write" in problem(response)["detail"]

    @pytest.mark.parametrize("media_type", [None, "application/json", "text/plain"])
    def test_bodies_have_the_media_type_of_json_api(self, ask: Ask, media_type: str | None) -> None:
        response = ask(
            "POST", "/api/lists", body=new_list(name="VIP"), headers={"content-type": media_type}
        )
        assert response.status == 415

    @pytest.mark.parametrize(
        "query",
        [
            "limit=5",
            "page[size]=101",
            "page[size]=0",
            "page[size]=many",
            "sort=name",
            "fields[profile]=email,age",
            "page[cursor]==abc",
            "page[cursor]=abc",
            "filter=equals(email,me@shopper.example)",
            'filter=equals(name,"me")',
            'filter=contains(email,"me")',
            'filter=any(email,"me")',
            'filter=equals(email,"me"',
            "filter=me",
        ],
    )
    def test_unknown_or_wrong_parameters_are_refused(self, ask: Ask, query: str) -> None:
        response = ask("GET", "/api/profiles", urlencode(parse_qsl(query)))
        assert response.status == 400
        assert problem(response)["source"]["parameter"] in query

    def test_a_list_name_is_filtered_by_a_list_of_names(
        self, sandbox: KlaviyoSandbox, ask: Ask
    ) -> None:
        list_id = sandbox.put_list("VIP")
        sandbox.put_list("Lapsed")
        for text in ('any(name,["VIP"])', "equals(name,['VIP'])"):
            found = payload(ask("GET", "/api/lists", urlencode({"filter": text})))["data"]
            assert [record["id"] for record in found] == [list_id]
        text = 'equals(name,"VIP")'
        assert ask("GET", "/api/lists", urlencode({"filter": text})).status == 400

    def test_conditions_of_a_filter_are_joined(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        sandbox.put_list("VIP")
        sandbox.clock.advance(3600)
        later = sandbox.put_list("VIP")
        text = 'any(name,["VIP"]),greater-than(created,2026-11-21T03:30:00Z)'
        found = payload(ask("GET", "/api/lists", urlencode({"filter": text})))["data"]
        assert [record["id"] for record in found] == [later]


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            new_list(),
            new_list(name=5),
            new_list(name="  "),
            new_list(name="VIP", colour="red"),
            new_list(name="VIP", opt_in_process="none"),
            {"data": {"type": "audience", "attributes": {"name": "VIP"}}},
        ],
    )
    def test_a_wrong_one_is_refused(self, ask: Ask, body: object) -> None:
        assert ask("POST", "/api/lists", body=body).status == 400

    @pytest.mark.parametrize(
        ("attributes", "pointer"),
        [
            ({"email": "nobody"}, "/data/attributes/email"),
            ({"email": "a b@shopper.example"}, "/data/attributes/email"),
            ({"phone_number": "0170 1234567"}, "/data/attributes/phone_number"),
            ({"first_name": "Ada"}, "/data/attributes"),
            ({"email": "a@shopper.example", "subscriptions": {}}, "/data/attributes"),
            ({"email": "a@shopper.example", "consent": "yes"}, "/data/attributes"),
        ],
    )
    def test_what_no_schema_says_about_profiles(
        self, ask: Ask, attributes: dict[str, object], pointer: str
    ) -> None:
        response = ask("POST", "/api/profile-import", body=profile(**attributes))
        assert response.status == 400
        assert problem(response)["source"]["pointer"] == pointer

    def test_a_profile_has_100_kb_at_most(self, ask: Ask) -> None:
        huge = profile(email="a@shopper.example", properties={"note": "x" * 100_000})
        assert ask("POST", "/api/profile-import", body=huge).status == 413

    def test_an_import_has_5_mb_at_most(self, ask: Ask) -> None:
        people = [
            {"email": f"a{number}@shopper.example", "properties": {"note": "x" * 90_000}}
            for number in range(60)
        ]
        assert ask("POST", JOBS, body=job(rows(*people))).status == 413
        assert ask("POST", JOBS, body=job(rows(*people[:50]))).status == 202

    def test_a_row_has_100_kb_at_most(self, ask: Ask) -> None:
        person = {"email": "a@shopper.example", "properties": {"note": "x" * 100_000}}
        assert ask("POST", JOBS, body=job(rows(person))).status == 400

    def test_an_import_has_10_000_rows_at_most(self, ask: Ask) -> None:
        people: list[dict[str, object]] = [
            {"email": f"a{number}@shopper.example"} for number in range(10_001)
        ]
        assert ask("POST", JOBS, body=job(rows(*people))).status == 400
        assert ask("POST", JOBS, body=job(rows(*people[1:]))).status == 202

    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    def test_a_relationship_has_1000_ids_at_most(
        self, sandbox: KlaviyoSandbox, ask: Ask, method: str
    ) -> None:
        path = f"/api/lists/{sandbox.put_list('VIP')}/relationships/profiles"
        people = [sandbox.put_profile(f"a{number}@shopper.example") for number in range(1001)]
        assert ask(method, path, body=ids(*people)).status == 400
        assert ask(method, path, body=ids(*people[1:])).status == 204
        assert ask(method, path, body=ids()).status == 400

    def test_patches_of_properties_are_not_pretended(self, ask: Ask) -> None:
        body = {
            "data": {
                "type": "profile",
                "attributes": {"email": "a@shopper.example"},
                "meta": {"patch_properties": {"append": {"segments": ["vip"]}}},
            }
        }
        assert ask("POST", "/api/profile-import", body=body).status == 501


class TestRates:
    def test_answers_tell_the_steady_window(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        sandbox.clock.advance(18)
        headers = ask("GET", "/api/lists").headers
        assert headers["ratelimit-limit"] == "750"
        assert headers["ratelimit-remaining"] == "749"
        assert headers["ratelimit-reset"] == "42"
        assert "retry-after" not in headers

    def test_refusals_of_other_kinds_tell_it_too(self, ask: Ask) -> None:
        assert ask("GET", "/api/lists/none").headers["ratelimit-remaining"] == "749"

    def test_the_burst_window_swaps_the_headers(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        assert ask("GET", "/api/accounts").status == 200
        response = ask("GET", "/api/accounts")
        assert response.status == 429
        assert response.headers["retry-after"] == "1"
        assert not [name for name in response.headers if name.startswith("ratelimit")]
        sandbox.clock.advance(1)
        assert ask("GET", "/api/accounts").status == 200

    def test_the_steady_window_is_a_minute(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        for _ in range(15):
            assert ask("GET", "/api/accounts").status == 200
            sandbox.clock.advance(1)
        assert ask("GET", "/api/accounts").headers["retry-after"] == "45"
        sandbox.clock.advance(45)
        assert ask("GET", "/api/accounts").status == 200

    def test_operations_have_windows_of_their_own(self, ask: Ask) -> None:
        ask("GET", "/api/accounts")
        assert ask("GET", "/api/accounts").status == 429
        assert ask("GET", "/api/lists").status == 200

    def test_a_dear_parameter_has_a_window_of_its_own(
        self, sandbox: KlaviyoSandbox, ask: Ask
    ) -> None:
        path = f"/api/lists/{sandbox.put_list('VIP')}"
        count = urlencode({"additional-fields[list]": "profile_count"})
        assert payload(ask("GET", path, count))["data"]["attributes"]["profile_count"] == 0
        assert ask("GET", path, count).status == 429
        assert ask("GET", path).status == 200

    def test_a_day_has_150_new_lists(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        for number in range(150):
            assert ask("POST", "/api/lists", body=new_list(name=f"L {number}")).status == 201
            sandbox.clock.advance(0.5)
        response = ask("POST", "/api/lists", body=new_list(name="one too many"))
        assert response.status == 429
        assert int(response.headers["retry-after"]) > 3600


class TestPages:
    def test_have_20_members_unless_told(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        list_id = sandbox.put_list("VIP")
        people = [sandbox.put_member(list_id, f"a{n}@shopper.example") for n in range(45)]
        path, query = f"/api/lists/{list_id}/relationships/profiles", ""
        pages = []
        while True:
            content = payload(ask("GET", path, query))
            pages.append([record["id"] for record in content["data"]])
            link = content["links"]["next"]
            if link is None:
                break
            assert link.startswith("https://a.klaviyo.com/api/")
            query = urlsplit(link).query
        assert [len(page) for page in pages] == [20, 20, 5]
        assert [one for page in pages for one in page] == people

    def test_go_on_where_they_were_though_members_leave(
        self, sandbox: KlaviyoSandbox, ask: Ask
    ) -> None:
        list_id = sandbox.put_list("VIP")
        people = [sandbox.put_member(list_id, f"a{n}@shopper.example") for n in range(30)]
        path = f"/api/lists/{list_id}/profiles"
        link = payload(ask("GET", path))["links"]["next"]
        del sandbox.account.lists[list_id].members[people[19]]
        rest = payload(ask("GET", path, urlsplit(link).query))["data"]
        assert [record["id"] for record in rest] == people[20:]

    def test_lists_come_ten_at_a_time(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        for number in range(11):
            sandbox.put_list(f"L {number}")
        assert len(payload(ask("GET", "/api/lists"))["data"]) == 10
        assert ask("GET", "/api/lists", "page%5Bsize%5D=11").status == 400

    def test_members_sort_by_when_they_joined(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        list_id = sandbox.put_list("VIP")
        first = sandbox.put_member(list_id, "first@shopper.example")
        sandbox.clock.advance(60)
        last = sandbox.put_member(list_id, "last@shopper.example")
        path = f"/api/lists/{list_id}/profiles"
        found = payload(ask("GET", path, "sort=-joined_group_at"))["data"]
        assert [record["id"] for record in found] == [last, first]

    def test_fields_can_be_chosen(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        sandbox.put_profile("ada@shopper.example", first_name="Ada")
        query = urlencode({"fields[profile]": "email"})
        (record,) = payload(ask("GET", "/api/profiles", query))["data"]
        assert record["attributes"] == {"email": "ada@shopper.example"}


class TestJobs:
    def test_live_by_the_clock(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        sandbox.account.job_seconds, sandbox.account.job_polls = 30, 1000
        list_id = sandbox.put_list("VIP")
        made = payload(ask("POST", JOBS, body=job(rows({"email": "a@shopper.example"}), list_id)))
        path = f"{JOBS}/{made['data']['id']}"
        seen = [made["data"]["attributes"]["status"]]
        for _ in range(3):
            sandbox.clock.advance(10)
            seen.append(payload(ask("GET", path))["data"]["attributes"]["status"])
        assert seen == ["queued", "queued", "processing", "complete"]
        assert sandbox.members() == {"VIP": {"a@shopper.example"}}

    def test_or_by_being_looked_at(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        sandbox.account.job_seconds, sandbox.account.job_polls = 3600, 2
        made = payload(ask("POST", JOBS, body=job(rows({"email": "a@shopper.example"}))))
        path = f"{JOBS}/{made['data']['id']}"
        seen = [payload(ask("GET", path))["data"]["attributes"]["status"] for _ in range(3)]
        assert seen == ["queued", "processing", "complete"]

    def test_act_only_when_they_are_done(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        list_id = sandbox.put_list("VIP")
        ask("POST", JOBS, body=job(rows({"email": "a@shopper.example"}), list_id))
        assert sandbox.members() == {"VIP": set()}
        sandbox.clock.advance(60)
        assert sandbox.members() == {"VIP": {"a@shopper.example"}}

    def test_are_listed_by_status(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        list_id = sandbox.put_list("VIP")
        sandbox.put_job(list_id, "a@shopper.example")
        sandbox.clock.advance(60)
        waiting = sandbox.put_job(list_id, "b@shopper.example")
        query = urlencode({"filter": 'any(status,["queued","processing"])'})
        (found,) = payload(ask("GET", JOBS, query))["data"]
        assert found["id"] == waiting.id
        lists = payload(ask("GET", f"{JOBS}/{waiting.id}/relationships/lists"))["data"]
        assert lists == [{"type": "list", "id": list_id}]

    def test_a_bad_row_refuses_the_whole_request(self, ask: Ask) -> None:
        body = job(rows({"email": "a@shopper.example"}, {"email": "nobody"}))
        response = ask("POST", JOBS, body=body)
        assert response.status == 400
        pointer = problem(response)["source"]["pointer"]
        assert pointer == "/data/attributes/profiles/data/1/attributes/email"

    def test_other_rows_fail_one_by_one(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        sandbox.put_profile("one@shopper.example")
        sandbox.put_profile("two@shopper.example", phone_number="+4915112345678")
        body = job(
            rows(
                {"email": "dot..dot@shopper.example"},
                {"email": "one@shopper.example", "phone_number": "+4915112345678"},
                {"email": "new@shopper.example", "first_name": None},
            )
        )
        path = f"{JOBS}/{payload(ask('POST', JOBS, body=body))['data']['id']}"
        sandbox.clock.advance(60)
        done = payload(ask("GET", path))["data"]["attributes"]
        assert (done["status"], done["total_count"], done["failed_count"]) == ("complete", 3, 2)
        errors = payload(ask("GET", f"{path}/import-errors"))["data"]
        assert [error["attributes"]["code"] for error in errors] == ["invalid", "duplicate_profile"]
        assert errors[0]["attributes"]["original_payload"] == {"email": "dot..dot@shopper.example"}
        (made,) = payload(ask("GET", f"{path}/profiles"))["data"]
        assert made["attributes"]["email"] == "new@shopper.example"
        (same,) = payload(ask("GET", f"{path}/relationships/profiles"))["data"]
        assert same["id"] == made["id"]

    def test_ignore_nulls_instead_of_clearing(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        one = sandbox.put_profile("a@shopper.example", first_name="Ada")
        ask("POST", JOBS, body=job(rows({"email": "a@shopper.example", "first_name": None})))
        sandbox.clock.advance(60)
        attributes = payload(ask("GET", f"/api/profiles/{one}"))["data"]["attributes"]
        assert attributes["first_name"] == "Ada"

    def test_an_unknown_list_refuses_the_request(self, ask: Ask) -> None:
        body = job(rows({"email": "a@shopper.example"}), "nowhere")
        assert ask("POST", JOBS, body=body).status == 404

    def test_an_unknown_job_is_not_found(self, ask: Ask) -> None:
        assert ask("GET", f"{JOBS}/nowhere").status == 404


class TestProfiles:
    def test_are_created_then_updated(self, ask: Ask) -> None:
        first = ask("POST", "/api/profile-import", body=profile(email="a@shopper.example"))
        body = profile(email="a@shopper.example", first_name="Ada", properties={"x": 1})
        second = ask("POST", "/api/profile-import", body=body)
        assert (first.status, second.status) == (201, 200)
        assert payload(first)["data"]["id"] == payload(second)["data"]["id"]
        cleared = profile(email="a@shopper.example", first_name=None, properties={"y": 2})
        attributes = payload(ask("POST", "/api/profile-import", body=cleared))["data"]["attributes"]
        assert attributes["first_name"] is None
        assert attributes["properties"] == {"x": 1, "y": 2}

    def test_identifiers_of_two_are_a_conflict(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        sandbox.put_profile("one@shopper.example")
        two = sandbox.put_profile("two@shopper.example", external_id="shop-2")
        body = profile(email="one@shopper.example", external_id="shop-2")
        response = ask("POST", "/api/profile-import", body=body)
        assert response.status == 409
        assert problem(response)["code"] == "duplicate_profile"
        assert problem(response)["meta"] == {"duplicate_profile_id": two}

    def test_can_be_read_changed_and_made_only_once(
        self, sandbox: KlaviyoSandbox, ask: Ask
    ) -> None:
        one = sandbox.put_profile("one@shopper.example")
        sandbox.put_profile("two@shopper.example")
        new = profile(email="one@shopper.example")
        assert ask("POST", "/api/profiles", body=new).status == 409
        made = ask("POST", "/api/profiles", body=profile(email="three@shopper.example"))
        assert made.status == 201
        patch = {"data": {"type": "profile", "id": one, "attributes": {"last_name": "L"}}}
        assert ask("PATCH", f"/api/profiles/{one}", body=patch).status == 200
        attributes = payload(ask("GET", f"/api/profiles/{one}"))["data"]["attributes"]
        assert attributes["last_name"] == "L"
        patch["data"]["attributes"] = {"email": "two@shopper.example"}
        assert ask("PATCH", f"/api/profiles/{one}", body=patch).status == 409
        assert ask("GET", "/api/profiles/nobody").status == 404


class TestLists:
    def test_are_made_renamed_and_deleted(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        list_id = payload(ask("POST", "/api/lists", body=new_list(name="VIP")))["data"]["id"]
        patch = {"data": {"type": "list", "id": list_id, "attributes": {"name": "Gold"}}}
        assert ask("PATCH", f"/api/lists/{list_id}", body=patch).status == 200
        assert payload(ask("GET", f"/api/lists/{list_id}"))["data"]["attributes"]["name"] == "Gold"
        assert ask("DELETE", f"/api/lists/{list_id}").status == 204
        assert ask("GET", f"/api/lists/{list_id}").status == 404
        assert sandbox.members() == {}

    def test_members_are_all_or_nothing(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        list_id = sandbox.put_list("VIP")
        one = sandbox.put_profile("one@shopper.example")
        path = f"/api/lists/{list_id}/relationships/profiles"
        response = ask("POST", path, body=ids(one, "nobody"))
        assert response.status == 404
        assert problem(response)["source"]["pointer"] == "/data/1/id"
        assert sandbox.members() == {"VIP": set()}
        assert ask("POST", path, body=ids(one)).status == 204
        assert sandbox.members() == {"VIP": {"one@shopper.example"}}

    def test_tell_the_flows_they_trigger(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        list_id = sandbox.put_list("VIP", flows=2)
        found = payload(ask("GET", f"/api/lists/{list_id}/relationships/flow-triggers"))["data"]
        assert [flow["id"] for flow in found] == sandbox.account.lists[list_id].flows


class TestConsent:
    """These operations do change consent here: so a test would notice if we called them."""

    @staticmethod
    def subscription(kind: str, consent: str, email: str, list_id: str | None) -> dict[str, Any]:
        marketing = {"marketing": {"consent": consent}}
        attributes = {"email": email, "subscriptions": {"email": marketing}}
        data: dict[str, Any] = {
            "type": f"profile-subscription-bulk-{kind}-job",
            "attributes": {"profiles": {"data": rows(attributes)}},
        }
        if list_id:
            data["relationships"] = {"list": {"data": {"type": "list", "id": list_id}}}
        return {"data": data}

    @staticmethod
    def suppression(kind: str, email: str) -> dict[str, Any]:
        return {
            "data": {
                "type": f"profile-suppression-bulk-{kind}-job",
                "attributes": {"profiles": {"data": rows({"email": email})}},
            }
        }

    def test_subscribing_lifts_suppressions(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        sandbox.put_profile("a@shopper.example", "UNSUBSCRIBED", "UNSUBSCRIBE")
        body = self.subscription("create", "SUBSCRIBED", "a@shopper.example", None)
        path = "/api/profile-subscription-bulk-create-jobs"
        assert ask("POST", path, body=body).status == 202
        assert sandbox.consents() == {"a@shopper.example": "SUBSCRIBED"}

    def test_unsubscribing_from_a_list_one_is_not_on_is_global(
        self, sandbox: KlaviyoSandbox, ask: Ask
    ) -> None:
        list_id = sandbox.put_list("VIP")
        sandbox.put_profile("out@shopper.example", "SUBSCRIBED")
        sandbox.put_profile("in@shopper.example", "SUBSCRIBED")
        sandbox.put_member(list_id, "in@shopper.example")
        for email in ("out@shopper.example", "in@shopper.example", "nobody@shopper.example"):
            body = self.subscription("delete", "UNSUBSCRIBED", email, list_id)
            path = "/api/profile-subscription-bulk-delete-jobs"
            assert ask("POST", path, body=body).status == 202
        assert sandbox.consents() == {
            "out@shopper.example": "UNSUBSCRIBED UNSUBSCRIBE",
            "in@shopper.example": f"SUBSCRIBED {list_id}",
        }
        assert sandbox.members() == {"VIP": set()}

    def test_suppressing_and_unsuppressing(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        sandbox.put_profile("a@shopper.example")
        path = "/api/profile-suppression-bulk-create-jobs"
        assert ask("POST", path, body=self.suppression("create", "a@shopper.example")).status == 202
        assert sandbox.consents() == {"a@shopper.example": "NEVER_SUBSCRIBED USER_SUPPRESSED"}
        path = "/api/profile-suppression-bulk-delete-jobs"
        assert ask("POST", path, body=self.suppression("delete", "a@shopper.example")).status == 202
        assert sandbox.consents() == {}

    def test_can_be_read(self, sandbox: KlaviyoSandbox, ask: Ask) -> None:
        sandbox.put_profile("a@shopper.example", "SUBSCRIBED", "HARD_BOUNCE")
        query = urlencode({"additional-fields[profile]": "subscriptions"})
        (record,) = payload(ask("GET", "/api/profiles", query))["data"]
        marketing = record["attributes"]["subscriptions"]["email"]["marketing"]
        assert marketing["consent"] == "SUBSCRIBED"
        assert marketing["can_receive_email_marketing"] is False
        assert [one["reason"] for one in marketing["suppression"]] == ["HARD_BOUNCE"]

    def test_joining_and_leaving_a_list_changes_nothing(
        self, sandbox: KlaviyoSandbox, ask: Ask
    ) -> None:
        one = sandbox.put_profile("a@shopper.example", "UNSUBSCRIBED", "UNSUBSCRIBE")
        path = f"/api/lists/{sandbox.put_list('VIP')}/relationships/profiles"
        before = sandbox.consents()
        for method in ("POST", "DELETE"):
            assert ask(method, path, body=ids(one)).status == 204
            assert sandbox.consents() == before
