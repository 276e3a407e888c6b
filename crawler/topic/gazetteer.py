"""The places of Afghanistan.

Provinces, districts, cities, passes, crossings and bases, with their spellings.

Data: `data/places.csv`; where its facts come from stands in `data/CREDITS.md`. Read
once, lazily; pure.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One row of the gazetteer.

    Coordinates are WGS 84 degrees; None where nobody gives one.
    """

    code: str  # OCHA P-code, GeoNames id with `GN`, or a name for what has neither
    kind: str  # province, district, city, crossing, pass, base
    name: str  # as the English press writes it
    province_code: str  # "" for what belongs to none, such as the Durand Line
    lat: float | None
    lon: float | None
    spellings: tuple[str, ...]  # every form, in three languages
    # The forms that are also ordinary words or names of persons: not a place without a
    # cue
    cued: frozenset[str]


@cache
def load_places() -> dict[str, Place]:
    """All places by code, in the order of the file.

    Provinces and districts before towns.
    """
    text = (
        resources.files("crawler")
        .joinpath("data/places.csv")
        .read_text(encoding="utf-8")
    )
    return {row["code"]: _parse_place(row) for row in csv.DictReader(text.splitlines())}


def _parse_place(row: dict[str, str]) -> Place:
    free, cued = (
        tuple(form for form in row[column].split("|") if form)
        for column in ("spellings", "cued")
    )
    return Place(
        code=row["code"],
        kind=row["kind"],
        name=row["name"],
        province_code=row["province_code"],
        lat=float(row["lat"]) if row["lat"] else None,
        lon=float(row["lon"]) if row["lon"] else None,
        spellings=free + cued,
        cued=frozenset(cued),
    )


def place_rows() -> Iterable[dict[str, str | float | None]]:
    """The rows of the store's `places`: code, kind, name, province_code, lat, lon."""
    for place in load_places().values():
        yield {
            "code": place.code,
            "kind": place.kind,
            "name": place.name,
            "province_code": place.province_code or None,
            "lat": place.lat,
            "lon": place.lon,
        }
