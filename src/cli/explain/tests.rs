//! What is printed of a small mapping.

use std::collections::BTreeMap;

use crate::cli::explain::{Ground, concerns, document, mermaid, text, unknown};
use crate::config::{Colour, Config, load_offline};
use crate::finding::{Cause, Finding, Place};
use crate::flow::catalog::{
    Access, Catalog, ColumnFacts, Generated, Identity, Leaf, Nullable, SqlType, TableFacts, TableKind, Toast, Unique,
    UniqueKind,
};
use crate::flow::table::{ReplicaIdentity, TableName};
use crate::mapping::compile::compile_what_fits;
use crate::source::postgres::publication::{Filter, Membership, Partitions, PublicationFacts, Publications, Reach};

const CONFIG: &str = r#"[bridge]
name = "shop"
sink = "stdout"
[source]
url = "postgresql://walbridge@legacy-db/shop"
[entity.Order]
table = "public.ord"
where = "typ = 'S' and \"no\" <> '<none>'"
key = "number"
state_topic = "orders"
event_topic = "order-events"
ignore = ["seen"]
[entity.Order.fields]
number = "no"
status = { from = "sts", codes = { N = "placed", P = "paid", "" = "none" }, on_unknown = "null" }
total = { from = "ct", decimals = 2 }
label = "lower(typ) || '-' || typ"
seen = { from = "seen", zone = "Europe/Berlin" }
[entity.Order.events]
OrderPlaced = { on = "enters" }
OrderPaid = { on = ["enters", "changes"], when = "new.status = 'paid' and old.status is distinct from 'paid'", data = ["number"], with = { before = "old.status" }, version = 2 }
OrderRemoved = { on = "leaves" }
[entity.Line]
table = "public.ord"
key = "number"
event_topic = "lines"
[entity.Line.fields]
number = "no"
[entity.Line.events]
LineWritten = { on = "enters" }
"#;

fn config() -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("walbridge.toml");
    std::fs::write(&path, CONFIG).unwrap();
    load_offline(&path).map_err(|invalid| invalid.findings).unwrap().config
}

fn column(name: &str, sql_type: SqlType, type_text: &str) -> ColumnFacts {
    ColumnFacts {
        name: name.to_owned(),
        type_oid: 0,
        sql_type,
        type_text: type_text.to_owned(),
        nullable: if name == "ct" { Nullable::Yes } else { Nullable::No },
        collation: "C".to_owned(),
        generated: Generated::No,
        toast: Toast::Never,
        allowed: None,
        surrogate: None,
    }
}

/// With an identity that gives the key alone.
fn catalog() -> Catalog {
    let name = TableName::new("public", "ord");
    let table = TableFacts {
        oid: 1,
        name: name.clone(),
        kind: TableKind::Ordinary,
        identity: Identity {
            kind: ReplicaIdentity::Default,
            columns: vec!["no".to_owned()],
            attnums: vec![1],
        },
        columns: vec![
            column("no", SqlType::Text, "character varying(20)"),
            column("typ", SqlType::Bpchar, "character(1)"),
            column("sts", SqlType::Bpchar, "character(1)"),
            column("ct", SqlType::Int8, "bigint"),
            column("seen", SqlType::Timestamp, "timestamp without time zone"),
        ],
        uniques: vec![Unique {
            name: "ord_pkey".to_owned(),
            columns: vec!["no".to_owned()],
            kind: UniqueKind::PrimaryKey,
        }],
        leaves: Vec::new(),
        rows_estimate: 12_345,
        ancestors: Vec::new(),
        access: Access::Granted,
    };
    Catalog {
        tables: BTreeMap::from([(name, table)]),
        ctype: "C".to_owned(),
        encoding: "UTF8".to_owned(),
        nearest: BTreeMap::new(),
    }
}

fn publications() -> Publications {
    let member = Membership {
        oid: 2,
        filter: Filter::Rows,
        columns: Some(vec!["no".to_owned(), "typ".to_owned()]),
        told_as: None,
    };
    let facts = PublicationFacts {
        oid: 1,
        version: String::new(),
        owner: 1,
        operations: vec!["insert".to_owned(), "update".to_owned()],
        partitions: Partitions::AsRoot,
        reach: Reach::Members,
        members: BTreeMap::from([(TableName::new("public", "ord"), member)]),
        named: BTreeMap::new(),
    };
    BTreeMap::from([("walbridge_shop".to_owned(), facts)])
}

/// Runs with what is explained.
fn explained<T>(
    publications: &Publications,
    look: impl FnOnce(&Ground<'_>, &[crate::mapping::explained::Explained<'_>]) -> T,
) -> T {
    let (config, catalog) = (config(), catalog());
    let compiled = compile_what_fits(&config.entities, &catalog);
    let explained = compiled.mapping.explained(&config.entities, &catalog);
    let ground = Ground {
        config: &config,
        publications,
    };
    look(&ground, &explained)
}

const SHOWN: &str = r#"Order: rows of public.ord where typ = 'S' and "no" <> '<none>'

  FIELD   COLUMN  IN POSTGRESQL  NULL  PUBLISHED AS
  number  no      varchar(20)          text
  status  sts     char(1)        null  N is placed, P is paid, blank is none; another is
                                       null
  total   ct      bigint         null  decimal text, 2 behind the point
  label   typ     char(1)              text; by lower(typ) || '-' || typ
  seen    seen    timestamp            timestamp in UTC; meant in Europe/Berlin; its
                                       change alone is none

  TOPIC         KEY     PARTITION BY  HOLDS
  orders        number  key           the current Order by key, a tombstone where it
                                      leaves
  order-events  number  key           OrderPlaced, OrderPaid, OrderRemoved

  EVENT         VERSION  TOLD
  OrderPlaced   1        enters    a row is inserted, changed into `where`, or given
                                   another key
                         rests on  typ, no of the old row
  OrderPaid     2        enters    a row is inserted, changed into `where`, or given
                                   another key
                         changes   a field of it differs that is not ignored
                         and       new.status = 'paid' and old.status is distinct from
                                   'paid'
                         rests on  typ, no, sts of the old row, and its columns of all
                                   fields
                         says      number, before
                         with      before = old.status
  OrderRemoved  1        leaves    a row is deleted, changed out of `where`, or given
                                   another key
                         rests on  typ, no of the old row
                         says      number

  OLD ROW   NEEDED FOR
  typ       where, what differs
  no        where, key, what differs
  sts       what differs, OrderPaid
  ct        what differs
  given by  REPLICA IDENTITY DEFAULT of public.ord does not give typ, sts, ct: ALTER TABLE
            "public"."ord" REPLICA IDENTITY FULL;

  BESIDE THAT
  PostgreSQL      walbridge_shop sends insert, update of only the rows that its filter
                  lets pass, columns no, typ
  on_unknown_old  halt: whether a row was inside `where` is known of every change, or the
                  set-up is refused
  old rows        are told as states at the first start; about 12,345 rows in the table

Line: rows of public.ord

  FIELD   COLUMN  IN POSTGRESQL  NULL  PUBLISHED AS
  number  no      varchar(20)          text

  TOPIC  KEY     PARTITION BY  HOLDS
  lines  number  key           LineWritten

  EVENT        VERSION  TOLD
  LineWritten  1        enters  a row is inserted

  BESIDE THAT
  PostgreSQL   walbridge_shop sends insert, update of only the rows that its filter lets
               pass, columns no, typ
  old rows     are not told: there is no state topic; about 12,345 rows in the table"#;

#[test]
fn a_mapping_is_laid_open_in_tables_that_line_up() {
    let shown = explained(&publications(), |ground, all| {
        text::lines(ground, all, (90, Colour::No))
    });
    assert_eq!(shown.join("\n"), SHOWN);
    assert!(shown.iter().all(|line| line.chars().count() <= 90));
    let none = explained(&Publications::new(), |ground, all| {
        text::lines(ground, all, (90, Colour::Yes)).join("\n")
    });
    assert!(
        none.contains("no publication sends changes of public.ord yet; setup adds it to"),
        "{none}"
    );
    assert!(none.contains("\u{1b}[1mLine: rows of public.ord\u{1b}[0m"), "{none}");
}

#[test]
fn partitions_of_one_identity_are_told_together() {
    let (config, mut catalog) = (config(), catalog());
    let table = catalog.tables.values_mut().next().unwrap();
    let leaf = |name: &str, kind, columns: &[&str]| Leaf {
        place: String::new(),
        oid: 2,
        name: TableName::new("public", name),
        identity: Identity {
            kind,
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            attnums: Vec::new(),
        },
    };
    let all = ["no", "typ", "sts", "ct", "seen"];
    table.leaves = vec![
        leaf("ord_1", ReplicaIdentity::Full, &all),
        leaf("ord_2", ReplicaIdentity::Default, &["no"]),
        leaf("ord_3", ReplicaIdentity::Full, &all),
    ];
    let compiled = compile_what_fits(&config.entities, &catalog);
    let explained = compiled.mapping.explained(&config.entities, &catalog);
    let ground = Ground {
        config: &config,
        publications: &publications(),
    };
    let shown = text::lines(&ground, &explained, (200, Colour::No));
    let given: Vec<&str> = shown
        .iter()
        .filter(|line| line.contains("given by"))
        .map(|line| line.trim())
        .collect();
    assert_eq!(
        given,
        [
            "given by  REPLICA IDENTITY FULL of 2 partitions",
            "given by  REPLICA IDENTITY DEFAULT of public.ord_2 does not give typ, sts, ct: ALTER TABLE \"public\".\"ord_2\" \
             REPLICA IDENTITY FULL;",
        ]
    );
}

#[test]
fn machines_get_the_same_as_a_document() {
    let document = explained(&publications(), document::document);
    let order = &document["entities"][0];
    assert_eq!(order["entity"], "Order");
    assert_eq!(order["fields"][3]["expression"], "lower(typ) || '-' || typ");
    assert_eq!(
        order["fields"][3]["columns"],
        serde_json::json!([{"name": "typ", "type": "character(1)"}])
    );
    assert_eq!(
        order["fields"][1]["schema"]["enum"],
        serde_json::json!(["none", "placed", "paid"])
    );
    let nulls: Vec<bool> = (0..5)
        .map(|field| order["fields"][field]["null"].as_bool().unwrap())
        .collect();
    assert_eq!(nulls, [false, true, true, false, false]);
    let paid = &order["events"][1];
    assert_eq!((&paid["version"], &paid["topic"]), (&2.into(), &"order-events".into()));
    assert_eq!(paid["data"][1]["name"], "before");
    assert_eq!(paid["old_columns"], serde_json::json!(["typ", "no", "sts", "ct"]));
    assert_eq!(
        order["old_row"]["identities"][0]["missing"],
        serde_json::json!(["typ", "sts", "ct"])
    );
    assert_eq!(order["publications"][0]["row_filter"], true);
    assert_eq!(document["entities"][1]["old_row"], serde_json::Value::Null);
    assert_eq!(
        document["entities"][1]["events"][0]["on"][0]["evidence"],
        "a row is inserted"
    );
}

#[test]
fn a_picture_names_each_table_and_topic_once() {
    let picture = explained(&publications(), |_, all| mermaid::picture(all));
    let lines: Vec<&str> = picture.lines().map(str::trim).collect();
    assert_eq!(lines[0], "flowchart LR");
    assert_eq!(
        lines.iter().filter(|line| line.contains("[(\"public.ord\")]")).count(),
        1
    );
    assert!(
        lines.contains(&"table0 -->|\"typ = 'S' and #quot;no#quot; #lt;#gt; '#lt;none#gt;'\"| entity0"),
        "{picture}"
    );
    assert!(
        lines.contains(&"entity0 -->|\"OrderPlaced<br/>OrderPaid<br/>OrderRemoved\"| topic1"),
        "{picture}"
    );
    assert!(lines.contains(&"table0 --> entity1"), "{picture}");
}

#[test]
fn only_what_is_found_of_the_entity_is_said() {
    let at = |path: &str| {
        let place = Place {
            path: path.to_owned(),
            ..Place::default()
        };
        concerns(&Finding::note(Cause::Config, "x", "x").at(place), "Order")
    };
    assert!(at("entity.Order") && at("entity.Order.fields.total") && at("bridge.name"));
    assert!(!at("entity.OrderLine") && !at("entity.Line.key"));
}

#[test]
fn an_entity_that_is_none_is_named_with_the_nearest() {
    let config = config();
    assert_eq!(unknown(&config, "Order"), None);
    assert_eq!(
        unknown(&config, "Ordr").unwrap().repair.unwrap(),
        "did you mean `Order`?"
    );
}
