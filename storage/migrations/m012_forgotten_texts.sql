-- What was erased is known again by its words, at whatever address.

-- Hashes of texts that `forget` erased; no word can be read from them.
CREATE TABLE forgotten_texts (
    text_hash INTEGER PRIMARY KEY,
    at TEXT NOT NULL
) STRICT;
