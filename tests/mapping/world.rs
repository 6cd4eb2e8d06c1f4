//! A small legacy database, as its catalogue shows it.

use walbridge::flow::catalog::{
    Access, Catalog, ColumnFacts, Generated, Identity, Leaf, Nullable, SqlType, TableFacts, TableKind, Toast, Unique,
    UniqueKind,
};
use walbridge::flow::table::{ReplicaIdentity, TableName};

/// What every config begins with.
pub(crate) const HEAD: &str = r#"[bridge]
name = "shop"
[source]
url = "postgresql://w@localhost/legacy?sslmode=disable"
[kafka]
brokers = "localhost:9092"
[backfill]
on_start = false
"#;

fn column(name: &str, sql_type: SqlType, nullable: Nullable) -> ColumnFacts {
    ColumnFacts {
        name: name.to_owned(),
        type_oid: 25,
        sql_type,
        type_text: "text".to_owned(),
        nullable,
        collation: "default".to_owned(),
        generated: Generated::No,
        toast: Toast::Never,
        allowed: None,
        surrogate: None,
    }
}

pub(crate) fn table(name: &str, identity: ReplicaIdentity) -> TableFacts {
    let status = ColumnFacts {
        allowed: Some(vec!["N".to_owned(), "P".to_owned()]),
        toast: Toast::Possible,
        ..column("sts", SqlType::Text, Nullable::No)
    };
    let columns = vec![
        column("no", SqlType::Text, Nullable::No),
        column("typ", SqlType::Text, Nullable::No),
        status,
        column("ct", SqlType::Int8, Nullable::No),
        column("rmk", SqlType::Text, Nullable::Yes),
        ColumnFacts {
            type_text: "point".to_owned(),
            ..column("pos", SqlType::Other("point".to_owned()), Nullable::Yes)
        },
        ColumnFacts {
            generated: Generated::Yes,
            ..column("gen", SqlType::Text, Nullable::Yes)
        },
    ];
    let old: Vec<String> = match identity {
        ReplicaIdentity::Full => columns.iter().map(|column| column.name.clone()).collect(),
        ReplicaIdentity::Default | ReplicaIdentity::Index => vec!["no".to_owned()],
        ReplicaIdentity::Nothing => Vec::new(),
    };
    TableFacts {
        oid: 1,
        name: TableName::new("public", name),
        kind: TableKind::Ordinary,
        identity: Identity {
            kind: identity,
            columns: old,
            attnums: Vec::new(),
        },
        columns,
        uniques: vec![Unique {
            name: format!("{name}_pkey"),
            columns: vec!["no".to_owned()],
            kind: UniqueKind::PrimaryKey,
        }],
        leaves: Vec::new(),
        rows_estimate: 0,
        ancestors: Vec::new(),
        access: Access::Granted,
    }
}

pub(crate) fn catalog() -> Catalog {
    let bare = TableFacts {
        uniques: Vec::new(),
        ..table("bare", ReplicaIdentity::Full)
    };
    let view = TableFacts {
        kind: TableKind::Unpublishable,
        ..table("view", ReplicaIdentity::Full)
    };
    let leaf = |name: &str, identity| Leaf {
        place: String::new(),
        oid: 2,
        name: TableName::new("public", name),
        identity,
    };
    let parted = TableFacts {
        kind: TableKind::Partitioned,
        leaves: vec![
            leaf("parted_1", table("parted_1", ReplicaIdentity::Full).identity),
            leaf("parted_2", table("parted_2", ReplicaIdentity::Default).identity),
        ],
        ..table("parted", ReplicaIdentity::Full)
    };
    let tables = [
        table("ord", ReplicaIdentity::Full),
        table("keyed", ReplicaIdentity::Default),
        table("nothing", ReplicaIdentity::Nothing),
        bare,
        view,
        parted,
    ];
    Catalog {
        tables: tables.into_iter().map(|table| (table.name.clone(), table)).collect(),
        ctype: "en_US.UTF-8".to_owned(),
        encoding: "UTF8".to_owned(),
        ..Catalog::default()
    }
}
