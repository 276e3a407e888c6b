"""How far long works have come: the table `progress`.

A second run of an import or of a backfill goes on where a killed one stopped. A row
stands while the work is under way; its state is the work's own JSON object.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlite_utils import Database

from storage.model import to_text, utc_now


def load_progress(db: Database, work: str, key: str) -> dict[str, Any]:
    """What was saved of a work; empty where nothing was."""
    row = db.execute(
        "SELECT state FROM progress WHERE work = ? AND key = ?", [work, key]
    ).fetchone()
    if row is None:
        return {}
    return dict(json.loads(row["state"]))


def save_progress(
    db: Database, work: str, key: str, name: str, state: Mapping[str, object]
) -> None:
    """Remember how far a work has come; `name` tells people which one it is."""
    db.execute(
        """
        INSERT INTO progress (work, key, name, state, at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (work, key) DO UPDATE SET state = excluded.state, at = excluded.at
        """,
        [work, key, name, json.dumps(state), to_text(utc_now())],
    )


def clear_progress(db: Database, work: str, key: str) -> None:
    """Forget a work that is done."""
    db.execute("DELETE FROM progress WHERE work = ? AND key = ?", [work, key])
