"""A backfill by a bulk operation into a store, through crashes between its batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.sdk import Order, Refund
from segmentd_shopify import backfill
from segmentd_shopify.sandbox import ShopifySandbox

CONFIG = """
[store]
url = "sqlite:///s.db"
[sources.shop]
connector = "shopify"
shop = "sandbox.myshopify.com"
token_env = "SANDBOX_SHOPIFY_TOKEN"
base_url = "{url}"
orders_page = 10
bulk_from = 50
"""


class KilledError(BaseException):
    """The process ends here."""


@contextmanager
def program(folder: Path, sandbox: ShopifySandbox, batches: int = 10_000) -> Iterator[App]:
    """segmentd, killed before it writes so many batches."""
    left = [batches]

    def count(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError

    config = load_config(folder / "segmentd.toml")
    app = open_app(config, clock=sandbox.clock.now, sleep=sandbox.clock.advance, progress=count)
    with closing(app):
        yield app


def test_a_backfill_that_is_killed_again_and_again_runs_its_job_once(
    tmp_path: Path,
    sandbox: ShopifySandbox,
    url: str,
    make_order: Callable[..., Order],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backfill, "AT_ONCE", 10)
    moment = sandbox.clock.now() - timedelta(days=1)
    for number in range(1, 71):
        refunds = [Refund(str(number), moment, 250)] if number % 5 == 0 else []
        sandbox.put_order(make_order(number, moment, refunds=refunds, email="a@shopper.example"))
    sandbox.clock.advance(60)
    (tmp_path / "segmentd.toml").write_text(CONFIG.format(url=url))
    deaths = 0
    for _ in range(20):
        with program(tmp_path, sandbox, batches=4) as app:
            try:
                app.backfill().check()
            except KilledError:
                deaths += 1
                continue
            break
    with program(tmp_path, sandbox) as app:
        counts = app.store.status().counts
        with app.store._database.read() as connection:
            refunds = connection.exec_driver_sql("SELECT sum(amount) FROM refunds").scalar_one()
    assert deaths > 1
    assert counts["orders"] == 70
    assert refunds == 14 * 250
    assert [job.status for job in sandbox.bulk.all()] == ["COMPLETED"]
