-- Times are ms UTC, money is whole minor units, ids are text as their issuer wrote them. Append-only: a released file never changes.

CREATE TABLE connection (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    currency TEXT,
    capabilities TEXT NOT NULL
) STRICT;

CREATE TABLE product (
    connection TEXT NOT NULL REFERENCES connection (id),
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    picture TEXT,
    version INTEGER NOT NULL,
    confirmed_at_ms INTEGER NOT NULL,
    PRIMARY KEY (connection, id)
) STRICT;

CREATE TABLE sku (
    connection TEXT NOT NULL,
    product TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    title TEXT NOT NULL,
    price INTEGER NOT NULL,
    old_price INTEGER,
    currency TEXT NOT NULL,
    stock INTEGER,
    PRIMARY KEY (connection, product, id),
    FOREIGN KEY (connection, product) REFERENCES product (connection, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE show (
    id TEXT PRIMARY KEY,
    title TEXT,
    state TEXT NOT NULL CHECK (state IN ('ready', 'starting', 'live', 'ending', 'ended')),
    created_at_ms INTEGER NOT NULL,
    begun_at_ms INTEGER,
    live_since_ms INTEGER,
    ended_at_ms INTEGER,
    summary TEXT
) STRICT;
-- One show is being prepared or runs; never two.
CREATE UNIQUE INDEX show_open ON show ((1)) WHERE state <> 'ended';
CREATE INDEX show_begun ON show (begun_at_ms) WHERE begun_at_ms IS NOT NULL;

-- A spoken number never changes its product: rows are only ever added, or marked as removed.
CREATE TABLE bag_item (
    show TEXT NOT NULL REFERENCES show (id),
    number INTEGER NOT NULL CHECK (number > 0),
    connection TEXT NOT NULL,
    product TEXT NOT NULL,
    stock_of INTEGER,
    is_removed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (show, number),
    UNIQUE (show, connection, product),
    FOREIGN KEY (connection, product) REFERENCES product (connection, id)
) STRICT;

CREATE TABLE explain_span (
    id INTEGER PRIMARY KEY,
    show TEXT NOT NULL,
    number INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER,
    from_program_ms INTEGER,
    to_program_ms INTEGER,
    FOREIGN KEY (show, number) REFERENCES bag_item (show, number)
) STRICT;
CREATE INDEX explain_span_show ON explain_span (show, number);
CREATE UNIQUE INDEX explain_span_open ON explain_span ((1)) WHERE to_ms IS NULL;

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    connection TEXT NOT NULL REFERENCES connection (id),
    show TEXT REFERENCES show (id),
    word TEXT NOT NULL,
    target TEXT NOT NULL,
    lane TEXT NOT NULL,
    revision INTEGER NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'leased', 'uncertain', 'confirmed', 'superseded', 'dead', 'discarded')),
    -- It may have taken effect: look it up before sending it (again).
    in_doubt INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_until_ns INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at_ms INTEGER NOT NULL,
    last_error_code TEXT,
    created_at_ms INTEGER NOT NULL,
    sent_at_ms INTEGER,
    changed_at_ms INTEGER NOT NULL,
    UNIQUE (connection, key)
) STRICT;
CREATE INDEX outbox_open ON outbox (connection, next_at_ms) WHERE state IN ('pending', 'leased', 'uncertain');
CREATE INDEX outbox_lane ON outbox (lane, seq);
CREATE INDEX outbox_dead ON outbox (seq) WHERE state = 'dead';

CREATE TABLE coupon (
    id TEXT PRIMARY KEY,
    connection TEXT NOT NULL REFERENCES connection (id),
    show TEXT REFERENCES show (id),
    intent TEXT NOT NULL REFERENCES outbox (id),
    discount INTEGER NOT NULL,
    threshold INTEGER NOT NULL,
    currency TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    valid_s INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('sending', 'uncertain', 'active', 'ended', 'failed')),
    claimed INTEGER NOT NULL DEFAULT 0,
    ends_at_ms INTEGER,
    failure TEXT,
    created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX coupon_newest ON coupon (created_at_ms DESC);

CREATE TABLE orders (
    connection TEXT NOT NULL REFERENCES connection (id),
    id TEXT NOT NULL,
    number TEXT NOT NULL,
    -- Masked. The full name, phone, address and the platform's JSON are in `sealed`.
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
    sealed BLOB,
    seen_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    PRIMARY KEY (connection, id)
) STRICT;
CREATE INDEX orders_newest ON orders (placed_at_ms, connection, id);
CREATE INDEX orders_status ON orders (status, placed_at_ms, connection, id);
CREATE INDEX orders_show ON orders (show, placed_at_ms, connection, id);
CREATE INDEX orders_id ON orders (id);

CREATE TABLE order_line (
    order_id TEXT NOT NULL,
    connection TEXT NOT NULL,
    position INTEGER NOT NULL,
    product TEXT NOT NULL,
    sku TEXT NOT NULL,
    title TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    unit_price INTEGER NOT NULL,
    PRIMARY KEY (order_id, connection, position),
    FOREIGN KEY (connection, order_id) REFERENCES orders (connection, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Counts and sums kept by triggers: a million orders are counted without being read.
CREATE TABLE order_tally (
    show TEXT NOT NULL,
    status TEXT NOT NULL,
    currency TEXT NOT NULL,
    orders INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (show, status, currency)
) STRICT, WITHOUT ROWID;
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

-- Rows that this version could not read. While one is here, its feed is not complete.
CREATE TABLE unread (
    connection TEXT NOT NULL REFERENCES connection (id),
    resource TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    reason TEXT NOT NULL,
    sealed BLOB NOT NULL,
    seen_at_ms INTEGER NOT NULL,
    PRIMARY KEY (connection, resource, id)
) STRICT;

-- Events that were acted on already.
CREATE TABLE inbox (
    connection TEXT NOT NULL REFERENCES connection (id),
    event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL,
    PRIMARY KEY (connection, event_id)
) STRICT;
CREATE INDEX inbox_received ON inbox (connection, received_at_ms);

CREATE TABLE cursor (
    connection TEXT NOT NULL REFERENCES connection (id),
    resource TEXT NOT NULL,
    feed TEXT,
    value TEXT,
    advanced_at_ms INTEGER NOT NULL,
    complete_up_to_ms INTEGER,
    read_at_ms INTEGER,
    PRIMARY KEY (connection, resource)
) STRICT;

CREATE TABLE timeline (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    show TEXT NOT NULL REFERENCES show (id),
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX timeline_show ON timeline (show, seq);

CREATE TABLE destination (
    id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    key_hint TEXT NOT NULL,
    is_enabled INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
