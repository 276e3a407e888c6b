"""What a search finds as JSONL, CSV, Parquet and Atom.

Bytes as they come, one page of the store in memory at a time.

Each takes the pages of `search.lines`.
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
from storage.query import search

Record = Mapping[str, Any]
Pages = Iterable[Sequence[str]]  # JSON forms

# A spreadsheet runs a cell that begins so, also after blanks and in full-width form (＝
# ＋ － ＠).
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_MAX_ATOM_TEXT_CHARS = 2_000_000  # characters of one entry's content


def to_jsonl(pages: Pages) -> Iterator[bytes]:
    """One JSON object a line, UTF-8, fields in the order of `search.FIELDS`.

    A chunk holds a page.
    """
    for page in pages:
        yield "".join(f"{line}\n" for line in page).encode("utf-8", "replace")


def to_csv(pages: Pages) -> Iterator[bytes]:
    """RFC 4180 with a header row, UTF-8; lists as `a; b`.

    An apostrophe before whatever a spreadsheet would run.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_MINIMAL)
    writer.writerow(search.FIELDS)
    yield _drain(buffer)
    for page in pages:
        for line in page:
            record = json.loads(line)
            writer.writerow([_cell(record[field]) for field in search.FIELDS])
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
    text = (
        "; ".join(_value_name(part) for part in value)
        if isinstance(value, list)
        else str(value)
    )
    text = text.replace("\0", "")
    return "'" + text if _FORMULA.match(text) else text


def _value_name(part: object) -> str:
    return str(part["name"]) if isinstance(part, Mapping) else str(part)


def write_parquet(pages: Pages, sink: BinaryIO) -> int:
    """Write a Parquet file, a row group a page, zstd; the number of rows.

    Raises UsageError without pyarrow.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - 170 MB, an extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise UsageError("Parquet needs an extra: install khabar[parquet].") from None
    mention = pa.list_(
        pa.struct([("code", pa.string()), ("name", pa.string()), ("count", pa.int64())])
    )
    kinds = {
        "int": pa.int64(),
        "float": pa.float64(),
        "list": pa.list_(pa.string()),
        "mentions": mention,
        "text": pa.string(),
    }
    form = pa.schema(
        [
            (field, kinds.get(_FIELD_TYPES.get(field, ""), pa.string()))
            for field in search.FIELDS
        ]
    )
    rows = 0
    with pq.ParquetWriter(sink, form, compression="zstd") as writer:
        for page in pages:
            writer.write_table(
                pa.Table.from_pylist([json.loads(line) for line in page], schema=form)
            )
            rows += len(page)
    return rows


_FIELD_TYPES = {
    **dict.fromkeys(
        ("id", "revision", "words", "copies", "document_id", "capture_id"), "int"
    ),
    "relevance": "float",
    **dict.fromkeys(("authors", "tags"), "list"),
    **dict.fromkeys(("places", "actors", "events"), "mentions"),
}


def to_atom(
    pages: Pages, *, title: str, url: str, now: datetime, home: str = ""
) -> Iterator[bytes]:
    """An Atom feed (RFC 4287) of plain text.

    `url` is its address and identity, `home` the search as a page.
    """
    origin = "//".join(urlsplit(url)[:2])
    yield _head(title, url, now, home).encode("utf-8", "replace")
    for page in pages:
        for line in page:
            yield _entry(json.loads(line), origin).encode("utf-8", "replace")
    yield b"</feed>\n"


def _head(title: str, url: str, now: datetime, home: str) -> str:
    page = f"<link href={quoteattr(_clean(home))}/>\n" if home else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<id>{uuid.uuid5(uuid.NAMESPACE_URL, url).urn}</id>\n<title>{_text(title)}</title>\n"
        f'<updated>{to_text(now.astimezone(UTC))}</updated>\n<link rel="self" href={quoteattr(_clean(url))}/>\n{page}'
        "<author><name>khabar</name></author>\n<generator>khabar</generator>\n"
    )


def _entry(record: Record, origin: str) -> str:
    # The URL is no identity: it changes when an earlier original takes the lead.
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{origin}/khabar/{record['id']}").urn
    published = (
        f"<published>{record['published_at']}</published>\n"
        if record["published_at"]
        else ""
    )
    language = (
        f" xml:lang={quoteattr(_clean(record['language']))}"
        if record["language"]
        else ""
    )
    return (
        f"<entry{language}>\n<id>{identity}</id>\n<title>{_text(record['title'] or record['url'])}</title>\n"
        f"<updated>{record['updated_at']}</updated>\n{published}<link href={quoteattr(_clean(record['url']))}/>\n"
        + "".join(
            f"<author><name>{_text(str(author))}</name></author>\n"
            for author in _authors(record)
        )
        + "".join(_category(place["code"], place["name"]) for place in record["places"])
        + f'<content type="text">{_text(record["text"][:_MAX_ATOM_TEXT_CHARS])}</content>\n</entry>\n'
    )


def _authors(record: Record) -> list[str]:
    return record["authors"] or [record["source"]]


def _category(code: str, name: str) -> str:
    return f'<category scheme="urn:khabar:place" term={quoteattr(_clean(code))} label={quoteattr(_clean(name))}/>\n'


def _clean(text: str) -> str:
    return folding.printable(text)


def _text(text: str) -> str:
    return escape(_clean(text))
