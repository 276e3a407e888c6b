"""Many feeds at once.

Politeness by host (case 101), and one that hangs keeps nobody else waiting (case 106).
"""

from itertools import pairwise
from threading import Event


def test_case_101_feeds_of_one_host_that_are_due_together_are_asked_one_after_another(
    web, store
):
    """Twelve feeds on three hosts.

    Never two requests to a host within its delay, while the hosts go on side by side.
    """
    for host in range(3):
        for n in range(4):
            web.pages[f"h{host}.example/{n}"] = web.feed()
    sources = [
        web.source(f"h{host}.example/{n}", id=f"h{host}-{n}")
        for host in range(3)
        for n in range(4)
    ]
    report = web.run(store, sources, delay=0.5)
    assert all(report.for_source(source.id).status == "empty" for source in sources)
    for host in range(3):
        times = [one.at for one in web.asked if one.url.startswith(f"h{host}.example")]
        assert len(times) == 5  # robots.txt and four feeds
        # A request that a busy machine holds up comes nearer to the next one
        assert all(later - earlier >= 0.25 for earlier, later in pairwise(times))
    hosts = [one.url.partition("/")[0] for one in web.asked]
    changes = sum(one != other for one, other in pairwise(hosts))
    assert changes > 2, "one host after the other"


def test_case_106_a_feed_that_hangs_delays_no_other(web, store):
    """Nine are visited and their pages kept while one server says nothing.

    It answers when they are done: were they to wait for it, it would never.
    """
    told = []
    others_are_done = Event()

    def on_event(event):
        told.append(event.source)
        if len(told) == 18:
            others_are_done.set()

    web.pages["hang.example/feed"] = lambda _: others_are_done.wait(60) and web.feed()
    for n in range(9):
        web.pages[f"h{n}.example/feed"] = web.feed(
            web.item(web.url(f"h{n}.example/a"), f"Report {n}")
        )
        web.pages[f"h{n}.example/a"] = web.page(n)
    sources = [
        web.source(f"{host}.example/feed")
        for host in ("hang", *(f"h{n}" for n in range(9)))
    ]
    report = web.run(store, sources, timeout=90.0, on_event=on_event)
    assert report.for_source("hang").status == "empty"
    assert told[-1] == "hang"
    assert len(told) == 19
