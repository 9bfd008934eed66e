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
from functools import cache, cached_property
from importlib import resources

import numpy as np
import pandas as pd

from segmentd.segmenter.columns import Ints, TermColumn, combined, floats, texts
from segmentd.segmenter.days import day_start
from segmentd.segmenter.instants import Clock
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


class Homes:
    """Where the customers of a partition live: each place is looked up once."""

    def __init__(self, profiles: pd.DataFrame) -> None:
        self._profiles = profiles

    def areas(self) -> TermColumn:
        """The country's code, its continent, and ``EU`` and ``EEA`` for their members."""
        codes, found = self._places
        return TermColumn(codes, [place.areas for place in found])

    def climate(self) -> TermColumn:
        """The main group of the climate in the customer's region, or else country."""
        codes, found = self._places
        return TermColumn(codes, [(place.climate,) if place.climate else () for place in found])

    def hemisphere(self) -> TermColumn:
        """``NORTHERN`` or ``SOUTHERN``, by the customer's latitude or else that of the place."""
        return TermColumn(self._sides, [("NORTHERN",), ("SOUTHERN",), ()])

    def season(self, clock: Clock) -> TermColumn:
        """The meteorological season where the customer lives; in the tropics too."""
        north = date.fromordinal(clock.today).month % 12 // 3
        south = (north + 2) % 4
        return TermColumn(self._sides, [(_SEASONS[north],), (_SEASONS[south],), ()])

    def season_due(self, clock: Clock) -> Floats:
        """When the next season begins for all whose hemisphere is known."""
        day = date.fromordinal(clock.today)
        month = day.month // 3 * 3 + 3
        begin = date(day.year, month, 1) if month <= 12 else date(day.year + 1, 3, 1)
        instant = float(day_start(clock.zone, begin.toordinal()))
        return np.where(self._sides == _UNKNOWN, np.nan, instant)

    def within_distance(self, matches: Matches) -> Bools:
        """Who lives so near to a point, negation left aside; nobody whose coordinates are unknown.

        ``distance_km = 50`` means at most 50, as in Shopify.
        """
        _, operator, limit = _asked(matches)
        away = self.distances(matches)
        return away < limit if operator == "<" else away <= limit

    def distances(self, matches: Matches) -> Floats:
        """How many kilometres everybody lives from the point; NaN for unknown coordinates."""
        point, _, _ = _asked(matches)
        latitudes, longitudes = (floats(self._profiles, n) for n in ("latitude", "longitude"))
        return distance_km(point, latitudes, longitudes)

    @cached_property
    def _sides(self) -> Ints:
        """The side of the equator on which each customer lives, or ``_UNKNOWN``."""
        codes, found = self._places
        latitudes = floats(self._profiles, "latitude")
        central = np.array([place.latitude for place in found])[codes]
        latitudes = np.where(np.isnan(latitudes), central, latitudes)
        sides = np.where(latitudes < 0, _SOUTH, _NORTH)
        return np.where(np.isnan(latitudes), _UNKNOWN, sides).astype(np.int64)

    @cached_property
    def _places(self) -> tuple[Ints, list[Place]]:
        """The place of every customer, as a position in a list of places."""
        codes, found = combined(*(texts(self._profiles[name]) for name in ("country", "region")))
        return codes, [_find(country, region) for country, region in found]


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
