-- An order is sent in parcels, and what its buyer asks for afterwards is a list of its own. The one carrier and number that an
-- order had becomes its first parcel and leaves the order's row.

CREATE TABLE shipment (
    order_key INTEGER NOT NULL REFERENCES orders (key) ON DELETE CASCADE ON UPDATE CASCADE,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    carrier TEXT NOT NULL,
    tracking TEXT NOT NULL,
    shipped_at_ms INTEGER,
    delivered_at_ms INTEGER,
    PRIMARY KEY (order_key, position)
) STRICT, WITHOUT ROWID;

-- What is in a parcel. `line` is order_line.position. None where the platform does not say.
CREATE TABLE shipment_line (
    order_key INTEGER NOT NULL REFERENCES orders (key) ON DELETE CASCADE ON UPDATE CASCADE,
    shipment INTEGER NOT NULL,
    line INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (order_key, shipment, line)
) STRICT, WITHOUT ROWID;

-- The words of buyer and seller are personal: they are in buyer.sealed.
CREATE TABLE after_sale (
    order_key INTEGER NOT NULL REFERENCES orders (key) ON DELETE CASCADE ON UPDATE CASCADE,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    -- order_line.position; NULL = the whole order.
    line INTEGER,
    quantity INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    raw_state TEXT NOT NULL,
    amount INTEGER NOT NULL,
    deadline_ms INTEGER,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (order_key, position)
) STRICT, WITHOUT ROWID;

INSERT INTO shipment (order_key, position, id, carrier, tracking)
SELECT key, 0, '1', carrier, tracking FROM orders WHERE carrier IS NOT NULL AND tracking IS NOT NULL;
-- Where all was sent, all was in it.
INSERT INTO shipment_line (order_key, shipment, line, quantity)
SELECT l.order_key, 0, l.position, l.quantity
FROM shipment AS s JOIN orders AS o ON o.key = s.order_key JOIN order_line AS l ON l.order_key = s.order_key
WHERE o.fulfilment IN ('shipped', 'delivered');

-- Sent in part has a word of its own now, and the text index holds the words.
UPDATE orders SET status = 'partly_shipped', tokens = NULL WHERE status = 'to_ship' AND fulfilment = 'partly_shipped';

ALTER TABLE orders DROP COLUMN carrier;
ALTER TABLE orders DROP COLUMN tracking;
