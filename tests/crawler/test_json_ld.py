"""Promises of JSON-LD: every typed object is found, and one list says what is an article."""

import json

import pytest
from lxml import html

from crawler.extraction import json_ld


def objects_of(*scripts):
    """The objects of a page with these scripts."""
    written = "".join(
        f'<script type="application/ld+json">{script}</script>' for script in scripts
    )
    page = f"<html><head>{written}</head><body></body></html>"
    return json_ld.find_objects(html.document_fromstring(page))


ARTICLE = {"@type": "NewsArticle", "headline": "A bridge"}


@pytest.mark.parametrize(
    "value",
    [
        ARTICLE,
        [ARTICLE],
        {"@graph": [{"@id": "#site"}, ARTICLE]},
        {"mainEntity": ARTICLE},
        {"itemListElement": [{"item": ARTICLE}]},
    ],
)
def test_an_object_is_found_wherever_it_is_nested(value):
    """In a list, a graph, a page or a list of items."""
    assert objects_of(json.dumps(value)) == (ARTICLE,)


@pytest.mark.parametrize(
    "script",
    [
        '<!-- {"@type": "Report"} -->',
        '//<![CDATA[\n{"@type": "Report"}\n//]]>',
        '{"@type": "Report",}',
        '{"@type": "Report"};',
        '{"@type": "Rep\tort"}',
    ],
)
def test_what_templates_write_around_json_is_no_fault(script):
    """Comments, CDATA marks, trailing commas, semicolons and raw tabs are passed over."""
    assert len(objects_of(script)) == 1


def test_a_broken_script_does_not_hide_the_next():
    """What no mending makes JSON of gives nothing, and nothing else is lost by it."""
    assert objects_of('{"@type": "Report"', json.dumps(ARTICLE)) == (ARTICLE,)
    assert objects_of("[" * 100_000) == ()


def test_scripts_beyond_the_limit_are_not_read():
    """The limit holds for all scripts of a page together."""
    filler = json.dumps({"@type": "Thing", "x": "y" * json_ld.MAX_JSON_LD_CHARS})
    assert objects_of(json.dumps(ARTICLE), filler, json.dumps(ARTICLE)) == (ARTICLE,)


@pytest.mark.parametrize(
    ("types", "answer"),
    [
        ("NewsArticle", True),
        ("ReportageNewsArticle", True),
        ("LiveBlogPosting", True),
        ("blogPosting", True),
        ("Report", True),
        ("Reportage", True),
        ("CriticReview", True),
        ("Story", True),
        ("https://schema.org/NewsArticle", True),
        (["Thing", "NewsArticle"], True),
        (["NewsArticle", "Thing"], True),
        ("WebPage", False),
        ("CollectionPage", False),
        ("JobPosting", False),
        ("Recipe", False),
        ([], False),
        (None, False),
        (3, False),
    ],
)
def test_one_list_says_what_is_an_article(types, answer):
    """Dates, metadata and page types go by the same types, whatever their place in a list."""
    assert json_ld.is_article({"@type": types}) is answer
