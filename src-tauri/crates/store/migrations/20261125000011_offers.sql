-- Changes of price and pieces during a show. Times are by the platform's clock, as those of orders are.
CREATE TABLE offer_change (
    id TEXT PRIMARY KEY,
    connection TEXT NOT NULL REFERENCES connection (id),
    show TEXT NOT NULL REFERENCES show (id),
    number INTEGER NOT NULL,
    intent TEXT NOT NULL REFERENCES outbox (id),
    sku TEXT NOT NULL,
    currency TEXT NOT NULL,
    price INTEGER,
    price_before INTEGER NOT NULL,
    stock_by INTEGER NOT NULL,
    asked_at_ms INTEGER NOT NULL,
    applied_at_ms INTEGER,
    confirmed_at_ms INTEGER
) STRICT;
CREATE INDEX offer_change_show ON offer_change (show, number);
CREATE INDEX offer_change_sku ON offer_change (connection, sku);

-- Orders placed between asking for a price and knowing that it holds, or at another price than the one that held.
CREATE TABLE affected_order (
    change TEXT NOT NULL REFERENCES offer_change (id),
    connection TEXT NOT NULL,
    order_id TEXT NOT NULL,
    unit_price INTEGER NOT NULL,
    PRIMARY KEY (change, connection, order_id)
) STRICT, WITHOUT ROWID;

ALTER TABLE coupon ADD COLUMN withdraw_intent TEXT REFERENCES outbox (id);
-- What a sentence about the last refusal needs, as JSON.
ALTER TABLE outbox ADD COLUMN last_error_params TEXT;
