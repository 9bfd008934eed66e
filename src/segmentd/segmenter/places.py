"""Where customers live: parts of the world, hemisphere, climate, season, distance from a point.

``places.csv`` lists every country of ISO 3166-1 (as of 2026) and the codes AC, TA and XK that shops
use beside them, with its continent (Russia in Europe, Türkiye and the Caucasus in Asia, Cyprus in
Europe, Central America and the Caribbean in North America), the 27 members of the EU and the
further members of the EEA on 1 January 2026, a central point in degrees, and the main group of its
climate by Koeppen and Geiger (the coldest month of a continental climate is below 0 °C) where most
of its people live. Regions of large countries follow, with the codes of ISO, Shopify and
WooCommerce, where climate or hemisphere differ inside of the country.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

import numpy as np

from segmentd.segmenter.columns import Ints, TermColumn, floats, texts
from segmentd.segmenter.days import day_start
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.language import Condition, Matches, Name, Number, Text
from segmentd.segmenter.predicates import Bools, Floats, Terms

KM_PER_MILE = 1.609344
EARTH_RADIUS_KM = 6371.0088
"""The mean radius of the International Union of Geodesy and Geophysics."""

_SEASONS = ("WINTER", "SPRING", "SUMMER", "AUTUMN")
"""The meteorological seasons of the north, from December on, three months each."""
_NORTH, _SOUTH, _UNKNOWN = 0, 1, 2
_COORDINATES = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*,\s*([+-]?\d+(?:\.\d+)?)\s*")


@dataclass(frozen=True, slots=True)
class Place:
    """A country, or a region of a large one."""

    areas: Terms
    latitude: float
    longitude: float
    climate: str


_NOWHERE = Place((), np.nan, np.nan, "")


@cache
def places() -> Mapping[str, Place]:
    """Every known place by its code: ``US``, ``US-CA``."""
    table = resources.files("segmentd.segmenter").joinpath("places.csv").read_text("utf-8")
    known: dict[str, Place] = {}
    for row in csv.DictReader(table.splitlines()):
        country = known.get(row["code"].partition("-")[0])
        areas = country.areas if country else _areas(row["code"], row["continent"], row["union"])
        known[row["code"]] = Place(
            areas, float(row["latitude"]), float(row["longitude"]), row["climate"]
        )
    return known


def _areas(code: str, continent: str, union: str) -> Terms:
    unions = {"EU": ("EU", "EEA"), "EEA": ("EEA",)}.get(union, ())
    return (code, continent, *unions)


def areas(facts: Facts) -> TermColumn:
    """The country's code, its continent, and ``EU`` and ``EEA`` for their members."""
    codes, found = _places_of(facts)
    return TermColumn(codes, [place.areas for place in found])


def climate(facts: Facts) -> TermColumn:
    """The main group of the climate in the customer's region, or else country."""
    codes, found = _places_of(facts)
    return TermColumn(codes, [(place.climate,) if place.climate else () for place in found])


def hemisphere(facts: Facts) -> TermColumn:
    """``NORTHERN`` or ``SOUTHERN``, by the customer's latitude or else that of the place."""
    return TermColumn(_sides(facts), [("NORTHERN",), ("SOUTHERN",), ()])


def season(facts: Facts) -> TermColumn:
    """The meteorological season where the customer lives; in the tropics too."""
    month = date.fromordinal(facts.clock.today).month
    north = month % 12 // 3
    south = (north + 2) % 4
    return TermColumn(_sides(facts), [(_SEASONS[north],), (_SEASONS[south],), ()])


def season_due(facts: Facts) -> Floats:
    """When the next season begins for all whose hemisphere is known."""
    day = date.fromordinal(facts.clock.today)
    month = day.month // 3 * 3 + 3
    begin = date(day.year, month, 1) if month <= 12 else date(day.year + 1, 3, 1)
    instant = float(day_start(facts.clock.zone, begin.toordinal()))
    return np.where(_sides(facts) == _UNKNOWN, np.nan, instant)


def within_distance(matches: Matches, facts: Facts) -> Bools:
    """Who lives so near to a point, negation left aside; nobody whose coordinates are unknown.

    ``distance_km = 50`` means at most 50, as in Shopify.
    """
    profiles = facts.frames.profiles
    point, operator, limit = _asked(matches)
    away = distance_km(point, floats(profiles, "latitude"), floats(profiles, "longitude"))
    return away < limit if operator == "<" else away <= limit


def coordinates(text: str) -> tuple[float, float] | None:
    """Latitude and longitude of ``'52.52,13.405'``; None for anything else."""
    found = _COORDINATES.fullmatch(text)
    if found is None:
        return None
    latitude, longitude = float(found[1]), float(found[2])
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def distance_km(point: tuple[float, float], latitudes: Floats, longitudes: Floats) -> Floats:
    """Great-circle distances from a point, by Vincenty's formula (1975) for a sphere: it loses no
    digits, neither for neighbours nor on the other side of the Earth."""
    latitude, others = np.radians(point[0]), np.radians(latitudes)
    turn = np.radians(longitudes - point[1])
    east = np.cos(others) * np.sin(turn)
    north = np.cos(latitude) * np.sin(others) - np.sin(latitude) * np.cos(others) * np.cos(turn)
    along = np.sin(latitude) * np.sin(others) + np.cos(latitude) * np.cos(others) * np.cos(turn)
    away: Floats = EARTH_RADIUS_KM * np.arctan2(np.hypot(east, north), along)
    return away


def _asked(matches: Matches) -> tuple[tuple[float, float], str, float]:
    """The point, the operator and the number of kilometres."""
    point, operator, limit = None, "", np.nan
    for parameter in matches.events.parameters:
        match parameter:
            case Condition(Name("coordinates"), _, (Text(written),)):
                point = coordinates(written)
            case Condition(Name(unit), operator, (Number(length),)):
                limit = float(length) * (KM_PER_MILE if unit == "distance_mi" else 1.0)
    assert point is not None  # noqa: S101 - rules are checked before
    return point, operator, limit


def _sides(facts: Facts) -> Ints:
    """The side of the equator on which each customer lives, or ``_UNKNOWN``."""
    codes, found = _places_of(facts)
    latitudes = floats(facts.frames.profiles, "latitude")
    central = np.array([place.latitude for place in found])[codes]
    latitudes = np.where(np.isnan(latitudes), central, latitudes)
    sides = np.where(latitudes < 0, _SOUTH, _NORTH)
    return np.where(np.isnan(latitudes), _UNKNOWN, sides).astype(np.int64)


def _places_of(facts: Facts) -> tuple[Ints, list[Place]]:
    """The place of every customer, as a position in a list of places."""
    countries = texts(facts.frames.profiles["country"])
    regions = texts(facts.frames.profiles["region"])
    width = len(regions.distinct)
    pairs, codes = np.unique(countries.codes * width + regions.codes, return_inverse=True)
    found = [_find(countries.distinct[p // width], regions.distinct[p % width]) for p in pairs]
    return codes.astype(np.int64), found


def _find(country: Terms, region: Terms) -> Place:
    if not country:
        return _NOWHERE
    code = country[0].upper()
    known = places()
    if region:
        # WooCommerce writes some states with the country, Shopify writes "Q ROO"
        part = region[0].upper().replace(" ", "").removeprefix(f"{code}-")
        if f"{code}-{part}" in known:
            return known[f"{code}-{part}"]
    return known.get(code, _NOWHERE)
