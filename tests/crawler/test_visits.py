"""What an answer to a poll means. The cases are those of the polling rules."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import NOW, make_page, make_poll, make_source, make_source_state
from crawler.fetching.requests import Fetched, Redirect
from crawler.leads import polls
from crawler.leads.polls import Feed
from crawler.visits import answers, documents, source_visit, visit_result
from storage.model import (
    Failure,
    Lead,
    Refusal,
    RejectionReason,
    Validators,
)

URL = "https://wire.example/feed"
SOURCE = make_source("wire", url=URL)
STATE = make_source_state("wire", name="Wire", url=URL)
READ_BEFORE = replace(
    STATE,
    last_success_at=NOW - timedelta(hours=1),
    validators=Validators(etag='"1"', last_modified="Thu, 01 Jan 2026 00:00:00 GMT"),
)
BLANK = make_poll(at=NOW, source="wire", status="error")


def page(status=200, body=b"<rss/>", **headers):
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return make_page(URL, body, status=status, headers=named, fetched_at=NOW)


def answered(got, state=STATE, *, conditional=False):
    return answers.visit_without_reading(
        got, replace(BLANK, http_status=got.status), state, conditional=conditional
    )


def fetched(final, *hops):
    return Fetched(
        page=replace(page(), url=hops[0][1], final_url=final),
        redirects=tuple(Redirect(status=s, url=u) for s, u in hops),
    )


def test_case_18_a_changed_answer_is_to_be_read():
    """A 200 with a new body and a new ETag is news."""
    assert answered(page(ETag='"2"'), READ_BEFORE, conditional=True) is None
    assert answered(page(), STATE) is None


def test_case_19_a_200_that_repeats_the_etag_is_unchanged():
    """The server does not know conditional requests, but its ETag does."""
    seen = answered(
        page(ETag='"1"', body=b"<rss>counter 7</rss>"), READ_BEFORE, conditional=True
    )
    assert seen.poll.status == "unchanged"
    assert answered(page(ETag='"1"'), STATE, conditional=True) is None


def test_case_20_a_200_with_the_body_of_last_time_is_unchanged_and_its_validators_are_kept():
    """Nothing is parsed; new validators replace the old ones."""
    state = replace(READ_BEFORE, body_hash=answers.hash_body(b"<rss/>"))
    seen = answered(page(ETag='"9"'), state)
    assert (seen.poll.status, seen.poll.validators.etag, seen.trouble) == (
        "unchanged",
        '"9"',
        None,
    )


def test_case_21_a_304_is_a_success_that_may_bring_new_validators():
    """What the 304 does not name stays as it was."""
    seen = answered(page(304, b"", ETag='"2"'), READ_BEFORE, conditional=True)
    assert seen.poll.status == "not_modified"
    assert seen.poll.validators == Validators(
        etag='"2"', last_modified=READ_BEFORE.validators.last_modified
    )
    assert seen.trouble is None


def test_case_22_a_304_that_nobody_asked_for_is_an_error():
    """Without a condition there is nothing that was not modified."""
    seen = answered(page(304, b""))
    assert seen.poll.error.startswith("unexpected_304")
    assert seen.poll.validators is None


@pytest.mark.parametrize(
    ("hops", "final", "moved"),
    [
        ([(301, URL)], "https://new.example/feed", "https://new.example/feed"),
        (
            [(308, URL), (301, "https://b.example/feed")],
            "https://c.example/feed",
            "https://c.example/feed",
        ),
        (
            [(301, URL), (302, "https://b.example/feed")],
            "https://c.example/feed",
            "https://b.example/feed",
        ),
        ([(302, URL), (301, "https://b.example/feed")], "https://c.example/feed", None),
        ([(307, URL)], "https://b.example/feed", None),
        ([(301, URL)], "https://wire.example/login?next=/feed", None),
        ([(301, URL)], "https://wire.example/", None),
        ([(301, URL)], "http://wire.example/feed", None),
    ],
)
def test_cases_23_to_26_only_the_unbroken_permanent_run_moves_a_source(
    hops, final, moved
):
    """Never a temporary redirect, a log-in, a front page, or a step down to http."""
    assert answers.permanent_move(fetched(final, *hops)) == moved


def test_case_23_a_move_is_believed_after_three_times_over_a_day():
    """Until then the configured address is asked."""
    moved = replace(
        STATE,
        moved_to="https://new.example/feed",
        moved_times=3,
        moved_since=NOW - timedelta(hours=25),
    )
    assert source_visit.poll_url(SOURCE, moved, NOW) == "https://new.example/feed"
    assert source_visit.poll_url(SOURCE, replace(moved, moved_times=2), NOW) == URL
    assert (
        source_visit.poll_url(
            SOURCE, replace(moved, moved_since=NOW - timedelta(hours=20)), NOW
        )
        == URL
    )


def test_case_26_a_step_down_to_http_is_followed_with_a_warning():
    """It is told with the poll."""
    assert answers.redirect_warnings(
        fetched("http://wire.example/feed", (302, URL))
    ) == ("redirected from https to http",)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 405, 406, 451])
def test_cases_29_and_30_refusals_are_hard_errors(status):
    """They do not mend themselves."""
    seen = answered(page(status))
    assert (seen.trouble, seen.poll.error, seen.poll.validators) == (
        "hard",
        f"http {status}",
        None,
    )


def test_case_30_a_challenge_is_named():
    """The operator reads who blocks."""
    assert "Cloudflare" in answered(page(403, cf_mitigated="challenge")).poll.error


@pytest.mark.parametrize("status", [404, 500, 502, 503])
def test_cases_31_and_37_what_comes_back_is_soft(status):
    """Active feeds do return 404 and come back."""
    assert answered(page(status)).trouble == "soft"


def test_case_32_a_410_mutes_the_source():
    """It is probed weekly, and says so."""
    seen = answered(page(410))
    assert seen.trouble == "gone"
    assert visit_result.plan_fixed_interval(SOURCE, STATE, seen, found=0, fresh=0).gone


def test_cases_33_and_35_a_retry_after_moves_the_next_look():
    """Not before the host said."""
    until = NOW + timedelta(hours=7)
    seen = answers.visit_without_answer(
        Failure(detail="http 429", retry_at=until), BLANK, STATE
    )
    assert (seen.poll.http_status, seen.retry_after) == (429, until)
    assert (
        visit_result.plan_fixed_interval(
            SOURCE, STATE, seen, found=0, fresh=0
        ).next_check_at
        >= until
    )


@pytest.mark.parametrize("status", [201, 204, 205, 206, 299, 999])
def test_case_38_other_statuses_are_unexpected(status):
    """A 204 brings no feed, whatever it means."""
    assert answered(page(status)).poll.error.startswith("unexpected_status")


def test_case_39_an_empty_body_is_an_error_and_its_validators_are_not_kept():
    """Else the feed would be 304 for ever."""
    seen = answered(page(body=b"", ETag='"2"'))
    assert seen.poll.error.startswith("empty_body")
    assert seen.poll.validators is None


@pytest.mark.parametrize(
    ("outcome", "trouble"),
    [
        (Failure(detail="dns"), "dns"), (Failure(detail="timeout"), "soft"), (Failure(detail="connection refused"), "soft"),
        (Failure(detail="truncated"), "soft"), (Failure(detail="bad_encoding: truncated gzip"), "soft"), (Failure(detail="too_many_redirects"), "soft"),
        (Failure(detail="tls: certificate has expired"), "hard"), (Refusal(why=RejectionReason.ROBOTS, detail="robots.txt"), "hard"),
        (Refusal(why=RejectionReason.ADDRESS, detail="127.0.0.1"), "hard"), (Refusal(why=RejectionReason.SIZE, detail="larger than allowed"), "hard"),
    ],
)  # fmt: skip
def test_cases_27_and_40_to_48_faults_are_told_apart(outcome, trouble):
    """Each is an error with its class, keeps the validators, and weighs what it says about the source."""
    seen = answers.visit_without_answer(outcome, BLANK, STATE)
    assert (seen.poll.status, seen.trouble, seen.poll.validators) == (
        "error",
        trouble,
        None,
    )
    assert seen.poll.error


def test_cases_50_and_55_what_cannot_be_read_never_advances_the_validators():
    """HTML in the feed's place, and broken XML without entries."""
    for error in ("html_instead_of_feed: a web page", "ill_formed: no entries"):
        seen = answers.visit_with_document(
            Feed(error=error), page(ETag='"2"'), BLANK, STATE
        )
        assert (seen.poll.status, seen.poll.validators, seen.poll.body_hash) == (
            "error",
            None,
            None,
        )


def test_case_56_a_feed_without_items_is_empty_not_broken():
    """Its validators are kept."""
    seen = answers.visit_with_document(Feed(), page(ETag='"2"'), BLANK, STATE)
    assert (seen.poll.status, seen.poll.validators.etag, seen.trouble) == (
        "empty",
        '"2"',
        None,
    )


def test_what_was_read_carries_leads_validators_and_hints():
    """Everything that one transaction needs is in the poll.

    The server's floor is beside it.
    """
    lead = Lead(url="https://wire.example/1", source="wire")
    hints = polls.PollHints(ttl=7200.0)
    seen = answers.visit_with_document(
        Feed(leads=(lead,), hints=hints, warnings=("odd",)),
        page(ETag='"2"'),
        BLANK,
        STATE,
    )
    assert (seen.poll.status, seen.poll.leads, seen.poll.warnings, seen.floor) == (
        "ok",
        (lead,),
        ("odd",),
        7200.0,
    )


WISHES = {"ttl": 7200.0, "skip_hours": [3, 4], "skip_days": [6]}


@pytest.mark.parametrize(
    "got",
    [page(304, b"", ETag='"2"'), page(ETag='"1"'), page(404), page(body=b"")],
    ids=["304", "unchanged", "error", "empty"],
)
def test_cases_61_and_62_what_the_document_asked_for_holds_until_it_is_read_again(got):
    """A 304, an unchanged 200 and an error bring headers and no document.

    Ttl and skipped hours stay.
    """
    seen = answered(got, replace(READ_BEFORE, hints=WISHES), conditional=True)
    assert seen.hints == polls.PollHints(
        ttl=7200.0, skip_hours=frozenset({3, 4}), skip_days=frozenset({6})
    )
    assert seen.floor == 7200.0
    assert seen.poll.hints is None


def test_case_64_the_headers_of_a_304_join_what_the_document_said():
    """max-age is of this answer, ttl of the document; the longer one is obeyed."""
    got = page(304, b"", Cache_Control="max-age=10800")
    seen = answered(got, replace(READ_BEFORE, hints=WISHES), conditional=True)
    assert (seen.hints.ttl, seen.hints.max_age, seen.floor) == (
        7200.0,
        10800.0,
        10800.0,
    )


def test_case_62_a_visit_without_an_answer_keeps_to_the_hours(web, store):
    """Nobody answers: the skipped hours hold for the next try as well."""
    web.pages["wire.example/feed"] = web.Answer(drop=True)
    seen = answers.visit_without_answer(Failure(detail="timeout"), BLANK, STATE)
    assert seen.hints == polls.PollHints()
    store.sources.sync([replace(STATE, url=web.url("wire.example/feed"))])
    store.session.db.execute("UPDATE sources SET hints = ?", ['{"skip_hours": [1, 2]}'])
    web.run(
        store,
        [web.source("wire.example/feed")],
        plan=lambda *seen, **_: noted(seen),
    )
    assert noted.hints.skip_hours == frozenset({1, 2})


def noted(seen):
    """A plan that remembers what it was told."""
    noted.hints = seen[2].hints
    return seen[2].poll


def test_a_document_that_says_nothing_any_more_ends_what_it_asked_for():
    """What is kept is what was read last."""
    seen = answers.visit_with_document(
        Feed(), page(), BLANK, replace(STATE, hints=WISHES)
    )
    assert (seen.poll.hints, seen.floor) == ({}, None)


def test_the_leads_of_an_index_are_those_of_its_sitemaps_up_to_the_limit():
    """The order stays; the newest date is that of all."""
    leads = [Lead(url=f"https://wire.example/{n}", source="wire") for n in range(4)]
    children = [
        Feed(leads=tuple(leads[:2]), newest_at=NOW),
        Feed(leads=tuple(leads[2:])),
    ]
    joined = documents.merge_documents(Feed(children=("a", "b")), children, 3)
    assert joined.leads == tuple(leads[:3])
    assert joined.newest_at == NOW


def test_a_sitemap_index_is_followed_and_a_section_says_what_it_cannot(web, store):
    """Pages of both child sitemaps are fetched.

    A kind without a reader is an error, not a crash.
    """
    wrap = "<?xml version='1.0'?><{0} xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{1}</{0}>"
    listed = "".join(
        f"<sitemap><loc>{web.url(f'map.example/{n}.xml')}</loc></sitemap>"
        for n in (1, 2)
    )
    web.pages["map.example/index.xml"] = web.Answer(
        wrap.format("sitemapindex", listed).encode()
    )
    for n in (1, 2):
        web.pages[f"map.example/{n}.xml"] = web.Answer(
            wrap.format(
                "urlset", f"<url><loc>{web.url(f'map.example/a{n}')}</loc></url>"
            ).encode()
        )
        web.pages[f"map.example/a{n}"] = web.page(n)
    report = web.run(
        store,
        [
            web.source("map.example/index.xml", kind="sitemap"),
            web.source("other.example/x", kind="hologram"),
        ],
    )
    assert report.for_source("map").new == 2
    assert report.for_source("other").error.startswith("unsupported")
