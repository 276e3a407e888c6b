"""How far long works have come: a second run goes on where a killed one stopped.

Functions over an open `Database`. A row stands while the work is under way.
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
    return {} if row is None else dict(json.loads(row[0]))


def save_progress(
    db: Database, work: str, key: str, name: str, state: Mapping[str, object]
) -> None:
    """Remember how far a work has come."""
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
