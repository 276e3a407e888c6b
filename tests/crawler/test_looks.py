"""Second looks: what a kept page says later, over a web on loopback."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.engine import engine
from crawler.fetching import loop
from crawler.sources import RecheckSettings
from storage.model import ChangeKind, utc_now

HOUR = timedelta(hours=1)
AFTER = (HOUR, timedelta(hours=24), timedelta(days=7))


@pytest.fixture
def kept(web, store):
    """One article on the web and in the store, as a crawl left it."""
    web.pages["wire.example/feed"] = web.feed(
        web.item(web.url("wire.example/1?utm_source=rss"), "Blast")
    )
    web.pages["wire.example/1?utm_source=rss"] = web.page(1)
    web.pages["wire.example/1?utm_source=rss"].headers["ETag"] = '"first"'
    web.run(store, [web.source("wire.example/feed")])
    web.asked.clear()
    return store


def look(web, store, *, hours=1.1, **changes):
    """What the service does when a look is due.

    So many hours after the article was first seen.
    """
    now = store.articles.find(1).first_seen_at + timedelta(hours=hours)

    async def once():
        going = engine.Engine(
            store,
            web.settings(**changes),
            [web.source("wire.example/feed")],
            lookup=web.everywhere,
        )
        await going.start()
        try:
            going.rechecks.start(
                claimed := store.rechecks.claim_due(now, limit=10, lease=HOUR)
            )
            await asyncio.gather(*going.rechecks.tasks)
        finally:
            await going.stop()
        return claimed

    return loop.run(once())


def polls(store):
    return [tuple(row) for row in store.session.db.execute("SELECT * FROM polls")]


def due(store):
    return [row[0] for row in store.session.db.execute("SELECT due_at FROM looks")]


def test_nothing_is_looked_at_before_its_hour(kept, web):
    """Due times stand in the file: nothing before the first hour, and then once."""
    assert kept.rechecks.claim_due(utc_now(), limit=10, lease=HOUR) == []
    later = utc_now() + timedelta(hours=1.1)
    assert len(kept.rechecks.claim_due(later, limit=10, lease=HOUR)) == 1
    assert kept.rechecks.claim_due(later, limit=10, lease=HOUR) == []


def test_a_page_that_did_not_change_is_asked_conditionally_and_looked_at_again(
    kept, web
):
    """The address as it was given, the page's own validators.

    A 304 is nothing but a later look.
    """
    before, cursor = polls(kept), kept.changes.last_cursor()
    (claimed,) = look(web, kept)
    asked = [one for one in web.asked if one.url.startswith("wire.example/1")]
    assert [one.url for one in asked] == ["wire.example/1?utm_source=rss"]
    assert asked[0].headers["If-None-Match"] == '"first"'
    assert (polls(kept), kept.changes.last_cursor()) == (before, cursor)
    assert due(kept) > [claimed.first_seen_at.isoformat()]


def test_a_risen_toll_is_a_revision_and_distorts_no_counts(kept, web):
    """The new number is the text, the old one its history.

    The visits to the feed are told as before.
    """
    before = polls(kept)
    text = web.story(1).replace("killed 3 people", "killed 11 people")
    web.pages["wire.example/1?utm_source=rss"] = web.page(1, text)
    look(web, kept)
    assert "killed 11 people" in kept.articles.find(1).text
    assert "killed 3 people" in kept.articles.revisions(1)[0].text
    assert [change.what for change in kept.changes.since()] == [
        ChangeKind.NEW,
        ChangeKind.REVISED,
    ]
    assert polls(kept) == before
    assert kept.polls.unbalanced() == []


def test_a_trivial_change_makes_no_revision(kept, web):
    """Another hour of update is no news."""
    web.pages["wire.example/1?utm_source=rss"] = web.page(
        1, web.story(1) + " Updated at 14:05. 1,204 views"
    )
    look(web, kept)
    assert kept.articles.revisions(1) == []
    assert [change.what for change in kept.changes.since()] == [ChangeKind.NEW]


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_gone_is_withdrawn_and_its_text_stays(kept, web, status):
    """The fate says so, the change is told once, the article can be read."""
    text = kept.articles.find(1).text
    web.pages["wire.example/1?utm_source=rss"] = web.Answer(b"no more", status)
    look(web, kept)
    look(web, kept, hours=25)
    assert kept.articles.find(1).text == text
    assert kept.articles.find(1).extra["withdrawn_at"]
    assert [change.what for change in kept.changes.since()] == [
        ChangeKind.NEW,
        ChangeKind.WITHDRAWN,
    ]
    assert kept.fates.find(web.url("wire.example/1"))["fate"] == "withdrawn"


@pytest.mark.parametrize(
    "answer",
    [(b"later", 503), (b"no", 403), (b"<html><body>Log in</body></html>", 200)],
)
def test_an_answer_that_is_no_article_takes_nothing_away(kept, web, answer):
    """Trouble of a server, a wall, a page about nothing of ours.

    The text stays as it was, and there is no lead to try.
    """
    before = kept.articles.find(1)
    web.pages["wire.example/1?utm_source=rss"] = web.Answer(*answer)
    look(web, kept, min_relevance=0.5)
    assert kept.articles.find(1).text == before.text
    assert kept.leads.pending(now=utc_now() + timedelta(days=9)) == []
    assert [change.what for change in kept.changes.since()] == [ChangeKind.NEW]


def test_switched_off_nothing_is_planned(web, store):
    """`[recheck] enabled = false`: the file has no looks to come."""
    web.pages["wire.example/feed"] = web.feed(
        web.item(web.url("wire.example/1"), "Blast")
    )
    web.pages["wire.example/1"] = web.page(1)
    web.run(
        store,
        [web.source("wire.example/feed")],
        recheck=RecheckSettings(enabled=False),
    )
    assert store.articles.find(1) is not None
    assert due(store) == []


def test_what_is_forgotten_is_not_asked_for_again(kept):
    """With the text goes its look."""
    kept.erasure.forget(1)
    assert due(kept) == []


@given(
    st.timedeltas(timedelta(0), timedelta(days=400)), st.lists(st.sampled_from(AFTER))
)
def test_the_next_look_is_the_first_age_that_is_still_to_come(age, after):
    """However late a look was made, the missed ones are not made up for.

    It ends after the last.
    """
    seen = datetime(2026, 11, 22, tzinfo=UTC)
    at = RecheckSettings(after=tuple(after)).next_due_at(seen, seen + age)
    assert at is None if all(one <= age for one in after) else at - seen in after
    assert at is None or at > seen + age
