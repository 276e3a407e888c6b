"""Looking back.

Sitemaps, archive pages and the Wayback index on loopback, and the rules by which they
are read.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import LIMITS, make_source
from crawler import backfill, backfill_plan, passes
from crawler.engine.window import Window
from crawler.fetching import loop
from crawler.leads import wayback
from crawler.report import CrawlReport
from crawler.sources import Source
from storage.model import Lead, to_text, utc_now
from storage.store import Store

SINCE, UNTIL = (
    datetime(2021, 6, 1, tzinfo=UTC),
    datetime(2021, 6, 3, 23, 59, 59, tzinfo=UTC),
)
HTML = {"Content-Type": "text/html; charset=utf-8"}


def crawl(
    store: Store, sources: list[Source], web: Any, *, force: bool = True, on_event: Any = None, **changes: object
) -> CrawlReport:  # fmt: skip
    """A pass over June 2021."""
    given = {"wayback": web.url("wayback.example/")} | changes
    return loop.run(
        passes.crawl(
            store, sources, web.settings(**given), only=[sources[0].id], force=force, lookup=web.everywhere,
            window=Window(since=SINCE, until=UNTIL), on_event=on_event,
        )
    )  # fmt: skip


def outlet(web: Any, **changes: object) -> Source:
    web.pages["old.example/feed"] = web.feed()
    return web.source("old.example/feed", **changes)


def index(web: Any, *captures: tuple[str, str], resume: str = "") -> Any:
    """An answer of the index, as the Wayback Machine gives it."""
    rows: list[list[str]] = [["timestamp", "original"], *map(list, captures)]
    return web.Answer(json.dumps(rows + ([[], [resume]] if resume else [])).encode())


def kept(store: Store) -> dict[str, tuple[str, int]]:
    return {
        row[0]: (row[1], row[2])
        for row in store.session.db.execute("SELECT url, via, backfill FROM documents")
    }


def sitemap(web: Any, *pages: tuple[str, str]) -> Any:
    listed = "".join(
        f"<url><loc>{url}</loc><lastmod>{at}</lastmod></url>" for url, at in pages
    )
    return web.Answer(
        f"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{listed}</urlset>".encode()
    )


def test_a_capture_is_read_raw_and_kept_under_the_pages_own_address(
    store: Store, web: Any
) -> None:
    """The index is asked part by part.

    The article says that it was found looking back, its capture when it was so.
    """
    source = outlet(web)
    pages = [f"http://old.example/a-blast-in-kandahar-number-{n}" for n in range(3)]
    stamps = [f"2021060{n + 1}120000" for n in range(3)]
    for n, (stamp, page) in enumerate(zip(stamps, pages, strict=True)):
        web.pages[f"wayback.example/web/{stamp}id_/{page}"] = web.page(n)
    captures = list(zip(stamps, pages, strict=True))

    def answer(query: str) -> Any:
        return (
            index(web, *captures[2:])
            if "resumeKey=next" in query
            else index(web, *captures[:2], resume="next")
        )

    base = wayback.cdx_query_url("", "old.example", SINCE, UNTIL)
    web.pages[f"wayback.example{base}"] = answer(base)
    web.pages[f"wayback.example{base}&resumeKey=next"] = answer("resumeKey=next")
    report = crawl(store, [source], web)
    assert kept(store) == dict.fromkeys(pages, ("archive", 1))
    assert report.for_source("old").new == 3
    assert "3 pages found" in report.notes[0]
    times = store.session.db.execute(
        "SELECT fetched_at FROM captures ORDER BY fetched_at"
    ).fetchall()
    assert [row[0] for row in times] == [f"2021-06-0{n}T12:00:00Z" for n in (1, 2, 3)]
    assert store.polls.unbalanced() == []


def test_sitemaps_of_other_months_are_not_asked_for(store: Store, web: Any) -> None:
    """The month in a sitemap's name and the dates in it decide.

    Pages of other days are left out and told of.
    """
    source = outlet(web)
    maps = [
        f"<sitemap><loc>{web.url(f'old.example/map-2021-0{n}.xml')}</loc></sitemap>"
        for n in (5, 6, 7)
    ]
    web.pages["old.example/sitemap.xml"] = web.Answer(
        f"<sitemapindex>{''.join(maps)}</sitemapindex>".encode()
    )
    inside, outside = (
        web.url("old.example/news/inside"),
        web.url("old.example/news/outside"),
    )
    web.pages["old.example/map-2021-06.xml"] = sitemap(
        web, (inside, "2021-06-02"), (outside, "2021-06-20")
    )
    web.pages["old.example/news/inside"] = web.page(1)
    report = crawl(store, [source], web, wayback="")
    assert list(kept(store)) == [inside]
    assert (
        web.count("old.example/map-2021-05.xml"),
        web.count("old.example/news/outside"),
    ) == (0, 0)
    assert "2 sitemaps of other months" in report.notes[0]
    assert "1 of other days" in report.notes[0]


def test_how_far_it_is_is_told_as_a_share(store: Store, web: Any) -> None:
    """After each document what part of those known by then was read, up to the whole."""
    source = outlet(web)
    maps = [
        f"<sitemap><loc>{web.url(f'old.example/map-{n}.xml')}</loc></sitemap>"
        for n in range(3)
    ]
    web.pages["old.example/sitemap.xml"] = web.Answer(
        f"<sitemapindex>{''.join(maps)}</sitemapindex>".encode()
    )
    told: list[float] = []
    crawl(
        store,
        [source],
        web,
        on_event=lambda event: told.append(event.share) if event.note else None,
        wayback="",
    )
    assert told[-1] == 1.0
    assert all(0 < share <= 1 for share in told)


def test_looking_back_is_no_news_of_the_source(store: Store, web: Any) -> None:
    """What was found in the past leaves the source's own state as its last visit left it: it is as quiet as before."""
    source = outlet(web)
    web.pages["old.example/sitemap.xml"] = sitemap(
        web, (web.url("old.example/news/one"), "2021-06-02")
    )
    web.pages["old.example/news/one"] = web.page(1)
    crawl(store, [source], web, wayback="")
    state = store.sources.find("old")
    assert len(kept(store)) == 1
    assert state is not None
    assert (state.last_new_at, state.newest_at, state.last_poll_at is None) == (
        None,
        None,
        False,
    )
    visits = store.session.db.execute(
        "SELECT ended_at, found FROM polls ORDER BY id"
    ).fetchall()
    assert [found for _, found in visits] == [0, 1]
    assert visits[0][0] == to_text(state.last_poll_at)


def test_archive_pages_are_asked_for_day_by_day(store: Store, web: Any) -> None:
    """By the configured pattern.

    A day without a page is counted and the others go on.
    """
    source = outlet(
        web, archive=web.url("old.example/archive/{year}/{month:02}/{day:02}")
    )
    for day in (1, 3):
        named = [
            web.url(f"old.example/news/2021/06/0{day}/a-blast-in-the-city-{n}")
            for n in range(2)
        ]
        links = "".join(
            f"<p><a href='{url}'>Several people were hurt in a blast {n}</a></p>"
            for n, url in enumerate(named)
        )
        web.pages[f"old.example/archive/2021/06/0{day}"] = web.Answer(
            f"<html><body>{links}</body></html>".encode(), headers=HTML
        )
        for n, url in enumerate(named):
            web.pages[url.replace(f":{web.port}", "").removeprefix("http://")] = (
                web.page(10 * day + n)
            )
    report = crawl(store, [source], web, wayback="")
    assert len(kept(store)) == 4
    assert "1 archive: http 404" in report.notes[0]


def test_a_second_run_goes_on_where_the_first_stopped(store: Store, web: Any) -> None:
    """No document that was read is asked for again.

    What is done is done until it is forced.
    """
    source = outlet(
        web, archive=web.url("old.example/archive/{year}/{month:02}/{day:02}")
    )
    crawl(store, [source], web, wayback="")
    assert web.count("old.example/archive/2021/06/01") == 1
    key = store.session.db.execute(
        "SELECT key FROM progress WHERE work = 'backfill'"
    ).fetchone()[0]
    state = store.progress.load("backfill", key)
    left = [["archive", web.url("old.example/archive/2021/06/03"), 1]]
    store.progress.save(
        "backfill", key, "old", state | {"waiting": left, "done": False}
    )
    store.session.db.execute("UPDATE sources SET last_poll_at = NULL")
    crawl(store, [source], web, wayback="", force=False)
    asked = [web.count(f"old.example/archive/2021/06/0{day}") for day in (1, 2, 3)]
    assert asked == [1, 1, 2]
    crawl(store, [source], web, wayback="", force=True)
    assert web.count("old.example/archive/2021/06/01") == 2


def test_an_endless_archive_is_bounded(
    store: Store, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index whose every part names another one ends, and says where."""
    monkeypatch.setattr(backfill, "MAX_INDEX_PARTS", 4)
    source = outlet(web)
    base = wayback.cdx_query_url("", "old.example", SINCE, UNTIL)
    web.pages[f"wayback.example{base}"] = index(web, resume="k1")
    for n in range(1, 9):
        web.pages[f"wayback.example{base}&resumeKey=k{n}"] = index(
            web, resume=f"k{n + 1}"
        )
    crawl(store, [source], web)
    assert sum(one.url.startswith("wayback.example/cdx") for one in web.asked) == 4


def test_only_what_lies_further_back_than_max_age_is_looked_for() -> None:
    """A pass over last week is an ordinary one."""
    source, now = make_source("s", url="https://s.example/"), utc_now()
    assert not backfill_plan.reaches_back(
        source, now - timedelta(days=7), timedelta(days=30), now
    )
    assert backfill_plan.reaches_back(
        source, now - timedelta(days=31), timedelta(days=30), now
    )
    assert not backfill_plan.reaches_back(source, None, timedelta(days=30), now)


def test_how_a_source_dates_its_articles_is_learned() -> None:
    """From five addresses alike.

    With or without days, with or without leading zeros.
    """
    days = [f"https://x.example/fa/2021/06/0{n}/name" for n in range(1, 6)]
    assert (
        backfill_plan.learn_archive_pattern(days)
        == "https://x.example/fa/{year}/{month:02}/{day:02}/"
    )
    assert (
        backfill_plan.learn_archive_pattern(
            [f"https://x.example/2021/6/name-{n}" for n in range(5)]
        )
        == "https://x.example/{year}/{month}/"
    )
    assert backfill_plan.learn_archive_pattern(days[:4]) is None
    assert (
        backfill_plan.learn_archive_pattern(["https://x.example/news/12345"] * 9)
        is None
    )


def test_archive_pages_of_months_and_days() -> None:
    """Each once, from the first to the last."""
    assert list(
        backfill_plan.archive_urls("https://x.example/{year}/{month:02}/", SINCE, UNTIL)
    ) == ["https://x.example/2021/06/"]
    assert (
        len(
            list(
                backfill_plan.archive_urls(
                    "https://x.example/{year}/{month}/{day}", SINCE, UNTIL
                )
            )
        )
        == 3
    )


@given(
    st.binary(max_size=400)
    | st.recursive(
        st.text(max_size=20) | st.none(),
        lambda inner: st.lists(inner, max_size=4),
        max_leaves=20,
    ).map(lambda made: json.dumps(made).encode())
)
def test_no_answer_of_the_index_is_a_fault_of_ours(body: bytes) -> None:
    """Whatever comes is a list of leads or an error."""
    source = make_source("s", url="https://s.example/")
    feed = wayback.parse_cdx_index(
        body, url="", headers={}, source=source, now=utc_now(), **LIMITS
    )
    assert all(lead.backfill and lead.url.startswith("http") for lead in feed.leads)


def test_only_leads_of_the_index_are_asked_of_the_archive() -> None:
    """A guid of a feed never makes an address there."""
    plain = Lead(url="https://s.example/a", source="s", guid="20210601120000")
    assert wayback.fetch_url(plain, "https://web.archive.org") == plain.url
    odd = Lead(
        url="https://s.example/a b", source="s", guid="20210601120000", via="archive"
    )
    assert (
        wayback.fetch_url(odd, "https://w.example/")
        == "https://w.example/web/20210601120000id_/https://s.example/a%20b"
    )
