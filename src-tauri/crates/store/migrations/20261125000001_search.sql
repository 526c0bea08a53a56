-- Orders get a number that sorts them by time (placed_at_ms * 2^20 + n): list order, page position and row id of the text
-- index in one. What is personal moves into a table of its own, so that taking it away is deleting rows.

DROP TRIGGER orders_tally_insert;
DROP TRIGGER orders_tally_update;
DROP TRIGGER orders_tally_delete;
DROP INDEX orders_newest;
DROP INDEX orders_status;
DROP INDEX orders_show;
DROP INDEX orders_id;
ALTER TABLE orders RENAME TO orders_before;
ALTER TABLE order_line RENAME TO order_line_before;

CREATE TABLE orders (
    key INTEGER PRIMARY KEY,
    connection TEXT NOT NULL REFERENCES connection (id),
    id TEXT NOT NULL,
    number TEXT NOT NULL,
    -- Masked; empty once purged.
    buyer TEXT NOT NULL,
    total INTEGER NOT NULL,
    discount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    payment TEXT NOT NULL,
    fulfilment TEXT NOT NULL,
    after_sale TEXT NOT NULL,
    status TEXT NOT NULL,
    placed_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    raw_status TEXT NOT NULL,
    carrier TEXT,
    tracking TEXT,
    show TEXT REFERENCES show (id),
    seen_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    purged_at_ms INTEGER,
    -- Digest of what the text index holds of this row; NULL = not there yet.
    tokens INTEGER,
    UNIQUE (id, connection)
) STRICT;

CREATE TABLE order_line (
    order_key INTEGER NOT NULL REFERENCES orders (key) ON DELETE CASCADE ON UPDATE CASCADE,
    position INTEGER NOT NULL,
    product TEXT NOT NULL,
    sku TEXT NOT NULL,
    title TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    unit_price INTEGER NOT NULL,
    PRIMARY KEY (order_key, position)
) STRICT, WITHOUT ROWID;

-- Full name, phone, address and the platform's JSON, sealed; and keyed digests by which a whole name or phone is found.
CREATE TABLE buyer (
    order_key INTEGER PRIMARY KEY REFERENCES orders (key) ON DELETE CASCADE ON UPDATE CASCADE,
    sealed BLOB NOT NULL,
    name_mark INTEGER,
    phone_mark INTEGER
) STRICT;

INSERT INTO orders (key, connection, id, number, buyer, total, discount, currency, payment, fulfilment, after_sale, status,
    placed_at_ms, version, raw_status, carrier, tracking, show, seen_at_ms, changed_at_ms)
SELECT min(max(placed_at_ms, 0), 4398046511103) * 1048576
        + row_number() OVER (PARTITION BY min(max(placed_at_ms, 0), 4398046511103) ORDER BY connection, id) - 1,
    connection, id, number, buyer, total, discount, currency, payment, fulfilment, after_sale, status,
    placed_at_ms, version, raw_status, carrier, tracking, show, seen_at_ms, changed_at_ms
FROM orders_before;
INSERT INTO order_line (order_key, position, product, sku, title, quantity, unit_price)
SELECT o.key, l.position, l.product, l.sku, l.title, l.quantity, l.unit_price
FROM order_line_before AS l JOIN orders AS o ON o.id = l.order_id AND o.connection = l.connection;
INSERT INTO buyer (order_key, sealed)
SELECT o.key, b.sealed
FROM orders_before AS b JOIN orders AS o ON o.id = b.id AND o.connection = b.connection
WHERE b.sealed IS NOT NULL;

DROP TABLE order_line_before;
DROP TABLE orders_before;

-- Each of these sorts by key within its value.
CREATE INDEX orders_status ON orders (status);
CREATE INDEX orders_show ON orders (show) WHERE show IS NOT NULL;
CREATE INDEX orders_connection ON orders (connection);
CREATE INDEX orders_unindexed ON orders (key) WHERE tokens IS NULL;
-- Orders whose buyer is not needed any more.
CREATE INDEX orders_settled ON orders (changed_at_ms)
    WHERE purged_at_ms IS NULL AND status IN ('shipped', 'delivered', 'refunded', 'cancelled');
CREATE INDEX buyer_name ON buyer (name_mark) WHERE name_mark IS NOT NULL;
CREATE INDEX buyer_phone ON buyer (phone_mark) WHERE phone_mark IS NOT NULL;

-- order_tally stays as it is.
CREATE TRIGGER orders_tally_insert AFTER INSERT ON orders BEGIN
    INSERT INTO order_tally (show, status, currency, orders, amount)
    VALUES (coalesce(new.show, ''), new.status, new.currency, 1, new.total)
    ON CONFLICT DO UPDATE SET orders = orders + 1, amount = amount + excluded.amount;
END;
CREATE TRIGGER orders_tally_update AFTER UPDATE OF show, status, currency, total ON orders BEGIN
    UPDATE order_tally SET orders = orders - 1, amount = amount - old.total
    WHERE show = coalesce(old.show, '') AND status = old.status AND currency = old.currency;
    INSERT INTO order_tally (show, status, currency, orders, amount)
    VALUES (coalesce(new.show, ''), new.status, new.currency, 1, new.total)
    ON CONFLICT DO UPDATE SET orders = orders + 1, amount = amount + excluded.amount;
END;
CREATE TRIGGER orders_tally_delete AFTER DELETE ON orders BEGIN
    UPDATE order_tally SET orders = orders - 1, amount = amount - old.total
    WHERE show = coalesce(old.show, '') AND status = old.status AND currency = old.currency;
END;

-- Text is cut into tokens by the program (src/text.rs): SQLite's own tokenizers find no Chinese word of one or two characters.
-- Row id = orders.key: matches come newest first without being sorted.
CREATE VIRTUAL TABLE order_text USING fts5 (tokens, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');

CREATE TABLE product_doc (
    key INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    product TEXT NOT NULL,
    tokens INTEGER,
    UNIQUE (product, connection),
    FOREIGN KEY (connection, product) REFERENCES product (connection, id) ON DELETE CASCADE
) STRICT;
INSERT INTO product_doc (connection, product) SELECT connection, id FROM product ORDER BY rowid;
CREATE VIRTUAL TABLE product_text USING fts5 (tokens, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
