//! A database, topics and a config of a test's own, and the program run with them.

use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr as _;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use walbridge::flow::position::Lsn;
use walbridge::source::postgres::settings::{Tls, Trust};
use walbridge::source::postgres::sql::Sql;

use crate::world::broker::Broker;
use crate::world::line::{Bridge, Ended, finished};

pub(crate) mod broker;
pub(crate) mod line;

/// What every config of these tests says, but for what a test replaces in it.
const CONFIG: &str = r#"[bridge]
name = "@NAME@"

[source]
url = "@URL@"

[kafka]
brokers = "@BROKERS@"

[kafka.topics]
partitions = 2
replication = 1

[http]
listen = "127.0.0.1:0"

[backfill]
on_start = false

[entity.Item]
table = "public.item"
key = "number"
state_topic = "@NAME@.items"

[entity.Item.fields]
number = "id"
status = { from = "st", codes = { N = "new", P = "paid" } }
label = "lbl"
amount = "amt"
"#;

/// The table behind it.
const TABLE: &str = "CREATE TABLE public.item (id int PRIMARY KEY, st text NOT NULL, lbl varchar(20), amt int4)";

/// A place of a test's own on real servers; dropped at the end.
pub(crate) struct World {
    pub(crate) admin: Sql,
    pub(crate) name: String,
    pub(crate) broker: Broker,
    home: TempDir,
    root_url: String,
}

impl World {
    /// With the table; none: there are no servers to test with.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let Ok(url) = std::env::var("WALBRIDGE_TEST_PG") else {
            eprintln!("skipped: WALBRIDGE_TEST_PG is not set");
            return None;
        };
        let world = Self::on(&url, test, "")?;
        Some(world)
    }

    /// On the server of this superuser's URL, in a database made with these options.
    pub(crate) fn on(url: &str, test: &str, options: &str) -> Option<Self> {
        let Ok(brokers) = std::env::var("WALBRIDGE_TEST_KAFKA") else {
            eprintln!("skipped: WALBRIDGE_TEST_KAFKA is not set");
            return None;
        };
        let name = format!("c{}_{test}", std::process::id());
        let mut root = Sql::connect_as(url, &Trust::of(Tls::Disable)).unwrap();
        root.run(&format!("CREATE DATABASE {name} TEMPLATE template0 {options}"))
            .unwrap();
        let mut admin = Sql::connect_as(&in_database(url, &name), &Trust::of(Tls::Disable)).unwrap();
        admin.run("SET search_path = public").unwrap();
        admin.run(TABLE).unwrap();
        let world = Self {
            admin,
            broker: Broker::new(brokers),
            home: tempfile::tempdir().unwrap(),
            root_url: url.to_owned(),
            name,
        };
        world.configure(|text| text);
        Some(world)
    }

    /// After the server was stopped: a new session.
    pub(crate) fn reconnect(&mut self) {
        self.admin = self.another_session();
        self.run("SET search_path = public");
    }

    /// Another session of the superuser.
    pub(crate) fn another_session(&self) -> Sql {
        Sql::connect_as(&self.url(), &Trust::of(Tls::Disable)).unwrap()
    }

    /// An open transaction with a change in it: the server keeps the log behind it, whatever else it does, and only that
    /// tells a slot that was moved from one that was made again.
    pub(crate) fn keeps_log(&self) -> Sql {
        let mut open = self.another_session();
        open.run("BEGIN READ WRITE; INSERT INTO public.item VALUES (201, 'N', 'never', 1)")
            .unwrap();
        open
    }

    /// The URL of the test's database, for a superuser.
    pub(crate) fn url(&self) -> String {
        in_database(&self.root_url, &self.name)
    }

    pub(crate) fn slot(&self) -> String {
        format!("walbridge_{}", self.name)
    }

    pub(crate) fn topic(&self) -> String {
        format!("{}.items", self.name)
    }

    pub(crate) fn position_topic(&self) -> String {
        format!("walbridge.{}.position", self.name)
    }

    /// Writes the config, changed so.
    pub(crate) fn configure(&self, change: impl FnOnce(String) -> String) -> &Self {
        let text = CONFIG
            .replace("@NAME@", &self.name)
            .replace("@URL@", &self.url())
            .replace("@BROKERS@", &self.broker.address);
        std::fs::write(self.config(), change(text)).unwrap();
        self
    }

    /// The config's file.
    pub(crate) fn config(&self) -> PathBuf {
        self.home.path().join("bridge.toml")
    }

    pub(crate) fn run(&mut self, sql: &str) -> &mut Self {
        self.admin.run(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        self
    }

    /// The first value of the first row, as text.
    pub(crate) fn ask(&mut self, sql: &str) -> String {
        let rows = self.admin.simple(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows[0][0].clone().unwrap_or_default()
    }

    /// Runs a command with the config and these further words, to its end.
    pub(crate) fn call(&self, command: &str, more: &[&str]) -> Ended {
        let config = self.config();
        let mut program = program();
        program.arg(command).arg("-c").arg(config).args(more);
        finished(&mut program)
    }

    /// Slot, publication, topics and first position.
    pub(crate) fn set_up(&self) -> &Self {
        let done = self.call("setup", &["--apply"]);
        assert_eq!(done.code, 0, "{done}");
        self
    }

    /// Begins to carry.
    pub(crate) fn start(&self) -> Bridge {
        self.start_with(&[])
    }

    /// The same, with these further words.
    pub(crate) fn start_with(&self, more: &[&str]) -> Bridge {
        Bridge::start(self.home.path(), &self.config(), more)
    }

    /// Carries until it ends by itself.
    pub(crate) fn ended(&self) -> Ended {
        self.start().ended()
    }

    /// Carries what is there, and stops.
    pub(crate) fn carry(&self, records: usize) {
        let bridge = self.start();
        self.await_records(records);
        assert_eq!(bridge.stop().code, 0);
    }

    /// Waits until a consumer sees so many records.
    pub(crate) fn await_records(&self, count: usize) {
        line::until("the records are there", || self.keys().len() >= count);
    }

    /// Keys of all committed records.
    pub(crate) fn keys(&self) -> Vec<String> {
        let read = self.broker.committed(&self.topic());
        let mut keys: Vec<String> = read.into_iter().map(|(key, _)| key).collect();
        keys.sort_by_key(|key| key.parse::<i64>().unwrap_or_default());
        keys
    }

    /// Up to where the stored position says that all is published.
    pub(crate) fn position(&self) -> Lsn {
        let stored = self.broker.committed(&self.position_topic());
        let (_, value) = stored.last().expect("a position");
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        Lsn::from_str(value["commit_end_lsn"].as_str().unwrap()).unwrap()
    }

    /// Nothing was acknowledged that is not stored (promise I4), and a consumer sees these keys and no more.
    pub(crate) fn holds(&mut self, keys: &[&str]) {
        let slot = self.slot();
        let confirmed = self.ask(&format!(
            "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{slot}'"
        ));
        let position = self.position();
        assert!(
            Lsn::from_str(&confirmed).unwrap() <= position,
            "{confirmed} acknowledged, {position} stored"
        );
        assert_eq!(self.keys(), keys);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Ok(mut root) = Sql::connect_as(&self.root_url, &Trust::of(Tls::Disable)) else {
            return;
        };
        let slots = format!("FROM pg_replication_slots WHERE database = '{}'", self.name);
        let begun = Instant::now();
        // A connection that was ended holds its slot for a moment, and the slot its database.
        while begun.elapsed() < Duration::from_secs(5) {
            drop(root.run(&format!("SELECT pg_terminate_backend(active_pid) {slots}")));
            drop(root.run(&format!(
                "SELECT pg_drop_replication_slot(slot_name) {slots} AND NOT active"
            )));
            if root
                .run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name))
                .is_ok()
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The URL, with another database.
fn in_database(url: &str, database: &str) -> String {
    let (before, _) = url.rsplit_once('/').unwrap();
    format!("{before}/{database}")
}

/// The program; it reads no other variable of ours.
pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_walbridge"));
    program.env_remove("WALBRIDGE_LOG");
    program
}
