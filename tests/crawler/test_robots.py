"""robots.txt.

Which answers are rules, which are none, and which mean that nothing may be asked yet.
"""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_page
from crawler.fetching import robots
from crawler.fetching.robots import RobotsCache, RobotsRules
from crawler.workers import WorkerPool
from storage.model import Failure, Refusal, RejectionReason, utc_now

URL = "http://news.example/robots.txt"


def page(body=b"", status=200):
    return make_page(URL, body, status=status, fetched_at=utc_now())


def ask_all(answer, urls):
    """The rules that many callers get at once, and how often the host was asked."""
    asked = []

    async def ask(url, verify_tls):
        asked.append(url)
        await asyncio.sleep(0.01)
        return answer

    async def together():
        known = RobotsCache(ask, agent="khabar/0.1", pool=WorkerPool(1))
        got = await asyncio.gather(*(known.rules(url) for url in urls))
        return [*got, await known.rules(urls[0])]

    return asyncio.run(together()), asked


def test_a_new_name_of_ours_is_judged_by_its_own_rules():
    """After a reload nothing is asked in one name by what another one was allowed.

    Also where the host was being asked while the name changed.
    """
    body = b"User-agent: khabar\nDisallow:\n\nUser-agent: other\nDisallow: /closed\n"
    asked = []

    async def ask(url, verify_tls):
        asked.append(url)
        await asyncio.sleep(0.01)
        return page(body)

    async def judged():
        known = RobotsCache(ask, agent="khabar/0.1", pool=WorkerPool(1))
        under_way = asyncio.ensure_future(known.rules(URL))
        await asyncio.sleep(0)
        known.use_agent("other/1.0")
        during = await known.rules(URL)
        first = await under_way
        return first, during, await known.rules(URL)

    first, during, after = asyncio.run(judged())
    closed = "http://news.example/closed"
    assert first.allow(closed)
    assert not during.allow(closed)
    assert not after.allow(closed)
    assert len(asked) == 2


def test_a_host_is_asked_once_however_many_wait_and_its_answer_is_kept():
    """Ten leads of one host cost one robots.txt.

    Another scheme or port is another host.
    """
    got, asked = ask_all(
        page(b"User-agent: *\nDisallow: /a"),
        [f"http://news.example/{n}" for n in range(10)],
    )
    assert asked == [URL]
    assert len(got) == 11
    _, asked = ask_all(
        page(),
        ["http://news.example/", "https://news.example/", "http://news.example:8080/"],
    )
    assert len(asked) == 3


@pytest.mark.parametrize(
    "answer",
    [page(b"x", 404), page(b"x", 403), page(b"x", 401), page(b"x", 410), page(b"", 200), page(b"x", 204),
     page(b"<html>not found</html>"), Failure(detail="too_many_redirects"), Refusal(why=RejectionReason.ADDRESS)],
)  # fmt: skip
def test_answers_without_rules_allow_everything(answer):
    """4xx, an empty file, a web page in its place, endless redirects (RFC 9309, 2.3.1)."""
    [rules, _], _ = ask_all(answer, ["http://news.example/a"])
    assert isinstance(rules, RobotsRules)
    assert rules.allow("http://news.example/a")


@pytest.mark.parametrize(
    "answer",
    [
        page(b"", 500),
        page(b"", 503),
        page(b"", 429),
        Failure(detail="timeout"),
        Failure(detail="dns"),
    ],
)
def test_answers_that_are_no_answer_mean_asking_again_later(answer):
    """5xx, 429 and a silent host are no permission.

    The failure says when to come back, and is kept until then.
    """
    [failure, again], asked = ask_all(answer, ["http://news.example/a"])
    assert isinstance(failure, Failure)
    assert not failure.final
    assert failure.retry_at > utc_now() + timedelta(minutes=5)
    assert again == failure
    assert len(asked) == 1


def test_the_group_of_our_name_counts_before_that_of_everybody():
    """The product token is matched, whatever version it has."""
    body = b"User-agent: *\nDisallow: /\n\nUser-agent: Khabar\nDisallow: /private/\nCrawl-delay: 3\n"
    rules = robots.parse_robots(body, "khabar/0.1")
    assert rules.allow("http://news.example/a")
    assert not rules.allow("http://news.example/private/b")
    assert rules.delay == 3
    assert not robots.parse_robots(body, "other/2").allow("http://news.example/a")


def test_a_crawl_delay_is_obeyed_up_to_half_a_minute():
    """An hour between two requests would be a refusal in other words."""
    assert (
        robots.parse_robots(b"User-agent: *\nCrawl-delay: 3600\n", "khabar").delay == 30
    )


def test_only_the_first_500_kilobytes_count():
    """What follows them is not read (RFC 9309, 2.5)."""
    body = (
        b"User-agent: *\nDisallow: /early\n"
        + b"# filler\n" * 60_000
        + b"Disallow: /late\n"
    )
    rules = robots.parse_robots(body, "khabar")
    assert not rules.allow("http://news.example/early")
    assert rules.allow("http://news.example/late")


def test_wildcards_take_linear_time():
    """A pattern of many stars against a long address is answered at once, not in exponential time."""
    body = b"User-agent: *\nDisallow: /" + b"*a" * 500 + b"$\n"
    assert robots.parse_robots(body, "khabar").allow(
        "http://news.example/" + "a" * 2000 + "b"
    )


@given(st.binary(max_size=2000))
def test_no_bytes_make_reading_fail(body):
    """Any file is rules of some kind."""
    robots.parse_robots(body, "khabar/0.1").allow("http://news.example/x?y=z")


@pytest.mark.parametrize(
    "body",
    [
        "User-agent: other\nfoo: bar\nUser-agent: khabar\nDisallow: /closed",
        "User-agent: khabar/2.0\nDisallow: /closed",
        "User-agent: KHABAR (a bot)\nDisallow: /closed",
        "User-agent: other\n\nNoindex: /x\n\nuser agent khabar\ndissallow /closed",
        "User-agent: *\nUnknown line\nUser-agent: khabar\nDisallow: /closed # us",
    ],
)
def test_a_group_is_ours_by_its_product_token_alone(body):
    """Versions, remarks and lines that nobody knows neither end a group nor hide it."""
    rules = robots.parse_robots(body.encode(), "khabar/0.1")
    assert not rules.allow("http://news.example/closed/a")
    assert rules.allow("http://news.example/open")


@pytest.mark.parametrize("name", ["kha", "khabar-news", "news-khabar", "bar", "kh*r"])
def test_a_group_of_a_longer_or_shorter_name_is_not_ours(name):
    """The token is compared whole (RFC 9309, 2.2.1)."""
    body = f"User-agent: {name}\nDisallow: /\n\nUser-agent: *\nDisallow: /x\n"
    rules = robots.parse_robots(body.encode(), "khabar/0.1")
    assert rules.allow("http://news.example/a")
    assert not rules.allow("http://news.example/x")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("3s", 3),
        ("2,5", 2.5),
        ("4 seconds", 4),
        ("500ms", 0.5),
        ("0.2 min", 12),
        ("7 # please", 7),
        ("slow", None),
    ],
)
def test_a_delay_is_read_as_it_is_meant(written, seconds):
    """Units and decimal commas are delays; a word is none."""
    body = f"User-agent: *\nCrawl-delay: {written}\n".encode()
    assert robots.parse_robots(body, "khabar").delay == seconds


def test_rules_that_a_proxy_touched_are_rules():
    """A 203 is a success (RFC 9110, 15.3.4)."""
    answer = page(b"User-agent: *\nDisallow: /closed\n", 203)
    [rules, _], _ = ask_all(answer, ["http://news.example/a"])
    assert not rules.allow("http://news.example/closed")


def test_a_redirect_that_leads_nowhere_is_no_robots_txt():
    """There is nothing to come back for (RFC 9309, 2.3.1.3)."""
    answer = Failure(detail="redirect without a target", final=True)
    [rules, _], _ = ask_all(answer, ["http://news.example/a"])
    assert rules.allow("http://news.example/a")


def test_a_host_of_other_letters_is_asked_once():
    """However its name is spelled."""
    ascii_name = "اخبار.example".encode("idna").decode().upper()
    urls = ["http://اخبار.example/a", f"http://{ascii_name}/b"]
    _, asked = ask_all(page(), urls)
    assert len(asked) == 1
