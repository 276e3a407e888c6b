"""Numbers that Dari and Pashto texts claim, and who says so. Every sentence was written for these tests."""

import pytest

from crawler.topic import mentions, scan


def claims(title, text=None):
    found = scan.scan_text(title if text else None, text or title)
    return mentions.find_mentions(found).claims


def numbers(text, kind="killed"):
    return [claim.number for claim in claims(text) if claim.kind == kind]


@pytest.mark.parametrize(
    "text",
    [
        "طالبانو په هلمند کې ولسوالۍ نیولې ده",
        "په کندهار کې په چاودنه کې څوک وژل شوي نه دي",
        "د سې شنبې په ورځ په کابل کې په برید کې پولیس ووژل شو",
        "انفجار روز سه‌شنبه در کابل پولیس را کشت",
        "حمله روز پنج شنبه در هرات نیروهای امنیتی را کشت",
        "در حمله بر کابل ده‌ها تن کشته شدند",
        "در ده‌صلاح بغلان نیروهای طالبان کشته شدند",
        "په کابل کې په برید کې لسګونه کسان ووژل شول",
    ],
)
def test_words_that_look_like_numbers_are_none(text):
    """Pashto's "is" and "not", weekdays, dozens and the names of places."""
    assert not claims(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("په هلمند کې په چاودنه کې شپږ څلوېښت تنه ووژل شول", 46),
        ("په هلمند کې په چاودنه کې درویشت تنه ووژل شول", 23),
        ("په هلمند کې په چاودنه کې دوه ویشت تنه ووژل شول", 22),
        ("په هلمند کې په چاودنه کې اته تنه ووژل شول", 8),
        ("در حمله بر کابل یک صد و بیست تن کشته شدند", 120),
        ("در حمله بر کابل دوصد و پنجاه تن کشته شدند", 250),
        ("در حمله بر کابل سیصد تن کشته شدند", 300),
        ("در حمله بر کابل بیست و پنج تن کشته شدند", 25),
        ("در حمله بر کابل ده تن کشته شدند", 10),
    ],
)
def test_number_words_are_read_in_their_language(text, number):
    """Units before tens in Pashto, hundreds in one word in Dari."""
    assert numbers(text) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "در حمله بر کابل ۳۴ نفر کشته و زخمی شدند",
        "حمله جبهه مقاومت ملی در کابل پنج کشته و زخمی برجا گذاشت",
        "په کندهار کې په برید کې ۱۲ تنه مړه او ټپیان شول",
    ],
)
def test_dead_and_wounded_in_one_number_are_neither(text):
    """Such a number is of casualties, and no toll of the dead."""
    assert not numbers(text)
    assert len(numbers(text, "casualties")) == 1


@pytest.mark.parametrize(
    ("text", "qualifier"),
    [
        ("په هلمند کې له ۵۰ ډېر طالبان ووژل شول", "more than"),
        ("په هلمند کې تر ۵۰ زیات طالبان ووژل شول", "more than"),
        ("په هلمند کې ۵۰ ته نږدې طالبان ووژل شول", "nearly"),
        ("په هلمند کې کابو ۵۰ طالبان ووژل شول", "about"),
        ("در هلمند کم از کم ۵۰ طالب کشته شدند", "at least"),
        ("در هلمند بالغ بر ۵۰ طالب کشته شدند", "more than"),
        ("در هلمند ۵۰ طالب کشته شدند", ""),
    ],
)
def test_qualifiers_stand_before_or_behind_the_number(text, qualifier):
    """More than, nearly, about, at least, in the order of either language."""
    assert [c.qualifier for c in claims(text) if c.number == 50] == [qualifier]


@pytest.mark.parametrize(
    ("text", "speaker"),
    [
        ("عبدالله رحیمی، سخنگوی والی، گفت که ۱۲ تن در حمله در خوست کشته شدند", "عبدالله رحیمی، سخنگوی والی"),
        ("فرمانده پولیس خوست از کشته شدن ۱۲ تن در حمله خبر داد", "فرمانده پولیس خوست"),
        ("به گفته‌ی مقام‌های محلی ۱۲ تن در حمله در خوست کشته شدند", "مقام های محلی"),
        ("باشندگان خوست مدعی شدند که ۱۲ تن در حمله کشته شدند", ""),
    ],
)  # fmt: skip
def test_who_says_so_is_a_name_and_no_rest_of_the_sentence(text, speaker):
    """Apposition, a report of something, the ezafe of "according to"."""
    said_by = claims(text)[0].said_by
    assert said_by.replace("\u200c", " ").startswith(speaker)
    assert "که ۱۲ تن" not in said_by


def test_a_claim_of_a_headline_has_the_speaker_of_the_sentence_that_repeats_it():
    """The headline names nobody, the lede does."""
    found = claims(
        "دوازده کشته در حمله در خوست",
        "سخنگوی والی خوست گفت که ۱۲ تن در حمله کشته شدند.",
    )
    assert [(claim.number, claim.said_by) for claim in found] == [
        (12, "سخنگوی والی خوست")
    ]
