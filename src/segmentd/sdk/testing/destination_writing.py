"""The remote side becomes as asked, and nothing else changes there."""
# ruff: noqa: S101 - a suite of tests

from __future__ import annotations

import math

import pytest

from segmentd.domain.errors import ConfigError
from segmentd.sdk.contract import Action, Outcome
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.destination_case import DestinationCase
from segmentd.sdk.testing.memberships_there import (
    FOREIGN,
    Bench,
    adds,
    apply,
    assert_all,
    capabilities,
    held,
    key_of,
    keys,
    lists_of,
    more_than_a_batch,
    put_people,
    removes,
    shop_of,
)
from segmentd.sdk.testing.sandbox import (
    Request,
    Response,
    ShopSandbox,
)


class DestinationWriting(DestinationCase):
    """Names, batches, foreign tags, consents; see DestinationConformance."""

    # -- what the destination says about itself

    def test_info_proves_the_rights_without_writing(self, bench: Bench) -> None:
        with bench.destination() as destination:
            assert destination.info().name
        assert bench.sandbox.log
        assert bench.sandbox.writes() == 0

    def test_capabilities_are_sane(self, bench: Bench) -> None:
        abilities = capabilities(bench)
        assert (abilities.kind, abilities.needs) in {("tags", "customer_id"), ("lists", "email")}
        assert abilities.batch_size >= 1
        assert abilities.seconds_per_request > 0

    def test_f36_refuses_names_that_cannot_exist(self, bench: Bench) -> None:
        bad = [*self.bad_names, *(["a,b"] if isinstance(bench.sandbox, ShopSandbox) else [])]
        with bench.destination() as destination:
            for name in bad:
                with pytest.raises(ConfigError):
                    destination.check_name(name)
            destination.check_name("VIP")
            destination.check_name("Größte Kund:innen (90 Tage)")

    # -- I3: the remote side becomes as asked

    def test_i3_adds_and_removes(self, bench: Bench) -> None:
        people = put_people(bench, 3)
        receipts = apply(bench, adds("VIP", people))
        assert_all(receipts, adds("VIP", people), Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people)
        receipts = apply(bench, removes("VIP", people[:2]))
        assert_all(receipts, removes("VIP", people[:2]), Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people[2:])

    def test_i3_several_names_at_once(self, bench: Bench) -> None:
        people = put_people(bench, 4)
        apply(bench, adds("Lapsed", people))
        changes = [*adds("VIP", people[:3]), *removes("Lapsed", people[1:]), *adds("New", people)]
        assert_all(apply(bench, changes), changes, Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people[:3])
        assert held(bench, "Lapsed") == keys(people[:1])
        assert held(bench, "New") == keys(people)

    def test_i3_again_is_the_same(self, bench: Bench) -> None:
        people = put_people(bench, 3)
        for _ in range(2):
            assert_all(apply(bench, adds("VIP", people)), adds("VIP", people), Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people)
        for _ in range(2):
            receipts = apply(bench, removes("VIP", people))
            assert_all(receipts, removes("VIP", people), Outcome.APPLIED)
        assert held(bench, "VIP") == set()

    def test_i9_nothing_asked_nothing_sent(self, bench: Bench) -> None:
        bench.prepare("VIP")
        with bench.counted() as requests:
            assert apply(bench, []) == []
        assert requests == [0]

    @pytest.mark.parametrize(
        "name", ["Größte Kund:innen", 'O\'Brien "q" <b>&', "日本 ⭐", "50%_off"]
    )
    def test_i3_names_in_every_script(self, bench: Bench, name: str) -> None:
        people = put_people(bench, 2)
        apply(bench, adds(name, people))
        assert held(bench, name) == keys(people)
        apply(bench, removes(name, people[:1]))
        assert held(bench, name) == keys(people[1:])

    def test_i3_more_than_a_batch_in_as_few_writes_as_can_be(self, bench: Bench) -> None:
        people = put_people(bench, more_than_a_batch(bench))
        size = capabilities(bench).batch_size
        fewest = math.ceil(len(people) / size) * self.writes_per_batch
        for changes in (adds("VIP", people), removes("VIP", people)):
            bench.prepare("VIP")
            before = bench.sandbox.writes()
            assert_all(apply(bench, changes), changes, Outcome.APPLIED)
            assert bench.sandbox.writes() - before == fewest
            wanted = keys(people) if changes[0].action is Action.ADD else set()
            assert held(bench, "VIP") == wanted

    def test_counts_requests_and_writes(self, bench: Bench) -> None:
        people = put_people(bench, 2)
        apply(bench, adds("VIP", people))
        assert bench.runtime.meter.requests == len(bench.sandbox.log)
        assert bench.runtime.meter.writes == bench.sandbox.writes()

    def test_may_be_stopped_between_receipts(self, bench: Bench) -> None:
        people = put_people(bench, more_than_a_batch(bench))
        bench.prepare("VIP")
        with bench.destination() as destination:
            receipts = iter(destination.apply(adds("VIP", people), bench.names))
            assert next(receipts).outcome is Outcome.APPLIED
            close = getattr(receipts, "close", None)
            if close:
                close()
        assert_all(apply(bench, adds("VIP", people)), adds("VIP", people), Outcome.APPLIED)
        assert held(bench, "VIP") == keys(people)

    # -- I4 and I11: what is not ours stays as it is

    def test_i4_foreign_tags_stay_to_the_letter(self, bench: Bench) -> None:
        shop = shop_of(bench)
        people = put_people(bench, 2)
        shop.set_tags(key_of(people[0]), FOREIGN)
        apply(bench, adds("VIP", people))
        assert shop.tags()[key_of(people[0])] == {*FOREIGN, "VIP"}
        apply(bench, removes("VIP", people))
        assert shop.tags()[key_of(people[0])] == set(FOREIGN)

    def test_i4_a_tag_in_another_spelling_is_not_doubled(self, bench: Bench) -> None:
        shop = shop_of(bench)
        people = put_people(bench, 1)
        shop.set_tags(key_of(people[0]), ["vip", *FOREIGN])
        apply(bench, adds("VIP", people))
        tags = shop.tags()[key_of(people[0])]
        assert [tag.casefold() for tag in tags].count("vip") == 1
        assert set(FOREIGN) <= tags

    def test_i4_a_tag_given_by_hand_meanwhile_stays(self, bench: Bench) -> None:
        if not self.atomic_tags:
            pytest.skip("the API only takes full lists")
        shop = shop_of(bench)
        people = put_people(bench, 1)

        meanwhile = [FOREIGN]

        def interfere(request: Request, handle: faults.Handler) -> Response:
            if meanwhile and shop.is_write(request):
                shop.set_tags(key_of(people[0]), meanwhile.pop())
            return handle(request)

        shop.faults[:] = [interfere] * 50
        apply(bench, adds("VIP", people))
        assert set(FOREIGN) <= shop.tags()[key_of(people[0])]

    def test_i11_no_consent_changes(self, bench: Bench) -> None:
        lists = lists_of(bench)
        people = put_people(bench, 3)
        put_profile = getattr(lists, "put_profile", None)
        if put_profile:
            put_profile(key_of(people[0]), "UNSUBSCRIBED")
            put_profile(key_of(people[1]), "SUBSCRIBED")
        before = lists.consents()
        apply(bench, adds("VIP", people))
        apply(bench, removes("VIP", people[:1]))
        after = lists.consents()
        assert {email: after.get(email) for email in before} == before
        new = {after[email] for email in after.keys() - before.keys()}
        assert "SUBSCRIBED" not in new, "somebody was subscribed who had not asked for it"
