//! How fast rows become steps: `cargo test --release --test stream -- --ignored --nocapture`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use walbridge::flow::change::Step;
use walbridge::source::Source as _;
use walbridge::source::postgres::Postgres;
use walbridge::source::postgres::settings::{Address, Create, Publish, Tls};

use crate::reader::begin;
use crate::world::World;

/// Rows and rows a transaction of each measurement.
const SHAPES: [(usize, usize); 3] = [(1_000_000, 100), (1_000_000, 1_000_000), (200_000, 1)];

/// CPU time of this process in hundredths of a second.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
}

fn measure(name: &str, tls: Tls) {
    let Some(mut world) = World::new(name) else { return };
    world.settings.tls = tls;
    if let (Ok(directory), Address::Tcp { port, .. }) = (
        std::env::var("WALBRIDGE_TEST_PG_SOCKET"),
        world.settings.address.clone(),
    ) {
        world.settings.address = Address::Unix {
            directory: PathBuf::from(directory),
            port,
        };
    }
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY, customer int, status text, total numeric(10,2), at timestamptz)")
        .follow("ord", Publish::Everything);
    world.settings.create = Create::OnFirstStart;
    for (rows, batch) in SHAPES {
        let mut source = Postgres::new(world.settings.clone());
        let mut stored = begin(&mut source, None);
        drop(source);
        world
            .admin
            .run(&format!(
                "DO $$ BEGIN FOR i IN 0 .. {} LOOP INSERT INTO public.ord SELECT i * {batch} + n, n % 1000, 'shipped', \
                 n * 1.25, now() FROM generate_series(0, {}) n; COMMIT; END LOOP; END $$",
                rows / batch - 1,
                batch - 1
            ))
            .unwrap();
        for _ in 0..std::env::var("WALBRIDGE_TEST_ROUNDS").map_or(1, |n| n.parse().unwrap()) {
            let mut source = Postgres::new(world.settings.clone());
            stored = begin(&mut source, Some(stored));
            let (before, begun) = (cpu(), Instant::now());
            let (mut told, mut end, mut drained) = (0usize, None, 0usize);
            while told < rows || end.is_none() {
                match source.next(Duration::from_millis(50)).unwrap() {
                    Step::Change { .. } => {
                        told += 1;
                        end = None;
                    }
                    Step::Commit { end_lsn } => end = Some(end_lsn),
                    Step::Drained { .. } => drained += 1,
                    Step::Begin(_) | Step::Shape(_) | Step::Truncate { .. } => {}
                }
            }
            let (seconds, cpu) = (begun.elapsed().as_secs_f64(), (cpu() - before) / 100.0);
            let per_second = f64::from(u32::try_from(rows).unwrap()) / seconds;
            let cpu_us = cpu * 1e6 / f64::from(u32::try_from(rows).unwrap());
            eprintln!(
                "{name} {rows} rows, {batch} a transaction: {per_second:.0} rows/s, {cpu_us:.2} us CPU a row, {drained} drained"
            );
        }
        world
            .admin
            .run(&format!(
                "SELECT pg_drop_replication_slot('{}'); TRUNCATE public.ord",
                world.settings.slot
            ))
            .unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
#[ignore = "a measurement"]
fn plain() {
    measure("speed_plain", Tls::Disable);
}

#[test]
#[ignore = "a measurement"]
fn encrypted() {
    measure("speed_tls", Tls::Require);
}

#[test]
#[ignore = "a measurement"]
fn latency() {
    let Some(mut world) = World::new("latency") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY)")
        .follow("ord", Publish::Everything);
    world.settings.create = Create::OnFirstStart;
    let mut source = Postgres::new(world.settings.clone());
    begin(&mut source, None);
    for (count, pause_ms) in [(200u32, 10), (3000, 1), (10_000, 0)] {
        let admin = &mut world.admin;
        let mut took = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for id in 0..count {
                    admin.run(&format!("INSERT INTO public.ord VALUES ({id})")).unwrap();
                    std::thread::sleep(Duration::from_millis(pause_ms));
                }
                admin.run("TRUNCATE public.ord").unwrap();
            });
            let mut committed = 0;
            while took.len() <= usize::try_from(count).unwrap() {
                match source.next(Duration::from_millis(50)).unwrap() {
                    Step::Begin(transaction) => committed = transaction.commit_time.0,
                    Step::Commit { .. } => took.push(clock_us() - committed),
                    Step::Shape(_) | Step::Change { .. } | Step::Truncate { .. } | Step::Drained { .. } => {}
                }
            }
        });
        took.sort_unstable();
        let at = |share: usize| took[took.len() * share / 100];
        eprintln!(
            "{count} transactions, {pause_ms} ms apart: commit to step p50 {} us, p99 {} us",
            at(50),
            at(99)
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "the server's commits are on the same clock")]
fn clock_us() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_micros()).unwrap() - 946_684_800_000_000
}
