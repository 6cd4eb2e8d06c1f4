//! By which key a table is read, by which road, and when not at all.

use std::time::{Duration, Instant};

use walbridge::flow::table::TableName;
use walbridge::source::SourceError;
use walbridge::source::postgres::chunk::{ChunkPlan, Conditions, Cursor};
use walbridge::source::postgres::settings::Publish;
use walbridge::source::postgres::sql::Sql;

use crate::chunks::{ALL, planned, reader};
use crate::cluster::Cluster;
use crate::world::{World, halted};

fn key(plan: &ChunkPlan) -> Vec<&str> {
    plan.key.iter().map(|column| column.name.as_str()).collect()
}

/// How the server answers a query in a transaction in which chunks are read.
pub(super) fn road(world: &mut World, query: &str) -> String {
    world.admin.run("BEGIN").unwrap();
    world.admin.run(ChunkPlan::ROAD).unwrap();
    let lines = world.admin.simple(&format!("EXPLAIN {query}")).unwrap();
    world.admin.run("ROLLBACK").unwrap();
    let lines: Vec<String> = lines.into_iter().flatten().flatten().collect();
    lines.join("\n")
}

#[test]
fn a_chunk_is_one_range_of_an_index() {
    let Some(mut world) = World::new("chunk_index") else {
        return;
    };
    world.run(
        "CREATE TABLE one (v text, id bigint PRIMARY KEY); CREATE TABLE two (v text, a text, b int, PRIMARY KEY (a, b)); \
         INSERT INTO one SELECT 'row ' || n, n FROM generate_series(1, 10000) AS n; \
         INSERT INTO two SELECT 'row ' || n, n / 100, n FROM generate_series(1, 10000) AS n; \
         CREATE INDEX ON one (v); CREATE INDEX ON two (v)",
    );
    world.admin.run("VACUUM ANALYZE public.one").unwrap();
    world.admin.run("VACUUM ANALYZE public.two").unwrap();
    let cursor = |values: &[&str]| Cursor(values.iter().map(|&value| value.to_owned()).collect());
    for (table, from, to) in [
        ("one", cursor(&["100"]), cursor(&["9000"])),
        ("two", cursor(&["1", "100"]), cursor(&["90", "9000"])),
    ] {
        let plan = planned(&mut world, table, &["v"]).unwrap();
        // One that another index would answer at once.
        let narrowed = ChunkPlan {
            conditions: Conditions {
                entity: "Row".to_owned(),
                all: vec!["v = 'row 5000' -- rare".to_owned()],
            },
            ..plan.clone()
        };
        let last = road(&mut world, &plan.last_row());
        assert!(
            last.contains("Index Only Scan Backward using") && !last.contains("Sort"),
            "{last}"
        );
        let bounded = ChunkPlan {
            last: Some(to.clone()),
            ..plan.clone()
        };
        for after in [None, Some(&from)] {
            for asked in [bounded.walk(after, 1000), bounded.statement(after, None)] {
                let looks = road(&mut world, &asked.unwrap());
                let held = looks
                    .lines()
                    .find(|line| line.contains("Index Cond"))
                    .unwrap_or_default();
                let bounds = 1 + usize::from(after.is_some());
                assert!(
                    held.matches(['<', '>']).count() == bounds && !looks.contains("Filter"),
                    "{looks}"
                );
            }
            let walk = road(&mut world, &plan.walk(after, 1000).unwrap());
            assert!(
                walk.contains("Index Only Scan using") && !walk.contains("Sort"),
                "{walk}"
            );
            assert!(!walk.contains("Filter"), "{walk}");
            assert_eq!(walk.contains("Index Cond"), after.is_some(), "{walk}");
            for upto in [None, Some(&to)] {
                let all = road(&mut world, &plan.statement(after, upto).unwrap());
                assert!(all.contains("Index Scan using") && !all.contains("Sort"), "{all}");
                assert!(!all.contains("Filter"), "{all}");
                let bounds = usize::from(after.is_some()) + usize::from(upto.is_some());
                let held = all.lines().find(|line| line.contains("Index Cond")).unwrap_or_default();
                assert_eq!(held.matches(['<', '>']).count(), bounds, "{all}");
                let some = road(&mut world, &narrowed.statement(after, upto).unwrap());
                assert!(
                    some.contains(&format!("{table}_pkey")) && !some.contains("Sort"),
                    "{some}"
                );
                let filter = some.lines().find(|line| line.contains("Filter")).unwrap_or_default();
                assert!(filter.contains("row 5000") && !filter.contains(['<', '>']), "{some}");
            }
        }
    }
}

#[test]
fn rows_are_read_by_a_key_that_the_stream_carries() {
    let Some(mut world) = World::new("chunk_key") else {
        return;
    };
    world.run(
        "CREATE TABLE plain (a int PRIMARY KEY, b int NOT NULL UNIQUE, c int UNIQUE, d text NOT NULL UNIQUE, \
         g int NOT NULL GENERATED ALWAYS AS (a * 2) STORED UNIQUE)",
    );
    for (identity, expected) in [
        ("DEFAULT", "a"),
        ("FULL", "a"),
        ("USING INDEX plain_b_key", "b"),
        ("USING INDEX plain_d_key", "d"),
    ] {
        world.run(&format!("ALTER TABLE plain REPLICA IDENTITY {identity}"));
        let plan = planned(&mut world, "plain", &["c", "a"]).unwrap();
        assert_eq!(key(&plan), [expected], "{identity}");
    }
}

/// What the refusal of a table says to do.
fn repair(world: &mut World, table: &str) -> String {
    let finding = planned(world, table, &["a"]).unwrap_err();
    assert_eq!(finding.code, "backfill.no_row_identity");
    assert!(finding.what.contains(table), "{finding}");
    finding.repair.unwrap()
}

#[test]
fn a_table_without_a_usable_key_is_refused_with_its_repair() {
    let Some(mut world) = World::new("chunk_refused") else {
        return;
    };
    let world = &mut world;
    world.run(
        "CREATE TABLE bare (a int, b int UNIQUE); CREATE TABLE whole (a int, b int UNIQUE); \
         ALTER TABLE whole REPLICA IDENTITY FULL; \
         CREATE TABLE made (a int, g int NOT NULL GENERATED ALWAYS AS (a * 2) STORED UNIQUE); \
         CREATE TYPE public.pair AS (a int, b int); CREATE TABLE odd (a pair PRIMARY KEY); \
         CREATE TABLE hidden (a int PRIMARY KEY); ALTER TABLE hidden REPLICA IDENTITY NOTHING; \
         CREATE TABLE named (a int, b int NOT NULL, CONSTRAINT \"by b\" UNIQUE (b)); \
         CREATE TABLE parts (a int PRIMARY KEY) PARTITION BY RANGE (a); \
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10); \
         CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20); \
         ALTER TABLE parts_2 REPLICA IDENTITY NOTHING",
    );
    assert_eq!(repair(world, "odd"), "name another unique key of the table in `key`.");
    let what = planned(world, "odd", &["a"]).unwrap_err().what;
    assert_eq!(
        what,
        "public.odd: rows cannot be read in the order of a, which is public.pair"
    );
    for table in ["bare", "whole", "made"] {
        let expected = format!("ALTER TABLE \"public\".\"{table}\" ADD PRIMARY KEY (COLUMN, …);");
        assert_eq!(repair(world, table), expected);
    }
    for (table, expected) in [
        ("hidden", "ALTER TABLE \"public\".\"hidden\" REPLICA IDENTITY DEFAULT;"),
        (
            "named",
            "ALTER TABLE \"public\".\"named\" REPLICA IDENTITY USING INDEX \"by b\";",
        ),
        ("parts", "ALTER TABLE \"public\".\"parts_2\" REPLICA IDENTITY DEFAULT;"),
    ] {
        let said = repair(world, table);
        assert_eq!(said, expected);
        world.run(&said);
        assert!(planned(world, table, &["a"]).is_ok(), "{table}: its repair heals it");
    }
}

#[test]
fn a_cursor_of_another_key_and_hidden_rows_halt() {
    let Some(mut world) = World::new("chunk_halts") else {
        return;
    };
    world.run("CREATE TABLE one (a int PRIMARY KEY)");
    let plan = planned(&mut world, "one", &["a"]).unwrap();
    let mut by_root = reader(&world);
    let other = Cursor(vec!["1".to_owned(), "2".to_owned()]);
    assert_eq!(
        halted(by_root.read(&plan, Some(&other), 9, ALL)).code,
        "backfill.other_key"
    );
    world.run(
        "DROP ROLE IF EXISTS wb_chunk; CREATE ROLE wb_chunk LOGIN; GRANT SELECT ON one TO wb_chunk; \
         INSERT INTO one VALUES (1); ALTER TABLE one ENABLE ROW LEVEL SECURITY",
    );
    world.settings.login.user = "wb_chunk".to_owned();
    let mut by_role = reader(&world);
    assert_eq!(
        halted(by_role.read(&plan, None, 9, ALL)).code,
        "source.privilege_missing"
    );
    world.run("ALTER TABLE one DISABLE ROW LEVEL SECURITY");
    assert_eq!(
        by_role.read(&plan, None, 9, ALL).unwrap().rows.len(),
        1,
        "it connects again"
    );
    world.run("DROP OWNED BY wb_chunk; DROP ROLE wb_chunk");
}

#[test]
fn nothing_is_read_while_a_commit_waits_for_a_standby() {
    // Only the writer's commits wait.
    let conf = "synchronous_standby_names = 'nobody'\nsynchronous_commit = local\n";
    let Some(cluster) = Cluster::new(conf, "") else { return };
    let mut world = World::on(cluster.url(), "chunk_waits");
    world.run("CREATE TABLE one (a int PRIMARY KEY); CREATE ROLE wb_chunk LOGIN; GRANT SELECT ON one TO wb_chunk");
    let plan = planned(&mut world, "one", &["a"]).unwrap();
    let writer = std::thread::spawn({
        let settings = world.settings.clone();
        move || {
            let mut sql = Sql::connect(&settings).unwrap();
            sql.run("SET default_transaction_read_only = off; SET synchronous_commit = on")
                .unwrap();
            sql.run("INSERT INTO public.one VALUES (1)").unwrap();
        }
    });
    world.settings.login.user = "wb_chunk".to_owned();
    let mut reader = reader(&world);
    assert_eq!(halted(reader.read(&plan, None, 9, ALL)).code, "backfill.waits_hidden");
    world.run("GRANT pg_read_all_stats TO wb_chunk");
    let begun = Instant::now();
    let refused = loop {
        match reader.read(&plan, None, 9, ALL) {
            Err(error) => break error,
            Ok(chunk) => assert_eq!(chunk.rows.len(), 0, "the row is not seen before it waits"),
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the commit did not wait");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(
        matches!(&refused, SourceError::Transient(what) if what.contains("standby")),
        "{refused}"
    );
    world
        .admin
        .run("ALTER SYSTEM SET synchronous_standby_names = ''")
        .unwrap();
    world.admin.run("SELECT pg_reload_conf()").unwrap();
    writer.join().unwrap();
    assert_eq!(reader.read(&plan, None, 9, ALL).unwrap().rows.len(), 1);
}

#[test]
fn rows_are_read_by_a_key_that_is_published() {
    let Some(mut world) = World::new("chunk_among") else {
        return;
    };
    world
        .run("CREATE TABLE plain (a int PRIMARY KEY, b text NOT NULL UNIQUE, c text); ALTER TABLE plain REPLICA IDENTITY FULL")
        .follow("plain", Publish::Everything);
    let catalog = world.catalog();
    let facts = catalog.tables.get(&TableName::new("public", "plain")).unwrap();
    let by = |among: &[&str]| {
        let among: Vec<String> = among.iter().map(|&name| name.to_owned()).collect();
        ChunkPlan::new(facts, &["c".to_owned()], &among)
    };
    assert_eq!(key(&by(&["b"]).unwrap()), ["b"]);
    assert_eq!(key(&by(&["b", "a"]).unwrap()), ["a"]);
    assert_eq!(by(&["c"]).unwrap_err().code, "backfill.no_row_identity");
}
