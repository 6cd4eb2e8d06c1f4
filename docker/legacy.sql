-- The demo's legacy shop, as such databases have grown: abbreviated names, letters for states, a flag for
-- deleted rows, cents in integers, dates in integers, local times, and one table for several kinds of things.

CREATE TABLE cust (
    cust_id integer PRIMARY KEY,
    nm      varchar(60) NOT NULL,
    ctry    char(3),                                -- padded with a blank
    chg_no  integer NOT NULL DEFAULT 0
);

CREATE TABLE ord_hdr (
    ord_no  varchar(24) PRIMARY KEY,
    ord_typ char(1) NOT NULL CHECK (ord_typ IN ('S', 'Q', 'I')),            -- sale, quote, internal
    cust_id integer NOT NULL,
    sts_cd  char(1) NOT NULL DEFAULT 'N' CHECK (sts_cd IN ('N', 'P', 'S', 'X')),
    tot_ct  bigint NOT NULL,
    cur     char(4) NOT NULL DEFAULT 'EUR',
    exp_fl  char(1),
    due_dt  integer NOT NULL DEFAULT 0,             -- 20261231; 0 and 99991231 are "none"
    crt_ts  timestamp without time zone NOT NULL,   -- Berlin
    rmk     text,
    upd_usr varchar(8),                             -- nobody outside reads this one
    del_flg char(1) NOT NULL DEFAULT 'N' CHECK (del_flg IN ('Y', 'N'))
);
-- Remarks of a few kB are stored out of line, so an UPDATE of another column sends them as "unchanged".
ALTER TABLE ord_hdr ALTER rmk SET STORAGE EXTERNAL;
-- Events need the old row.
ALTER TABLE ord_hdr REPLICA IDENTITY FULL;

CREATE TABLE sys_log (
    id  bigserial PRIMARY KEY,
    ts  timestamp NOT NULL DEFAULT localtimestamp,
    msg text
);
