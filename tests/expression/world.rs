//! A table with a column of each type, random rows in it, and the expressions' names over it.

use walbridge::flow::catalog::{Nullable, SqlType};
use walbridge::mapping::expression::{Leaf, Names, Operand, Operands};
use walbridge::source::postgres::settings::{Tls, Trust};
use walbridge::source::postgres::sql::Sql;

use crate::random::Random;

pub const LABELS: [&str; 4] = ["new", "paid", "Sent", "void"];

/// A column: its name, its type for the server, its collation as the catalogue tells it.
pub struct Column {
    pub name: &'static str,
    pub declared: &'static str,
    pub sql_type: SqlType,
    pub collation: &'static str,
    /// Values, as literals' texts.
    pub pool: &'static [&'static str],
}

const INTS: &[&str] = &["0", "1", "-1", "2", "3", "7", "10", "-10", "100", "32767", "-32768"];
const INTS4: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "5",
    "-7",
    "40000",
    "2147483647",
    "-2147483648",
    "46341",
];
const INTS8: &[&str] = &[
    "0",
    "1",
    "-1",
    "3",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "3037000500",
];
const NUMERICS: &[&str] = &[
    "0",
    "0.00",
    "1",
    "-1",
    "1.5",
    "-2.5",
    "0.5",
    "2.50",
    "3.14159",
    "1e10",
    "-1e-10",
    "NaN",
    "Infinity",
    "-Infinity",
    "9999.99",
    "0.0000000001",
    "123456789012345678901234567890.123456789",
    "2147483647.5",
    "32767.4",
    "1e400",
    "33.333",
];
const MONEY: &[&str] = &["0.00", "19.99", "-0.01", "1.00", "99999999.99", "7.50"];
const REALS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "1.5",
    "0.1",
    "-2.5",
    "3.4e38",
    "1e-38",
    "NaN",
    "Infinity",
    "-Infinity",
    "16777216",
    "1e-45",
    "2.5",
    "123456.7",
];
const DOUBLES: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1.5",
    "0.1",
    "0.3",
    "2.5",
    "3.5",
    "1e308",
    "-1e308",
    "1e-308",
    "5e-324",
    "NaN",
    "Infinity",
    "-Infinity",
    "9007199254740993",
    "1e15",
    "1e23",
    "123456789.125",
    "1e-5",
    "9e22",
];
const TEXTS: &[&str] = &[
    "",
    "a",
    "A",
    "ab",
    "abc",
    "ABC",
    " a ",
    "a b",
    "ä",
    "ÄÖ",
    "ß",
    "x%y",
    "x_y",
    "a\\b",
    "100",
    " 42 ",
    "-7",
    "1.5",
    "true",
    "f",
    "N",
    "paid",
    "zebra",
    "日本語",
    "aXbXc",
    "  ",
    "1e3",
    "NaN",
    "it''s",
];
const CHARS: &[&str] = &["", "a", "ab", "N", " a", "abc", "abcde", "ä", "42", "x%"];
const DATES: &[&str] = &[
    "2000-01-01",
    "2026-01-31",
    "1999-12-31",
    "2024-02-29",
    "infinity",
    "-infinity",
    "0044-03-15 BC",
    "4713-01-01 BC",
    "5874897-12-31",
    "1900-03-01",
    "294276-12-31",
    "294277-01-01",
];
const STAMPS: &[&str] = &[
    "2000-01-01 00:00:00",
    "2026-01-31 12:34:56.789",
    "1999-12-31 23:59:59.999999",
    "2024-02-29 00:00:00",
    "infinity",
    "-infinity",
    "0001-01-01 00:00:00",
    "4713-01-01 00:00:00 BC",
    "1969-07-20 20:17:40",
];
const ZONED: &[&str] = &[
    "2000-01-01 00:00:00+00",
    "2026-01-31 12:34:56.5+01",
    "infinity",
    "1900-01-01 00:00:00-05:30",
];
const UUIDS: &[&str] = &[
    "00000000-0000-0000-0000-000000000000",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
];
const BOOLS: &[&str] = &["true", "false"];

pub fn columns() -> Vec<Column> {
    let column = |name, declared, sql_type, collation, pool| Column {
        name,
        declared,
        sql_type,
        collation,
        pool,
    };
    let labels = LABELS.iter().map(|&label| label.to_owned()).collect();
    vec![
        column("b", "boolean", SqlType::Bool, "", BOOLS),
        column("b2", "boolean", SqlType::Bool, "", BOOLS),
        column("i2", "smallint", SqlType::Int2, "", INTS),
        column("i4", "integer", SqlType::Int4, "", INTS4),
        column("j4", "integer", SqlType::Int4, "", INTS),
        column("i8", "bigint", SqlType::Int8, "", INTS8),
        column("n", "numeric", SqlType::Numeric, "", NUMERICS),
        column("m", "numeric(10,2)", SqlType::Numeric, "", MONEY),
        column("f4", "real", SqlType::Float4, "", REALS),
        column("f8", "double precision", SqlType::Float8, "", DOUBLES),
        column("s", "text", SqlType::Text, "default", TEXTS),
        column("sc", "text COLLATE \"C\"", SqlType::Text, "C", TEXTS),
        column("v", "varchar(20)", SqlType::Text, "default", TEXTS),
        column("c", "char(5)", SqlType::Bpchar, "default", CHARS),
        column("d", "date", SqlType::Date, "", DATES),
        column("t", "timestamp", SqlType::Timestamp, "", STAMPS),
        column("z", "timestamptz", SqlType::TimestampTz, "", ZONED),
        column("u", "uuid", SqlType::Uuid, "", UUIDS),
        column("e", "wb_e", SqlType::Enum(labels), "", &LABELS),
    ]
}

/// Resolves a column's name to its number.
pub struct Table(pub Vec<Column>);

impl Names for Table {
    fn resolve(&self, qualifier: Option<&str>, name: &str) -> Result<Leaf, String> {
        let at = self
            .0
            .iter()
            .position(|column| column.name == name && qualifier.is_none());
        let column = at
            .and_then(|at| self.0.get(at))
            .ok_or_else(|| format!("unknown column \"{name}\""))?;
        Ok(Leaf {
            slot: u16::try_from(at.unwrap_or(0)).unwrap(),
            sql_type: column.sql_type.clone(),
            nullable: Nullable::Yes,
            collation: column.collation.to_owned(),
        })
    }
}

/// A row as the stream tells it; a slot that is hidden is not known.
#[derive(Clone, Debug)]
pub struct Row {
    pub values: Vec<Option<String>>,
    pub hidden: Vec<u16>,
}

impl Operands for Row {
    fn operand(&self, slot: u16) -> Operand<'_> {
        match self.values.get(usize::from(slot)) {
            _ if self.hidden.contains(&slot) => Operand::Unknown,
            Some(Some(text)) => Operand::Text(text.as_bytes()),
            Some(None) | None => Operand::Null,
        }
    }
}

/// A value of a column: one of its pool, or made up where its type has many.
fn made(random: &mut Random, column: &Column) -> String {
    let digits = |random: &mut Random, most: usize| -> String {
        (0..=random.below(most))
            .map(|_| char::from(b"0123456789"[random.below(10)]))
            .collect()
    };
    match column.sql_type {
        _ if random.one_in(2) => random.pick(column.pool).to_owned(),
        SqlType::Numeric if column.declared == "numeric" => {
            let sign = random.pick(&["", "-", ""]);
            format!("{sign}{}.{}", digits(random, 40), digits(random, 30))
        }
        SqlType::Float8 => format!("{}.{}e{}", digits(random, 3), digits(random, 16), random.below(40)),
        SqlType::Float4 => format!("{}.{}e-{}", digits(random, 3), digits(random, 9), random.below(9)),
        SqlType::Int4 => digits(random, 8),
        SqlType::Int8 => digits(random, 17),
        SqlType::Text => {
            let letters = ["a", "A", "b", "%", "_", "\\", " ", "ä", "N", "1", "x"];
            (0..random.below(9)).map(|_| random.pick(&letters)).collect()
        }
        SqlType::Date => format!(
            "{}-{:02}-{:02}",
            1000 + random.below(2000),
            1 + random.below(12),
            1 + random.below(28)
        ),
        _ => random.pick(column.pool).to_owned(),
    }
}

/// Fills the table with random rows and reads them back in the server's own output format.
pub fn fill(sql: &mut Sql, table: &Table, random: &mut Random, rows: usize) -> Vec<Row> {
    sql.run("TRUNCATE wb_t").unwrap();
    for id in 0..rows {
        let values: Vec<String> = table
            .0
            .iter()
            .map(|column| {
                if random.one_in(6) {
                    "NULL".to_owned()
                } else {
                    format!("'{}'", made(random, column))
                }
            })
            .collect();
        sql.run(&format!("INSERT INTO wb_t VALUES ({id}, {})", values.join(", ")))
            .unwrap();
    }
    let names: Vec<&str> = table.0.iter().map(|column| column.name).collect();
    let read = sql
        .simple(&format!("SELECT {} FROM wb_t ORDER BY id", names.join(", ")))
        .unwrap();
    read.into_iter()
        .map(|values| Row {
            values,
            hidden: Vec::new(),
        })
        .collect()
}

/// The function that evaluates an expression on a row and catches its error.
const ORACLE: &str = "CREATE OR REPLACE FUNCTION wb_evaluate(e text, r int) RETURNS text LANGUAGE plpgsql AS $f$
    DECLARE v text; k text;
    BEGIN
        EXECUTE 'SELECT v, pg_typeof(v) FROM (SELECT (' || e || ') AS v FROM wb_t WHERE id = $1 OFFSET 0) q'
            INTO v, k USING r;
        RETURN k || coalesce('=' || v, '');
    EXCEPTION WHEN OTHERS THEN RETURN 'error ' || SQLSTATE || ' ' || SQLERRM;
    END $f$";

/// A database of a test's own, dropped at the end.
pub struct Oracle {
    pub sql: Sql,
    url: String,
    database: &'static str,
}

impl Drop for Oracle {
    fn drop(&mut self) {
        if let Ok(mut root) = Sql::connect_as(&self.url, &Trust::of(Tls::Disable)) {
            let dropped = root.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database));
            assert!(
                dropped.is_ok() || std::thread::panicking(),
                "cannot drop {}",
                self.database
            );
        }
    }
}

/// Makes a database of its own, or says why not.
pub fn connect(table: &Table, database: &'static str) -> Option<Oracle> {
    let Ok(url) = std::env::var("WALBRIDGE_TEST_PG") else {
        eprintln!("skipped: WALBRIDGE_TEST_PG is not set");
        return None;
    };
    let mut root = Sql::connect_as(&url, &Trust::of(Tls::Disable)).unwrap();
    root.run(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))
        .unwrap();
    root.run(&format!(
        "CREATE DATABASE {database} TEMPLATE template0 LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' ENCODING 'UTF8'"
    ))
    .unwrap();
    let (server, _) = url.rsplit_once('/').unwrap();
    let mut sql = Sql::connect_as(&format!("{server}/{database}"), &Trust::of(Tls::Disable)).unwrap();
    sql.run("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET search_path = public")
        .unwrap();
    sql.run(&format!("CREATE TYPE wb_e AS ENUM ('{}')", LABELS.join("', '")))
        .unwrap();
    let declared: Vec<String> = table.0.iter().map(|c| format!("{} {}", c.name, c.declared)).collect();
    sql.run(&format!(
        "CREATE TABLE wb_t (id int PRIMARY KEY, {})",
        declared.join(", ")
    ))
    .unwrap();
    sql.run(ORACLE).unwrap();
    Some(Oracle { sql, url, database })
}

/// What the server says of every expression on every row.
pub fn ask(sql: &mut Sql, expressions: &[String], rows: usize) -> Vec<Vec<String>> {
    let rows = i32::try_from(rows).unwrap();
    let answers = sql
        .ask(
            "SELECT wb_evaluate(e, r) FROM unnest($1::text[]) WITH ORDINALITY AS x (e, o), generate_series(0, $2 - 1) AS r \
             ORDER BY o, r",
            &[&expressions, &rows],
        )
        .unwrap();
    let answers: Vec<String> = answers.iter().map(|row| row.get(0)).collect();
    answers
        .chunks(usize::try_from(rows).unwrap())
        .map(<[String]>::to_vec)
        .collect()
}
