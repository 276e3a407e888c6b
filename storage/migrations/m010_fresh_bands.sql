-- Keys that are written where they are many to a page; those that stand in `bands` stay there.

-- New keys of near copies, before they move to the others in the order of keys (storage.tables.bands).
CREATE TABLE fresh_bands (
    band INTEGER NOT NULL,
    document_id INTEGER NOT NULL,
    PRIMARY KEY (band, document_id)
) STRICT, WITHOUT ROWID;
