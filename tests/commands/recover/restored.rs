//! A database that is an older one than before, and a `recover` that is killed.

use std::process::{Command, Stdio};

use crate::cluster::Cluster;
use crate::recover::{carried_on, folded, gaps, told};
use crate::world::line::until;
use crate::world::{World, program};

/// Moves a cluster's files while it is stopped.
fn while_stopped(cluster: &Cluster, script: &str) {
    cluster.stop("fast");
    let done = Command::new("sh").args(["-e", "-c", script, &cluster.data()]).status();
    assert!(done.unwrap().success(), "{script}");
    cluster.start();
}

#[test]
fn a_restored_database_and_a_kill_in_the_middle_lose_nothing_in_silence() {
    let Some(cluster) = Cluster::new("", "") else { return };
    let Some(world) = World::on(&cluster.url(), "restored", "") else {
        return;
    };
    let mut world = told(world);
    while_stopped(&cluster, "cp -a $0 $0-copy");
    world.reconnect();
    world.run(
        "INSERT INTO item SELECT n, 'N', 'undone', n FROM generate_series(2001, 5000) n; DELETE FROM item WHERE id = 9",
    );
    let bridge = world.start();
    until("the changes are told", || folded(&world).contains_key("5000"));
    assert_eq!(bridge.stop().code, 0);
    let position = world.position();
    while_stopped(&cluster, "rm -r $0; mv $0-copy $0");
    world.reconnect();
    world.ended().says(1, "source.log_behind", &["hint: walbridge recover"]);

    // A transaction that stays open holds the new slot up: killed there, it left neither the old history nor a new one.
    let mut open = world.another_session();
    open.run("BEGIN; CREATE TABLE public.stays_open ()").unwrap();
    let mut killed = program()
        .args(["recover", "--yes", "-c"])
        .arg(world.config())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let making = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%create_logical_replication_slot%' AND pid <> pg_backend_pid()";
    until("the slot is being made", || world.ask(making) == "1");
    killed.kill().unwrap();
    killed.wait().unwrap();
    open.run("ROLLBACK").unwrap();
    until("the server has noticed", || world.ask(making) == "0");
    // The log grows beyond the former position, which then looks like one of this history.
    world.run("CREATE TABLE filler AS SELECT repeat('x', 100) FROM generate_series(1, 20000); DROP TABLE filler");
    let end = world.ask("SELECT pg_current_wal_lsn()");
    assert!(end.parse::<walbridge::flow::position::Lsn>().unwrap() > position);
    let halted = world.ended();
    assert!(halted.code == 1 && halted.err.contains("walbridge recover"), "{halted}");

    let done = world.call("recover", &["--yes"]);
    assert_eq!(done.code, 0, "{done}");
    carried_on(&mut world, (2, 2));
    assert_eq!(gaps(&world).len(), 1);
    assert!(!folded(&world).contains_key("5000") && folded(&world).contains_key("9"));
}
