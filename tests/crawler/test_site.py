"""A whole site looked over from one page.

Its sections are found, its traps end, and what is left out is counted.

The sites are written for the tests.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.leads import site

HTML = {"Content-Type": "text/html; charset=utf-8"}


def listing(web, *links, body=""):
    """A page of links: (address, text)."""
    made = "".join(
        f"<li><a href='{address}'>{text}</a></li>" for address, text in links
    )
    return web.Answer(
        f"<html><body><h1>Wire</h1><ul>{made}</ul>{body}</body></html>".encode(),
        headers=HTML,
    )


def articles(web, name, count=2):
    """Links to articles that are there, under a section's name."""
    found = []
    for n in range(count):
        path = f"wire.example/{name}/2026/11/0{n + 1}/several-people-hurt-in-a-{name}-blast"
        web.pages[path] = web.page(10 * sum(map(ord, name)) + n)
        found.append(
            (
                f"/{path.partition('/')[2]}",
                f"Several people were hurt in a {name} blast {n}",
            )
        )
    return found


def source(web, **given):
    return web.source(
        "wire.example/", kind="section", **({"depth": 2, "budget": 20} | given)
    )


def test_sections_below_the_first_page_are_looked_over(web, store):
    """As deep as the source says, on its own site, each page once.

    The front page may stay as it is for ever.
    """
    web.pages["wire.example/"] = listing(
        web,
        ("/kabul/", "Kabul"),
        ("/herat/", "Herat"),
        ("http://other.example/x", "Elsewhere"),
    )
    web.pages["wire.example/kabul/"] = listing(
        web, *articles(web, "kabul"), ("/kabul/west/", "West"), ("/", "Home")
    )
    web.pages["wire.example/herat/"] = listing(
        web, *articles(web, "herat"), ("/kabul/", "Kabul")
    )
    web.pages["wire.example/kabul/west/"] = listing(
        web, *articles(web, "west"), ("/deeper/", "Deeper")
    )
    web.pages["wire.example/deeper/"] = listing(web, *articles(web, "deeper"))
    report = web.run(store, [source(web)])
    assert report.for_source("wire").new == 6
    assert [
        web.count(f"wire.example/{path}")
        for path in ("kabul/", "herat/", "kabul/west/", "deeper/")
    ] == [
        1,
        1,
        1,
        0,
    ]
    assert web.count("other.example/x") == 0
    web.pages["wire.example/herat/"] = listing(web, *articles(web, "herat", 3))
    assert web.run(store, [source(web)]).for_source("wire").new == 1


def test_without_a_depth_only_the_page_itself_counts(web, store):
    """The default: what a section shows, and nothing below it."""
    web.pages["wire.example/"] = listing(
        web, *articles(web, "front"), ("/kabul/", "Kabul")
    )
    assert web.run(store, [source(web, depth=0)]).for_source("wire").new == 2
    assert web.count("wire.example/kabul/") == 0


def test_a_calendar_without_end_is_not_walked(web, store):
    """Neither by path nor by query nor by a name of its own.

    Sessions, twins and winding addresses neither. All are counted.
    """

    def trap(number):
        again = [
            (f"/{2026 + number}/{number % 12 + 1:02}/", "Next month"), (f"/month/?month={number}", "Month"), (f"/agenda/{number}-11-2026/", "Day"),
            (f"/balkh/?PHPSESSID=abc{number}", "Balkh"), ("/kabul/?print=1", "Print"), ("/kabul/amp/", "AMP"), ("/kabul/?sort=old", "Sort"),
            ("kabul/a/b/a/b/a/b/", "Wound"), ("/login/", "Log in"), ("/report.pdf", "PDF"),
            *((f"/endless/part-{number * 50 + n}/", "Part") for n in range(50)), ("/kabul/", "Kabul"),
        ]  # fmt: skip
        return listing(web, *again)

    for path in ["", *(f"endless/part-{n}/" for n in range(2_000))]:
        web.pages[f"wire.example/{path}"] = trap
    web.pages["wire.example/kabul/"] = listing(web, *articles(web, "kabul"))
    report = web.run(store, [source(web, depth=10, budget=40)])
    assert report.for_source("wire").new == 2
    asked = [
        one.url
        for one in web.asked
        if "/robots.txt" not in one.url and "several-people" not in one.url
    ]
    assert sum("endless" in url for url in asked) == site.MAX_PAGES_OF_A_SHAPE
    assert not any(
        word in url
        for url in asked
        for word in (
            "/20",
            "month",
            "agenda",
            "PHPSESSID",
            "print",
            "/amp",
            "sort",
            "login",
            "pdf",
            "a/b/a",
        )
    )
    (told,) = [row[0] for row in store.session.db.execute("SELECT warnings FROM polls")]
    for reason in (
        "calendars",
        "sessions",
        "twins",
        "repeating",
        "more of the same kind",
        "files, accounts and notices",
    ):
        assert reason in told


def test_the_budget_ends_a_visit(web, store):
    """Pages are looked at nearest first, no more than there may be.

    What waits is counted.
    """
    names = ["kabul", "herat", "balkh", "farah", "kunduz"]
    web.pages["wire.example/"] = listing(web, *((f"/{name}/", name) for name in names))
    for name in names:
        web.pages[f"wire.example/{name}/"] = listing(web, *articles(web, name))
    web.run(store, [source(web, budget=3)])
    assert sum(web.count(f"wire.example/{name}/") for name in names) == 3
    assert (
        "3 pages of the site looked at; left out: 2 beyond the budget"
        in store.session.db.execute("SELECT warnings FROM polls").fetchone()[0]
    )


def test_a_page_that_leads_to_another_site_is_not_read(web, store):
    """A redirect out of the site ends there; robots.txt holds as everywhere."""
    web.pages["wire.example/robots.txt"] = web.Answer(
        b"User-agent: *\nDisallow: /secret/\n"
    )
    web.pages["wire.example/"] = listing(
        web, ("/away/", "Away"), ("/secret/", "Secret"), ("/kabul/", "Kabul")
    )
    web.pages["wire.example/away/"] = web.Answer(
        status=302, headers={"Location": web.url("other.example/list/")}
    )
    web.pages["other.example/list/"] = listing(
        web,
        (
            "/2026/11/01/an-article-of-another-site",
            "An article of another site altogether",
        ),
        ("/2026/11/02/one-more-of-another-site", "One more article of another site"),
    )
    web.pages["wire.example/kabul/"] = listing(web, *articles(web, "kabul"))
    assert web.run(store, [source(web)]).for_source("wire").found == 2
    assert web.count("wire.example/secret/") == 0
    told = store.session.db.execute("SELECT warnings FROM polls").fetchone()[0]
    assert "1 led to other sites" in told
    assert "1 robots" in told


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://a.example/news/", None), ("https://a.example/index.php?cat=5", None), ("https://a.example/fa/afghanistan", None),
        ("https://a.example/2026/11/", "calendars"), ("https://a.example/news?year=2031", "calendars"), ("https://a.example/agenda/2026-11-22", "calendars"),
        ("https://a.example/news;jsessionid=1", "sessions"), ("https://a.example/(S(abcdefghij12))/news", "sessions"),
        ("https://a.example/a/b/a/b/a/", "long and repeating addresses"), ("https://a.example/" + "x" * 300, "long and repeating addresses"),
        ("https://a.example/news?sort=asc", "sorted, printed and searched twins"), ("https://a.example/news/amp/", "sorted, printed and searched twins"),
        ("https://a.example/login", "files, accounts and notices"), ("https://a.example/list.pdf", "files, accounts and notices"),
    ],
)  # fmt: skip
def test_what_an_address_says(address, why):
    """Sections pass, traps do not."""
    assert site.trap_reason(address) == why


@settings(deadline=None)  # the first address loads the list of suffixes
@given(
    st.lists(st.text(max_size=60), max_size=30), st.integers(0, 4), st.integers(1, 8)
)
def test_no_addresses_break_its_bounds(paths, depth, budget):
    """Whatever a page names.

    No page twice, none of another site, no deeper and no more than allowed.
    """
    frontier = site.Frontier(["https://wire.example/"], depth=depth, budget=budget)
    urls = [f"https://wire.example/{path}" for path in paths]
    frontier.add_pages(urls, 1)
    seen = []
    while (step := frontier.next_page()) is not None:
        seen.append(step[0])
        frontier.add_pages(urls, step[1] + 1)
        assert step[1] <= depth
    assert len(seen) == len(set(seen)) <= budget
    assert all(frontier.is_own(url) for url in seen)
    assert frontier.describe()
