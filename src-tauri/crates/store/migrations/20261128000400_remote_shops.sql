-- A shop need not be of this machine: it has an address and a token (sealed), a place in the list, perhaps a name of the seller's own,
-- and it can be removed while what it sold stays. NULL address = found without one, as the shop of this machine.
ALTER TABLE connection ADD COLUMN address TEXT;
ALTER TABLE connection ADD COLUMN sealed BLOB;
ALTER TABLE connection ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE connection ADD COLUMN is_renamed INTEGER NOT NULL DEFAULT 0;
-- What the platform itself calls the shop: the same one at another address is told by it.
ALTER TABLE connection ADD COLUMN identity TEXT;
ALTER TABLE connection ADD COLUMN removed_at_ms INTEGER;
CREATE UNIQUE INDEX connection_identity ON connection (identity) WHERE identity IS NOT NULL;
