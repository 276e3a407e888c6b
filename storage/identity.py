"""What makes two URLs the same. For texts see `storage.text_likeness`.

Pure. A URL has two forms. `canonical_url` is stored and can be clicked: nothing is
taken from it that a server could need. `url_key` is only compared: there AMP and
mobile twins, scheme, `www.` and percent-encoding are folded too.
"""

import hashlib
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import (
    SplitResult,
    quote,
    unquote_to_bytes,
    urljoin,
    urlsplit,
    urlunsplit,
)

from storage import data_files
from storage.folding import fold

if TYPE_CHECKING:
    from tldextract import TLDExtract

# A longer address is neither requested nor believed, be it a link's or a page's own
# (polling rules, case 90; mediacloud's figure).
MAX_URL_CHARS = 2_048

_PORTS = {"http": 80, "https": 443}
_BLANKS = re.compile(r"[\x00-\x20\x7f\u00a0\u200b\u200e\u200f\ufeff]+")
_EDGES = re.compile(rf"\A{_BLANKS.pattern}|{_BLANKS.pattern}\Z")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;?]*", re.IGNORECASE)
# Names one of several entries that a feed has under the address of one page. No server
# sees a fragment, so that it opens the page.
_ENTRY_FRAGMENT = re.compile(r"khabar-entry-[0-9a-f]{16}")
# Reserved characters and the percent sign stay as they were given; the rest of ASCII
# and all above it is escaped.
_SAFE = "%/:?#[]@!$&'()*+,;=-._~|"


def canonical_url(url: str) -> str:
    """The stored form of a URL.

    It opens the same page, and says nothing about who pointed to it.

    Scheme and host are lower case and ASCII; default port, credentials, fragment (but
    for that of `entry_url`), session and tracking parameters (data/tracking.csv) are
    gone; scheme, `www.` and existing escapes stay as given. Idempotent. Anything but a
    readable http(s) URL comes back trimmed.
    """
    trimmed = _trim(url)
    parts = _split(trimmed)
    if parts is None:
        return trimmed
    return urlunsplit(parts)


def url_key(url: str) -> str:
    """What the URLs of one page have in common.

    The canonical URL without scheme, `www.`, twins and trailing slash.
    """
    trimmed = _trim(url)
    parts = _split(trimmed)
    if parts is None:
        return trimmed
    inner = _AMP_CACHE.match(f"{parts.netloc}{parts.path}")
    if inner:
        return url_key(f"http://{inner[1]}?{parts.query}")
    path = _untwinned_path(_unescape(parts.path))
    parameters = _unescape(parts.query).split("&")
    kept = [p for p in parameters if p and not _TWIN_PARAMETER.fullmatch(p)]
    key = _untwinned_host(parts.netloc, path) + path.rstrip("/")
    if kept:
        key += "?" + "&".join(kept)
    if parts.fragment:
        key += f"#{parts.fragment}"
    return key


def entry_url(page_url: str, entry_id: str) -> str:
    """The address of one of several entries that share a page: canonical, clickable."""
    digest = hashlib.blake2b(entry_id.encode("utf-8", "replace"), digest_size=8)
    page = canonical_url(page_url).partition("#")[0]
    return f"{page}#khabar-entry-{digest.hexdigest()}"


def is_entry_url(url: str) -> bool:
    """Whether an address is one that `entry_url` made."""
    return bool(_ENTRY_FRAGMENT.fullmatch(url.partition("#")[2]))


def url_host(url: str) -> str:
    """The host of a URL without `www.`; empty where there is none."""
    parts = _split(_trim(url))
    if parts is None:
        return ""
    return (parts.hostname or "").removeprefix("www.").rstrip(".")


def registrable_domain(url: str) -> str:
    """The registrable domain of a URL by the packaged list of public suffixes.

    The host where there is none.
    """
    return _registrable_of_host(url_host(url))


def resolve_canonical(
    page_url: str,
    declared: str | None,
    *,
    og_url: str | None = None,
    title: str | None = None,
) -> tuple[str, str | None]:
    """A page's own canonical URL, and another publisher's that it declares, if any.

    `declared` is what `link rel=canonical` names, `og_url` what `og:url` does. A
    declaration is evidence and no verdict, for templates repeat one on all their pages.
    It is the page's own address only within one registrable domain, where `og:url` does
    not name the page itself, and where something agrees: the last part or the number of
    the path, the words of the `title`, or `og:url`. What names a home page, a section,
    an author, a search or nothing ("undefined") says nothing, and neither does the
    address of a private machine.
    """
    own = canonical_url(page_url)
    target = _declared_target(own, declared)
    if target is None or _is_misdeclared(own, target):
        return own, None
    if registrable_domain(target) != registrable_domain(own):
        return own, None if _is_private_host(url_host(target)) else target
    if _is_corroborated(own, target, _declared_target(own, og_url), title):
        return target, None
    return own, None


def _trim(url: str) -> str:
    return _EDGES.sub("", url)


def _split(trimmed: str) -> SplitResult | None:
    """The canonical parts of an http(s) URL, None for anything else."""
    try:
        parts = urlsplit(trimmed)
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not name:
        return None
    netloc = _ascii_host(name)
    if port and port != _PORTS[parts.scheme]:
        netloc += f":{port}"
    path = _escape(_SESSION.sub("", parts.path)) or "/"
    query = _escape(parts.query)
    kept = [p for p in query.split("&") if p and not _is_tracking(p)]
    fragment = ""
    if _ENTRY_FRAGMENT.fullmatch(parts.fragment):
        fragment = parts.fragment
    return SplitResult(parts.scheme, netloc, path, "&".join(kept), fragment)


def _ascii_host(name: str) -> str:
    if ":" in name:
        return f"[{name}]"
    if name.isascii():
        return quote(name, safe="._-~!$&'()*+,;=%")
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return quote(name.encode("utf-8", "replace"))


def _escape(part: str) -> str:
    return quote(_STRAY_PERCENT.sub("%25", part).encode("utf-8", "replace"), safe=_SAFE)


def _unescape(part: str) -> str:
    """One spelling for each escape: unreserved characters bare, the rest upper case."""
    return _ESCAPE.sub(lambda run: quote(unquote_to_bytes(run[0]), safe="-._~"), part)


@cache
def _tracking_parameters() -> tuple[set[str], tuple[str, ...], set[tuple[str, str]]]:
    """Names that only track, prefixes of such, and names that do with one value."""
    names: set[str] = set()
    prefixes: list[str] = []
    pairs: set[tuple[str, str]] = set()
    for row in data_files.read_csv("storage", "data/tracking.csv"):
        if row["name"].endswith("*"):
            prefixes.append(row["name"].removesuffix("*"))
        elif row["value"]:
            pairs.add((row["name"], row["value"]))
        else:
            names.add(row["name"])
    return names, tuple(prefixes), pairs


def _is_tracking(parameter: str) -> bool:
    names, prefixes, pairs = _tracking_parameters()
    name, _, value = parameter.lower().partition("=")
    return name in names or name.startswith(prefixes) or (name, value) in pairs


# google.com/amp/s/publisher/path and
# publisher-com.cdn.ampproject.org/c/s/publisher/path
_AMP_CACHE = re.compile(
    r"(?:(?:www\.)?google\.[a-z.]+/amp|[a-z0-9-]+\.cdn\.ampproject\.org/[a-z])"
    r"(?:/s)?/([^/]+\.[^/]+/.*)"
)
_TWIN_PARAMETER = re.compile(
    r"amp(?:=(?:1|true|yes)?)?|outputtype=amp|(?:m|mobile)(?:=(?:1|true|yes)?)?",
    re.IGNORECASE,
)
_TWIN_HOST = re.compile(r"(?:amp|m|mobile)\.(?=[^.]+\.)")
_INDEX = re.compile(r"/(?:index|default)\.html?\Z", re.IGNORECASE)
_AMP_NAME = re.compile(r"\.amp(?=\.html?\Z|\Z)", re.IGNORECASE)


def _untwinned_host(netloc: str, path: str) -> str:
    """The host that a mobile or AMP host stands for.

    Only for pages below its home page, and never a registrable domain's own label.
    """
    bare = netloc.removeprefix("www.")
    twin = _TWIN_HOST.match(bare)
    name = bare.partition(":")[0]
    if twin is None or path == "/" or _registrable_of_host(name) == name:
        return bare
    return bare[twin.end() :].removeprefix("www.")


def _untwinned_path(path: str) -> str:
    pieces = [p for p in _AMP_NAME.sub("", path).split("/") if p]
    articles = [p for p in pieces if p.lower() != "amp"]
    kept = "/".join(articles or pieces)
    return _INDEX.sub("/", f"/{kept}")


@cache
def _suffixes() -> "TLDExtract":
    # Here, since it costs 24 ms that a reader of the file need not pay.
    import tldextract  # noqa: PLC0415

    # The packaged list only: the default asks the network and writes below the home
    # folder.
    return tldextract.TLDExtract(
        suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True
    )


@lru_cache(maxsize=10_000)
def _registrable_of_host(name: str) -> str:
    return _suffixes()(name).top_domain_under_public_suffix or name


_SCRIPT = re.compile(r"\.(?:php|aspx?|jsp|cfm|cgi|pl)\Z", re.IGNORECASE)
_LANGUAGE_HOME = re.compile(
    r"/?(?:[a-z]{2,3}(?:[-_](?:[a-z]{2}|hans|hant|latn|cyrl|arab))?|home|index|default)?"
    r"(?:\.[a-z]{2,5})?/?",
    re.IGNORECASE,
)
# One part below the article's own address: "/news" is not the address of "/news/1201",
# which is no page number either.
_PART_OF_PAGE = re.compile(
    r"/*(?:(?:amp|print|mobile|full|all|single|page|index\.html?)/+)*"
    r"(?:amp|print|mobile|full|all|single|page|\d{1,2}|index\.html?)?/*",
    re.IGNORECASE,
)
# What a template prints where it has no address.
_NO_ADDRESS = re.compile(
    r"undefined|null|none|nan|false|true|#|index\.php|permalink|canonical|url|"
    r"[{<$\[].*|%7b.*|%5b.*|%3c.*",
    re.IGNORECASE,
)
# A path that begins so, or has this before its last part, is a list of articles.
_LISTS = frozenset(
    [
        "author",
        "authors",
        "autor",
        "auteur",
        "writer",
        "writers",
        "profile",
        "profiles",
        "people",
        "user",
        "users",
        "category",
        "categories",
        "kategorie",
        "categorie",
        "cat",
        "tag",
        "tags",
        "topic",
        "topics",
        "section",
        "sections",
        "search",
        "archive",
        "archives",
        "page",
    ]
)
_PRIVATE_SUFFIXES = (
    ".local",
    ".localhost",
    ".localdomain",
    ".internal",
    ".intranet",
    ".lan",
    ".home",
    ".corp",
    ".invalid",
)
_WORDS_OF_PATH = re.compile(r"[^\W_]+")
# Of an article; fewer digits are a year, a day or a page, and eight may be a date.
_NUMBER = re.compile(r"(?<!\d)(?!(?:19|20)\d{6}(?!\d))\d{5,}(?!\d)")
_MIN_SLUG_WORDS = 2
_MIN_SLUG_SHARE = 0.5  # of the words of a slug that stand in the headline


def _declared_target(own: str, declared: str | None) -> str | None:
    """The declared address as an absolute canonical URL, None where it is none."""
    if not declared or not _trim(declared) or len(declared) > MAX_URL_CHARS:
        return None
    try:
        joined = urljoin(own, _trim(declared))
    except ValueError:
        return None
    return canonical_url(joined) if _split(joined) else None


def _is_misdeclared(own: str, target: str) -> bool:
    """Whether a declared URL is a template's mistake.

    It names a home page, a section above this page, a script without its number, a
    page that lists, or nothing at all.
    """
    here, there = urlsplit(own), urlsplit(target)
    is_same_page = url_key(own) == url_key(target)
    if _LANGUAGE_HOME.fullmatch(there.path) and not there.query:
        return not is_same_page
    if not is_same_page and _names_no_article(there.path):
        return True
    if there.query or registrable_domain(own) != registrable_domain(target):
        return False
    section = there.path.rstrip("/") + "/"
    if here.path.startswith(section):
        below = here.path.removeprefix(section)
        if not _PART_OF_PAGE.fullmatch(below):
            return True
        # "/kabul-falls/2" is a page of an article, "/news/2" an article of a section.
        if below.strip("/").isdigit() and not _is_specific(_last_part(there.path)):
            return True
    is_same_script = here.path == there.path and (
        bool(_SCRIPT.search(there.path)) or not _is_specific(_last_part(there.path))
    )
    return is_same_script and any(c.isdigit() for c in here.query)


def _names_no_article(path: str) -> bool:
    """Whether a path is that of a list, or what stands where an address was missing."""
    parts = [part.lower() for part in path.split("/") if part]
    if any(_NO_ADDRESS.fullmatch(part) for part in parts):
        return True
    # "/author/nadia", "/en/category/politics", "/tag/kandahar/page/2": a slug under a
    # word for lists. A dated or numbered path below one is an article's.
    in_lists = [n for n, part in enumerate(parts[:-1]) if part in _LISTS]
    if not in_lists:
        return bool(parts) and parts[-1] in _LISTS
    below = parts[in_lists[0] + 1 :]
    return len(below) <= 1 or below[1] == "page"


def _is_private_host(host: str) -> bool:
    """Whether a host is a developer's machine and no publisher's."""
    if host.endswith(_PRIVATE_SUFFIXES) or "." not in host:
        return True
    return host.replace(".", "").isdigit() or host.startswith("[")


def _is_corroborated(
    own: str, target: str, og_url: str | None, title: str | None
) -> bool:
    """Whether more than the declaration says that two addresses are one page's."""
    own_key, target_key = url_key(own), url_key(target)
    here, there = urlsplit(own), urlsplit(target)
    ours, theirs = _last_part(here.path), _last_part(there.path)
    is_one_name = ours == theirs and _is_specific(ours)
    if own_key == target_key or is_one_name:
        return True
    if og_url is not None:
        # Of 1,379 pages of the replayed web that name a canonical, ten name another
        # address than their og:url does: a number without its path, a neighbour's.
        og_key = url_key(og_url)
        if og_key == own_key:
            return False
        if og_key.lower() == target_key.lower():
            return True

    if here.path.rstrip("/") == there.path.rstrip("/") or ours == theirs:
        return True
    # A page of the article, its printed form.
    if here.path.startswith(there.path.rstrip("/") + "/"):
        return True
    numbers = _NUMBER.findall(f"{theirs}?{there.query}")
    if set(numbers) & set(_NUMBER.findall(f"{ours}?{here.query}")):
        return True
    slug = [word for word in _WORDS_OF_PATH.findall(fold(theirs)) if not word.isdigit()]
    if title is None or len(slug) < _MIN_SLUG_WORDS:
        return False
    headline = set(_WORDS_OF_PATH.findall(fold(title)))
    return sum(word in headline for word in slug) >= _MIN_SLUG_SHARE * len(slug)


def _is_specific(last_part: str) -> bool:
    """Whether the last part of a path can only be one article's.

    That are a number of its own, or words of a headline.
    """
    if _NUMBER.search(last_part):
        return True
    return len(_WORDS_OF_PATH.findall(last_part)) >= _MIN_SLUG_WORDS


def _last_part(path: str) -> str:
    """The last part of a path as it is read, without the ending of a file."""
    name = _INDEX.sub("/", path).rstrip("/").rpartition("/")[2]
    readable = unquote_to_bytes(name).decode("utf-8", "replace").lower()
    return re.sub(r"\.(?:s?html?|php|aspx?)\Z", "", readable)
