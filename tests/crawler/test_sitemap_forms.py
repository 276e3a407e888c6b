"""Sitemaps as sites build them: as plain text, loosely, in any order."""

import random

import pytest

from builders import LIMITS, make_source
from crawler.leads import feeds
from storage.model import utc_now

SITE = "https://paper.example"
URL = f"{SITE}/sitemap.xml"
A, B = f"{SITE}/news/a", f"{SITE}/news/b"
PHOTO = f"<image:image><image:loc>{SITE}/photo.jpg</image:loc></image:image>"


def read(document, **limits):
    body = document if isinstance(document, bytes) else document.encode()
    return feeds.parse_feed(
        body,
        url=URL,
        headers={},
        source=make_source("map", url=URL, kind="sitemap"),
        now=utc_now(),
        **LIMITS | limits,
    )


def urls(feed):
    return [lead.url for lead in feed.leads]


@pytest.mark.parametrize(
    "text", [f"{A}\n{B}\n", f"\ufeff{A}\r\n\r\n{B}", f"\n  {A}  \n{B}"]
)
def test_a_list_of_addresses_is_a_sitemap(text):
    """One on each line, with a mark, white space or empty lines."""
    assert urls(read(text)) == [A, B]


@pytest.mark.parametrize("text", ["Not found", f"{A} is gone\n{B}", f"{A}\nError\n{B}"])
def test_a_text_with_other_words_is_no_sitemap(text):
    """An error message that names addresses lists none."""
    assert not read(text).leads
    assert read(text).error


@pytest.mark.parametrize(
    "inside",
    [
        f"<url>{PHOTO}<loc>{A}</loc></url><url><loc>{B}</loc></url>",
        f"<loc>{A}</loc><lastmod>2026-11-24</lastmod><loc>{B}</loc>",
        f"<url><loc>{A}</loc><loc>{B}</loc></url>",
        f"<url>{A}</url><url><loc>{B}</loc>{PHOTO}</url>",
    ],
)
@pytest.mark.parametrize("declared", [True, False])
def test_a_loose_urlset_names_its_pages_and_no_photo(inside, declared):
    """Wherever `loc` stands, and whether or not the prefix of images is declared."""
    namespaces = ""
    if declared:
        namespaces = (
            ' xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
            ' xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'
        )
    assert urls(read(f"<urlset{namespaces}>{inside}</urlset>")) == [A, B]


@pytest.mark.parametrize(
    ("document", "pages", "children"),
    [
        (f"<sitemapindex><sitemap>{B}</sitemap></sitemapindex>", [], [B]),
        (f"<urlset><sitemap><loc>{B}</loc></sitemap></urlset>", [], [B]),
        (
            (
                f"<sitemapindex><url><loc>{A}</loc></url>"
                f"<sitemap><loc>{B}</loc></sitemap></sitemapindex>"
            ),
            [A],
            [B],
        ),
        (f"<sitemapindex><loc>{B}</loc></sitemapindex>", [], [B]),
    ],
)
def test_a_loose_index_names_its_sitemaps(document, pages, children):
    """Under either root, beside pages, without `loc` or without `sitemap`."""
    feed = read(document)
    assert urls(feed) == pages
    assert list(feed.children) == children


def test_the_news_prefix_means_news_where_nobody_declared_it():
    """Title, language and date are read."""
    news = (
        "<news:news><news:publication><news:language>ps</news:language>"
        "</news:publication><news:publication_date>2026-11-20</news:publication_date>"
        "<news:title>Snow falls</news:title></news:news>"
    )
    namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
    document = f'<urlset xmlns="{namespace}"><url><loc>{A}</loc>{news}</url></urlset>'
    (lead,) = read(document).leads
    assert (lead.title, lead.language) == ("Snow falls", "ps")
    assert lead.published_raw == "2026-11-20"


def shuffled(items):
    return random.Random(7).sample(items, len(items))


@pytest.mark.parametrize("order", [list, sorted, shuffled])
@pytest.mark.parametrize("path", ["/news/{}", "/news/{}-snow-falls", "/a.php/{}.html"])
def test_of_undated_pages_those_of_the_highest_numbers_are_taken(order, path):
    """In whatever order they stand; the rest is counted as what it is."""
    pages = order([SITE + path.format(number) for number in range(1, 131)])
    feed = read("\n".join(pages), max_entries=30)
    assert set(urls(feed)) == {SITE + path.format(number) for number in range(101, 131)}
    assert "100 pages left out, some without a date" in feed.warnings


def test_of_undated_pages_without_numbers_the_last_are_taken():
    """CMSes append to their sitemaps."""
    pages = [f"{SITE}/news/{a}{b}" for a in "zyxw" for b in "abcdefghij"]
    assert set(urls(read("\n".join(pages), max_entries=10))) == set(pages[-10:])
