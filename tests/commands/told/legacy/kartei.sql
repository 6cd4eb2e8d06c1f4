CREATE TABLE kd_stamm (kd_nr int PRIMARY KEY, kd_name1 varchar(40), vorname varchar(40), strasse varchar(60), plz char(5),
    ort varchar(40), gebdat int, iban varchar(34), aktiv_kz char(1), lkz char(1) NOT NULL, anlage timestamp, umsatz_ct bigint,
    bemerkung text, rabatt numeric(5, 2));
INSERT INTO kd_stamm SELECT n, 'Meier ' || n, 'Eva', 'Weg ' || n, lpad((n * 13)::text, 5, '0'), 'Ort ' || n % 90,
    CASE WHEN n % 8 = 0 THEN 0 ELSE to_char(date '1960-01-01' + n * 20, 'YYYYMMDD')::int END,
    'DE' || lpad((n % 97)::text, 2, '0') || lpad(n::text, 18, '3'), CASE WHEN n % 9 = 0 THEN 'N' ELSE 'J' END,
    CASE WHEN n % 30 = 0 THEN 'X' ELSE ' ' END, now(), n * 1000, 'Text ' || n, n % 30 FROM generate_series(1, 600) n;
CREATE TABLE vorgang (vg_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kd_nr int NOT NULL REFERENCES kd_stamm,
    vg_art char(2) NOT NULL, zustand smallint NOT NULL, termin char(8), frist date, betrag int, beginn timestamp,
    ende timestamp NOT NULL, tel varchar(30), fahrzeug varchar(20), raum varchar(20));
INSERT INTO vorgang (kd_nr, vg_art, zustand, termin, frist, betrag, beginn, ende, tel, fahrzeug, raum)
    SELECT 1 + n % 600, CASE WHEN n % 2 = 0 THEN 'FA' ELSE 'RA' END, (ARRAY[10, 20, 30, 90])[1 + n % 4],
    to_char(date '2026-01-01' + n % 90, 'YYYYMMDD'), CASE WHEN n % 5 = 0 THEN date '9999-12-31' ELSE date '2026-03-01' + n % 50 END,
    n * 5, now(), CASE WHEN n % 3 = 0 THEN timestamp '9999-12-31' ELSE now() END, '+49 30 ' || n,
    CASE WHEN n % 2 = 0 THEN 'B-AB ' || n END, CASE WHEN n % 2 = 1 THEN 'R' || n END FROM generate_series(1, 700) n;
CREATE TABLE land (iso char(2) PRIMARY KEY, bezeichnung varchar(40) NOT NULL, eu_kz char(1) NOT NULL);
INSERT INTO land SELECT chr(65 + n / 26) || chr(65 + n % 26), 'Land ' || n, CASE WHEN n % 3 = 0 THEN 'J' ELSE 'N' END
    FROM generate_series(0, 60) n;
ANALYZE;
