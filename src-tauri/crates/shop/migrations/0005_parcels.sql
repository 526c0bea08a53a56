-- An order is sent in parcels; what its buyer asks for afterwards is a list of its own.

CREATE TABLE parcel (
  id       TEXT    PRIMARY KEY,
  order_id TEXT    NOT NULL REFERENCES orders (id),
  position INTEGER NOT NULL,
  carrier  TEXT    NOT NULL,
  tracking TEXT    NOT NULL,
  at_ms    INTEGER NOT NULL,
  UNIQUE (order_id, position),
  -- One number is one parcel.
  UNIQUE (order_id, carrier, tracking)
) STRICT;

CREATE TABLE parcel_line (
  parcel   TEXT    NOT NULL REFERENCES parcel (id),
  line     INTEGER NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (parcel, line)
) STRICT;

-- Pieces of a line that left the house, and pieces that were sold, refunded before they left, and are for sale again.
ALTER TABLE order_line ADD COLUMN sent INTEGER NOT NULL DEFAULT 0 CHECK (sent >= 0);
ALTER TABLE order_line ADD COLUMN returned INTEGER NOT NULL DEFAULT 0 CHECK (returned >= 0 AND sent + returned <= quantity);

-- Until now an order was sent whole, in one parcel.
INSERT INTO parcel (id, order_id, position, carrier, tracking, at_ms)
SELECT lower(hex(randomblob(16))), order_id, 0, carrier, tracking, at_ms FROM shipment;
INSERT INTO parcel_line (parcel, line, quantity)
SELECT p.id, l.position, l.quantity FROM parcel p JOIN order_line l ON l.order_id = p.order_id;
UPDATE order_line SET sent = quantity WHERE order_id IN (SELECT order_id FROM parcel);
UPDATE order_line SET returned = quantity
WHERE order_id IN (SELECT id FROM orders WHERE payment = 'refunded' AND fulfilment = 'unshipped');
DROP TABLE shipment;

CREATE TABLE after_sale (
  id         TEXT    PRIMARY KEY,
  order_id   TEXT    NOT NULL REFERENCES orders (id),
  -- order_line.position; NULL = the whole order.
  line       INTEGER,
  quantity   INTEGER NOT NULL CHECK (quantity >= 0),
  kind       TEXT    NOT NULL CHECK (kind IN ('refund_only', 'return_refund')),
  state      TEXT    NOT NULL CHECK (state IN ('requested', 'refunded', 'rejected', 'closed')),
  -- What goes back if the seller agrees.
  amount     INTEGER NOT NULL CHECK (amount >= 0),
  reason     TEXT    NOT NULL,
  answer     TEXT,
  asked_ms   INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX after_sale_order ON after_sale (order_id);
-- One at a time.
CREATE UNIQUE INDEX after_sale_open ON after_sale (order_id) WHERE state = 'requested';
