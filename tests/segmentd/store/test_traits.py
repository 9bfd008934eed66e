"""What else a platform keeps of its customers."""

from __future__ import annotations

from dataclasses import replace

from segmentd.store import Store
from shop_in_store import NOW, Shop, customer, order, rows

GOLD = {"meta.level": "gold", "meta.age": "41"}


def traits(store: Store) -> list[tuple[object, ...]]:
    return rows(store, "SELECT profile_id, name, value, source FROM traits ORDER BY 1, 2")


def test_traits_are_stored_with_their_source(shop: Shop, store: Store) -> None:
    shop.save(replace(customer("1"), traits=GOLD))
    profile = shop.profile("1")
    assert traits(store) == [
        (profile, "meta.age", "41", "shop"),
        (profile, "meta.level", "gold", "shop"),
    ]


def test_a_trait_that_the_record_no_longer_carries_is_deleted(shop: Shop, store: Store) -> None:
    shop.save(replace(customer("1"), traits=GOLD), replace(customer("2"), traits=GOLD))
    shop.clean()
    saved = shop.save(replace(customer("1"), traits={"meta.level": "silver"}))
    assert (saved.written, shop.dirty()) == (1, {shop.profile("1")})
    assert traits(store)[:1] == [(shop.profile("1"), "meta.level", "silver", "shop")]
    assert len(traits(store)) == 3


def test_the_order_of_traits_is_no_change(shop: Shop) -> None:
    shop.save(replace(customer("1"), traits=GOLD))
    shop.clean()
    again = shop.save(replace(customer("1"), traits=dict(reversed(GOLD.items()))))
    assert (again.written, again.unchanged, shop.dirty()) == (0, 1, set())


def test_traits_of_elsewhere_are_left_alone(shop: Shop, store: Store) -> None:
    shop.save(replace(customer("1"), traits=GOLD))
    profile = shop.profile("1")
    shop.insert("traits", profile_id=profile, name="traits.shoe", value="42", source="csv", at=NOW)
    shop.save(replace(customer("1"), traits={}))
    assert traits(store) == [(profile, "traits.shoe", "42", "csv")]
    shop.remove("customers", "1")
    assert traits(store) == [(profile, "traits.shoe", "42", "csv")]


def test_who_is_gone_has_no_traits_of_the_shop(shop: Shop, store: Store) -> None:
    shop.save(replace(customer("1"), traits=GOLD), replace(customer("2"), traits=GOLD))
    shop.remove("customers", "1")
    assert {profile for profile, *_ in traits(store)} == {shop.profile("2")}
    shop.save(replace(customer("1"), traits=GOLD))
    assert len(traits(store)) == 4


def test_a_merge_keeps_what_only_the_other_profile_had(shop: Shop, store: Store) -> None:
    shop.save(
        order("o1", email="a@shopper.example"),
        replace(customer("1", "old@shopper.example"), traits=GOLD),
    )
    guest = shop.profile("guest:a@shopper.example")
    for name, value in (("traits.shoe", "42"), ("meta.level", "bronze")):
        shop.insert("traits", profile_id=guest, name=name, value=value, source="csv", at=NOW)
    shop.save(replace(customer("1", "a@shopper.example"), traits=GOLD))
    profile = shop.profile("1")
    assert shop.profile("guest:a@shopper.example") == profile
    assert traits(store) == [
        (profile, "meta.age", "41", "shop"),
        (profile, "meta.level", "gold", "shop"),
        (profile, "traits.shoe", "42", "csv"),
    ]


def test_texts_that_databases_refuse_are_stored_alike(shop: Shop, store: Store) -> None:
    shop.save(replace(customer("1"), traits={"meta.a": "nul\x00", "meta.b": "half \ud83d"}))
    assert [value for _, _, value, _ in traits(store)] == ["nul\ufffd", "half \ufffd"]
