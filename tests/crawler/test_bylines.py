"""Promises of people: who wrote a text, without what bylines say beside it."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_page
from crawler.extraction import bylines, markup, metadata

URL = "https://www.orbit-world.example/2026/05/12/story"
NADIA = ("Nadia Example",)


def authors(body="", head="", objects=None, site="Orbit World"):
    """The authors of a page of these parts, below a headline."""
    script = ""
    if objects is not None:
        written = json.dumps(objects)
        script = f'<script type="application/ld+json">{written}</script>'
    page = (
        f"<html><head><meta property='og:site_name' content='{site}'>{head}{script}"
        f"</head><body><article><h1>Rain takes two bridges</h1>{body}"
        "<p>Rain has taken two bridges in Jurm.</p></article></body></html>"
    )
    parsed = markup.parse_page(make_page(URL, page.encode()))
    return metadata.read_metadata(parsed, URL).authors


@pytest.mark.parametrize(
    ("byline", "names"),
    [
        ("By Nadia Example", NADIA),
        ("ByNadia Example", NADIA),
        ("Text by Nadia Example", NADIA),
        ("This article was written by Nadia Example", NADIA),
        ("Written by Nadia Example and Karim Sample", (*NADIA, "Karim Sample")),
        ("Nadia Example, Senior Correspondent", NADIA),
        ("Staff Writer Nadia Example", NADIA),
        ("Von Anna Muster und Peter Probe", ("Anna Muster", "Peter Probe")),
        ("Ursula von der Probe", ("Ursula von der Probe",)),
        ("نویسنده: فریده نمونه", ("فریده نمونه",)),
        ("لیکوال: کریم بېلګه", ("کریم بېلګه",)),
        ("فریده نمونه و کریم مثال", ("فریده نمونه", "کریم مثال")),
        ("신현주 기자", ("신현주",)),
        ("記者：山田太郎", ("山田太郎",)),
        ("Nadia", ("Nadia",)),
        ("May Example", ("May Example",)),
        ("نویسنده: نادیه نمونه | ۱۰ ثور ۱۴۰۵", ("نادیه نمونه",)),
    ],
)
def test_bylines_become_people(byline, names):
    """Prefixes, roles and titles go; each person stands alone, in any script."""
    assert bylines.find_people([byline]) == names


@pytest.mark.parametrize(
    "byline",
    [
        "By Nadia Example in Kabul",
        "By Nadia Example on May 10, 2026",
        "Nadia Example | Kabul",
        "Nadia Example - New Delhi",
        "Nadia Example 12 Nov 2026",
        "Nadia Example Updated 5:30 pm",
        "May 10, 2026 by Nadia Example",
        "Updated 5 hours ago by Nadia Example",
        "Nadia Example\nMay 10, 2026 11:15 p.m.",
        "Nadia Example\n5:30 PM PST",
        "Nadia Example, BBC News Hindi",
        "Nadia Example · 5 minute read",
        "Nadia Example @nadia_example",
        "Nadia Example (Reuters)",
        "Nadia Example, Reuters",
        "Nadia Example for The Valley Letter",
        "Nadia Example, Orbit World",
        "Nadia Example Follow",
        "Nadia Example\nView all posts by Nadia Example",
        "Example, Nadia",
        "By <b>Nadia</b> Example",
        "Nadia Example, https://orbit.example/nadia",
    ],
)
def test_what_stands_beside_a_name_goes(byline):
    """Places, dates, agencies, employers, handles, buttons and markup."""
    assert bylines.find_people([byline], sites=["Orbit World"]) == NADIA


@pytest.mark.parametrize(
    ("byline", "names"),
    [
        ("نادیه نمونه، خبرنگار در کابل", ("نادیه نمونه",)),
        ("نادیه نمونه در هرات", ("نادیه نمونه",)),
        ("نادیہ نمونہ | اسلام آباد", ("نادیہ نمونہ",)),
        ("نادیه نمونه - کابل", ("نادیه نمونه",)),
        ("Nadia in Kabul", ("Nadia",)),
    ],
)
def test_a_place_is_nobody(byline, names):
    """In the languages of the region, too."""
    assert bylines.find_people([byline]) == names


@pytest.mark.parametrize(
    "byline",
    [
        "admin",
        "Web Desk",
        "By our correspondent",
        "ویب ڈیسک",
        "نیوز ڈیسک",
        "خبرنگار ما",
        "زموږ خبریال",
        "Reuters",
        "Orbit World",
        "{{ post.author }}",
        "{{author}}",
        "%AUTHOR_NAME%",
        "<%= author %>",
        "105092",
        "nadia@orbit.example (Nadia Example)",
        "https://orbit.example/authors/nadia",
        "www.orbit.news",
        "orbit.news",
        "Kabul, Afghanistan",
        "View more posts",
        "hundreds of new readers",
        "(" * 20_000,
        "",
    ],
)
def test_desks_sites_templates_and_addresses_are_nobody(byline):
    """A wrong name is worse than none."""
    assert bylines.find_people([byline], sites=["Orbit World"]) == ()


@pytest.mark.parametrize(
    "signature", ["Web Desk", "By our correspondent", "{{ author }}", "ویب ڈیسک", "17"]
)
def test_a_desk_or_a_template_does_not_sign(signature):
    """Nor does a number; an agency does."""
    assert bylines.signing_outlets([signature, "Pajhwok"]) == ("Pajhwok",)


@pytest.mark.parametrize(
    "byline",
    [
        (
            "<div class=byline><span>Written for you by</span> <a rel=author>Nadia Example</a>"
            " <a href=/s>Share this story</a></div>"
        ),
        (
            "<p class='post-meta'><span itemprop=author><span itemprop=name>Nadia Example"
            "</span></span>, who lives in the valley</p>"
        ),
        (
            "<div class=article-author><h4>Nadia Example</h4>"
            f"<p>{'She writes about rivers and roads. ' * 8}</p></div>"
        ),
        "<div id=author>By Nadia Example</div>",
        "<h4 class=author>Nadia Example</h4>",
        "<div data-component='byline-block'>By Nadia Example</div>",
        "<span class=meta><a href='/author/nadia-example'>Nadia Example</a></span>",
        "<span class='vcard'><b class='fn n'>Nadia Example</b></span>",
        "<address>By Nadia Example</address>",
        "<p>By Nadia Example</p>",
        "<meta itemprop=author content='Nadia Example'>",
        "<p itemprop=author itemscope><meta itemprop=name content='Nadia Example'></p>",
        "<footer class=entry-footer><p class=author>Nadia Example</p></footer>",
        "<aside class=post-author>Nadia Example</aside>",
        "<div class=byline>By <b>Nadia</b> <b>Example</b></div>",
        "<div class=byline><a>Nadia Example</a><a>Follow</a><span>2 min read</span></div>",
    ],
)
def test_a_byline_is_found_by_its_markup(byline):
    """What names a person within it beats the rest of its text."""
    assert authors(byline) == NADIA


@pytest.mark.parametrize(
    "byline",
    [
        "<p><a rel=author>Nadia Example</a> <a rel=author>Karim Sample</a></p>",
        "<p class=byline><a href=/a>Nadia Example</a> and <a href=/b>Karim Sample</a></p>",
        (
            "<ul class=authors><li><a href='/author/n'>Nadia Example</a></li>"
            "<li><a href='/author/k'>Karim Sample</a></li></ul>"
        ),
        (
            "<p><span itemprop=author>Nadia Example</span>"
            "<span itemprop=author>Karim Sample</span></p>"
        ),
    ],
)
def test_all_authors_of_a_byline_are_read(byline):
    """Be they links, items of a list or elements beside each other."""
    assert authors(byline) == (*NADIA, "Karim Sample")


def test_a_single_word_is_a_name_where_the_page_says_so():
    """By rel, by a link to an author's page, or after "Posted by"."""
    assert authors("<a rel=author>Nadia</a>") == ("Nadia",)
    assert authors("<p class=meta><a href='/author/nadia'>Nadia</a></p>") == ("Nadia",)
    assert authors("<p>Posted by Nadia at May 12, 2026 11:15 AM</p>") == ("Nadia",)
    assert authors("<p class=byline>Politics</p>") == ()
    assert authors("<p>By Monday</p>") == ()


@pytest.mark.parametrize(
    "other",
    [
        "<section class=latest-news><a rel=author>Farid Other</a></section>",
        "<div class=trending><ul><li><span class=author>Farid Other</span></li></ul></div>",
        (
            "<ul><li><a href=/1>Snow closes the high pass</a>"
            " <span class=author>Farid Other</span></li></ul>"
        ),
        "<blockquote><span class=author>Farid Other</span></blockquote>",
        "<div class=comments><b class=fn>Farid Other</b></div>",
        "<figure><figcaption class=author>Farid Other</figcaption></figure>",
        "<div class=sidebar><p class=byline>Farid Other</p></div>",
        "<nav><a href='/author/farid'>Farid Other</a></nav>",
        "<div class=related itemscope><meta itemprop=author content='Farid Other'></div>",
        (
            "<ul><li itemscope><a href=/1>Snow closes the high pass</a>"
            "<meta itemprop=author content='Farid Other'></li></ul>"
        ),
        "<div class='related-posts'><p class=byline>By Farid Other</p></div>",
    ],
)
def test_who_wrote_another_story_wrote_not_this_one(other):
    """Names in cards, quotations, captions, comments and sidebars are nobody."""
    assert authors(other) == ()
    assert authors(f"{other}<div class=byline>Nadia Example</div>") == NADIA


@pytest.mark.parametrize(
    "tag",
    [
        "author",
        "article:author",
        "og:author",
        "parsely-author",
        "sailthru.author",
        "dcterms.creator",
    ],
)
def test_a_tag_names_people_and_no_addresses(tag):
    """An address of a profile is nobody."""
    assert authors(head=f"<meta name='{tag}' content='Nadia Example'>") == NADIA
    address = f"<meta name='{tag}' content='https://orbit.example/nadia'>"
    assert authors(head=address) == ()


def test_the_tag_of_people_comes_before_the_one_of_the_house():
    """`author` names the publisher where `article:author` names the writer."""
    head = (
        "<meta name=author content='Valley House'>"
        "<meta property='article:author' content='Nadia Example'>"
    )
    assert authors(head=head) == NADIA


def test_a_whole_name_comes_before_the_name_of_an_account():
    """A single word in a tag is kept where the page shows no other name."""
    head = "<meta name=author content='nexample'>"
    assert authors(head=head) == ("nexample",)
    assert authors("<p class=byline>By Nadia Example</p>", head) == NADIA


@pytest.mark.parametrize(
    "author",
    [
        "Nadia Example",
        ["Nadia Example"],
        {"name": "Nadia Example"},
        {"name": ["Nadia Example"]},
        {"name": {"@type": "Person", "name": "Nadia Example"}},
        {"givenName": "Nadia", "familyName": "Example"},
        [{"@type": "Person", "name": "Nadia Example"}, None],
        {"name": "<a href='/n'>Nadia Example</a>"},
        {"name": "By Nadia Example"},
    ],
)
@pytest.mark.parametrize("key", ["author", "creator"])
def test_json_ld_gives_people_in_every_form(author, key):
    """Strings, objects, lists, names within names, and markup in names."""
    objects = {"@type": "NewsArticle", "headline": "Rain takes two bridges"}
    assert authors(objects=objects | {key: author}) == NADIA


@given(st.text(max_size=300))
def test_names_are_short_and_have_letters(byline):
    """Whatever stands in a byline, a name is a short text of letters."""
    for name in bylines.find_people([byline]):
        assert 2 <= len(name) <= 60
        assert any(letter.isalpha() for letter in name)


@pytest.mark.parametrize(
    "body",
    [
        "<div class=author>" * 200 + "x" * 100_000,
        "<span class=byline>A B</span>" * 10_000,
        "<a rel=author href='/author/x'>A B C</a> " * 10_000,
        "<li><a href=/x>one two three four five</a><i class=author>A</i></li>" * 5_000,
        "<p>by by by by</p>" * 10_000,
    ],
)
def test_a_hostile_page_takes_no_longer_than_its_length(body):
    """The number of elements that are looked at is bounded."""
    page = f"<html><body><h1>x</h1>{body}</body></html>".encode()
    parsed = markup.parse_page(make_page(URL, page))
    start = time.process_time()
    metadata.read_metadata(parsed, URL)
    assert time.process_time() - start < 3
