//! Back-pressure, silence, restarts, and a server that shuts down while it is followed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use walbridge::flow::change::Asked;
use walbridge::source::postgres::settings::{Address, Create, Publish};
use walbridge::source::postgres::{Postgres, Timing};
use walbridge::source::{Source as _, SourceError};

use crate::cluster::Cluster;
use crate::reader::{Heard, begin};
use crate::world::{World, halted};

const SHORT: Timing = Timing {
    server_timeout: Duration::from_secs(2),
    insisting_max: Duration::from_secs(2),
};

fn table(world: &mut World) {
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY, note text)")
        .follow("ord", Publish::Everything);
    world.settings.create = Create::OnFirstStart;
}

/// Reads, and acknowledges as a bridge does: what is complete, and idle progress where it is asked for.
fn follow(source: &mut Postgres, heard: &mut Heard) -> SourceError {
    let begun = Instant::now();
    loop {
        heard.idle = None;
        if let Err(error) = heard.step(source) {
            return error;
        }
        if let Some(lsn) = heard.last_end_lsn.take() {
            source.acknowledge(lsn);
        }
        if let Some(idle) = heard.idle.filter(|idle| idle.asked == Asked::Yes) {
            source.acknowledge(idle.seen_lsn);
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn a_bridge_that_does_not_read_keeps_its_connection() {
    let Some(mut world) = World::new("pressure") else {
        return;
    };
    table(&mut world);
    let mut source = Postgres::with_timing(world.settings.clone(), SHORT);
    begin(&mut source, None);
    world.run("INSERT INTO ord SELECT n, repeat('x', 300) FROM generate_series(1, 100000) n");
    let mut heard = Heard::default();
    heard.until(&mut source, |heard| heard.lines.len() > 10).unwrap();
    std::thread::sleep(SHORT.server_timeout * 3);
    heard.commits(&mut source, 1).unwrap();
    assert_eq!(heard.lines.len(), 100_002);
    // Nor does one that has nothing to read and nothing to acknowledge.
    let begun = Instant::now();
    heard
        .until(&mut source, |_| begun.elapsed() > SHORT.server_timeout * 3)
        .unwrap();
    world.run("DELETE FROM ord WHERE id = 1");
    heard.commits(&mut source, 2).unwrap();
}

#[test]
fn an_orderly_shutdown_waits_for_nothing_but_the_acknowledgement() {
    let Some(cluster) = Cluster::new("", "") else { return };
    let mut world = World::on(cluster.url(), "shutdown");
    table(&mut world);
    let mut source = Postgres::new(world.settings.clone());
    let mut stored = begin(&mut source, None);
    world
        .run("INSERT INTO ord SELECT n, 'x' FROM generate_series(1, 100) n")
        .run("CREATE TABLE other AS SELECT generate_series(1, 1000)");
    let mut heard = Heard::default();
    heard.commits(&mut source, 1).unwrap();
    stored.commit_end_lsn = heard.last_end_lsn.unwrap();
    let reading = std::thread::spawn(move || {
        let error = follow(&mut source, &mut heard);
        (source, error)
    });
    let took = cluster.stop("fast");
    assert!(took < Duration::from_secs(4), "{took:?}");
    let (mut source, error) = reading.join().unwrap();
    assert!(
        matches!(&error, SourceError::Transient(why) if why.contains("shuts down")),
        "{error}"
    );
    assert!(matches!(source.hold(), Err(SourceError::Transient(_))));
    cluster.start();
    assert_eq!(
        begin(&mut source, Some(stored.clone())).commit_end_lsn,
        stored.commit_end_lsn
    );
}

#[test]
fn a_shutdown_is_not_held_up_by_a_bridge_that_cannot_publish() {
    let Some(cluster) = Cluster::new("", "") else { return };
    let mut world = World::on(cluster.url(), "stuck");
    table(&mut world);
    let mut source = Postgres::new(world.settings.clone());
    begin(&mut source, None);
    world.run("INSERT INTO ord VALUES (1, 'x')");
    let mut heard = Heard::default();
    heard.commits(&mut source, 1).unwrap();
    let reading = std::thread::spawn(move || heard.until(&mut source, |_| false));
    let took = cluster.stop("fast");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let error = reading.join().unwrap().unwrap_err();
    assert!(error.to_string().contains("cannot be given"), "{error}");
}

#[test]
fn a_shutdown_is_not_held_up_by_a_bridge_that_does_not_read() {
    let Some(cluster) = Cluster::new("", "") else { return };
    let mut world = World::on(cluster.url(), "unread");
    table(&mut world);
    let mut source = Postgres::with_timing(world.settings.clone(), SHORT);
    begin(&mut source, None);
    world.run("INSERT INTO ord SELECT n, repeat('x', 300) FROM generate_series(1, 50000) n");
    let mut heard = Heard::default();
    heard.until(&mut source, |heard| heard.lines.len() > 10).unwrap();
    let took = cluster.stop("fast");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(matches!(heard.commits(&mut source, 1), Err(SourceError::Transient(_))));
}

#[test]
fn a_crash_is_survived_and_a_restart_read_on_from() {
    let Some(cluster) = Cluster::new("", "") else { return };
    let mut world = World::on(cluster.url(), "crash");
    table(&mut world);
    let mut source = Postgres::new(world.settings.clone());
    let stored = begin(&mut source, None);
    world.run("INSERT INTO ord VALUES (1, 'x')");
    cluster.stop("immediate");
    let mut heard = Heard::default();
    assert!(matches!(
        heard.until(&mut source, |_| false),
        Err(SourceError::Transient(_))
    ));
    assert!(matches!(source.hold(), Err(SourceError::Transient(_))));
    cluster.start();
    begin(&mut source, Some(stored));
    let mut heard = Heard::default();
    heard.commits(&mut source, 1).unwrap();
    assert_eq!(heard.lines, ["begin", "public.ord + 1,x", "commit"]);
}

#[test]
fn a_row_that_is_too_large_is_refused_by_the_name_of_its_table() {
    let Some(mut world) = World::new("large") else { return };
    table(&mut world);
    world.settings.row_bytes_max = 20_000;
    let mut source = Postgres::new(world.settings.clone());
    let stored = begin(&mut source, None);
    for size in [20_101, 30_000_000] {
        world.run(&format!(
            "INSERT INTO ord SELECT {size} + n, repeat('x', {size} / (1 + n)) FROM generate_series(0, 9) n"
        ));
        // All of it is there when it is read.
        std::thread::sleep(Duration::from_millis(200));
        let mut heard = Heard::default();
        let finding = halted(heard.until(&mut source, |_| false));
        assert_eq!(finding.code, "row.too_large");
        assert!(
            finding.what.contains("public.ord") && !finding.to_string().contains("xxx"),
            "{finding}"
        );
        // It is not passed over by whoever asks again.
        assert!(heard.step(&mut source).is_err());
        world.settings.row_bytes_max = 40_000;
        source = Postgres::new(world.settings.clone());
        begin(&mut source, Some(stored.clone()));
    }
}

/// Carries bytes both ways to the server until it is told to swallow them.
fn relay(server: u16) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let swallows = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&swallows);
    let carry = |mut from: TcpStream, mut to: TcpStream, swallows: Arc<AtomicBool>| {
        std::thread::spawn(move || {
            let mut buffer = vec![0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if !swallows.load(Ordering::Relaxed) && to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            while swallows.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            drop(to.shutdown(std::net::Shutdown::Both));
        });
    };
    std::thread::spawn(move || {
        while let Ok((near, _)) = listener.accept() {
            let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
            carry(near.try_clone().unwrap(), far.try_clone().unwrap(), Arc::clone(&shared));
            carry(far, near, Arc::clone(&shared));
        }
    });
    (port, swallows)
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let Some(mut world) = World::new("silent") else { return };
    table(&mut world);
    let Address::Tcp { host, port } = world.settings.login.hosts[0].clone() else {
        return;
    };
    let (through, swallows) = relay(port);
    world.settings.login.hosts = vec![Address::Tcp { host, port: through }];
    let mut source = Postgres::with_timing(world.settings.clone(), SHORT);
    begin(&mut source, None);
    let mut heard = Heard::default();
    heard.step(&mut source).unwrap();
    swallows.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    let error = heard.until(&mut source, |_| false).unwrap_err();
    assert!(error.to_string().contains("lost"), "{error}");
    assert!(begun.elapsed() < SHORT.server_timeout * 3, "{:?}", begun.elapsed());
    swallows.store(false, Ordering::Relaxed);
}
