"""Promises of page types: what is no article is rejected with its reason."""

import json

import pytest

from builders import NOW, make_page
from crawler.extraction import extract
from storage.model import RejectionReason

HTML = (("Content-Type", "text/html; charset=utf-8"),)


def page(body, url="https://paper.example/2026/05/12/story", headers=HTML):
    return make_page(url, body, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"<html></html>",
        b"<p></p>",
        b"<html><body><!-- nothing --></body></html>",
    ],
)
def test_an_empty_page_is_empty(body):
    """No text is no article."""
    assert extract.extract(page(body), now=NOW).why is RejectionReason.EMPTY


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Kabul", RejectionReason.SHORT), ("Watch this video now", RejectionReason.SHORT), ("", RejectionReason.EMPTY), ("Two were hurt in Khost.", None),
        ("阿富汗首都喀布尔周五发生爆炸，两人受伤。", None), ("در کابل دو نفر زخمی شدند", None),
    ],
)  # fmt: skip
def test_a_few_words_are_no_article(text, why):
    """Fewer than five words tell of nothing, whatever the page says that it is.

    A sentence does, in any script.
    """
    html = f'<html><head><meta property="og:type" content="article"></head><body><article><p>{text}</p></article></body></html>'
    found = extract.extract(page(html.encode()), now=NOW)
    assert getattr(found, "why", None) == why
    assert why is not None or found.text == text


@pytest.mark.parametrize("kind", ["JobPosting", "Product", "CollectionPage"])
def test_what_declares_itself_as_something_else_is_no_article(kind):
    """A vacancy is a posting by its name only; a page that is an article too is one."""
    prose = (
        "<p>" + "The mill in the gorge turns again since the ice went. " * 9 + "</p>"
    )

    def read(*kinds):
        items = [{"@type": kind} for kind in kinds]
        script = f"<script type='application/ld+json'>{json.dumps(items)}</script>"
        body = f"<html><head>{script}</head><body><article>{prose}</article></body>"
        return extract.extract(page(body.encode()), now=NOW)

    assert read(kind).detail == f"declared as {kind}"
    assert read(kind, "NewsArticle").text
