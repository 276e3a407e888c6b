"""Which address shows what.

Each view asks the store in a reader's thread and hands plain values to its template. A
new page is a view here, a template beside it, and its address in `web._SERVED_PATHS`.
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
from storage.errors import StoreBusy, StoreError, TookTooLong, UsageError
from storage.model import Article, SourceState, utc_now
from storage.query import export, overview, search
from storage.query.criteria import Criteria, Sort, criteria_to_pairs, parse_criteria
from storage.store import Store

Value = TypeVar("Value")
View = Callable[[Request], Awaitable[Response]]

MONTH = timedelta(days=31)
WEEK = timedelta(days=7)
# Newest matches that a page's counts are made of; the command line counts more
MAX_COUNTED = 5_000
# After this the numbers of the front page and the map are made anew
FRESH_SECONDS = 30.0
# After this a reader waits for them; before, the old ones are shown meanwhile
STALE_SECONDS = 300.0
FILE_AGE_SECONDS = 604_800  # for which a browser may keep the style sheet and the icon

# What a page shows of each list
MAX_FRONT_HITS = 25
MAX_SOURCE_HITS = 15
MAX_PLACES = 12
MAX_HITS_OF_PLACE = 3
MAX_CORRECTIONS = 8
MAX_QUIET_SOURCES = 10
MAX_POLLS = 20
MAX_SIMILAR = 10
MAX_REASONS = 20
MAX_REVISIONS = 10
SEARCH_BAR_DAYS, FRONT_BAR_DAYS, SOURCE_BAR_DAYS = 30, 31, 45
POLL_DAYS = 60
MIN_FEED_ENTRIES, MAX_FEED_ENTRIES = 50, 100
MAX_CSV_ROWS = 10_000  # `khabar export` gives all
MAX_QUERY_FIELDS = 100
EXPORT_PAGE_ROWS = 500

_FILTER_FIELDS = ("source", "lang", "place", "actor", "event", "tag")
# The pairs of a search that are no filters of their own
_FORM_FIELDS = {"q", "sort", "limit", "since", "until"}
_UNSAFE_FILE_NAME_CHARS = re.compile(r"[^A-Za-z0-9._-]")


class PageNotFound(Exception):
    """There is no such page; its message says which."""


class Pages:
    """The views over one reader."""

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
        # Only this part is asked anew each time: the numbers beside it read much.
        after = _parse_query(request).get("after", [""])[0]
        newest = Criteria(limit=MAX_FRONT_HITS, after=after)
        found, carried = await self._reader.ask(lambda store: _find_hits(store, newest))
        numbers = await self._cached("front", lambda store: _front_numbers(store, now))
        values = {"found": found, "carried": carried, "criteria": newest}
        return self._html("front.html", values | numbers)

    async def search(self, request: Request) -> Response:
        """Hits with their passages, counts to narrow by, and how many reports."""
        query = _parse_query(request)
        criteria = parse_criteria(query, now=self._now())
        values = await self._reader.ask(lambda store: _search_values(store, criteria))
        # What was typed stands in the form again: `7d`, not the date that it meant.
        typed = {name: query.get(name, [""])[-1] for name in ("since", "until")}
        values |= {"criteria": criteria, "fields": _FILTER_FIELDS, "typed": typed}
        return self._html("search.html", values | _filter_links(criteria))

    async def search_json(self, request: Request) -> Response:
        """The same search for programs: records, and the cursor of the next page."""
        criteria = parse_criteria(_parse_query(request), now=self._now())
        found = await self._reader.ask(lambda store: store.search.page(criteria))
        records = [hit.record for hit in found.hits]
        answer = {"articles": records, "next": found.next_cursor}
        return Response.json(answer, default=str)

    async def search_csv(self, request: Request) -> Response:
        """The same search for a spreadsheet, its first rows."""
        criteria = parse_criteria(_parse_query(request), now=self._now())

        def load(store: Store) -> bytes:
            pages = _first_pages(store, criteria, MAX_CSV_ROWS)
            return b"".join(export.to_csv(pages))

        body = await self._reader.ask(load)
        return _file_response(body, "text/csv; charset=utf-8", "khabar.csv")

    async def feed(self, request: Request) -> Response:
        """The same search as an Atom feed, always the newest first."""
        now = self._now()
        criteria = parse_criteria(_parse_query(request), now=now)
        # A reader of feeds asks for one address again and again, and wants what is new.
        criteria = replace(criteria, sort=Sort.NEWEST, after="")
        entries = min(max(criteria.limit, MIN_FEED_ENTRIES), MAX_FEED_ENTRIES)
        pairs = criteria_to_pairs(criteria)
        title = ["khabar", *(value for name, value in pairs if name != "limit")]
        host = f"{request.scheme}://{request.host}"

        def load(store: Store) -> bytes:
            feed = export.to_atom(
                _first_pages(store, criteria, entries),
                title=" · ".join(title),
                url=host + rendering.build_address("/feed.atom", criteria),
                now=now,
                home=host + rendering.build_address("/search", criteria),
            )
            return b"".join(feed)

        body = await self._reader.ask(load)
        return Response(body, content_type="application/atom+xml; charset=utf-8")

    async def map(self, request: Request) -> Response:
        """Where the last month's articles are."""
        del request
        now = self._now()
        values = await self._cached("map", lambda store: _map_values(store, now))
        return self._html("map.html", values)

    async def sources(self, request: Request) -> Response:
        """Every source in use, and how it is doing."""
        del request
        now = self._now()

        def load(store: Store) -> dict[str, Any]:
            states = {state.id: state for state in store.sources.all()}
            rows = [
                row | {"state": _describe_state(states[row["id"]], now)}
                for row in store.sources.activity()
            ]
            return {"rows": rows}

        return self._html("sources.html", await self._cached("sources", load))

    async def source(self, request: Request) -> Response:
        """One source: its visits by day, its last ones, its newest articles."""
        name, now = request.url_vars["id"], self._now()
        values = await self._reader.ask(lambda store: _source_values(store, name, now))
        return self._html("source.html", values)

    async def article(self, request: Request) -> Response:
        """One article: text, copies, states, mentions, claims, why it was kept."""
        number = int(request.url_vars["id"])
        values = await self._reader.ask(lambda store: _article_values(store, number))
        return self._html("article.html", values)

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

        def load(store: Store) -> bytes:
            article, page = store.articles.find(number), None
            if article is not None and article.capture_id is not None:
                page = store.captures.page(article.capture_id)
            if page is None:
                raise PageNotFound("the raw page was not kept, or has expired")
            return page.body

        body = await self._reader.ask(load)
        kind = "text/plain; charset=utf-8"
        return _file_response(body, kind, f"article-{number}.txt")

    async def style(self, request: Request) -> Response:
        """The style sheet."""
        del request
        return _kept_response(
            rendering.load_file("style.css"), "text/css; charset=utf-8"
        )

    async def icon(self, request: Request) -> Response:
        """The sign that a browser puts beside the title."""
        del request
        return _kept_response(rendering.load_file("icon.svg"), "image/svg+xml")

    def _html(self, template: str, values: Mapping[str, Any]) -> Response:
        return Response.html(rendering.render_page(template, values, now=self._now()))

    async def _cached(self, name: str, question: Callable[[Store], Value]) -> Value:
        """The answer of a moment ago to a question that reads much.

        One that is not fresh is renewed beside; one that is stale is waited for.
        """
        answered_at, answer = self._cache.get(name, (0.0, None))
        age = time.monotonic() - answered_at
        if answer is None or age > STALE_SECONDS:
            return await self._refresh(name, question)
        if age > FRESH_SECONDS and name not in self._refreshing:
            task = asyncio.create_task(self._refresh(name, question))
            task.add_done_callback(lambda done: self._refresh_done(name, done))
            self._refreshing[name] = task
        value: Value = answer
        return value

    async def _refresh(self, name: str, question: Callable[[Store], Value]) -> Value:
        answer = await self._reader.ask(question)
        self._cache[name] = (time.monotonic(), answer)
        return answer

    def _refresh_done(self, name: str, done: "asyncio.Task[Any]") -> None:
        del self._refreshing[name]
        # One that failed is tried again by the next reader, who is told of the fault
        # when the old numbers are stale.
        if not done.cancelled():
            done.exception()


def _with_error_pages(view: View, now: Callable[[], datetime]) -> View:
    """The view, with what went wrong told as a page."""

    async def answer(request: Request) -> Response:
        try:
            return await view(request)
        except PageNotFound as missing:
            status, message = 404, str(missing)
        except UsageError as fault:
            status, message = 400, str(fault)
        except (TookTooLong, StoreError, StoreBusy) as fault:
            status, message = 503, str(fault)
        values = {"status": status, "message": message}
        page = rendering.render_page("error.html", values, now=now())
        return Response.html(page, status=status)

    return answer


def _parse_query(request: Request) -> dict[str, list[str]]:
    try:
        return parse_qs(request.query_string, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError as fault:
        raise UsageError("The address holds more than a hundred values.") from fault


def _filter_links(criteria: Criteria) -> dict[str, Any]:
    """The pairs of a search; its filters with the address of the search without it."""
    pairs = [pair for pair in criteria_to_pairs(criteria) if pair[0] != "after"]
    chosen = []
    for pair in pairs:
        if pair[0] not in _FORM_FIELDS:
            others = [other for other in pairs if other != pair]
            chosen.append((*pair, f"/search?{urlencode(others)}"))
    return {"pairs": pairs, "chosen": chosen}


def _first_pages(store: Store, criteria: Criteria, most: int) -> list[list[str]]:
    """The first `most` records of a search as an exporter takes them."""
    pages: list[list[str]] = []
    left = most
    for page in store.search.json_pages(criteria, size=min(most, EXPORT_PAGE_ROWS)):
        pages.append(page[:left])
        left -= len(page)
        if left <= 0:
            break
    return pages


def _file_response(body: bytes, kind: str, name: str) -> Response:
    """An answer that a browser saves and does not show."""
    safe_name = _UNSAFE_FILE_NAME_CHARS.sub("", name)
    headers = {"content-disposition": f'attachment; filename="{safe_name}"'}
    return Response(body, content_type=kind, headers=headers)


def _kept_response(body: str, kind: str) -> Response:
    """An answer that a browser may keep."""
    headers = {"cache-control": f"max-age={FILE_AGE_SECONDS}"}
    return Response(body, content_type=kind, headers=headers)


# What the templates are given. These run in a reader's thread.


def _find_hits(
    store: Store, criteria: Criteria
) -> tuple[search.SearchPage, dict[int, overview.CopyCounts]]:
    found = store.search.page(criteria)
    return found, store.articles.copy_counts({hit.id for hit in found.hits})


def _source_names(store: Store) -> dict[str, str]:
    return {state.id: state.name for state in store.sources.all()}


def _front_numbers(store: Store, now: datetime) -> dict[str, Any]:
    week = Criteria(since=now - WEEK)
    days = store.search.by_day(Criteria(since=now - MONTH))
    counts = {day.value: day.count for day in days}
    enabled = [state for state in store.sources.all() if state.enabled]
    states = {state.id: _describe_state(state, now) for state in enabled}
    quiet = [state for state in enabled if states[state.id] in {"quiet", "failing"}]
    return {
        "tally": store.search.coverage(week),
        "week": week,
        "bars": charts.draw_bars(counts, last=now.date(), days=FRONT_BAR_DAYS),
        "provinces": store.search.provinces(now - MONTH)[:MAX_PLACES],
        "corrections": store.changes.corrections(MAX_CORRECTIONS),
        "quiet": quiet[:MAX_QUIET_SOURCES],
        "states": states,
        "names": {state.id: state.name for state in enabled},
    }


def _search_values(store: Store, criteria: Criteria) -> dict[str, Any]:
    found, carried = _find_hits(store, criteria)
    facets = store.search.facets(criteria, counted=MAX_COUNTED)
    counts, bars = {day.value: day.count for day in facets.days}, []
    # The bars end with the newest match: an old event would else show an empty month.
    if counts:
        newest = date.fromisoformat(max(counts))
        bars = charts.draw_bars(counts, last=newest, days=SEARCH_BAR_DAYS)
    return {
        "found": found,
        "carried": carried,
        "facets": facets,
        "tally": store.search.coverage(criteria, counted=MAX_COUNTED),
        "changed": store.search.corrections(
            criteria, counted=MAX_COUNTED, most=MAX_CORRECTIONS
        ),
        "names": _source_names(store),
        "bars": bars,
        "labels": {place.value: place.name for place in facets.places},
    }


def _map_values(store: Store, now: datetime) -> dict[str, Any]:
    counts = store.search.places(now - MONTH)
    top = [place for place in counts if place.kind != "country"][:MAX_PLACES]
    # By code and not by name: a district and its city often have one name.
    newest = {}
    for place in top:
        of_place = Criteria(
            places=(place.code,), since=now - MONTH, limit=MAX_HITS_OF_PLACE
        )
        newest[place.code] = store.search.page(of_place).hits
    return {
        "map": charts.draw_map(counts),
        "top": top,
        "newest": newest,
        "names": store.search.place_names({place.code: place.name for place in top}),
    }


def _source_values(store: Store, source_id: str, now: datetime) -> dict[str, Any]:
    source = store.sources.find(source_id)
    of_source = Criteria(sources=(source_id,), limit=MAX_SOURCE_HITS)
    found, carried = _find_hits(store, of_source)
    state, names = "imported", {}
    if source is not None:
        state, names = _describe_state(source, now), {source_id: source.name}
    # What was imported has sources that no configuration names.
    elif not found.hits:
        raise PageNotFound(f"no source {source_id}")
    # By the day of the visit, not of publication: it shows how the visits do.
    days = store.polls.by_day(source_id, POLL_DAYS)
    kept = {row["day"]: row["new"] + row["copies"] for row in days}
    return {
        "id": source_id,
        "source": source,
        "state": state,
        "of_source": Criteria(sources=(source_id,)),
        "names": names,
        "found": found,
        "carried": carried,
        "bars": charts.draw_bars(kept, last=now.date(), days=SOURCE_BAR_DAYS),
        "polls": store.polls.recent(source_id, MAX_POLLS),
        "errors": sum(row["errors"] for row in days),
    }


def _describe_state(state: SourceState, now: datetime) -> str:
    """One word for how a source is doing."""
    if not state.enabled:
        return "off"
    if state.last_poll_at is None:
        return "new"
    if health.is_failing(state):
        return "failing"
    if health.is_quiet(state, now):
        return "quiet"
    return "well"


def _article_values(store: Store, number: int) -> dict[str, Any]:
    article = store.articles.find(number)
    record = store.articles.record(number)
    if article is None or record is None:
        raise PageNotFound(f"no article {number}")
    known = store.fates.explain(article.id)
    mentions: dict[str, list[Any]] = {"place": [], "actor": [], "event": []}
    for mention in known["mentions"]:
        mentions.setdefault(mention["kind"], []).append(mention)
    similar = []
    for other_id, score in store.articles.probable_copies(article.id)[:MAX_SIMILAR]:
        other = store.articles.record(other_id)
        if other is not None:
            similar.append((other, score))
    reasons = sorted(known["document"]["reasons"], key=lambda row: -abs(row["weight"]))
    return {
        "article": record,
        "document": known["document"],
        "mentions": [{"kind": kind, "rows": rows} for kind, rows in mentions.items()],
        "places": store.search.place_names(
            {place["code"]: place["name"] for place in mentions["place"]}
        ),
        "copies": store.articles.copies(article.id),
        "carried": store.articles.copy_counts([article.id])[article.id],
        "similar": similar,
        "claims": store.articles.claims(article.document_id),
        "reasons": reasons[:MAX_REASONS],
        "marks": store.annotations.of_article(article.id),
        "changes": known["changes"],
        "capture": known["capture"],
        "revisions": _revision_diffs(store, article),
        "names": _source_names(store),
    }


def _revision_diffs(store: Store, article: Article) -> list[dict[str, Any]]:
    """What each state changed in the one before, the newest first."""
    states = [
        (state.seen_at, state.title or "", state.text)
        for state in store.articles.revisions(article.document_id)
    ]
    states.append((article.updated_at, article.title or "", article.text))
    steps = []
    for old, new in list(pairwise(states))[-MAX_REVISIONS:]:
        (_, old_title, old_text), (at, new_title, new_text) = old, new
        title = []
        if old_title != new_title:
            title = diffs.compare_texts(old_title, new_title)
        text = [
            paragraph
            for paragraph in diffs.compare_texts(old_text, new_text)
            if any(piece.kind != "same" for piece in paragraph)
        ]
        steps.append({"at": at, "title": title, "text": text})
    return steps[::-1]
