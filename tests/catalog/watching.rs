//! What the watch sees, and what the next start makes of it.

use std::collections::BTreeMap;

use walbridge::source::SourceError;
use walbridge::source::postgres::proof::prove;
use walbridge::source::postgres::settings::Publish;
use walbridge::source::postgres::slot;
use walbridge::source::postgres::sql::quote;
use walbridge::source::postgres::watch::Watch;

use crate::world::{World, codes, halted, server};

/// What is done for each finding to appear.
fn steps(name: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (
            "source.table_readded",
            format!("ALTER PUBLICATION {name} DROP TABLE ord; ALTER PUBLICATION {name} ADD TABLE ord"),
        ),
        ("source.table_left", format!("ALTER PUBLICATION {name} DROP TABLE ord")),
        (
            "source.identity_weaker",
            "ALTER TABLE ord REPLICA IDENTITY DEFAULT".to_owned(),
        ),
        (
            "source.publication_altered",
            format!("ALTER PUBLICATION {name} SET (publish = 'insert')"),
        ),
        ("source.table_gone", "DROP TABLE ord".to_owned()),
        (
            "source.publication_recreated",
            format!(
                "DROP PUBLICATION {name}; CREATE PUBLICATION {name} FOR TABLE part WITH (publish_via_partition_root)"
            ),
        ),
        ("source.publication_gone", format!("DROP PUBLICATION {name}")),
    ])
}

/// Makes the next step's beginning.
fn put_back(world: &mut World, code: &str, name: &str) {
    match code {
        "source.table_readded" => {}
        "source.identity_weaker" => {
            world.run("ALTER TABLE ord REPLICA IDENTITY FULL");
        }
        "source.table_gone" => {
            world.settings.tables.retain(|one| one.name.name != "ord");
        }
        "source.publication_altered" => {
            world.run(&format!(
                "ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, truncate')"
            ));
        }
        _ => {}
    }
}

#[test]
fn a_difference_halts_the_watch_and_the_next_start() {
    let Some(mut world) = World::new("watch") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY, t text); ALTER TABLE ord REPLICA IDENTITY FULL")
        .run("CREATE TABLE part (id int, d int) PARTITION BY LIST (d); CREATE TABLE p1 PARTITION OF part FOR VALUES IN (1)")
        .run("ALTER TABLE part REPLICA IDENTITY FULL; ALTER TABLE p1 REPLICA IDENTITY FULL")
        .follow("ord", Publish::Everything)
        .follow("part", Publish::Everything);
    let lsn = world.apply().unwrap().created_slot.unwrap();
    let name = quote::ident(&world.settings.publication);
    let steps = steps(&name);
    let order = [
        "source.table_readded",
        "source.identity_weaker",
        "source.publication_altered",
        "source.table_left",
        "source.table_gone",
        "source.publication_recreated",
        "source.publication_gone",
    ];
    for code in order {
        if code == "source.table_gone" {
            world.run(&format!("ALTER PUBLICATION {name} ADD TABLE ord"));
        }
        let checkpoint = world.first(lsn);
        let mut watch = Watch::new(world.settings.clone(), checkpoint.clone());
        let seen = watch.look().unwrap();
        assert!(seen.news.is_empty() && seen.server_lsn >= lsn);
        world.run(&steps[code]);
        let finding = halted(watch.look());
        assert_eq!(finding.code, code, "{finding}");
        assert!(finding.repair.is_some(), "{finding}");
        let facts = slot::read(&mut world.admin, &world.settings.slot).unwrap();
        // Putting back what the publication tells does not tell what it did not.
        if code == "source.publication_altered" {
            put_back(&mut world, code, &name);
        }
        let confirmed = facts.as_ref().and_then(|facts| facts.confirmed_flush);
        assert_eq!(confirmed, Some(lsn), "looking does not move the slot");
        let ground = world.ground();
        let proven = prove(Some(checkpoint), facts.as_ref(), &server(), &ground, &world.settings);
        assert_eq!(halted(proven).code, code);
        if code != "source.publication_altered" {
            put_back(&mut world, code, &name);
        }
    }
}

#[test]
fn partitions_that_come_are_named_and_those_that_go_are_news() {
    let Some(mut world) = World::new("leaves") else { return };
    world
        .run("CREATE TABLE part (id int, d int, PRIMARY KEY (id, d)) PARTITION BY LIST (d); CREATE TABLE p1 PARTITION OF part FOR VALUES IN (1)")
        .run("CREATE TABLE sub (LIKE part) PARTITION BY LIST (d); ALTER TABLE sub ADD PRIMARY KEY (id, d)")
        .run("CREATE TABLE s4 PARTITION OF sub FOR VALUES IN (4)")
        .follow("part", Publish::Everything);
    let lsn = world.apply().unwrap().created_slot.unwrap();
    let checkpoint = world.first(lsn);
    let mut watch = Watch::new(world.settings.clone(), checkpoint);
    let mut seen = |world: &mut World, sql: &str| {
        world.run(sql);
        let watched = watch.look().unwrap();
        let came = watched.came.map(|partition| partition.name);
        (came, codes(&watched.news).join(" "))
    };
    let (nothing, gone) = (String::new(), "source.partition_gone".to_owned());
    let mut saw = |sql: &str, came: Option<&str>, news: &String| {
        assert_eq!(seen(&mut world, sql), (came.map(str::to_owned), news.clone()), "{sql}");
    };
    saw("SELECT 1", None, &nothing);
    saw(
        "CREATE TABLE p2 PARTITION OF part FOR VALUES IN (2)",
        Some("p2"),
        &nothing,
    );
    saw("INSERT INTO part VALUES (1, 2)", None, &nothing);
    // Of what happened to it while it was away nothing was told, and its rows may have gone.
    saw(
        "ALTER TABLE part DETACH PARTITION p2; ALTER TABLE part ATTACH PARTITION p2 FOR VALUES IN (2)",
        Some("p2"),
        &gone,
    );
    saw("DROP TABLE p2", None, &gone);
    saw(
        "ALTER TABLE part ATTACH PARTITION sub FOR VALUES IN (4, 5)",
        Some("s4"),
        &nothing,
    );
    saw(
        "ALTER TABLE part DETACH PARTITION sub; ALTER TABLE part ATTACH PARTITION sub FOR VALUES IN (4, 5)",
        Some("s4"),
        &gone,
    );
    saw("ALTER TABLE s4 RENAME TO s5", None, &nothing);
    saw("ALTER TABLE part DETACH PARTITION sub", None, &gone);
}

#[test]
fn a_partition_that_comes_with_a_weaker_identity_halts() {
    let Some(mut world) = World::new("weaker") else { return };
    world
        .run("CREATE TABLE part (id int, d int, PRIMARY KEY (id, d)) PARTITION BY LIST (d); CREATE TABLE p1 PARTITION OF part FOR VALUES IN (1)")
        .follow("part", Publish::Everything);
    let lsn = world.apply().unwrap().created_slot.unwrap();
    let mut watch = Watch::new(world.settings.clone(), world.first(lsn));
    watch.look().unwrap();
    world.run("CREATE TABLE p3 PARTITION OF part FOR VALUES IN (3); ALTER TABLE p3 REPLICA IDENTITY NOTHING");
    let weaker = halted(watch.look());
    assert_eq!(weaker.code, "source.identity_weaker");
    assert!(weaker.what.contains("of public.p3 gives less"), "{weaker}");
    let repair = weaker.repair.as_deref().unwrap_or_default();
    assert!(repair.starts_with("ALTER TABLE \"public\".\"p3\" "), "{weaker}");
}

#[test]
fn a_slot_that_was_moved_or_made_again_is_refused() {
    let Some(mut world) = World::new("moved") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY)")
        .follow("ord", Publish::Everything);
    let lsn = world.apply().unwrap().created_slot.unwrap();
    let checkpoint = world.first(lsn);
    let name = quote::literal(&world.settings.slot);
    let outcome = |world: &mut World| {
        let facts = slot::read(&mut world.admin, &world.settings.slot).unwrap();
        let ground = world.ground();
        prove(
            Some(checkpoint.clone()),
            facts.as_ref(),
            &server(),
            &ground,
            &world.settings,
        )
    };
    assert!(outcome(&mut world).is_ok());
    world.run("INSERT INTO ord SELECT generate_series(1, 1000)");
    world.run(&format!(
        "SELECT pg_replication_slot_advance({name}, pg_current_wal_lsn())"
    ));
    let moved = halted(outcome(&mut world));
    assert!(moved.code.starts_with("source.slot_"), "{moved}");
    assert!(
        moved
            .why
            .unwrap()
            .starts_with(&format!("changes committed from {lsn} to "))
    );
    let remake = |how: &str| format!("SELECT pg_drop_replication_slot({name}); SELECT {how}");
    let made = [
        (
            "source.slot_recreated",
            format!("pg_create_logical_replication_slot({name}, 'pgoutput')"),
        ),
        (
            "source.slot_two_phase",
            format!("pg_create_logical_replication_slot({name}, 'pgoutput', false, true)"),
        ),
        (
            "source.slot_plugin",
            format!("pg_create_logical_replication_slot({name}, 'test_decoding')"),
        ),
        (
            "source.slot_plugin",
            format!("pg_create_physical_replication_slot({name}, true)"),
        ),
        (
            "source.slot_temporary",
            format!("pg_create_logical_replication_slot({name}, 'pgoutput', true)"),
        ),
    ];
    for (code, how) in made {
        world.run(&remake(&how));
        assert_eq!(halted(outcome(&mut world)).code, code);
    }
    world.run(&format!("SELECT pg_drop_replication_slot({name})"));
    assert_eq!(halted(outcome(&mut world)).code, "source.position_without_slot");
}

#[test]
fn a_lost_connection_is_transient_and_made_again() {
    let Some(mut world) = World::new("cut") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY)")
        .follow("ord", Publish::Everything);
    let lsn = world.apply().unwrap().created_slot.unwrap();
    let checkpoint = world.first(lsn);
    let mut watch = Watch::new(world.settings.clone(), checkpoint);
    watch.look().unwrap();
    world.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
         AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    );
    assert!(matches!(watch.look(), Err(SourceError::Transient(_))));
    assert!(watch.look().unwrap().server_lsn >= lsn);
}
