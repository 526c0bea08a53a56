-- What viewers write. The name is masked before it comes here: nobody needs the whole one.
CREATE TABLE comment (
  no      INTEGER PRIMARY KEY AUTOINCREMENT,
  id      TEXT    NOT NULL UNIQUE,
  viewer  TEXT    NOT NULL,
  -- Empty for a guest without a name.
  author  TEXT    NOT NULL,
  text    TEXT    NOT NULL,
  at_ms   INTEGER NOT NULL,
  hidden  INTEGER NOT NULL DEFAULT 0 CHECK (hidden IN (0, 1)),
  -- The event that told it: emptied when it is hidden.
  told    INTEGER NOT NULL,
  -- Number of its last change.
  version INTEGER NOT NULL UNIQUE
) STRICT;
CREATE INDEX comment_viewer ON comment (viewer, at_ms);
CREATE INDEX comment_age ON comment (at_ms);
