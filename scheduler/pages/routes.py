"""Which address shows what.

Each asks the store in a reader's thread and hands plain values to its template.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode

from datasette.utils.asgi import Request, Response

from scheduler import health
from scheduler.pages import charts, diffs, rendering
from scheduler.pages.reader import StoreReader
from storage.errors import StoreError, TookTooLong, UsageError
from storage.model import utc_now
from storage.query import criteria as criteria_of
from storage.query import export, overview, search
from storage.query.criteria import Criteria
from storage.store import Store

Value = TypeVar("Value")
View = Callable[[Request], Awaitable[Response]]

_MONTH = timedelta(days=31)
_WEEK = timedelta(days=7)
# Newest matches that a page's counts are made of; the command line counts more
_MAX_COUNTED = 5_000
# Seconds after which the numbers of the front page and the map are made anew
_FRESH_SECONDS = 30.0
# Seconds after which a reader waits for them; before, the old ones are shown meanwhile
_STALE_SECONDS = 300.0
_MAX_FEED_ENTRIES = 100  # entries of an Atom feed
_MAX_CSV_ROWS = 10_000  # rows that a browser is given; `khabar export` gives all
_FILTER_FIELDS = ("source", "lang", "place", "actor", "event", "tag")


class PageNotFound(Exception):
    """There is no such page; its message says which."""


class Pages:
    """The routes over one reader."""

    def __init__(
        self, reader: StoreReader, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._reader = reader
        self._now = now
        self._cache: dict[str, tuple[float, Any]] = {}
        self._refreshing: dict[str, asyncio.Task[Any]] = {}

    def routes(self) -> list[tuple[str, View]]:
        """(regular expression, view) as Datasette's plugins give them."""
        views: dict[str, View] = {
            r"^/$": self.front,
            r"^/search$": self.search,
            r"^/search\.json$": self.search_json,
            r"^/search\.csv$": self.search_csv,
            r"^/feed\.atom$": self.feed,
            r"^/map$": self.map,
            r"^/sources$": self.sources,
            r"^/source/(?P<id>[^/]{1,200})$": self.source,
            r"^/article/(?P<id>\d{1,18})$": self.article,
            r"^/article/(?P<id>\d{1,18})\.json$": self.article_json,
            r"^/article/(?P<id>\d{1,18})/raw$": self.raw,
            r"^/style\.css$": self.style,
            r"^/icon\.svg$": self.icon,
        }
        return [
            (pattern, _with_error_pages(view, self._now))
            for pattern, view in views.items()
        ]

    async def front(self, request: Request) -> Response:
        """What is new, who carries it, where and how much, and who has gone quiet."""
        now = self._now()
        newest = Criteria(limit=25, after=_parse_query(request).get("after", [""])[0])
        found, carried = await self._reader.ask(lambda store: _find_hits(store, newest))
        numbers = await self._cached("front", lambda store: _front_numbers(store, now))
        return self._html(
            "front.html",
            {"found": found, "carried": carried, "criteria": newest, **numbers},
        )

    async def search(self, request: Request) -> Response:
        """Hits with their passages, counts to narrow by, and how many voices stand behind them."""
        values = _parse_query(request)
        wanted = criteria_of.parse_criteria(values, now=self._now())

        def work(store: Store) -> dict[str, Any]:
            found, carried = _find_hits(store, wanted)
            return {
                "found": found,
                "carried": carried,
                "facets": store.search.facets(wanted, counted=_MAX_COUNTED),
                "tally": store.search.coverage(wanted, counted=_MAX_COUNTED),
                "changed": store.search.corrections(
                    wanted, counted=_MAX_COUNTED, most=8
                ),
                "names": {state.id: state.name for state in store.sources.all()},
            }

        told = await self._reader.ask(work)
        days = {count.value: count.count for count in told["facets"].days}
        told["bars"] = (
            charts.draw_bars(days, last=date.fromisoformat(max(days)), days=30)
            if days
            else []
        )
        told["labels"] = {count.value: count.name for count in told["facets"].places}
        told["typed"] = {
            name: (values.get(name) or [""])[-1] for name in ("since", "until")
        }
        return self._html(
            "search.html",
            {
                "criteria": wanted,
                "fields": _FILTER_FIELDS,
                **_filter_links(wanted),
                **told,
            },
        )

    async def search_json(self, request: Request) -> Response:
        """The same search for programs.

        The page's records, and the cursor of the next.
        """
        wanted = criteria_of.parse_criteria(_parse_query(request), now=self._now())
        found = await self._reader.ask(lambda store: store.search.page(wanted))
        return Response.json(
            {"articles": [hit.record for hit in found.hits], "next": found.next_cursor},
            default=str,
        )

    async def search_csv(self, request: Request) -> Response:
        """The same search for a spreadsheet, its first rows."""
        wanted = criteria_of.parse_criteria(_parse_query(request), now=self._now())
        body = await self._reader.ask(
            lambda store: b"".join(
                export.to_csv(_first_pages(store, wanted, _MAX_CSV_ROWS))
            )
        )
        return _file_response(body, "text/csv; charset=utf-8", "khabar.csv")

    async def feed(self, request: Request) -> Response:
        """The same search as an Atom feed."""
        wanted = replace(
            criteria_of.parse_criteria(_parse_query(request), now=self._now()),
            sort=criteria_of.Sort.NEWEST,
            after="",
        )
        home = f"{request.scheme}://{request.host}"
        title = " · ".join(
            [
                "khabar",
                *(
                    value
                    for name, value in criteria_of.criteria_to_pairs(wanted)
                    if name != "limit"
                ),
            ]
        )

        def work(store: Store) -> bytes:
            pages = _first_pages(
                store, wanted, min(max(wanted.limit, 50), _MAX_FEED_ENTRIES)
            )
            mine, page = (
                home + rendering.build_address(path, wanted)
                for path in ("/feed.atom", "/search")
            )
            return b"".join(
                export.to_atom(pages, title=title, url=mine, now=self._now(), home=page)
            )

        return Response(
            await self._reader.ask(work),
            content_type="application/atom+xml; charset=utf-8",
        )

    async def map(self, request: Request) -> Response:
        """Where the last month's articles are."""
        del request
        now = self._now()

        def work(store: Store) -> dict[str, Any]:
            counts = store.search.places(now - _MONTH)
            top = [place for place in counts if place.kind != "country"][:12]
            newest = {
                place.code: store.search.page(
                    Criteria(places=(place.code,), since=now - _MONTH, limit=3),
                ).hits
                for place in top
            }
            names = store.search.place_names({place.code: place.name for place in top})
            return {
                "map": charts.draw_map(counts),
                "top": top,
                "newest": newest,
                "names": names,
            }

        return self._html("map.html", await self._cached("map", work))

    async def sources(self, request: Request) -> Response:
        """Every source in use, and how it is doing."""
        del request
        now = self._now()

        def work(store: Store) -> dict[str, Any]:
            states = {state.id: state for state in store.sources.all()}
            rows = [
                row | {"state": _describe_state(states[row["id"]], now)}
                for row in store.sources.activity()
            ]
            return {"rows": rows}

        return self._html("sources.html", await self._cached("sources", work))

    async def source(self, request: Request) -> Response:
        """One source.

        What it is, its visits by day, its last ones, its newest articles.
        """
        name = request.url_vars["id"]
        now = self._now()

        def work(store: Store) -> dict[str, Any]:
            state = store.sources.find(name)
            found, carried = _find_hits(store, Criteria(sources=(name,), limit=15))
            if state is None and not found.hits:
                raise PageNotFound(f"no source {name}")
            visits = store.polls.by_day(name, 60)
            return {
                "id": name,
                "source": state,
                "state": _describe_state(state, now) if state else "imported",
                "of_source": Criteria(sources=(name,)),
                "names": {name: state.name} if state else {},
                "found": found,
                "carried": carried,
                "bars": charts.draw_bars(
                    {row["day"]: row["new"] + row["copies"] for row in visits},
                    last=now.date(),
                    days=45,
                ),
                "polls": store.polls.recent(name, 20),
                "errors": sum(row["errors"] for row in visits),
            }

        return self._html("source.html", await self._reader.ask(work))

    async def article(self, request: Request) -> Response:
        """One article, whole.

        Text, carriers, states, mentions, claims, why it was kept.
        """
        number = int(request.url_vars["id"])
        return self._html(
            "article.html",
            await self._reader.ask(lambda store: _article_values(store, number)),
        )

    async def article_json(self, request: Request) -> Response:
        """The JSON form of one article."""
        number = int(request.url_vars["id"])
        record = await self._reader.ask(lambda store: store.articles.record(number))
        if record is None:
            raise PageNotFound(f"no article {number}")
        return Response.json(record)

    async def raw(self, request: Request) -> Response:
        """The response as it came, as a file of plain text.

        A browser never reads it as a page.
        """
        number = int(request.url_vars["id"])

        def work(store: Store) -> bytes:
            article = store.articles.find(number)
            page = (
                store.captures.page(article.capture_id)
                if article and article.capture_id
                else None
            )
            if page is None:
                raise PageNotFound("the raw page was not kept, or has expired")
            return page.body

        return _file_response(
            await self._reader.ask(work),
            "text/plain; charset=utf-8",
            f"article-{number}.txt",
        )

    async def style(self, request: Request) -> Response:
        """The style sheet."""
        del request
        return Response(
            rendering.load_style(),
            content_type="text/css; charset=utf-8",
            headers={"cache-control": "max-age=604800"},
        )

    async def icon(self, request: Request) -> Response:
        """The sign that a browser puts beside the title."""
        del request
        return Response(
            rendering.load_icon(),
            content_type="image/svg+xml",
            headers={"cache-control": "max-age=604800"},
        )

    def _html(self, template: str, values: Mapping[str, Any]) -> Response:
        return Response.html(rendering.render_page(template, values, now=self._now()))

    async def _cached(self, name: str, work: Callable[[Store], Value]) -> Value:
        """What the same question was answered a moment ago.

        These read much and change little.
        """
        at, kept = self._cache.get(name, (0.0, None))
        age = time.monotonic() - at
        if kept is None or age > _STALE_SECONDS:
            return await self._refresh(name, work)
        if age > _FRESH_SECONDS and name not in self._refreshing:
            self._refreshing[name] = asyncio.create_task(self._refresh(name, work))
            self._refreshing[name].add_done_callback(
                lambda done: self._refresh_done(name, done)
            )
        value: Value = kept
        return value

    async def _refresh(self, name: str, work: Callable[[Store], Value]) -> Value:
        value = await self._reader.ask(work)
        self._cache[name] = (time.monotonic(), value)
        return value

    def _refresh_done(self, name: str, done: "asyncio.Task[Any]") -> None:
        """A renewal that failed is tried again by the next reader, who is told when the old numbers are too old."""
        del self._refreshing[name]
        if not done.cancelled():
            done.exception()


def _with_error_pages(view: View, now: Callable[[], datetime]) -> View:
    """The view, with what went wrong told as a page."""

    async def answer(request: Request) -> Response:
        try:
            return await view(request)
        except PageNotFound as missing:
            status, said = 404, str(missing)
        except UsageError as fault:
            status, said = 400, str(fault)
        except (TookTooLong, StoreError) as fault:
            status, said = 503, str(fault)
        return Response.html(
            rendering.render_page(
                "error.html", {"status": status, "said": said}, now=now()
            ),
            status=status,
        )

    return answer


def _parse_query(request: Request) -> dict[str, list[str]]:
    try:
        return parse_qs(request.query_string, max_num_fields=100)
    except ValueError as fault:
        raise UsageError("The address holds more than a hundred values.") from fault


def _filter_links(wanted: Criteria) -> dict[str, Any]:
    """The pairs of a search, and its filters each with the address of the search without it."""
    pairs = [
        pair for pair in criteria_of.criteria_to_pairs(wanted) if pair[0] != "after"
    ]
    filters = [
        pair
        for pair in pairs
        if pair[0] not in {"q", "sort", "limit", "since", "until"}
    ]
    without = [
        f"/search?{urlencode([other for other in pairs if other != pair])}"
        for pair in filters
    ]
    return {
        "pairs": pairs,
        "chosen": [(*pair, href) for pair, href in zip(filters, without, strict=True)],
    }


def _find_hits(
    store: Store, wanted: Criteria
) -> tuple[search.SearchPage, dict[int, overview.CopyCounts]]:
    found = store.search.page(wanted)
    return found, store.articles.copy_counts({hit.id for hit in found.hits})


def _front_numbers(store: Store, now: datetime) -> dict[str, Any]:
    week = Criteria(since=now - _WEEK)
    counts = {
        day.value: day.count
        for day in store.search.by_day(Criteria(since=now - _MONTH))
    }
    states = [state for state in store.sources.all() if state.enabled]
    return {
        "tally": store.search.coverage(week),
        "week": week,
        "bars": charts.draw_bars(counts, last=now.date(), days=31),
        "provinces": store.search.provinces(now - _MONTH)[:12],
        "corrections": store.changes.corrections(8),
        "quiet": [
            state
            for state in states
            if _describe_state(state, now) in {"quiet", "failing"}
        ][:10],
        "states": {state.id: _describe_state(state, now) for state in states},
        "names": {state.id: state.name for state in states},
    }


def _describe_state(state: Any, now: datetime) -> str:
    """One word for how a source is doing."""
    if not state.enabled:
        return "off"
    if state.last_poll_at is None:
        return "new"
    if state.failures >= health.FAILING_FAILURES or state.last_success_at is None:
        return "failing"
    return "quiet" if health.is_quiet(state, now) else "well"


def _first_pages(store: Store, wanted: Criteria, most: int) -> list[list[str]]:
    """The first records of a search as an exporter takes them."""
    taken: list[list[str]] = []
    left = most
    for page in store.search.json_pages(wanted, size=min(most, 500)):
        taken.append(page[:left])
        left -= len(page)
        if left <= 0:
            break
    return taken


def _file_response(body: bytes, kind: str, name: str) -> Response:
    headers = {
        "content-disposition": f'attachment; filename="{re.sub(r"[^A-Za-z0-9._-]", "", name)}"'
    }
    return Response(body, content_type=kind, headers=headers)


def _article_values(store: Store, number: int) -> dict[str, Any]:
    article = store.articles.find(number)
    record = store.articles.record(number)
    if article is None or record is None:
        raise PageNotFound(f"no article {number}")
    told = store.fates.explain(article.id)
    states = [
        (state.seen_at, state.title or "", state.text)
        for state in store.articles.revisions(article.document_id)
    ]
    states.append((article.updated_at, article.title or "", article.text))
    places = {
        one["code"]: one["name"] for one in told["mentions"] if one["kind"] == "place"
    }
    similar = [
        (store.articles.record(other), score)
        for other, score in store.articles.probable_copies(article.id)[:10]
    ]
    return {
        "article": record,
        "document": told["document"],
        "mentions": [
            {"kind": kind, "rows": [m for m in told["mentions"] if m["kind"] == kind]}
            for kind in ("place", "actor", "event")
        ],
        "places": store.search.place_names(places),
        "copies": store.articles.copies(article.id),
        "carried": store.articles.copy_counts([article.id])[article.id],
        "similar": [(other, score) for other, score in similar if other],
        "claims": store.articles.claims(article.document_id),
        "reasons": sorted(
            told["document"]["reasons"], key=lambda reason: -abs(reason["weight"])
        )[:20],
        "marks": store.annotations.of_article(article.id),
        "changes": told["changes"],
        "capture": told["capture"],
        "revisions": _revision_diffs(states),
        "names": {state.id: state.name for state in store.sources.all()},
    }


def _revision_diffs(states: list[tuple[datetime, str, str]]) -> list[dict[str, Any]]:
    """What each state changed in the one before, the newest first; at most ten."""
    steps = list(pairwise(states))[-10:]
    return [
        {
            "at": new[0],
            "title": diffs.compare_texts(old[1], new[1]) if old[1] != new[1] else [],
            "text": _changed_paragraphs(diffs.compare_texts(old[2], new[2])),
        }
        for old, new in reversed(steps)
    ]


def _changed_paragraphs(paragraphs: list[list[diffs.Piece]]) -> list[list[diffs.Piece]]:
    """The paragraphs that changed."""
    return [
        pieces for pieces in paragraphs if any(piece.kind != "same" for piece in pieces)
    ]
