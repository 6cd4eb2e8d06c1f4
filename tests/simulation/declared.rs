//! What the simulated bridge declares, and the catalogue that goes with it.

use walbridge::flow::catalog::{
    Access, Catalog, ColumnFacts, Generated, Identity, Nullable, SqlType, TableFacts, TableKind, Toast, Unique,
    UniqueKind,
};
use walbridge::flow::table::ReplicaIdentity;
use walbridge::mapping::compile::compile;
use walbridge::mapping::plan::Mapping;

use crate::legacy::table;

const CONFIG: &str = r#"
[bridge]
name = "sim"
[source]
url = "postgresql://w@localhost/legacy?sslmode=disable"
[kafka]
brokers = "localhost:9092"
[backfill]
on_start = false
[entity.Order]
table = "public.ord"
where = "typ = 'S'"
key = "number"
state_topic = "orders"
event_topic = "order-events"
[entity.Order.fields]
number = "no"
status = { from = "sts", codes = { N = "placed", P = "paid" } }
total = { from = "ct", decimals = 2 }
note = "rmk"
[entity.Order.events]
OrderPlaced = { on = "enters" }
OrderPaid = { on = "changes", when = "new.status = 'paid' and old.status is distinct from 'paid'" }
OrderChanged = { on = "changes" }
OrderRemoved = { on = "leaves" }
"#;

/// The catalogue that goes with [`table`].
fn catalog() -> Catalog {
    let table = table();
    let column = |column: &walbridge::flow::table::Column| ColumnFacts {
        name: column.name.clone(),
        type_oid: column.type_oid,
        sql_type: if column.type_oid == 20 {
            SqlType::Int8
        } else {
            SqlType::Text
        },
        type_text: if column.type_oid == 20 { "bigint" } else { "text" }.to_owned(),
        nullable: if column.name == "rmk" {
            Nullable::Yes
        } else {
            Nullable::No
        },
        collation: if column.type_oid == 20 {
            String::new()
        } else {
            "C".to_owned()
        },
        generated: Generated::No,
        toast: Toast::Never,
        allowed: None,
        surrogate: None,
    };
    let all = table.columns.iter().map(|column| column.name.clone()).collect();
    let facts = TableFacts {
        oid: table.oid,
        name: table.name.clone(),
        kind: TableKind::Ordinary,
        identity: Identity {
            kind: ReplicaIdentity::Full,
            columns: all,
            attnums: Vec::new(),
        },
        columns: table.columns.iter().map(column).collect(),
        uniques: vec![Unique {
            name: "ord_pkey".to_owned(),
            columns: vec!["no".to_owned()],
            kind: UniqueKind::PrimaryKey,
        }],
        leaves: Vec::new(),
        rows_estimate: 0,
        ancestors: Vec::new(),
        access: Access::Granted,
    };
    Catalog {
        tables: [(table.name.clone(), facts)].into(),
        ctype: "C".to_owned(),
        encoding: "UTF8".to_owned(),
        ..Catalog::default()
    }
}

/// The declarations, compiled.
pub(crate) fn mapping() -> Mapping {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("sim.toml");
    std::fs::write(&path, CONFIG).expect("a file");
    let loaded = walbridge::config::load_offline(&path).expect("a valid config");
    compile(&loaded.config.entities, &catalog())
        .expect("a mapping that fits")
        .mapping
}
