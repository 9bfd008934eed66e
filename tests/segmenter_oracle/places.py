"""Where a customer lives, by the table of places that comes with segmentd."""

from __future__ import annotations

import csv
import math
from functools import cache
from importlib import resources

from segmentd.segmenter.language import Condition, Events, Name, Number, Text
from segmenter_oracle.days import World
from segmenter_oracle.histories import Person

_EARTH_KM = 6371.0088
_MILE_KM = 1.609344
_NORTHERN = {12: "WINTER", 3: "SPRING", 6: "SUMMER", 9: "AUTUMN"}
_OPPOSITE = {"WINTER": "SUMMER", "SPRING": "AUTUMN", "SUMMER": "WINTER", "AUTUMN": "SPRING"}


@cache
def _table() -> dict[str, dict[str, str]]:
    text = resources.files("segmentd.segmenter").joinpath("places.csv").read_text("utf-8")
    return {row["code"]: row for row in csv.DictReader(text.splitlines())}


def _of_country(person: Person) -> dict[str, str]:
    return _table().get(person.country or "", {})


def _of_region(person: Person) -> dict[str, str]:
    """The region's row, else the country's."""
    return _table().get(f"{person.country}-{person.region}", _of_country(person))


def areas(person: Person) -> list[str]:
    """The country itself, its continent, and the unions of countries."""
    country = _of_country(person)
    if not country:
        return []
    unions = {"EU": ["EU", "EEA"], "EEA": ["EEA"]}.get(country["union"], [])
    return [country["code"], country["continent"], *unions]


def climate(person: Person) -> str | None:
    return _of_region(person).get("climate")


def hemisphere(person: Person) -> str | None:
    """By the address, else by the middle of the region or country."""
    latitude = person.latitude
    if latitude is None:
        row = _of_region(person)
        latitude = float(row["latitude"]) if row else None
    if latitude is None:
        return None
    return "NORTHERN" if latitude >= 0 else "SOUTHERN"


def season(person: Person, world: World) -> str | None:
    """Three calendar months each, from December on."""
    month = world.today.month
    while month not in _NORTHERN:
        month -= 1 if month > 1 else -11
    found = {"NORTHERN": _NORTHERN[month], "SOUTHERN": _OPPOSITE[_NORTHERN[month]]}
    return found.get(hemisphere(person) or "")


def is_within(events: Events, person: Person) -> bool:
    """Whether the address lies in a circle; one that is not known does not."""
    if person.latitude is None or person.longitude is None:
        return False
    conditions = [each for each in events.parameters if isinstance(each, Condition)]
    (place,) = [each for each in conditions if each.subject == Name("coordinates")]
    (distance,) = [each for each in conditions if each.subject != Name("coordinates")]
    point, reach = place.operands[0], distance.operands[0]
    assert isinstance(point, Text)
    assert isinstance(reach, Number)
    latitude, longitude = map(float, point.value.split(","))
    found = _kilometres(latitude, longitude, person.latitude, person.longitude)
    limit = float(reach.value) * (_MILE_KM if distance.subject == Name("distance_mi") else 1)
    return found < limit if distance.operator == "<" else found <= limit


def _kilometres(latitude: float, longitude: float, other: float, beside: float) -> float:
    """Along a great circle, by the spherical law of cosines."""
    a, b, apart = map(math.radians, (latitude, other, beside - longitude))
    cosine = math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(apart)
    return _EARTH_KM * math.acos(max(-1.0, min(1.0, cosine)))
