"""Many feeds at once.

Politeness by host (case 101), and one that hangs keeps nobody else waiting (case 106).
"""

import time
from itertools import pairwise


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
    report = web.run(store, sources, delay=0.2)
    assert all(report.for_source(source.id).status == "empty" for source in sources)
    first, last = [], []
    for host in range(3):
        times = [one.at for one in web.asked if one.url.startswith(f"h{host}.example")]
        assert len(times) == 5
        assert all(later - earlier >= 0.19 for earlier, later in pairwise(times))
        first.append(times[0])
        last.append(times[-1])
    assert max(first) < min(last)


def test_case_106_a_feed_that_hangs_delays_no_other(web, store):
    """Nine are visited and their pages kept while one server says nothing.

    It ends with its own timeout.
    """
    told = []
    web.pages["hang.example/feed"] = lambda _: time.sleep(4) or web.feed()
    for n in range(9):
        web.pages[f"h{n}.example/feed"] = web.feed(
            web.item(web.url(f"h{n}.example/a"), f"Report {n}")
        )
        web.pages[f"h{n}.example/a"] = web.page(n)
    sources = [
        web.source(f"{host}.example/feed")
        for host in ("hang", *(f"h{n}" for n in range(9)))
    ]
    report = web.run(
        store, sources, timeout=3.0, on_event=lambda event: told.append(event.source)
    )
    assert report.for_source("hang").error == "timeout"
    assert told[-1] == "hang"
    assert len(told) == 19
