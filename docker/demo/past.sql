-- What the legacy shop holds before anybody thinks of a bridge.
INSERT INTO cust SELECT n, 'Old ' || n, 'DE' FROM generate_series(1, 1000) n;
INSERT INTO ord_hdr (ord_no, ord_typ, cust_id, sts_cd, tot_ct, exp_fl, due_dt, crt_ts, rmk, del_flg)
SELECT 'A-' || n, (ARRAY['S', 'S', 'Q', 'I'])[1 + n % 4], 1 + n % 1010, (ARRAY['N', 'P', 'S', 'X'])[1 + n % 4], n * 13,
       (ARRAY['Y', 'N', NULL])[1 + n % 3], CASE n % 3 WHEN 0 THEN 0 ELSE 20261231 END,
       timestamp '2024-10-27 01:30' + n * interval '7 min', 'old ' || n, CASE n % 9 WHEN 0 THEN 'Y' ELSE 'N' END
FROM generate_series(1, 20000) n;
-- Else nobody could say about how many rows there are.
ANALYZE;
