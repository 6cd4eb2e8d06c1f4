//! `init` on databases as legacy ones look: what it guesses, held against what the columns are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::world::World;
use crate::world::line::{self, finished};
use crate::world::program;

/// What the columns of a database are; those that are not named are what their type says.
struct Truth {
    name: &'static str,
    sql: &'static str,
    columns: &'static str,
}

const TRUTHS: [Truth; 4] = [
    Truth {
        name: "shop",
        sql: include_str!("legacy/shop.sql"),
        columns: "surrogate: cust.cust_id ord_hdr.ord_id ord_hdr.cust_id ord_lin.ord_id
            personal: cust.cust_nm cust.email cust.birth_dt
            secret: cust.pw_hash cust.login_token
            flag: cust.act_fl ord_hdr.exp_fl
            cents: cust.credit_ct ord_hdr.tot_ct ord_lin.prc_ct prod.prc_ct
            zoneless: cust.crt_ts ord_hdr.crt_ts
            deleted: cust.del_flg ord_hdr.del_flg
            codes: ord_hdr.sts_cd ord_hdr.ord_typ
            digits: ord_hdr.due_dt
            sentinel: ord_hdr.due_dt prod.valid_to
            several: ord_hdr.ord_typ
            business: cust.cust_no ord_hdr.ord_no prod.prod_cd",
    },
    Truth {
        name: "kartei",
        sql: include_str!("legacy/kartei.sql"),
        columns: "surrogate: vorgang.vg_id
            personal: kd_stamm.kd_name1 kd_stamm.vorname kd_stamm.strasse kd_stamm.plz kd_stamm.ort kd_stamm.gebdat kd_stamm.iban vorgang.tel
            flag: kd_stamm.aktiv_kz land.eu_kz
            cents: kd_stamm.umsatz_ct vorgang.betrag
            zoneless: kd_stamm.anlage vorgang.beginn vorgang.ende
            deleted: kd_stamm.lkz
            codes: vorgang.vg_art vorgang.zustand
            digits: vorgang.termin
            sentinel: vorgang.frist vorgang.ende
            several: vorgang.vg_art
            business: kd_stamm.kd_nr land.iso",
    },
    Truth {
        name: "depot",
        sql: include_str!("legacy/depot.sql"),
        columns: "surrogate: Article.ArticleId StockMove.MoveId StockMove.ArticleId
            personal: bin.addr_line bin.contact_mail StockMove.UserName
            flag: Article.IsActive
            cents: Article.UnitPriceCents
            zoneless: StockMove.BookedAt StockMove.StampText
            deleted: Article.DeletedAt bin.hidden
            codes: StockMove.MoveType
            digits: StockMove.StampText
            several: StockMove.MoveType
            business: Article.Ean bin.bin_cd",
    },
    Truth {
        name: "mandant",
        sql: include_str!("legacy/mandant.sql"),
        columns: "surrogate: order_events.ev_id
            personal: orders.user Maße.Straße plz_ort.plz leser.email
            secret: sitzung.token
            flag: orders.exp_flg
            cents: orders.amt_ct
            zoneless: order_events.ev_ts sitzung.beginn messwert.gemessen
            deleted: Maße.gelöscht
            codes: orders.sts order_events.ev_typ order_events.company
            business: order_created.day_no Maße.Größe 注文.番号 plz_ort.plz leser.email",
    },
];

/// Kinds of guesses, with `table.column` of each.
type Guesses = BTreeMap<String, Vec<String>>;

fn truth(columns: &str) -> Guesses {
    let line = |line: &str| {
        let (kind, columns) = line.split_once(':').unwrap();
        (
            kind.trim().to_owned(),
            columns.split_whitespace().map(str::to_owned).collect(),
        )
    };
    columns.lines().map(line).collect()
}

/// What a line says of its column.
fn kinds_of(line: &str) -> Vec<&'static str> {
    let is_flag = line.contains("= true");
    let signs = [
        (
            "surrogate",
            (line.contains("public_id = ") && !line.contains("a secret, ")) || line.contains("only the database knows"),
        ),
        ("personal", line.contains("about a person")),
        ("secret", line.contains("a secret; ") || line.contains("a secret, ")),
        ("flag", is_flag),
        ("cents", line.contains("decimals = 2")),
        ("zoneless", line.contains("zone = ")),
        ("deleted", line.contains("says which rows are deleted")),
        ("codes", line.contains("codes = ") && !is_flag),
        ("digits", line.contains("parse = ")),
        ("sentinel", line.contains("null_when = ")),
    ];
    signs
        .iter()
        .filter(|(_, is_so)| *is_so)
        .map(|(kind, _)| *kind)
        .collect()
}

/// The column of a field's line.
fn column(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.trim_start_matches("# ").split_once(" = ")?;
    let rest = rest.strip_prefix("{ from = ").unwrap_or(rest);
    let column = rest.strip_prefix('"')?.split('"').next()?;
    Some((name, column))
}

/// What the config says that the columns are.
fn guessed(config: &str) -> Guesses {
    let (mut found, mut table, mut key, mut inside) = (Guesses::new(), String::new(), Vec::new(), false);
    let mut add = |kind: &str, column: String| found.entry(kind.to_owned()).or_default().push(column);
    for line in config.lines() {
        if let Some((name, _)) = line
            .strip_prefix("# public.")
            .and_then(|rest| rest.split_once(": ").filter(|(_, rest)| rest.ends_with(" looked at.")))
        {
            (table, key, inside) = (name.to_owned(), Vec::new(), false);
        } else if let Some((_, rest)) = line.split_once("several things in one table, told apart by ") {
            add("several", format!("{table}.{}", rest.split(':').next().unwrap()));
        } else if let Some(names) = line.strip_prefix("key = ") {
            key = names
                .split(['[', ']', ',', ' ', '"'])
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
        } else if line.starts_with('[') {
            inside = line.ends_with(".fields]");
        } else if inside && let Some((name, column)) = column(line) {
            let column = format!("{table}.{column}");
            let kinds = kinds_of(line);
            if key.len() == 1 && key[0] == name && !kinds.contains(&"surrogate") {
                add("business", column.clone());
            }
            kinds.iter().for_each(|kind| add(kind, column.clone()));
        }
    }
    found
}

#[test]
fn of_ten_guesses_nine_are_right_and_of_ten_habits_nine_are_found() {
    let mut table = format!(
        "{:<10}{:<11}{:>6}{:>7}{:>7}",
        "database", "guess", "right", "wrong", "missed"
    );
    let (mut right, mut wrong, mut missed) = (0, 0, 0);
    for Truth { name, sql, columns } in TRUTHS {
        let Some(mut world) = World::new(&format!("init_{name}")) else {
            return;
        };
        world.run("DROP TABLE item").run(sql);
        let out = world.config().with_file_name("begun.toml");
        let begun = finished(program().args(["init", "--source", &world.url(), "--out"]).arg(&out));
        assert_eq!(begun.code, 0, "{begun}");
        let tables = sql.matches("CREATE TABLE").count();
        assert!(
            begun.err.contains(&format!("{tables} tables, {tables} entities")),
            "{begun}"
        );
        let text = std::fs::read_to_string(&out).unwrap();
        let checked = finished(program().args(["check", "--offline", "-c"]).arg(&out));
        assert_eq!(checked.code, 0, "{checked}");
        let shown = program()
            .args(["preview", "-c"])
            .arg(&out)
            .env("WALBRIDGE_ID_KEY", "a key of these tests alone")
            .output();
        let shown = shown.unwrap();
        assert!(
            shown.status.success(),
            "{name}: {}\n{text}",
            String::from_utf8_lossy(&shown.stderr)
        );
        let (expected, found) = (truth(columns), guessed(&text));
        let none = Vec::new();
        for kind in expected
            .keys()
            .chain(found.keys().filter(|kind| !expected.contains_key(*kind)))
        {
            let (is, said) = (expected.get(kind).unwrap_or(&none), found.get(kind).unwrap_or(&none));
            let lacks = |of: &[String], from: &[String]| {
                of.iter().filter(|one| !from.contains(one)).cloned().collect::<Vec<_>>()
            };
            let (amiss, astray) = (lacks(is, said), lacks(said, is));
            let hits = is.len() - amiss.len();
            _ = write!(
                table,
                "\n{name:<10}{kind:<11}{hits:>6}{:>7}{:>7}  ",
                astray.len(),
                amiss.len()
            );
            _ = write!(table, "{} {}", astray.join(" "), amiss.join(" "));
            (right, wrong, missed) = (right + hits, wrong + astray.len(), missed + amiss.len());
        }
    }
    println!("{table}\nall       {:<11}{right:>6}{wrong:>7}{missed:>7}", "");
    assert!(right >= 9 * wrong, "precision below nine of ten\n{table}");
    assert!(right >= 9 * missed, "recall below nine of ten\n{table}");
}

#[test]
fn no_file_is_written_over_and_no_password_gets_into_one() {
    let Some(mut world) = World::new("init_safe") else {
        return;
    };
    world.run("CREATE TABLE other (id int PRIMARY KEY)");
    let out = world.config().with_file_name("begun.toml");
    let url = world.url();
    let (front, server) = url.split_once("postgres@").unwrap();
    let (address, database) = server.split_once('/').unwrap();
    for url in [
        format!("{front}postgres:hunter2@{server}"),
        format!("{front}postgres:hun/ter2@{server}"),
        format!("{front}postgres@{server}?password=hunter2&connect_timeout=9"),
        format!("{front}{address}/{database}?user=postgres&password=hunter2"),
        format!("{front}{address}?user=postgres&dbname={database}&password=hunter2"),
    ] {
        let begun = finished(program().args(["init", "--source", &url, "-o"]).arg(&out));
        assert_eq!(begun.code, 0, "{begun}");
        let text = std::fs::read_to_string(&out).unwrap();
        assert!(!text.contains("ter2"), "{text}");
        let checked = finished(program().args(["check", "--offline", "-c"]).arg(&out));
        assert_eq!(checked.code, 0, "{url} {checked}");
        std::fs::remove_file(&out).unwrap();
    }
    std::fs::write(&out, "mine").unwrap();
    let again = finished(program().args(["init", "--source", &url, "-o"]).arg(&out));
    assert_eq!(again.code, 2, "{again}");
    assert!(again.err.contains("is there already"), "{again}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine");
    let away = finished(program().args(["init", "--source", "postgresql://a:hunter2@127.0.0.1:1/x"]));
    assert_eq!(away.code, 1, "{away}");
    assert!(
        away.err.contains("cannot look at the legacy database") && !away.err.contains("hunter2"),
        "{away}"
    );
}

#[test]
fn what_is_no_url_is_refused_by_name_and_not_repeated() {
    for (source, says) in [
        (
            "host=127.0.0.1 user=u password=hunter2 dbname=shop",
            "what --source names is no URL",
        ),
        ("postgresql://u:hunter2@h:port/shop", "cannot read the URL of --source"),
        ("postgresql:///shop", "the URL of --source names no host"),
    ] {
        let refused = finished(program().args(["init", "--source", source]));
        assert_eq!(refused.code, 2, "{refused}");
        assert!(
            refused.err.contains(says) && !refused.err.contains("hunter2"),
            "{refused}"
        );
        assert!(refused.out.is_empty(), "{refused}");
    }
}

/// A config that `init` begins for a world's database, with what it says.
fn begun(world: &World, more: &[&str]) -> (String, line::Ended) {
    let out = world.config().with_file_name("begun.toml");
    let ended = finished(
        program()
            .args(["init", "--source", &world.url(), "-o"])
            .arg(&out)
            .args(more),
    );
    (std::fs::read_to_string(&out).unwrap_or_default(), ended)
}

#[test]
fn a_sample_is_of_the_oldest_rows_and_of_the_newest() {
    let Some(mut world) = World::new("init_spread") else {
        return;
    };
    // Few rows a page, so that chance is left little room: of 90,000 rows about 450 pages are read, a third of them in each third.
    world.run(
        "CREATE TABLE shipment (id int PRIMARY KEY, sts char(1) NOT NULL) WITH (fillfactor = 10, autovacuum_enabled = false);
         INSERT INTO shipment SELECT n, (ARRAY['A', 'M', 'Z'])[1 + (n - 1) / 30000] FROM generate_series(1, 90000) n",
    );
    // Where nobody has counted, the size of the table says how many there may be.
    for (counted, least) in [("", 1), ("ANALYZE shipment", 1_000)] {
        world.run(counted);
        let (text, ended) = begun(&world, &[]);
        assert_eq!(ended.code, 0, "{ended}");
        let line = text.lines().find(|line| line.contains("\"sts\"")).unwrap();
        let counts = line.rsplit_once("seen: ").unwrap().1.split(", ");
        let seen: BTreeMap<&str, usize> = counts
            .filter_map(|part| part.split_once(' '))
            .map(|(code, count)| (code, count.parse().unwrap()))
            .collect();
        for third in ["\"A\"", "\"M\"", "\"Z\""] {
            assert!(seen.get(third).is_some_and(|count| *count >= least), "{third}: {line}");
        }
        std::fs::remove_file(world.config().with_file_name("begun.toml")).unwrap();
    }
}

#[test]
fn a_table_that_shows_no_rows_is_said_and_the_others_are_written() {
    let Some(mut world) = World::new("init_locked") else {
        return;
    };
    world.run("CREATE TABLE after (id int PRIMARY KEY, flg char(1)); INSERT INTO after SELECT n, 'Y' FROM generate_series(1, 20) n");
    let mut other = world.another_session();
    other
        .run("BEGIN; LOCK TABLE public.item IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let (text, ended) = begun(&world, &["--look-seconds", "1"]);
    assert_eq!(ended.code, 0, "{ended}");
    for said in [&text, &ended.err] {
        assert!(
            said.contains("guessed by names and types alone: the server did not show rows in time"),
            "{said}"
        );
    }
    assert!(
        text.contains("[entity.Item]") && text.contains("[entity.After]"),
        "{text}"
    );
    assert!(text.contains("# public.after: 20 rows looked at."), "{text}");
    other.run("ROLLBACK").unwrap();
}

#[test]
fn what_nothing_can_be_written_of_is_said() {
    let Some(mut world) = World::new("init_nothing") else {
        return;
    };
    let (text, ended) = begun(&world, &["sails"]);
    assert_eq!((ended.code, text.as_str()), (2, ""), "{ended}");
    assert!(ended.err.contains("no table is in sails of the database"), "{ended}");
    let (_, ended) = begun(&world, &["--name", "My Shop"]);
    assert_eq!(ended.code, 2, "{ended}");
    assert!(ended.err.contains("--name my_shop"), "{ended}");
    world.run("ALTER TABLE item DROP CONSTRAINT item_pkey");
    let (text, ended) = begun(&world, &[]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.err.contains("has a key, so there is no entity yet"), "{ended}");
    assert!(text.contains("# decide: nothing proves what is unique here"), "{text}");
}
