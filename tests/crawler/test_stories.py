"""Promises of the stories of a page: the article ends where the next one begins, and a page that lists is none."""

import pytest

from builders import NOW, make_page
from crawler.extraction import extract
from storage.model import Document, RejectionReason

HTML = (("Content-Type", "text/html; charset=utf-8"),)
OWN = [
    "The bridge over the Kokcha was opened for carts on Monday after a winter of repairs, the district said.",
    "Engineers had replaced eleven of its beams with wood from Nuristan that came on mules over the pass.",
    "A toll of ten afghanis is asked of each cart, and herders whose flocks cross on foot pay nothing at all.",
]
NEXT = [
    "Schoolteachers in Herat have waited for their pay since the spring, a union of teachers said on Tuesday.",
    "Some of them drive taxis in the evening, and two of the schools in the old town have closed their upper classes.",
]
HEADLINE, NEXT_HEADLINE = (
    "Bridge over the Kokcha opened again",
    "Teachers in Herat wait for pay",
)


def paragraphs(lines):
    return "".join(f"<p>{line}</p>" for line in lines)


def read(main, *, title=HEADLINE, head="", body_class="", path="/2026/05/bridge"):
    html = f"<html><head><title>{title}</title>{head}</head><body class='{body_class}'><main>{main}</main></body></html>"
    page = make_page(f"https://paper.example{path}", html.encode(), headers=HTML)
    return extract.extract(page, now=NOW)


@pytest.mark.parametrize(
    "template",
    [
        "<article><h1>{own_head}</h1>{own}</article><article><h2>{head}</h2>{text}</article>",
        "<div class=post><h1>{own_head}</h1>{own}</div><div class=post><h2>{head}</h2>{text}</div>",
        "<div class=story-full><h1>{own_head}</h1><div class=txt>{own}</div></div><div class=more><div class=story-full><h3><a href=/2026/05/pay>{head}</a></h3><div class=txt>{text}</div></div></div>",
        "<div><h1>{own_head}</h1><div class=txt>{own}</div></div><section class=below><span>Read next</span><h2><a href=/2026/05/pay>{head}</a></h2><div class=txt>{text}</div></section>",
        "<section class=leaf><h1>{own_head}</h1>{own}</section><section class=leaf><h1>{head}</h1>{text}</section>",
    ],
)  # fmt: skip
def test_the_text_ends_where_the_next_article_begins(template):
    """The next story stands whole below: in an element of its own, of the article's own kind, or under a link to its page."""
    found = read(
        template.format(
            own_head=HEADLINE, own=paragraphs(OWN), head=NEXT_HEADLINE, text=paragraphs(NEXT)
        )
    )  # fmt: skip
    assert found.text.splitlines() == OWN
    assert [c.text for c in found.cuts if c.rule == "another article"][-2:] == NEXT


@pytest.mark.parametrize(
    "template",
    [
        "<article><h1>{own_head}</h1>{own}<h2>What it costs</h2>{text}</article>",
        "<article><h1>{own_head}</h1><section>{own}</section><section><h2>What it costs</h2>{text}</section></article>",
        "<article><h1>{own_head}</h1><div class=txt>{own}<div class=item><h3><a href=/wood>What it costs</a></h3>{text}</div></div></article>",
        "<article><h1>{own_head}</h1><div class=part>{own}</div><div class=part><h2>What it costs</h2>{text}</div></article>",
    ],
)  # fmt: skip
def test_a_section_of_the_article_stays(template):
    """A heading within the article begins no other one, even where it is a link."""
    found = read(
        template.format(own_head=HEADLINE, own=paragraphs(OWN), text=paragraphs(NEXT))
    )
    assert all(line in found.text.splitlines() for line in OWN + NEXT)


def teasers(count, form):
    made = []
    for number in range(count):
        line = f"Item {number}: {NEXT[number % 2]}"
        made.append(form.format(n=number, head=f"{NEXT_HEADLINE}, part {number}", text=line))  # fmt: skip
    return "".join(made)


TEASER_FORMS = [
    "<article><h2><a href=/2026/pay-{n}>{head}</a></h2><p>{text}</p></article>",
    "<div class=card><a href=/2026/pay-{n}><h3>{head}</h3></a><div class=dek>{text}</div></div>",
    "<li><div class=item-title><a href=/2026/pay-{n}>{head}</a></div><p>{text}</p></li>",
    "<div class=post><h2><a href=/2026/pay-{n}>{head}</a></h2><p>{text}</p><p>{text} So they say in part {n}.</p></div>",
]  # fmt: skip


@pytest.mark.parametrize("form", TEASER_FORMS)
@pytest.mark.parametrize("heading", ["", "<h1>Education</h1>"])
def test_a_page_of_stories_is_a_listing(form, heading):
    """Each stands under a headline that links to its own page, in short or whole."""
    found = read(heading + teasers(7, form), title="Education", path="/education")
    assert found.why is RejectionReason.LISTING


@pytest.mark.parametrize(
    ("body_class", "path"), [("archive tag", "/x"), ("", "/author/nadia/"), ("", "/")]
)
def test_few_stories_are_enough_where_the_page_calls_itself_an_archive(
    body_class, path
):
    """By what a common template calls its body, or by its address."""
    main = teasers(3, TEASER_FORMS[3])
    found = read(main, title="Education", body_class=body_class, path=path)
    assert found.why is RejectionReason.LISTING


def test_an_article_of_many_parts_is_no_listing():
    """It says that it is an article, or its headings lead to other sites or nowhere."""
    declared = '<meta property="article:published_time" content="2026-05-11T10:00:00Z">'
    flat = "<h1>{head}</h1>" + "".join(
        f"<h2><a href='https://shop-{n}.example/'>Offer number {n} of the fair</a></h2><p>{n}: {OWN[n % 3]}</p>"
        for n in range(6)
    )
    inner = "".join(
        f"<h2><a href=/wood-{n}>Wood of kind {n} in the bridge</a></h2><p>{n}: {OWN[n % 3]}</p>"
        for n in range(6)
    )
    assert isinstance(read(flat), Document)
    assert isinstance(read(f"<h1>{HEADLINE}</h1>{inner}", head=declared), Document)
