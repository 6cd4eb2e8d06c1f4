//! What the source needs to know, complete and valid.

use std::path::PathBuf;
use std::time::Duration;

use crate::flow::table::TableName;
use crate::secret::Secret;

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
    /// Where it listens.
    pub address: Address,
    /// Role.
    pub user: String,
    /// Password, where the role has one.
    pub password: Option<Secret>,
    /// Database.
    pub database: String,
    /// TLS.
    pub tls: Tls,
    /// PEM bundle to verify the server with; none: the system's store.
    pub root_cert: Option<PathBuf>,
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

/// `sslmode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// No TLS.
    Disable,
    /// TLS without a look at the certificate.
    Require,
    /// TLS with a verified chain and name.
    VerifyFull,
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
        address: Address::Tcp {
            host: "localhost".to_owned(),
            port: 5432,
        },
        user: "walbridge".to_owned(),
        password: None,
        database: "shop".to_owned(),
        tls: Tls::Disable,
        root_cert: None,
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
