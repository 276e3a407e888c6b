-- Corrections by people.

-- What people said of texts. `document` is the text as it was
-- judged: labelled data must not change with the page, and what was called irrelevant can come back.
CREATE TABLE marks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    key TEXT NOT NULL,
    url TEXT NOT NULL,
    document_id INTEGER,
    label TEXT NOT NULL CHECK (label IN ('relevant', 'irrelevant', 'copy', 'not_a_copy', 'tag')),
    value TEXT NOT NULL DEFAULT '',
    document TEXT NOT NULL DEFAULT '{}',
    UNIQUE (key, label, value)
) STRICT;
CREATE INDEX marks_of ON marks (value) WHERE label IN ('copy', 'not_a_copy');
CREATE INDEX marks_by_number ON marks (document_id);
