"""Promises of metadata.

The headline without the site, people without roles, the language of the text, the
credit.
"""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from builders import make_page
from crawler.extraction import (
    attribution,
    language,
    markup,
    metadata,
)

URL = "https://www.orbit-world.example/2026/05/12/story"


def about(head="", body="", objects=None):
    """Metadata of a page of these parts."""
    script = (
        f'<script type="application/ld+json">{json.dumps(objects)}</script>'
        if objects
        else ""
    )
    html = f"<!doctype html><html lang='en'><head>{head}{script}</head><body>{body}<p>Text.</p></body></html>".encode()
    page = make_page(URL, html, fetched_at=datetime.now(UTC))
    return metadata.read_metadata(markup.parse_page(page), URL)


@pytest.mark.parametrize(
    "title",
    [
        "Rain takes two bridges | Orbit World Today",
        "Rain takes two bridges - Orbit World Today",
        "Rain takes two bridges – Orbit World",
        "Orbit World Today: Rain takes two bridges".replace(":", " |"),
        "Rain takes two bridges » Orbit World Today",
        "Rain takes two bridges – Orbit World – 12.05.2026",
        "Rain takes two bridges | World | Orbit World Today",
    ],
)
def test_the_site_is_no_part_of_the_headline(title):
    """Its name, its section and a date are taken off, whatever mark stands before them."""
    head = f"<title>{title}</title><meta property='og:site_name' content='Orbit World Today'>"
    assert about(head).title == "Rain takes two bridges"


def test_the_headline_on_the_page_comes_before_the_one_for_sharing():
    """An h1 that the head confirms is the headline.

    The shorter text for social networks is not.
    """
    head = "<meta property='og:title' content='Two bridges gone'><title>Rain takes two bridges in Jurm | Orbit</title>"
    assert (
        about(head, "<h1>Rain takes two bridges in Jurm</h1>").title
        == "Rain takes two bridges in Jurm"
    )


def test_the_site_name_as_h1_is_no_headline():
    """Old blogs put their name into every h1."""
    head = "<meta property='og:title' content='Rain takes two bridges'><meta property='og:site_name' content='My Valley'>"
    assert about(head, "<h1>My Valley</h1>").title == "Rain takes two bridges"


def test_a_kicker_glued_to_the_headline_goes():
    """What stands before the headline in the same h1 is known by the head, which leaves it out."""
    head = "<meta property='og:title' content='Rain takes two bridges in Jurm'>"
    assert (
        about(head, "<h1>After the storm: Rain takes two bridges in Jurm</h1>").title
        == "Rain takes two bridges in Jurm"
    )


def test_dashes_inside_a_headline_stay():
    """A dash is a part of the sentence where what follows is no site."""
    title = "Rain takes two bridges – and nobody knows who will build them again"
    assert about(f"<title>{title} | Orbit</title>", f"<h1>{title}</h1>").title == title


def test_where_no_person_signs_the_house_does():
    """An agency stands as author only where nobody else does."""
    agency = {
        "@type": "NewsArticle",
        "headline": "x",
        "author": {"@type": "Organization", "name": "Reuters"},
    }
    assert about(objects=agency).authors == ("Reuters",)
    both = agency | {
        "author": [agency["author"], {"@type": "Person", "name": "Nadia Example"}]
    }
    assert about(objects=both).authors == ("Nadia Example",)
    assert about(objects=agency).agency == "Reuters"


def test_authors_are_found_through_references():
    """A graph names its people by reference."""
    graph = {
        "@graph": [
            {"@type": "Article", "headline": "x", "author": {"@id": "#p"}},
            {"@type": "Person", "@id": "#p", "name": "Nadia Example"},
        ]
    }
    assert about(objects=graph).authors == ("Nadia Example",)


def test_a_byline_on_the_page_is_read_where_the_head_is_silent():
    """A commenter's name is no byline."""
    body = "<div class='comment'><span class='author'>A Reader</span></div><span class='byline'>By Nadia Example</span>"
    assert about(body=body).authors == ("Nadia Example",)


def test_site_section_image_and_canonical_are_read():
    """Addresses are made absolute; what is no web address is left out."""
    head = (
        "<meta property='og:site_name' content='Orbit'><meta property='article:section' content='Asia'>"
        "<meta property='og:image' content='/i/1.jpg'><link rel='canonical' href='/x'>"
    )
    found = about(head)
    assert (found.site, found.section, found.canonical) == ("Orbit", "Asia", "/x")
    assert found.image == "https://www.orbit-world.example/i/1.jpg"
    assert (
        about("<meta property='og:image' content='javascript:alert(1)'>").image is None
    )


PASHTO = "د کلي یوه اوسېدونکي وویل چې موږ هر کال د وچکالۍ له امله خپلې ځمکې پرېږدو او بېرته نه راځو."
URDU = "مقامی حکام کے مطابق سرحدی گزرگاہ کو تین دن کی بندش کے بعد پیدل آنے جانے والوں کے لیے کھول دیا گیا ہے۔"
DARI = "باشندگان این ولسوالی می‌گویند که سیلاب سه روز گذشته دو پل را ویران کرده و راه موترها بند شده است."
ARABIC = "قال شهود عيان إن الطريق المؤدية إلى المدينة القديمة فتحت صباح اليوم بعد إزالة الأنقاض منها."
TAJIK = "Сокинони деҳа гуфтанд, ки роҳи кӯҳӣ аз субҳ боз аст ва мошинҳо дар пулҷо мунтазиранд."
UZBEK = "Қишлоқ аҳолиси йўл тонгдан бери очиқ эканини ва машиналар кўприкда кутаётганини айтди."
UZBEK_LATIN = "Qishloq aholisi yo‘l tongdan beri ochiq va mashinalar ko‘prik uchun kutmoqda, deb aytdi."
ENGLISH = "The road to the valley has been open since the morning, and lorries are waiting at the first bend."


@pytest.mark.parametrize(
    ("text", "declared", "source", "told"),
    [
        (PASHTO, "fa", None, "ps"),
        (PASHTO, "en-US", "fa", "ps"),
        (URDU, "en", None, "ur"),
        (DARI, "fa", None, "fa"),
        (DARI, "fa-AF", None, "fa-AF"),
        (DARI, "fa", "fa-AF", "fa-AF"),
        (DARI, "prs", None, "prs"),
        (DARI, "en-US", None, "fa"),
        (ARABIC, "ar", None, "ar"),
        (ARABIC, "fa", None, "ar"),
        (ENGLISH, "en-GB", "fa", "en-GB"),
        (ENGLISH, "fa", None, None),
        (
            "Кандагар снова открыт для грузовиков, сообщили водители на перевале утром.",
            "en",
            None,
            "ru",
        ),
        ("短い", "ja", None, "ja"),
        (DARI.replace("ی", "ي").replace("ک", "ك"), None, None, "fa"),
        (DARI.replace("ه", "ھ"), "fa", None, "fa"),
        (DARI, "per", None, "fa"),
        (DARI, "fas", None, "fa"),
        (PASHTO, "pus", None, "ps"),
        (TAJIK, "en", None, "tg"),
        (TAJIK, "ru", None, "tg"),
        (UZBEK, "ru", None, "uz"),
        (UZBEK_LATIN, "en", None, "uz"),
        (UZBEK_LATIN, None, None, "uz"),
    ],
)
def test_the_text_tells_its_language(text, declared, source, told):
    """Letters decide where they can.

    Dari and Iranian Persian are as the source, then the page, says.
    """
    assert language.detect_language(text, declared=declared, source=source) == told


@pytest.mark.parametrize(
    ("text", "credit"),
    [
        ("KABUL (AFP) - Rain has taken two bridges.\nNobody was hurt.", "AFP"),
        ("Rain has taken two bridges.\nNobody was hurt. (Reuters)", "Reuters"),
        ("Rain has taken two bridges.\nSource: Pajhwok", "Pajhwok"),
        (
            "Rain has taken two bridges.\nThis story was originally published by The Valley Letter.",
            "The Valley Letter",
        ),
        ("باران دو پل را برد.\nمنبع: خبرگزاری خامه پرس", "Khaama Press"),
        (
            "“The police headquarters is lost,” he told AFP news agency.\nNobody answered.",
            None,
        ),
        (
            "Rain has taken two bridges, the Associated Press quoted him as saying.",
            None,
        ),
        ("The council met (for the third time).", None),
        ("", None),
    ],
)
def test_a_credit_is_told_from_a_mention(text, credit):
    """Who is credited for a text stands where credits stand.

    Who was spoken to does not count.
    """
    assert attribution.find_credit(text) == credit


@given(st.text(max_size=300))
def test_any_text_has_a_language_or_none(text):
    """Telling the language never fails, and believes the page where the text says nothing."""
    assert language.detect_language(text, declared="fa-AF") in {
        "fa-AF",
        None,
        "ar",
        "ps",
        "ur",
        "ckb",
        "sd",
        "ru",
        "hi",
        "ja",
        "zh",
        "ko",
    }


OWN = "https://spun.example/2021/07/06/advance/"


@pytest.mark.parametrize(
    ("credit", "origin"),
    [
        (
            '<p><a href="https://wire.example/world/advance">Source link </a></p>',
            "https://wire.example/world/advance",
        ),
        (
            '<p><a href="https://wire.example/fa/1">لینک منبع</a></p>',
            "https://wire.example/fa/1",
        ),
        (
            '<p>The post <a href="https://wire.example/a1">Advance</a> appeared first on <a href="https://wire.example/">Wire</a>.</p>',
            "https://wire.example/a1",
        ),
        ('<p><a href="https://wire.example/">Source link</a></p>', None),
        ('<p><a href="https://www.spun.example/other">Source link</a></p>', None),
        ('<p><a href="javascript:alert(1)">Source link</a></p>', None),
        (
            '<p>Officials told <a href="https://wire.example/a1">the agency</a> that two districts fell.</p>',
            None,
        ),
    ],
)
def test_a_link_called_source_link_names_the_original(credit, origin):
    """Where a reposting blog links to the report, that is its declared origin.

    A page of another site, never a front page.
    """
    tree = html.fromstring(
        f"<html><body><article><p>Two districts fell on Monday.</p>{credit}</article></body></html>"
    )
    assert attribution.find_original_url(tree, OWN) == origin
