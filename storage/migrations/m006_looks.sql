-- Second looks at what was kept.

-- Pages that will be asked for again, each with its next time and what its server gave to ask conditionally with.
CREATE TABLE looks (
    document_id INTEGER PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    due_at TEXT NOT NULL,
    url TEXT NOT NULL,
    etag TEXT,
    last_modified TEXT
) STRICT;
CREATE INDEX looks_due ON looks (due_at);
