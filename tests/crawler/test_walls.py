"""Promises of walls: what stands before a page is no article and no verdict on the report behind it."""

from datetime import UTC, datetime

import pytest

from builders import NOW, make_lead, make_page, make_source
from crawler import intake
from crawler.extraction import extract
from crawler.sources import CrawlSettings
from storage.model import Document, Failure, PendingLead, RejectionReason

HTML = (("Content-Type", "text/html; charset=utf-8"),)
WALLS = [
    "<title>Daily</title><h1>Verify you are human</h1><p>The paper wants to see that you are no machine before it goes on.</p>",
    "<title>Daily</title><p>The Daily needs to review the security of your connection before proceeding.</p><p>Performance &amp; security by Cloudflare</p>",
    "<title>Welcome</title><p>We use cookies and similar means to show advertisements that fit you.</p><p>Which cookies may be set is yours to say; cookies that the site needs stay.</p>",
    "<title>Daily</title><p>Wir setzen Cookies ein. Mit einem Klick auf Zustimmen werden alle Cookies erlaubt.</p>",
    "<title>Daily</title><h2>Sign in to continue</h2><form><input type=email><input type=password></form><p>Readers have an account.</p>",
    "<title>روزنامه</title><h1>صفحه مورد نظر شما پیدا نشد</h1><p>شاید نشانی آن عوض شده باشد یا این مطلب برداشته شده باشد.</p>",
    "<title>ورځپاڼه</title><h1>پاڼه ونه موندل شوه</h1><p>بښنه غواړو، دا پاڼه اوس نشته یا یې پته بدله شوې ده.</p>",
    "<title>Daily</title><p>Could not connect to the database. Please tell the owner of this site about it.</p>",
    "<title>Website suspended</title><p>The owner of this site has to speak with those who run the server.</p>",
    "<title>Daily</title><meta http-equiv=refresh content='0; url=/2026/elsewhere'><p>The page has moved to another place of the site.</p>",
]  # fmt: skip
PROSE = (
    "<p>Cookies of flour and mulberries are baked in Gulbahar for the feast, and sold on the bridge.</p>"
    + "".join(
        f"<p>The baker of street {n} said that sugar had become dear since the pass was closed.</p>"
        for n in range(12)
    )
)


def page(body):
    html = f"<html><body>{body}</body></html>"
    return make_page("https://paper.example/2026/story", html.encode(), headers=HTML)


@pytest.mark.parametrize("body", WALLS)
def test_a_wall_is_told_by_its_shape(body):
    """By its heading, by its sentences, by a form or by where it sends its reader."""
    found = extract.extract(page(body), now=NOW)
    assert found.why is RejectionReason.NOT_AN_ARTICLE
    assert found.detail.startswith("wall: ")


@pytest.mark.parametrize(
    "body",
    [
        f"<h1>Bakers of Gulbahar</h1>{PROSE}",
        f"<h1>Access denied: the girls of Paghman before closed schools</h1>{PROSE}{PROSE.replace('baker', 'girl')}",
        f"<meta http-equiv=refresh content='300'><h1>Bakers</h1>{PROSE}",
        f"<h1>Bakers</h1>{PROSE}<form>Sign in <input type=password></form>",
    ],
)  # fmt: skip
def test_a_report_is_no_wall(body):
    """Whatever word of a wall it has: it is longer, and its sentences are its own."""
    assert isinstance(extract.extract(page(body), now=NOW), Document)


@pytest.mark.parametrize("body", WALLS[:3])
def test_the_address_of_a_wall_is_tried_again(body):
    """A wall says "not now": the lead waits, and no verdict falls on the report."""
    lead = PendingLead(
        id=1, attempts=0, poll_id=None, lead=make_lead(title="Mine kills two in Khost")
    )
    landing = intake.process_page(
        page(body), lead, source=make_source(), settings=CrawlSettings(), now=NOW
    )
    assert isinstance(landing.outcome, Failure)
    assert not landing.outcome.final
    assert landing.outcome.detail.startswith("wall: ")


@pytest.mark.parametrize("title", ["Daily", "Mine kills two in Khost - Daily"])
def test_the_feed_s_text_stands_in_for_a_wall(title):
    """With the feed's headline, whatever the wall is called."""
    told = "Two men were killed by a mine in the Sabari district of Khost province in Afghanistan, the police said. "
    lead = make_lead(
        title="Mine kills two in Khost",
        body=f"<p>{told * 8}</p>",
        published_at=datetime(2026, 5, 12, tzinfo=UTC),
    )
    wall = f"<title>{title}</title><p>We use cookies. Cookies help us.</p>"
    landing = intake.process_page(
        page(wall),
        PendingLead(id=1, attempts=0, poll_id=None, lead=lead),
        source=make_source(),
        settings=CrawlSettings(),
        now=NOW,
    )
    assert isinstance(landing.outcome, Document)
    assert landing.outcome.title == "Mine kills two in Khost"
    assert landing.outcome.from_feed
