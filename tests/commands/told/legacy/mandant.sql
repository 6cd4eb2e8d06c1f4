CREATE TABLE orders (company char(2) NOT NULL, ord_no int NOT NULL, sts varchar(2) NOT NULL, exp_flg varchar(2) NOT NULL,
    amt_ct bigint NOT NULL, "user" varchar(20), PRIMARY KEY (company, ord_no));
INSERT INTO orders SELECT (ARRAY['A', 'B'])[1 + n % 2], n, (ARRAY['N', 'P', 'P ', ' C'])[1 + n % 4],
    (ARRAY['X', ' '])[1 + n % 2], n * 3, 'u' || n % 7 FROM generate_series(1, 400) n;
CREATE TABLE order_events (ev_id bigserial PRIMARY KEY, company char(2) NOT NULL, ord_no int NOT NULL, ev_typ char(3) NOT NULL,
    ev_ts timestamp NOT NULL, FOREIGN KEY (company, ord_no) REFERENCES orders);
INSERT INTO order_events (company, ord_no, ev_typ, ev_ts) SELECT (ARRAY['A', 'B'])[1 + n % 2], n, (ARRAY['NEW', 'PAY'])[1 + n % 2],
    now() FROM generate_series(1, 400) n;
CREATE TABLE order_created (day_no char(8) PRIMARY KEY, cnt int NOT NULL);
INSERT INTO order_created SELECT to_char(now() - n * interval '1 day', 'YYYYMMDD'), n FROM generate_series(1, 50) n;
CREATE TABLE "Maße" ("Größe" varchar(4) NOT NULL, "Straße" varchar(40), "gelöscht" char(1) NOT NULL, "Stück-Preis" numeric(9, 2),
    gebiet_cd varchar(2) NOT NULL, CONSTRAINT m UNIQUE ("Größe"));
INSERT INTO "Maße" SELECT 'G' || n, 'Weg ' || n, CASE WHEN n % 9 = 0 THEN 'X' ELSE ' ' END, n, (ARRAY['NO', 'SW'])[1 + n % 2]
    FROM generate_series(1, 90) n;
CREATE TABLE "注文" ("番号" int PRIMARY KEY, "名前" text, "状態" text);
INSERT INTO "注文" SELECT n, 'n' || n, 's' FROM generate_series(1, 30) n;
CREATE TABLE plz_ort (plz char(5) PRIMARY KEY, bland varchar(30));
INSERT INTO plz_ort SELECT lpad(n::text, 5, '0'), 'Land ' || n % 16 FROM generate_series(1, 200) n;
CREATE TABLE leser (email varchar(60) NOT NULL UNIQUE, seit date);
INSERT INTO leser SELECT 'l' || n || '@post.example', '2020-01-01' FROM generate_series(1, 60) n;
CREATE TABLE sitzung (token uuid PRIMARY KEY, beginn timestamp NOT NULL);
INSERT INTO sitzung SELECT gen_random_uuid(), now() FROM generate_series(1, 20) n;
CREATE TABLE messwert (gemessen timestamp NOT NULL, kanal varchar(2) NOT NULL, gueltig_bis date NOT NULL, wert double precision,
    PRIMARY KEY (gemessen, kanal, gueltig_bis));
INSERT INTO messwert SELECT now() - n * interval '1 hour', (ARRAY['A', 'B'])[1 + n % 2], '9999-12-31', n FROM generate_series(1, 60) n;
ANALYZE;
