-- Keyed digest of an order as it was last taken: an equal version with another body is told from a repeat. NULL = taken before
-- there were digests; such a row is taken once more when its version is read again.
ALTER TABLE orders ADD COLUMN body INTEGER;
