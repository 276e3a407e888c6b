"""Promises of cleaning: boilerplate goes, whatever its language and origin.

The article stays.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.extraction import clean
from storage.folding import printable

BODY = (
    "The well of the upper village was finished on Sunday.",
    "Its water is clear, said the mason, who wants to read more about pumps.",
    "By evening a queue of forty stood before it.",
)

BOILERPLATE = [
    "Source link",
    "Leave a Reply",
    "Leave a Reply Cancel reply",
    "Your email address will not be published.",
    "Your email address will not be published. Required fields are marked *",
    "» Share this:",
    "Advertisement",
    "3 Comments",
    "Read more: Another well, another village",
    "The post A well is finished appeared first on Orbit World Today.",
    "لینک منبع",
    "دیدگاهتان را بنویسید",
    "نشانی ایمیل شما منتشر نخواهد شد.",
    "شریک کنید",
    "بیشتر بخوانید: چاه دوم هم آب داد",
    "ځواب دلته پرېږدئ",
    "ستاسو برېښناليک به نه خپريږي",
    "شریک کړئ",
    "نور ولولئ",
    "یہ بھی پڑھیں: دوسرا کنواں",
    "شیئر کریں",
    "Source: link",
    "Read full article >>",
    "Post Views: 2,318",
    "Like this: Like Loading...",
    "Share this: Click to share on X (Opens in new window) X",
    "(This report has not been edited by Orbit staff and is published from a syndicated feed.)",
    "Disclaimer: This article is auto-generated from a syndicated feed; only its headline may have been changed by Orbit.",
    "Except for the headline, this story has not been edited by Orbit staff and comes from a syndicated feed.",
    "[ad_2]",
    '[gallery ids="4,5,6"]',
    "انتهای پیام/",
    "انتهای پیام/۱۲",
    "پایان خبر",
    "کد خبر: 778123",
    "شناسه خبر: ۵۵۱۲",
    "تعداد بازدید: ۴۰",
    "۴۰ بازدید",
    "لینک کوتاه: https://orbit.example/w7",
    "این مطلب را به اشتراک بگذارید",
    "د عکس تشریح: د کلي نوې څا",
    "لیدنې: ۴۰",
    "مختصر لنک: https://orbit.example/w7",
    "مناظر: 40",
]


@pytest.mark.parametrize("line", BOILERPLATE)
@pytest.mark.parametrize("place", [0, 1, len(BODY)])
def test_boilerplate_goes_wherever_it_stands(line, place):
    """A line of boilerplate is cut from the start, the middle and the end, and kept as a cut with its rule."""
    text = "\n".join([*BODY[:place], line, *BODY[place:]])
    cleaned = clean.clean(text)
    assert cleaned.text.splitlines() == list(BODY)
    assert [cut.text for cut in cleaned.cuts] == [line]
    assert cleaned.cuts[0].rule


@pytest.mark.parametrize(
    "tail",
    [
        " Source link",
        " Source link Leave a Reply Your email address will not be published.",
        " The post A well is finished appeared first on Orbit World Today.",
        " دیدگاهتان را بنویسید",
    ],
)
def test_phrases_glued_to_the_last_paragraph_go(tail):
    """What a blog glued to the end of a paragraph is cut off, and nothing before it."""
    cleaned = clean.clean("\n".join(BODY) + tail)
    assert cleaned.text.splitlines() == list(BODY)


@pytest.mark.parametrize(
    "line",
    [
        "He asked the court to leave a comment on the record.",
        "She told the AFP news agency that she would follow the convoy on Monday.",
        "Photographs of the missing were carried through the bazaar, and their names were read aloud.",
        "By Saturday, the fighters had taken ten villages.",
        "Print shops in Kabul have closed.",
        "بیشتر باشندگان ولسوالی از راه کوه به مرکز ولایت رفته‌اند.",
        "ځواب یې دا و چې سړک به تر ژمي پورې خلاص وي.",
        "“We told them [sic] to wait,” the mason said, “and the [pump] came.”",
        "کد خبر را کسی نپرسید و چاه در ختم سال آماده شد.",
        "The paper counted 40 views of the council, and none was the same.",
        "This story has been told at every well of the valley since the war.",
    ],
)
def test_sentences_that_begin_like_boilerplate_stay(line):
    """A sentence of an article is no boilerplate because it uses a word of it."""
    for text in (f"{line}\n{BODY[0]}", f"{BODY[0]}\n{line}"):
        assert line in clean.clean(text).text


@pytest.mark.parametrize(
    "line",
    [
        '[caption id="attachment_7" width="640"]The mason at the well[/caption]By noon it ran dry.',
        "By noon [su_highlight]it ran[/su_highlight] dry.",
        "[dropcap]B[/dropcap]y noon it ran dry.",
        "[vc_row][vc_column]By noon it ran dry.[/vc_column][/vc_row]",
        "By noon [et_pb_text admin_label='x']it ran dry.",
    ],
)
def test_shortcodes_go_out_of_a_sentence_and_leave_its_words(line):
    """A caption goes with its words, every other mark without them."""
    cleaned = clean.clean("\n".join([*BODY, line]))
    assert cleaned.text.splitlines() == [*BODY, "By noon it ran dry."]
    assert {cut.rule for cut in cleaned.cuts} == {"shortcode"}


def test_a_caption_that_stands_twice_in_a_row_is_said_once():
    caption = "The mason looks into the well of the upper village before dawn."
    cleaned = clean.clean("\n".join([BODY[0], caption, caption, *BODY[1:]]))
    assert cleaned.text.splitlines() == [BODY[0], caption, *BODY[1:]]


@pytest.mark.parametrize(
    "line",
    [
        "This story was written for the readers of the upper valley and may be printed elsewhere if the name Orbit stands below it.",
        "Help us to keep the wells of the valley in the news: your gift of any size pays for paper, ink and the lamp of the night desk.",
        "خوانندگان گرامی، برای دریافت تازه‌ترین گزارش‌های دره به کانال روزنامهٔ مدار در هر شبکه‌ای که می‌پسندید بپیوندید و ما را همراهی کنید.",
    ],
)
def test_a_long_line_that_speaks_to_the_reader_is_learned_from_a_host(line):
    assert len(line) > 100
    learned = frozenset(clean.line_hashes(line))
    cleaned = clean.clean("\n".join([*BODY, line]), boilerplate=learned)
    assert cleaned.text.splitlines() == list(BODY)


def test_nothing_goes_when_everything_would():
    """Cleaning never empties a text."""
    text = "Share this:\nLeave a Reply\nSource link"
    assert clean.clean(text) == clean.Cleaned(text=text)


@pytest.mark.parametrize(
    "first",
    [
        "A well is finished",
        "A WELL IS FINISHED",
        "A well is finished – Orbit World Today",
        "A well – is finished",
    ],
)
def test_the_headline_repeated_as_first_line_goes(first):
    """With other marks, other case or the site's name after it, the headline is not a paragraph."""
    cleaned = clean.clean(
        "\n".join([first, *BODY]), title="A well is finished", site="Orbit World Today"
    )
    assert cleaned.text.splitlines() == list(BODY)
    assert cleaned.cuts[0].rule == "headline"


def test_names_and_dates_above_a_text_go():
    """Author, section and date stand above a text without being part of it."""
    head = [
        "Afghanistan",
        "By Nadia Example",
        "Published: 12 May 2026 at 8:30 am",
        "۲۲ ثور ۱۴۰۵",
    ]
    cleaned = clean.clean(
        "\n".join([*head, *BODY]), labels=("Nadia Example", "Afghanistan")
    )
    assert cleaned.text.splitlines() == list(BODY)


def test_a_date_inside_the_text_stays():
    """Only at the edges is a bare date boilerplate."""
    text = "\n".join([BODY[0], "12 May 2026", BODY[1]])
    assert clean.clean(text).text == text


def test_what_was_learned_from_a_host_is_cut():
    """A line whose hash was learned from the host goes, in any spelling that folds to it."""
    learned = frozenset({clean.line_hash("Orbit – the voice of the valley")})
    cleaned = clean.clean(
        "\n".join([*BODY, "ORBIT – the voice of the valley!"]), boilerplate=learned
    )
    assert cleaned.text.splitlines() == list(BODY)
    assert cleaned.cuts[0].rule == "learned from the host"


def test_a_host_is_learned_by_short_lines_only():
    """Background paragraphs recur in many articles and are never learned."""
    long = "The government fell in August 2021, and since then the border has been closed and opened again many times over."
    assert clean.line_hashes(f"Our standards\n{long}\nOur standards") == (
        clean.line_hash("Our standards"),
    )


LINES = st.lists(
    st.one_of(st.sampled_from([*BOILERPLATE, *BODY]), st.text(max_size=120)),
    max_size=12,
)


@given(LINES, st.text(max_size=80))
def test_cleaning_only_takes_away(lines, title):
    """Each line kept begins a line of the input, in its order, and nothing is emptied."""
    text = "\n".join(lines)
    cleaned = clean.clean(text, title=title, site=title)
    before = [
        " ".join(printable(line).split()) for line in printable(text).splitlines()
    ]
    rest = iter(before)
    for line in cleaned.text.splitlines():
        assert any(given.startswith(line) for given in rest)
    assert bool(cleaned.text) == any(before)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Z"]), max_size=60))
def test_line_hashes_are_signed_64_bit(line):
    """A hash fits the store's integer, and does not depend on case or edges."""
    assert -(2**63) <= clean.line_hash(line) < 2**63
    assert clean.line_hash(f"» {line} ") == clean.line_hash(line)
