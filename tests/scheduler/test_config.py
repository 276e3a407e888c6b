"""The configuration: what is read, what is refused, and how faults are told."""

import os
import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.sources import CrawlSettings
from scheduler import config
from scheduler.config_keys import ALERT_KEYS, SECTIONS, SOURCE_KEYS
from storage.errors import ConfigError
from storage.settings import StoreSettings

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = st.sampled_from(
    sorted({name for section in SECTIONS.values() for name in section.keys})
    + sorted({*SOURCE_KEYS, *ALERT_KEYS})
)


@pytest.fixture
def write(tmp_path: Path):
    def written(text: str) -> Path:
        file = tmp_path / "config.toml"
        file.write_text(text, "utf-8")
        return file

    return written


def source(**keys: object) -> dict[str, object]:
    return {"id": "outlet", "feed": "https://outlet.example/feed"} | keys


def test_the_shipped_configuration_has_no_fault(root: Path) -> None:
    """A fresh clone starts without editing."""
    assert config.load_config(root / "config.toml").path == root / "config.toml"


def test_the_shipped_values_are_the_defaults(root: Path) -> None:
    """The shipped file says what would hold if it said nothing."""
    shipped = config.load_config(root / "config.toml")
    assert CrawlSettings() == shipped.crawl
    assert (
        StoreSettings(path=root / "khabar.db", captures=root / "captures")
        == shipped.store
    )


def test_the_catalogue_speaks_three_languages_and_starts_with_a_handful(
    root: Path,
) -> None:
    """Forty sources or more, some in each language, and a first run that is polite and short."""
    shipped = config.load_config(root / "config.toml")
    assert len(shipped.sources) >= 40
    assert (
        {"en", "fa", "ps"}
        == {found.language for found in shipped.sources}
        == {s.language for s in shipped.enabled_sources}
    )
    assert 5 <= len(shipped.enabled_sources) <= 10


def test_every_source_of_the_catalogue_names_itself_once(root: Path) -> None:
    """Two entries for one address would be two polls of it."""
    shipped = config.load_config(root / "config.toml")
    assert len({found.url for found in shipped.sources}) == len(shipped.sources)
    assert all(found.name for found in shipped.sources)


def test_no_guessed_source_is_switched_on(root: Path) -> None:
    """What nobody has measured waits until somebody did."""
    text = (root / "config.toml").read_text("utf-8")
    entries = re.split(r"^\[\[sources\]\]", text, flags=re.MULTILINE)[1:]
    guessed = [entry for entry in entries if "guessed" in entry.partition("\n")[0]]
    assert guessed
    assert all("enabled = false" in entry for entry in guessed)


def test_every_fault_is_listed_at_once_with_its_path() -> None:
    """An operator mends the file in one go."""
    tree = {
        "crawl": {"delay": 5, "workers": True, "colour": "red"},
        "topic": {"min_relevance": 1.5},
        "crwl": {},
        "sources": [
            source(),
            source(id="b", every="10x"),
            source(id="B!"),
            {"id": "d"},
            "e",
        ],
    }
    assert config.parse_config(tree)[1] == [
        'crawl.delay: 5 is not a duration such as "15m"',
        "crawl.workers: true is not a whole number from 0 to 256",
        "crawl.colour: is not a known key",
        "topic.min_relevance: 1.5 is not a number from 0 to 1",
        "crwl: is not a known section",
        'sources[1].every: "10x" is not a duration such as "15m"',
        'sources[2].id: "B!" is not an id: up to 64 of a-z, 0-9, _ and -, beginning with a letter or digit',
        "sources[3]: needs exactly one of feed, sitemap, section, telegram; none given",
        'sources[4]: "e" is not a [[sources]] table',
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("feed", "ftp://outlet.example/"), ("feed", "https://user:secret@outlet.example/"), ("feed", "https://"),
        ("feed", "https://outlet.example:99999/"), ("feed", "https://[half/"), ("feed", 3), ("feed", "https://a.example/\n"),
        ("every", "0.5s"), ("every", "-3m"), ("every", "9999999w"), ("every", 900), ("language", "Dari"), ("zone", "Kabul/Asia"),
        ("zone", "../../etc/passwd"), ("min_relevance", "half"), ("min_relevance", -0.1), ("min_relevance", True), ("enabled", "yes"),
        ("link_pattern", "(["), ("body_selector", "div["), ("date_format", "today"), ("headers", {"X-A": "one\r\nX-B: two"}),
        ("headers", ["X-A"]), ("name", "two\nlines"), ("id", "Äpfel"), ("id", "a" * 65), ("evry", "15m"),
    ],
)  # fmt: skip
def test_an_impossible_value_of_a_source_is_refused(key: str, value: object) -> None:
    """Nothing starts with a value that cannot work."""
    found = config.parse_config({"sources": [source(**{key: value})]})[1]
    assert [fault for fault in found if fault.startswith(f"sources[0].{key}: ")]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("store", "max_size", "50"), ("store", "max_size", "lots"), ("store", "path", 7), ("store", "keep_captures", "forever"),
        ("crawl", "concurrency", 0), ("crawl", "timeout", "0s"), ("crawl", "proxy", "socks5://127.0.0.1:1"), ("crawl", "proxy", "http://"),
        ("crawl", "allow_addresses", ["127.0.0.1/8"]), ("crawl", "allow_addresses", "127.0.0.0/8"), ("crawl", "allow_addresses", [7]),
        ("crawl", "user_agent", "khabar\r\nX: y"), ("crawl", "obey_robots", 1), ("crawl", "proxy", "http://[half"),
        ("crawl", "max_feed_size", "9KB"), ("crawl", "max_feed_size", 5_000_000), ("crawl", "max_page_size", "1GB"),
        ("crawl", "max_redirects", -1), ("crawl", "max_redirects", 51), ("crawl", "max_entries", 0), ("crawl", "max_entries", "all"),
        ("store", "path", "~nobody-of-that-name/khabar.db"), ("service", "metrics", "127.0.0.1:" + "9" * 5_000),
    ],
)  # fmt: skip
def test_an_impossible_value_of_a_section_is_refused(
    section: str, key: str, value: object
) -> None:
    """Nothing starts with a value that cannot work."""
    found = config.parse_config({section: {key: value}})[1]
    assert len(found) == 1
    assert found[0].startswith(f"{section}.{key}: ")


def test_values_arrive_in_the_types_their_room_declared() -> None:
    """Durations, sizes and networks are read once, here."""
    tree = {
        "store": {"max_size": "1.5GB", "keep_rejected": "2w", "captures": ""},
        "crawl": {
            "delay": "500ms",
            "allow_addresses": ["127.0.0.0/8", "::1"],
            "proxy": "http://127.0.0.1:8899",
            "max_feed_size": "2MB",
            "max_page_size": "20 MB",
            "max_redirects": 3,
            "max_entries": 100,
        },
        "topic": {"min_relevance": 0},
        "sources": [
            source(every="15m", zone="Asia/Kabul", headers={"Accept-Language": "fa"})
        ],
    }
    read, found = config.parse_config(tree)
    assert found == []
    assert (read.store.max_size, read.store.keep_rejected, read.store.captures) == (
        1_500_000_000,
        timedelta(weeks=2),
        None,
    )
    assert (read.crawl.delay, read.crawl.min_relevance) == (0.5, 0.0)
    assert (read.crawl.max_feed_size, read.crawl.max_page_size) == (
        2_000_000,
        20_000_000,
    )
    assert (read.crawl.max_redirects, read.crawl.max_entries) == (3, 100)
    assert read.crawl.allow_addresses == (
        ip_network("127.0.0.0/8"),
        ip_network("::1/128"),
    )
    assert (read.sources[0].kind, read.sources[0].every) == (
        "feed",
        timedelta(minutes=15),
    )


@pytest.mark.parametrize(
    "written",
    ["outlet_channel", "https://t.me/outlet_channel", "https://t.me/s/outlet_channel"],
)
def test_a_telegram_channel_becomes_its_preview_page(written: str) -> None:
    """However the channel is named, one address is asked."""
    read, found = config.parse_config({"sources": [{"id": "t", "telegram": written}]})
    assert found == []
    assert (read.sources[0].kind, read.sources[0].url) == (
        "telegram",
        "https://t.me/s/outlet_channel",
    )


def test_two_addresses_for_one_source_are_a_fault() -> None:
    """A source has exactly one address."""
    found = config.parse_config(
        {"sources": [source(sitemap="https://outlet.example/sitemap.xml")]}
    )[1]
    assert found == [
        "sources[0]: needs exactly one of feed, sitemap, section, telegram; feed and sitemap given"
    ]


def test_one_id_twice_is_a_fault() -> None:
    """The file keeps what happened to a source under its id."""
    assert config.parse_config({"sources": [source(), source()]})[1] == [
        'sources[1].id: "outlet" is also the id of sources[0]'
    ]


def test_a_misspelt_key_is_told_what_was_meant() -> None:
    """The nearest known key is named."""
    assert config.parse_config({"crawl": {"usr_agent": "x"}})[1] == [
        "crawl.usr_agent: is not a known key; did you mean 'user_agent'?"
    ]


@given(TREES)
def test_any_tree_gives_a_configuration_or_faults(tree: object) -> None:
    """Nothing that TOML can say raises."""
    if isinstance(tree, dict):
        config.parse_config(tree)


@given(KEYS, TREES)
def test_any_value_of_any_key_is_read_or_refused(key: str, value: object) -> None:
    """Nothing that TOML can say raises, whichever key says it."""
    tree: dict[str, object] = {name: {key: value} for name in SECTIONS}
    tree["sources"] = [source(**{key: value})]
    tree["alerts"] = [{"id": "one", "file": "one.jsonl"} | {key: value}]
    config.parse_config(tree)


def test_paths_are_relative_to_their_file(tmp_path: Path, write) -> None:
    """The file may be used from any folder."""
    read = config.load_config(write('[store]\npath = "data/news.db"\n'))
    assert (read.store.path, read.store.captures) == (
        tmp_path / "data/news.db",
        tmp_path / "captures",
    )


def test_another_database_keeps_its_raw_pages_beside_it(tmp_path: Path, write) -> None:
    """Two databases never expire each other's captures."""
    read = config.load_config(write(""))
    assert read.with_database(tmp_path / "khabar.db") == read
    assert (
        read.with_database(tmp_path / "x.db").store.captures
        == tmp_path / "x.db.captures"
    )


@pytest.mark.parametrize(
    "content", [b"[crawl\n", b"a = 1\na = 2\n", b"\xff\xfe[\x00", b"x = " + b"[" * 5000]
)
def test_a_file_that_is_no_toml_is_one_clear_line(
    tmp_path: Path, content: bytes
) -> None:
    """The file is named, and what is wrong with it."""
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(
        ConfigError, match=re.escape(f"{file} is not a TOML file: ")
    ) as caught:
        config.load_config(file)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """A wrong --config is told apart from a faulty one."""
    with pytest.raises(ConfigError, match="there is no configuration"):
        config.load_config(tmp_path / "none.toml")


def test_the_nearest_file_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """./config.toml, then $KHABAR_CONFIG, then the user's folder, then the shipped one."""
    monkeypatch.chdir(tmp_path)
    user = tmp_path / "home/.config/khabar/config.toml"
    nothing = {"HOME": str(tmp_path / "home")}
    named = nothing | {"KHABAR_CONFIG": str(tmp_path / "named.toml")}
    assert config.find_config_file(nothing) in (
        config.shipped_config_file(),
        Path("/etc/khabar/config.toml"),
    )
    user.parent.mkdir(parents=True)
    user.touch()
    assert config.find_config_file(nothing) == user
    assert config.find_config_file(named) == tmp_path / "named.toml"
    (tmp_path / "config.toml").touch()
    assert config.find_config_file(named) == Path("config.toml")


def test_the_shipped_file_keeps_its_data_with_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed khabar that runs in any folder writes into the user's data folder, never into its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert config.load_config().store.path in (
        tmp_path / "data/khabar/khabar.db",
        Path("/etc/khabar/khabar.db"),
    )


def test_named_sources_need_not_be_switched_on() -> None:
    """`khabar crawl ID` tries a source before it is enabled.

    An unknown id is an error that says where the ids are.
    """
    read, _ = config.parse_config(
        {"sources": [source(), source(id="off", enabled=False)]}
    )
    assert [found.id for found in read.select_sources(())] == ["outlet"]
    assert [found.id for found in read.select_sources(("off", "off"))] == ["off"]
    with pytest.raises(ConfigError, match="khabar sources list"):
        read.select_sources(("nobody",))


def test_the_environment_has_no_say_in_a_named_file(
    write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What --config names is what is read."""
    monkeypatch.setitem(os.environ, "KHABAR_CONFIG", "/nowhere.toml")
    assert (
        config.load_config(write("[crawl]\nconcurrency = 7\n")).crawl.concurrency == 7
    )
