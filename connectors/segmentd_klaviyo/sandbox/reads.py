"""The operations that read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from segmentd_klaviyo.sandbox.account import Account, ImportJob, missing
from segmentd_klaviyo.sandbox.answers import (
    Answer,
    Call,
    Resource,
    all_of,
    error_resources,
    filtered,
    job_resource,
    list_resource,
    one,
    page,
    page_of,
    profile_resource,
    profile_view,
    reference,
)

Handler = Callable[[Account, Call], Answer]

_ACCOUNT: dict[str, Any] = {
    "type": "account",
    "id": "SEGm3N",
    "attributes": {
        "test_account": False,
        "contact_information": {
            "default_sender_name": "Sandbox Shop",
            "default_sender_email": "hello@shopper.example",
            "website_url": "https://shop.example",
            "organization_name": "Sandbox Shop",
            "street_address": {
                "address1": "1 Sample Street",
                "address2": "",
                "city": "Berlin",
                "region": "BE",
                "country": "Germany",
                "zip": "10115",
            },
        },
        "industry": None,
        "timezone": "Europe/Berlin",
        "preferred_currency": "EUR",
        "public_api_key": "SEGm3N",
        "locale": "en-US",
    },
    "links": {"self": "https://a.klaviyo.com/api/accounts/SEGm3N/"},
}


def _accounts(account: Account, call: Call) -> Answer:  # noqa: ARG001 - one account is all
    return all_of(call, [_ACCOUNT])


def _lists(account: Account, call: Call) -> Answer:
    resources = [list_resource(record, call) for record in account.lists.values()]
    return page_of(call, filtered(call, resources))


def _list(account: Account, call: Call) -> Answer:
    return one(list_resource(account.list_record(call.ids["id"]), call))


def _members(account: Account, call: Call) -> list[Resource]:
    members = account.list_record(call.ids["id"]).members
    views = [profile_view(account.profiles[one_id], at) for one_id, at in members.items()]
    return filtered(call, views, account.aliases)


def _list_profiles(account: Account, call: Call) -> Answer:
    members = account.list_record(call.ids["id"]).members

    def show(one_id: str) -> Resource:
        return profile_resource(account.profiles[one_id], call, members[one_id])

    return page(call, _members(account, call), show)


def _list_profile_ids(account: Account, call: Call) -> Answer:
    return page(call, _members(account, call), reference("profile"))


def _flow_triggers(account: Account, call: Call) -> Answer:
    flows = account.list_record(call.ids["id"]).flows
    return all_of(call, [{"type": "flow", "id": flow} for flow in flows])


def _show_profile(account: Account, call: Call) -> Callable[[str], Resource]:
    return lambda one_id: profile_resource(account.profiles[one_id], call)


def _profiles(account: Account, call: Call) -> Answer:
    views = [profile_view(profile) for profile in account.profiles.values()]
    return page(call, filtered(call, views, account.aliases), _show_profile(account, call))


def _profile(account: Account, call: Call) -> Answer:
    return one(profile_resource(account.profile(call.ids["id"]), call))


def _job(account: Account, call: Call) -> ImportJob:
    remote_id = call.ids.get("job_id") or call.ids["id"]
    if remote_id not in account.jobs:
        raise missing("profile-bulk-import-job", remote_id)
    return account.jobs[remote_id]


def _jobs(account: Account, call: Call) -> Answer:
    resources = [job_resource(job, call) for job in account.jobs.values()]
    return page_of(call, filtered(call, resources))


def _one_job(account: Account, call: Call) -> Answer:
    job = _job(account, call)
    job.looks += 1
    account.work(call.now)
    return one(job_resource(job, call))


def _job_lists(account: Account, call: Call) -> Answer:
    return all_of(call, [{"type": "list", "id": one_id} for one_id in _job(account, call).lists])


def _job_members(account: Account, call: Call) -> list[Resource]:
    return [{"id": one} for one in _job(account, call).profiles if one in account.profiles]


def _job_profiles(account: Account, call: Call) -> Answer:
    return page(call, _job_members(account, call), _show_profile(account, call))


def _job_profile_ids(account: Account, call: Call) -> Answer:
    return page(call, _job_members(account, call), reference("profile"))


def _job_errors(account: Account, call: Call) -> Answer:
    return page_of(call, error_resources(account, _job(account, call), call))


HANDLERS: Mapping[str, Handler] = {
    "get_accounts": _accounts,
    "get_lists": _lists,
    "get_list": _list,
    "get_profiles_for_list": _list_profiles,
    "get_profile_ids_for_list": _list_profile_ids,
    "get_ids_for_flows_triggered_by_list": _flow_triggers,
    "get_profiles": _profiles,
    "get_profile": _profile,
    "get_bulk_import_profiles_jobs": _jobs,
    "get_bulk_import_profiles_job": _one_job,
    "get_list_ids_for_bulk_import_profiles_job": _job_lists,
    "get_profiles_for_bulk_import_profiles_job": _job_profiles,
    "get_profile_ids_for_bulk_import_profiles_job": _job_profile_ids,
    "get_errors_for_bulk_import_profiles_job": _job_errors,
}
