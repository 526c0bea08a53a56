-- Where another tool read a comment; empty for one that was written on this shop's page.
ALTER TABLE comment ADD COLUMN source TEXT NOT NULL DEFAULT '';
