-- The copy: what the state topics say now, one row a key. `sequence` guards it: only what is greater is applied. It is compared byte
-- by byte. A row that is gone keeps its key and its sequence, so that an older record that comes again does not bring it back.

CREATE TABLE customers (
    key       text COLLATE "C" PRIMARY KEY,         -- opaque; perhaps the legacy's number: never shown
    public_id text COLLATE "C" NOT NULL UNIQUE,
    gone      boolean NOT NULL,
    sequence  text COLLATE "C" NOT NULL,
    changed   timestamptz NOT NULL,                 -- when the source committed it
    name      text,
    country   text,
    version   bigint
);

CREATE TABLE orders (
    number    text COLLATE "C" PRIMARY KEY,
    gone      boolean NOT NULL,
    sequence  text COLLATE "C" NOT NULL,
    changed   timestamptz NOT NULL,
    placed_at timestamptz,
    total     numeric,
    status    text,
    express   boolean,
    due       date,
    customer  text COLLATE "C",                     -- a key of customers, which may not have come yet, or never comes
    customer_id text COLLATE "C",                   -- the public id of that key
    currency  text,
    note      text
);
CREATE INDEX ON orders (customer);
