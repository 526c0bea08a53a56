-- Which life of this shop its numbers belong to: a shop that begins anew has another id, and whoever followed the old one
-- begins its feeds again.

CREATE TABLE feed (id TEXT NOT NULL) STRICT;
INSERT INTO feed (id) VALUES (lower(hex(randomblob(16))));
