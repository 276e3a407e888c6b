"""Every key of `config.toml`, declared once: parser, meaning, when a reload takes it.

Type and default are those of the field with the key's name, in the settings type that
the room declares. `config` checks a file by these rows, `config_reload` follows them,
and the tests hold docs/configuration.md, the shipped `config.toml`, the settings types
and a reloaded service against them. A new key is a field there and a row here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from crawler.sources import CrawlSettings, RecheckSettings
from scheduler.config_values import (
    Parser,
    at_least_parser,
    choices_parser,
    parse_archive_pattern,
    parse_css_selector,
    parse_date_format,
    parse_duration,
    parse_durations,
    parse_flag,
    parse_headers,
    parse_id,
    parse_language,
    parse_listen_address,
    parse_networks,
    parse_nonempty_path,
    parse_optional_address,
    parse_optional_path,
    parse_path,
    parse_proxy,
    parse_regex,
    parse_seconds,
    parse_share,
    parse_size,
    parse_telegram_channel,
    parse_terms,
    parse_text,
    parse_texts,
    parse_variable_name,
    parse_web_address,
    parse_zone,
    size_parser,
    whole_number_parser,
)
from scheduler.settings import ServiceSettings
from storage.settings import StoreSettings


class TakesEffect(StrEnum):
    """When a changed value holds in a running service."""

    AT_ONCE = "at once"  # with the reload (SIGHUP)
    NEXT_START = "next start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of the configuration."""

    parse: Parser
    help: str  # Markdown: what docs/configuration.md says of it
    default: str | None = None  # in words, where the settings type has no value for it
    takes_effect: TakesEffect = TakesEffect.AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One `[section]`: the settings type that its keys are fields of, and the keys."""

    settings: type[Any]
    keys: Mapping[str, Key]


SECTIONS: Mapping[str, Section] = {
    "store": Section(
        settings=StoreSettings,
        keys={
            # The file is locked, and the archive opened, from start to end.
            "path": Key(
                parse=parse_path,
                takes_effect=TakesEffect.NEXT_START,
                help="the SQLite file; relative to the configuration",
            ),
            "captures": Key(
                parse=parse_optional_path,
                takes_effect=TakesEffect.NEXT_START,
                help=(
                    'folder of WARC files with the raw pages; `""` keeps none. '
                    "With `--db FILE` it is `FILE.captures`"
                ),
            ),
            "keep_captures": Key(
                parse=parse_duration,
                help="how long the raw pages of articles are kept",
            ),
            "keep_rejected": Key(
                parse=parse_duration,
                help=(
                    "how long raw pages that were read and not kept as articles stay"
                ),
            ),
            "max_size": Key(
                parse=parse_size,
                help=(
                    "captures and database together; the oldest rejected captures "
                    "go first"
                ),
            ),
        },
    ),
    "crawl": Section(
        settings=CrawlSettings,
        keys={
            "user_agent": Key(
                parse=parse_text,
                help=(
                    "sent with every request, and the name that robots.txt is read for"
                ),
            ),
            "contact": Key(
                parse=parse_text,
                help="address or page for site owners, sent with the user agent",
            ),
            # Scrapy's downloader is made for one number of requests and one proxy.
            "concurrency": Key(
                parse=whole_number_parser(1, 1_000),
                takes_effect=TakesEffect.NEXT_START,
                help="requests in flight, all hosts together (1 to 1,000)",
            ),
            "delay": Key(
                parse=parse_seconds,
                help="between two requests to one host, whatever asks",
            ),
            "timeout": Key(
                parse=at_least_parser("1s", parse_seconds),
                help="for one request from start to end; at least a second",
            ),
            "obey_robots": Key(
                parse=parse_flag,
                help="for everything, feeds included",
            ),
            "max_age": Key(
                parse=parse_duration,
                help="a source's older items are noted, not fetched",
            ),
            "proxy": Key(
                parse=parse_proxy,
                takes_effect=TakesEffect.NEXT_START,
                help=(
                    "an http proxy; all requests, robots.txt included, go through it, "
                    "and names are resolved there"
                ),
            ),
            "verify_tls": Key(
                parse=parse_flag,
                help="whether certificates must be good",
            ),
            "allow_addresses": Key(
                parse=parse_networks,
                help=(
                    "networks that may be fetched although they are not public, "
                    'such as `["127.0.0.0/8"]`'
                ),
            ),
            # To replace the pool would lose the pages that are being read.
            "workers": Key(
                parse=whole_number_parser(0, 256),
                takes_effect=TakesEffect.NEXT_START,
                help="processes that read pages; 0 is one a core",
            ),
            "browser": Key(
                parse=parse_text,
                help=(
                    "program that reads the pages of sources with `javascript`; empty "
                    "takes the Chromium on the path"
                ),
            ),
            "wayback": Key(
                parse=parse_optional_address,
                help=(
                    "web archive whose index (CDX) and raw captures are asked when a "
                    "source is looked back over (`crawl SOURCE --since`); "
                    '`""` asks none'
                ),
            ),
            # 32 bodies of 100 MB in flight are 3.2 GB, more than most machines spare.
            "max_feed_size": Key(
                parse=size_parser("10KB", "100MB"),
                help=(
                    "of a feed, sitemap, section page or channel, unpacked; a longer "
                    "feed is refused, of a longer sitemap the first part is read"
                ),
            ),
            "max_page_size": Key(
                parse=size_parser("10KB", "100MB"),
                help="of any other response, unpacked; a longer page is refused",
            ),
            "max_redirects": Key(
                parse=whole_number_parser(0, 50),
                help="redirects of one request that are followed (0 to 50)",
            ),
            # A sitemap has at most 50,000 entries (sitemaps.org).
            "max_entries": Key(
                parse=whole_number_parser(1, 50_000),
                help=(
                    "entries of one feed, sitemap or section page that are taken, of "
                    "a sitemap the newest (1 to 50,000)"
                ),
            ),
        },
    ),
    "topic": Section(
        settings=CrawlSettings,
        keys={
            "min_relevance": Key(
                parse=parse_share,
                help=(
                    "the score below which a page is not kept, 0 to 1; 0 keeps "
                    "everything. Its fate and reasons stay either way"
                ),
            ),
            "extra_terms": Key(
                parse=parse_terms,
                help=(
                    "words of yours for relevance, each "
                    '`["words", "what they speak for", weight]`, such as '
                    '`["poppy clash", "event", 0.8]`. They speak for `anchor` '
                    "(Afghanistan), `event` or `context` (conflict), `negative` (other "
                    "news) or `elsewhere` (other countries); `event:battles` and the "
                    "like also name one of the six types of event. Weight 0 to 1. "
                    "`khabar reprocess --dry-run` shows what they would let in or out"
                ),
            ),
        },
    ),
    "recheck": Section(
        settings=RecheckSettings,
        keys={
            "enabled": Key(
                parse=parse_flag,
                help="false asks for no kept page again",
            ),
            "budget": Key(
                parse=whole_number_parser(1, 100_000),
                help="requests an hour, all hosts together",
            ),
            "after": Key(
                parse=parse_durations,
                help="how long after a page was first seen; at least a minute each",
            ),
        },
    ),
    "service": Section(
        settings=ServiceSettings,
        keys={
            # The server and the clock of backups are set up once, at the start.
            "metrics": Key(
                parse=parse_listen_address,
                takes_effect=TakesEffect.NEXT_START,
                help=(
                    "address and port of `/metrics` (Prometheus) and `/healthz`, such "
                    'as `"127.0.0.1:9464"`; `""` switches them off'
                ),
            ),
            "backup": Key(
                parse=parse_optional_path,
                takes_effect=TakesEffect.NEXT_START,
                help=(
                    "file that a consistent copy of the database is written to; "
                    "relative to the configuration"
                ),
            ),
            "backup_every": Key(
                parse=at_least_parser("1m", parse_duration),
                takes_effect=TakesEffect.NEXT_START,
                help="how often; at least a minute",
            ),
            "backup_keep": Key(
                parse=whole_number_parser(0, 1_000),
                help="how many former copies stay beside it, as `FILE.1`, `FILE.2`",
            ),
        },
    ),
}

# Exactly one of them is given. It becomes the source's `kind` and `url`.
SOURCE_ADDRESS_KEYS: Mapping[str, Key] = {
    "feed": Key(
        parse=parse_web_address,
        default="one of four",
        help="address of an RSS, Atom or JSON feed",
    ),
    "sitemap": Key(
        parse=parse_web_address,
        default="one of four",
        help="address of a news sitemap, any other sitemap, or an index of them",
    ),
    "section": Key(
        parse=parse_web_address,
        default="one of four",
        help=(
            "address of a page that lists articles; which of its links are articles "
            "is learned from the page"
        ),
    ),
    "telegram": Key(
        parse=parse_telegram_channel,
        default="one of four",
        help="name or address of a public Telegram channel with a preview",
    ),
}
SOURCE_KEYS: Mapping[str, Key] = {
    "id": Key(
        parse=parse_id,
        default="required",
        help=(
            "up to 64 of `a-z`, `0-9`, `_` and `-`; the file keeps what happened to a "
            "source under it"
        ),
    ),
    **SOURCE_ADDRESS_KEYS,
    "name": Key(
        parse=parse_text,
        help="what people call it",
    ),
    # A shorter interval is no politeness; the schedule has a floor of its own.
    "every": Key(
        parse=at_least_parser("1s", parse_duration),
        help="the starting interval; it adapts",
    ),
    "owner": Key(
        parse=parse_text,
        help="publishers of one owner count as one independent voice",
    ),
    "language": Key(
        parse=parse_language,
        default="none",
        help=(
            "BCP 47 tag of its articles where a page does not say: `en`, `fa` (Dari "
            "too), `ps`"
        ),
    ),
    "zone": Key(
        parse=parse_zone,
        default="none",
        help="IANA time zone of dates that name none, such as `Asia/Kabul`",
    ),
    "min_relevance": Key(
        parse=parse_share,
        default="the topic's",
        help="for this source",
    ),
    "max_age": Key(
        parse=parse_duration,
        default="the crawl's",
        help="for this source",
    ),
    "enabled": Key(
        parse=parse_flag,
        help="whether it is visited when no source is named",
    ),
    "obey_robots": Key(
        parse=parse_flag,
        help=(
            "false for a source that invites readers to a feed which its robots.txt "
            "denies; its pages still obey"
        ),
    ),
    "verify_tls": Key(
        parse=parse_flag,
        help="false for a source whose certificate is broken; it is shown as such",
    ),
    "javascript": Key(
        parse=parse_flag,
        help=(
            "true for a section, channel or feed whose pages are made by scripts: a "
            "browser makes each before it is read. Needs the extra "
            "`khabar[javascript]` and a Chromium of the system "
            '([running.md](running.md), "Pages made by scripts")'
        ),
    ),
    "archive": Key(
        parse=parse_archive_pattern,
        default="none",
        help=(
            "address of the pages of its archive, for looking back, with `{year}` and "
            "`{month}` or `{month:02}`, and `{day}` or `{day:02}` where it has a page "
            "a day: "
            '`"https://x.example/archive/{year}/{month:02}/{day:02}"`. Without it the '
            "pattern is learned from its articles' addresses"
        ),
    ),
    "depth": Key(
        parse=whole_number_parser(0, 10),
        help=(
            "of a section: how many levels of the site's own pages below it are "
            "looked over for articles in each visit; 0 looks at the page itself. 1 "
            "finds what its menu's sections list"
        ),
    ),
    "budget": Key(
        parse=whole_number_parser(1, 500),
        help=(
            "of a section with `depth`: how many of those pages in one visit, each as "
            "politely as anything else. Calendars, sessions, sorted and printed twins "
            "are left out; the visit's warnings count what was"
        ),
    ),
    "link_pattern": Key(
        parse=parse_regex,
        default="none",
        help=(
            "regular expression, searched in whole addresses: of a section it alone "
            "decides which links are articles, of a sitemap it narrows them"
        ),
    ),
    "body_selector": Key(
        parse=parse_css_selector,
        default="none",
        help=(
            "CSS selector of the article's body; where it finds text, that is the text"
        ),
    ),
    "date_format": Key(
        parse=parse_date_format,
        default="none",
        help=(
            "strptime format of the page's own date, tried before the common ones; a "
            "time without a zone is in `zone`"
        ),
    ),
    "headers": Key(
        parse=parse_headers,
        default="none",
        help="table of extra request headers, for its documents and its pages",
    ),
}

# What an alert looks for: the fields of `Criteria` that these keys become.
ALERT_CRITERIA_FIELDS: Mapping[str, str] = {
    "words": "words",
    "source": "sources",
    "lang": "languages",
    "place": "places",
    "actor": "actors",
    "event": "events",
    "min_relevance": "min_relevance",
}
ALERT_DELIVERY_KEYS = ("file", "webhook", "command")  # exactly one of them is given
ALERT_KEYS: Mapping[str, Key] = {
    "id": Key(
        parse=parse_id,
        default="required",
        help="as of a source; how far it has come is kept under it (table `alerts`)",
    ),
    "words": Key(
        parse=parse_text,
        help='words, `"phrases"`, `OR`, `NOT`, `prefix*`, `title:word`',
    ),
    "source": Key(
        parse=parse_texts,
        default="all",
        help="id of a source, or a list of them",
    ),
    "lang": Key(
        parse=parse_texts,
        default="all",
        help="language, or a list of them",
    ),
    "place": Key(
        parse=parse_texts,
        default="all",
        help=(
            "name of a place in any spelling, or a list of them; a province has its "
            "districts"
        ),
    ),
    "actor": Key(
        parse=parse_texts,
        default="all",
        help="name of an actor in any spelling, or a list of them",
    ),
    "event": Key(
        parse=parse_texts,
        default="all",
        help="type of event, or a list of them",
    ),
    "min_relevance": Key(
        parse=parse_share,
        default="none",
        help="at least so relevant, 0 to 1",
    ),
    "changes": Key(
        parse=choices_parser(
            "new", "revised", "withdrawn", "promoted", "split", "reclassified"
        ),
        help=(
            "what counts: `new`, `revised`, `withdrawn`, `promoted`, `split`, "
            "`reclassified`"
        ),
    ),
    "file": Key(
        parse=parse_nonempty_path,
        default="one of three",
        help="file to which lines are added; relative to the configuration",
    ),
    "webhook": Key(
        parse=parse_web_address,
        default="one of three",
        help="address to which each object is posted",
    ),
    "secret_env": Key(
        parse=parse_variable_name,
        default="with `webhook`",
        help=(
            "name of the environment variable of the service that holds the secret: "
            "any text, or `whsec_` and base64"
        ),
    ),
    "command": Key(
        parse=parse_texts,
        default="one of three",
        help=(
            "program and arguments, as a list; no shell. The object comes on its "
            "standard input, and exit code 0 means done"
        ),
    ),
    "timeout": Key(
        parse=at_least_parser("1s", parse_seconds),
        help=(
            "for one delivery by webhook or command, after which it is given up or "
            "killed"
        ),
    ),
}
