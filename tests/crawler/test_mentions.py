"""Promises of mentions.

Places and not words, parties of their time, ACLED's kinds of event, each with its
sentence.
"""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.topic import gazetteer, mentions, scan


def find(title, text, **rest):
    return mentions.find_mentions(scan.scan_text(title, text), **rest)


def named(text, kind="place", **rest):
    found = find(None, text, **rest).mentions
    return [mention.name for mention in found if mention.kind == kind]


def codes(text, kind="place", **rest):
    found = find(None, text, **rest).mentions
    return [mention.code for mention in found if mention.kind == kind]


def test_the_seed_article_names_its_places_and_parties_and_no_person_as_a_place(shared):
    """The text that started the project.

    Eight places, both sides, and neither Imam, Rahman nor Want.
    """
    seed = (shared / "seed" / "article.txt").read_text(encoding="utf-8")
    found = find(None, seed).mentions
    places = {mention.name for mention in found if mention.kind == "place"}
    assert {
        "Badakhshan",
        "Kandahar",
        "Kunduz",
        "Panjwai",
        "Imam Sahib",
        "Faizabad",
        "Kabul",
    } <= places
    assert any("Bagram" in name for name in places)
    assert not places & {"Imam", "Rahman", "Want", "Wanat", "Waygal"}
    actors = {mention.code for mention in found if mention.kind == "actor"}
    assert {"taliban", "andsf"} <= actors
    events = {mention.code for mention in found if mention.kind == "event"}
    assert "battles" in events


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Clashes in Panjwayi left five dead", "Panjwai"),
        ("Clashes in Panjwa’i district left five dead", "Panjwai"),
        ("درگیری در پنجوایی پنج کشته داشت", "Panjwai"),
        ("په پنجوايي کې نښته وشوه", "Panjwai"),
        ("انفجار در جلال\u200cآباد", "Jalalabad"),
        ("انفجار در جلال آباد", "Jalalabad"),
        ("انفجار در كندز", "Kunduz"),
        ("د میدان وردګو په کاروان برید وشو", "Wardak"),
        ("Blast near the Salang Tunnel", "Salang Pass"),
        ("Fighting closes Torkham crossing", "Torkham"),
    ],
)
def test_a_place_is_found_in_every_spelling(text, name):
    """Arabic and Persian letters, joiners, apostrophes and endings make no difference to a name."""
    assert name in named(text)


@pytest.mark.parametrize(
    "text",
    [
        "Abdul Rahim Wardak, the Afghan minister of defence, resigned",
        "Taliban spokesman Zabihullah Mujahid and Mullah Dawlat Shah spoke in Doha",
        "They want peace in Afghanistan, the imam said",
        "Commander Haji Farah met Taliban fighters",
        "نرخ نان در افغانستان بالا رفت و میزان خوشی مردم کم شد",
        "این موضوع در خور غور است، یک استاد در افغانستان گفت",
        "د مارچ په میاشت کې په غرمه د افغانستان استازي راغلل",
        "واردات سیم و کابل به ایران افزایش یافت",
        "نیروها در سرپل ذهاب مستقر شدند",
        "Actress Farah Fawcett remembered",
        "Khan Younis hospital struck",
    ],
)
def test_words_and_persons_are_not_places(text):
    """A name that is also a word or a person's is no place without a cue."""
    assert not set(named(text)) - {"Doha"}


def test_a_cue_makes_a_place_of_a_word():
    """A district, a province beside it or a preposition tells the place from the word."""
    assert "Charkh" in named("Taliban attacked a post in Charkh district of Logar")
    assert "Wardak" in named("Afghan forces were ambushed in Wardak")
    assert "Sangin" in named("د هلمند ولایت د سنګین ولسوالۍ کې چاودنه وشوه")
    assert "Nerkh" in named("طالبان بر یک پاسگاه در ولسوالی نرخ حمله کردند")


def test_a_list_of_places_is_a_cue_for_its_next_name():
    """In "Faryab, Farah" the second is a province too."""
    assert named("Twenty police dead in Faryab, Farah") == ["Faryab", "Farah"]


@pytest.mark.parametrize(
    ("text", "province"),
    [
        ("Taliban raid Qara Bagh district in Ghazni", "AF11"),
        ("Taliban raid Qara Bagh district near Kabul", "AF01"),
        ("Gunmen shot dead an elder in Muqur, Badghis province, Afghanistan", "AF31"),
        ("Gunmen shot dead an elder in Muqur, Ghazni province, Afghanistan", "AF11"),
    ],
)
def test_a_name_of_several_places_is_the_one_whose_province_stands_by(text, province):
    """Homonyms are told apart by the province that the sentence names."""
    found = [gazetteer.load_places()[code] for code in codes(text)]
    assert {place.province_code for place in found if place.kind != "province"} <= {
        province
    }
    assert any(place.kind != "province" for place in found) or province == "AF01"


def test_the_word_beside_a_name_says_whether_province_district_or_town_is_meant():
    """Kandahar province, Kandahar district and Kandahar city are three rows of the gazetteer."""
    assert codes("Clashes in Kandahar province") == ["AF27"]
    assert codes("Clashes in Kandahar district")[0].startswith("AF27")
    assert codes("Clashes in Kandahar district") != ["AF27"]


def test_state_forces_are_those_of_the_day():
    """Afghan forces fought for the Republic until 15 August 2021 and are the Taliban's since; former ones stay former."""
    text = "Afghan forces clashed with gunmen in Kunar"
    assert "andsf" in codes(
        text, "actor", published_at=datetime(2021, 8, 14, tzinfo=UTC)
    )
    assert "taliban_forces" in codes(
        text, "actor", published_at=datetime(2025, 1, 1, tzinfo=UTC)
    )
    former = "Two former Afghan security forces members were shot dead in Kunar"
    assert "andsf" in codes(
        former, "actor", published_at=datetime(2025, 1, 1, tzinfo=UTC)
    )


def test_the_longest_name_wins():
    """The Pakistani Taliban are not the Taliban, and the Afghan Taliban are."""
    assert (
        codes("Pakistani Taliban fighters crossed from Kunar, Afghanistan", "actor")[0]
        == "ttp"
    )
    assert "taliban" in codes("Afghan Taliban fighters crossed into Kunar", "actor")


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("Taliban and resistance fighters clashed in Panjshir", "battles"),
        ("A roadside bomb hit a bus in Ghazni", "explosions"),
        ("Gunmen abducted two teachers in Faryab", "violence_against_civilians"),
        ("Women staged a protest in Kabul", "protests"),
        ("Riots broke out in Kabul after the blast", "riots"),
        ("The two sides agreed a ceasefire in Kabul", "strategic_developments"),
        ("در کندز انفجار رخ داد", "explosions"),
        ("په فراه ولایت کې د طالبانو او پولیسو ترمنځ نښته وشوه", "battles"),
    ],
)
def test_events_are_of_the_six_kinds(text, event):
    """Each of ACLED's types is told by its words, in three languages."""
    assert event in codes(text, "event")


def test_a_mention_has_its_count_and_first_sentence():
    """What is named three times counts three, and quotes the sentence that named it first."""
    text = "Nothing happened. Kunduz was quiet. Later Kunduz fell, and Kunduz burned."
    places = find(None, text).mentions
    (place,) = (mention for mention in places if mention.kind == "place")
    assert (place.name, place.count, place.sentence) == (
        "Kunduz",
        3,
        "Kunduz was quiet.",
    )


def test_a_title_repeated_as_the_first_line_counts_once():
    """The headline that opens the text again is not a second mention."""
    title = "Blast in Zaranj"
    found = find(title, f"{title}\nNobody was hurt.").mentions
    (place,) = (mention for mention in found if mention.kind == "place")
    assert place.count == 1


def test_a_text_on_another_war_names_no_parties_and_no_events():
    """Insurgents and airstrikes elsewhere are not entered under Afghanistan."""
    found = find(None, "Insurgents fled airstrikes in Aleppo, killing 30")
    assert (found.mentions, found.claims) == ((), ())


def test_every_place_has_one_code_and_a_province_that_exists():
    """The gazetteer's rows are keyed by code and point to provinces of the gazetteer."""
    rows = list(gazetteer.place_rows())
    provinces = {row["code"] for row in rows if row["kind"] == "province"}
    assert len(provinces) == 34
    assert len({row["code"] for row in rows}) == len(rows) >= 830
    assert all(
        row["province_code"] in provinces for row in rows if row["province_code"]
    )
    assert all(
        29 < row["lat"] < 39 and 60 < row["lon"] < 75
        for row in rows
        if row["lat"] is not None
    )


def test_sentences_end_at_full_stops_and_not_at_abbreviations():
    """U.S., Gen. and p.m. go on; a full stop in any of the scripts ends."""
    text = "U.S. troops met Gen. Khan at 6:30 p.m. Saturday in Kabul. آنان رفتند؟ بلی رفتند."
    assert [s.text for s in scan.scan_text(None, text).sentences] == [
        "U.S. troops met Gen. Khan at 6:30 p.m. Saturday in Kabul.",
        "آنان رفتند؟",
        "بلی رفتند.",
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet="Kabul Farah, Want.\n\u200c\u0640آکابل۱۲ \u202eé’", max_size=300)
)
def test_what_is_quoted_stands_in_the_text(text):
    """A hit's place in a sentence is its place in the sentence as written, whatever marks surround it."""
    read = scan.scan_text(None, text)
    for located in read.places:
        assert (
            0
            <= located.match.start
            < located.match.end
            <= len(read.sentences[located.match.sentence].text)
        )
        assert read.matched_text(located.match).strip()
    assert all(
        len(sentence.folded) == len(sentence.text) <= scan.MAX_SENTENCE_CHARS
        for sentence in read.sentences
    )


def test_a_hostile_text_is_read_to_a_limit():
    """A million characters without a full stop cost what sixty thousand do."""
    read = scan.scan_text("x" * 1_000_000, "Kabul " * 200_000)
    assert (
        sum(len(sentence.text) for sentence in read.sentences)
        <= 2 * scan.MAX_TEXT_CHARS + scan.MAX_SENTENCE_CHARS
    )


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("Militants kill eleven policemen in western Afghanistan", "battles"),
        ("Taliban kill three villagers in Ghor", "violence_against_civilians"),
        ("په غزني کې طالبانو څلور ملکي کسان ووژل", "violence_against_civilians"),
    ],
)
def test_a_killing_without_another_word_is_typed_by_those_it_names(text, event):
    """Combatants make a battle of it, civilians violence against them."""
    assert codes(text, "event") == [event]


def test_a_party_of_several_wars_is_not_entered_where_the_sentence_is_about_another():
    """ISIS in Syria is no branch of Khorasan, even in an article that names Afghanistan elsewhere."""
    text = "Afghan officials met in Kabul on Monday. ISIS fighters retreated in Syria, a report said."
    assert "iskp" not in codes(text, "actor")
    assert "ttp" in codes(
        "Pakistani Taliban from Waziristan crossed into Kunar, Afghanistan.", "actor"
    )
    assert "iskp" in codes(
        "ISIS fighters retreated in Nangarhar, Afghan officials said.", "actor"
    )
