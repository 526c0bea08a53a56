-- A change of price or pieces that took effect, under the id its client chose: asked for again it is found, not done again.
CREATE TABLE offer_change (
  id           TEXT    PRIMARY KEY,
  product      TEXT    NOT NULL REFERENCES product (id),
  sku          TEXT    NOT NULL REFERENCES sku (id),
  price        INTEGER CHECK (price >= 0),
  old_price    INTEGER CHECK (old_price >= 0),
  stock_by     INTEGER NOT NULL,
  price_before INTEGER NOT NULL,
  at_ms        INTEGER NOT NULL
) STRICT;
