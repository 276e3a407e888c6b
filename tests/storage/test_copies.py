"""One story, many copies: what is taken for one, what is not, who leads.

All reports are invented by a seeded grammar.
"""

import random
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_document, make_landing
from storage import text_likeness
from storage.model import ChangeKind, Document, FateKind
from storage.store import Store
from storage.tables import copies, syndication

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
PEOPLE = [
    "Rahimullah Sadat",
    "Gulalai Noorzai",
    "Haji Malang",
    "Zarghuna Amin",
    "Karim Baheer",
    "Sabera Yousufi",
    "Nasrat Wardak",
]
TOWNS = [
    "Tora Ghundi",
    "Band-e Sabz",
    "Kotal Bala",
    "Deh Zard",
    "Pul-e Surkh",
    "Shin Dara",
    "Chashma Gul",
    "Sang-e Safid",
]
VERBS = [
    "opened",
    "closed",
    "visited",
    "left",
    "searched",
    "repaired",
    "guarded",
    "reached",
    "surrounded",
    "rebuilt",
]
THINGS = [
    "the clinic",
    "the old bridge",
    "a checkpoint",
    "the grain market",
    "two schools",
    "the canal",
    "a bus station",
    "the district hall",
]
WHEN = [
    "after the rain",
    "before dawn",
    "without a warning",
    "for the third time",
    "at the request of elders",
    "with help from the villages",
]


def report(seed: int, sentences: int = 14) -> str:
    """A report of about 16 words a sentence; another seed is another report."""
    dice = random.Random(seed)
    return "\n".join(
        f"{dice.choice(PEOPLE)} said {dice.randint(2, 900)} men {dice.choice(VERBS)} {dice.choice(THINGS)} near "
        f"{dice.choice(TOWNS)} {dice.choice(WHEN)}, and {dice.choice(PEOPLE)} {dice.choice(VERBS)} {dice.choice(THINGS)} in {dice.choice(TOWNS)}."
        for _ in range(sentences)
    )


def document(host: str, text: str, *, hours: float | None = 0, **more) -> Document:
    at = None if hours is None else NOW + timedelta(hours=hours)
    fields = {
        "url": f"https://{host}.example/story",
        "source": host,
        "title": "A report",
        "language": "en",
    } | more
    return make_document(text=text, published_at=at, **fields)


def shortened(text: str) -> str:
    return "TORA GHUNDI (Agency) - " + "\n".join(text.splitlines()[:10])


def reworded(text: str) -> str:
    """Another word for most, names and numbers kept: what a spinner makes."""
    swaps = {
        "said": "declared",
        "men": "fighters",
        "near": "close to",
        "and": "while",
        "in": "inside",
        "the": "that",
        "closed": "shut",
        "reached": "arrived at",
    }
    return "\n".join(
        " ".join(swaps.get(word, word) for word in line.split(" "))
        for line in text.splitlines()
    )


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "khabar.db") as opened:
        yield opened


def admit(store, *documents):
    return [store.landings.admit(one, now=NOW) for one in documents]


def kinds(store, article_id):
    return [(copy.source, copy.kind) for copy in store.articles.copies(article_id)]


def whats(store):
    return [change.what for change in store.changes.since(0, 100)]


def test_a_cut_reprint_with_another_dateline_is_a_near_copy(store):
    """A reprint belongs to the article, its own text is kept, and the score says how near it is."""
    first, second = admit(
        store,
        document("agency", report(1)),
        document("paper", shortened(report(1)), hours=3),
    )
    assert second.article_id == first.article_id
    assert second.fate is FateKind.COPY
    (copy,) = store.articles.copies(first.article_id)
    assert (copy.kind, copy.text) == ("near", shortened(report(1)))
    assert copy.score > 0.9


def test_a_spun_page_belongs_to_the_report_that_it_was_made_from(store):
    """Other words around the same names and numbers are the same report."""
    first, second = admit(
        store, document("agency", report(2)), document("blog", reworded(report(2)))
    )
    assert second.article_id == first.article_id or store.articles.probable_copies(
        second.article_id
    ) == [(first.article_id, pytest.approx(0.6, abs=0.4))]


def test_other_reports_of_the_same_places_are_articles(store):
    """Shared names, officials and phrases do not make one story of thirty."""
    landed = admit(store, *(document(f"h{n}", report(n)) for n in range(30)))
    assert len({one.article_id for one in landed}) == 30


def test_a_template_with_other_numbers_is_another_report(store):
    """A daily report that counts differently is an update or another day, never a copy."""
    day = (
        "The ministry said {} fighters were killed and {} wounded in Tora Ghundi. "
        + report(3, 4)
    )
    landed = admit(
        store,
        *(document(f"h{n}", day.format(12 + 2 * n, 40 - n), hours=n) for n in range(8)),
    )
    assert len({one.article_id for one in landed}) == 8
    assert len(store.articles.probable_copies(landed[-1].article_id)) == 7


def test_no_copy_crosses_a_language(store):
    """The same names and numbers in another language are another article, and no link says otherwise."""
    first, second = admit(
        store,
        document("agency", report(4)),
        document("paper", reworded(report(4)), language="de"),
    )
    assert first.article_id != second.article_id
    assert not store.articles.probable_copies(first.article_id)


def test_a_page_that_errs_about_its_language_is_a_copy_still(store):
    """The same words are one language, whatever a template's head says."""
    first, second = admit(
        store,
        document("agency", report(4)),
        document("paper", shortened(report(4)), language="fa"),
    )
    assert first.article_id == second.article_id


def test_an_excerpt_of_a_long_report_is_its_copy(store):
    """The opening that a site prints belongs to the article, in whichever order they come."""
    whole, top = report(40, 90), "\n".join(report(40, 90).splitlines()[:3])
    first, second = admit(
        store, document("agency", whole), document("paper", top, hours=2)
    )
    assert first.article_id == second.article_id
    first, second = admit(
        store,
        document("p2", "\n".join(report(41, 90).splitlines()[:3]), hours=2),
        document("a2", report(41, 90)),
    )
    assert first.article_id == second.article_id
    assert store.articles.find(first.article_id).source == "a2"


def test_a_digest_of_many_reports_is_a_copy_of_none(store):
    """A page that holds nine whole reports is not one of them."""
    landed = admit(
        store,
        document("agency", report(5)),
        document("digest", "\n".join(report(n) for n in (30, *range(5, 13)))),
    )
    assert landed[0].article_id != landed[1].article_id


def test_the_boilerplate_of_one_host_makes_no_copies(store):
    """What three articles of a host share says nothing about a fourth."""
    frame = report(60, 20)
    landed = admit(
        store,
        *(
            document(
                "host",
                f"{report(n, 6)}\n{frame}",
                url=f"https://host.example/{n}",
                hours=200 * n,
            )
            for n in range(61, 67)
        ),
    )
    assert len({one.article_id for one in landed[3:]}) == 3


def test_a_copy_of_a_copy_is_judged_by_the_head(store):
    """Texts that each share half with the next one do not run together into one article."""
    lines = report(7, 60).splitlines()
    landed = admit(
        store,
        *(
            document(f"h{n}", "\n".join(lines[n * 6 : n * 6 + 14]), hours=n)
            for n in range(7)
        ),
    )
    assert len({one.article_id for one in landed}) >= 4


def test_what_is_all_but_the_same_as_a_copy_is_where_that_copy_is(store):
    """A second print of a much changed reprint belongs where the first one is."""
    original = report(8, 20)
    changed = "\n".join([*original.splitlines()[:14], *report(80, 5).splitlines()])
    first, second = admit(
        store, document("agency", original), document("paper", changed)
    )
    (third,) = admit(store, document("other", f"{changed}\nFirst seen in the Paper."))
    assert first.article_id == second.article_id == third.article_id


# Declared


def test_a_page_that_names_its_original_is_a_declared_copy(store):
    """One that the texts half bear out; any other declaration is only stored."""
    agency = document("agency", report(9))
    half = "\n".join(report(9).splitlines()[:5] + report(90).splitlines()[:6])
    first, second, third = admit(
        store,
        agency,
        document("paper", half, origin_url=agency.url),
        document("liar", report(91), origin_url=agency.url),
    )
    assert second.article_id == first.article_id
    assert kinds(store, first.article_id) == [("paper", "declared")]
    assert third.article_id != first.article_id


def test_the_declared_original_becomes_the_head_when_it_arrives_later(store):
    """The article keeps its number, the fates follow, and the log says who was promoted and why."""
    agency = document("agency", report(10), hours=5)
    paper = document(
        "paper",
        shortened(report(10)),
        origin_url="http://www.agency.example/story",
        hours=1,
    )
    landed = store.landings.land(
        [make_landing(one) for one in (paper, agency)],
        now=NOW,
    )
    article = store.articles.find(landed[0].article_id)
    assert (article.source, article.id) == ("agency", landed[1].article_id)
    assert kinds(store, article.id) == [("paper", "declared")]
    assert store.fates.find(agency.url)["fate"] == "article"
    assert store.fates.find(paper.url)["fate"] == "copy"
    assert [(c.what, c.detail) for c in store.changes.since(0, 10)][-1] == (
        ChangeKind.PROMOTED,
        "declared origin",
    )


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_who_names_one_original_is_one_article_in_whatever_order_they_come(
    store, order
):
    """A teaser of fourteen words and a reprint find one another by the original that both name, before it is there."""
    agency = document("agency", report(12, 40), hours=5)
    teaser = document(
        "blog", " ".join(report(12, 40).split()[:14]), origin_url=agency.url, hours=6
    )
    reprint = document(
        "paper",
        shortened(report(12, 40)),
        origin_url="http://www.agency.example/story",
        hours=7,
    )
    landed = admit(store, *((agency, teaser, reprint)[n] for n in order))
    assert {one.article_id for one in landed} == {landed[0].article_id}
    assert store.articles.find(landed[0].article_id).source == "agency"


# Who leads


def test_the_earlier_publication_is_the_head(store):
    """An agency's report that was fetched after its reprint is the article."""
    first, second = admit(
        store,
        document("paper", shortened(report(11)), hours=4),
        document("agency", report(11), hours=1),
    )
    assert store.articles.find(first.article_id).source == "agency"
    assert second.fate is FateKind.ARTICLE
    assert whats(store) == [ChangeKind.NEW, ChangeKind.COPIED, ChangeKind.PROMOTED]


def test_a_date_without_an_hour_is_not_earlier_on_its_day(store):
    """Midnight is how a day without an hour is written."""
    (first, _) = admit(
        store,
        document("agency", report(12)),
        document("paper", shortened(report(12)), hours=-9),
    )
    assert store.articles.find(first.article_id).source == "agency"


def test_a_spun_blog_never_outranks_the_agency(store):
    """An early date on reworded text, or on a text that credits others, does not make a head."""
    (first, *_) = admit(
        store,
        document("agency", report(13)),
        document("blog", reworded(report(13)), hours=-50),
        document("mirror", shortened(report(13)), hours=-60, credit="Agency"),
        document(
            "echo",
            shortened(report(13)),
            hours=-70,
            origin_url="https://agency.example/story",
        ),
    )
    assert store.articles.find(first.article_id).source == "agency"
    assert ChangeKind.PROMOTED not in whats(store)


@pytest.mark.parametrize(
    ("agency_text", "text", "hours"),
    [
        (report(13), report(13), -1),
        (report(13), shortened(report(13)), -70),
        (report(13), report(13), -48.0),
        ("\n".join(report(13).splitlines()[:7]), report(13), 0),
    ],
    ids=["an hour earlier", "a cut reprint", "days earlier", "fuller"],
)
def test_a_page_that_names_another_origin_never_outranks_one_that_names_none(
    store, agency_text, text, hours
):
    """Whoever says that the text is another's is no original, though that page never came."""
    first, second = admit(
        store,
        document("agency", agency_text),
        document("echo", text, hours=hours, origin_url="https://wire.example/1"),
    )
    assert second.article_id == first.article_id
    assert store.articles.find(first.article_id).source == "agency"
    assert ChangeKind.PROMOTED not in whats(store)


@pytest.mark.parametrize("hours", [-1, -48])
def test_the_same_page_without_another_origin_becomes_the_head(store, hours):
    """It is the named origin alone that keeps an earlier page from it."""
    first, _ = admit(
        store, document("agency", report(13)), document("echo", report(13), hours=hours)
    )
    assert store.articles.find(first.article_id).source == "echo"


def test_of_two_of_one_hour_the_fuller_text_is_the_head(store):
    """An excerpt gives way to the whole."""
    (first, _) = admit(
        store,
        document("brief", "\n".join(report(14).splitlines()[:7])),
        document("full", report(14)),
    )
    assert store.articles.find(first.article_id).source == "full"


def test_a_copy_that_goes_its_own_way_is_split_off(store):
    """A page whose text was replaced by another report is an article of its own."""
    first, second = admit(
        store, document("agency", report(15)), document("paper", shortened(report(15)))
    )
    (third,) = admit(store, document("paper", report(16)))
    assert third.article_id not in (first.article_id, second.article_id)
    assert third.fate is FateKind.ARTICLE
    assert store.articles.find(third.article_id).text == report(16)
    assert not store.articles.copies(first.article_id)
    assert whats(store)[-1] is ChangeKind.SPLIT


def test_when_the_head_is_forgotten_a_copy_is_found_as_the_head_was(store):
    """The new head is in the index, and nothing of the forgotten text is."""
    agency = document("agency", report(17))
    (first, _) = admit(store, agency, document("paper", shortened(report(17)), hours=2))
    store.erasure.forget_source("agency")
    (third,) = admit(
        store,
        document("late", report(17).replace("Tora Ghundi", "Toraghundi"), hours=3),
    )
    assert third.article_id == first.article_id
    rows = store.session.db.execute(
        "SELECT document_id FROM bands UNION SELECT document_id FROM fresh_bands"
    ).fetchall()
    assert first.document_id not in [row[0] for row in rows]


# Probable


def test_half_of_a_report_within_four_days_is_probable_to_every_earlier_one(store):
    """A weaker likeness is a link to each article that passes, for four days, and drops nothing."""
    lead = report(18, 6)
    landed = admit(
        store,
        *(
            document(f"h{n}", f"{lead}\n{report(180 + n, 6)}", hours=h)
            for n, h in enumerate((0, 20, 40, 400))
        ),
    )
    assert len({one.article_id for one in landed}) == 4
    assert {
        other for other, _ in store.articles.probable_copies(landed[2].article_id)
    } == {
        landed[0].article_id,
        landed[1].article_id,
    }
    assert store.articles.probable_copies(landed[3].article_id) == []


# Odd texts


@pytest.mark.parametrize(
    "text",
    ["", " ", "word", "word " * 50_000, "12 " * 5_000, "خبر " * 3_000, "漢字" * 4_000, "a\u202eb " * 2_000, "x" * 300_000, "Kabul Kabul " * 4_000],
)  # fmt: skip
def test_texts_without_content_match_nothing(store, text):
    """A page of one repeated word, of no words or of one endless word is like no other page."""
    store.landings.admit(document("agency", report(19)), now=NOW)
    landed = [
        store.landings.admit(document(host, f"{text} {host}"), now=NOW)
        for host in ("one", "two")
    ]
    assert len({one.article_id for one in landed}) == 2


@settings(deadline=None)
@given(st.text(), st.text())
def test_likeness_is_symmetric_and_bounded(one, other):
    """Any two texts can be compared, in either order, to the same answer."""
    here = text_likeness.measure_likeness(
        text_likeness.profile_text(one), text_likeness.profile_text(other)
    )
    assert here == text_likeness.measure_likeness(
        text_likeness.profile_text(other), text_likeness.profile_text(one)
    )
    assert 0 <= here.shingles <= 1
    assert 0 <= here.names <= 1


@given(st.text())
def test_a_sketch_is_small_and_fits_the_file(text):
    """An index entry is bounded whatever was written."""
    profile = text_likeness.profile_text(text)
    keys = [
        *text_likeness.shingle_sketch(profile),
        *text_likeness.opening_sketch(profile),
        *text_likeness.name_sketch(profile, 20_000),
    ]
    assert len(keys) <= 53
    assert all(-(2**63) <= key < 2**63 for key in keys)


def test_a_name_sketch_meets_itself_within_four_days():
    """The bucket of a day is among those that are asked for on the days around it."""
    profile = text_likeness.profile_text(report(20))
    for day in range(20_000, 20_008):
        for other in range(day - 4, day + 5):
            assert set(text_likeness.name_sketch(profile, day)) <= set(
                text_likeness.name_sketch(profile, other, around=True)
            )


def test_a_thousand_copies_leave_the_index_as_it_was(store):
    """Copies are not candidates, so that the next one costs what the first one cost."""
    count = "SELECT (SELECT count(*) FROM fresh_bands) + (SELECT count(*) FROM bands)"
    (first,) = admit(store, document("agency", report(21)))
    before = store.session.db.execute(count).fetchone()[0]
    landed = admit(
        store, *(document(f"h{n}", f"{report(21)}\nSeen at h{n}.") for n in range(60))
    )
    assert {one.article_id for one in landed} == {first.article_id}
    assert store.session.db.execute(count).fetchone()[0] == before


# Counting and explaining


def test_copies_probable_copies_and_one_owner_count_once():
    """Independent is who neither carries the same text nor belongs to the same owner."""
    articles = {1: "a", 2: "b", 3: "c", 4: "d", 5: "a"}
    assert syndication.count_independent_groups(articles, [], {}) == 4
    assert syndication.count_independent_groups(articles, [(2, 3), (2, 99)], {}) == 3
    assert (
        syndication.count_independent_groups(
            articles, [(2, 3)], {"a": "Group", "c": "Group"}
        )
        == 2
    )
    assert syndication.count_independent_groups({}, [], {}) == 0


def test_a_comparison_names_the_passages_that_decided(store):
    """An explanation shows the words that both have, and the numbers that speak against a copy."""
    day = (
        "The ministry said {} fighters were killed near Tora Ghundi on Monday. "
        + report(22, 4)
    )
    one, other = admit(
        store, document("a", day.format(12)), document("b", day.format(14))
    )
    found = copies.compare_documents(
        store.session.db, one.document_id, other.document_id
    )
    assert (found.verdict, found.reason) == ("probable", "the numbers differ")
    assert found.conflicts == (
        ("ministry said 12 fighters were", "ministry said 14 fighters were"),
    )
    assert len(found.passages[0].split()) > 40
    assert copies.compare_documents(store.session.db, one.document_id, 999) is None
