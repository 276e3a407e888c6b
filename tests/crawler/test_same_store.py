"""The same pages give the same store, whichever of them comes first.

The lines of a host and the reports were written for these tests.
"""

import asyncio

import pytest

from crawler.files import import_context, reprocessing
from storage.query.criteria import Criteria

LINES = (
    "Sample Wire is read in nine provinces, write to our desk",
    "از این رسانهٔ نمونه در نه ولایت خوانده می‌شود، به ما بنویسید",
    "Reporting for this page was paid for by the Sample Fund",
)
DISTRICTS = ("Panjwai", "Maywand", "Zhari", "Arghandab", "Dand")


def report(web, number, line):
    """A page about an event of its own, above a line that all pages have."""
    place = DISTRICTS[number]
    body = (
        f"<html><head><title>Blast in {place}</title></head><body><article>"
        f"<h1>Blast in {place}</h1>"
        f"<p>Police in the {place} district of Kandahar said that {number + 2} officers were wounded when a mine went off at post {number} on Friday morning.</p>"
        f"<p>The Taliban denied that its fighters had laid it, and elders of {place} asked both sides to keep away from the canal and its {number + 11} villages.</p>"
        f"<p>{line}</p>"
        f"<p>The road from {place} to the city stayed closed until noon, and traders number {number} told of a burnt lorry beside the bridge of the bazaar.</p>"
        "</article></body></html>"
    )  # fmt: skip
    return web.Answer(body.encode(), headers={"Content-Type": "text/html; charset=utf-8"})  # fmt: skip


def changes_when_read_anew(store, web):
    """What `khabar reprocess --dry-run` would tell."""
    told = []

    async def read_anew():
        async with import_context.open_context(store, [], web.settings()) as context:
            await reprocessing.reprocess(
                context, Criteria(), dry_run=True, tell=told.append
            )

    asyncio.run(read_anew())
    return [(page.turn, page.before.url) for page in told]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 4, 0, 3, 1)])
def test_texts_do_not_depend_on_which_page_of_a_host_came_first(
    web, store, line, order
):
    """The line that a host repeats is in no text, be it that of the page that taught it.

    Reading every kept page anew then changes nothing.
    """
    items = []
    for number in order:
        web.pages[f"wire.example/{number}"] = report(web, number, line)
        items.append(web.item(web.url(f"wire.example/{number}"), f"Blast {number}"))
    web.pages["wire.example/feed"] = web.feed(*items)
    web.run(store, [web.source("wire.example/feed")])
    rows = store.session.db.execute("SELECT id, text FROM documents").fetchall()
    assert len(rows) == 5
    assert not any(line in row["text"] for row in rows)
    assert all("went off" in row["text"] for row in rows)
    assert changes_when_read_anew(store, web) == []
