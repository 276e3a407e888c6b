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
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from storage.errors import UsageError, WorkFailed
from storage.folding import printable
from storage.model import SyndicatedReport, to_text
from storage.store import Store

SUMS_FILE = "MANIFEST.sha256"
_README = """\
Case folder of article {id}
{line}

Made by khabar {version} on {at}. It holds what khabar kept of one article: its
text, every copy of it that was seen elsewhere, all former states of these texts,
and the raw responses of the servers, byte for byte as they are in the archive.

To check that nothing was changed since (no khabar needed, no network):

    sha256sum -c {sums}

    manifest.json          what each file is, and what could not be included
    article.json           the article as khabar shows it: fate, reasons of its relevance,
                           mentions, claims (numbers in the text: unverified), copies,
                           carriers, changes, corrections by people
    documents/N.json       one text: the head or a copy, with everything told about it
    documents/N.txt        its present state
    documents/N-rM.txt     its state number M, before a change; N.json says when that was stored
    captures/N.warc.gz     one raw response as a WARC/1.1 record, as it is in the archive
    captures/N.json        its request, time, status and headers
    captures/N.body        its body, content-decoded; its SHA-256 is the digest in N.json

A body that stood in the archive already is not repeated there: the WARC record is
then a `revisit` with the address, time and headers of this capture, and names the
record whose body it repeats; N.body has that body. Times are UTC.

The texts and bodies are those of their publishers, written by strangers. Do not
open a body in a browser that is connected to anything; do not take a text as an
instruction.
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

    Raises WorkFailed where there is none, UsageError for a folder in use or one that
    cannot be written.
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
        written = _fill_folder(store, article.id, part, now=now, version=version)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return replace(written, folder=folder)


@dataclass(slots=True)
class _FolderWriter:
    """Files as they are written, with their sums."""

    path: Path
    entries: list[dict[str, Any]] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)
    size: int = 0  # bytes

    def put(self, name: str, content: bytes, what: str, **more: object) -> None:
        """Write one file and list it: its hash, and `what` it is."""
        file = self.path / name
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.sums.append(f"{digest}  {name}\n")
        self.size += len(content)
        entry = {"path": name, "bytes": len(content), "sha256": digest, "what": what}
        self.entries.append(entry | more)

    def put_json(
        self, name: str, content: Mapping[str, Any], what: str, **more: object
    ) -> None:
        """Write one JSON file; times are ISO 8601 UTC."""
        text = json.dumps(content, ensure_ascii=False, indent=1, default=_json_default)
        self.put(name, printable(text).encode() + b"\n", what, **more)


def _json_default(value: object) -> str:
    if isinstance(value, datetime):
        return to_text(value)
    return str(value)


def _fill_folder(
    store: Store, article_id: int, path: Path, *, now: datetime, version: str
) -> CaseFolder:
    """Write every file, the lists of them last."""
    folder = _FolderWriter(path=path)
    documents = store.evidence.documents(article_id)
    former_states = 0
    for document in documents:
        former_states += _put_document(store, folder, document)

    captures = store.evidence.captures([document["id"] for document in documents])
    missing: list[dict[str, Any]] = []
    for capture in captures:
        why = _put_capture(store, folder, capture)
        if why:
            facts = {name: capture[name] for name in ("id", "url", "fetched_at")}
            missing.append(facts | {"why": why})

    article = _article_json(store, article_id, documents)
    folder.put_json("article.json", article, "the article")
    readme = _README.format(
        id=article_id,
        line="=" * len(f"Case folder of article {article_id}"),
        at=to_text(now),
        version=version,
        sums=SUMS_FILE,
    )
    folder.put("README.txt", readme.encode(), "how to read and check this folder")
    manifest = {
        "article_id": article_id,
        "url": documents[0]["url"],
        "title": documents[0]["title"],
        "made_at": to_text(now),
        "made_by": f"khabar {version}",
        "missing": missing,
        "files": list(folder.entries),
    }
    folder.put_json("manifest.json", manifest, "this list")
    by_name = sorted(folder.sums, key=lambda line: line.partition("  ")[2])
    (path / SUMS_FILE).write_text("".join(by_name), "ascii")
    return CaseFolder(
        folder=path,
        article_id=article_id,
        documents=len(documents),
        revisions=former_states,
        captures=len(captures) - len(missing),
        missing=tuple(
            f"capture {one['id']} of {one['url']}: {one['why']}" for one in missing
        ),
        files=len(folder.entries) + 1,
        size=folder.size,
    )


def _article_json(
    store: Store, article_id: int, documents: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    syndication = store.articles.syndication(article_id)
    names = SyndicatedReport.__slots__
    carriers = [
        {name: getattr(report, name) for name in names}
        for report in syndication.reports
    ]
    return {
        "article": store.articles.record(article_id),
        "explained": store.fates.explain(article_id),
        "carriers": carriers,
        "wire": syndication.wire,
        "publishers": syndication.publishers,
        "marks": store.evidence.annotations([one["key"] for one in documents]),
    }


def _put_document(
    store: Store, folder: _FolderWriter, document: Mapping[str, Any]
) -> int:
    """Write one text with its former states; returns how many these are."""
    number = document["id"]
    revisions = store.articles.revisions(number)
    former = [
        {
            "number": revision.number,
            "seen_at": revision.seen_at,
            "title": revision.title,
            "capture_id": revision.capture_id,
        }
        for revision in revisions
    ]
    kind = f"{document['kind']} copy"
    if document["is_head"]:
        kind = "head of the article"
    content = {**document, **store.evidence.of_document(number), "revisions": former}
    name = f"documents/{number}"
    folder.put_json(f"{name}.json", content, kind, url=document["url"])

    present = f"state {document['revision']}, the present one"
    text = _state_text(document["title"], document["text"])
    folder.put(f"{name}.txt", text, present)
    for revision in revisions:
        folder.put(
            f"{name}-r{revision.number}.txt",
            _state_text(revision.title, revision.text),
            f"state {revision.number}",
            seen_at=to_text(revision.seen_at),
        )
    return len(revisions)


def _state_text(title: str | None, text: str) -> bytes:
    return f"{title or ''}\n\n{text}\n".encode("utf-8", "replace")


def _put_capture(
    store: Store, folder: _FolderWriter, capture: Mapping[str, Any]
) -> str:
    """Write one raw response; returns why it could not be had, "" where it could."""
    number = capture["id"]
    page = store.captures.page(number)
    record = store.captures.warc_record(capture)
    if page is None or record is None:
        if not store.captures.are_kept:
            return "raw pages are not kept here"
        return "gone from the archive, or not what its digest says"
    name = f"captures/{number}"
    folder.put(f"{name}.warc.gz", record, "WARC record as it stands in the archive")
    what = "body of the response, content-decoded"
    folder.put(f"{name}.body", page.body, what, url=capture["url"])
    facts = {
        key: capture[key] for key in ("id", "url", "fetched_at", "status", "digest")
    }
    facts["requested_url"] = page.url
    facts["headers"] = [list(pair) for pair in page.headers]
    facts["archived_in"] = {key: capture[key] for key in ("file", "offset", "length")}
    folder.put_json(f"{name}.json", facts, "the response's circumstances")
    return ""
