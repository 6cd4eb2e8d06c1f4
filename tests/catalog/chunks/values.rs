//! What is read has the bytes that the stream sends for it.

use walbridge::flow::change::{Change, Tuple};
use walbridge::source::postgres::pgoutput::{Message, decode};

use crate::chunks::{ALL, chunks, planned, reader};
use crate::world::World;

/// Types, and three values of each; what is missing is null.
const TYPES: [(&str, [&str; 3]); 38] = [
    ("boolean", ["true", "false", ""]),
    ("smallint", ["-32768", "0", "32767"]),
    ("bigint", ["-9223372036854775808", "0", "7"]),
    ("real", ["'1.1'", "'-0'", "'3.4028235e38'"]),
    ("double precision", ["0.1::float8 + 0.2", "'NaN'", "'-Infinity'"]),
    ("numeric", ["'1.000'", "'-1e-30'", "'NaN'"]),
    ("numeric(10,2)", ["1.5", "99999999.99", ""]),
    (
        "text",
        ["''", "E'\\\\N\\t\\\\t\\n\\r\\b\\f\\x0b\\\\.'", "'\u{e4}\u{1F600}'"],
    ),
    ("varchar(20)", ["' padded '", "E'\\\\.'", "'\\N'"]),
    ("char(5)", ["'ab'", "''", "E'\\\\'"]),
    ("\"char\"", ["'a'", "''", "E'\\\\'"]),
    ("name", ["'a name'", "''", ""]),
    ("bytea", ["'\\x00ff5c0a'", "''", ""]),
    ("date", ["'2024-02-29'", "'0044-03-15 BC'", "'infinity'"]),
    ("time", ["'23:59:59.999999'", "'24:00'", "'00:00'"]),
    ("timetz", ["'12:00+05:30'", "'00:00-15:59'", ""]),
    (
        "timestamp(3)",
        ["'2024-12-31 23:59:59.9996'", "'-infinity'", "'12345-01-01'"],
    ),
    (
        "timestamptz",
        ["'2024-07-01 12:00+02'", "'0001-01-01 00:00+14 BC'", "'1900-01-01'"],
    ),
    ("interval", ["'1 year -2 days 03:04:05.6'", "'0'", "'-1 mon'"]),
    ("uuid", ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "", ""]),
    ("json", ["'{\"a\" :  [1,\"\\n\"]}'", "'null'", ""]),
    ("jsonb", ["'{\"b\":1, \"a\" :  [1,\"\\n\\t\\\\\"]}'", "'null'", ""]),
    ("mood", ["'sad'", "'it''s'", "'Ok\\'"]),
    ("nr", ["1.25", "-7", ""]),
    ("pair", ["ROW(1, 'a,\"b')", "ROW(NULL, '')", "ROW(2, E'\\\\')"]),
    ("int[]", ["'{1,NULL,3}'", "'{}'", "'[2:3][1:1]={{1},{2}}'"]),
    ("text[]", ["ARRAY['a\"b', E'\\\\', NULL, 'NULL', E'\\t']", "'{}'", ""]),
    (
        "timestamptz[]",
        ["ARRAY['2024-07-01 12:00+02'::timestamptz]", "'{}'", ""],
    ),
    ("point", ["'(0.1,1e300)'", "'(-0,NaN)'", ""]),
    ("inet", ["'10.0.0.1/8'", "'::1'", ""]),
    ("cidr", ["'10.0.0.0/8'", "'::/0'", ""]),
    ("macaddr", ["'08:00:2B:01:02:03'", "", ""]),
    ("bit(3)", ["B'101'", "B'000'", ""]),
    ("money", ["'-1234.50'", "0", ""]),
    ("regclass", ["'public.wide'::regclass", "'pg_class'::regclass", "0"]),
    ("tsvector", ["to_tsvector('english', 'it''s a \\ fat cat')", "''", ""]),
    ("tstzrange", ["'[2024-01-01 00:00+01,)'", "'empty'", ""]),
    ("pg_lsn", ["'16/B374D848'", "'0/0'", ""]),
];

fn wide(world: &mut World) {
    let columns: Vec<String> = TYPES
        .iter()
        .enumerate()
        .map(|(at, (kind, _))| format!("c{at} {kind}"))
        .collect();
    let row = |which: usize| {
        let values = TYPES.iter().map(|(kind, values)| match *values.get(which).unwrap() {
            "" => "NULL".to_owned(),
            value => format!("({value})::{kind}"),
        });
        format!("({which}, {})", values.collect::<Vec<_>>().join(", "))
    };
    world.run(&format!(
        "CREATE TYPE mood AS ENUM ('sad', 'it''s', 'Ok\\'); CREATE DOMAIN nr AS numeric(10,2); \
         CREATE TYPE pair AS (a int, b text); CREATE TABLE wide (id int PRIMARY KEY, {}); CREATE PUBLICATION p FOR TABLE wide",
        columns.join(", ")
    ));
    let slot = format!(
        "SELECT pg_create_logical_replication_slot('{}', 'pgoutput')",
        world.settings.slot
    );
    world.admin.simple(&slot).unwrap();
    world.run(&format!(
        "INSERT INTO wide VALUES {}, {}, {}; INSERT INTO wide (id) VALUES (3)",
        row(0),
        row(1),
        row(2)
    ));
}

#[test]
fn values_are_read_as_the_stream_tells_them() {
    let Some(mut world) = World::new("chunk_values") else {
        return;
    };
    wide(&mut world);
    let database = walbridge::source::postgres::sql::quote::ident(&world.settings.login.database);
    for (name, value) in [
        ("DateStyle", "German"),
        ("IntervalStyle", "iso_8601"),
        ("TimeZone", "Asia/Tokyo"),
        ("extra_float_digits", "-9"),
        ("bytea_output", "escape"),
        ("search_path", "public"),
    ] {
        world
            .admin
            .run(&format!("ALTER DATABASE {database} SET {name} = '{value}'"))
            .unwrap();
    }
    let names: Vec<String> = (0..TYPES.len()).map(|at| format!("c{at}")).collect();
    let columns: Vec<&str> = ["id"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let plan = planned(&mut world, "wide", &columns).unwrap();
    let read = chunks(&mut reader(&world), &plan, 3, ALL);
    // The slot's changes are written as this session would write them: it takes the settings of the stream's.
    world
        .admin
        .run("SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = 'hex'")
        .unwrap();
    let changes = format!(
        "SELECT data FROM pg_logical_slot_get_binary_changes('{}', NULL, NULL, 'proto_version', '1', 'publication_names', 'p')",
        world.settings.slot
    );
    let messages: Vec<Vec<u8>> = world
        .admin
        .ask(&changes, &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let rows: Vec<_> = read.iter().flat_map(|chunk| &chunk.rows).collect();
    let mut at = 0;
    for message in &messages {
        if let Message::Change { change, .. } = decode(message).unwrap() {
            let new = Tuple::new(u16::try_from(columns.len()).unwrap(), &rows[at].tuple);
            assert_eq!(change, Change::Insert { new }, "row {at}");
            at += 1;
        }
    }
    assert_eq!((at, rows.len()), (4, 4));
}
