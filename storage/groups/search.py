"""What is found, counted and summed up over many articles."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from storage.query import brief, facets, overview, search
from storage.query.brief import Brief
from storage.query.criteria import Criteria
from storage.query.facets import MAX_COUNTED, CoverageCounts, FacetCount, Facets
from storage.query.overview import PlaceCount
from storage.query.search import SearchPage
from storage.session import Group


class Search(Group):
    """`store.search`: questions over all articles; see `storage.query`."""

    def page(self, criteria: Criteria) -> SearchPage:
        """One page of hits. Raises UsageError for a cursor that no search gave."""
        with self._session.reading() as db:
            return search.search(db, criteria)

    def json_pages(self, criteria: Criteria, *, size: int = 500) -> Iterator[list[str]]:
        """The JSON form of everything that matches, `size` records at a time."""
        with self._session.reading() as db:
            yield from search.iterate_json_pages(db, criteria, size=size)

    def matching(
        self, criteria: Criteria, article_ids: Iterable[int]
    ) -> frozenset[int]:
        """Which of these articles a search would find."""
        with self._session.reading() as db:
            return search.filter_matching(db, criteria, article_ids)

    def facets(
        self, criteria: Criteria, *, most: int = 30, counted: int = MAX_COUNTED
    ) -> Facets:
        """Counts over the newest matches by source, place, day and tag."""
        with self._session.reading() as db:
            return facets.count_facets(db, criteria, most=most, counted=counted)

    def coverage(
        self, criteria: Criteria, *, counted: int = MAX_COUNTED
    ) -> CoverageCounts:
        """Reports, distinct texts, independent ones and publishers of the matches."""
        with self._session.reading() as db:
            return facets.count_coverage(db, criteria, counted=counted)

    def by_day(self, criteria: Criteria) -> tuple[FacetCount, ...]:
        """Matches by day of UTC, newest first; bound it with `since`."""
        with self._session.reading() as db:
            return facets.count_by_day(db, criteria)

    def corrections(
        self, criteria: Criteria, *, most: int = 20, counted: int = MAX_COUNTED
    ) -> list[dict[str, Any]]:
        """What became of the newest matches after they were reported."""
        with self._session.reading() as db:
            return facets.list_matching_corrections(
                db, criteria, most=most, counted=counted
            )

    def place_names(self, places: Mapping[str, str]) -> dict[str, str]:
        """Names of places by code, with their kind where two have one name."""
        with self._session.reading() as db:
            return facets.disambiguate_places(db, places)

    def places(self, since: datetime) -> list[PlaceCount]:
        """Every place that articles published since then name, most named first."""
        with self._session.reading() as db:
            return overview.count_places(db, since)

    def provinces(self, since: datetime) -> list[PlaceCount]:
        """Every province that was named itself or by a place in it."""
        with self._session.reading() as db:
            return overview.count_provinces(db, since)

    def brief(
        self, since: datetime, until: datetime, places: Sequence[str] = ()
    ) -> Brief:
        """What was reported from `since` until before `until`, by province."""
        with self._session.reading() as db:
            return brief.build_brief(db, since, until, places)
