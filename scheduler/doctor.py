"""What is in the way, and how to mend it.

Installation, configuration, file, disk, clock, network. Each finding is a value. Every
check stands for itself: one that breaks is a finding, and the others are made.
"""

import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from storage.errors import (
    KhabarError,
    StoreError,
    StoreMissing,
    StoreTooNew,
    StoreUnusable,
)
from storage.model import utc_now
from storage.store import Store, holder_pid

if TYPE_CHECKING:
    from scheduler.config import Config

REQUIRED_LIBRARIES = (
    "scrapy",
    "trafilatura",
    "lxml.html",
    "lxml_html_clean",
    "feedparser",
    "apscheduler",
    "sqlite_utils",
    "pebble",
    "prometheus_client",
    "warcio",
    "ahocorasick",
    "tldextract",
    "brotli",
    "zstandard",
    "readability",
)
OPTIONAL_LIBRARIES = {
    "pyarrow": "export of Parquet: pip install 'khabar[parquet]'",
    "datasette": "`khabar serve`: pip install 'khabar[serve]'",
}
MAX_FILES_SHOWN = 3
REBUILD_INDEX_SQL = "INSERT INTO fts (fts) VALUES ('rebuild')"
# What `Store.check` says of an index that lacks texts.
FULL_TEXT_FAULT = "the full text does not agree"
MAX_FAULTS_SHOWN = 20  # of the file; a damaged one has thousands
LOW_DISK_BYTES = 1 << 30
# This program is not older: a clock that says so was never set.
EARLIEST_CLOCK = datetime.fromisoformat("2026-11-01T00:00:00+00:00")
# By less than this, two clocks and a rounded second may differ.
CLOCK_TOLERANCE = timedelta(minutes=5)
CONNECT_TIMEOUT_SECONDS = 5.0
SOURCES_TRIED = 3  # one of them answers where there is a network at all
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found. `mend` says what to do; empty where all is well."""

    check: str = ""  # a name of `CHECKS`, set by `run_checks`
    good: bool
    says: str
    mend: str = ""
    advice: bool = False  # worth doing, and nothing is broken without it


Check = Callable[["Config"], Iterator[Finding]]


def run_checks(config: "Config") -> Iterator[Finding]:
    """Every finding, as it comes."""
    for name, check in CHECKS.items():
        try:
            for finding in check(config):
                yield replace(finding, check=name)
        except Exception as fault:  # noqa: BLE001 - the boundary of one check: that it broke is a finding
            says = f"could not be checked ({type(fault).__name__}: {fault})"
            mend = "run with -v, and report it"
            yield Finding(check=name, good=False, says=says, mend=mend)


def check_installation(config: "Config") -> Iterator[Finding]:
    """Whether everything can be imported, and what else could be had."""
    del config
    missing = [name for name in REQUIRED_LIBRARIES if not _can_import(name)]
    if missing:
        yield Finding(
            good=False,
            says=f"cannot be imported: {', '.join(missing)}",
            mend="install khabar again: pip install --force-reinstall khabar",
        )
    else:
        says = f"all {len(REQUIRED_LIBRARIES)} libraries are there"
        yield Finding(good=True, says=says)
    for name, purpose in OPTIONAL_LIBRARIES.items():
        if not _can_import(name):
            yield Finding(
                good=True,
                says=f"{name} is not installed",
                mend=f"only for {purpose}",
                advice=True,
            )


def _can_import(name: str) -> bool:
    try:
        import_module(name)
    except Exception:  # noqa: BLE001 - a library may fail in any way while it is imported
        return False
    return True


def check_scripts(config: "Config") -> Iterator[Finding]:
    """Whether the sources whose pages are made by scripts can be read."""
    from crawler.fetching import browser

    ids = [source.id for source in config.enabled_sources if source.javascript]
    if not ids:
        return
    named = ", ".join(ids)
    missing = browser.missing_requirement(config.crawl.browser)
    if missing is not None:
        what, _, mend = missing.partition(": ")
        yield Finding(good=False, says=f"{named} cannot be read: {what}", mend=mend)
        return
    program = browser.find_browser(config.crawl.browser)
    yield Finding(good=True, says=f"{program} reads {named}")
    if not browser.is_sandboxed():
        yield Finding(
            good=True,
            says="the browser's sandbox is off, since this is root",
            mend="run khabar as a user of its own",
            advice=True,
        )


def check_configuration(config: "Config") -> Iterator[Finding]:
    """What is allowed, and yet not wise.

    Faults of the configuration end every command before it begins.
    """
    sources = config.enabled_sources
    yield Finding(good=True, says=f"{config.path}: {len(sources)} sources switched on")
    if not sources:
        yield Finding(
            good=False,
            says="no source is switched on",
            mend="set `enabled = true` for some of [[sources]]",
        )
    if not config.crawl.contact:
        yield Finding(
            good=True,
            says="site owners cannot reach you",
            mend=(
                "set crawl.contact to a page or an address, "
                'such as "https://you.example/crawler"'
            ),
            advice=True,
        )
    unverified = [source.id for source in sources if not source.verify_tls]
    # Whoever sits on the way could put words into the mouth of such a source.
    if unverified or not config.crawl.verify_tls:
        where = ", ".join(unverified) or "anywhere"
        yield Finding(
            good=True,
            says=f"certificates are not verified: {where}",
            mend=(
                "remove `verify_tls = false` "
                "as soon as the site's certificate is in order"
            ),
            advice=True,
        )


def check_database(config: "Config") -> Iterator[Finding]:
    """Whether the file is sound, its full text agrees with it, and who writes to it."""
    path = config.store.path
    try:
        with Store.read(path, captures=config.store.captures) as store:
            began = time.monotonic()
            faults = store.check()
            took = time.monotonic() - began
    except StoreMissing:
        yield Finding(
            good=True,
            says=f"there is none yet at {path}",
            mend="it comes with the first `khabar crawl`",
            advice=True,
        )
        return
    except KhabarError as fault:
        mend = _restore_remedy(config)
        if isinstance(fault, StoreTooNew):
            mend = "install the newer khabar again; this one leaves the file as it is"
        elif isinstance(fault, StoreError) and not isinstance(fault, StoreUnusable):
            mend = "the next `khabar run` or `khabar crawl` brings it up to date"
        yield Finding(good=False, says=str(fault), mend=mend)
        return
    for wrong in faults[:MAX_FAULTS_SHOWN]:
        mend = _restore_remedy(config)
        if wrong.startswith(FULL_TEXT_FAULT):
            # The texts are whole: no reason to move a sound database.
            mend = (
                "the texts are whole; with the service stopped, rebuild their index: "
                f'sqlite3 {path} "{REBUILD_INDEX_SQL}"'
            )
        yield Finding(good=False, says=wrong, mend=mend)
    if not faults:
        says = f"{path}: sound, and the full text agrees with it ({took:.1f} s)"
        yield Finding(good=True, says=says)
    pid = holder_pid(path)
    if pid is not None:
        yield Finding(good=True, says=f"process {pid or 'unknown'} writes to it now")


def _restore_remedy(config: "Config") -> str:
    backup = config.service.backup
    if backup is not None and backup.exists():
        return f"stop the service, and put the backup back: khabar restore {backup}"
    return (
        "stop the service, and put a backup back if you have one: khabar restore FILE "
        "(set service.backup to have one)"
    )


def check_working(config: "Config") -> Iterator[Finding]:
    """What `khabar status` finds wrong, by the same checks.

    What only the sources can mend is advice.
    """
    from scheduler import health

    try:
        with Store.read(config.store.path, captures=config.store.captures) as store:
            status = health.read_status(store, config, utc_now())
    except KhabarError:
        return  # `check_database` says so
    for problem in status.problems:
        says, _, mend = problem.partition("; ")
        is_own = problem in status.own_problems
        mend = mend or "see `khabar status`"
        yield Finding(good=not is_own, says=says, mend=mend, advice=not is_own)
    for what in status.unknown:
        mend = "run khabar doctor as the service's user"
        yield Finding(
            good=True, says=f"it cannot be told {what}", mend=mend, advice=True
        )
    if not status.problems and not status.unknown:
        yield Finding(good=True, says="nothing is wrong with what it does")


def check_captures(config: "Config") -> Iterator[Finding]:
    """Whether every raw page is there, and which files are not this database's."""
    folder = config.store.captures
    if folder is None or not config.store.path.exists():
        return
    try:
        with Store.read(config.store.path, captures=folder) as store:
            state = store.captures.check_archive(every=True)
    except KhabarError as fault:
        yield Finding(
            good=False,
            says=f"the raw pages cannot be read: {fault}",
            mend="run khabar doctor as the service's user",
        )
        return
    if state.unreadable:
        named = ", ".join(state.faulty_files[:MAX_FILES_SHOWN])
        yield Finding(
            good=False,
            says=(
                f"{state.unreadable:,} of {state.captures:,} raw pages cannot be read: "
                f"{named}"
            ),
            mend=f"is the disk of {folder} mounted? else put the copy of it back",
        )
    else:
        yield Finding(good=True, says=f"{state.captures:,} raw pages are there")
    if state.strange_files:
        megabytes = f"{state.strange_bytes / 1e6:,.1f} MB"
        yield Finding(
            good=True,
            says=(
                f"{state.strange_files} WARC files ({megabytes}) in {folder} are not "
                "named by this database, and stay"
            ),
            mend=f"khabar import {folder}/kept/*.warc.gz takes them in",
            advice=True,
        )


def check_disk(config: "Config") -> Iterator[Finding]:
    """Whether there is room and leave to write."""
    from scheduler import health

    folder = config.store.path.absolute().parent
    if not folder.is_dir():
        mend = f"make it: mkdir -p {folder}"
        yield Finding(good=False, says=f"{folder} is no folder", mend=mend)
        return
    full = health.find_full_captures_disk(config)
    if full:
        says, _, mend = full.partition("; ")
        yield Finding(good=False, says=says, mend=mend or "check its owner and mode")
    try:
        tempfile.gettempdir()
    except OSError:
        yield Finding(
            good=False,
            says="there is no folder for temporary files",
            mend="make /tmp, or set TMPDIR to a folder that can be written to",
        )
    free = shutil.disk_usage(folder).free
    says = f"{free / 1e9:.1f} GB free at {folder}"
    if free < LOW_DISK_BYTES:
        mend = "free some space, or lower store.max_size and keep_captures"
        yield Finding(good=False, says=says, mend=mend)
    else:
        yield Finding(good=True, says=says)
    # Raw pages may lie on a disk of their own.
    for place in {folder, config.store.captures or folder}:
        if place.is_dir() and not _may_write(place):
            yield Finding(
                good=False,
                says=f"{place} cannot be written to",
                mend=(
                    "check its owner and mode, and whether its disk is mounted "
                    "read-only"
                ),
            )


def _may_write(folder: Path) -> bool:
    probe = folder / ".khabar-doctor"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def check_workers(config: "Config") -> Iterator[Finding]:
    """Whether the processes that read strangers' bytes can be cut off the network."""
    del config
    from crawler.worker_sandbox import can_leave_network

    if can_leave_network():
        yield Finding(good=True, says="they have no network")
        return
    yield Finding(
        good=True,
        says="the system does not let them be cut off the network",
        mend=(
            "allow user and network name spaces: in the unit "
            "RestrictNamespaces=user net, and "
            "sysctl kernel.unprivileged_userns_clone=1 where that is off"
        ),
        advice=True,
    )


def check_clock(config: "Config") -> Iterator[Finding]:
    """Whether time is plausible, and not behind the last sign of life in the file."""
    now = utc_now()
    mend = "set the clock: timedatectl set-ntp true"
    if now < EARLIEST_CLOCK:
        says = f"it says {now:%Y-%m-%d %H:%M} UTC, before this program was made"
        yield Finding(good=False, says=says, mend=mend)
        return
    alive_at = None
    try:
        with Store.read(config.store.path) as store:
            alive_at = store.service.alive_at()
    except KhabarError:
        pass  # `check_database` says so
    if alive_at is not None and alive_at > now + CLOCK_TOLERANCE:
        at = f"{alive_at:%Y-%m-%d %H:%M} UTC"
        yield Finding(
            good=False,
            says=f"the service last wrote at {at}, which is still to come",
            mend=f"{mend}; what was planned too far ahead moves back by itself",
        )
    else:
        yield Finding(good=True, says=f"{now:%Y-%m-%d %H:%M} UTC")


def check_network(config: "Config") -> Iterator[Finding]:
    """Whether the proxy answers, or else one of the first sources."""
    from crawler.fetching.guard import parse_proxy

    # With a proxy nothing else may be connected to, and names are resolved there.
    proxy = parse_proxy(config.crawl.proxy)
    if proxy is not None:
        name = f"the proxy {proxy.host}:{proxy.port}"
        fault = _find_connection_fault(proxy.host, proxy.port)
        if fault:
            says = f"{name} cannot be reached: {fault}"
            mend = "start the proxy, or empty crawl.proxy"
            yield Finding(good=False, says=says, mend=mend)
        else:
            yield Finding(good=True, says=f"{name} answers")
        return

    faults = []
    for source in config.enabled_sources[:SOURCES_TRIED]:
        parts = urlsplit(source.url)
        host = parts.hostname or ""
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        fault = _find_connection_fault(host, port)
        if not fault:
            yield Finding(good=True, says=f"{host} takes connections")
            return
        faults.append(f"{host}: {fault}")
    if faults:
        yield Finding(
            good=False,
            says=f"no source can be reached: {faults[0]}",
            mend=(
                "check the network and its name servers (resolvectl status), "
                "or set crawl.proxy"
            ),
        )


def _find_connection_fault(host: str, port: int) -> str:
    """Why no connection can be made; empty where one can."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_SECONDS).close()
    except OSError as fault:
        return fault.strerror or str(fault)
    return ""


CHECKS: dict[str, Check] = {
    "installation": check_installation,
    "scripts": check_scripts,
    "configuration": check_configuration,
    "database": check_database,
    "captures": check_captures,
    "working": check_working,
    "disk": check_disk,
    "workers": check_workers,
    "clock": check_clock,
    "network": check_network,
}
