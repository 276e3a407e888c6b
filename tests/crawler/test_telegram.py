"""Public channels as sources.

The posts were written for these tests: no such channel, no such events.
"""

from datetime import UTC, datetime

import pytest

from builders import LIMITS, make_source
from crawler.leads import telegram

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
URL = "https://t.me/s/wire_example"
LONG = (
    "Two people were killed when a mine went off near a school in the Panjwai district of Kandahar, a doctor said on Friday. "
    "The road to the bazaar was closed until the evening, and nobody claimed the attack."
)


def post(number, text, *, link="", extra=""):
    preview = (
        f"<a class='tgme_widget_message_link_preview' href='{link}'>Preview</a>"
        if link
        else ""
    )
    return (
        f"<div class='tgme_widget_message_wrap'><div class='tgme_widget_message' data-post='wire_example/{number}'>{extra}"
        f"<div class='tgme_widget_message_text js-message_text'>{text}</div>{preview}"
        f"<a class='tgme_widget_message_date' href='https://t.me/wire_example/{number}'><time datetime='2026-11-21T08:{number:02}:00+00:00'>x</time></a></div></div>"
    )


def channel(*posts):
    head = "<div class='tgme_channel_info_header_title'><span>Wire</span></div>"
    return (
        f"<html><body>{head}<section>{''.join(posts)}</section></body></html>".encode()
    )


def read(body):
    return telegram.parse_telegram_page(
        body,
        url=URL,
        headers={"Content-Type": "text/html"},
        source=make_source("wire", kind="telegram", url=URL),
        now=NOW,
        **LIMITS,
    )


def test_a_long_post_is_an_article_under_its_own_address():
    """Its first line is the title, its text the body, its time the date."""
    (lead,) = read(channel(post(7, f"Blast in Panjwai<br/>{LONG}"))).leads
    assert (lead.url, lead.title, lead.via) == (
        "https://t.me/wire_example/7",
        "Blast in Panjwai",
        "telegram",
    )
    assert "closed until the evening" in lead.body
    assert lead.published_at == datetime(2026, 11, 21, 8, 7, tzinfo=UTC)


def test_a_short_post_with_a_link_points_to_the_page():
    """The page is what will be read; links to the network itself do not count."""
    (lead,) = read(
        channel(
            post(
                8,
                "Blast in Panjwai <a href='https://t.me/other'>@other</a>",
                link="https://wire.example/a/8",
            )
        )
    ).leads
    assert (lead.url, lead.body, lead.guid) == (
        "https://wire.example/a/8",
        None,
        "t.me/wire_example/8",
    )


def test_posts_come_newest_first_and_bare_ones_are_counted():
    """A photograph without words gives no lead."""
    feed = read(channel(post(1, LONG), post(2, "Photo"), post(3, f"{LONG} Later.")))
    assert [lead.url[-1] for lead in feed.leads] == ["3", "1"]
    assert feed.warnings == ("1 posts without text or link",)
    assert (feed.title, feed.newest_at) == (
        "Wire",
        datetime(2026, 11, 21, 8, 3, tzinfo=UTC),
    )


def test_a_channel_without_preview_is_an_error():
    """A private channel answers with a page that has no posts."""
    assert read(
        b"<html><body><a href='tg://resolve'>View in Telegram</a></body></html>"
    ).error.startswith("no_posts:")


def test_an_edited_post_is_read_again_and_kept_as_a_revision(web, store):
    """The post is never asked for as a page of its own.

    Its second text is a revision of the first.
    """
    texts = iter([LONG, LONG.replace("Two people", "Three people")])
    web.pages["t.example/s/wire_example"] = lambda n: web.Answer(
        channel(post(7, next(texts))), headers={"Content-Type": "text/html"}
    )
    source = web.source("t.example/s/wire_example", kind="telegram", id="wire")
    assert web.run(store, [source]).for_source("wire").new == 1
    assert web.run(store, [source]).for_source("wire").revised == 1
    (row,) = store.session.db.query("SELECT text, revision, url FROM articles")
    assert (row["revision"], row["url"], row["text"][:12]) == (
        2,
        "https://t.me/wire_example/7",
        "Three people",
    )
    assert {one.url for one in web.asked} == {
        "t.example/robots.txt",
        "t.example/s/wire_example",
    }


@pytest.mark.parametrize(
    "footer",
    [
        "<a href='https://www.facebook.example/afg'>Facebook</a> | <a href='https://x.example/afg'>X</a>",
        "<a href='http://wire.example/'>wire.example</a>",
        "<a href='https://video.example/abc'>Watch</a>",
        "<a href='https://wire.example/a/9'>Read more</a>",
    ],
)
def test_a_post_of_some_length_is_an_article_whatever_it_links_to(footer):
    """Channels sign each post with links to their other places."""
    posts = [
        post(n, f"{LONG.split('.', maxsplit=1)[0]}, report {n}.<br/>{footer}")
        for n in (1, 2)
    ]
    leads = read(channel(*posts)).leads
    assert [lead.url for lead in leads] == [
        "https://t.me/wire_example/2",
        "https://t.me/wire_example/1",
    ]
    assert all("mine went off" in lead.body for lead in leads)
