"""Promises of the body's markup: a sentence keeps its words, a page's layout adds none.

And what it shows at once is text, what it never shows is not.
"""

import pytest

from builders import NOW, make_page
from crawler.extraction import extract
from storage.model import Document

HTML = (("Content-Type", "text/html; charset=utf-8"),)
FIRST = "The bridge at Gereshk was closed for lorries on Monday, the road office of the province said."
SECOND = "Drivers waited on both banks of the river until the evening, when soldiers let the buses pass."
THIRD = "A second bridge, which was begun nine years ago, has neither a surface nor a date for one."
FOURTH = "The office asked traders to send their goods by the northern road for the time being."
DARI = "شاهراه هرات به روی موترهای باربری بسته شد و مسافران در دو طرف دریا شب را سپری کردند."
DARI_SECOND = "ریاست فواید عامه می‌گوید که کار پل تازه تا ختم سال به پایان خواهد رسید."
NOTICE = "We use cookies and other trackers to remember what you choose, to count visits and to show offers. You may refuse them below at any time."


def read_lines(body, title="Bridge at Gereshk closed"):
    """The lines of the article that a page with this body yields."""
    source = f"<html><head><title>{title}</title></head><body>{body}</body></html>"
    page = make_page("https://paper.example/a/bridge", source.encode(), headers=HTML)
    found = extract.extract(page, now=NOW)
    assert isinstance(found, Document), found
    return found.text.splitlines()


def article(*parts):
    inner = "".join(
        part if part.startswith("<") else f"<p>{part}</p>" for part in parts
    )
    return f"<article><h1>Bridge at Gereshk closed</h1><div class=body>{inner}</div></article>"


@pytest.mark.parametrize(
    "phrase",
    [
        '<time datetime="2026-05-04">on Monday evening</time>',
        "<button type=button>on Monday evening</button>",
        "<label>on Monday evening</label>",
        "<output>on Monday evening</output>",
        '<abbr title="first day">on Monday evening</abbr>',
        '<a href="/days">on Monday evening</a>',
        "<span><time>on Monday evening</time></span>",
        "<em>on <time>Monday</time> evening</em>",
    ],
)
def test_words_of_a_sentence_stay_in_place_once(phrase):
    """Whatever inline element a sentence has its words in, it is one line."""
    sentence = (
        f"The convoy reached the toll gate {phrase} and was turned back, a driver said."
    )
    whole = "The convoy reached the toll gate on Monday evening and was turned back, a driver said."
    assert read_lines(article(FIRST, sentence, SECOND)) == [FIRST, whole, SECOND]
    assert read_lines(article(FIRST, SECOND, sentence)) == [FIRST, SECOND, whole]


@pytest.mark.parametrize(
    ("quoted", "read"),
    [
        ("<q>a bridge of promises</q>", "“a bridge of promises”"),
        ("<q>“a bridge of promises”</q>", "“a bridge of promises”"),
        ("<q>a <b>bridge</b> of promises</q>", "“a bridge of promises”"),
    ],
)
def test_a_quotation_in_a_sentence_has_its_marks_as_readers_see_them(quoted, read):
    sentence = f"The governor called it {quoted} and left for the capital before noon."
    assert sentence.replace(quoted, read) in read_lines(
        article(FIRST, sentence, SECOND)
    )


def test_a_date_or_button_beside_a_text_is_none_of_its_sentences():
    """What stands alone or behind a label is dropped as before."""
    extra = "<p>Posted on <time>4 May 2026</time></p><p><button>Subscribe</button></p>"
    lines = read_lines(article(extra, FIRST, SECOND, THIRD))
    assert lines == [FIRST, SECOND, THIRD]


PARAGRAPHS = (FIRST, SECOND, THIRD)


@pytest.mark.parametrize(
    "table",
    [
        "<table><tr><td><a href=/>Home</a> <a href=/old>Old</a></td><td>"
        + "".join(f"<p>{text}" for text in PARAGRAPHS)
        + "</td></tr></table>",
        "<table>" + "".join(f"<tr><td>{t}</td></tr>" for t in PARAGRAPHS) + "</table>",
        "<table><tr><td>" + "<br><br>".join(PARAGRAPHS) + "</td></tr></table>",
        "<table role=presentation><tr><td><div>"
        + "</div><div>".join(PARAGRAPHS)
        + "</div></td></tr></table>",
        "<table><tr><td><table><tr><td><font face=Arial>"
        + "<br><br>".join(PARAGRAPHS)
        + "</font></td></tr></table></td></tr></table>",
    ],
    ids=["two cells", "rows", "breaks", "presentation", "nested"],
)
def test_a_table_that_lays_out_the_page_is_none(table):
    """Its paragraphs are lines, without bars between and without its menu."""
    assert read_lines(table) == list(PARAGRAPHS)


@pytest.mark.parametrize("cell", ["td", "th"])
def test_a_table_of_data_has_one_line_a_row(cell):
    rows = (("Bridge", "Year"), ("Gereshk", "1961"), ("Sangin", "1974"))
    table = "<table>"
    for row in rows:
        table += "<tr>" + "".join(f"<{cell}>{text}</{cell}>" for text in row) + "</tr>"
    lines = read_lines(article(FIRST, SECOND, f"{table}</table>", THIRD))
    assert len(lines) == 6
    assert "Sangin" in lines[4]
    assert "1974" in lines[4]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lead-khabar", DARI),
        ("akhbar-text", DARI),
        ("matn-khabarnama", DARI),
        ("authority-statement", THIRD),
        ("operating-note", THIRD),
        ("barrier-report", THIRD),
        ("navy-statement", THIRD),
        ("teaser-content", THIRD),
        ("article-teaser", THIRD),
        ("paywall", THIRD),
        ("premium-part", THIRD),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_class_that_only_has_the_letters_of_a_menu_is_text(name, text, place):
    parts = [FIRST, SECOND, FOURTH]
    parts.insert(place, f"<div class='{name}'><p>{text}</p></div>")
    wanted = [FIRST, SECOND, FOURTH]
    wanted.insert(place, text)
    assert read_lines(article(*parts)) == wanted


@pytest.mark.parametrize(
    "name", ["navbar", "share-bar", "authorBox", "sidebar", "top-menu", "story-teaser"]
)
def test_a_part_that_its_class_names_is_none_of_the_text(name):
    links = "".join(f"<a href=/{n}>Another story of the day {n}</a> " for n in range(4))
    lines = read_lines(
        article(FIRST, SECOND, f"<div class='{name}'>{links}</div>", THIRD)
    )
    assert lines == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(
    "notice",
    [
        f"<div role=dialog><p>{NOTICE}</p><p>{NOTICE}</p></div>",
        f"<section role=alertdialog><h2>Choose</h2><p>{NOTICE}</p></section>",
        f"<div aria-modal=true><p>{NOTICE}</p></div>",
        f"<div id=cookie-banner><p>{NOTICE}</p></div>",
        f"<div class='site-consent'><div><p>{NOTICE}</p></div></div>",
    ],
)
@pytest.mark.parametrize("parts", [(FIRST,), (FIRST, SECOND, THIRD)])
def test_a_notice_is_no_part_of_an_article_of_one_paragraph(notice, parts):
    assert read_lines(f"{notice}<main>{article(*parts)}</main>") == list(parts)


def test_an_article_that_opens_in_a_dialog_is_read():
    """What holds the headline is the page, whatever lies around it."""
    body = f"<div role=dialog class=modal>{article(FIRST, SECOND, THIRD)}</div>"
    assert read_lines(body) == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(
    "part",
    [
        "<amp-ad><div fallback>No offer could be loaded here.</div></amp-ad>",
        f"<amp-lightbox layout=nodisplay><p>{NOTICE}</p></amp-lightbox>",
        f"<div layout=nodisplay><p>{NOTICE}</p></div>",
        "<p class=vjs-no-js>Please switch on scripts to see this film of the bridge.</p>",
        f"<p class=screen-reader-text>{NOTICE}</p>",
    ],
)
def test_what_readers_never_see_is_no_text(part):
    assert read_lines(article(FIRST, part, SECOND, THIRD)) == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(
    "unseen",
    [
        "<span class=tooltiptext>A body that governs the roads.</span>",
        "<span role=tooltip>A body that governs the roads.</span>",
        "<span class='sr-only'>(opens in a new tab)</span>",
        "<svg><title>Arrow</title></svg>",
    ],
)
def test_an_unseen_note_in_a_sentence_leaves_its_words_apart(unseen):
    """The sentence reads on behind the note, and no two words become one."""
    sentence = f"The road office{unseen} has no answer to the question of the drivers."
    whole = "The road office has no answer to the question of the drivers."
    assert read_lines(article(FIRST, sentence, SECOND)) == [FIRST, whole, SECOND]


@pytest.mark.parametrize(
    "lead",
    [
        f"<div class=lead>{DARI}</div>",
        f"<p class='item-summary'>{DARI}</p>",
        f"<div class=standfirst><p>{DARI}</p></div>",
    ],
)
@pytest.mark.parametrize("description", ["", "Latest news of the country every day"])
def test_a_standfirst_above_the_body_is_its_first_line(lead, description):
    """Also where the head of the page describes the paper and not the article."""
    head = f"<meta name=description content='{description}'>" if description else ""
    body = "".join(f"<p>{text}</p>" for text in (DARI_SECOND, FIRST, SECOND, THIRD))
    page = f"{head}<div><h1>پل بسته شد</h1>{lead}<div><div itemprop=articleBody>{body}</div></div></div>"
    assert read_lines(page)[0] == DARI


# What is hidden: text that a page shows at once, and text that it never shows.
SPAM = "Cheap pills and loans of every kind are offered on the pages of our partners, order today."


@pytest.mark.parametrize(
    ("call", "place"),
    [
        ('$RS("S:1","P:1")', '<template id="P:1"></template>'),
        ('$RC("B:1","S:1")', '<template id="B:1"></template>'),
        ("swap('S:1', 'slot-1')", "<span id=slot-1></span>"),
    ],
)
def test_a_streamed_part_is_text_in_its_place(call, place):
    """A framework sends the part hidden and moves it by a script."""
    body = article(FIRST, place, THIRD)
    part = f'<div hidden id="S:1"><p>{SECOND}</p></div><script>{call}</script>'
    assert read_lines(body + part) == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(
    "fold",
    [
        "<button data-target='#rest'>Open</button><div id=rest style='display:none'>{}</div>",
        "<a href='#rest'>Read more</a><div id=rest hidden>{}</div>",
        "<button aria-controls=rest>Open</button><div id=rest aria-hidden=true>{}</div>",
        "<div style='display:none'>{}</div><button>Read more</button>",
        "<span class=button>ادامه مطلب</span><div hidden>{}</div>",
        "<div hidden=until-found>{}</div>",
    ],
)
def test_what_a_button_unfolds_is_text(fold):
    rest = f"<p>{THIRD}</p><p>{FOURTH}</p>"
    assert read_lines(article(FIRST, SECOND, fold.format(rest))) == [
        FIRST,
        SECOND,
        THIRD,
        FOURTH,
    ]


@pytest.mark.parametrize(
    "hide",
    [
        "style='display:none'",
        "hidden",
        "style='position:absolute;left:-9999px'",
        "style='text-indent:-10000px'",
    ],
)
@pytest.mark.parametrize("inner", ["<p>{}</p>", "{}", "<a href=/x>{}</a>"])
def test_hidden_text_that_nothing_shows_is_none(hide, inner):
    """Search engines are given it, and no reader."""
    part = f"<div {hide}>{inner.format(SPAM)}</div>"
    assert read_lines(article(FIRST, SECOND, part, THIRD)) == [FIRST, SECOND, THIRD]


def test_a_menu_that_a_button_opens_stays_hidden():
    links = "".join(f"<a href=/{n}>Another story of the day {n}</a> " for n in range(9))
    menu = f"<button aria-controls=m>Menu</button><div id=m hidden>{links}</div>"
    assert read_lines(article(FIRST, SECOND, menu, THIRD)) == [FIRST, SECOND, THIRD]
