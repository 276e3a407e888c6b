"""Who wrote what, where and in which section: title, authors, site, picture and declared address of a parsed page."""

from dataclasses import dataclass

from crawler.markup import Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a page says about its article. Strings are single-spaced, None where it says nothing."""

    title: str | None = None
    authors: tuple[str, ...] = ()
    site: str | None = None
    section: str | None = None
    image: str | None = None
    language: str | None = None  # as the page declares it
    canonical: str | None = None  # as it stands in the page


def read(markup: Markup) -> Metadata:
    """Everything that the page's head and headline say."""
    tree, meta = markup.tree, markup.meta
    titles = meta.get("og:title", ()) or tuple(" ".join(t.text_content().split()) for t in tree.iter("title"))
    link = next((e.get("href") for e in tree.iter("link") if "canonical" in (e.get("rel") or "").lower().split()), None)
    return Metadata(
        title=next(iter(titles), None),
        site=next(iter(meta.get("og:site_name", ())), None),
        language=tree.get("lang"),
        canonical=link,
    )
