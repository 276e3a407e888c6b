"""Under which address a text is kept: the one that its page declares, or its own.

What a page declares for itself is believed only where nothing that is kept speaks
against it: templates write one canonical address into the pages of many reports, which
would make one document with false revisions of them.

Functions over an open `Database`, inside the transaction that the caller opened.
"""

from dataclasses import replace

from sqlite_utils import Database

from storage import identity
from storage.folding import fold
from storage.model import Document, Landing
from storage.tables import copies, documents
from storage.tables.columns import Row, stored_key, stored_url


def settle_address(db: Database, landing: Landing, document: Document) -> Document:
    """The document with the address under which it is to be kept.

    Where another report is kept under the address that the page declares, the page's
    own. Where another page's report came to be kept under this page's address, that one
    moves to its own. Where this page's text is kept under an address that it is not
    believed to have any more, it moves to this one.
    """
    page_url = landing.url
    if landing.page is not None:
        page_url = landing.page.final_url
    page_key = stored_key(page_url)
    holder = _find_holder(db, stored_key(document.url))
    of_page = documents.find_document_of_key(db, stored_key(landing.url))

    if holder is not None and (of_page is None or of_page["id"] != holder["id"]):
        if not is_other_report(holder, document):
            return document
        if stored_key(document.url) != page_key:
            document = replace(document, url=page_url)
            holder = _find_holder(db, page_key)
    if holder is not None and stored_key(document.url) == page_key:
        # A page that is asked for again at its own address is a revision of itself.
        captured_url = _find_captured_url(db, holder)
        is_of_other_page = (
            captured_url is not None
            and stored_key(captured_url) != page_key
            and stored_key(captured_url) != stored_key(landing.url)
        )
        if is_of_other_page and is_other_report(holder, document):
            assert captured_url is not None
            if _find_holder(db, stored_key(captured_url)) is None:
                _move_document(db, holder, captured_url)
        return document
    if holder is None and of_page is not None:
        captured_url = _find_captured_url(db, of_page)
        is_of_this_page = captured_url is not None and (
            stored_key(captured_url) == page_key
        )
        if is_of_this_page and of_page["key"] != page_key:
            _move_document(db, of_page, document.url)
    return document


def is_other_report(kept: Row, document: Document) -> bool:
    """Whether neither the headline nor the text of a kept document is this one's."""
    if fold(kept["title"] or "") == fold(document.title or ""):
        return False
    return not copies.is_same_text(kept["text"], document.text)


def _find_holder(db: Database, key: str) -> Row | None:
    row: Row | None = db.execute(
        "SELECT * FROM documents WHERE key = ?", [key]
    ).fetchone()
    return row


def _find_captured_url(db: Database, row: Row) -> str | None:
    """The address at which the response was had that a text was read from."""
    found = db.execute(
        "SELECT url FROM captures WHERE id = ?", [row["capture_id"]]
    ).fetchone()
    return None if found is None else found["url"]


def _move_document(db: Database, row: Row, url: str) -> None:
    """Give a document another address; what people said of it comes along."""
    key = stored_key(url)
    db.execute(
        "UPDATE documents SET key = ?, url = ?, host = ? WHERE id = ?",
        [key, stored_url(url), identity.url_host(url), row["id"]],
    )
    db.execute("UPDATE marks SET key = ? WHERE key = ?", [key, row["key"]])
    db.execute(
        """
        UPDATE marks SET value = ?
        WHERE value = ? AND label IN ('copy', 'not_a_copy')
        """,
        [key, row["key"]],
    )


def remove_merged_states(db: Database, capture_id: int, document_id: int) -> None:
    """A state of another document that was read from this response was never its own."""
    rows = db.execute(
        """
        DELETE FROM revisions WHERE document_id <> :document AND document_id IN (
            SELECT r.document_id FROM revisions AS r
            WHERE r.capture_id = :capture
        ) AND capture_id IN (
            SELECT id FROM captures
            WHERE url = (SELECT url FROM captures WHERE id = :capture)
        )
        RETURNING document_id
        """,
        {"capture": capture_id, "document": document_id},
    ).fetchall()
    for merged_id in {row[0] for row in rows}:
        db.execute(
            """
            UPDATE documents SET revision = 1 + (
                SELECT coalesce(max(number), 0) FROM revisions WHERE document_id = :id
            )
            WHERE id = :id
            """,
            {"id": merged_id},
        )
