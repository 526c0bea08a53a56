-- Where another tool read a comment; empty for one that was written on the platform itself.
ALTER TABLE comment ADD COLUMN source TEXT NOT NULL DEFAULT '';
