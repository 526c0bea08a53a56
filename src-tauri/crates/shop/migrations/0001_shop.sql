-- The local shop. Times are ms UTC, money is minor units of the shop's one currency, ids are text.
-- Every change of what a feed or a stream shows takes the next number of `event` in its own transaction.

CREATE TABLE shop (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  name     TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3)
) STRICT;

CREATE TABLE event (
  seq    INTEGER PRIMARY KEY AUTOINCREMENT,
  room   TEXT    NOT NULL,
  kind   TEXT    NOT NULL,
  json   TEXT    NOT NULL,
  public INTEGER NOT NULL CHECK (public IN (0, 1)),
  at_ms  INTEGER NOT NULL
) STRICT;
CREATE INDEX event_age ON event (at_ms);

CREATE TABLE product (
  id     TEXT    PRIMARY KEY,
  number INTEGER NOT NULL UNIQUE CHECK (number BETWEEN 1 AND 9999),
  title  TEXT    NOT NULL,
  seq    INTEGER NOT NULL UNIQUE
) STRICT;

CREATE TABLE sku (
  id        TEXT    PRIMARY KEY,
  product   TEXT    NOT NULL REFERENCES product (id),
  position  INTEGER NOT NULL,
  title     TEXT    NOT NULL,
  price     INTEGER NOT NULL CHECK (price >= 0),
  old_price INTEGER CHECK (old_price >= 0),
  on_hand   INTEGER NOT NULL CHECK (on_hand >= 0),
  reserved  INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  UNIQUE (product, position),
  -- The last fence against overselling: no statement whatsoever can promise what is not there.
  CHECK (reserved <= on_hand)
) STRICT;

CREATE TABLE picture (
  product TEXT PRIMARY KEY REFERENCES product (id),
  mime    TEXT NOT NULL,
  etag    TEXT NOT NULL,
  bytes   BLOB NOT NULL
) STRICT;

CREATE TABLE orders (
  no                INTEGER PRIMARY KEY AUTOINCREMENT,
  id                TEXT    NOT NULL UNIQUE,
  viewer            TEXT    NOT NULL,
  buyer_name        TEXT    NOT NULL,
  buyer_phone       TEXT    NOT NULL,
  buyer_address     TEXT    NOT NULL,
  total             INTEGER NOT NULL CHECK (total >= 0),
  discount          INTEGER NOT NULL CHECK (discount >= 0),
  coupon            TEXT    REFERENCES coupon (id),
  payment           TEXT    NOT NULL CHECK (payment IN ('awaiting', 'paid', 'partly_refunded', 'refunded')),
  fulfilment        TEXT    NOT NULL CHECK (fulfilment IN ('unshipped', 'shipped', 'delivered')),
  after_sale        TEXT    NOT NULL CHECK (after_sale IN ('none', 'requested', 'cancelled', 'closed')),
  cancel_reason     TEXT,
  placed_ms         INTEGER NOT NULL,
  updated_ms        INTEGER NOT NULL,
  reserved_until_ms INTEGER,
  version           INTEGER NOT NULL UNIQUE
) STRICT;
CREATE INDEX order_expiry ON orders (reserved_until_ms) WHERE reserved_until_ms IS NOT NULL;

CREATE TABLE order_line (
  order_id   TEXT    NOT NULL REFERENCES orders (id),
  position   INTEGER NOT NULL,
  product    TEXT    NOT NULL REFERENCES product (id),
  sku        TEXT    NOT NULL REFERENCES sku (id),
  number     INTEGER NOT NULL,
  title      TEXT    NOT NULL,
  sku_title  TEXT    NOT NULL,
  quantity   INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 99),
  unit_price INTEGER NOT NULL CHECK (unit_price >= 0),
  PRIMARY KEY (order_id, position)
) STRICT;

CREATE TABLE payment (
  id       INTEGER PRIMARY KEY,
  order_id TEXT    NOT NULL REFERENCES orders (id),
  provider TEXT    NOT NULL CHECK (provider IN ('dummy', 'manual')),
  outcome  TEXT    NOT NULL CHECK (outcome IN ('ok', 'declined', 'pending')),
  amount   INTEGER NOT NULL CHECK (amount >= 0),
  at_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX payment_order ON payment (order_id);

CREATE TABLE refund (
  id       INTEGER PRIMARY KEY,
  order_id TEXT    NOT NULL REFERENCES orders (id),
  amount   INTEGER NOT NULL CHECK (amount >= 0),
  at_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX refund_order ON refund (order_id);

CREATE TABLE shipment (
  order_id TEXT    PRIMARY KEY REFERENCES orders (id),
  carrier  TEXT    NOT NULL,
  tracking TEXT    NOT NULL,
  at_ms    INTEGER NOT NULL
) STRICT;

CREATE TABLE coupon (
  id           TEXT    PRIMARY KEY,
  discount     INTEGER NOT NULL CHECK (discount > 0),
  threshold    INTEGER NOT NULL CHECK (threshold >= 0),
  quantity     INTEGER NOT NULL CHECK (quantity > 0),
  claimed      INTEGER NOT NULL DEFAULT 0 CHECK (claimed >= 0),
  valid_s      INTEGER NOT NULL,
  ends_ms      INTEGER NOT NULL,
  withdrawn    INTEGER NOT NULL DEFAULT 0 CHECK (withdrawn IN (0, 1)),
  -- 1 once the end of its time has been told on the stream.
  end_told     INTEGER NOT NULL DEFAULT 0 CHECK (end_told IN (0, 1)),
  CHECK (claimed <= quantity)
) STRICT;
CREATE INDEX coupon_end ON coupon (ends_ms) WHERE end_told = 0;

CREATE TABLE coupon_claim (
  coupon   TEXT    NOT NULL REFERENCES coupon (id),
  viewer   TEXT    NOT NULL,
  at_ms    INTEGER NOT NULL,
  -- The order it is used in; given back when that order is cancelled.
  order_id TEXT    REFERENCES orders (id),
  UNIQUE (coupon, viewer)
) STRICT;
CREATE INDEX claim_viewer ON coupon_claim (viewer);
CREATE INDEX claim_order ON coupon_claim (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE cart (
  id         TEXT    PRIMARY KEY,
  touched_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX cart_age ON cart (touched_ms);

CREATE TABLE cart_line (
  cart     TEXT    NOT NULL REFERENCES cart (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  sku      TEXT    NOT NULL REFERENCES sku (id),
  quantity INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 99),
  PRIMARY KEY (cart, position)
) STRICT;

CREATE TABLE room (
  id               TEXT PRIMARY KEY,
  live_state       TEXT NOT NULL CHECK (live_state IN ('idle', 'live', 'ended')),
  started_ms       INTEGER,
  program_epoch_ms INTEGER,
  pin_product      TEXT REFERENCES product (id),
  pin_at_ms        INTEGER,
  pin_program_ms   INTEGER
) STRICT;

-- Answers already given, by idempotency key.
CREATE TABLE idem (
  scope  TEXT    NOT NULL,
  key    TEXT    NOT NULL,
  hash   BLOB    NOT NULL,
  status INTEGER NOT NULL,
  body   TEXT    NOT NULL,
  at_ms  INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX idem_age ON idem (at_ms);
