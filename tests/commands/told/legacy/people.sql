CREATE TABLE customer (customer_id serial PRIMARY KEY, customer_no varchar(12) NOT NULL UNIQUE, title varchar(8), name varchar(60) NOT NULL,
    surname varchar(60), dob date, country_name varchar(40), remark text,
    profile jsonb);
INSERT INTO customer (customer_no, title, name, surname, dob, country_name, remark, profile) SELECT 'C' || n, (ARRAY['Dr', 'Ms', 'Mr'])[1 + n % 3],
    'Name ' || n, 'Other ' || n, date '1960-05-01' + n, 'Land ' || n % 30,
    CASE WHEN n % 50 = 0 THEN 'write to a' || n || '@b.example, not by post' ELSE 'note ' || n END,
    CASE WHEN n % 10 = 0 THEN jsonb_build_object('reach', '030 1234' || n, 'size', n) ELSE '{}' END FROM generate_series(1, 400) n;
CREATE TABLE mitarbeiter (pers_nr int PRIMARY KEY, nachname varchar(40), vorname varchar(40), anrede char(4), geb_dat int, abt char(3),
    notiz text, lohnart char(2));
INSERT INTO mitarbeiter SELECT n, 'Meier ' || n, (ARRAY['Eva', 'Max', 'Ida'])[1 + n % 3], (ARRAY['Frau', 'Herr'])[1 + n % 2],
    to_char(date '1960-01-01' + n * 20, 'YYYYMMDD')::int, (ARRAY['EK', 'VK', 'HR'])[1 + n % 3],
    CASE WHEN n % 20 = 0 THEN 'privat 0171 / 55 66 77' || n % 10 || ', abends' ELSE 'Schicht ' || n END, (ARRAY['ST', 'GE'])[1 + n % 2]
    FROM generate_series(1, 300) n;
CREATE TABLE patients (patient_no varchar(10) PRIMARY KEY, full_name varchar(60), birth_date char(10), ward varchar(10), born_at timestamp);
INSERT INTO patients SELECT 'P' || n, 'Name ' || n, to_char(date '1960-01-01' + n * 20, 'DD.MM.YYYY'), 'W' || n % 20,
    timestamp '1960-01-01 10:00' + n * interval '1 day' FROM generate_series(1, 200) n;
CREATE TABLE fiche_client (ref varchar(10) PRIMARY KEY, nom varchar(40), prenom varchar(40), date_naissance numeric(8), ville varchar(40),
    paiement varchar(80));
INSERT INTO fiche_client SELECT 'R' || n, 'Nom ' || n, 'Prenom ' || n, to_char(date '1960-01-01' + n * 20, 'YYYYMMDD')::int, 'Ville ' || n % 70,
    CASE WHEN n % 40 = 0 THEN 'compte DE89 3704 0044 0532 0130 00' ELSE 'virement ' || n END FROM generate_series(1, 200) n;
CREATE TABLE kundenstamm (knr int PRIMARY KEY, name varchar(60), kz_art varchar(10) NOT NULL, firma varchar(60));
INSERT INTO kundenstamm SELECT n, 'Name ' || n, (ARRAY['PRIVAT', 'GEWERBE'])[1 + n % 2], CASE WHEN n % 2 = 1 THEN 'Firma ' || n END
    FROM generate_series(1, 200) n;
CREATE TABLE customer_group (grp_cd varchar(4) PRIMARY KEY, name varchar(40) NOT NULL, typ smallint NOT NULL,
    del_flg char(1) NOT NULL);
INSERT INTO customer_group SELECT 'G' || n, 'Group ' || n, 1 + n % 2, CASE WHEN n % 9 = 0 THEN 'Y' ELSE 'N' END FROM generate_series(1, 30) n;
CREATE TABLE product (sku varchar(12) PRIMARY KEY, name varchar(60) NOT NULL, title varchar(60), kind varchar(12) NOT NULL, maker_ref varchar(40),
    spec text);
INSERT INTO product SELECT 'S' || n, 'Thing ' || n, 'Title ' || n, (ARRAY['book', 'record', 'film'])[1 + n % 3], '0012345' || n,
    'since 01.02.2024 10:30, 12 x 30 cm, size ' || n || ' @ 5.50' FROM generate_series(1, 300) n;
CREATE TABLE country (iso char(2) PRIMARY KEY, name varchar(60) NOT NULL);
INSERT INTO country SELECT chr(65 + n / 26) || chr(65 + n % 26), 'Land ' || n FROM generate_series(0, 60) n;
ANALYZE;
