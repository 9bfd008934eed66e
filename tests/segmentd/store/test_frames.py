"""The facts that the segmenter gets, over the connection and through ADBC."""

from __future__ import annotations

import math
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from segmentd.domain.records import Customer, OrderLine, Product, Refund
from segmentd.segmenter import frames as shapes
from segmentd.segmenter.frames import RARE, Frames
from segmentd.segmenter.unstored import OF_NEWS, OF_VALUES
from segmentd.store import Store
from segmentd.store.bulk import Bulk
from segmentd.store.facts import EVERYTHING, PartFacts
from shop_in_store import DAY, NOW, Shop, customer, order, read_range

COLUMNS = {
    "profiles": shapes.PROFILE_COLUMNS,
    "orders": shapes.ORDER_COLUMNS,
    "lines": shapes.LINE_COLUMNS,
    "refunds": shapes.REFUND_COLUMNS,
    "products": shapes.PRODUCT_COLUMNS,
    "events": shapes.EVENT_COLUMNS,
    "traits": shapes.TRAIT_COLUMNS,
    "memberships": shapes.MEMBERSHIP_COLUMNS,
}
INTEGERS = {
    "profiles": {"profile_id"},
    "orders": {"order_id", "profile_id", "placed_at", "counted"},
    "lines": {"order_id", "profile_id", "placed_at", "counted", "product_id", "quantity"},
    "refunds": {"order_id", "profile_id", "created_at", "placed_at", "counted"},
    "products": {"product_id"},
    "events": {"event_id", "profile_id", "at"},
    "traits": {"profile_id"},
    "memberships": {"profile_id", "entered_at"},
}
NUMBERS = {
    "profiles": {"created_at", "latitude", "longitude", "due_at"},
    "orders": {"cancelled_at", "total", "discount"},
    "lines": {"cancelled_at", "amount", "discount"},
    "refunds": {"cancelled_at", "amount"},
    "products": {"published_at", "price"},
    "events": {"amount", "ended_at"},
    "traits": set(),
    "memberships": {"left_at", "lapsing_at"},
}
"""May be missing; what is neither of the two is a text or a list."""


@pytest.fixture(scope="module")
def worker() -> Iterator[ProcessPoolExecutor]:
    """One process that may load ADBC."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        yield executor


def fill(shop: Shop) -> None:
    """At least one of everything that can be missing, and something in every column."""
    mug = OrderLine("1", "p1", quantity=2, amount=1800, discount=200)
    shop.save(
        Product("p1", "Mug", "kitchen", "Potter", ["blue", "new"], ["Home", "Home > Kitchen"],
                published_at=NOW - 200 * DAY, price=1000),
        Product("p2"),
        Customer(
            "1", NOW, NOW - 100 * DAY, "A@shopper.example", country="DE", region="BW", city="Ulm",
            postcode="89073", latitude=48.4011, longitude=-9.5, language="de",
            account_state="ENABLED", email_consent="SUBSCRIBED", sms_consent="PENDING",
            tags=["VIP", "wholesale"], traits={"meta.level": "gold", "meta.age": "41"},
        ),
        customer("2"),
        order("o1", "1", total=1999, lines=[mug, OrderLine("2", None, 1, 199)], channel="web",
              country="AT", discount=200, discount_codes=["SAVE10", "MORE"], tags=["gift", "b2b"],
              refunds=[Refund("r1", NOW - DAY, 500)]),
        order("o2", "1", cancelled_at=NOW, currency="USD", lines=[mug], discount=1,
              refunds=[Refund("r1", NOW, 1)]),
        order("o3", "2", paid=False, placed=datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        order("o4", "3", lines=[OrderLine("1", "p2", 1, 5)]),
        order("o5", email="guest@shopper.example"),
    )  # fmt: skip
    one, two = shop.profile("1"), shop.profile("2")
    shop.insert("events", name="Viewed Product", remote_id="v1", profile_id=one, at=NOW - DAY,
                properties="\ncolour=blue\n")  # fmt: skip
    shop.insert("events", name="checkout", remote_id="c1", profile_id=one, at=NOW - DAY,
                ended_at=NOW, amount=1999)  # fmt: skip
    shop.insert("events", name="checkout", remote_id="c2", profile_id=two, at=NOW, amount=5)
    for number, (profile, segment, entered, ago) in enumerate(
        [(one, "vip", 1, 9), (one, "new", 1, 9), (one, "vip", 0, 7), (two, "vip", 1, 6),
         (one, "vip", 1, 5)]
    ):  # fmt: skip
        shop.insert("membership_changes", change_id=number, profile_id=profile, segment=segment,
                    entered=entered, at=NOW - ago * DAY, cause="data")  # fmt: skip
    shop.insert("memberships", profile_id=one, segment="vip", since=NOW - 5 * DAY, cause="data",
                lapsing_at=NOW - 2 * DAY)  # fmt: skip


def everything(store: Store) -> Frames:
    """All profiles, over the connection."""
    return store.frames(range(1, 100))


def ordered(frames: Frames) -> dict[str, pd.DataFrame]:
    """Frames whose rows stand in a known order."""
    return {
        field.name: frame.sort_values(list(frame.columns), ignore_index=True)
        for field in fields(frames)
        if isinstance(frame := getattr(frames, field.name), pd.DataFrame)
    }


def assert_same(left: Frames, right: Frames) -> None:
    """The same values in the same types."""
    for name, frame in ordered(left).items():
        assert_frame_equal(frame, ordered(right)[name], obj=name)


def test_frames_have_the_columns_and_types_that_are_agreed(shop: Shop) -> None:
    fill(shop)
    for frames in (everything(shop.store), shop.store.frames([])):
        for name, columns in COLUMNS.items():
            frame = getattr(frames, name)
            assert tuple(frame.columns) == columns
            kinds = {str(column): str(kind) for column, kind in frame.dtypes.items()}
            assert kinds == {
                column: "int64"
                if column in INTEGERS[name]
                else "float64"
                if column in NUMBERS[name]
                else "object"
                for column in columns
            }


def test_frames_say_what_the_records_said(shop: Shop) -> None:
    fill(shop)
    frames = shop.store.frames([shop.profile("1")])
    (profile,) = frames.profiles.drop(columns="due_at").to_dict("records")
    assert profile == {
        "profile_id": shop.profile("1"), "source": "shop", "customer_id": "1",
        "created_at": (NOW - 100 * DAY).timestamp(), "email": "A@shopper.example",
        "country": "DE", "region": "BW", "city": "Ulm", "postcode": "89073",
        "latitude": 48.4011, "longitude": -9.5, "language": "de", "account_state": "ENABLED",
        "email_consent": "SUBSCRIBED", "sms_consent": "PENDING", "tags": "\nVIP\nwholesale\n",
    }  # fmt: skip
    first = frames.orders.iloc[0].to_dict()
    assert first.pop("order_id") > 0
    assert pd.isna(first.pop("cancelled_at"))
    assert first == {
        "profile_id": shop.profile("1"), "placed_at": (NOW - DAY).timestamp(), "counted": 1,
        "total": 1999.0, "discount": 200.0, "channel": "web", "country": "AT",
        "discount_codes": "\nSAVE10\nMORE\n", "tags": "\ngift\nb2b\n",
    }  # fmt: skip
    assert frames.orders["discount"].isna().tolist() == [False, True]
    assert frames.lines["product_id"].tolist()[1] == -1
    assert frames.lines["discount"].tolist()[:2] == [200.0, 0.0]
    assert frames.products["remote_id"].tolist() == ["p1"]
    assert frames.products["price"].tolist() == [1000.0]
    assert frames.products["published_at"].tolist() == [(NOW - 200 * DAY).timestamp()]
    assert frames.products["categories"].tolist() == ["\nHome\nHome > Kitchen\n"]
    assert frames.refunds["amount"].tolist()[0] == 500.0


def test_frames_say_what_a_profile_did_and_is(shop: Shop) -> None:
    fill(shop)
    profile = shop.profile("1")
    frames = shop.store.frames([profile])
    viewed, checkout = frames.events.sort_values("event_id").to_dict("records")
    assert (viewed["profile_id"], viewed["name"]) == (profile, "Viewed Product")
    assert viewed["at"] == (NOW - DAY).timestamp()
    assert viewed["properties"] == "\ncolour=blue\n"
    assert (pd.isna(viewed["amount"]), pd.isna(viewed["ended_at"])) == (True, True)
    assert (checkout["amount"], checkout["ended_at"]) == (1999.0, NOW.timestamp())
    traits = frames.traits.sort_values("name").to_dict("records")
    assert traits == [
        {"profile_id": profile, "name": "meta.age", "value": "41"},
        {"profile_id": profile, "name": "meta.level", "value": "gold"},
    ]


def ago(days: int) -> float:
    return (NOW - days * DAY).timestamp()


def test_memberships_are_the_times_that_a_profile_was_a_member(shop: Shop) -> None:
    fill(shop)
    frame = shop.store.frames([shop.profile("1")]).memberships
    rows = frame.sort_values(["segment", "entered_at"]).fillna(-1).to_dict("records")
    assert [tuple(row.values()) for row in rows] == [
        (shop.profile("1"), "new", ago(9), -1, -1),
        (shop.profile("1"), "vip", ago(9), ago(7), -1),
        (shop.profile("1"), "vip", ago(5), -1, ago(2)),
    ]


def test_only_frames_that_are_needed_are_read(
    shop: Shop, url: str, worker: ProcessPoolExecutor
) -> None:
    fill(shop)
    needs = frozenset({"traits", "profiles.country", "memberships:new", "memberships:it's"})
    here = read_part(shop.store, needs)
    there = worker.submit(read_range, url, 1, 100, needs).result()
    assert_same(here, there)
    assert here.memberships["segment"].tolist() == ["new"]
    assert len(here.traits) == 2
    assert list(here.profiles) == ["profile_id", "created_at", "country"]
    for name in ("orders", "lines", "refunds", "products", "events"):
        assert_frame_equal(getattr(here, name), getattr(shop.store.frames([]), name))


def test_only_columns_that_are_needed_are_read(
    shop: Shop, url: str, worker: ProcessPoolExecutor
) -> None:
    fill(shop)
    needs = frozenset({"orders", "orders.country", "lines"})
    here = read_part(shop.store, needs)
    assert_same(here, worker.submit(read_range, url, 1, 100, needs).result())
    whole = everything(shop.store)
    assert_frame_equal(here.orders, whole.orders[list(here.orders)])
    assert_frame_equal(here.lines, whole.lines[list(here.lines)])
    assert set(whole.orders) - set(here.orders) == RARE["orders"] - {"country"}
    assert set(whole.lines) - set(here.lines) == RARE["lines"]


def read_part(store: Store, needs: frozenset[str]) -> Frames:
    """What the other reader reads of a few profiles."""
    with store._database.read() as connection:
        bulk = Bulk(connection, sqlite=store._database.sqlite)
        return PartFacts(bulk).read(range(1, 100), needs)


def test_both_readers_read_the_same(shop: Shop, url: str, worker: ProcessPoolExecutor) -> None:
    fill(shop)
    read = worker.submit(read_range, url, 1, 100, EVERYTHING).result()
    assert_same(everything(shop.store), read)


def test_both_readers_read_what_the_pass_before_stored(
    shop: Shop, url: str, worker: ProcessPoolExecutor
) -> None:
    fill(shop)
    one, other = shop.profile("1"), shop.profile("2")
    subject = {"subject_id": 7, "name": "amount_spent", "profiles": 2, "total": "3", "squares": "5"}
    shop.insert("relative_subjects", **subject)
    for who, value, last in ((one, 1.5, -math.inf), (other, 2.0, 1e9)):
        shop.insert("relative_values", profile_id=who, subject_id=7, value=value, orders=0.0,
                    last_order_at=last, earlier=-float(who))  # fmt: skip
    with shop.store._database.write() as connection:
        bulk = Bulk(connection, sqlite=shop.store._database.sqlite)
        bulk.update_due([(bulk.instant(NOW), other)])
    # whoever is gone since must still leave
    shop.remove("customers", "1")
    needs = OF_NEWS | OF_VALUES
    here = read_part(shop.store, needs)
    assert_same(here, worker.submit(read_range, url, 1, 100, needs).result())
    assert here.members is not None
    assert here.values is not None
    assert set(here.members["profile_id"]) == {one}
    assert here.values.to_numpy().tolist() == [[other, "amount_spent", 2.0, 0.0, 1e9]]
    assert here.profiles.set_index("profile_id")["due_at"][other] == NOW.timestamp()


def test_ranges_of_which_nothing_is_there(
    shop: Shop, url: str, worker: ProcessPoolExecutor
) -> None:
    fill(shop)
    read = worker.submit(read_range, url, 1000, 2000, frozenset({"orders"})).result()
    assert_same(shop.store.frames([]), read)


def test_both_readers_leave_out_who_is_gone(
    shop: Shop, url: str, worker: ProcessPoolExecutor
) -> None:
    fill(shop)
    gone = shop.profile("1")
    shop.remove("customers", "1")
    shop.remove("orders", "o4")
    here = everything(shop.store)
    read = worker.submit(read_range, url, 1, 100, EVERYTHING).result()
    for name in COLUMNS.keys() - {"products"}:
        assert gone not in set(getattr(here, name)["profile_id"])
        left, right = ordered(here)[name], ordered(read)[name]
        assert_frame_equal(left, right)
    assert set(here.orders["profile_id"]) == {
        shop.profile("2"), shop.profile("guest:guest@shopper.example"),
    }  # fmt: skip


def test_a_text_or_place_that_first_comes_late_is_read(
    shop: Shop, url: str, worker: ProcessPoolExecutor
) -> None:
    """ADBC decides a column's type by its first 1,024 rows (performance.md, section 4)."""
    shop.save(*(customer(str(n)) for n in range(1100)))
    shop.save(Customer("late", NOW, country="DE", latitude=0.5, longitude=7.0))
    read = worker.submit(read_range, url, 1, 5000, EVERYTHING).result()
    assert read.profiles["country"].tolist() == [None] * 1100 + ["DE"]
    for name, last in (("latitude", 0.5), ("longitude", 7.0)):
        assert read.profiles[name].isna().tolist() == [True] * 1100 + [False]
        assert read.profiles[name].tolist()[-1] == last


def test_ids_beyond_float_precision_stay_exact(shop: Shop) -> None:
    shop.save(order("o1", "1"), order("o2", "1"))
    large = 2**53 + 1
    with shop.store._database.write() as connection:
        connection.exec_driver_sql(
            f"UPDATE orders SET order_id = {large}, fx_missing = 1 WHERE remote_id = 'o1'"
        )
    assert large in everything(shop.store).orders["order_id"].tolist()


def test_ranges_cover_everybody_once(shop: Shop) -> None:
    assert list(shop.store.ranges(3)) == []
    fill(shop)
    shop.remove("customers", "2")
    ranges = shop.store.ranges(3)
    covered = [profile for low, high in ranges for profile in range(low, high + 1)]
    ids = everything(shop.store).profiles["profile_id"].tolist()
    assert len(covered) == len(set(covered))
    assert {*ids, shop.profile("2")} <= set(covered)
    assert len(ranges) == 2


FULL_PASS = """
import sys
from datetime import UTC, datetime
from functools import partial
from segmentd.domain.segments import Segment
from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.ruleset import Shop, compile_segments
from segmentd.store import open_store

rules = compile_segments([Segment("many", "Many", "number_of_orders >= 1")], Shop("UTC", "EUR"))
with open_store(sys.argv[1]) as store:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    work = partial(evaluate, rules, now=now, thresholds={})
    parts = list(store.full_pass(store.ranges(2), rules.needs, work))
print(sum(int(part.members["many"].sum()) for part in parts), len(parts))
print(sorted(name for name in sys.modules if name.startswith("adbc_driver_sqlite")))
"""


def test_a_full_pass_leaves_the_process_with_one_sqlite_library(shop: Shop, url: str) -> None:
    """ADBC's driver has a SQLite of its own, and two of them with one file open in one process
    cancel each other's locks (sqlite.org/howtocorrupt.html, 2.2.1)."""
    fill(shop)
    done = subprocess.run(
        [sys.executable, "-c", FULL_PASS, url], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["3 2", "[]"]
