-- Long works that a second run goes on with.

-- How far imports and backfills have come.
CREATE TABLE progress (
    work TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (work, key)
) STRICT, WITHOUT ROWID;
