//! Some partitions of a table are read, and no others.

use walbridge::source::postgres::chunk::{ChunkPlan, Cursor};

use crate::chunks::plans::road;
use crate::chunks::{ALL, chunks, planned, reader, told};
use crate::world::World;

/// The plan for these partitions of a table.
fn within(world: &mut World, table: &str, partitions: &[&str]) -> ChunkPlan {
    let whole = planned(world, table, &["id", "at"]).unwrap();
    let oid = |world: &mut World, name: &&str| {
        let row = world
            .admin
            .row(&format!("SELECT 'public.{name}'::regclass::oid"))
            .unwrap();
        row.first().cloned().flatten().unwrap().parse().unwrap()
    };
    ChunkPlan {
        within: partitions.iter().map(|name| oid(world, name)).collect(),
        ..whole
    }
}

/// Ids of the rows that are read by it, in chunks of four.
fn ids(world: &World, plan: &ChunkPlan) -> String {
    let read = chunks(&mut reader(world), plan, 4, ALL);
    let mut ids: Vec<String> = told(&read, plan)
        .into_iter()
        .map(|row| row.first().cloned().flatten().unwrap())
        .collect();
    ids.sort_by_key(|id| id.parse::<i32>().unwrap());
    ids.join(" ")
}

const PARTS: &str = "CREATE TABLE parts (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); \
     CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM ('2024-02-01') TO ('2024-03-01'); \
     CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (id); \
     CREATE TABLE parts_b1 PARTITION OF parts_b FOR VALUES IN (1, 3, 5); \
     CREATE TABLE parts_b2 PARTITION OF parts_b DEFAULT; \
     CREATE TABLE parts_d PARTITION OF parts DEFAULT; \
     INSERT INTO parts SELECT n, date '2024-02-01' + n, 'a' FROM generate_series(1, 5) n; \
     INSERT INTO parts SELECT n, date '2025-02-01' + n, 'b' FROM generate_series(1, 5) n; \
     INSERT INTO parts SELECT n, date '2027-01-01' + n, 'd' FROM generate_series(6, 8) n";

#[test]
fn the_server_looks_into_no_other_partition() {
    let Some(mut world) = World::new("chunk_part") else {
        return;
    };
    world.run(PARTS);
    for leaf in ["parts_a", "parts_b1", "parts_b2"] {
        let plan = within(&mut world, "parts", &[leaf]);
        let bounds = world.admin.simple(&plan.bounds().unwrap()).unwrap();
        let bounds: Vec<String> = bounds.into_iter().flatten().flatten().collect();
        assert_eq!(bounds.len(), 1);
        let plan = plan.bounded(&bounds);
        let after = Cursor(vec!["5".to_owned(), "2024-06-01".to_owned()]);
        for query in [plan.walk(Some(&after), 1000), plan.statement(None, Some(&after))] {
            let looks = road(&mut world, &query.unwrap());
            let scans: Vec<&str> = looks.lines().filter(|line| line.contains("Scan")).collect();
            let is_of_leaf = |scan: &&str| scan.contains(&format!(" on {leaf} "));
            assert!(scans.len() == 1 && scans.iter().all(is_of_leaf), "{looks}");
        }
    }
}

#[test]
fn partitions_of_every_kind_are_read_in_whatever_form_dates_are_shown() {
    let Some(mut world) = World::new("chunk_parts") else {
        return;
    };
    world.run(PARTS).run(
        "CREATE TABLE hashed (id int, at date, PRIMARY KEY (id, at)) PARTITION BY HASH (id); \
         CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
         CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
         INSERT INTO hashed SELECT n, '2024-01-01' FROM generate_series(1, 9) n; \
         CREATE TABLE alone (id int, at date, PRIMARY KEY (id, at)) PARTITION BY LIST (id); \
         CREATE TABLE alone_d PARTITION OF alone DEFAULT; INSERT INTO alone VALUES (1, '2024-01-01')",
    );
    world.run("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = German', current_database()); END $$");
    let asked = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM public.hashed_1";
    let hashed = world.admin.row(asked).unwrap().remove(0).unwrap();
    for (table, partitions, rows) in [
        ("parts", &["parts_a"][..], "1 2 3 4 5"),
        ("parts", &["parts_b1"], "1 3 5"),
        ("parts", &["parts_b2", "parts_d"], "2 4 6 7 8"),
        ("hashed", &["hashed_1"], hashed.as_str()),
        ("alone", &["alone_d"], "1"),
    ] {
        let plan = within(&mut world, table, partitions);
        assert_eq!(ids(&world, &plan), rows, "{partitions:?}");
    }
    // What became of it since: renamed in what it is split by; or gone, and its rows with it.
    let plan = within(&mut world, "parts", &["parts_b1", "parts_d"]);
    world.run("ALTER TABLE parts DETACH PARTITION parts_d; ALTER TABLE parts RENAME v TO w");
    assert_eq!(ids(&world, &plan), "1 3 5");
    world.run("DROP TABLE parts_b1");
    assert_eq!(ids(&world, &plan), "");
}
