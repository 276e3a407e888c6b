"""What makes two things the same: URLs, words, texts.

Pure. A URL has two forms. `canonical` is stored and can be clicked: nothing is taken from it that a server could need.
`key` is only compared: there AMP and mobile twins, scheme, `www.` and percent-encoding are folded too.
"""

import csv
import hashlib
import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

from storage.folding import fold

if TYPE_CHECKING:
    from tldextract import TLDExtract

_PORTS = {"http": 80, "https": 443}
_BLANKS = re.compile(r"[\x00-\x20\x7f\u00a0\u200b\u200e\u200f\ufeff]+")
_EDGES = re.compile(rf"\A{_BLANKS.pattern}|{_BLANKS.pattern}\Z")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;?]*", re.IGNORECASE)
# Reserved characters and the percent sign stay as they were given; the rest of ASCII and all above it is escaped.
_SAFE = "%/:?#[]@!$&'()*+,;=-._~|"


def canonical(url: str) -> str:
    """The stored form of a URL: it opens the same page, and says nothing about who pointed to it.

    Scheme and host are lower case and ASCII; default port, credentials, fragment, session and tracking parameters
    (data/tracking.csv) are gone; scheme, `www.` and existing escapes stay as given. Idempotent. Anything but a readable
    http(s) URL comes back trimmed.
    """
    trimmed = _trim(url)
    parts = _split(trimmed)
    return trimmed if parts is None else urlunsplit(parts)


def key(url: str) -> str:
    """What the URLs of one page have in common: `canonical` without scheme, `www.`, twins and trailing slash."""
    parts = _split(_trim(url))
    if parts is None:
        return _trim(url)
    inner = _AMP_CACHE.match(f"{parts.netloc}{parts.path}")
    if inner:
        return key(f"http://{inner[1]}?{parts.query}")
    path = _plain_path(_unescape(parts.path))
    query = "&".join(p for p in _unescape(parts.query).split("&") if p and not _TWIN_PARAMETER.fullmatch(p))
    return _plain_host(parts.netloc, path) + path.rstrip("/") + (f"?{query}" if query else "")


def host(url: str) -> str:
    """The host of a URL without `www.`; empty where there is none."""
    parts = _split(_trim(url))
    return "" if parts is None else (parts.hostname or "").removeprefix("www.").rstrip(".")


def site(url: str) -> str:
    """The registrable domain of a URL by the packaged list of public suffixes; the host where there is none."""
    return _registrable(host(url))


def resolve_canonical(page_url: str, declared: str | None) -> tuple[str, str | None]:
    """A page's own canonical URL, and that of another publisher where `link rel=canonical` names one.

    The declared URL is the page's own only within one registrable domain. A home page, a section above the page, or a
    script without the page's number is a template's mistake and says nothing.
    """
    own = canonical(page_url)
    target = _declared(own, declared)
    if target is None or _misdeclared(own, target):
        return own, None
    return (target, None) if site(target) == site(own) else (own, target)


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
    netloc = _ascii_host(name) + (f":{port}" if port and port != _PORTS[parts.scheme] else "")
    path = _escape(_SESSION.sub("", parts.path)) or "/"
    return SplitResult(parts.scheme, netloc, path, _untracked(_escape(parts.query)), "")


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
    """One spelling for each escape: unreserved characters bare, the rest in upper case."""
    return _ESCAPE.sub(lambda run: quote(unquote_to_bytes(run[0]), safe="-._~"), part)


@cache
def _tracking() -> tuple[frozenset[str], tuple[str, ...], frozenset[tuple[str, str]]]:
    """Names that only track, prefixes of such names, and names that do with one value."""
    table = files("storage").joinpath("data/tracking.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    names = frozenset(r["name"] for r in rows if not r["value"] and not r["name"].endswith("*"))
    prefixes = tuple(r["name"][:-1] for r in rows if r["name"].endswith("*"))
    return names, prefixes, frozenset((r["name"], r["value"]) for r in rows if r["value"])


def _untracked(query: str) -> str:
    return "&".join(p for p in query.split("&") if p and not _tracks(p)) if query else ""


def _tracks(parameter: str) -> bool:
    names, prefixes, pairs = _tracking()
    name, _, value = parameter.lower().partition("=")
    return name in names or name.startswith(prefixes) or (name, value) in pairs


# google.com/amp/s/publisher/path and publisher-com.cdn.ampproject.org/c/s/publisher/path
_AMP_CACHE = re.compile(
    r"(?:(?:www\.)?google\.[a-z.]+/amp|[a-z0-9-]+\.cdn\.ampproject\.org/[a-z])(?:/s)?/([^/]+\.[^/]+/.*)"
)
_TWIN_PARAMETER = re.compile(
    r"amp(?:=(?:1|true|yes)?)?|outputtype=amp|(?:m|mobile)(?:=(?:1|true|yes)?)?", re.IGNORECASE
)
_TWIN_HOST = re.compile(r"(?:amp|m|mobile)\.(?=[^.]+\.)")
_INDEX = re.compile(r"/(?:index|default)\.html?\Z", re.IGNORECASE)
_AMP_NAME = re.compile(r"\.amp(?=\.html?\Z|\Z)", re.IGNORECASE)


def _plain_host(netloc: str, path: str) -> str:
    """The host that a mobile or AMP host stands for: only for pages below it, never a registrable domain's own label."""
    bare = netloc.removeprefix("www.")
    twin = _TWIN_HOST.match(bare)
    name = bare.partition(":")[0]
    if twin is None or path == "/" or _registrable(name) == name:
        return bare
    return bare[twin.end() :].removeprefix("www.")


def _plain_path(path: str) -> str:
    pieces = [p for p in _AMP_NAME.sub("", path).split("/") if p]
    articles = [p for p in pieces if p.lower() != "amp"]
    kept = "/".join(articles or pieces)
    return _INDEX.sub("/", f"/{kept}")


@cache
def _suffixes() -> "TLDExtract":
    import tldextract  # noqa: PLC0415  (24 ms that a reader of the file need not pay)

    # The packaged list only: the default asks the network and writes below the home folder.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


@lru_cache(maxsize=10_000)
def _registrable(name: str) -> str:
    return _suffixes()(name).top_domain_under_public_suffix or name


_SCRIPT = re.compile(r"\.(?:php|aspx?|jsp|cfm|cgi|pl)\Z", re.IGNORECASE)
_LANGUAGE_HOME = re.compile(
    r"/?(?:[a-z]{2,3}(?:[-_][a-z]{2,4})?|home|index|default)?(?:\.[a-z]{2,5})?/?", re.IGNORECASE
)
_PART_OF_PAGE = re.compile(r"(?:amp|print|mobile|full|all|single|page|\d{1,2}|index\.html?|/)*/?", re.IGNORECASE)


def _declared(own: str, declared: str | None) -> str | None:
    """The declared address as an absolute canonical URL, None where it is none."""
    if not declared or not _trim(declared):
        return None
    try:
        joined = urljoin(own, _trim(declared))
    except ValueError:
        return None
    return canonical(joined) if _split(joined) else None


def _misdeclared(own: str, target: str) -> bool:
    """Whether a declared URL names a home page, a section above this page, or a script without its number."""
    here, there = urlsplit(own), urlsplit(target)
    if _LANGUAGE_HOME.fullmatch(there.path) and not there.query:
        return key(own) != key(target)
    if there.query or site(own) != site(target):
        return False
    section = there.path.rstrip("/") + "/"
    if here.path.startswith(section) and not _PART_OF_PAGE.fullmatch(here.path[len(section) :]):
        return True
    return bool(_SCRIPT.search(there.path)) and here.path == there.path and any(c.isdigit() for c in here.query)


# A word is a run of letters, digits and marks; scripts that write without spaces count each character.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
_LONGEST_WORD = 40


def words(text: str) -> list[str]:
    """The folded words of a text in their order, each cut at 40 characters."""
    return [word[:_LONGEST_WORD] for word in _WORD.findall(fold(text))]


def text_hash(text: str) -> int:
    """Signed 64-bit hash of a text's words: equal for texts that differ in case, marks, spaces and punctuation only."""
    return hash_words(words(text))


def hash_words(sequence: list[str]) -> int:
    """Signed 64-bit hash of words that are already folded."""
    digest = hashlib.blake2b(" ".join(sequence).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
