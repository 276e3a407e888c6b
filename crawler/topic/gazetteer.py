"""The places of Afghanistan, with their spellings.

They are provinces, districts, cities, passes, crossings and bases. Data:
`data/places.csv`; where its facts come from stands in `data/CREDITS.md`. Read once, at
the first use; pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from crawler import data_files

PROVINCE_CODE_CHARS = 4  # of a P-code: AF27; a district's has six


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
    # The forms that are also ordinary words or names of persons: a place only with a cue
    cued: frozenset[str]


def is_province_code(code: str) -> bool:
    """Whether a place's code is that of a province."""
    return len(code) == PROVINCE_CODE_CHARS


@cache
def load_places() -> dict[str, Place]:
    """All places by code, in the order of the file: provinces, districts, towns."""
    places: dict[str, Place] = {}
    for row in data_files.read_csv("places.csv"):
        free = [form for form in row["spellings"].split("|") if form]
        cued = [form for form in row["cued"].split("|") if form]
        places[row["code"]] = Place(
            code=row["code"],
            kind=row["kind"],
            name=row["name"],
            province_code=row["province_code"],
            lat=_parse_degrees(row["lat"]),
            lon=_parse_degrees(row["lon"]),
            spellings=(*free, *cued),
            cued=frozenset(cued),
        )
    return places


def _parse_degrees(text: str) -> float | None:
    if not text:
        return None
    return float(text)


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
