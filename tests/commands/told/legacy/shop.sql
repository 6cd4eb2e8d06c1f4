CREATE TABLE cust (cust_id serial PRIMARY KEY, cust_no varchar(12) NOT NULL UNIQUE, cust_nm varchar(60) NOT NULL,
    email varchar(80), birth_dt date, lng_cd char(2), act_fl char(1) NOT NULL, pw_hash text, login_token varchar(40),
    credit_ct int, crt_ts timestamp NOT NULL, del_flg char(1) NOT NULL);
INSERT INTO cust SELECT n, 'K' || n, 'Name ' || n, 'a' || n || '@b.example',
    CASE WHEN n % 10 = 0 THEN '1900-01-01' ELSE date '1970-05-01' + n END, (ARRAY['DE', 'EN', 'FR'])[1 + n % 3],
    CASE WHEN n % 7 = 0 THEN 'N' ELSE 'Y' END, md5(n::text), md5('t' || n), n * 100, now() - n * interval '1 day',
    CASE WHEN n % 20 = 0 THEN 'Y' ELSE 'N' END FROM generate_series(1, 400) n;
CREATE TABLE ord_hdr (ord_id bigserial PRIMARY KEY, ord_no varchar(12) NOT NULL UNIQUE, cust_id int NOT NULL REFERENCES cust,
    ord_typ char(1) NOT NULL, sts_cd char(1) NOT NULL, tot_ct int NOT NULL, cur char(3) NOT NULL, due_dt int NOT NULL,
    crt_ts timestamp NOT NULL, exp_fl char(1), sup_no varchar(10), dlv_note text, prio int NOT NULL, del_flg char(1) NOT NULL);
INSERT INTO ord_hdr SELECT n, 'A-' || n, 1 + n % 400, CASE WHEN n % 4 = 0 THEN 'P' ELSE 'S' END,
    (ARRAY['N', 'P', 'S', 'X'])[1 + n % 4], n * 13, 'EUR', CASE WHEN n % 9 = 0 THEN 0 WHEN n % 31 = 0 THEN 99991231
    ELSE to_char(date '2026-01-01' + n % 300, 'YYYYMMDD')::int END, now(), CASE WHEN n % 3 = 0 THEN 'Y' ELSE 'N' END,
    CASE WHEN n % 4 = 0 THEN 'L' || n END, CASE WHEN n % 4 <> 0 THEN 'note' END, n % 2,
    CASE WHEN n % 50 = 0 THEN 'Y' ELSE 'N' END FROM generate_series(1, 1000) n;
CREATE TABLE ord_lin (ord_id bigint NOT NULL REFERENCES ord_hdr, pos int NOT NULL, prod_cd varchar(20) NOT NULL,
    qty int NOT NULL, prc_ct int NOT NULL, PRIMARY KEY (ord_id, pos));
INSERT INTO ord_lin SELECT n, 1, 'P' || n % 50, n % 2, n * 7 FROM generate_series(1, 500) n;
CREATE TABLE prod (prod_cd varchar(20) PRIMARY KEY, name varchar(60) NOT NULL, wgt_g int, prc_ct int NOT NULL,
    valid_to date NOT NULL, blocked boolean NOT NULL);
INSERT INTO prod SELECT 'P' || n, 'Thing ' || n, n * 10, n * 99, CASE WHEN n % 2 = 0 THEN '9999-12-31' ELSE date '2026-01-01' + n END,
    n % 5 = 0 FROM generate_series(1, 50) n;
ANALYZE;
