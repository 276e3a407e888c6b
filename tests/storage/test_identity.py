"""What makes two things the same."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import identity, text_likeness

_HOSTS = st.sampled_from(
    [
        "example.com",
        "www.example.com",
        "m.example.co.uk",
        "amp.example.org",
        "xn--p1ai.example",
        "h.example:8080",
    ]
)
_PARTS = st.text(
    alphabet=string.ascii_letters + string.digits + "-._~%/;=+&é خبر", max_size=30
)
URLS = st.builds(
    "{}://{}/{}?{}#{}".format,
    st.sampled_from(["http", "HTTPS"]),
    _HOSTS,
    _PARTS,
    _PARTS,
    st.sampled_from(["", "top"]),
)


@given(URLS | st.text())
def test_canonical_twice_is_canonical_once(url):
    """A stored URL read back and made canonical again is the same string."""
    once = identity.canonical_url(url)
    assert identity.canonical_url(once) == once


@settings(deadline=None)  # the first look at the list of suffixes takes .4 s
@given(URLS | st.text())
def test_any_string_has_a_key_and_a_host(url):
    """Junk raises nothing, and a URL and its canonical form are one page."""
    assert identity.url_key(identity.canonical_url(url)) == identity.url_key(url)
    assert identity.url_host(identity.canonical_url(url)) == identity.url_host(url)


@pytest.mark.parametrize(
    ("given_url", "stored"),
    [
        ("HTTP://Example.COM:80/News/?b=2&a=1#top", "http://example.com/News/?b=2&a=1"),
        ("https://user:secret@example.com/x", "https://example.com/x"),
        ("https://example.com", "https://example.com/"),
        (
            "https://example.com/x?utm_source=rss&id=5&fbclid=A",
            "https://example.com/x?id=5",
        ),
        (
            "https://example.com/x?at_medium=RSS&at_campaign=KARANGA",
            "https://example.com/x",
        ),
        ("https://example.com/x?ref=rss", "https://example.com/x"),
        ("https://example.com/x?ref=chapter-2", "https://example.com/x?ref=chapter-2"),
        ("https://example.com/x;jsessionid=0A1B?id=3", "https://example.com/x?id=3"),
        ("https://example.com/خبر", "https://example.com/%D8%AE%D8%A8%D8%B1"),
        ("https://example.com/100% sure", "https://example.com/100%25%20sure"),
        ("https://example.com/a%2fb", "https://example.com/a%2fb"),
        ("  https://example.com/x\n", "https://example.com/x"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("http://[bad/", "http://[bad/"),
        ("http://example.com:99999/", "http://example.com:99999/"),
        ("", ""),
    ],
)
def test_the_stored_form(given_url, stored):
    """The stored form drops what only tracks and keeps what a server may need."""
    assert identity.canonical_url(given_url) == stored


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://www.example.com/a/", "https://example.com/a"),
        ("https://m.example.com/a/b", "https://www.example.com/a/b"),
        ("https://amp.example.com/a/b", "https://example.com/a/b"),
        ("https://example.com/a/b/amp/", "https://example.com/a/b"),
        ("https://example.com/news/amp/world-1", "https://example.com/news/world-1"),
        ("https://example.com/a.amp.html", "https://example.com/a.html"),
        ("https://example.com/a?amp=1", "https://example.com/a"),
        ("https://example.com/a?outputType=amp&id=1", "https://example.com/a?id=1"),
        ("https://www.google.com/amp/s/www.example.com/a/b", "https://example.com/a/b"),
        (
            "https://example-com.cdn.ampproject.org/c/s/example.com/a",
            "https://example.com/a",
        ),
        ("https://example.com/%d8%ae", "https://example.com/خ"),
        ("https://example.com/a/index.html", "https://example.com/a/"),
        ("https://example.com//a//b", "https://example.com/a/b"),
    ],
)
def test_twins_have_one_key(one, other):
    """Scheme, www, mobile and AMP forms and spelling of escapes do not make two pages."""
    assert identity.url_key(one) == identity.url_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://m.co.uk/a", "https://co.uk/a"),
        ("https://example.com/a?id=1", "https://example.com/a?id=2"),
        ("https://example.com/amp", "https://example.com/"),
        ("https://example.com/A", "https://example.com/a"),
        ("https://example.com/a%2Fb", "https://example.com/a/b"),
        ("https://fa.example.com/a", "https://example.com/a"),
        ("https://m.example.com/", "https://example.com/"),
    ],
)
def test_different_pages_have_different_keys(one, other):
    """Folding stops where two pages could differ."""
    assert identity.url_key(one) != identity.url_key(other)


def test_a_site_is_a_registrable_domain():
    """Hosts of one publisher share a site.

    Two blogs of one platform and two bare addresses do not.
    """
    assert (
        identity.registrable_domain("https://www.fa.example.co.uk/x")
        == identity.registrable_domain("http://example.co.uk/")
        == "example.co.uk"
    )
    assert identity.registrable_domain(
        "https://one.blogspot.com/"
    ) != identity.registrable_domain("https://two.blogspot.com/")
    assert identity.registrable_domain("http://192.0.2.7/x") == "192.0.2.7"
    assert identity.registrable_domain("not a url") == ""


PAGE = "https://news.example.com/world/2021/08/kabul-falls"


@pytest.mark.parametrize(
    ("declared", "own", "other"),
    [
        (None, PAGE, None),
        ("", PAGE, None),
        ("/world/2021/08/kabul-falls?utm_source=x", PAGE, None),
        (
            "https://www.example.com/kabul-falls",
            "https://www.example.com/kabul-falls",
            None,
        ),
        (
            "https://agency.example.net/story/17",
            PAGE,
            "https://agency.example.net/story/17",
        ),
        ("https://news.example.com/", PAGE, None),
        ("https://news.example.com/en/", PAGE, None),
        ("https://news.example.com/fa-AF", PAGE, None),
        ("https://news.example.com/zh-hans/", PAGE, None),
        ("https://news.example.com/the-mill", PAGE, None),
        ("https://agency.example.net", PAGE, None),
        ("https://news.example.com/world/", PAGE, None),
        ("http://[bad", PAGE, None),
        ("javascript:void(0)", PAGE, None),
        ("https://news.example.com/" + "a" * 3_000, PAGE, None),
    ],
)
def test_a_declared_canonical_counts_within_one_publisher(declared, own, other):
    """`link rel=canonical` renames a page within its site, is evidence across sites, and never names a home page or a section."""
    assert identity.resolve_canonical(PAGE, declared) == (own, other)


@pytest.mark.parametrize(
    ("page", "declared"),
    [
        ("https://paper.example/news/1201", "https://paper.example/news"),
        ("https://paper.example/news/7", "https://paper.example/news/"),
        ("https://paper.example/fa/news/12/34", "https://paper.example/fa/news"),
        ("https://paper.example/item?id=17", "https://paper.example/item"),
        ("https://paper.example/2026/mill", "https://paper.example/undefined"),
        ("https://paper.example/2026/mill", "null"),
        ("https://paper.example/2026/mill", "/news/[object Object]"),
        ("https://paper.example/2026/mill", "{{ page.url }}"),
        ("https://paper.example/2026/mill", "https://paper.example/author/nadia/"),
        ("https://paper.example/2026/mill", "https://paper.example/en/category/asia"),
        ("https://paper.example/2026/mill", "https://paper.example/tag/asia/page/2"),
        ("https://paper.example/2026/mill", "https://paper.example/search?q=mill"),
        ("https://paper.example/2026/mill", "https://paper.example/2025/flood"),
        ("https://paper.example/2026/mill", "http://localhost:3000/2026/mill"),
        ("https://paper.example/2026/mill", "http://127.0.0.1/2026/mill"),
        ("https://paper.example/2026/mill", "http://cms.local/2026/mill"),
        ("https://paper.example/2026/mill", "http://wordpress/2026/mill"),
    ],
)
def test_a_declaration_that_a_template_repeats_is_no_address(page, declared):
    """A section, an author, a search, nothing at all or a private machine says nothing.

    Neither does another article that shares no word with this one.
    """
    assert identity.resolve_canonical(page, declared) == (page, None)


@pytest.mark.parametrize(
    ("page", "declared", "og_url", "title"),
    [
        ("?p=1207", "/2026/05/mill-reopens/", "/2026/05/mill-reopens/", None),
        ("?p=1207", "/2026/05/mill-reopens/", None, "The mill reopens"),
        ("world/mill-reopens", "/asia/mill-reopens", "/world/mill-reopens", None),
        ("a/2026/4417320", "/story-4417320-mill", None, None),
        ("mill-reopens/2", "/mill-reopens", None, None),
        ("post/%DA%A9%D8%A7%D8%A8%D9%84-1207", "/کابل-1207", None, None),
    ],
)
def test_a_declaration_is_believed_where_something_agrees(
    page, declared, og_url, title
):
    """The headline, a number, the last part of the path or og:url bear it out."""
    site = "https://paper.example"
    own, other = identity.resolve_canonical(
        f"{site}/{page}", declared, og_url=og_url, title=title
    )
    assert (own, other) == (identity.canonical_url(site + declared), None)


@pytest.mark.parametrize("declared", ["/flood-1206", "/mill/today", "/node/8996"])
def test_og_url_contradicts_a_declaration(declared):
    """A page whose og:url is its own address keeps it, whatever its canonical says."""
    page = "https://paper.example/2026/05/mill-reopens"
    resolved = identity.resolve_canonical(
        page, declared, og_url=page, title="The mill today, flood of 1206"
    )
    assert resolved == (page, None)


def test_a_script_without_its_number_is_no_canonical():
    """A template that forgets the story's number does not make all stories one."""
    page = "https://example.com/story.php?id=17"
    assert identity.resolve_canonical(page, "https://example.com/story.php") == (
        page,
        None,
    )
    assert identity.resolve_canonical("https://example.com/a/b/amp", "/a/b") == (
        "https://example.com/a/b",
        None,
    )


@settings(deadline=None)
@given(st.text(), st.text())
def test_resolving_never_raises_and_stays_canonical(page, declared):
    """Whatever a page declares, both answers are canonical URLs."""
    own, other = identity.resolve_canonical(page, declared)
    assert identity.canonical_url(own) == own
    assert other is None or identity.canonical_url(other) == other


def test_words_fold_spelling_and_punctuation():
    """Case, marks, keyboards and quotation marks do not change the words of a text."""
    assert text_likeness.fold_words("KÁBUL\u2019S “governor”") == [
        "kabul",
        "s",
        "governor",
    ]
    assert text_likeness.fold_words("كابل") == text_likeness.fold_words("کابل")
    assert text_likeness.text_hash("Kabul, 12 killed.") == text_likeness.text_hash(
        "  KABUL — 12 killed"
    )
    assert text_likeness.text_hash("Kabul, 12 killed.") != text_likeness.text_hash(
        "Kabul, 14 killed."
    )


@given(st.text())
def test_a_text_hash_fits_the_file(text):
    """Hashes rest in a signed 64-bit column."""
    assert -(2**63) <= text_likeness.text_hash(text) < 2**63


@given(st.text())
def test_words_are_the_same_in_a_short_text_and_in_a_long_one_of_another_script(text):
    """A text that is English but for some signs is folded by a faster way, to the same words."""
    own = [
        word
        for part in ("stone", text, "bridge")
        for word in text_likeness.fold_words(part)
    ]
    filler = "plain stone bridge " * (10 + 2 * len(text))
    assert (
        text_likeness.fold_words(f"{filler}\n stone \n{text}\n bridge")[
            len(filler.split()) :
        ]
        == own
    )


def test_a_sketch_is_the_same_in_every_process_and_release():
    """Keys rest in the file.

    Those of the text below were written down when the index was new.
    """
    profile = text_likeness.profile_text(
        " ".join(f"word{n} Name{n}" for n in range(200))
    )
    assert text_likeness.shingle_sketch(profile)[:3] == (
        -9163271417530878667,
        -9136813774952366909,
        -9131577563441311122,
    )
    assert text_likeness.opening_sketch(profile)[:2] == (
        -2636331888309229927,
        -2854566614076306500,
    )
    assert text_likeness.name_sketch(profile, 20_000)[:2] == (
        1582704669269156828,
        -4745894294658917282,
    )
    assert (
        text_likeness.shingle_sketch(text_likeness.profile_text("four words are few"))
        == ()
    )
    assert (
        len(
            text_likeness.shingle_sketch(
                text_likeness.profile_text("here are five words only")
            )
        )
        == 1
    )
    assert (
        len(
            text_likeness.shingle_sketch(text_likeness.profile_text("round and " * 500))
        )
        == 2
    )


@given(st.text(), st.text())
def test_an_entry_s_address_is_canonical_and_its_own(page, entry):
    """It stays as it is in the store, and opens the page that it was made of."""
    url = identity.entry_url("https://paper.example/live?x=1#part", entry)
    assert identity.is_entry_url(url)
    assert identity.canonical_url(url) == url
    assert url.startswith("https://paper.example/live?x=1#")
    assert identity.url_key(url) != identity.url_key("https://paper.example/live?x=1")
    assert (identity.url_key(url) == identity.url_key(identity.entry_url(
        "https://paper.example/live?x=1", page
    ))) == (page == entry)  # fmt: skip


CONTACTS = (
    "Media contacts:\nNadia Sample, Head of Public Information, Kabul Office, +93 700 000 001\n"
    "Omid Sample, Spokesman Northern Region, Mazar Office, +93 700 000 002, press@agency.example\n"
    "Farid Sample, Spokesman Western Region, Herat Office, +93 700 000 003\nwww.agency.example"
)  # fmt: skip
CHANNEL = "Join us:\nAfghan Wire Example On Telegram @wire_example\nAfghan Wire Example On Video: https://video.example/wire\nAfghan Wire Example Office Kabul Shar-e Naw 0700 000 004"  # fmt: skip
DARI = "ارتباط با دفتر رسانه‌ای نمونه در شهر کابل:\nشماره تماس بخش نشرات: 0700 000 005\nنشانی برقی دفتر مرکزی: info@nemuna.example\nصفحه رسمی خبرگزاری نمونه: https://nemuna.example"  # fmt: skip


@pytest.mark.parametrize("footer", [CONTACTS, CHANNEL, DARI])
def test_a_shared_footer_of_contacts_makes_no_version(footer):
    """Two reports that share nothing but whom to call are not alike."""
    bridge = (
        "The bridge over the Hari Rud at Pul-e Malan was opened again on Monday. Engineers of "
        "the province said that lorries may cross it from noon on, two years after a flood."
    )
    school = (
        "Teachers in Yakawlang stayed at home for a third day. A member of their council said "
        "in Bamyan that wages had not been paid since spring, and that classes would wait."
    )
    one = text_likeness.profile_text(f"{bridge}\n{footer}")
    other = text_likeness.profile_text(f"{school}\n{footer}")
    likeness = text_likeness.measure_likeness(one, other)
    assert not likeness.is_probable
    assert not likeness.is_copy
    cut = text_likeness.profile_text(bridge)
    assert text_likeness.measure_likeness(one, cut).is_copy


def test_a_text_is_never_all_footer_and_a_last_paragraph_is_none():
    """A number or an address in the report's own sentences does not end it."""
    report = (
        "The hospital of Lashkar Gah asked for blood on Friday.\n"
        "Donors may call 0700 000 006 until the evening, a doctor named Sample said.\n"
        "Eleven wounded people were brought in from Nad-e Ali after a mine went off, and the "
        "hospital, which has sixty beds, turned nobody away although it had been full before.\n"
    )
    assert text_likeness.profile_text(report).text == report
    only = "Call +93 700 000 007\nwww.agency.example"
    assert "Call" in text_likeness.profile_text(only).text


def test_a_later_report_with_the_same_background_is_no_copy():
    """It opens with news of its own and repeats the names and sentences of before."""
    background = " ".join(
        f"Commander Sample{n} Nemuna{n} told Agency{n} Wire{n} about road {n} of the valley."
        for n in range(12)
    )
    first = "Elders of Chak met in Wardak. Governor Alef Nemuna and Mullah Beh Nemuna spoke with Haji Sample Khan about water. "  # fmt: skip
    later = "A court in Herat freed Dr Jim Nemuna. Lawyers Dal Sample and Zal Sample had asked Minister Sin Nemuna for mercy in June. "  # fmt: skip
    more = " ".join(f"then word{n} came after" for n in range(30))
    again = background.replace("told", "had said to").replace("about", "of")
    one = text_likeness.profile_text(f"{first}{background}")
    other = text_likeness.profile_text(f"{later * 2}{more} {again}")
    likeness = text_likeness.measure_likeness(one, other)
    # By its names and its score alone it would be a reworded copy.
    assert likeness.shared_names >= 30
    assert (likeness.names >= 0.7, likeness.score >= 0.5) == (True, True)
    assert not likeness.is_copy
