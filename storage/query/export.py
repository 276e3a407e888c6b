"""What a search finds as JSONL, CSV, Parquet and Atom.

Bytes as they come, one page of the store in memory at a time. Each takes the pages of
`search.iterate_json_pages`.
"""

import csv
import io
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from storage import folding
from storage.errors import UsageError
from storage.model import to_text
from storage.query.record import FIELDS

Record = Mapping[str, Any]
Pages = Iterable[Sequence[str]]  # JSON forms

# A spreadsheet runs a cell that begins so, also after blanks and in full-width form
# (＝ ＋ － ＠).
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_MAX_ATOM_TEXT_CHARS = 2_000_000  # of one entry's content

_INTEGER_FIELDS = {
    "id",
    "revision",
    "words",
    "copies",
    "document_id",
    "capture_id",
}
_LIST_FIELDS = {"authors", "tags"}
_MENTION_FIELDS = {"places", "actors", "events"}


def to_jsonl(pages: Pages) -> Iterator[bytes]:
    """One JSON object a line, UTF-8, fields in the order of `record.FIELDS`.

    A chunk holds a page.
    """
    for page in pages:
        yield "".join(f"{line}\n" for line in page).encode("utf-8", "replace")


def to_csv(pages: Pages) -> Iterator[bytes]:
    """RFC 4180 with a header row, UTF-8; lists as `a; b`.

    An apostrophe stands before whatever a spreadsheet would run.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_MINIMAL)
    writer.writerow(FIELDS)
    yield _drain(buffer)
    for page in pages:
        for line in page:
            record = json.loads(line)
            writer.writerow([_cell(record[field]) for field in FIELDS])
        yield _drain(buffer)


def _drain(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8", "replace")


def _cell(value: object) -> object:
    """What stands in a cell; numbers are ours and stay numbers."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    if isinstance(value, list):
        names = [part["name"] if isinstance(part, Mapping) else part for part in value]
        text = "; ".join(map(str, names))
    text = text.replace("\0", "")
    if _FORMULA.match(text):
        text = "'" + text
    return text


def write_parquet(pages: Pages, sink: BinaryIO) -> int:
    """Write a Parquet file, a row group a page, zstd; returns the number of rows.

    Raises UsageError without pyarrow.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - 170 MB, an extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise UsageError("Parquet needs an extra: install khabar[parquet].") from None
    mention = pa.struct(
        [("code", pa.string()), ("name", pa.string()), ("count", pa.int64())]
    )
    types = dict.fromkeys(FIELDS, pa.string())
    types |= dict.fromkeys(_INTEGER_FIELDS, pa.int64())
    types |= dict.fromkeys(_LIST_FIELDS, pa.list_(pa.string()))
    types |= dict.fromkeys(_MENTION_FIELDS, pa.list_(mention))
    types["relevance"] = pa.float64()
    schema = pa.schema([(field, types[field]) for field in FIELDS])
    rows = 0
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for page in pages:
            records = [json.loads(line) for line in page]
            writer.write_table(pa.Table.from_pylist(records, schema=schema))
            rows += len(page)
    return rows


# Atom


def to_atom(
    pages: Pages, *, title: str, url: str, now: datetime, home: str = ""
) -> Iterator[bytes]:
    """An Atom feed (RFC 4287) of plain text.

    `url` is its address and identity, `home` the search as a page.
    """
    head = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        f"<id>{uuid.uuid5(uuid.NAMESPACE_URL, url).urn}</id>",
        f"<title>{_escape(title)}</title>",
        f"<updated>{to_text(now.astimezone(UTC))}</updated>",
        f'<link rel="self" href={_quote(url)}/>',
    ]
    if home:
        head.append(f"<link href={_quote(home)}/>")
    head += ["<author><name>khabar</name></author>", "<generator>khabar</generator>"]
    yield _encode(head)
    origin = "//".join(urlsplit(url)[:2])
    for page in pages:
        for line in page:
            yield _encode(_atom_entry(json.loads(line), origin))
    yield b"</feed>\n"


def _atom_entry(record: Record, origin: str) -> list[str]:
    """The lines of one entry."""
    # The URL is no identity: it changes when an earlier original becomes the head.
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{origin}/khabar/{record['id']}").urn
    language = ""
    if record["language"]:
        language = f" xml:lang={_quote(record['language'])}"
    lines = [
        f"<entry{language}>",
        f"<id>{identity}</id>",
        f"<title>{_escape(record['title'] or record['url'])}</title>",
        f"<updated>{record['updated_at']}</updated>",
    ]
    if record["published_at"]:
        lines.append(f"<published>{record['published_at']}</published>")
    lines.append(f"<link href={_quote(record['url'])}/>")
    lines += [
        f"<author><name>{_escape(str(author))}</name></author>"
        for author in record["authors"] or [record["source"]]
    ]
    for place in record["places"]:
        term, label = _quote(place["code"]), _quote(place["name"])
        lines.append(f'<category scheme="urn:khabar:place" term={term} label={label}/>')
    text = record["text"][:_MAX_ATOM_TEXT_CHARS]
    lines.append(f'<content type="text">{_escape(text)}</content>')
    lines.append("</entry>")
    return lines


# "replace" in all of them: a lone surrogate cannot be encoded, and one bad character of
# a page must not end an export of a million articles.
def _encode(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _escape(text: str) -> str:
    return escape(folding.printable(text))


def _quote(text: str) -> str:
    return quoteattr(folding.printable(text))
