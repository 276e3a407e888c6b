"""Promises of JSON-LD: every typed object is found, and one list says what is an article."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from crawler.extraction import broken_json, json_ld


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


@pytest.mark.parametrize(
    "broken",
    ["", "no JSON", "[" * 100_000, '"' * 10_000, '{"a":' * 10_000, "{}}}]]", "null, 3"],
)
def test_a_broken_script_does_not_hide_the_next(broken):
    """What no mending makes JSON of gives nothing, and nothing else is lost by it."""
    assert objects_of(broken, json.dumps(ARTICLE)) == (ARTICLE,)


SIGNED = {
    "@type": "NewsArticle",
    "headline": "A bridge",
    "author": {"name": "Nadia Example"},
}


@pytest.mark.parametrize(
    "script",
    [
        "\ufeff" + json.dumps(SIGNED),
        f"/*<![CDATA[*/ {json.dumps(SIGNED)} /*]]>*/",
        f"<!--//--><![CDATA[//><!--\n{json.dumps(SIGNED)}\n//--><!]]>",
        json.dumps(SIGNED).replace('"', "&quot;"),
        json.dumps(SIGNED)[:-1],
        json.dumps(SIGNED) + "}",
        json.dumps(SIGNED).replace(", ", " \n"),
        json.dumps(SIGNED).replace(", ", ",, "),
        json.dumps(SIGNED).replace(", ", ", /* no comment */ "),
        json.dumps(SIGNED).replace("{", '{ "image": , ', 1),
    ],
)
def test_a_fault_costs_only_what_is_next_to_it(script):
    """Marks of order, wrappings, commas and what is cut off harm nothing else."""
    assert objects_of(script) == (SIGNED,)


@pytest.mark.parametrize(
    "headline",
    [
        'The "new" bridge',
        '"New" bridge',
        'A bridge called "new"',
        'He said "no", and left',
        'A "bridge": what is known',
        r"The governor\'s bridge",
    ],
)
def test_quotes_that_nobody_escaped_are_read_as_a_part_of_the_text(headline):
    """Templates write a headline into JSON as it stands."""
    script = (
        f'{{"@type":"Report","headline":"{headline}","author":{{"name":"Nadia Example"}},'
        '"datePublished":"2026-11-20"}'
    )
    (found,) = objects_of(script)
    assert found["headline"] == headline.replace("\\", "")
    assert found["author"] == {"name": "Nadia Example"}
    assert found["datePublished"] == "2026-11-20"


def test_two_roots_in_one_script_are_both_read():
    """One after the other, with or without a comma."""
    two = f"{json.dumps(SIGNED)}\n{json.dumps(ARTICLE)}"
    assert objects_of(two) == (SIGNED, ARTICLE)
    assert objects_of(two.replace("\n", ",")) == (SIGNED, ARTICLE)


@given(st.text(alphabet='{}[]":,\\ /*ab1\n', max_size=300))
def test_any_text_is_read_as_json_or_as_nothing(script):
    """The reader of broken JSON never fails, whatever is open or closed too often."""
    assert isinstance(broken_json.parse(script), list)


@pytest.mark.parametrize(
    "script",
    [
        '"' * 400_000,
        '{"a":"' * 70_000,
        '{"a":"b" ' * 50_000,
        '{"a": "' + " " * 400_000,
        '{"a": "b"' + ", " * 200_000,
        '{"a": "b" "' + '" ' * 200_000,
        "/*" * 200_000,
    ],
)
def test_a_hostile_script_takes_no_longer_than_its_length(script):
    """Each character is looked at a few times; a second is far more than it takes."""
    start = time.process_time()
    broken_json.parse(script)
    assert time.process_time() - start < 3


URL = "https://paper.example/news/bridge"
TITLES = ("Rain takes two bridges in Jurm", "Rain takes two bridges in Jurm - Paper")


def own(*objects, titles=TITLES, url=URL):
    """The objects of a page with one script that count for it."""
    found = objects_of(json.dumps(objects))
    return json_ld.select_own(found, addresses=(url,), titles=titles)


def other(number, **more):
    """An article of the same site that is not the page's."""
    return {
        "@type": "NewsArticle",
        "headline": f"Report {number} of a quiet day",
        "url": f"https://paper.example/news/other-{number}",
    } | more


@pytest.mark.parametrize(
    "mark",
    [
        {"url": URL},
        {"url": "/news/bridge"},
        {"url": "http://www.paper.example/news/bridge/?utm_source=x"},
        {"@id": URL + "#article"},
        {"mainEntityOfPage": URL},
        {"mainEntityOfPage": {"@type": "WebPage", "@id": URL}},
        {"headline": "Rain takes two bridges in Jurm"},
        {"headline": "Rain takes two <em>bridges</em> in Jurm"},
        {"headline": "Rain takes two bridges in Jurm", "url": "https://cdn.example/1"},
    ],
)
def test_of_several_articles_those_count_that_name_the_page(mark):
    """By url, @id, mainEntityOfPage or headline, wherever they stand among the others."""
    mine = {"@type": "NewsArticle", "author": "Nadia Example"} | mark
    for objects in ([other(1), other(2), mine], [mine, other(1)], [other(1), mine]):
        assert mine in own(*objects)
        assert not [item for item in own(*objects) if item in (other(1), other(2))]


@pytest.mark.parametrize(
    "objects",
    [
        [{"@type": "ItemList", "itemListElement": [{"item": other(1)}]}],
        [{"@type": "ItemList", "itemListElement": [other(1), other(2)]}],
        [{"@graph": [other(1), other(2), {"@type": "WebSite", "url": URL}]}],
        [other(1)],
        [other(1, headline="One"), other(2, headline="Two")],
        [{"@type": "ItemList", "itemListElement": [other(1, url=URL + "#1")]}],
    ],
)
def test_articles_that_name_other_pages_never_count(objects):
    """Carousels, neighbours in a graph and lone objects of another page are not ours."""
    assert [item for item in own(*objects) if json_ld.is_article(item)] == []


@pytest.mark.parametrize(
    "mine",
    [
        {"@type": "NewsArticle", "author": "Nadia Example"},
        {"@type": "NewsArticle", "headline": "Floods in the north"},
        {"@type": "NewsArticle", "url": "https://old.paper.example/?p=17"},
        {
            "@type": "NewsArticle",
            "headline": "Two bridges lost to rain",
            "url": "https://old.paper.example/?p=17",
        },
    ],
)
def test_the_only_article_counts_unless_it_speaks_of_another_page(mine):
    """A headline for search engines or a former address does not make it another's."""
    assert mine in own(mine, {"@type": "WebSite", "name": "Paper"})


def test_a_page_without_titles_and_address_believes_its_only_article():
    """Where nothing contradicts it."""
    assert own(other(1), titles=(), url="") == (other(1),)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["@type", "url", "@id", "headline", "mainEntityOfPage"]),
            st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text())),
        ),
        max_size=5,
    )
)
def test_own_objects_are_some_of_the_given(objects):
    """Whatever an object says of itself, the choice never fails and invents nothing."""
    chosen = json_ld.select_own(objects, addresses=(URL,), titles=TITLES)
    assert all(item in objects for item in chosen)


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
