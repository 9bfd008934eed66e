"""Where customers live: the table of places, what is asked of it, and distances."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segmentd.segmenter import places
from segmentd.segmenter.columns import TermColumn
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.fields import FIELDS
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import Matches
from segmentd.segmenter.parser import parse
from segmenter_oracle.asking import instant
from segmenter_oracle.histories import Person, frames

BESIDE_ISO = {"AC", "TA", "XK"}
EU = set(
    re.findall(
        r"\w\w",
        "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK",
    )
)
COUNTRIES = {code: place for code, place in places.places().items() if len(code) == 2}
NOON = instant("2026-07-15T12:00:00")


def facts(*people: Person, now: int = NOON) -> Facts:
    return Facts(frames(people), Clock("UTC", datetime.fromtimestamp(now, UTC)))


def one(column: TermColumn) -> tuple[str, ...]:
    (code,) = column.codes.tolist()
    terms: tuple[str, ...] = column.distinct[code]
    return terms


def asked(field: str, person: Person, now: int = NOON) -> tuple[str, ...]:
    return one(facts(person, now=now).terms(field))


def table_of_zones(name: str) -> Iterator[list[str]]:
    text = resources.files("tzdata.zoneinfo").joinpath(name).read_text("utf-8")
    return (line.split("\t") for line in text.splitlines() if not line.startswith("#"))


def degrees(text: str) -> float:
    """``-0334`` is 3 degrees and 34 minutes south, ``+0511250`` is 51 degrees, 12.8 minutes."""
    digits = text[1:]
    whole = len(digits) - (2 if len(digits) in {4, 5} else 4)
    minutes = int(digits[whole : whole + 2]) / 60
    return (-1 if text[0] == "-" else 1) * (int(digits[:whole]) + minutes)


# the table


def test_every_country_is_there_once() -> None:
    text = resources.files("segmentd.segmenter").joinpath("places.csv").read_text("utf-8")
    codes = [row["code"] for row in csv.DictReader(text.splitlines())]
    assert len(codes) == len(set(codes))
    iso = {row[0] for row in table_of_zones("iso3166.tab")}
    assert len(iso) == 249
    assert {code for code in codes if len(code) == 2} == iso | BESIDE_ISO


def test_regions_follow_their_countries() -> None:
    for code, place in places.places().items():
        country, _, region = code.partition("-")
        assert re.fullmatch("[A-Z]{2}", country), code
        assert region == "" or re.fullmatch("[A-Z0-9]{1,5}", region), code
        assert place.areas == COUNTRIES[country].areas, code


@pytest.mark.parametrize(("country", "count"), [("US", 56), ("CA", 13), ("AU", 8)])
def test_large_countries_have_all_their_regions(country: str, count: int) -> None:
    assert sum(code.startswith(f"{country}-") for code in places.places()) == count


def test_every_place_is_on_the_globe() -> None:
    for code, place in places.places().items():
        assert -90 <= place.latitude <= 90, code
        assert -180 <= place.longitude <= 180, code
        assert place.climate in FIELDS["customer_climate"].choices, code


def test_members_of_unions() -> None:
    members = {code for code, place in COUNTRIES.items() if "EU" in place.areas}
    assert members == EU
    assert len(members) == 27
    economic = {code for code, place in COUNTRIES.items() if "EEA" in place.areas}
    assert economic == EU | {"IS", "LI", "NO"}
    assert all("EUROPE" in COUNTRIES[code].areas for code in economic)


def test_every_country_is_in_one_continent() -> None:
    continents = {
        "AFRICA", "ANTARCTICA", "ASIA", "EUROPE", "NORTH_AMERICA", "OCEANIA", "SOUTH_AMERICA",
    }  # fmt: skip
    for code, place in COUNTRIES.items():
        assert place.areas[0] == code
        assert len(continents & set(place.areas)) == 1, code


def test_central_points_lie_in_or_near_their_countries() -> None:
    """Against the cities by which the time zones are called, all within the country."""
    away: dict[str, float] = {}
    for country, point, *_ in table_of_zones("zone.tab"):
        found = re.fullmatch(r"([+-]\d+)([+-]\d+)", point)
        assert found
        place = COUNTRIES[country]
        here = (place.latitude, place.longitude)
        city = [np.array([degrees(part)]) for part in found.groups()]
        (distance,) = places.distance_km(here, city[0], city[1])
        away[country] = min(away.get(country, np.inf), distance)
    assert max(away.values()) < 1_600
    assert np.median(list(away.values())) < 150


def test_continents_agree_with_the_names_of_time_zones() -> None:
    regions = {
        "Africa": {"AFRICA"},
        "America": {"NORTH_AMERICA", "SOUTH_AMERICA"},
        "Antarctica": {"ANTARCTICA"},
        "Asia": {"ASIA"},
        "Australia": {"OCEANIA"},
        "Europe": {"EUROPE"},
        "Pacific": {"OCEANIA"},
    }
    named: dict[str, set[str]] = {}
    for country, _, zone, *_ in table_of_zones("zone.tab"):
        named.setdefault(country, set()).update(regions.get(zone.partition("/")[0], set()))
    differing = {
        code for code, found in named.items() if found and not found & set(COUNTRIES[code].areas)
    }
    assert differing == {"CY", "TR"}


# what is asked of it


@pytest.mark.parametrize(
    ("country", "region", "expected"),
    [
        ("BR", None, "TROPICAL"),
        ("SG", None, "TROPICAL"),
        ("EG", None, "DRY"),
        ("SA", None, "DRY"),
        ("GB", None, "TEMPERATE"),
        ("JP", None, "TEMPERATE"),
        ("CA", None, "CONTINENTAL"),
        ("FI", None, "CONTINENTAL"),
        ("GL", None, "POLAR"),
        ("US", None, "TEMPERATE"),
        ("US", "AK", "CONTINENTAL"),
        ("US", "AZ", "DRY"),
        ("US", "CA", "TEMPERATE"),
        ("US", "HI", "TROPICAL"),
        ("US", "MN", "CONTINENTAL"),
        ("US", "ZZ", "TEMPERATE"),
        ("CA", "BC", "TEMPERATE"),
        ("CA", "NU", "POLAR"),
        ("AU", "NT", "TROPICAL"),
        ("BR", "RS", "TEMPERATE"),
        ("CN", "HL", "CONTINENTAL"),
        ("CN", "CN9", "CONTINENTAL"),
        ("CL", "AN", "DRY"),
        ("CL", "CL-AN", "DRY"),
        ("MX", "QROO", "TROPICAL"),
        ("MX", "Q ROO", "TROPICAL"),
        ("IN", "rj", "DRY"),
        ("AR", "M", "DRY"),
        ("RU", "KDA", "TEMPERATE"),
    ],
)
def test_climate(country: str, region: str | None, expected: str) -> None:
    person = Person(1, country=country, region=region)
    assert asked("customer_climate", person) == (expected,)


@pytest.mark.parametrize(
    ("country", "expected"),
    [
        ("DE", ("DE", "EUROPE", "EU", "EEA")),
        ("NO", ("NO", "EUROPE", "EEA")),
        ("CH", ("CH", "EUROPE")),
        ("US", ("US", "NORTH_AMERICA")),
        ("MX", ("MX", "NORTH_AMERICA")),
        ("AR", ("AR", "SOUTH_AMERICA")),
        ("JP", ("JP", "ASIA")),
        ("TR", ("TR", "ASIA")),
        ("ZA", ("ZA", "AFRICA")),
        ("NZ", ("NZ", "OCEANIA")),
        ("ZZ", ()),
        (None, ()),
    ],
)
def test_areas(country: str | None, expected: tuple[str, ...]) -> None:
    assert asked("customer_areas", Person(1, country=country, region="x")) == expected


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (Person(1, country="US"), ("NORTHERN",)),
        (Person(1, country="AU"), ("SOUTHERN",)),
        (Person(1, country="BR"), ("SOUTHERN",)),
        (Person(1, country="BR", region="RR"), ("NORTHERN",)),
        (Person(1, country="ID", latitude=3.6), ("NORTHERN",)),
        (Person(1, country="EC", latitude=0.0), ("NORTHERN",)),
        (Person(1, latitude=-33.9), ("SOUTHERN",)),
        (Person(1, country="ZZ"), ()),
        (Person(1), ()),
    ],
)
def test_hemisphere(person: Person, expected: tuple[str, ...]) -> None:
    assert asked("customer_hemisphere", person) == expected


FRANCE = frames([Person(1, country="FR")])
SEASONS = ["WINTER", "WINTER", *(["SPRING"] * 3), *(["SUMMER"] * 3), *(["AUTUMN"] * 3), "WINTER"]


@pytest.mark.parametrize("month", range(1, 13))
def test_seasons(month: int) -> None:
    now = instant(f"2026-{month:02}-15T12:00:00")
    assert asked("customer_season", Person(1, country="FR"), now=now) == (SEASONS[month - 1],)
    half_a_year_later = SEASONS[(month + 5) % 12]
    assert asked("customer_season", Person(1, country="ZA"), now=now) == (half_a_year_later,)
    assert asked("customer_season", Person(1), now=now) == ()


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def test_seasons_change_when_due(month: int, zone: str) -> None:
    def known(now: int) -> Facts:
        return Facts(FRANCE, Clock(zone, datetime.fromtimestamp(now, UTC)))

    for local in (f"2026-{month:02}-01T00:00:00", f"2026-{month:02}-28T23:59:59"):
        now = instant(local, zone)
        (due,) = known(now).homes.season_due(known(now).clock).astype(int)
        assert due > now
        before = one(known(due - 1).terms("customer_season"))
        assert before == one(known(now).terms("customer_season"))
        assert before != one(known(due).terms("customer_season"))


def test_seasons_are_never_due_for_somebody_of_no_place() -> None:
    two = facts(Person(1), Person(2, latitude=1.0))
    due = two.homes.season_due(two.clock)
    assert np.isnan(due).tolist() == [True, False]


# distances


def within(parameters: str, *people: Person) -> list[bool]:
    matches = parse(f"customer_within_distance MATCHES ({parameters})")
    assert isinstance(matches, Matches)
    found: list[bool] = facts(*people).homes.within_distance(matches).tolist()
    return found


def test_who_lives_near() -> None:
    """A degree of a meridian is 111.195 km."""
    north = Person(1, latitude=53.0, longitude=13.0)
    south = Person(2, latitude=51.0, longitude=13.0)
    unknown = Person(3, country="DE")
    half_known = Person(4, latitude=52.0)
    people = (north, south, unknown, half_known)
    inside, outside = [True, True, False, False], [False] * 4
    assert within("coordinates = '52,13', distance_km <= 111.2", *people) == inside
    assert within("coordinates = '52,13', distance_km = 111.2", *people) == inside
    assert within("distance_km < 111.2, coordinates = '52.0, 13.0'", *people) == inside
    assert within("coordinates = '52,13', distance_km <= 111.1", *people) == outside
    assert within("coordinates = '52,13', distance_mi <= 69.1", *people) == inside
    assert within("coordinates = '52,13', distance_mi <= 69", *people) == outside
    assert within("coordinates = '53,13', distance_km <= 0", *people) == [True, *outside[1:]]
    assert within("coordinates = '53,13', distance_km < 0", *people) == outside


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("52.52,13.405", (52.52, 13.405)),
        (" -33.9 , +151.2 ", (-33.9, 151.2)),
        ("90,-180", (90.0, -180.0)),
        ("90.1,0", None),
        ("0,180.5", None),
        ("52.52", None),
        ("52.52;13.405", None),
        ("52,13,1", None),
        ("nan,0", None),
        ("1e1,0", None),
        ("Berlin", None),
        ("", None),
    ],
)
def test_coordinates(text: str, expected: tuple[float, float] | None) -> None:
    assert places.coordinates(text) == expected


POINTS = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
HALF_ROUND = np.pi * places.EARTH_RADIUS_KM


def distance(first: tuple[float, float], second: tuple[float, float]) -> float:
    (found,) = places.distance_km(first, np.array([second[0]]), np.array([second[1]]))
    return float(found)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((52.52, 13.405), (48.8566, 2.3522), 877.5),  # Berlin, Paris
        ((40.7128, -74.006), (51.5074, -0.1278), 5570.2),  # New York, London
        ((36.12, -86.67), (33.94, -118.4), 2886.45),  # the airports of Nashville and Los Angeles
        ((0, 179.5), (0, -179.5), 111.195),
        ((90, 0), (-90, 0), 20015.1),
    ],
)
def test_known_distances(
    first: tuple[float, float], second: tuple[float, float], expected: float
) -> None:
    assert distance(first, second) == pytest.approx(expected, abs=0.1)


@given(POINTS, POINTS)
def test_distances_are_the_same_both_ways(
    first: tuple[float, float], second: tuple[float, float]
) -> None:
    there = distance(first, second)
    assert there == pytest.approx(distance(second, first), abs=1e-6)
    assert 0 <= there <= HALF_ROUND + 1e-6
    assert distance(first, first) == 0


@given(POINTS, POINTS)
def test_a_place_and_its_opposite_are_half_the_round_apart(
    first: tuple[float, float], second: tuple[float, float]
) -> None:
    opposite = (-first[0], first[1] - 180 if first[1] > 0 else first[1] + 180)
    through = distance(first, second) + distance(second, opposite)
    assert through == pytest.approx(HALF_ROUND, abs=0.01)


@given(POINTS, POINTS, POINTS)
@example((0.0, 0.0), (1.0, 0.0), (1.192092896e-07, 180.0))
def test_no_way_round_is_shorter(
    first: tuple[float, float], second: tuple[float, float], third: tuple[float, float]
) -> None:
    assert distance(first, third) <= distance(first, second) + distance(second, third) + 1e-6
