//! A database of a test's own on a real server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use walbridge::finding::Finding;
use walbridge::flow::catalog::Catalog;
use walbridge::flow::checkpoint::Checkpoint;
use walbridge::flow::position::Lsn;
use walbridge::flow::table::TableName;
use walbridge::source::SourceError;
use walbridge::source::postgres::proof::{Ground, Server};
use walbridge::source::postgres::publication::{self, Publications, check};
use walbridge::source::postgres::settings::{
    Address, Create, FollowedTable, Login, Publish, Settings, Target, Tls, Trust,
};
use walbridge::source::postgres::sql::{Sql, quote};
use walbridge::source::postgres::{catalog, setup};

/// A database and a slot of its own, dropped at the end.
pub struct World {
    pub admin: Sql,
    pub settings: Settings,
    root_url: String,
    _turn: MutexGuard<'static, ()>,
}

/// A slot's creation waits for every open transaction of the server: one test at a time.
static TURN: Mutex<()> = Mutex::new(());

impl World {
    pub fn new(name: &str) -> Option<Self> {
        let Ok(url) = std::env::var("WALBRIDGE_TEST_PG") else {
            eprintln!("skipped: WALBRIDGE_TEST_PG is not set");
            return None;
        };
        Some(Self::on(url, name))
    }

    /// On the server of this superuser's URL.
    pub fn on(url: String, name: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let database = format!("wb \"{name}'");
        let slot = format!("wb_{name}");
        let mut root = Sql::connect_as(&url, &Trust::of(Tls::Disable)).unwrap();
        drop_all(&mut root, &database, &slot);
        root.run(&format!(
            "CREATE DATABASE {} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'UTF8'",
            quote::ident(&database)
        ))
        .unwrap();
        let (before, _) = url.rsplit_once('/').unwrap();
        let encoded: String = database.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let admin = Sql::connect_as(&format!("{before}/{encoded}"), &Trust::of(Tls::Disable)).unwrap();
        let (_, place) = before.rsplit_once('@').unwrap();
        let (host, port) = place.rsplit_once(':').unwrap();
        let settings = Settings {
            login: Login {
                hosts: vec![Address::Tcp {
                    host: host.to_owned(),
                    port: port.parse().unwrap(),
                }],
                target: Target::Any,
                user: "postgres".to_owned(),
                password: None,
                database,
                trust: Trust::of(Tls::Disable),
            },
            slot,
            publication: format!("wb {name} \"it's\""),
            create: Create::Never,
            tables: Vec::new(),
            row_bytes_max: 1 << 20,
            buffer_bytes_max: 1 << 20,
            snapshot_max: Duration::from_secs(30),
            readers: 1,
        };
        Self {
            admin,
            settings,
            root_url: url,
            _turn: turn,
        }
    }

    pub fn follow(&mut self, name: &str, publish: Publish) -> &mut Self {
        self.settings.tables.push(FollowedTable {
            name: TableName::new("public", name),
            publish,
        });
        self
    }

    pub fn run(&mut self, sql: &str) -> &mut Self {
        self.admin
            .run(&format!(
                "SET search_path = public; {sql}; SET search_path = pg_catalog"
            ))
            .unwrap();
        self
    }

    pub fn catalog(&mut self) -> Catalog {
        let names: Vec<TableName> = self.settings.tables.iter().map(|one| one.name.clone()).collect();
        catalog::read(&mut self.admin, &names).unwrap()
    }

    pub fn publications(&mut self) -> Publications {
        publication::read(&mut self.admin, &self.settings).unwrap()
    }

    pub fn found(&mut self) -> Vec<Finding> {
        let catalog = self.catalog();
        let publications = self.publications();
        check(&self.settings, &catalog, &publications)
    }

    pub fn apply(&mut self) -> Result<setup::Applied, SourceError> {
        let catalog = self.catalog();
        setup::apply_within(&mut self.admin, &self.settings, &catalog, Duration::from_secs(3))
    }

    pub fn renew(&mut self) -> Result<setup::Renewed, SourceError> {
        let catalog = self.catalog();
        setup::renew_within(&mut self.admin, &self.settings, &catalog, Duration::from_secs(3))
    }

    pub fn first(&mut self, lsn: Lsn) -> Checkpoint {
        let ground = self.ground();
        ground.first(&self.settings, &server(), lsn)
    }

    pub fn ground(&mut self) -> Ground {
        let catalog = self.catalog();
        let publications = self.publications();
        Ground::new(&self.settings, &catalog, &publications)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Ok(mut root) = Sql::connect_as(&self.root_url, &Trust::of(Tls::Disable)) {
            drop_all(&mut root, &self.settings.login.database, &self.settings.slot);
        }
    }
}

fn drop_all(root: &mut Sql, database: &str, slot: &str) {
    let drop = format!(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = {}",
        quote::literal(slot)
    );
    // The server may still be about to notice that the reader is gone.
    let begun = Instant::now();
    while let Err(error) = root.run(&drop) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
    root.run(&format!(
        "DROP DATABASE IF EXISTS {} WITH (FORCE)",
        quote::ident(database)
    ))
    .unwrap();
}

pub fn server() -> Server {
    Server {
        system_identifier: "1".to_owned(),
        timeline: 1,
        end_lsn: Lsn(u64::MAX),
        history: None,
    }
}

pub fn halted<T: std::fmt::Debug>(outcome: Result<T, SourceError>) -> Finding {
    match outcome {
        Err(SourceError::Halt(finding)) => *finding,
        other => panic!("no halt: {other:?}"),
    }
}

pub fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}
