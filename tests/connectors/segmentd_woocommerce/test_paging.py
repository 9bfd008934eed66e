"""Going through lists that change: nothing that stays may be missed, and it must end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest

from segmentd.sdk import ConfigError, Customer, Order, TransientError, Window
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Fault, Request, Response
from segmentd_woocommerce.client import WooClient
from segmentd_woocommerce.pages import Row
from segmentd_woocommerce.paging import Changes, Place, Sweep, SweepPlace, place_of
from segmentd_woocommerce.sandbox import WooCommerceSandbox
from segmentd_woocommerce.sandbox.store import OrderRow

START = datetime(2026, 11, 1, tzinfo=UTC)
NewOrder = Callable[..., Order]
FIELDS = {"_fields": "id,date_modified_gmt"}


# -- by change time, against the sandbox


@pytest.fixture
def store(sandbox: WooCommerceSandbox, new_order: NewOrder) -> Callable[..., None]:
    def put(number: int, seconds: float) -> None:
        moment = START + timedelta(seconds=seconds)
        sandbox.put_order(new_order(number, placed_at=START, updated_at=moment))

    return put


def changes(
    client: WooClient, since: datetime | None = None, place: Place | None = None
) -> Iterator[tuple[list[Row], Place]]:
    window = Window(since, START + timedelta(days=30))
    return Changes(client, "orders", FIELDS, window, place or Place(since)).pages()


Make = Callable[..., WooClient]


def test_the_list_shrinks_as_it_is_read(
    sandbox: WooCommerceSandbox, client: Make, store: Callable[..., None]
) -> None:
    """Else the last page of a long list would be counted and sorted over the whole of it."""
    for number in range(1, 61):
        store(number, 10 * 3600 * number)
    ids = [row["id"] for rows, _ in changes(client(per_page=10)) for row in rows]
    assert ids == list(range(1, 61))
    offsets = [int(entry.request.query.get("offset", 0)) for entry in sandbox.log]
    assert max(offsets) < 13
    assert "modified_after" not in sandbox.log[0].request.query
    assert sandbox.log[-1].request.query["modified_after"] > "2026-11-20"


@pytest.mark.parametrize("per_page", [1, 3, 50])
def test_many_of_one_second(client: Make, store: Callable[..., None], per_page: int) -> None:
    for number in range(1, 41):
        store(number, 5)
    ids = [row["id"] for rows, _ in changes(client(per_page=per_page)) for row in rows]
    assert ids == list(range(1, 41))


@pytest.mark.parametrize("step", [0, 1, 600, 5000])
def test_goes_on_from_any_place(client: Make, store: Callable[..., None], step: int) -> None:
    for number in range(1, 31):
        store(number, step * number)
    made = client(per_page=4)
    seen: list[int] = []
    for rows, place in changes(made):
        seen += [row["id"] for row in rows]
        assert place_of(place.text("any")) == ("any", place)
        rest = [row["id"] for part, _ in changes(made, None, place) for row in part]
        assert set(seen) | set(rest) == set(range(1, 31))
        assert len(rest) <= 30 - len(seen) + 10


@pytest.mark.parametrize("touched", [[1], [1, 2, 3, 4], [5], [2, 5, 9, 14]])
def test_orders_changed_meanwhile_hide_none(
    sandbox: WooCommerceSandbox, client: Make, store: Callable[..., None], touched: list[int]
) -> None:
    for number in range(1, 31):
        store(number, 10 * number)
    sandbox.clock.set(START + timedelta(days=60))
    pages = changes(client(per_page=4))
    seen = {row["id"] for row in next(pages)[0]}
    for number in touched:
        sandbox.touch_order(str(number))
    seen |= {row["id"] for rows, _ in pages for row in rows}
    assert set(range(1, 31)) - set(touched) <= seen


def test_an_order_changed_again_within_the_window_comes_again(
    sandbox: WooCommerceSandbox, client: Make, store: Callable[..., None]
) -> None:
    for number in range(1, 11):
        store(number, number)
    pages = changes(client(per_page=4))
    found = list(next(pages)[0])
    store(1, 5000)
    found += [row for rows, _ in pages for row in rows]
    assert [row["date_modified_gmt"] for row in found if row["id"] == 1] == [
        "2026-11-01T00:00:01",
        "2026-11-01T01:23:20",
    ]


def test_an_order_that_was_read_and_moved_marks_no_place(
    sandbox: WooCommerceSandbox, client: Make, store: Callable[..., None]
) -> None:
    """Three leave, the fourth goes to the end: where it stood, but behind unread ones."""
    for number in range(1, 8):
        store(number, number)
    sandbox.clock.set(START + timedelta(days=60))
    pages = changes(client(per_page=4))
    seen = [row["id"] for row in next(pages)[0]]
    for number in (1, 2, 3):
        sandbox.touch_order(str(number))
    store(4, 5000)
    seen += [row["id"] for rows, _ in pages for row in rows]
    assert seen == [1, 2, 3, 4, 5, 6, 7, 4]


@pytest.mark.parametrize(
    ("position", "unread"),
    [
        ('["any", null, 4, "2026-11-01T00:40:00+00:00", [1, 2, 3, 4]]', range(5, 13)),
        (
            '["any", "2026-10-31T22:40:00+00:00", 6, "2026-11-01T01:00:00+00:00", [3, 4, 5, 6]]',
            range(7, 13),
        ),
        ('["any", "2026-11-01T00:00:00+00:00", 0, null, []]', range(1, 13)),
    ],
)
def test_goes_on_from_places_of_the_first_version(
    client: Make, store: Callable[..., None], position: str, unread: range
) -> None:
    for number in range(1, 13):
        store(number, 600 * number)
    phase, place = place_of(position)
    assert phase == "any"
    ids = [row["id"] for rows, _ in changes(client(per_page=3), None, place) for row in rows]
    assert set(unread) <= set(ids)
    assert len(ids) <= len(unread) + len(place.ids)


def sort_by_local_time(
    sandbox: WooCommerceSandbox, monkeypatch: pytest.MonkeyPatch, zone_at: Callable[..., tzinfo]
) -> None:
    """As orders kept as posts; each row has the zone that the shop had when it was changed."""

    def local(row: OrderRow) -> datetime:
        moment = row.modified or START
        return moment.astimezone(zone_at(moment)).replace(tzinfo=None)

    rows = sorted(sandbox.store.orders.rows.values(), key=local)
    assert [row.id for row in rows] != sorted(sandbox.store.orders.rows)
    monkeypatch.setattr(sandbox.store.orders, "in_order", lambda *_: rows)


@pytest.mark.parametrize("first", [1, 12, 15, 18, 24])
def test_a_list_sorted_by_local_time(
    sandbox: WooCommerceSandbox,
    client: Make,
    store: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    first: int,
) -> None:
    """On the night when clocks are set back (05:00 to 07:00 GMT)."""
    for number in range(1, 41):
        store(number, 4 * 3600 + 360 * number)
    sort_by_local_time(sandbox, monkeypatch, lambda _: sandbox.store.zone)
    since = START + timedelta(hours=4, minutes=6 * first) if first > 1 else None
    ids = [row["id"] for part, _ in changes(client(per_page=3), since) for row in part]
    assert sorted(set(ids)) == list(range(first, 41))


@pytest.mark.parametrize(("before", "after"), [(0, -5), (0, -8), (14, -12)])
@pytest.mark.parametrize("stop", [3, 13, 15, 99])
def test_a_shop_that_was_given_another_time_zone(
    sandbox: WooCommerceSandbox,
    client: Make,
    store: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    before: int,
    after: int,
    stop: int,
) -> None:
    """A fresh WordPress stands at UTC; the owner finds the setting after the first sales."""
    for number in range(1, 201):
        store(number, 3600 * number)
    switch = START + timedelta(hours=100)
    zones = timezone(timedelta(hours=before)), timezone(timedelta(hours=after))
    sort_by_local_time(sandbox, monkeypatch, lambda moment: zones[moment >= switch])
    made = client(per_page=7)
    begun = list(itertools.islice(changes(made), stop))
    pages = begun + list(changes(made, None, begun[-1][1]))
    assert {row["id"] for rows, _ in pages for row in rows} == set(range(1, 201))


@pytest.mark.parametrize("stop", [3, 10, 20])
def test_going_on_asks_for_no_page_twice(
    sandbox: WooCommerceSandbox, client: Make, store: Callable[..., None], stop: int
) -> None:
    for number in range(1, 301):
        store(number, 1200 * number)
    made = client(per_page=10)
    pages = list(changes(made))
    whole = len(sandbox.log)
    list(changes(made, None, pages[stop - 1][1]))
    assert len(sandbox.log) - whole <= whole - stop


def test_an_ignored_filter_is_noticed(
    sandbox: WooCommerceSandbox, client: Make, store: Callable[..., None]
) -> None:
    def ignore(request: Request, handle: Callable[[Request], Response]) -> Response:
        old = request.query_string.replace("modified_after", "unknown")
        return handle(replace(request, query_string=old))

    store(1, 0)
    sandbox.door.https = True
    sandbox.faults.append(ignore)
    with pytest.raises(ConfigError, match="ignores modified_after"):
        list(changes(client(auth="basic"), START + timedelta(hours=1)))


def test_a_first_page_that_is_not_shown_is_no_end(
    sandbox: WooCommerceSandbox, client: Make, store: Callable[..., None]
) -> None:
    for number in range(1, 8):
        store(number, number)
    hidden = faults.answer(Response(200, {"x-wp-total": "7"}, b"[]"))
    sandbox.faults.append(hidden)
    with pytest.raises(TransientError, match="fewer records than it counts"):
        list(changes(client(per_page=4)))


# -- by id


def sweep(
    client: WooClient, place: SweepPlace | None = None
) -> Iterator[tuple[list[Row], SweepPlace]]:
    params = {"role": "all", "_fields": "id"}
    return Sweep(client, "customers", params, place or SweepPlace()).pages()


def test_a_sweep_goes_on_from_any_place(sandbox: WooCommerceSandbox, client: Make) -> None:
    for number in range(1, 18):
        sandbox.put_customer(Customer(str(number)))
    made = client(per_page=4)
    seen: list[int] = []
    for rows, place in sweep(made):
        seen += [row["id"] for row in rows]
        again = SweepPlace.of(place.text())
        assert again == place
        rest = [row["id"] for part, _ in sweep(made, again) for row in part]
        assert seen + rest == list(range(1, 18))


def test_a_sweep_goes_on_from_a_place_of_the_first_version(
    sandbox: WooCommerceSandbox, client: Make
) -> None:
    for number in range(1, 18):
        sandbox.put_customer(Customer(str(number)))
    pages = sweep(client(per_page=4), SweepPlace.of("[8, 8, 8, null]"))
    assert [row["id"] for rows, _ in pages for row in rows] == list(range(9, 18))


def counting(extra: list[int]) -> Fault:
    """The store counts more customers than it lists; how many more, anew for each answer."""

    def fault(request: Request, handle: Callable[[Request], Response]) -> Response:
        response = handle(request)
        total = int(response.headers["x-wp-total"]) + extra.pop(0)
        response.headers["x-wp-total"] = str(total)
        return response

    return fault


def test_accounts_hidden_for_good_are_left_out(sandbox: WooCommerceSandbox, client: Make) -> None:
    for number in (1, 2, 3):
        sandbox.put_customer(Customer(str(number)))
    sandbox.faults += [counting([1] * 9)] * 9
    ids = [row["id"] for rows, _ in sweep(client()) for row in rows]
    assert set(ids) == {1, 2, 3}
    assert len(ids) == 6, "a second pass had to show that it is no accident"


def test_a_sweep_that_differs_from_pass_to_pass_is_no_success(
    sandbox: WooCommerceSandbox, client: Make
) -> None:
    for number in (1, 2, 3):
        sandbox.put_customer(Customer(str(number)))
    sandbox.faults += [counting([2] * 9)] * 9
    pages = sweep(client())
    next(pages)
    sandbox.delete_customer("3")
    with pytest.raises(TransientError, match="records are counted"):
        list(pages)


def test_a_store_that_sorts_otherwise(sandbox: WooCommerceSandbox, client: Make) -> None:
    sandbox.faults.append(faults.body(b'[{"id": 2}, {"id": 1}]'))
    with pytest.raises(TransientError, match="ignores orderby"):
        list(sweep(client()))
