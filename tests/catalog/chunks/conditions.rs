//! Only rows that are wanted are read, in chunks that pass by no more of the table than others.

use walbridge::source::postgres::chunk::{ChunkPlan, Conditions};

use crate::chunks::{ALL, chunks, planned, reader, told};
use crate::world::{World, halted};

fn only(plan: ChunkPlan, all: &[&str]) -> ChunkPlan {
    ChunkPlan {
        conditions: Conditions {
            entity: "Order".to_owned(),
            all: all.iter().map(|&text| text.to_owned()).collect(),
        },
        ..plan
    }
}

#[test]
fn a_chunk_ends_where_its_range_does_however_few_rows_are_wanted() {
    let Some(mut world) = World::new("chunk_rare") else {
        return;
    };
    world.run(
        "CREATE TABLE rare (id int PRIMARY KEY, v text); \
         INSERT INTO rare SELECT n, 'row ' || n FROM generate_series(1, 1000) AS n",
    );
    let plan = planned(&mut world, "rare", &["id"]).unwrap();
    let plan = only(plan, &["v = 'row 850' or id = 1 -- and none else )", "id > 1"]);
    let read = chunks(&mut reader(&world), &plan, 100, ALL);
    let sizes: Vec<usize> = read.iter().map(|chunk| chunk.rows.len()).collect();
    assert_eq!(sizes, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(told(&read, &plan), [[Some("850".to_owned())]]);
    let ends: Vec<Option<String>> = read
        .into_iter()
        .map(|chunk| chunk.next.map(|key| key.0.join(",")))
        .collect();
    assert_eq!(ends[..2], [Some("100".to_owned()), Some("200".to_owned())]);
}

#[test]
fn a_condition_that_cannot_be_computed_halts_without_the_row() {
    let Some(mut world) = World::new("chunk_uncomputable") else {
        return;
    };
    world.run("CREATE TABLE odd (id int PRIMARY KEY, v text); INSERT INTO odd VALUES (1, '7'), (2, 'secret')");
    let plan = planned(&mut world, "odd", &["id"]).unwrap();
    let plan = only(plan, &["v::int > 5"]);
    let finding = halted(reader(&world).read(&plan, None, 9, ALL));
    assert_eq!(finding.code, "backfill.condition");
    let said = finding.to_string();
    assert!(
        said.contains("Order") && said.contains("v::int > 5") && said.contains("22P02"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
}
