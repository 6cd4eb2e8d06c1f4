//! Rows, acknowledgements, two holders, and a lost connection.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use walbridge::flow::change::Asked;
use walbridge::flow::position::Lsn;
use walbridge::source::postgres::settings::{Create, Publish};
use walbridge::source::postgres::sql::Sql;
use walbridge::source::postgres::{Postgres, setup, slot};
use walbridge::source::{Hold, Source as _, SourceError};

use crate::reader::{Heard, begin, hold};
use crate::world::{World, halted};

fn confirmed(world: &mut World) -> Option<Lsn> {
    let facts = slot::read(&mut world.admin, &world.settings.slot).unwrap();
    facts.and_then(|facts| facts.confirmed_flush)
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_first_start_makes_the_slot_and_rows_come_as_steps() {
    let Some(mut world) = World::new("rows") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY, total numeric, note text, at timestamptz, big text)")
        .run("CREATE TABLE hist (a int, d interval, b bytea); ALTER TABLE hist REPLICA IDENTITY FULL")
        .run("ALTER ROLE postgres IN DATABASE \"wb \"\"rows'\" SET datestyle = 'German'")
        .run("ALTER TABLE ord ALTER big SET STORAGE EXTERNAL")
        .follow("ord", Publish::Everything)
        .follow("hist", Publish::Everything);
    world.settings.create = Create::OnFirstStart;
    let mut source = Postgres::new(world.settings.clone());
    assert_eq!(hold(&mut source), Lsn::INVALID);
    assert!(slot::read(&mut world.admin, &world.settings.slot).unwrap().is_none());
    let mut second = Postgres::new(world.settings.clone());
    assert_eq!(second.hold().unwrap(), Hold::Busy);
    let first = source.prove(None).unwrap().checkpoint;
    assert_eq!(confirmed(&mut world), Some(first.commit_end_lsn));
    assert_eq!(
        first.system_identifier,
        setup::server(&mut world.admin).unwrap().system_identifier
    );
    assert_eq!(first.tables.len(), 2);
    world
        .run(
            "INSERT INTO ord VALUES (1, 1.50, 'né', '2024-02-29 12:00+02', repeat('x', 9000)), (2, NULL, '', NULL, '')",
        )
        .run("UPDATE ord SET total = 'NaN' WHERE id = 1; UPDATE ord SET id = 3 WHERE id = 2")
        .run("INSERT INTO hist VALUES (7, '1 day 02:00', '\\x00ff'); UPDATE hist SET a = 8; DELETE FROM hist")
        .run("DO $$ BEGIN PERFORM pg_logical_emit_message(true, 'x', 'y'); DELETE FROM ord WHERE id = 1; END $$")
        .run("TRUNCATE ord, hist");
    let mut heard = Heard::default();
    heard.commits(&mut source, 5).unwrap();
    let expected = "begin|public.ord + 1,1.50,né,2024-02-29 10:00:00+00,9000 bytes|public.ord + 2,null,,null,|commit|\
         begin|public.ord same > 1,NaN,né,2024-02-29 10:00:00+00,?|public.ord key 2,null,null,null,null > 3,null,,null,|commit|\
         begin|public.hist + 7,1 day 02:00:00,\\x00ff|public.hist full 7,1 day 02:00:00,\\x00ff > 8,1 day 02:00:00,\\x00ff|\
         public.hist - full 8,1 day 02:00:00,\\x00ff|commit|\
         begin|public.ord - key 1,null,null,null,null|commit|begin|truncate public.ord, public.hist|commit";
    let expected: Vec<&str> = expected.split('|').collect();
    assert_eq!(heard.lines, expected);
}

#[test]
fn what_is_acknowledged_shows_at_the_server_and_is_not_told_again() {
    let Some(mut world) = World::new("ack") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY)")
        .follow("ord", Publish::Everything);
    let made = world.apply().unwrap().created_slot.unwrap();
    let mut source = Postgres::new(world.settings.clone());
    assert_eq!(
        halted({
            hold(&mut source);
            source.prove(None)
        })
        .code,
        "source.slot_without_position"
    );
    let stored = world.first(made);
    let mut stored = walbridge::flow::checkpoint::Checkpoint {
        system_identifier: setup::server(&mut world.admin).unwrap().system_identifier,
        ..stored
    };
    assert_eq!(hold(&mut source), made);
    source.prove(Some(stored.clone())).unwrap();
    // Open since before the position, so that the server keeps the log behind it, whatever else it does.
    let mut open = Sql::connect(&world.settings).unwrap();
    open.run("BEGIN READ WRITE; INSERT INTO public.ord VALUES (0)").unwrap();
    world
        .run("INSERT INTO ord VALUES (1)")
        .run("INSERT INTO ord VALUES (2)");
    let mut heard = Heard::default();
    heard.commits(&mut source, 1).unwrap();
    let first = heard.last_end_lsn.unwrap();
    assert_eq!(confirmed(&mut world), Some(made));
    source.acknowledge(first);
    source.acknowledge(made);
    heard.commits(&mut source, 2).unwrap();
    wait_for("the acknowledgement", || confirmed(&mut world) == Some(first));
    // The second one was read and is not acknowledged: it comes again.
    drop(source);
    stored.commit_end_lsn = first;
    let mut source = Postgres::new(world.settings.clone());
    begin(&mut source, Some(stored.clone()));
    let mut heard = Heard::default();
    heard.commits(&mut source, 1).unwrap();
    assert_eq!(heard.lines, ["begin", "public.ord + 2", "commit"]);
    // What is acknowledged last is told in parting.
    let second = heard.last_end_lsn.unwrap();
    source.acknowledge(second);
    drop(source);
    wait_for("the last acknowledgement", || confirmed(&mut world) == Some(second));
    let mut source = Postgres::new(world.settings.clone());
    assert_eq!(hold(&mut source), second);
    assert_eq!(halted(source.prove(Some(stored))).code, "source.slot_ahead");
    assert!(matches!(source.next(Duration::ZERO), Err(SourceError::Transient(_))));
}

#[test]
fn one_holds_the_slot_and_another_takes_over_when_it_is_gone() {
    let Some(mut world) = World::new("busy") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY)")
        .follow("ord", Publish::Everything);
    world.settings.create = Create::OnFirstStart;
    let mut source = Postgres::new(world.settings.clone());
    let stored = begin(&mut source, None);
    let mut second = Postgres::new(world.settings.clone());
    for _ in 0..3 {
        assert_eq!(second.hold().unwrap(), Hold::Busy);
    }
    drop(source);
    assert_eq!(begin(&mut second, Some(stored.clone())), stored);
    world.run("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'wb_busy'");
    let mut heard = Heard::default();
    let lost = heard.until(&mut second, |_| false);
    assert!(
        matches!(&lost, Err(SourceError::Transient(why)) if why.contains("57P01")),
        "{lost:?}"
    );
    assert!(matches!(second.next(Duration::ZERO), Err(SourceError::Transient(_))));
    begin(&mut second, Some(stored));
    world.run("INSERT INTO ord VALUES (1)");
    heard.commits(&mut second, 1).unwrap();
    // Without its slot the position proves nothing.
    drop(second);
    let stored = world.first(heard.last_end_lsn.unwrap());
    wait_for("the slot is free", || {
        let facts = slot::read(&mut world.admin, "wb_busy").unwrap();
        facts.is_none_or(|facts| facts.active_pid.is_none())
    });
    world.run("SELECT pg_drop_replication_slot('wb_busy')");
    let mut third = Postgres::new(world.settings.clone());
    assert_eq!(hold(&mut third), Lsn::INVALID);
    assert!(matches!(third.prove(Some(stored)), Err(SourceError::Halt(_))));
    assert!(slot::read(&mut world.admin, "wb_busy").unwrap().is_none());
}

#[test]
fn an_idle_stream_tells_how_far_the_log_was_read() {
    let Some(mut world) = World::new("idle") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY); CREATE TABLE other (id int)")
        .follow("ord", Publish::Everything);
    world.settings.create = Create::OnFirstStart;
    let mut source = Postgres::new(world.settings.clone());
    let first = begin(&mut source, None).commit_end_lsn;
    let mut heard = Heard::default();
    heard.step(&mut source).unwrap();
    assert!(heard.idle.unwrap().seen_lsn >= first && heard.idle.unwrap().asked == Asked::No);
    world.run("INSERT INTO other SELECT generate_series(1, 1000)");
    let end = setup::server(&mut world.admin).unwrap().end_lsn;
    heard
        .until(&mut source, |heard| heard.idle.is_some_and(|idle| idle.seen_lsn >= end))
        .unwrap();
    // Before PostgreSQL 15 an empty transaction is told.
    let empty = |line: &String| line == "begin" || line == "commit";
    assert!(heard.lines.iter().all(empty), "{:?}", heard.lines);
    source.acknowledge(heard.idle.unwrap().seen_lsn);
    wait_for("the idle progress", || {
        confirmed(&mut world) == Some(heard.idle.unwrap().seen_lsn)
    });
}

#[test]
fn of_many_that_try_at_once_one_holds_the_slot() {
    let Some(mut world) = World::new("many") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY)")
        .follow("ord", Publish::Everything);
    world.apply().unwrap();
    let holders = AtomicUsize::new(0);
    let turns = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut source = Postgres::new(world.settings.clone());
                while turns.load(Ordering::Relaxed) < 40 {
                    if source.hold().unwrap() == Hold::Busy {
                        continue;
                    }
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                    turns.fetch_add(1, Ordering::Relaxed);
                    holders.fetch_sub(1, Ordering::SeqCst);
                    source = Postgres::new(world.settings.clone());
                }
            });
        }
    });
}
