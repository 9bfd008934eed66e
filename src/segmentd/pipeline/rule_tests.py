"""Rule tests: the same evaluation as for a shop, over customers that a file makes up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from segmentd.domain.errors import ConfigError
from segmentd.domain.identity import email_key
from segmentd.domain.records import Product
from segmentd.domain.suggest import did_you_mean
from segmentd.pipeline.ask import Asking
from segmentd.sdk.values import exponent
from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.explain import Explanation
from segmentd.segmenter.fields import Kind, subject_field
from segmentd.segmenter.fitted import fitted_name
from segmentd.segmenter.fixtures import SOURCE, Person, frames_of, of_profiles
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.preview import Ids
from segmentd.segmenter.ruleset import Ruleset

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Surprise:
    """A customer who is in a segment, or is not, against what was expected."""

    segment: str
    customer: str
    member: bool
    why: Explanation


def surprises(
    ruleset: Ruleset,
    people: Sequence[Person],
    products: Sequence[Product],
    now: datetime,
    expect: Mapping[str, Iterable[str]],
    values: Mapping[str, int | float],
) -> Iterator[Surprise]:
    """Where the rules decide otherwise than expected, segment by segment.

    ``expect``: segment → the names of all of its members. ``values``: store-relative values (in
    major units) and fitted variables (``$days``) that are given rather than computed from these
    few people. ConfigError for a segment or value that is not known.
    """
    for key in expect:
        if key not in ruleset.rules:
            raise ConfigError(f'there is no segment "{key}"{did_you_mean(key, ruleset.rules)}')
    given = dict(_thresholds(ruleset, values))
    fixture = _Fixture(people, products)
    asking = Asking(fixture, ruleset, now, given=given).of(*expect)
    settled, (thresholds,) = asking.settled((now,))
    members = evaluate(settled, fixture.everything, now, thresholds).members
    for key, names in expect.items():
        inside = members.index[members[key]].tolist()
        found = {people[number - 1].customer.id for number in inside}
        for number, person in enumerate(people, 1):
            name = person.customer.id
            if (name in found) != (name in names):
                ((_, why),) = asking.explain(number, [key], thresholds)
                yield Surprise(key, name, name in found, why)


def _thresholds(ruleset: Ruleset, values: Mapping[str, int | float]) -> Iterator[tuple[str, str]]:
    relatives = ruleset.relatives
    known = {*relatives, *(f"${name}" for name in ruleset.fitted)}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f'no rule uses the value "{name}"{did_you_mean(name, known)}')
        if name.startswith("$"):
            yield fitted_name(name[1:]), str(Decimal(str(value)))
            continue
        field = subject_field(relatives[name])
        money = field is not None and field.kind is Kind.MONEY
        decimals = exponent(ruleset.shop.currency) if money else 0
        yield name, repr(float(Decimal(str(value)).scaleb(decimals)))


class _Fixture:
    """The people of a file in the place of a store."""

    def __init__(self, people: Sequence[Person], products: Sequence[Product]) -> None:
        self.everything = frames_of(people, products)
        self._people = people
        self._products = products

    def frames(
        self,
        profile_ids: Sequence[int],
        needs: frozenset[str] | None = None,  # noqa: ARG002
    ) -> Frames:
        return of_profiles(self.everything, profile_ids)

    def ranges(self, size: int) -> Sequence[tuple[int, int]]:
        count = len(self._people)
        return [(low, min(low + size - 1, count)) for low in range(1, count + 1, size)]

    def full_pass(
        self, ranges: Sequence[tuple[int, int]], needs: frozenset[str], work: Callable[[Frames], T]
    ) -> Iterator[T]:
        return (work(self.frames(range(low, high + 1), needs)) for low, high in ranges)

    def known(self, customers: Iterable[str]) -> dict[str, list[int]]:
        found = {
            customer: [n for n, person in enumerate(self._people, 1) if _is(person, customer)]
            for customer in customers
        }
        return {customer: ids for customer, ids in found.items() if ids}

    def prices(self) -> list[int]:
        return [product.price for product in self._products if product.price is not None]

    def remote_orders(self, order_ids: Iterable[int | str]) -> dict[int | str, str]:
        orders = [order.id for person in self._people for order in person.orders]
        return {number: orders[int(number) - 1] for number in order_ids}

    def thresholds(self) -> dict[str, str]:
        return {}

    def member_ids(self) -> dict[str, Ids]:
        return {}


def _is(person: Person, customer: str) -> bool:
    """A pin names somebody by the name in the file, or by the e-mail address."""
    own = person.customer
    address = email_key(own.email)
    return customer in {own.id, f"{SOURCE}:{own.id}"} or (
        address is not None and address == email_key(customer)
    )
