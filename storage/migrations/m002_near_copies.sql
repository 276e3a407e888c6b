-- The newest articles that were kept before become comparable, too.

-- Keys of near copies (storage.tables.copies): sketches of heads only. Of equal texts the head stands first.
CREATE TABLE bands (
    band INTEGER NOT NULL,
    document_id INTEGER NOT NULL,
    PRIMARY KEY (band, document_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX documents_by_origin ON documents (origin_url) WHERE origin_url IS NOT NULL;
DROP INDEX documents_by_text;
CREATE INDEX documents_by_text ON documents (text_hash, is_head DESC);
