-- The order of the queue is its own: numbers stay what they were said to be.
ALTER TABLE bag_item ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
UPDATE bag_item SET position = number;

-- A spoken number never changes its product and is never given away, whatever a statement tries.
CREATE TRIGGER bag_item_frozen BEFORE UPDATE OF show, number, connection, product ON bag_item BEGIN
    SELECT raise(ABORT, 'a spoken number keeps its product');
END;
CREATE TRIGGER bag_item_kept BEFORE DELETE ON bag_item BEGIN
    SELECT raise(ABORT, 'a spoken number is never given away');
END;

-- Until when an explanation was surely shown: its end, if this process dies.
ALTER TABLE explain_span ADD COLUMN seen_ms INTEGER;
ALTER TABLE explain_span ADD COLUMN seen_program_ms INTEGER;
