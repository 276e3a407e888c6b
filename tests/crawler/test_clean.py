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
    ],
)
def test_sentences_that_begin_like_boilerplate_stay(line):
    """A sentence of an article is no boilerplate because it uses a word of it."""
    for text in (f"{line}\n{BODY[0]}", f"{BODY[0]}\n{line}"):
        assert line in clean.clean(text).text


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
