"""The rows that a case folder shows of one article, as they stand in the file."""

import json
from collections.abc import Iterable
from typing import Any

from sqlite_utils import Database

from storage.tables import captures

Row = dict[str, Any]


def document_rows(db: Database, article_id: int) -> list[Row]:
    """The texts of an article, its head first; their JSON columns as values."""
    rows = db.execute(
        "SELECT * FROM documents WHERE article_id = ? ORDER BY is_head DESC, id",
        [article_id],
    )
    documents = [dict(row) for row in rows]
    for document in documents:
        for name in ("authors", "reasons", "cuts"):
            document[name] = json.loads(document[name])
    return documents


def rows_of_document(db: Database, document_id: int) -> dict[str, list[Row]]:
    """What hangs on one text: its `mentions`, `claims` and `fates`."""
    statements = {
        "mentions": "SELECT * FROM document_mentions WHERE document_id = ?",
        "claims": (
            "SELECT * FROM document_claims WHERE document_id = ? ORDER BY position"
        ),
        "fates": "SELECT * FROM fates WHERE document_id = ?",
    }
    found: dict[str, list[Row]] = {}
    for name, statement in statements.items():
        rows = db.execute(statement, [document_id])
        found[name] = [dict(row) for row in rows]
    return found


def annotation_rows(db: Database, keys: Iterable[str]) -> list[Row]:
    """What people said of the pages of these keys, in its order."""
    rows = db.execute(
        """
        SELECT at, url, label, value FROM marks
        WHERE key IN (SELECT value FROM json_each(?)) ORDER BY id
        """,
        [json.dumps(list(keys))],
    )
    return [dict(row) for row in rows]


def capture_rows(db: Database, document_ids: Iterable[int]) -> list[Row]:
    """Every raw response of these texts; see `captures.list_captures_of`."""
    ids = captures.list_captures_of(db, document_ids)
    rows = db.execute(
        """
        SELECT * FROM captures WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id
        """,
        [json.dumps(ids)],
    )
    return [dict(row) for row in rows]
