"""What a shop withholds from our app, from the beginning or from one day on, paged and in bulk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.domain.errors import AuthError
from segmentd.pipeline.pull import PullSummary
from segmentd.sdk import Customer, Order
from segmentd.sdk.testing.faults import Handler
from segmentd.sdk.testing.sandbox import Request, Response
from segmentd_shopify.sandbox import ShopifySandbox
from segmentd_shopify.settings import ShopifySettings

CONFIG = """
[store]
url = "sqlite:///s.db"
[sources.shop]
connector = "shopify"
shop = "sandbox.myshopify.com"
token_env = "SANDBOX_SHOPIFY_TOKEN"
base_url = "{url}"
customers_page = 2
bulk_from = {bulk_from}
"""
EMAIL = frozenset({"Customer.defaultEmailAddress", "Order.email"})
ADDRESS = frozenset({"Customer.defaultAddress", "Order.shippingAddress"})
NAME = frozenset({"Customer.firstName", "Customer.lastName"})
PAGED, IN_BULK = 25_000, 1


@pytest.fixture(params=[PAGED, IN_BULK], ids=["paged", "in_bulk"])
def app(
    request: pytest.FixtureRequest, tmp_path: Path, sandbox: ShopifySandbox, url: str
) -> Iterator[App]:
    """segmentd, and four customers in its shop."""
    for number in "123":
        sandbox.put_customer(person(number))
    sandbox.put_customer(replace(person("4"), email=None, country=None))
    sandbox.clock.advance(3600)
    config = tmp_path / "segmentd.toml"
    config.write_text(CONFIG.format(url=url, bulk_from=request.param))
    made = open_app(load_config(config), clock=sandbox.clock.now, sleep=sandbox.clock.advance)
    with closing(made):
        yield made


def in_bulk(app: App) -> bool:
    settings = app.config.sources["shop"].settings
    assert isinstance(settings, ShopifySettings)
    return settings.bulk_from == IN_BULK


def person(number: str) -> Customer:
    return Customer(
        number, email=f"c{number}@shopper.example", first_name="Tove", country="NO", city="Oslo"
    )


def pulled(app: App, sandbox: ShopifySandbox) -> PullSummary:
    """An hour later."""
    sandbox.clock.advance(3600)
    outcome = app.pull()
    outcome.check()
    (summary,) = outcome.done
    return summary


def change(sandbox: ShopifySandbox, number: str, **fields: Any) -> None:
    """Something about a person is another, an hour later."""
    sandbox.clock.advance(3600)
    (person,) = (each for each in sandbox.projection()[0] if each.id == number)
    sandbox.put_customer(replace(person, updated_at=sandbox.clock.now(), **fields))


def known(app: App, column: str = "email") -> Mapping[str, str | None]:
    """What the store knows of each customer."""
    with app.store._database.read() as connection:
        rows = connection.exec_driver_sql(f"SELECT customer_id, {column} FROM profiles")
        return {row[0]: row[1] for row in rows}


ALL_ADDRESSES = {
    "1": "c1@shopper.example",
    "2": "c2@shopper.example",
    "3": "c3@shopper.example",
    "4": None,
}


def test_who_was_never_let_see_them_works_by_ids(app: App, sandbox: ShopifySandbox) -> None:
    sandbox.protected = EMAIL
    summary = pulled(app, sandbox)
    assert known(app) == dict.fromkeys("1234")
    (warning,) = summary.warnings
    assert "email, email_consent" in warning
    assert 'protected customer data "Email"' in warning
    change(sandbox, "2", country="SE")
    assert pulled(app, sandbox).written == 1
    assert known(app, "country")["2"] == "SE"


def test_a_right_that_is_taken_away_takes_nothing_along(app: App, sandbox: ShopifySandbox) -> None:
    pulled(app, sandbox)
    before = app.store.cursor("shop", "customers").watermark
    sandbox.protected = EMAIL
    change(sandbox, "2", email="new@shopper.example")
    sandbox.put_customer(replace(person("5"), updated_at=sandbox.clock.now()))
    with pytest.raises(AuthError, match=r"no longer shows us email, email_consent .*Email") as stop:
        pulled(app, sandbox)
    assert "segmentd backfill shop --accept-removals" in str(stop.value.hint)
    assert known(app) == ALL_ADDRESSES
    assert app.store.cursor("shop", "customers").watermark == before
    jobs = {job.status for job in sandbox.bulk.all()}
    assert jobs == ({"COMPLETED", "FAILED"} if in_bulk(app) else set())
    with pytest.raises(AuthError):
        app.backfill().check()
    # the right comes back
    sandbox.protected = frozenset()
    assert pulled(app, sandbox).warnings == []
    assert known(app) == {
        **ALL_ADDRESSES,
        "2": "new@shopper.example",
        "5": "c5@shopper.example",
    }


def test_an_order_that_changes_does_not_lose_its_guest(
    app: App, sandbox: ShopifySandbox, make_order: Callable[..., Order]
) -> None:
    guest = make_order(1, sandbox.clock.now(), email="guest@shopper.example")
    sandbox.put_order(guest)
    pulled(app, sandbox)
    sandbox.protected = EMAIL
    sandbox.put_order(replace(guest, total=900, updated_at=sandbox.clock.now()))
    with pytest.raises(AuthError, match="no longer shows us email"):
        pulled(app, sandbox)
    with app.store._database.read() as connection:
        owner = connection.exec_driver_sql(
            "SELECT p.email FROM orders o JOIN profiles p USING (profile_id)"
        ).scalar_one()
    assert owner == "guest@shopper.example"


def test_so_is_a_country(app: App, sandbox: ShopifySandbox) -> None:
    pulled(app, sandbox)
    sandbox.protected = ADDRESS
    change(sandbox, "2", email="new@shopper.example")
    with pytest.raises(AuthError, match=r"shows us city, country of customers .*Address"):
        pulled(app, sandbox)
    assert known(app, "country")["2"] == "NO"


def test_what_nothing_is_kept_of_may_go(app: App, sandbox: ShopifySandbox) -> None:
    pulled(app, sandbox)
    sandbox.protected = NAME
    change(sandbox, "2", email="new@shopper.example")
    (warning,) = pulled(app, sandbox).warnings
    assert "first_name, last_name of customers" in warning
    assert known(app)["2"] == "new@shopper.example"


def test_a_person_may_go_on_without(app: App, sandbox: ShopifySandbox) -> None:
    pulled(app, sandbox)
    sandbox.protected = EMAIL
    sandbox.clock.advance(3600)
    app.backfill(accept_removals=True).check()
    assert known(app) == dict.fromkeys("1234")
    change(sandbox, "2", country="SE")
    assert "email" in pulled(app, sandbox).warnings[0]
    assert known(app, "country")["2"] == "SE"


@pytest.mark.parametrize("app", [PAGED], ids=["paged"], indirect=True)
def test_a_right_that_is_taken_away_in_the_middle(app: App, sandbox: ShopifySandbox) -> None:
    pulled(app, sandbox)
    for number in "1234":
        change(sandbox, number, city="Bergen")

    def withdraw(request: Request, handle: Handler) -> Response:
        answer = handle(request)
        if b"query Customers(" in request.body:
            sandbox.protected = EMAIL
        else:
            sandbox.faults.insert(0, withdraw)
        return answer

    sandbox.faults.append(withdraw)
    with pytest.raises(AuthError, match="no longer shows us email"):
        pulled(app, sandbox)
    assert known(app, "city") == {"1": "Bergen", "2": "Bergen", "3": "Oslo", "4": "Oslo"}
    assert known(app) == ALL_ADDRESSES
