"""The desk.

Which of page and feed entry becomes the article, and what is said of the others.
"""

import pytest

from builders import NOW, make_lead, make_page, make_rejection, make_source
from crawler import intake, page_status
from crawler.extraction import clean
from crawler.sources import CrawlSettings
from storage.model import (
    Document,
    Failure,
    Lead,
    PendingLead,
    Refusal,
    Rejection,
    RejectionReason,
)

URL = "https://wire.example/2026/blast"
EVERYTHING = CrawlSettings(min_relevance=0)
# Written for the tests.
REPORT = [
    f"Taliban officials in the Panjwai district of Kandahar said on day {n} that a roadside bomb had wounded {n + 3} villagers near the bazaar."
    for n in range(8)
]


def lead(body=None, **rest):
    return make_lead(
        url=URL,
        source="wire",
        title="Blast in Panjwai",
        body=body,
        found_at=NOW,
        **rest,
    )


def page(paragraphs, status=200, title="Blast in Panjwai"):
    html = f"<html lang=en><head><title>{title}</title></head><body><article><h1>{title}</h1>{''.join(f'<p>{p}</p>' for p in paragraphs)}</article></body></html>"
    headers = (("Content-Type", "text/html; charset=utf-8"),)
    return make_page(URL, html.encode(), status=status, headers=headers, fetched_at=NOW)


def read(one, pointer, settings=EVERYTHING, **rest):
    return intake.process_page(one, pointer, settings=settings, now=NOW, **rest)


ENTRY = "".join(f"<p>{sentence}</p>" for sentence in REPORT)


def test_a_page_becomes_a_document_with_everything_that_was_read_of_it():
    """Text, places, verdict, line hashes; the page goes along for the archive."""
    landing = read(page(REPORT), lead())
    assert isinstance(landing.outcome, Document)
    assert REPORT[3] in landing.outcome.text
    assert not landing.outcome.from_feed
    assert landing.outcome.verdict.score > 0
    assert any(mention.kind == "place" for mention in landing.outcome.mentions)
    assert landing.lines == clean.line_hashes(landing.outcome.text)
    assert landing.page.url == URL


def test_in_a_worker_the_body_does_not_travel_back():
    """The process that sent the page has it."""
    assert (
        intake.process_page_in_worker(
            page(REPORT), lead(), settings=EVERYTHING, now=NOW
        ).page
        is None
    )


def test_a_stored_lead_is_ended_by_its_landing():
    """The landing carries it; a bare one is only a pointer."""
    stored = PendingLead(id=7, lead=lead(), attempts=0, poll_id=1)
    assert read(page(REPORT), stored).lead == stored
    assert read(page(REPORT), lead()).lead is None


@pytest.mark.parametrize("status", [401, 402, 403, 404, 410, 451])
def test_case_99_full_text_of_the_feed_stands_in_for_a_page_that_is_not_to_be_had(
    status,
):
    """Gone, forbidden and paywalled pages; the article says that it is the feed's."""
    landing = read(page(["Sorry"], status), lead(ENTRY))
    assert isinstance(landing.outcome, Document)
    assert landing.outcome.from_feed
    assert landing.outcome.text.splitlines()[0].startswith("Taliban officials")


@pytest.mark.parametrize("status", [404, 403])
def test_a_teaser_stands_in_for_nothing(status):
    """Fewer than a hundred words: the lead has failed for good."""
    landing = read(page(["Sorry"], status), lead("<p>Only a line.</p>"))
    assert landing.outcome == Failure(
        detail=f"http {status}", final=True, status=status
    )


@pytest.mark.parametrize("status", sorted(page_status.TEMPORARY_STATUSES))
def test_a_server_in_trouble_is_asked_again_before_the_feed_stands_in(status):
    """5xx and 429 come back: no fate yet, whatever the feed carries."""
    outcome = read(page([], status), lead(ENTRY)).outcome
    assert isinstance(outcome, Failure)
    assert not outcome.final


def test_a_page_that_no_worker_could_read_yields_to_the_feed():
    """The worker's end is a rejection, unless there is another text."""
    gave_up = make_rejection(RejectionReason.UNREADABLE, detail="timeout")
    assert read(None, lead(ENTRY), why=gave_up).outcome.from_feed
    assert read(None, lead(), why=gave_up).outcome == gave_up


def test_case_98_the_page_is_preferred_unless_it_is_much_shorter_than_its_entry():
    """A teaser page behind a full entry gives its address and title, and the feed the text."""
    whole = read(page(REPORT), lead(ENTRY)).outcome
    assert not whole.from_feed
    teaser = read(page(REPORT[:2]), lead(ENTRY)).outcome
    assert teaser.from_feed
    assert REPORT[7] in teaser.text


def test_what_is_not_relevant_enough_is_rejected_with_its_verdict():
    """The threshold is the source's own where it has one; 0 keeps everything."""
    bare = Lead(url=URL, source="wire", found_at=NOW)
    bowls = page(
        [
            f"The members of the bowling club voted on rule {n} of the summer season and went home for tea."
            for n in range(8)
        ],
        title="Bowls",
    )
    outcome = read(bowls, bare, CrawlSettings(min_relevance=0.5)).outcome
    assert isinstance(outcome, Rejection)
    assert outcome.why is RejectionReason.IRRELEVANT
    assert outcome.verdict is not None
    assert isinstance(read(bowls, bare, EVERYTHING).outcome, Document)
    lenient = make_source("wire", url=URL, min_relevance=0)
    assert isinstance(
        read(bowls, bare, CrawlSettings(min_relevance=0.5), source=lenient).outcome,
        Document,
    )


def test_what_a_person_wants_is_kept_whatever_its_score():
    """A lead that `khabar mark` made, and every later look at what it led to."""
    one = page(
        [
            "The bakers of the town met to agree on the price of bread for the winter, and did not. "
            * 4
        ]
    )
    assert isinstance(
        read(one, lead(), CrawlSettings(min_relevance=0.9)).outcome, Rejection
    )
    kept = read(one, lead(via=intake.MARKED), CrawlSettings(min_relevance=0.9)).outcome
    assert isinstance(kept, Document)
    assert kept.via == intake.MARKED


def test_addresses_that_differ_only_in_spelling_are_no_aliases():
    """Scheme, www and a trailing slash make no second URL; a redirect's end does."""
    other = make_page(
        URL,
        page(REPORT).body,
        final_url="https://wire.example/en/blast",
        fetched_at=NOW,
    )
    assert "https://wire.example/en/blast" in read(other, lead()).aliases
    assert (
        page_status.distinct_urls(["http://www.wire.example/2026/blast/", URL], but=URL)
        == ()
    )


def test_a_page_without_lead_or_source_is_read_as_well():
    """Imports and saved pages come so."""
    landing = read(page(REPORT), None)
    assert isinstance(landing.outcome, Document)
    assert landing.url == URL


@pytest.mark.parametrize(
    "why",
    [
        Refusal(why=RejectionReason.ROBOTS, detail="robots.txt"),
        Refusal(why=RejectionReason.SIZE, detail="larger than allowed"),
        Failure(detail="http 404", final=True),
    ],
)
def test_full_text_of_the_feed_stands_in_for_a_page_that_is_not_asked_for(why):
    """A page that robots.txt forbids, one too large, one that is gone."""
    landing = read(None, lead(ENTRY), why=why)
    assert isinstance(landing.outcome, Document)
    assert (landing.outcome.from_feed, landing.outcome.url) == (True, URL)


def test_an_address_that_is_never_asked_for_is_refused_with_its_text_or_without():
    """A private address is no publisher's page, whatever a feed says of it."""
    why = Refusal(why=RejectionReason.ADDRESS, detail="127.0.0.1")
    assert read(None, lead(ENTRY), why=why).outcome == why


@pytest.mark.parametrize(
    ("title", "paragraphs"),
    [
        ("Page not found", ["The page that you asked for is not on this server."]),
        ("We value your privacy", ["We and our partners store cookies. " * 9]),
        ("Sign in", ["Subscribers sign in here with their address and word. " * 9]),
        ("Wire | صفحه یافت نشد", ["این صفحه دیگر در این آدرس نیست. " * 9]),
    ],
)
def test_a_page_without_a_word_of_its_entry_is_not_the_article(title, paragraphs):
    """The entry's headline and text make the article then, not the wall's."""
    outcome = read(page(paragraphs, title=title), lead(ENTRY)).outcome
    assert isinstance(outcome, Document)
    assert (outcome.title, outcome.from_feed) == ("Blast in Panjwai", True)
    assert REPORT[3] in outcome.text


def test_a_pdf_yields_to_the_text_of_its_entry():
    """What is no HTML cannot be read; the feed has the text."""
    pdf = make_page(
        URL, b"%PDF-1.7 ...", headers=(("Content-Type", "application/pdf"),)
    )
    assert read(pdf, lead(ENTRY)).outcome.from_feed


def test_a_lesson_is_no_article_in_its_feed_either():
    """What the entry itself tells of is no article, however long it is."""
    pointer = make_lead(url=URL, title="Lesson 3", body=ENTRY, found_at=NOW)
    outcome = read(page(REPORT, title="Lesson 3"), pointer).outcome
    assert outcome.why is RejectionReason.NOT_AN_ARTICLE
