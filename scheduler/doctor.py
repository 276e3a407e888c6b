"""What is in the way, and how to mend it.

Installation, configuration, file, disk, clock, network.

Each finding is a value. Every check stands for itself: one that breaks is a finding,
and the others are made.
"""

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    "scrapy", "trafilatura", "lxml.html", "lxml_html_clean", "feedparser", "apscheduler", "sqlite_utils", "pebble",
    "warcio", "ahocorasick", "tldextract", "brotli", "zstandard", "readability",
)  # fmt: skip
OPTIONAL_LIBRARIES = {
    "pyarrow": "export of Parquet: pip install 'khabar[parquet]'",
    "datasette": "`khabar serve`: pip install 'khabar[serve]'",
}
LOW_DISK_BYTES = 1 << 30  # bytes free that are worth a word
# This program is not older
EARLIEST_CLOCK = datetime.fromisoformat("2026-11-01T00:00:00+00:00")
CONNECT_TIMEOUT_SECONDS = 5.0  # seconds for one look at the network


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found. `mend` says what to do; empty where all is well."""

    check: str  # installation, scripts, configuration, database, disk, clock, network
    good: bool
    says: str
    mend: str = ""
    advice: bool = False  # worth doing, and nothing is broken without it


Check = Callable[["Config"], Iterator[Finding]]


def run_checks(config: "Config") -> Iterator[Finding]:
    """Every finding, as it comes."""
    for name, check in CHECKS.items():
        try:
            yield from check(config)
        except Exception as fault:  # noqa: BLE001 - a check that breaks is a finding, and the others go on
            yield Finding(
                check=name,
                good=False,
                says=f"could not be checked ({type(fault).__name__}: {fault})",
                mend="run with -v, and report it",
            )


def check_installation(config: "Config") -> Iterator[Finding]:
    """Whether everything can be imported, and what else could be had."""
    del config
    missing = [name for name in REQUIRED_LIBRARIES if not _can_import(name)]
    if missing:
        again = "install khabar again: pip install --force-reinstall khabar"
        yield Finding(
            check="installation",
            good=False,
            says=f"cannot be imported: {', '.join(missing)}",
            mend=again,
        )
    else:
        yield Finding(
            check="installation",
            good=True,
            says=f"all {len(REQUIRED_LIBRARIES)} libraries are there",
        )
    for name, what in OPTIONAL_LIBRARIES.items():
        if not _can_import(name):
            yield Finding(
                check="installation",
                good=True,
                advice=True,
                says=f"{name} is not installed",
                mend=f"only for {what}",
            )


def _can_import(name: str) -> bool:
    try:
        import_module(name)
    except Exception:  # noqa: BLE001 - a library may fail in any way while it is imported; it is then not to be had
        return False
    return True


def check_scripts(config: "Config") -> Iterator[Finding]:
    """Whether the sources whose pages are made by scripts can be read."""
    from crawler.fetching import browser

    needing = [source.id for source in config.enabled_sources if source.javascript]
    if not needing:
        return
    lacking = browser.missing_requirement(config.crawl.browser)
    if lacking is not None:
        yield Finding(
            check="scripts", good=False, says=f"{', '.join(needing)} cannot be read: {lacking.partition(':')[0]}",
            mend=lacking.partition(": ")[2],
        )  # fmt: skip
        return
    yield Finding(
        check="scripts",
        good=True,
        says=f"{browser.find_browser(config.crawl.browser)} reads {', '.join(needing)}",
    )
    if not browser.is_sandboxed():
        yield Finding(
            check="scripts", good=True, advice=True, says="the browser's sandbox is off, since this is root",
            mend="run khabar as a user of its own",
        )  # fmt: skip


def check_configuration(config: "Config") -> Iterator[Finding]:
    """What is allowed, and yet not wise. Faults are told before a command begins."""
    yield Finding(
        check="configuration",
        good=True,
        says=f"{config.path}: {len(config.enabled_sources)} sources switched on",
    )
    if not config.enabled_sources:
        yield Finding(
            check="configuration",
            good=False,
            says="no source is switched on",
            mend="set `enabled = true` for some of [[sources]]",
        )
    if not config.crawl.contact:
        yield Finding(
            check="configuration", good=True, advice=True, says="site owners cannot reach you",
            mend='set crawl.contact to a page or an address, such as "https://you.example/crawler"',
        )  # fmt: skip
    loose = [
        source.id
        for source in config.sources
        if source.enabled and not source.verify_tls
    ]
    if loose or not config.crawl.verify_tls:
        yield Finding(
            check="configuration", good=True, advice=True,
            says=f"certificates are not verified: {', '.join(loose) or 'anywhere'}",
            mend="remove `verify_tls = false` as soon as the site's certificate is in order",
        )  # fmt: skip


def check_database(config: "Config") -> Iterator[Finding]:
    """Whether the file is sound, the full text agrees with the table, and who may read it."""
    path = config.store.path
    try:
        with Store.read(path, captures=config.store.captures) as store:
            began = time.monotonic()
            faults = store.check()
            took = time.monotonic() - began
    except StoreMissing:
        yield Finding(
            check="database",
            good=True,
            advice=True,
            says=f"there is none yet at {path}",
            mend="it comes with the first `khabar crawl`",
        )
        return
    except KhabarError as fault:
        yield Finding(
            check="database",
            good=False,
            says=str(fault),
            mend=_database_remedy(fault, config),
        )
        return
    for wrong in faults[:20]:
        yield Finding(
            check="database", good=False, says=wrong, mend=_restore_remedy(config)
        )
    if not faults:
        yield Finding(
            check="database",
            good=True,
            says=f"{path}: sound, and the full text agrees with it ({took:.1f} s)",
        )
    pid = holder_pid(path)
    if pid is not None:
        yield Finding(
            check="database",
            good=True,
            says=f"process {pid or 'unknown'} writes to it now",
        )


def _database_remedy(fault: KhabarError, config: "Config") -> str:
    if isinstance(fault, StoreTooNew):
        return "install the newer khabar again; this one leaves the file as it is"
    if isinstance(fault, StoreUnusable) or not isinstance(fault, StoreError):
        return _restore_remedy(config)
    return "the next `khabar run` or `khabar crawl` brings it up to date"


def _restore_remedy(config: "Config") -> str:
    kept = config.service.backup
    where = (
        f"the backup {kept}"
        if kept and kept.exists()
        else "a backup, if you have one (set service.backup to have one)"
    )
    return f"stop the service, move {config.store.path} aside with its -wal and -shm, and put {where} in its place"


def check_disk(config: "Config") -> Iterator[Finding]:
    """Whether there is room and leave to write."""
    folder = config.store.path.absolute().parent
    if not folder.is_dir():
        yield Finding(
            check="disk",
            good=False,
            says=f"{folder} is no folder",
            mend=f"make it: mkdir -p {folder}",
        )
        return
    free = shutil.disk_usage(folder).free
    says = f"{free / 1e9:.1f} GB free at {folder}"
    if free < LOW_DISK_BYTES:
        yield Finding(
            check="disk",
            good=False,
            says=says,
            mend="free some space, or lower store.max_size and keep_captures",
        )
    else:
        yield Finding(check="disk", good=True, says=says)
    for place in {folder, config.store.captures or folder}:
        if place.is_dir() and not _may_write(place):
            yield Finding(
                check="disk",
                good=False,
                says=f"{place} cannot be written to",
                mend="check its owner and mode, and whether its disk is mounted read-only",
            )


def _may_write(folder: Path) -> bool:
    probe = folder / ".khabar-doctor"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def check_clock(config: "Config") -> Iterator[Finding]:
    """Whether time is plausible, and has not gone backwards since the service last wrote."""
    now = utc_now()
    if now < EARLIEST_CLOCK:
        yield Finding(
            check="clock",
            good=False,
            says=f"it says {now:%Y-%m-%d %H:%M} UTC, before this program was made",
            mend="set the clock: timedatectl set-ntp true",
        )
        return
    try:
        with Store.read(config.store.path) as store:
            alive = store.service.alive_at()
    except KhabarError:
        alive = None
    if alive is not None and alive > now + timedelta(minutes=5):
        yield Finding(
            check="clock", good=False,
            says=f"the service last wrote at {alive:%Y-%m-%d %H:%M} UTC, which is still to come",
            mend="set the clock: timedatectl set-ntp true; sources that lie too far ahead are looked at by themselves",
        )  # fmt: skip
    else:
        yield Finding(check="clock", good=True, says=f"{now:%Y-%m-%d %H:%M} UTC")


def check_network(config: "Config") -> Iterator[Finding]:
    """Whether the proxy answers, or names are resolved and one of the sources takes a connection."""
    from crawler.fetching.guard import parse_proxy

    proxy = parse_proxy(config.crawl.proxy)
    if proxy is not None:
        fault = _connection_fault(proxy.host, proxy.port)
        mend = "start the proxy, or empty crawl.proxy"
        yield _connection_finding(
            "network", f"the proxy {proxy.host}:{proxy.port}", fault, mend
        )
        return
    targets = [_host_and_port(source.url) for source in config.enabled_sources[:3]]
    faults = [_connection_fault(host, port) for host, port in targets]
    if targets and all(faults):
        mend = "check the network and its name servers (resolvectl status), or set crawl.proxy"
        yield Finding(
            check="network",
            good=False,
            says=f"no source can be reached: {targets[0][0]}: {faults[0]}",
            mend=mend,
        )
    elif targets:
        good = next(
            host for (host, _), fault in zip(targets, faults, strict=True) if not fault
        )
        yield Finding(check="network", good=True, says=f"{good} takes connections")


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _connection_fault(host: str, port: int) -> str:
    """Why no connection can be made; empty where one can."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_SECONDS).close()
    except OSError as fault:
        return fault.strerror or str(fault)
    return ""


def _connection_finding(check: str, what: str, fault: str, mend: str) -> Finding:
    if fault:
        return Finding(
            check=check,
            good=False,
            says=f"{what} cannot be reached: {fault}",
            mend=mend,
        )
    return Finding(check=check, good=True, says=f"{what} answers")


CHECKS: dict[str, Check] = {
    "installation": check_installation, "scripts": check_scripts, "configuration": check_configuration, "database": check_database,
    "disk": check_disk, "clock": check_clock, "network": check_network,
}  # fmt: skip
