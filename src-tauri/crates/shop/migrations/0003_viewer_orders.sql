-- A viewer lists what they bought.
CREATE INDEX order_viewer ON orders (viewer, no);
