"""Numbers as the geometry of a drawing: bars over days, places on a map.

Templates write it as SVG. Pure.
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources

from storage.query.overview import PlaceCount

MAP_WIDTH = 1_000.0
_MARGIN = 18.0
# The latitude at which a degree east is drawn as long as it is
_MIDDLE_LATITUDE = math.radians(34)
_MAX_RADIUS = 34.0  # radius of the most named place
_MAX_LABELS = 14


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


def draw_bars(
    counts: Mapping[str, int],
    *,
    last: date,
    days: int,
    width: float = 620,
    height: float = 90,
) -> list[Bar]:
    """A bar for each of the `days` days up to `last`, also for those without any."""
    top = max([*counts.values(), 1])
    step = width / days
    made = []
    for at in range(days):
        day = last - timedelta(days=days - 1 - at)
        count = counts.get(day.isoformat(), 0)
        tall = max(count / top * height, 2.0 if count else 0.5)
        made.append(
            Bar(
                day=day.isoformat(),
                count=count,
                x=round(at * step + step * 0.12, 1),
                y=round(height - tall, 1),
                width=round(step * 0.76, 1),
                height=round(tall, 1),
                weekend=day.weekday() in {3, 4},
            )
        )
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A place on the map; `label` where there is room to write its name."""

    place: PlaceCount
    x: float
    y: float
    radius: float
    label: bool
    left: bool  # the name stands on its left side


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """The outline of the country as a path, and the places in it."""

    width: float
    height: float
    outline: str
    dots: tuple[Dot, ...]


def draw_map(places: Iterable[PlaceCount]) -> Map:
    """Places as circles whose area follows the number of articles, the largest drawn first."""
    left, right, low, high = _measure_extent()
    scale = (MAP_WIDTH - 2 * _MARGIN) / ((right - left) * math.cos(_MIDDLE_LATITUDE))
    height = (high - low) * scale + 2 * _MARGIN

    def on_paper(lon: float, lat: float) -> tuple[float, float]:
        return round(
            _MARGIN + (lon - left) * math.cos(_MIDDLE_LATITUDE) * scale, 1
        ), round(_MARGIN + (high - lat) * scale, 1)

    known = [
        place
        for place in places
        if place.lat is not None and place.lon is not None and place.kind != "country"
    ]
    top = max([place.articles for place in known], default=1)
    spots = [(place, *on_paper(place.lon or 0, place.lat or 0)) for place in known]
    labelled = _choose_labels([(place.name, x, y) for place, x, y in spots])
    dots = tuple(
        Dot(
            place=place,
            x=x,
            y=y,
            radius=_radius(place.articles, top),
            label=at in labelled,
            left=x > MAP_WIDTH * 0.78,
        )
        for at, (place, x, y) in enumerate(spots)
        if -40 <= x <= MAP_WIDTH + 40 and -40 <= y <= height + 40
    )
    path = (
        "M"
        + "L".join("{},{}".format(*on_paper(lon, lat)) for lon, lat in load_outline())
        + "Z"
    )
    return Map(width=MAP_WIDTH, height=round(height, 1), outline=path, dots=dots)


def _radius(articles: int, top: int) -> float:
    """By area, and never so large that a handful looks like a war."""
    return round(
        max(
            min(_MAX_RADIUS * math.sqrt(articles / top), 8.0 * math.sqrt(articles)), 4.0
        ),
        1,
    )


def _choose_labels(spots: Sequence[tuple[str, float, float]]) -> set[int]:
    """Which places are named.

    The first ones that do not write over each other, each name once.
    """
    kept: dict[str, int] = {}
    for at, (name, x, y) in enumerate(spots):
        if len(kept) == _MAX_LABELS:
            break
        near = (spots[other] for other in kept.values())
        if name not in kept and all(
            abs(y - other[2]) > 24 or abs(x - other[1]) > 150 for other in near
        ):
            kept[name] = at
    return set(kept.values())


def _measure_extent() -> tuple[float, float, float, float]:
    lons, lats = zip(*load_outline(), strict=True)
    return min(lons), max(lons), min(lats), max(lats)


@cache
def load_outline() -> tuple[tuple[float, float], ...]:
    """The border as (longitude, latitude), degrees of WGS 84.

    Natural Earth 1:110m, public domain.
    """
    text = (
        resources.files("scheduler.pages")
        .joinpath("outline.csv")
        .read_text(encoding="utf-8")
    )
    return tuple(
        (float(row["lon"]), float(row["lat"]))
        for row in csv.DictReader(text.splitlines())
    )
