//! What the source needs to know, complete and valid.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::flow::table::TableName;
use crate::secret::Secret;
pub use crate::source::postgres::trust::{Binding, ClientCert, Md5, Tls, Trust};

/// Parameters on which the text of a value depends. A row that is read by a query must have the same text as when the
/// stream tells it, or it would seem changed: both sessions begin with these, whatever the role or the database has set.
pub(in crate::source::postgres) const VALUE_TEXT: [(&str, &str); 7] = [
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("search_path", "pg_catalog"),
];

/// How to reach the legacy database, and what of it is followed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How to log in.
    pub login: Login,
    /// Name of the slot.
    pub slot: String,
    /// Name of the publication; `<publication>_inserts` is the second one.
    pub publication: String,
    /// Whether the first start makes slot and publications.
    pub create: Create,
    /// The mapped tables.
    pub tables: Vec<FollowedTable>,
    /// A row larger than this, as the server sends it, is refused by name.
    pub row_bytes_max: usize,
    /// Memory for bytes read and not yet looked at.
    pub buffer_bytes_max: usize,
    /// How long one statement that reads old rows may hold its snapshot: as long as it does, the server cleans up nothing
    /// that is newer.
    pub snapshot_max: Duration,
    /// Connections that read old rows side by side.
    pub readers: usize,
}

impl Settings {
    /// Names of the mapped tables.
    pub fn table_names(&self) -> Vec<TableName> {
        self.tables.iter().map(|followed| followed.name.clone()).collect()
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host and port.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A Unix socket `DIRECTORY/.s.PGSQL.PORT`.
    Unix {
        /// Its directory.
        directory: PathBuf,
        /// Port in its name.
        port: u16,
    },
}

impl Address {
    /// Whether it is this machine.
    pub fn is_near(&self) -> bool {
        match self {
            Self::Unix { .. } => true,
            Self::Tcp { host, .. } => {
                host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
            }
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { directory, port } => write!(f, "{}/.s.PGSQL.{port}", directory.display()),
        }
    }
}

/// How to log in: to whom, as whom, and what must hold before.
#[derive(Clone, Debug)]
pub struct Login {
    /// Where servers listen, in the order in which they are tried.
    pub hosts: Vec<Address>,
    /// Which of them will do.
    pub target: Target,
    /// Role.
    pub user: String,
    /// Password, where the role has one.
    pub password: Option<Secret>,
    /// Database.
    pub database: String,
    /// TLS, and what may prove the password.
    pub trust: Trust,
}

/// `target_session_attrs`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The first that answers.
    Any,
    /// The first that is no standby.
    ReadWrite,
}

/// `create`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// Slot and publications are made by `setup`.
    Never,
    /// The first start makes them where no position exists.
    OnFirstStart,
}

/// A mapped table and what its entities need of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedTable {
    /// Its name (the root of a partitioned one).
    pub name: TableName,
    /// What must be published of it.
    pub publish: Publish,
}

/// What must be published of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// Everything: insert, update, delete, truncate.
    Everything,
    /// Inserts only are enough: its entities tell only `enters` without `where` or state; a table without identity then goes into `<publication>_inserts`.
    InsertsSuffice,
}

/// Settings for tests in this room.
#[cfg(test)]
pub(crate) fn example() -> Settings {
    Settings {
        login: Login {
            hosts: vec![Address::Tcp {
                host: "localhost".to_owned(),
                port: 5432,
            }],
            target: Target::Any,
            user: "walbridge".to_owned(),
            password: None,
            database: "shop".to_owned(),
            trust: Trust::of(Tls::Disable),
        },
        slot: "walbridge_shop".to_owned(),
        publication: "walbridge_shop".to_owned(),
        create: Create::Never,
        tables: vec![FollowedTable {
            name: TableName::new("public", "ord"),
            publish: Publish::Everything,
        }],
        row_bytes_max: 1 << 20,
        buffer_bytes_max: 1 << 20,
        snapshot_max: Duration::from_secs(30),
        readers: 1,
    }
}
