"""The article's text out of a parsed page: trafilatura first and mostly alone, a second opinion where in doubt."""

import logging
import re
from dataclasses import dataclass

from lxml import html
from trafilatura import bare_extraction
from trafilatura.settings import Document as Found
from trafilatura.settings import Extractor

from crawler.markup import Markup

# It logs an error for every page that holds no text, which is a value here.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)

_FIRST = Extractor(output_format="python", comments=False)
_PRECISE = Extractor(output_format="python", comments=False, precision=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An article's text, one line a paragraph, and which way found it."""

    text: str
    how: str


def find(markup: Markup) -> Body:
    """The text that the page holds, empty where there is none."""
    return Body(text=_trafilatura(markup.tree, _FIRST), how="trafilatura")


def _trafilatura(tree: html.HtmlElement, options: Extractor) -> str:
    """Its text. It works on a copy of the tree."""
    found = bare_extraction(tree, options=options)
    return re.sub(r"\n{2,}", "\n", found.text or "") if isinstance(found, Found) else ""
