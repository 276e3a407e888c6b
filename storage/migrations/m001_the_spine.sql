-- What polling, landing, deduplication, reading and following need.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sources (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    url TEXT NOT NULL,
    owner TEXT NOT NULL DEFAULT '',
    enabled INTEGER NOT NULL DEFAULT 1,
    next_check_at TEXT,
    last_poll_at TEXT,
    last_success_at TEXT,
    last_new_at TEXT,
    newest_at TEXT,
    interval REAL,
    failures REAL NOT NULL DEFAULT 0,
    first_failure_at TEXT,
    last_error TEXT,
    muted INTEGER NOT NULL DEFAULT 0,
    etag TEXT,
    last_modified TEXT,
    validators_since TEXT,
    body_hash TEXT,
    empty_in_a_row INTEGER NOT NULL DEFAULT 0,
    moved_to TEXT,
    moved_since TEXT,
    moved_times INTEGER NOT NULL DEFAULT 0,
    lease_until TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX sources_due ON sources (next_check_at) WHERE enabled;

CREATE TABLE polls (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    status TEXT NOT NULL,
    http_status INTEGER,
    found INTEGER NOT NULL DEFAULT 0,
    known INTEGER NOT NULL DEFAULT 0,
    new INTEGER NOT NULL DEFAULT 0,
    revised INTEGER NOT NULL DEFAULT 0,
    copies INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    too_old INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    warnings TEXT NOT NULL DEFAULT '[]',
    visits INTEGER NOT NULL DEFAULT 1,
    manual INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX polls_of ON polls (source, id);

CREATE TABLE leads (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    asked_url TEXT NOT NULL,
    source TEXT NOT NULL,
    title TEXT,
    published_at TEXT,
    published_raw TEXT,
    authors TEXT NOT NULL DEFAULT '[]',
    language TEXT,
    summary TEXT,
    guid TEXT,
    origin TEXT,
    via TEXT NOT NULL DEFAULT 'feed',
    backfill INTEGER NOT NULL DEFAULT 0,
    found_at TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT NOT NULL,
    last_error TEXT,
    poll_id INTEGER REFERENCES polls (id) ON DELETE SET NULL,
    body TEXT
) STRICT;
CREATE INDEX leads_due ON leads (next_attempt_at, id);
CREATE INDEX leads_of ON leads (source, next_attempt_at);
CREATE INDEX leads_from ON leads (poll_id);

CREATE TABLE aliases (
    key TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    lead_id INTEGER NOT NULL REFERENCES leads (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_of ON aliases (lead_id);

CREATE TABLE entries (
    source TEXT NOT NULL,
    guid TEXT NOT NULL,
    key TEXT NOT NULL,
    title TEXT NOT NULL,
    first_seen_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    PRIMARY KEY (source, guid)
) STRICT, WITHOUT ROWID;

CREATE TABLE host_waits (
    host TEXT PRIMARY KEY,
    until TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    arguments TEXT NOT NULL DEFAULT '{}',
    status TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'running', 'done', 'failed')),
    requested_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    progress TEXT,
    result TEXT
) STRICT;
CREATE INDEX requests_open ON requests (id) WHERE status = 'waiting';

CREATE TABLE blind (
    id INTEGER PRIMARY KEY,
    source TEXT,
    from_at TEXT NOT NULL,
    to_at TEXT,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX blind_open ON blind (source) WHERE to_at IS NULL;

-- Wide columns stand last: SQLite then reads the narrow ones without following overflow pages.
CREATE TABLE captures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('kept', 'rejected')),
    url TEXT NOT NULL,
    fetched_at TEXT NOT NULL,
    status INTEGER NOT NULL,
    digest TEXT NOT NULL,
    file TEXT NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL
) STRICT;
CREATE INDEX captures_by_digest ON captures (digest, kind);
CREATE INDEX captures_by_url ON captures (url);
CREATE INDEX captures_in ON captures (file, offset);

CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    article_id INTEGER NOT NULL,
    is_head INTEGER NOT NULL CHECK (is_head IN (0, 1)),
    kind TEXT CHECK (kind IN ('declared', 'exact', 'near')),
    score REAL,
    sort_key INTEGER NOT NULL UNIQUE,
    key TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    source TEXT NOT NULL,
    host TEXT NOT NULL,
    title TEXT,
    authors TEXT NOT NULL DEFAULT '[]',
    language TEXT,
    published_at TEXT,
    published_how TEXT,
    published_confidence REAL,
    published_raw TEXT,
    modified_at TEXT,
    first_seen_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    checked_at TEXT NOT NULL,
    withdrawn_at TEXT,
    revision INTEGER NOT NULL DEFAULT 1,
    words INTEGER NOT NULL,
    text_hash INTEGER NOT NULL,
    relevance REAL NOT NULL,
    capture_id INTEGER REFERENCES captures (id) ON DELETE SET NULL,
    via TEXT NOT NULL,
    backfill INTEGER NOT NULL DEFAULT 0,
    from_feed INTEGER NOT NULL DEFAULT 0,
    site TEXT,
    section TEXT,
    image TEXT,
    origin_url TEXT,
    credit TEXT,
    extractor TEXT NOT NULL DEFAULT '',
    extracted_how TEXT NOT NULL DEFAULT '',
    reasons TEXT NOT NULL DEFAULT '[]',
    cuts TEXT NOT NULL DEFAULT '[]',
    text TEXT NOT NULL,
    CHECK (is_head = (kind IS NULL))
) STRICT;
CREATE UNIQUE INDEX documents_one_head ON documents (article_id) WHERE is_head;
CREATE INDEX documents_of_article ON documents (article_id, is_head);
CREATE INDEX documents_newest ON documents (sort_key, is_head, source, relevance, article_id);
CREATE INDEX documents_by_text ON documents (text_hash);
CREATE INDEX documents_by_source ON documents (source, first_seen_at);
CREATE INDEX documents_by_capture ON documents (capture_id);

CREATE TABLE revisions (
    document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    seen_at TEXT NOT NULL,
    title TEXT,
    capture_id INTEGER REFERENCES captures (id) ON DELETE SET NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (document_id, number)
) STRICT;
CREATE INDEX revisions_by_capture ON revisions (capture_id);

CREATE TABLE fates (
    key TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    source TEXT NOT NULL,
    fate TEXT NOT NULL CHECK (fate IN
        ('article', 'copy', 'rejected', 'refused', 'too_old', 'failed', 'withdrawn', 'forgotten')),
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    document_id INTEGER REFERENCES documents (id) ON DELETE SET NULL,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX fates_by_kind ON fates (fate, reason);
CREATE INDEX fates_of ON fates (document_id);

CREATE TABLE rejections (
    key TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    source TEXT NOT NULL,
    title TEXT,
    why TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    score REAL,
    reasons TEXT NOT NULL DEFAULT '[]',
    cuts TEXT NOT NULL DEFAULT '[]',
    capture_id INTEGER REFERENCES captures (id) ON DELETE SET NULL,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX rejections_by_time ON rejections (at);
CREATE INDEX rejections_by_capture ON rejections (capture_id);

CREATE TABLE probable_copies (
    article_id INTEGER NOT NULL,
    of_article_id INTEGER NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (article_id, of_article_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX probable_copies_of ON probable_copies (of_article_id);

CREATE TABLE document_mentions (
    document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    sentence TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (document_id, kind, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_mentions_of ON document_mentions (kind, code, document_id);

CREATE TABLE document_claims (
    document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    qualifier TEXT NOT NULL DEFAULT '',
    said_by TEXT NOT NULL DEFAULT '',
    sentence TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (document_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE places (
    code TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    province_code TEXT,
    lat REAL,
    lon REAL
) STRICT, WITHOUT ROWID;

CREATE TABLE spellings (
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    code TEXT NOT NULL,
    spelling TEXT NOT NULL,
    PRIMARY KEY (key, kind, code, spelling)
) STRICT, WITHOUT ROWID;
CREATE INDEX spellings_of ON spellings (kind, code);

CREATE TABLE changes (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    article_id INTEGER NOT NULL,
    what TEXT NOT NULL CHECK (what IN
        ('new', 'revised', 'copied', 'promoted', 'split', 'withdrawn', 'reclassified', 'forgotten')),
    document_id INTEGER,
    detail TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX changes_of ON changes (article_id);

CREATE TABLE host_lines (
    host TEXT NOT NULL,
    line INTEGER NOT NULL,
    first_in INTEGER NOT NULL,
    second_in INTEGER,
    third_in INTEGER,
    spared INTEGER NOT NULL DEFAULT 0,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (host, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX host_furniture ON host_lines (host, line) WHERE third_in IS NOT NULL AND NOT spared;

-- One number space for documents and articles: an article has the number of its first document, a split-off one a new
-- number.
INSERT INTO sqlite_sequence (name, seq) VALUES ('documents', 0);

CREATE VIEW articles AS SELECT
    article_id AS id, url, source, title, authors, language, published_at, published_how, published_confidence,
    first_seen_at, updated_at, withdrawn_at, revision, text, words, relevance, capture_id, id AS document_id,
    (SELECT count(*) FROM documents AS c WHERE c.article_id = documents.article_id AND c.is_head = 0) AS copies,
    site, section, image, origin_url, credit, from_feed, sort_key
FROM documents WHERE is_head = 1;

CREATE VIEW copies AS SELECT
    id, article_id, url, source, title, text, published_at, first_seen_at AS seen_at, kind, score,
    language, words, relevance, withdrawn_at, revision, capture_id, origin_url, credit
FROM documents WHERE is_head = 0;

CREATE VIEW mentions AS SELECT
    d.article_id, m.kind, m.code, m.name, m.count, m.sentence
FROM document_mentions AS m JOIN documents AS d ON d.id = m.document_id WHERE d.is_head = 1;

CREATE VIEW claims AS SELECT
    d.article_id, c.position, c.kind, c.number, c.qualifier, c.said_by, c.sentence
FROM document_claims AS c JOIN documents AS d ON d.id = c.document_id WHERE d.is_head = 1;

CREATE VIEW furniture AS SELECT host, line, seen_at
FROM host_lines WHERE third_in IS NOT NULL AND NOT spared;

-- The index stands over folded text that is stored, not over `documents`: SQLite's own integrity check compares the two,
-- and would call an index of folded words over raw text malformed. `key` is documents.sort_key, so newest first is ORDER
-- BY rowid DESC. `tags` (finding.query.tags) holds source, language and mentions as words, so that filters meet inside
-- the index. Eight segments before a merge, and larger pages: 3,050 articles a second where the defaults make 2,250.
CREATE TABLE folded (
    key INTEGER PRIMARY KEY,
    document_id INTEGER NOT NULL UNIQUE REFERENCES documents (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    tags TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE VIRTUAL TABLE fts USING fts5 (
    title, text, tags, content = 'folded', content_rowid = 'key', tokenize = 'unicode61'
);

INSERT INTO fts (fts, rank) VALUES ('automerge', 8);
INSERT INTO fts (fts, rank) VALUES ('pgsz', 8000);

CREATE TRIGGER folded_in AFTER INSERT ON folded BEGIN
    INSERT INTO fts (rowid, title, text, tags) VALUES (new.key, new.title, new.text, new.tags);
END;
CREATE TRIGGER folded_out AFTER DELETE ON folded BEGIN
    INSERT INTO fts (fts, rowid, title, text, tags) VALUES ('delete', old.key, old.title, old.text, old.tags);
END;
CREATE TRIGGER folded_changed AFTER UPDATE ON folded BEGIN
    INSERT INTO fts (fts, rowid, title, text, tags) VALUES ('delete', old.key, old.title, old.text, old.tags);
    INSERT INTO fts (rowid, title, text, tags) VALUES (new.key, new.title, new.text, new.tags);
END;
