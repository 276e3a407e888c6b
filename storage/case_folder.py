"""A case folder.

Everything that is kept of an article, with hashes that anybody can check without
khabar.

Paths are made of our own numbers; nothing from the web becomes one. The folder appears
whole or not at all.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from storage.errors import UsageError, WorkFailed
from storage.folding import printable
from storage.model import Page, SyndicatedReport, to_text
from storage.store import Store

SUMS_FILE = "MANIFEST.sha256"
_README = """\
Case folder of article {id}
{line}

Made by khabar {version} on {at}. It holds what khabar kept of one article: its text, every copy of it that was seen
elsewhere, all former states of these texts, and the raw responses of the servers, byte for byte as they rest in the
archive.

To check that nothing was changed since (no khabar needed, no network):

    sha256sum -c {sums}

    manifest.json          what each file is, and what could not be included
    article.json           the article as khabar shows it: fate, reasons of its relevance, mentions, claims
                           (numbers in the text: unverified), copies, carriers, changes, corrections by people
    documents/N.json       one text: the head or a copy, with everything told about it
    documents/N.txt        its present state
    documents/N-rM.txt     its state number M, before a change; N.json says when that was stored
    captures/N.warc.gz     one raw response as a WARC/1.1 record, as it rests in the archive
    captures/N.json        its request, time, status and headers
    captures/N.body        its body, content-decoded; its SHA-256 is the digest in N.json

Equal bodies rest once in the archive: the WARC record then names the first address and time at which the body was met,
and N.json the address and time of this capture. Times are UTC.

The texts and bodies are those of their publishers, written by strangers. Do not open a body in a browser that is
connected to anything; do not take a text as an instruction.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFolder:
    """What a case folder holds."""

    folder: Path
    article_id: int
    documents: int
    revisions: int
    captures: int
    missing: tuple[str, ...]  # raw responses that are kept no more, and why
    files: int
    size: int  # bytes


def write_case_folder(
    store: Store, number: int, folder: Path, *, now: datetime, version: str
) -> CaseFolder:
    """Write the case folder of an article.

    Raises WorkFailed where there is none, UsageError for a folder in use.
    """
    article = store.articles.find(number)
    if article is None:
        raise WorkFailed(
            f"there is no article {number}; `khabar search` shows the numbers"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is in use; name a folder that does not exist")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror})") from error
    try:
        case = _fill_folder(
            store, article.id, _FolderWriter(path=part), now=now, version=version
        )
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return CaseFolder(folder=folder, article_id=article.id, **case)


@dataclass(slots=True)
class _FolderWriter:
    """Files as they are written, with their sums."""

    path: Path
    entries: list[dict[str, Any]] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)
    size: int = 0  # bytes

    def put(self, name: str, content: bytes, what: str, **more: object) -> None:
        file = self.path / name
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.sums.append(f"{digest}  {name}\n")
        self.size += len(content)
        self.entries.append(
            {
                "path": name,
                "bytes": len(content),
                "sha256": digest,
                "what": what,
                **more,
            }
        )

    def put_json(
        self, name: str, content: Mapping[str, Any], what: str, **more: object
    ) -> None:
        text = json.dumps(content, ensure_ascii=False, indent=1, default=_json_default)
        self.put(name, printable(text).encode() + b"\n", what, **more)


def _json_default(value: object) -> object:
    return to_text(value) if isinstance(value, datetime) else str(value)


def _fill_folder(
    store: Store, article_id: int, folder: _FolderWriter, *, now: datetime, version: str
) -> dict[str, Any]:
    rows = store.evidence.documents(article_id)
    former = sum(_put_document(store, folder, row) for row in rows)
    captures = store.evidence.captures([row["id"] for row in rows])
    missing = [
        fault
        for capture in captures
        if (fault := _put_capture(store, folder, capture)) is not None
    ]
    folder.put_json(
        "article.json", _article_json(store, article_id, rows), "the article"
    )
    about = {
        "id": article_id,
        "at": to_text(now),
        "version": version,
        "sums": SUMS_FILE,
    }
    line = "=" * len(f"Case folder of article {article_id}")
    folder.put(
        "README.txt",
        _README.format(**about, line=line).encode(),
        "how to read and check this folder",
    )
    manifest = {
        "article_id": article_id, "url": rows[0]["url"], "title": rows[0]["title"], "made_at": to_text(now),
        "made_by": f"khabar {version}", "missing": missing, "files": list(folder.entries),
    }  # fmt: skip
    folder.put_json("manifest.json", manifest, "this list")
    (folder.path / SUMS_FILE).write_text(
        "".join(sorted(folder.sums, key=lambda line: line[64:])), "ascii"
    )
    return {
        "documents": len(rows), "revisions": former, "captures": len(captures) - len(missing),
        "missing": tuple(f"capture {one['id']} of {one['url']}: {one['why']}" for one in missing),
        "files": len(folder.entries) + 1, "size": folder.size,
    }  # fmt: skip


def _article_json(
    store: Store, article_id: int, rows: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    syndication = store.articles.syndication(article_id)
    names = SyndicatedReport.__slots__
    return {
        "article": store.articles.record(article_id),
        "explained": store.fates.explain(article_id),
        "carriers": [
            {name: getattr(one, name) for name in names} for one in syndication.reports
        ],
        "wire": syndication.wire,
        "publishers": syndication.publishers,
        "marks": store.evidence.annotations([row["key"] for row in rows]),
    }


def _put_document(store: Store, folder: _FolderWriter, row: Mapping[str, Any]) -> int:
    """One text with its former states; returns how many these are."""
    number = row["id"]
    former = store.articles.revisions(number)
    told = {
        name: json.loads(value) if name in {"authors", "reasons", "cuts"} else value
        for name, value in row.items()
    }
    folder.put_json(
        f"documents/{number}.json",
        {
            **told,
            **store.evidence.of_document(number),
            "revisions": [
                {
                    "number": one.number,
                    "seen_at": one.seen_at,
                    "title": one.title,
                    "capture_id": one.capture_id,
                }
                for one in former
            ],
        },
        "head of the article" if row["is_head"] else f"{row['kind']} copy",
        url=row["url"],
    )
    folder.put(
        f"documents/{number}.txt",
        _state_text(row["title"], row["text"]),
        f"state {row['revision']}, the present one",
    )
    for one in former:
        name = f"documents/{number}-r{one.number}.txt"
        folder.put(
            name,
            _state_text(one.title, one.text),
            f"state {one.number}",
            seen_at=to_text(one.seen_at),
        )
    return len(former)


def _state_text(title: str | None, text: str) -> bytes:
    return f"{title or ''}\n\n{text}\n".encode("utf-8", "replace")


def _put_capture(
    store: Store, folder: _FolderWriter, capture: Mapping[str, Any]
) -> dict[str, Any] | None:
    """One raw response.

    What could not be had, and why, where it is not kept any more.
    """
    number = capture["id"]
    page = store.captures.page(number)
    member = store.captures.warc_record(capture)
    if page is None or member is None:
        why = "gone from the archive, or not what its digest says"
        if not store.captures.are_kept:
            why = "raw pages are not kept here"
        return {
            "id": number,
            "url": capture["url"],
            "fetched_at": capture["fetched_at"],
            "why": why,
        }
    folder.put(
        f"captures/{number}.warc.gz", member, "WARC record as it rests in the archive"
    )
    folder.put(
        f"captures/{number}.body",
        page.body,
        "body of the response, content-decoded",
        url=capture["url"],
    )
    folder.put_json(
        f"captures/{number}.json",
        _capture_json(capture, page),
        "the response's circumstances",
    )
    return None


def _capture_json(capture: Mapping[str, Any], page: Page) -> dict[str, Any]:
    return {
        **{
            name: capture[name]
            for name in ("id", "url", "fetched_at", "status", "digest")
        },
        "requested_url": page.url,
        "headers": [list(pair) for pair in page.headers],
        "archived_in": {name: capture[name] for name in ("file", "offset", "length")},
    }
