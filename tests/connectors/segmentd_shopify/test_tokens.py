from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import parse_qs

import orjson
import pytest

from segmentd.sdk import AuthError, Runtime, TransientError
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Request
from segmentd_shopify.client import ShopifyClient
from segmentd_shopify.errors import TokenError
from segmentd_shopify.operations import IDENTIFY
from segmentd_shopify.sandbox import ShopifySandbox
from segmentd_shopify.settings import ShopifySettings

GRANT = "/admin/oauth/access_token"


@pytest.fixture
def app(app_settings: ShopifySettings, runtime: Runtime) -> Iterator[ShopifyClient]:
    with closing(ShopifyClient(app_settings, runtime)) as client:
        yield client


def grants(sandbox: ShopifySandbox) -> list[Request]:
    return [entry.request for entry in sandbox.log if entry.request.path == GRANT]


def test_asks_for_a_token_once(app: ShopifyClient, sandbox: ShopifySandbox) -> None:
    app.execute(IDENTIFY, {})
    app.execute(IDENTIFY, {})
    asked = grants(sandbox)
    assert len(asked) == 1
    assert asked[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked[0].body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": [sandbox.tokens.client_id],
        "client_secret": [sandbox.tokens.client_secret],
    }


def test_replaces_a_token_before_it_ends(app: ShopifyClient, sandbox: ShopifySandbox) -> None:
    app.execute(IDENTIFY, {})
    sandbox.clock.advance(86_399 - 301)
    app.execute(IDENTIFY, {})
    assert len(grants(sandbox)) == 1
    sandbox.clock.advance(1)
    app.execute(IDENTIFY, {})
    assert len(grants(sandbox)) == 2
    assert 401 not in [entry.status for entry in sandbox.log]


def test_a_revoked_token_is_renewed_once(app: ShopifyClient, sandbox: ShopifySandbox) -> None:
    app.execute(IDENTIFY, {})
    sandbox.tokens.revoke()
    assert app.execute(IDENTIFY, {})["shop"]
    assert [entry.status for entry in sandbox.log] == [200, 200, 401, 200, 200]


def test_a_shop_that_refuses_every_token_stops_it(
    app: ShopifyClient, sandbox: ShopifySandbox
) -> None:
    refuse = faults.when(lambda request: request.path != GRANT, faults.status(401))
    sandbox.faults = [refuse] * 20
    with pytest.raises(TokenError):
        app.execute(IDENTIFY, {})
    assert len(sandbox.log) == 4


def test_a_permanent_token_is_not_renewed(client: ShopifyClient, sandbox: ShopifySandbox) -> None:
    sandbox.tokens.permanent = "another"
    with pytest.raises(TokenError):
        client.execute(IDENTIFY, {})
    assert len(sandbox.log) == 1


def test_a_wrong_secret_is_told_without_it(
    app_settings: ShopifySettings,
    runtime: Runtime,
    sandbox: ShopifySandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SANDBOX_SHOPIFY_CLIENT_SECRET", "shpss_wrong")
    with (
        closing(ShopifyClient(app_settings, runtime)) as client,
        pytest.raises(AuthError, match="invalid_client") as raised,
    ):
        client.execute(IDENTIFY, {})
    assert "shpss_wrong" not in str(raised.value)
    assert len(sandbox.log) == 1


def test_an_app_of_another_organisation_is_told(
    app: ShopifyClient, sandbox: ShopifySandbox
) -> None:
    sandbox.faults = [faults.status(400, body=orjson.dumps({"error": "shop_not_permitted"}))]
    with pytest.raises(AuthError, match="shop_not_permitted"):
        app.execute(IDENTIFY, {})


@pytest.mark.parametrize(
    "fault", [faults.status(503), faults.body(b"{}"), faults.html()], ids=["503", "empty", "html"]
)
def test_trouble_with_the_grant_passes(
    app: ShopifyClient, sandbox: ShopifySandbox, fault: Callable[..., object]
) -> None:
    sandbox.faults = [fault]  # type: ignore[list-item]
    assert app.execute(IDENTIFY, {})["shop"]


def test_lasting_trouble_with_the_grant_is_said(
    app: ShopifyClient, sandbox: ShopifySandbox
) -> None:
    sandbox.faults = [faults.status(503)] * 100
    with pytest.raises(TransientError, match="503"):
        app.execute(IDENTIFY, {})
    assert len(sandbox.log) == 6


def test_the_grant_takes_json_too(sandbox: ShopifySandbox) -> None:
    content = {
        "grant_type": "client_credentials",
        "client_id": sandbox.tokens.client_id,
        "client_secret": sandbox.tokens.client_secret,
    }
    headers = {"content-type": "application/json"}
    answer = sandbox.respond(Request("POST", GRANT, "", headers, orjson.dumps(content)))
    granted = orjson.loads(answer.body)
    assert sorted(granted) == ["access_token", "expires_in", "scope"]
    assert granted["expires_in"] == 86_399
    assert "read_customers" in granted["scope"].split(",")


def test_the_grant_refuses_other_grants(sandbox: ShopifySandbox) -> None:
    answer = sandbox.respond(Request("POST", GRANT, "", {}, b"grant_type=password"))
    assert answer.status == 400


def test_a_token_ends_after_its_day(sandbox: ShopifySandbox) -> None:
    content = f"grant_type=client_credentials&client_id={sandbox.tokens.client_id}"
    content += f"&client_secret={sandbox.tokens.client_secret}"
    answer = sandbox.respond(Request("POST", GRANT, "", {}, content.encode()))
    token = orjson.loads(answer.body)["access_token"]
    sandbox.clock.advance(86_398)
    assert sandbox.tokens.accepts(token)
    sandbox.clock.advance(1)
    assert not sandbox.tokens.accepts(token)
