"""What a page says about its article: title, people, site, section, picture, address.

Each is read from the places that carry it, the surest first. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urljoin

from crawler.extraction import byline_elements, bylines, headlines, inline_text, json_ld
from crawler.extraction.markup import Markup, find_canonical
from storage import identity
from storage.folding import printable

# The surest first: the tags of analytics name people where `author` names the house.
_AUTHOR_TAGS = (
    "parsely-author",
    "article:author",
    "og:article:author",
    "og:author",
    "sailthru.author",
    "byl",
    "author",
    "authors",
    "article:author:name",
    "article.author",
    "cxenseparse:author",
    "citation_author",
    "dc.creator",
    "dcterms.creator",
    "dc.creator.name",
)
_SECTION_TAGS = (
    "article:section",
    "parsely-section",
    "section",
    "cxenseparse:section",
    "sailthru.section",
)
_SITE_TAGS = ("og:site_name", "application-name", "apple-mobile-web-app-title")
_SITE_TYPES = frozenset({"WebSite", "Organization", "NewsMediaOrganization"})
_MAX_SITE_NAMES = 10
_IMAGE_TAGS = (
    "og:image",
    "og:image:url",
    "og:image:secure_url",
    "twitter:image",
    "twitter:image:src",
)
_LANGUAGE_TAGS = ("content-language", "og:locale", "dc.language", "language")
_MAX_NAME_CHARS = 300  # of a site, a section, an author
_MAX_UNSPACED_PIECES = 4
_MAX_NESTED_NAMES = 3  # levels of a name within a name
# A page of a thousand headlines is none of ours.
_MAX_HEADLINES = 20
_MAX_HEADLINE_CHARS = 1_000  # that are looked at

_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a page says about its article. Strings are single-spaced, None for nothing."""

    title: str | None = None
    headlines: tuple[str, ...] = ()  # every form of the title that the page has
    authors: tuple[str, ...] = ()
    site: str | None = None
    section: str | None = None
    image: str | None = None  # absolute URL; never fetched
    language: str | None = None  # as the page declares it
    canonical: str | None = None  # as it stands in the page
    og_url: str | None = None  # the same
    agency: str | None = None  # that the byline names, by its usual name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signature:
    """An author as JSON-LD gives it."""

    name: str
    is_person: bool  # or may be one; False for an organization


def read_metadata(markup: Markup, url: str) -> Metadata:
    """Everything that the page's head, headline and byline say.

    `url` is where the page was found, or empty.
    """
    articles = _article_objects(markup)
    article = next(iter(articles), {})
    site = _first_meta(markup, "og:site_name", "application-name")
    publisher = article.get("publisher")
    if site is None and isinstance(publisher, dict):
        site = _text(publisher.get("name"))

    declared = _declared_titles(markup, articles)
    h1s = [
        inline_text.element_line(element, max_chars=_MAX_HEADLINE_CHARS)
        for element in islice(markup.tree.iter("h1"), _MAX_HEADLINES)
    ]
    signatures = _find_signatures(markup, articles)
    agencies = (bylines.agency_name(signature.name) for signature in signatures)
    section = _first_meta(markup, *_SECTION_TAGS) or _text(
        article.get("articleSection")
    )
    sites = [site or "", *_site_names(markup)]
    authors = _find_authors(markup, signatures, sites)
    title = headlines.choose_headline(
        declared=declared,
        h1s=h1s,
        sites=sites,
        labels=(section or "", *authors),
        host=identity.url_host(url),
    )
    return Metadata(
        title=(title or "")[: headlines.MAX_HEADLINE_CHARS] or None,
        headlines=tuple(dict.fromkeys(text for text in (*declared, *h1s) if text)),
        authors=authors,
        site=site,
        section=section,
        image=_find_image(markup, url),
        language=_declared_language(markup),
        canonical=find_canonical(markup.tree),
        og_url=_first_meta(markup, "og:url"),
        agency=next((agency for agency in agencies if agency), None),
    )


def _article_objects(markup: Markup) -> list[Mapping[str, Any]]:
    """The page's own objects: those that are articles, then others with a headline."""
    articles = [item for item in markup.own_json_ld if json_ld.is_article(item)]
    return articles + [item for item in markup.own_json_ld if item.get("headline")]


def _declared_titles(
    markup: Markup, articles: list[Mapping[str, Any]]
) -> tuple[str, str, str, str]:
    """What the head gives as title, each "" where it gives none.

    In this order: og:title, JSON-LD headline, twitter:title, title element.
    """
    title = ""
    element = next(markup.tree.iter("title"), None)
    if element is not None:
        title = " ".join(element.text_content()[:_MAX_HEADLINE_CHARS].split())
    named = (_text(item.get("headline")) for item in articles)
    headline = next((text for text in named if text), "")
    og_title = _first_meta(markup, "og:title") or ""
    twitter_title = _first_meta(markup, "twitter:title") or ""
    return og_title, headline, twitter_title, title


def _site_names(markup: Markup) -> list[str]:
    """The further names that a site gives itself: as an organization or an application."""
    names: list[str] = []
    for item in markup.json_ld:
        if not _SITE_TYPES.isdisjoint(json_ld.types_of(item)):
            names += [
                _text(item.get("name")) or "",
                _text(item.get("alternateName")) or "",
            ]
        publisher = item.get("publisher")
        if isinstance(publisher, dict):
            names.append(_text(publisher.get("name")) or "")
    for name in _SITE_TAGS:
        names += markup.meta.get(name, ())
    return [name for name in dict.fromkeys(names) if len(name) > 1][:_MAX_SITE_NAMES]


def _first_meta(markup: Markup, *names: str) -> str | None:
    """The first value of the first of these meta tags."""
    for name in names:
        for value in markup.meta.get(name, ()):
            return value
    return None


def _text(value: Any) -> str | None:
    """The string of a JSON-LD value, which may be one or a list of them."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, str):
        return None
    return " ".join(printable(value[:_MAX_NAME_CHARS]).split()) or None


def _find_authors(
    markup: Markup, signatures: list[_Signature], sites: Sequence[str]
) -> tuple[str, ...]:
    """The people whom the page names, else the agency or the paper that signs.

    People by JSON-LD, else by the first meta tag that names any, else by the byline. A
    single word in a tag is often the name of an account: a byline with a whole name
    comes before it.
    """
    names = [signature.name for signature in signatures]
    people = bylines.find_people(
        [signature.name for signature in signatures if signature.is_person],
        sites=sites,
    )
    tagged: tuple[str, ...] = ()
    others = byline_elements.authors_of_others(markup.tree)
    for name in () if people else _AUTHOR_TAGS:
        values = [one for one in markup.meta.get(name, ()) if one not in others]
        tagged = bylines.find_people(values, sites=sites)
        names += values
        if tagged:
            break
    stated = people or tagged
    if any(map(_is_whole_name, stated)):
        return stated
    shown = _people_in_byline(markup, sites, near_headline=not names)
    if not stated or any(map(_is_whole_name, shown)):
        stated = shown or stated
    return stated or bylines.signing_outlets(names)


def _is_whole_name(name: str) -> bool:
    """Whether a name has a first and a last part, as far as its script shows that."""
    if bylines.is_written_without_spaces(name):
        return True
    return " " in name and not name.islower()


def _find_signatures(
    markup: Markup, articles: list[Mapping[str, Any]]
) -> list[_Signature]:
    """The authors of the first article, or other work, in JSON-LD that has any.

    References are followed.
    """
    by_id: dict[str, Mapping[str, Any]] = {}
    for item in markup.json_ld:
        if isinstance(item.get("@id"), str):
            by_id[item["@id"]] = item
    # A recipe has an author and no headline.
    for article in (*articles, *markup.own_json_ld):
        for key in ("author", "creator"):
            found = list(_signatures(article.get(key), by_id, nesting=0))
            if found:
                return found[: bylines.MAX_NAMES]
    return []


def _signatures(
    author: Any, by_id: Mapping[str, Mapping[str, Any]], *, nesting: int
) -> Iterator[_Signature]:
    """The names of a string, an object, a reference to one, or a list of them.

    A name may be an object or a list of names, too.
    """
    if nesting > _MAX_NESTED_NAMES:
        return
    if isinstance(author, list):
        for one in author[: bylines.MAX_NAMES]:
            yield from _signatures(one, by_id, nesting=nesting + 1)
        return
    if not isinstance(author, dict):
        name = _text(author)
        if name:
            yield _Signature(name=name, is_person=True)
        return
    item: Mapping[str, Any] = author
    if "name" not in author:
        item = by_id.get(str(author.get("@id")), author)
    given = item.get("name")
    if isinstance(given, dict | list):
        yield from _signatures(given, by_id, nesting=nesting + 1)
        return
    name = _text(given)
    if not name:
        parts = (_text(item.get("givenName")), _text(item.get("familyName")))
        name = " ".join(part for part in parts if part)
    if name:
        is_person = "Organization" not in str(item.get("@type"))
        yield _Signature(name=name, is_person=is_person)


def _people_in_byline(
    markup: Markup, sites: Sequence[str], *, near_headline: bool
) -> tuple[str, ...]:
    """The names in the first byline of the page that holds one.

    `near_headline`: whether texts count that only begin as a byline does.
    """
    found = byline_elements.find_bylines(markup.tree, near_headline=near_headline)
    for pieces, is_marked in found:
        people = bylines.find_people(pieces, sites=sites)
        # Beside a whole name a single word is a button or a section.
        whole = tuple(name for name in people if _is_whole_name(name))
        if len(pieces) > _MAX_UNSPACED_PIECES and any(
            map(bylines.is_written_without_spaces, people)
        ):
            # Of so many words without spaces nothing says which is a name.
            continue
        if whole or (people and is_marked):
            return whole or people
    return ()


def _find_image(markup: Markup, url: str) -> str | None:
    named = _first_meta(markup, *_IMAGE_TAGS)
    if not named:
        return None
    try:
        absolute = urljoin(url, named)
    except ValueError:
        return None
    return absolute if absolute.startswith(("http://", "https://")) else None


def _declared_language(markup: Markup) -> str | None:
    """The language tag of the page: html element, Content-Language, og:locale."""
    tag: str = (
        markup.tree.get("lang")
        or markup.tree.get(_XML_LANG)
        or _first_meta(markup, *_LANGUAGE_TAGS)
        or ""
    )
    return tag.strip().replace("_", "-")[:35] or None
