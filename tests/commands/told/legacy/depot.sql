CREATE TABLE "Article" ("ArticleId" serial PRIMARY KEY, "Ean" char(13) NOT NULL UNIQUE, "Name" varchar(80) NOT NULL,
    "UnitPriceCents" int NOT NULL, "IsActive" smallint NOT NULL, "DeletedAt" timestamptz, "Tags" text[], "Spec" jsonb);
INSERT INTO "Article" ("Ean", "Name", "UnitPriceCents", "IsActive", "DeletedAt", "Tags", "Spec")
    SELECT lpad(n::text, 13, '0'), 'Thing ' || n, n * 9, CASE WHEN n % 6 = 0 THEN 0 ELSE 1 END,
    CASE WHEN n % 25 = 0 THEN now() END, ARRAY['a'], '{}' FROM generate_series(1, 300) n;
CREATE TABLE "StockMove" ("MoveId" bigserial PRIMARY KEY, "ArticleId" int NOT NULL REFERENCES "Article",
    "MoveType" varchar(3) NOT NULL, "Qty" int NOT NULL, "BookedAt" timestamp NOT NULL, "StampText" char(14) NOT NULL,
    "UserName" varchar(30) NOT NULL, "Reversed" boolean NOT NULL, "BinFrom" varchar(10), "BinTo" varchar(10));
INSERT INTO "StockMove" ("ArticleId", "MoveType", "Qty", "BookedAt", "StampText", "UserName", "Reversed", "BinFrom", "BinTo")
    SELECT 1 + n % 300, (ARRAY['IN', 'OUT', 'MOV'])[1 + n % 3], n % 17, now(), to_char(now() - n * interval '1 hour', 'YYYYMMDDHH24MISS'),
    'u' || n % 9, false, CASE WHEN n % 3 <> 0 THEN 'B' || n END, CASE WHEN n % 3 <> 1 THEN 'B' || n END FROM generate_series(1, 900) n;
CREATE TABLE bin (bin_cd varchar(10) PRIMARY KEY, hidden boolean, max_kg int, us_state char(2), addr_line varchar(60),
    contact_mail varchar(60));
INSERT INTO bin SELECT 'B' || n, n % 40 = 0, n * 5, (ARRAY['CA', 'NY', 'TX'])[1 + n % 3], 'Row ' || n, 'c' || n || '@d.example'
    FROM generate_series(1, 120) n;
ANALYZE;
