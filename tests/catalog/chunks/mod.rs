//! Old rows in chunks: each once, in the key's order, whatever the key is.

use walbridge::backfill::target::row_name;
use walbridge::finding::Finding;
use walbridge::flow::cell::Cell;
use walbridge::flow::change::Tuple;
use walbridge::flow::table::TableName;
use walbridge::source::postgres::chunk::{ChunkPlan, ChunkReader, Cursor, ReadChunk};
use walbridge::source::postgres::settings::Publish;
use walbridge::source::postgres::sql::quote;

use crate::world::World;

mod conditions;
mod parts;
mod plans;
mod snapshots;
mod values;

const ALL: usize = usize::MAX;

fn planned(world: &mut World, table: &str, columns: &[&str]) -> Result<ChunkPlan, Box<Finding>> {
    world.settings.tables.clear();
    let catalog = world.follow(table, Publish::Everything).catalog();
    let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
    let facts = catalog.tables.get(&TableName::new("public", table)).unwrap();
    let all: Vec<String> = facts.columns.iter().map(|facts| facts.name.clone()).collect();
    ChunkPlan::new(facts, &columns, &all)
}

fn reader(world: &World) -> ChunkReader {
    ChunkReader::connect(&world.settings).unwrap()
}

/// Reads on to the end.
fn chunks(reader: &mut ChunkReader, plan: &ChunkPlan, rows_max: usize, bytes_max: usize) -> Vec<ReadChunk> {
    let mut out: Vec<ReadChunk> = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let chunk = reader.read(plan, after.as_ref(), rows_max, bytes_max).unwrap();
        after.clone_from(&chunk.next);
        out.push(chunk);
        if after.is_none() {
            return out;
        }
        assert!(out.len() < 1000, "it has no end");
    }
}

/// The told values of all rows, as text.
fn told(chunks: &[ReadChunk], plan: &ChunkPlan) -> Vec<Vec<Option<String>>> {
    let mut cells = Vec::new();
    let rows = chunks.iter().flat_map(|chunk| &chunk.rows);
    rows.map(|old| {
        let columns = plan.columns.len();
        let tuple = Tuple::new(u16::try_from(columns).unwrap(), &old.tuple);
        tuple.locate(&mut cells);
        let row = tuple.row(&cells);
        let text = |column| match row.cell(column) {
            Cell::Text(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
            Cell::Null => None,
            Cell::Unknown => panic!("a column is not known"),
        };
        (0..columns).map(text).collect()
    })
    .collect()
}

/// What one query says, in the session's settings.
fn selected(world: &mut World, table: &str, key: &[&str]) -> Vec<Vec<Option<String>>> {
    let key: Vec<String> = key.iter().map(|&name| quote::ident(name)).collect();
    let key = key.join(", ");
    let table = TableName::new("public", table).quoted();
    world.admin.run("SET TimeZone = 'UTC'").unwrap();
    let query = format!("SELECT {key} FROM {table} ORDER BY {key}");
    world.admin.simple(&query).unwrap()
}

/// Reads a table with this key, of 40 rows made by these expressions of `n`, in sevens.
fn read_by(world: &mut World, table: &str, key: &[(&str, &str, &str)]) {
    let quoted = TableName::new("public", table).quoted();
    let list = |of: fn(&(&str, &str, &str)) -> String| key.iter().map(of).collect::<Vec<_>>().join(", ");
    let names = list(|(name, _, _)| quote::ident(name));
    world.run(&format!(
        "CREATE TABLE {quoted} (v text, {}, PRIMARY KEY ({names})); \
         INSERT INTO {quoted} SELECT 'row ' || n, {} FROM generate_series(1, 40) AS n",
        list(|(name, kind, _)| format!("{} {kind}", quote::ident(name))),
        list(|(_, _, value)| (*value).to_owned()),
    ));
    let names: Vec<&str> = key.iter().map(|(name, _, _)| *name).collect();
    let plan = planned(world, table, &names).unwrap();
    let read = chunks(&mut reader(world), &plan, 7, ALL);
    let sizes: Vec<usize> = read.iter().map(|chunk| chunk.rows.len()).collect();
    assert_eq!(sizes, [7, 7, 7, 7, 7, 5], "{table}");
    let rows = told(&read, &plan);
    assert_eq!(rows, selected(world, table, &names), "{table}");
    for (row, old) in rows.iter().zip(read.iter().flat_map(|chunk| &chunk.rows)) {
        let values = row.iter().map(|value| value.as_ref().unwrap().as_bytes());
        assert_eq!(old.name, row_name(values), "{table}");
    }
}

const TEXTS: &str = "CASE n % 5 WHEN 0 THEN 'ä' WHEN 1 THEN E'\\\\' WHEN 2 THEN E'Z\\t''' WHEN 3 THEN 'z\"' \
     ELSE E'\\n' END || n";

#[test]
fn each_row_is_read_once_in_the_order_of_any_key() {
    let Some(mut world) = World::new("chunk_keys") else {
        return;
    };
    let world = &mut world;
    world.run("CREATE TYPE mood AS ENUM ('sad', 'it''s', 'Ok\\'); CREATE DOMAIN \"Nr\" AS numeric(10,2)");
    read_by(world, "by_int", &[("id", "int", "20 - n")]);
    read_by(world, "by_two", &[("a", "bigint", "n / 6"), ("b", "bigint", "-n")]);
    read_by(world, "by_uuid", &[("id", "uuid", "md5(n::text)::uuid")]);
    read_by(world, "by_german", &[("id", "text COLLATE \"de-x-icu\"", TEXTS)]);
    read_by(world, "by_bytes", &[("id", "text COLLATE \"C\"", TEXTS)]);
    read_by(world, "by_numeric", &[("id", "\"Nr\"", "n / 3.0 * power(-1, n)::int")]);
    read_by(
        world,
        "by_float",
        &[("id", "float8", "CASE n WHEN 1 THEN 'NaN' ELSE 1e17 / n END")],
    );
    let time = "CASE n WHEN 1 THEN '-infinity' ELSE '2024-03-31 00:59:00+01'::timestamptz + n * '7 min'::interval END";
    read_by(world, "by_time", &[("id", "timestamptz", time)]);
    read_by(
        world,
        "by_char",
        &[("id", "char(5)", "substr('abcdefg', n % 5 + 1, n % 3) || n")],
    );
    read_by(world, "by_date", &[("id", "date", "'0044-03-15 BC'::date + n * 1000")]);
    read_by(world, "by_bytea", &[("id", "bytea", "decode(md5(n::text), 'hex')")]);
    read_by(
        world,
        "O'Hara \"; --\\",
        &[("Mixed \"Case", "varchar(9)", TEXTS), ("t", "int", "n")],
    );
    read_by(
        world,
        "by_mood",
        &[("m", "mood", "(enum_range(NULL::mood))[n % 3 + 1]"), ("id", "int", "n")],
    );
}

#[test]
fn a_key_that_is_not_told_names_rows_all_the_same() {
    let Some(mut world) = World::new("chunk_untold") else {
        return;
    };
    world.run(
        "CREATE TABLE parts (v text, a int, b int, PRIMARY KEY (b, a)) PARTITION BY RANGE (a); \
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (20); \
         CREATE TABLE parts_2 (b int NOT NULL, v text, a int NOT NULL); \
         ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (20) TO (99); \
         INSERT INTO parts SELECT nullif('row ' || n, 'row 9'), n, n / 3 FROM generate_series(1, 40) AS n",
    );
    let plan = planned(&mut world, "parts", &["v", "a"]).unwrap();
    let read = chunks(&mut reader(&world), &plan, 7, ALL);
    let rows = told(&read, &plan);
    let expected: Vec<Vec<Option<String>>> = (1..41)
        .map(|n| vec![(n != 9).then(|| format!("row {n}")), Some(n.to_string())])
        .collect();
    assert_eq!(rows, expected);
    let last = read.iter().flat_map(|chunk| &chunk.rows).last().unwrap();
    assert_eq!(last.name, row_name([b"13".as_slice(), b"40"].into_iter()));
}

#[test]
fn a_chunk_is_cut_by_its_size_and_nothing_is_lost() {
    let Some(mut world) = World::new("chunk_bytes") else {
        return;
    };
    world.run(
        "CREATE TABLE big (id int PRIMARY KEY, v text); INSERT INTO big SELECT n, \
         repeat('x', CASE WHEN n = 5 THEN 2000000 ELSE 300 END) FROM generate_series(1, 30) AS n",
    );
    let plan = planned(&mut world, "big", &["id", "v"]).unwrap();
    let mut reader = reader(&world);
    let read = chunks(&mut reader, &plan, 1000, 1000);
    let ids: Vec<String> = told(&read, &plan)
        .into_iter()
        .map(|row| row[0].clone().unwrap())
        .collect();
    assert_eq!(ids, (1..31).map(|n| n.to_string()).collect::<Vec<_>>());
    let sizes: Vec<usize> = read.iter().map(|chunk| chunk.rows.len()).collect();
    assert_eq!(
        sizes[..4],
        [3, 1, 1, 3],
        "as many as fit, and one that does not fit alone"
    );
    assert_eq!(
        chunks(&mut reader, &plan, 30, ALL).len(),
        2,
        "the end is seen by an empty chunk"
    );
    world.run("TRUNCATE big");
    let empty = reader.read(&plan, None, 30, ALL).unwrap();
    assert_eq!((empty.rows.len(), empty.next), (0, None));
}

#[test]
fn a_snapshot_misses_what_is_not_committed() {
    let Some(mut world) = World::new("chunk_snapshot") else {
        return;
    };
    world.run("CREATE TABLE one (id int PRIMARY KEY)");
    let plan = planned(&mut world, "one", &["id"]).unwrap();
    let mut reader = reader(&world);
    world.run("INSERT INTO one VALUES (1)");
    world.run("BEGIN; INSERT INTO one VALUES (2)");
    let row = world
        .admin
        .simple("SELECT pg_current_xact_id(), pg_current_wal_insert_lsn()")
        .unwrap();
    let xid: u32 = row[0][0].as_ref().unwrap().parse().unwrap();
    let before: walbridge::flow::position::Lsn = row[0][1].as_ref().unwrap().parse().unwrap();
    let missing = reader.read(&plan, None, 9, ALL).unwrap();
    assert!(!missing.snapshot.sees(xid) && missing.rows.len() == 1 && missing.horizon >= before);
    world.run("COMMIT");
    let seeing = reader.read(&plan, None, 9, ALL).unwrap();
    assert!(seeing.snapshot.sees(xid) && seeing.rows.len() == 2 && seeing.horizon > missing.horizon);
    let open = world
        .admin
        .simple("SELECT FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()");
    assert_eq!(open.unwrap().len(), 0, "no transaction is left open");
}
