CREATE SCHEMA "Sales Dept";
CREATE SCHEMA "a.b";
CREATE TABLE "Sales Dept"."Order Lines" ("Order No" varchar(10), "Line #" int, "Qty${HOME}" int, "select" text, "a""b" text, "line
break" text, "Is Deleted?" char(1) NOT NULL, PRIMARY KEY ("Order No", "Line #"));
INSERT INTO "Sales Dept"."Order Lines" SELECT 'A' || n, n, n, 'x', 'y', 'z', CASE WHEN n % 9 = 0 THEN 'Y' ELSE 'N' END
    FROM generate_series(1, 100) n;
CREATE TABLE "a.b"."c.d" (id serial PRIMARY KEY, "where" char(1) NOT NULL, "Typ" varchar(4) NOT NULL, "TYP" varchar(4));
INSERT INTO "a.b"."c.d" ("where", "Typ", "TYP") SELECT (ARRAY['A', '''', '"', '\'])[1 + n % 4],
    (ARRAY['a"b', 'c\d', E'e\tf', '${x'])[1 + n % 4], (ARRAY['', ' ', 'A', 'A '])[1 + n % 4] FROM generate_series(1, 100) n;
CREATE TABLE "a.b"."q"".r" (id int PRIMARY KEY);
CREATE TABLE "a.b"."new
line" (id int PRIMARY KEY);
CREATE TABLE "Order" (id int PRIMARY KEY, "user" text, "order" text, old text, new text);
CREATE TABLE "ORDERS" (id int PRIMARY KEY, "ID" int, i_d int);
CREATE TABLE parts (id bigint, ts timestamptz NOT NULL, st char(1), PRIMARY KEY (id, ts)) PARTITION BY RANGE (ts);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (id);
CREATE TABLE parts_2 PARTITION OF parts_1 DEFAULT;
CREATE TABLE parts_3 PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT n, timestamptz '2020-01-01' + n * interval '9 hours', (ARRAY['A', 'B'])[1 + n % 2] FROM generate_series(1, 2000) n;
CREATE TABLE generated (a int NOT NULL UNIQUE, b int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY);
CREATE TABLE generated_alone (a int, b int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY);
CREATE TABLE parent (id int PRIMARY KEY, typ char(1) NOT NULL);
CREATE TABLE child (extra text, PRIMARY KEY (id)) INHERITS (parent);
INSERT INTO parent SELECT n, 'P' FROM generate_series(1, 30) n;
INSERT INTO child SELECT n, 'C', 'x' FROM generate_series(1, 300) n;
CREATE TABLE columnless ();
CREATE TABLE keyless (a int, b int);
CREATE UNIQUE INDEX ON keyless (a) WHERE b > 1;
CREATE VIEW seen AS SELECT * FROM parent;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'Happy ');
CREATE TYPE pair AS (x int, y text);
CREATE DOMAIN yn AS char(1) CHECK (VALUE IN ('Y', 'N'));
CREATE TABLE kinds (m mood, p pair, ms mood[], f yn, j jsonb, x xml, mo money, i inet, b bit(3), r int4range, iv interval,
    d double precision, n numeric, tz timetz, by bytea, local timestamp, PRIMARY KEY (m, d));
INSERT INTO kinds SELECT 'Happy ', ROW(1, 'a')::pair, '{ok}', 'Y', '{}', '<a/>', 1.5, '10.0.0.1', B'101', '[1,3)', '1 day', n, 'NaN',
    '10:00+02', '\x00', 'infinity' FROM generate_series(1, 20) n;
CREATE TABLE marks (id int PRIMARY KEY, del_flg varchar(2), deleted int, void char(2) NOT NULL);
INSERT INTO marks SELECT n, (ARRAY['X ', ' '])[1 + n % 2], n % 2, (ARRAY['X', ''])[1 + n % 2] FROM generate_series(1, 40) n;
CREATE TABLE gone (id int PRIMARY KEY, sts varchar(3));
INSERT INTO gone SELECT n, 'A' FROM generate_series(1, 100000) n;
ANALYZE gone;
DELETE FROM gone WHERE id > 40;
DO $$ BEGIN EXECUTE 'CREATE TABLE wide (id int PRIMARY KEY, '
    || (SELECT string_agg('c' || n || ' int', ', ') FROM generate_series(1, 1500) n) || ')'; END $$;
INSERT INTO wide SELECT n FROM generate_series(1, 1000) n;
