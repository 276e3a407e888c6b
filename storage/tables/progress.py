"""How far long works have come, so that a second run goes on where a killed one stopped.

Functions over an open writer's store. A row stands while the work is under way.
"""

import json
from collections.abc import Mapping
from typing import Any

from storage import connection
from storage.model import to_text, utc_now
from storage.store import Store


def load_progress(store: Store, work: str, key: str) -> dict[str, Any]:
    """What was noted of a work; empty where nothing was."""
    with connection.translate_faults(store.path):
        row = store.db.execute(
            "SELECT state FROM progress WHERE work = ? AND key = ?", [work, key]
        ).fetchone()
    return {} if row is None else dict(json.loads(row[0]))


def save_progress(
    store: Store, work: str, key: str, name: str, state: Mapping[str, object]
) -> None:
    """Remember how far a work has come. Raises StoreError."""
    with connection.translate_faults(store.path), connection.transaction(store.db):
        store.db.execute(
            """
            INSERT INTO progress (work, key, name, state, at) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (work, key) DO UPDATE SET state = excluded.state, at = excluded.at
            """,
            [work, key, name, json.dumps(state), to_text(utc_now())],
        )


def clear_progress(store: Store, work: str, key: str) -> None:
    """Forget a work that is done. Raises StoreError."""
    with connection.translate_faults(store.path), connection.transaction(store.db):
        store.db.execute("DELETE FROM progress WHERE work = ? AND key = ?", [work, key])
