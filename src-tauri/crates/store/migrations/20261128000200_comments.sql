-- What viewers write. `key` is time and a counter in one number, as that of orders: list order, page position, row id of the text index.
CREATE TABLE comment (
    key INTEGER PRIMARY KEY,
    connection TEXT NOT NULL REFERENCES connection (id),
    id TEXT NOT NULL,
    -- Masked; empty for a guest.
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    kind TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    is_hidden INTEGER NOT NULL,
    version INTEGER NOT NULL,
    show TEXT REFERENCES show (id),
    seen_at_ms INTEGER NOT NULL,
    UNIQUE (id, connection)
) STRICT;
-- Sorts by key within its value.
CREATE INDEX comment_show ON comment (show) WHERE show IS NOT NULL;

-- Tokens as order_text has them (src/text.rs).
CREATE VIRTUAL TABLE comment_text USING fts5 (tokens, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');

-- Counted without being read.
CREATE TABLE comment_tally (
    show TEXT PRIMARY KEY,
    comments INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER comment_tally_insert AFTER INSERT ON comment BEGIN
    INSERT INTO comment_tally (show, comments) VALUES (coalesce(new.show, ''), 1)
    ON CONFLICT DO UPDATE SET comments = comments + 1;
END;
CREATE TRIGGER comment_tally_delete AFTER DELETE ON comment BEGIN
    UPDATE comment_tally SET comments = comments - 1 WHERE show = coalesce(old.show, '');
END;

-- How far back comments were taken away: a feed that is read again from its start brings none of them back.
CREATE TABLE comment_purge (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    before_ms INTEGER NOT NULL
) STRICT;
