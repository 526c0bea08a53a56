-- A destination knows its platform, and a key that is good for one show is forgotten after it.
ALTER TABLE destination ADD COLUMN preset TEXT NOT NULL DEFAULT 'custom';
-- 1: forget the key when the show ends.
ALTER TABLE destination ADD COLUMN one_show INTEGER NOT NULL DEFAULT 0;
-- there; used: a show with it has begun and its end has not been seen; gone: forgotten.
ALTER TABLE destination ADD COLUMN key_state TEXT NOT NULL DEFAULT 'there' CHECK (key_state IN ('there', 'used', 'gone'));
