//! `init` on databases as legacy ones look: what it guesses, held against what the columns are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::world::World;
use crate::world::line::finished;
use crate::world::program;

/// What the columns of a database are; those that are not named are what their type says.
struct Truth {
    name: &'static str,
    sql: &'static str,
    columns: &'static str,
}

const TRUTHS: [Truth; 5] = [
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
            sentinel: ord_hdr.due_dt prod.valid_to cust.birth_dt
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
            digits: vorgang.termin kd_stamm.gebdat
            sentinel: vorgang.frist vorgang.ende kd_stamm.gebdat
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
            split: order_events.ev_typ
            business: order_created.day_no Maße.Größe 注文.番号 plz_ort.plz leser.email",
    },
    Truth {
        name: "people",
        sql: include_str!("legacy/people.sql"),
        columns: "surrogate: customer.customer_id
            personal: customer.title customer.name customer.surname customer.dob customer.remark customer.profile mitarbeiter.nachname \
            mitarbeiter.vorname mitarbeiter.anrede mitarbeiter.geb_dat mitarbeiter.notiz patients.full_name patients.birth_date \
            patients.born_at fiche_client.nom fiche_client.prenom fiche_client.date_naissance fiche_client.ville \
            fiche_client.paiement kundenstamm.name
            codes: mitarbeiter.abt mitarbeiter.lohnart customer_group.typ
            deleted: customer_group.del_flg
            traces: customer.remark customer.profile mitarbeiter.notiz fiche_client.paiement
            digits: mitarbeiter.geb_dat
            zoneless: patients.born_at
            several: kundenstamm.kz_art
            split: product.kind customer_group.typ
            business: customer.customer_no mitarbeiter.pers_nr patients.patient_no fiche_client.ref kundenstamm.knr \
            customer_group.grp_cd product.sku country.iso",
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
        ("traces", line.contains(", so perhaps about a person")),
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
        } else if let Some((_, rest)) = line.split_once("few values are in ") {
            add("split", format!("{table}.{}", rest.split(';').next().unwrap()));
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

/// The config where each table that may be split is only the last of its parts.
fn split(text: &str) -> String {
    let (mut out, mut hint) = (String::new(), None);
    for line in text.lines() {
        if let Some(condition) = line.strip_prefix("# where = ") {
            hint = Some(condition);
        } else if line.starts_with("table = ")
            && let Some(condition) = hint.take()
        {
            _ = write!(out, "{line}\nwhere = {condition}");
        } else if line.starts_with("where = ") && out.lines().last().is_some_and(|last| last.starts_with("where = ")) {
            continue;
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// Sees that a config is taken, and tells of rows.
fn previewed(config: &Path, name: &str) {
    let checked = finished(program().args(["check", "--offline", "-c"]).arg(config));
    assert_eq!(checked.code, 0, "{checked}");
    let mut preview = program();
    preview
        .args(["preview", "-c"])
        .arg(config)
        .env("WALBRIDGE_ID_KEY", "a key of these tests alone");
    let shown = preview.output().unwrap();
    assert!(
        shown.status.success(),
        "{name}: {}\n{}",
        String::from_utf8_lossy(&shown.stderr),
        std::fs::read_to_string(config).unwrap()
    );
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
        for value in ["@b.example", "0171", "3704"] {
            assert!(!text.contains(value), "{value}\n{text}");
        }
        previewed(&out, name);
        if name == "people" {
            for line in [
                r#"# where = "typ = 2 and del_flg = 'N'""#,
                "# [entity.KundenstammGewerbe]",
            ] {
                assert!(text.lines().any(|written| written == line), "{line}\n{text}");
            }
        }
        let parts = out.with_file_name("parts.toml");
        std::fs::write(&parts, split(&text)).unwrap();
        previewed(&parts, name);
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
