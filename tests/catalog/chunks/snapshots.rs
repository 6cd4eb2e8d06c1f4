//! Each chunk is one snapshot, held for a short while.

use std::time::{Duration, Instant};

use walbridge::flow::position::Lsn;
use walbridge::source::SourceError;
use walbridge::source::postgres::chunk::ChunkReader;
use walbridge::source::postgres::sql::Sql;

use crate::chunks::{ALL, planned, reader, told};
use crate::world::World;

const WRITES: usize = 3000;

#[test]
fn a_chunk_holds_what_its_snapshot_sees_and_its_horizon_lies_behind() {
    let Some(mut world) = World::new("chunk_busy") else {
        return;
    };
    world.run("CREATE TABLE busy (id int PRIMARY KEY, x xid8, l pg_lsn)");
    let plan = planned(&mut world, "busy", &["id", "x", "l"]).unwrap();
    let settings = world.settings.clone();
    let writer = std::thread::spawn(move || {
        let mut sql = Sql::connect(&settings).unwrap();
        sql.run("SET default_transaction_read_only = off; SET synchronous_commit = off")
            .unwrap();
        for id in 1..=WRITES {
            sql.run(&format!(
                "INSERT INTO public.busy VALUES ({id}, pg_current_xact_id(), pg_current_wal_insert_lsn())"
            ))
            .unwrap();
        }
    });
    let mut reader = reader(&world);
    let mut seen = Vec::new();
    let mut xids = Vec::new();
    while xids.len() < WRITES {
        let chunk = reader.read(&plan, None, WRITES * 2, ALL).unwrap();
        let horizon = chunk.horizon;
        seen.push((chunk.snapshot.clone(), chunk.rows.len()));
        xids.clear();
        for row in told(&[chunk], &plan) {
            let [_, xid, lsn] = row.try_into().unwrap();
            assert!(lsn.unwrap().parse::<Lsn>().unwrap() <= horizon);
            xids.push(xid.unwrap().parse::<u32>().unwrap());
        }
    }
    assert!(seen.len() > 2, "it was read while it was written to");
    for (snapshot, rows) in seen {
        let expected = xids.iter().filter(|xid| snapshot.sees(**xid)).count();
        assert_eq!(rows, expected, "{snapshot:?}");
    }
    writer.join().unwrap();
}

#[test]
fn a_snapshot_is_given_up_after_its_time() {
    let Some(mut world) = World::new("chunk_time") else {
        return;
    };
    world.run("CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)");
    let plan = planned(&mut world, "one", &["id"]).unwrap();
    world.settings.snapshot_max = Duration::from_millis(200);
    let mut reader = ChunkReader::connect(&world.settings).unwrap();
    world.run("BEGIN; LOCK TABLE one");
    let begun = Instant::now();
    let refused = reader.read(&plan, None, 9, ALL);
    assert!(
        matches!(&refused, Err(SourceError::Transient(what)) if what.contains("57014")),
        "{refused:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5), "the server ended it");
    world.run("COMMIT");
    assert_eq!(reader.read(&plan, None, 9, ALL).unwrap().rows.len(), 1, "it goes on");
}
