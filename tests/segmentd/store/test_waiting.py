"""What a daemon sees when it looks at the store."""

from __future__ import annotations

from sqlalchemy import event, text

from segmentd.store import Store, open_store
from segmentd.store.waiting import Held
from shop_in_store import DAY, HOUR, NOW, TTL, Shop, customer


def due(store: Store, **instants: int) -> None:
    with store._database.write() as connection:
        for customer_id, hours in instants.items():
            connection.execute(
                text("UPDATE profiles SET due_at = :at WHERE customer_id = :id").bindparams(
                    at=int(NOW.timestamp()) + 3600 * hours if store._database.sqlite
                    else NOW + hours * HOUR, id=customer_id.strip("c")
                )
            )  # fmt: skip


def test_of_an_empty_store_nothing_waits(store: Store) -> None:
    waiting = store.waiting(NOW)
    assert (waiting.due, waiting.dirty, waiting.leases) == (None, False, {})
    assert waiting.quiet()


def test_the_earliest_due_instant_and_marks_are_seen(store: Store, shop: Shop) -> None:
    shop.save(customer("1"), customer("2"), customer("3"))
    due(store, c1=5, c2=2)
    waiting = store.waiting(NOW)
    assert waiting.due == store.status().next_due == NOW + 2 * HOUR
    assert waiting.dirty


def test_the_look_reads_an_index_and_not_everybody(file_url: str) -> None:
    with open_store(file_url) as store:
        seen: list[str] = []
        event.listen(store._database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
        store.waiting(NOW)
        looks = [statement for statement in seen if "due_at" in statement]
        with store._database.read() as connection:
            (plan,) = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {looks[0]}").all()
    assert "INDEX profiles_due" in str(plan)


def test_who_holds_what_and_who_died_over_it(store: Store) -> None:
    first = store.acquire("source:a", "elsewhere:1", TTL, NOW)
    store.acquire("segment", "elsewhere:1", TTL, NOW - DAY)
    store.release(store.acquire("destination:b", "elsewhere:1", TTL, NOW))
    waiting = store.waiting(NOW + TTL / 2)
    assert waiting.leases == {
        "source:a": Held(1, NOW, live=True, orphaned=False),
        "segment": Held(1, NOW - DAY, live=False, orphaned=True),
        "destination:b": Held(1, NOW, live=False, orphaned=False),
    }
    assert not waiting.quiet()
    store.release(first)
    assert store.waiting(NOW + TTL / 2).quiet()


def test_up_to_when_a_source_is_known(store: Store, shop: Shop) -> None:
    assert store.watermarks("shop") == {}
    with store._database.write() as connection:
        at = int(NOW.timestamp()) if store._database.sqlite else NOW
        for stream in ("orders", "orders:backfill"):
            connection.execute(
                text("INSERT INTO cursors (source, stream, watermark) VALUES ('shop', :s, :at)"),
                {"s": stream, "at": at},
            )
    assert store.watermarks("shop") == {"orders": NOW}
