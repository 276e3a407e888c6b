"""Who wrote what, where and in which section.

Title, authors, site, picture and declared address of a parsed page.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from lxml import etree, html

from crawler.extraction import bylines, headlines
from crawler.extraction.markup import Markup, select
from storage import identity
from storage.folding import printable
from storage.identity import MAX_URL_CHARS

_ARTICLES = (
    "Article",
    "NewsArticle",
    "BlogPosting",
    "Report",
    "Posting",
    "Review",
    "Story",
    "WebPage",
)
_AUTHOR_TAGS = (
    "author",
    "authors",
    "article:author",
    "byl",
    "dc.creator",
    "dcterms.creator",
    "parsely-author",
    "sailthru.author",
    "citation_author",
    "cxenseparse:author",
)
_SECTION_TAGS = (
    "article:section",
    "parsely-section",
    "section",
    "cxenseparse:section",
    "sailthru.section",
)
_IMAGE_TAGS = (
    "og:image",
    "og:image:url",
    "og:image:secure_url",
    "twitter:image",
    "twitter:image:src",
)
_BYLINES = etree.XPath(
    "(//*[@rel='author' or @itemprop='author'] | //*[self::a or self::span or self::div or self::p or self::address"
    " or self::li][contains(@class, 'byline') or contains(@class, 'Byline') or contains(@class, 'author')"
    " or contains(@class, 'Author')])[not(ancestor-or-self::*[contains(@class, 'comment') or contains(@id, 'comment')"
    " or contains(@class, 'related')])]"
)
_MAX_NAME_CHARS = 300  # characters of a site's or section's name

_Signature = tuple[str, bool]  # a name, and whether it can be a person's


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a page says about its article.

    Strings are single-spaced, None where it says nothing.
    """

    title: str | None = None
    headlines: tuple[str, ...] = ()  # every form of the title that the page has
    authors: tuple[str, ...] = ()
    site: str | None = None
    section: str | None = None
    image: str | None = None  # absolute URL; never fetched
    language: str | None = None  # as the page declares it
    canonical: str | None = None  # as it stands in the page
    agency: str | None = None  # that the byline names


def read_metadata(markup: Markup, url: str) -> Metadata:
    """Everything that the page's head, headline and byline say.

    `url` is where the page was found, or empty.
    """
    site = _first_meta(markup, "og:site_name", "application-name") or _publisher(markup)
    heads = [
        " ".join(printable(e.text_content()[:1_000]).split())
        for e in _first_elements(markup.tree, "h1")
    ]
    said = _declared_titles(markup)
    title = headlines.choose_headline(
        said=said, heads=heads, site=site, host=identity.url_host(url)
    )
    signed = list(_signatures(markup))
    return Metadata(
        title=title[: headlines.MAX_HEADLINE_CHARS] if title else None,
        headlines=tuple(dict.fromkeys(text for text in (*said, *heads) if text)),
        authors=_authors(markup, signed, site),
        site=site,
        section=_first_meta(markup, *_SECTION_TAGS)
        or _text(_article(markup).get("articleSection")),
        image=_image(markup, url),
        language=_language(markup),
        canonical=_canonical(markup),
        agency=next(
            (name for text, _ in signed if (name := bylines.agency_name(text))), None
        ),
    )


def _first_elements(tree: html.HtmlElement, tag: str) -> list[html.HtmlElement]:
    """The first elements of a tag; a page of a thousand headlines is none of ours."""
    return [element for _, element in zip(range(20), tree.iter(tag), strict=False)]


def _declared_titles(markup: Markup) -> list[str]:
    """What the head gives as title.

    Og:title, JSON-LD headline, twitter:title, title element; "" for none.
    """
    title = next(
        (
            " ".join(e.text_content()[:1_000].split())
            for e in _first_elements(markup.tree, "title")
        ),
        "",
    )
    headline = next(
        (text for node in _articles(markup) if (text := _text(node.get("headline")))),
        "",
    )
    return [
        _first_meta(markup, "og:title") or "",
        headline,
        _first_meta(markup, "twitter:title") or "",
        title,
    ]


def _first_meta(markup: Markup, *names: str) -> str | None:
    """The first value of the first of these meta tags."""
    return next((value for name in names for value in markup.meta.get(name, ())), None)


def _articles(markup: Markup) -> Iterator[Mapping[str, Any]]:
    """The JSON-LD objects that are articles.

    The others that carry a headline after them.
    """
    yield from (
        node
        for node in markup.objects
        if str(node.get("@type")).strip("[]'\"").endswith(_ARTICLES[:-1])
    )
    yield from (node for node in markup.objects if node.get("headline"))


def _article(markup: Markup) -> Mapping[str, Any]:
    return next(_articles(markup), {})


def _text(value: Any) -> str | None:
    """The string of a JSON-LD value, which may be one or a list of them."""
    first = value[0] if isinstance(value, list) and value else value
    return (
        " ".join(printable(first[:_MAX_NAME_CHARS]).split()) or None
        if isinstance(first, str)
        else None
    )


def _publisher(markup: Markup) -> str | None:
    publisher = _article(markup).get("publisher")
    return _text(publisher.get("name")) if isinstance(publisher, dict) else None


def _authors(
    markup: Markup, signed: list[_Signature], site: str | None
) -> tuple[str, ...]:
    """The people whom the page names.

    By JSON-LD, else by meta tags, else by the byline above the text.

    Where no person signs, the agency or the paper that does.
    """
    people = [name for name, is_person in signed if is_person]
    tagged = [value for name in _AUTHOR_TAGS for value in markup.meta.get(name, ())]
    return (
        bylines.find_people(people, site=site)
        or bylines.find_people(tagged, site=site)
        or _byline(markup, site)
        or bylines.signing_outlets([name for name, _ in signed] or tagged)
    )


def _signatures(markup: Markup) -> Iterator[_Signature]:
    """The authors of the first article in JSON-LD that has any, references to other objects followed."""
    by_id = {
        node["@id"]: node for node in markup.objects if isinstance(node.get("@id"), str)
    }
    for article in _articles(markup):
        signed = [
            found
            for author in _list(article.get("author"))
            if (found := _signature(author, by_id))
        ]
        if signed:
            yield from signed
            return


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _signature(
    author: Any, by_id: Mapping[str, Mapping[str, Any]]
) -> _Signature | None:
    """The name of an author: a string, an object, or a reference to one."""
    if not isinstance(author, dict):
        name = _text(author)
        return (name, True) if name else None
    node = author if "name" in author else by_id.get(str(author.get("@id")), author)
    parts = (_text(node.get("givenName")), _text(node.get("familyName")))
    name = _text(node.get("name")) or " ".join(part for part in parts if part)
    return (name, "Organization" not in str(node.get("@type"))) if name else None


def _byline(markup: Markup, site: str | None) -> tuple[str, ...]:
    """The names in the first byline of the page that holds one.

    Names of a single word only where it is marked up.
    """
    for element in select(markup.tree, _BYLINES)[:20]:
        if next(element.iter("style", "script"), None) is not None:
            continue
        text = " ".join(" ".join(map(str, element.itertext()))[:1_000].split())
        if not 0 < len(text) <= bylines.MAX_BYLINE_CHARS:
            continue
        found = bylines.find_people([text], site=site)
        marked = element.get("rel") == "author" or element.get("itemprop") == "author"
        if found and (marked or all(" " in name for name in found)):
            return found
    return ()


def _image(markup: Markup, url: str) -> str | None:
    found = _first_meta(markup, *_IMAGE_TAGS)
    try:
        whole = urljoin(url, found) if found else ""
    except ValueError:
        return None
    return whole if whole.startswith(("http://", "https://")) else None


def _language(markup: Markup) -> str | None:
    """The language tag of the page: html element, Content-Language, og:locale."""
    root = markup.tree.get("lang") or markup.tree.get(
        "{http://www.w3.org/XML/1998/namespace}lang"
    )
    tag = (
        root
        or _first_meta(
            markup, "content-language", "og:locale", "dc.language", "language"
        )
        or ""
    )
    return tag.strip().replace("_", "-")[:35] or None


def _canonical(markup: Markup) -> str | None:
    """The address that the page gives as its own."""
    for link in markup.tree.iter("link"):
        if "canonical" in (link.get("rel") or "").lower().split() and link.get("href"):
            return (link.get("href") or "").strip()[:MAX_URL_CHARS]
    return None
