"""Numbers as the geometry of a drawing: bars over days, places on a map. Pure.

Templates write it as SVG.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from storage import data_files
from storage.query.overview import PlaceCount

# Units of the drawings
BARS_WIDTH, BARS_HEIGHT = 620.0, 90.0
_MIN_BAR_HEIGHT = 2.0  # of a day with an article; without one a line is left
_EMPTY_BAR_HEIGHT = 0.5
MAP_WIDTH = 1_000.0
_MARGIN = 18.0
_OVERHANG = 40.0  # how far a place may lie outside: borders are rough at 1:110m
_MIN_RADIUS, _MAX_RADIUS = 4.0, 34.0
_RADIUS_OF_ONE = 8.0  # so that a handful of articles does not look like a war
_LABEL_HEIGHT, _LABEL_WIDTH = 24.0, 150.0
_RIGHT_PART = 0.78  # of the width, right of which a label would leave the map

_MAX_LABELS = 14
# The latitude at which a degree east is drawn as long as it is
_MIDDLE_LATITUDE = math.radians(34)
_WEEKEND = {3, 4}  # Thursday and Friday


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day. Heights in units of the drawing, from its foot."""

    day: str
    count: int
    x: float
    y: float
    width: float
    height: float
    weekend: bool  # Thursday and Friday


def draw_bars(counts: Mapping[str, int], *, last: date, days: int) -> list[Bar]:
    """A bar for each of the `days` days up to `last`, also for those without any."""
    highest = max([*counts.values(), 1])
    step = BARS_WIDTH / days
    bars = []
    for at in range(days):
        day = last - timedelta(days=days - 1 - at)
        count = counts.get(day.isoformat(), 0)
        # One article beside a day of a thousand must still be seen.
        smallest = _MIN_BAR_HEIGHT if count else _EMPTY_BAR_HEIGHT
        height = max(count / highest * BARS_HEIGHT, smallest)
        bars.append(
            Bar(
                day=day.isoformat(),
                count=count,
                x=round(at * step + step * 0.12, 1),
                y=round(BARS_HEIGHT - height, 1),
                width=round(step * 0.76, 1),
                height=round(height, 1),
                weekend=day.weekday() in _WEEKEND,
            )
        )
    return bars


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A place on the map."""

    place: PlaceCount
    x: float
    y: float
    radius: float
    label: bool  # there is room to write its name
    left: bool  # the name stands on its left side


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """The outline of the country as a path, and the places in it."""

    width: float
    height: float
    outline: str
    dots: tuple[Dot, ...]


def draw_map(places: Iterable[PlaceCount]) -> Map:
    """Places as circles whose area follows the number of articles, largest first."""
    border = load_outline()
    lons, lats = zip(*border, strict=True)
    west, north = min(lons), max(lats)
    narrowing = math.cos(_MIDDLE_LATITUDE)
    scale = (MAP_WIDTH - 2 * _MARGIN) / ((max(lons) - west) * narrowing)
    height = (north - min(lats)) * scale + 2 * _MARGIN

    def project(lon: float, lat: float) -> tuple[float, float]:
        x = _MARGIN + (lon - west) * narrowing * scale
        y = _MARGIN + (north - lat) * scale
        return round(x, 1), round(y, 1)

    spots = []
    for place in places:
        # Most texts name the country: its circle would cover all others.
        if place.lat is None or place.lon is None or place.kind == "country":
            continue
        spots.append((place, *project(place.lon, place.lat)))
    # The most named places come first, so their names are written first.
    labelled = _choose_labels([(place.name, x, y) for place, x, y in spots])
    most = max([place.articles for place, _, _ in spots], default=1)
    dots = []
    for at, (place, x, y) in enumerate(spots):
        if not -_OVERHANG <= x <= MAP_WIDTH + _OVERHANG:
            continue
        if not -_OVERHANG <= y <= height + _OVERHANG:
            continue
        dot = Dot(
            place=place,
            x=x,
            y=y,
            radius=_radius(place.articles, most),
            label=at in labelled,
            left=x > MAP_WIDTH * _RIGHT_PART,
        )
        dots.append(dot)
    corners = ["{},{}".format(*project(lon, lat)) for lon, lat in border]
    path = "M" + "L".join(corners) + "Z"
    return Map(width=MAP_WIDTH, height=round(height, 1), outline=path, dots=tuple(dots))


def _radius(articles: int, most: int) -> float:
    """By area, between the smallest and the largest circle."""
    by_share = _MAX_RADIUS * math.sqrt(articles / most)
    by_count = _RADIUS_OF_ONE * math.sqrt(articles)
    return round(max(min(by_share, by_count), _MIN_RADIUS), 1)


def _choose_labels(spots: Sequence[tuple[str, float, float]]) -> set[int]:
    """Which places are named: the first that do not overlap, each name once."""
    chosen: dict[str, int] = {}
    for at, (name, x, y) in enumerate(spots):
        if len(chosen) == _MAX_LABELS:
            break
        others = [spots[other] for other in chosen.values()]
        overlaps = any(
            abs(y - other_y) <= _LABEL_HEIGHT and abs(x - other_x) <= _LABEL_WIDTH
            for _, other_x, other_y in others
        )
        if name not in chosen and not overlaps:
            chosen[name] = at
    return set(chosen.values())


@cache
def load_outline() -> tuple[tuple[float, float], ...]:
    """The border as (longitude, latitude), degrees of WGS 84.

    Source: Natural Earth 1:110m, public domain.
    """
    rows = data_files.read_csv("scheduler.pages", "outline.csv")
    return tuple((float(row["lon"]), float(row["lat"])) for row in rows)
