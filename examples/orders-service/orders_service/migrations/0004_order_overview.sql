-- What the API asks: orders with what is shown of their customers, from two topics that are not ordered with each other. Rows are
-- made from the copy by projection.py, in the transaction that changes it; drop them and they can be made again.

CREATE TABLE order_overview (
    number           text COLLATE "C" PRIMARY KEY,
    placed_at        timestamptz NOT NULL,
    total            numeric NOT NULL,
    status           text NOT NULL,
    express          boolean,
    due              date,
    currency         text NOT NULL,
    note             text,
    customer_id      text COLLATE "C" NOT NULL,     -- public
    customer_name    text,                          -- null: no such customer is known
    customer_country text
);
CREATE INDEX ON order_overview (status, number);
CREATE INDEX ON order_overview (customer_id, number);
