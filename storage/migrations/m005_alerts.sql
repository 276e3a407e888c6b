-- Saved searches that tell of what is new.

CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    next_try_at TEXT,
    last_delivered_at TEXT,
    last_error TEXT
) STRICT, WITHOUT ROWID;
