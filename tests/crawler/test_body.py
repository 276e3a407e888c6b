"""Promises of the text: it is found, and held against the blocks of its page."""

import pytest

from builders import NOW, make_page
from crawler.extraction import blocks, extract, markup
from crawler.sources import Source
from storage.model import Document

HTML = (("Content-Type", "text/html; charset=utf-8"),)


def page(body, url="https://paper.example/2026/05/12/story", headers=HTML):
    return make_page(url, body, headers=headers)


def test_a_line_is_found_in_its_block():
    """A text's lines are matched to the page's blocks in their order, also where paragraphs repeat."""
    parsed = markup.parse_page(
        page(
            b"<html><body><p>Once upon a time.</p><p>Then.</p><p>Once upon a time.</p></body></html>"
        )
    )
    read = blocks.find_blocks(parsed.tree)
    pairs = list(
        blocks.align_lines(
            ["Once upon a time.", "Then.", "Once upon a time.", "Never."], read
        )
    )
    assert [block.index if block else None for _, block in pairs] == [0, 1, 2, None]


def test_a_line_is_parted_only_where_blocks_make_all_of_it():
    """A line that holds a word which no block has is left as it was read."""
    read = blocks.find_blocks(
        markup.parse_page(
            page(b"<html><body><p>Once upon a time.</p><p>Then.</p></body></html>")
        ).tree
    )
    assert blocks.split_line("Once upon a time. Then.", read) == [
        "Once upon a time.",
        "Then.",
    ]
    assert blocks.split_line("Once upon a time. And then.", read) == [
        "Once upon a time. And then."
    ]


def test_a_short_post_that_was_read_as_one_line_has_its_paragraphs_again():
    """Where the reader's last resort runs headline, byline and three short paragraphs together, each is a line again."""
    prose = "<p>Two people were hurt in Khost.</p><p>A mine went off.</p><p>Officials said so.</p>"
    meta = "<div class=entry-meta><span>Posted on <time>August 22, 2021</time></span> <span>by <a>admin</a></span></div>"
    html = f"<html><head><title>Two hurt by a mine in Khost</title></head><body><article><header><h1>Two hurt by a mine in Khost</h1>{meta}</header><div>{prose}</div></article></body></html>"
    found = extract.extract(
        page(html.encode()), lead=None, source=None, boilerplate=frozenset(), now=NOW
    )
    assert isinstance(found, Document)
    assert found.text.splitlines() == [
        "Two people were hurt in Khost.",
        "A mine went off.",
        "Officials said so.",
    ]


def test_a_source_s_own_selector_decides_where_it_finds_a_text():
    """What it picks is the text, whatever else the page holds.

    Where it picks nothing, the text is found as always.
    """
    prose = "".join(
        f"<p>Officials of district {n} said that two people were killed by a mine on Friday.</p>"
        for n in "ABC"
    )
    html = f"<html><body><article><h1>Two killed</h1>{prose}</article><div class=told>The story stands here, they said.</div></body></html>"

    def text(selector):
        source = Source(
            id="s",
            kind="feed",
            url="https://paper.example/feed",
            body_selector=selector,
        )
        return extract.extract(page(html.encode()), source=source, now=NOW).text

    assert text("div.told") == "The story stands here, they said."
    assert "district A" in text("div.untold")


@pytest.mark.parametrize(
    "template",
    [
        "<article><h1>{head}</h1><footer class=txt>{text}</footer></article>",
        "<div class='comment page'><h1>{head}</h1><div class=txt>{text}</div></div>",
        "<section id=comment><article><h1>{head}</h1>{text}</article></section>",
    ],
)
def test_the_second_reader_speaks_where_the_first_has_no_paragraph(template):
    """Opinion sections are called comment, and some templates put the body in a footer."""
    lines = [
        f"The salt of Taloqan, load {n}, went north by camel before the road was built, and old men remember it."
        for n in range(8)
    ]
    text = "".join(f"<p>{line}</p>" for line in lines)
    main = template.format(head="What the salt road was", text=text)
    html = f"<html><head><title>What the salt road was</title></head><body><nav><ul><li>Home</li></ul></nav>{main}</body></html>"
    found = extract.extract(page(html.encode()), now=NOW)
    assert isinstance(found, Document)
    assert found.text.splitlines() == lines
