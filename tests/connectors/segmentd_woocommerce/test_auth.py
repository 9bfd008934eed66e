"""Signing in: the signature, the choice of a way, clocks, and where no key may go."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest

from segmentd.sdk import AuthError, Outgoing, Runtime, Secret
from segmentd.sdk.testing.sandbox import Request, SandboxClock
from segmentd_woocommerce.auth import Credentials, signature, ways
from segmentd_woocommerce.client import WooClient
from segmentd_woocommerce.sandbox import Key, WooCommerceSandbox
from segmentd_woocommerce.sandbox.access import base_string
from segmentd_woocommerce.settings import WooCommerceSettings

Make = Callable[..., WooClient]


def outgoing(path: str = "/wp-json/wc/v3/orders") -> Outgoing:
    return Outgoing("GET", f"https://store.example{path}", {"status": "any,trash"}, {}, None)


def credentials(way: str, runtime: Runtime) -> Credentials:
    return Credentials(Secret("ck_1"), Secret("cs_1"), [way], runtime)


def test_signs_as_a_real_store_accepted_it(recorded: Callable[[str], Any]) -> None:
    vector = recorded("oauth1-plain-http")
    made = signature(vector["method"], vector["url"], vector["params"], vector["consumer_secret"])
    assert made == vector["oauth_signature"]


def test_the_sandbox_builds_the_text_that_the_store_built(recorded: Callable[[str], Any]) -> None:
    vector = recorded("oauth1-plain-http")
    made = base_string(vector["method"], vector["url"], vector["params"])
    assert made == vector["signature_base_string"]


@pytest.mark.parametrize(
    ("auth", "url", "expected"),
    [
        ("auto", "https://store.example", ["basic", "query"]),
        ("auto", "http://127.0.0.1:8086", ["oauth1"]),
        ("basic", "http://127.0.0.1:8086", ["basic"]),
        ("oauth1", "https://store.example", ["oauth1"]),
    ],
)
def test_chooses_by_the_scheme(auth: str, url: str, expected: list[str]) -> None:
    assert ways(auth, url) == expected


@pytest.mark.parametrize("way", ["basic", "query", "oauth1"])
def test_no_key_goes_to_wordpress_itself(way: str, runtime: Runtime) -> None:
    request = outgoing("/wp-json/")
    credentials(way, runtime)(request)
    assert request == outgoing("/wp-json/")


def test_basic_leaves_the_query_alone(runtime: Runtime) -> None:
    request = outgoing()
    credentials("basic", runtime)(request)
    assert request.params == outgoing().params
    assert request.headers == {"authorization": "Basic Y2tfMTpjc18x"}


def test_a_signature_is_never_made_twice(runtime: Runtime) -> None:
    same_seed = replace(runtime, random=runtime.random)
    seen = set()
    for _ in range(3):
        request = outgoing()
        credentials("oauth1", same_seed)(request)
        seen.add(request.params["oauth_nonce"])
        assert "cs_1" not in str(request.params)
    assert len(seen) == 3


@pytest.mark.parametrize("way", ["basic", "query"])
def test_passwords_over_https(sandbox: WooCommerceSandbox, client: Make, way: str) -> None:
    sandbox.door.https = True
    assert client(auth=way).get("orders", {}).json() == []


def test_signatures_over_plain_http(sandbox: WooCommerceSandbox, client: Make) -> None:
    made = client()
    for _ in range(3):
        assert (
            made.get("orders", {"status": "completed,processing", "search": "a b+c"}).json() == []
        )
    assert all("secret" not in entry.request.query_string for entry in sandbox.log)
    assert all("authorization" not in entry.request.headers for entry in sandbox.log)


def test_writes_are_signed_too(sandbox: WooCommerceSandbox, client: Make) -> None:
    client().prove_write()
    assert [entry.status for entry in sandbox.log] == [200]


def test_turns_to_the_query_once_and_remembers(sandbox: WooCommerceSandbox, client: Make) -> None:
    sandbox.door.https = sandbox.door.strips_authorization = True
    made = client(auth="basic")
    made._credentials._ways = ways("auto", "https://store.example")
    for _ in range(3):
        assert made.get("orders", {}).json() == []
    assert [entry.status for entry in sandbox.log] == [401, 200, 200, 200]
    assert made._credentials.way == "query"


def test_gives_up_if_no_way_works(sandbox: WooCommerceSandbox, client: Make) -> None:
    sandbox.door.https = True
    sandbox.door.keys.clear()
    made = client(auth="basic")
    made._credentials._ways = ways("auto", "https://store.example")
    with pytest.raises(AuthError, match="does not know the key"):
        made.get("orders", {})
    assert len(sandbox.log) == 2


def test_signs_by_the_stores_clock(
    sandbox: WooCommerceSandbox,
    settings: Callable[..., WooCommerceSettings],
    runtime: Runtime,
    clock: SandboxClock,
) -> None:
    wrong = replace(runtime, now=lambda: clock.now() - timedelta(days=400))
    made = WooClient(settings(), wrong)
    for _ in range(2):
        assert made.get("orders", {}).json() == []
    assert [entry.status for entry in sandbox.log] == [401, 200, 200]
    made.close()


def test_a_wrong_secret_is_no_matter_of_clocks(sandbox: WooCommerceSandbox, client: Make) -> None:
    sandbox.door.keys[0].secret = "cs_other"
    with pytest.raises(AuthError, match="signature is refused") as caught:
        client().get("orders", {})
    assert len(sandbox.log) == 1
    assert sandbox.credentials()["secret"] not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (Key("ck_other", "cs_other"), "does not know the consumer key"),
        (Key("", "", "write"), "may only write"),
        (Key("", "", "read_write", "customer"), "make the key for an administrator"),
    ],
)
def test_says_what_is_wrong_with_the_key(
    sandbox: WooCommerceSandbox, client: Make, key: Key, says: str
) -> None:
    known = sandbox.credentials()
    sandbox.door.keys[:] = [
        replace(key, key=key.key or known["key"], secret=key.secret or known["secret"])
    ]
    with pytest.raises(AuthError, match=says):
        client().get("orders", {})


# -- what the sandbox accepts, as the real store does


def signed(
    sandbox: WooCommerceSandbox, algorithm: str = "SHA256", **changes: str
) -> dict[str, str]:
    """OAuth parameters of a request for orders."""
    known = sandbox.credentials()
    params = {
        "oauth_consumer_key": known["key"],
        "oauth_timestamp": str(int(sandbox.clock.now().timestamp())),
        "oauth_nonce": "n1",
        "oauth_signature_method": f"HMAC-{algorithm}",
        **changes,
    }
    text = base_string("GET", "http://store.example/wp-json/wc/v3/orders", params)
    digest = hmac.digest(f"{known['secret']}&".encode(), text.encode(), algorithm.lower())
    return {**params, "oauth_signature": base64.b64encode(digest).decode()}


def send(sandbox: WooCommerceSandbox, params: Mapping[str, str], **headers: str) -> str:
    path = "/wp-json/wc/v3/orders"
    headers = {"host": "store.example", **headers}
    response = sandbox.respond(Request("GET", path, urlencode(params), headers, b""))
    body = orjson.loads(response.body)
    return str(body["message"]) if isinstance(body, dict) else "ok"


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])
def test_both_hashes(sandbox: WooCommerceSandbox, algorithm: str) -> None:
    assert send(sandbox, signed(sandbox, algorithm)) == "ok"


def test_parameters_in_the_header(sandbox: WooCommerceSandbox) -> None:
    pairs = [f'{name}="{quote(value, safe="")}"' for name, value in signed(sandbox).items()]
    assert send(sandbox, {}, authorization=f"OAuth {', '.join(pairs)}") == "ok"


def test_a_signature_is_good_once(sandbox: WooCommerceSandbox) -> None:
    params = signed(sandbox)
    answers = [send(sandbox, params), send(sandbox, params)]
    assert answers == ["ok", "Invalid nonce - nonce has already been used."]


def test_a_signature_is_good_for_fifteen_minutes(sandbox: WooCommerceSandbox) -> None:
    params = signed(sandbox)
    sandbox.clock.advance(15 * 60 + 1)
    assert send(sandbox, params) == "Invalid timestamp."


def test_a_signature_covers_all_parameters(sandbox: WooCommerceSandbox) -> None:
    refused = "Invalid signature - provided signature does not match."
    assert send(sandbox, {**signed(sandbox), "status": "any"}) == refused


def test_a_signature_needs_all_its_parts(sandbox: WooCommerceSandbox) -> None:
    params = signed(sandbox)
    del params["oauth_nonce"], params["oauth_timestamp"]
    assert send(sandbox, params) == "Missing OAuth parameters oauth_timestamp, oauth_nonce"
    other = signed(sandbox, oauth_signature_method="PLAIN")
    assert send(sandbox, other) == "Invalid signature - signature method is invalid."
