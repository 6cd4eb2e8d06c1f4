//! One row change in, the records out: key, bytes of the partition, and data or none.

use walbridge::config;
use walbridge::encoding::{Encoder, Settings};
use walbridge::flow::change::{Change, OldTuple, Transaction, Tuple};
use walbridge::flow::event::{DomainEvent, Origin};
use walbridge::flow::record::{Partition, Records};
use walbridge::flow::table::{Column, ReplicaIdentity, Table};
use walbridge::mapping::compile::compile;
use walbridge::mapping::plan::Mapping;
use walbridge::mapping::tell::{At, Desk, Listener};

use crate::world::{HEAD, catalog, table};

/// Columns `no`, `typ`, `sts`, `ct`, `rmk`; none is null, and `u` is a value that is not sent again.
type Row = [Option<&'static str>; 5];

const OLD: Row = [Some("A"), Some("S"), Some("N"), Some("100"), None];

fn tuple(row: &Row) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in row {
        match value {
            None => bytes.push(b'n'),
            Some("u") => bytes.push(b'u'),
            Some(text) => {
                bytes.push(b't');
                bytes.extend(u32::try_from(text.len()).expect("short").to_be_bytes());
                bytes.extend(text.as_bytes());
            }
        }
    }
    // The generated column is not in the stream.
    bytes
}

struct Heard(Encoder, Records, usize);

impl Listener for Heard {
    fn hear(&mut self, event: &DomainEvent<'_>) {
        self.0.encode(event, &mut self.1);
    }

    fn suppressed(&mut self, _entity: &str) {
        self.2 += 1;
    }
}

/// What is told of an update with a whole old row, as `key/partition data` with `-` for a tombstone.
fn told(entity: &str, name: &str, (old, new): (&Row, &Row)) -> Result<Vec<String>, String> {
    told_of(entity, name, (Some(old), new))
}

/// The same, where the old row may not be sent.
fn told_of(entity: &str, name: &str, (old, new): (Option<&Row>, &Row)) -> Result<Vec<String>, String> {
    told_as(prepared(entity, name), (old, new))
}

/// The same, logged while the identity was of these columns.
fn told_under(identity: &[&str], entity: &str, (old, new): (Option<&Row>, &Row)) -> Result<Vec<String>, String> {
    let (mapping, mut shape, heard) = prepared(entity, "ord");
    shape.identity = ReplicaIdentity::Index;
    for column in &mut shape.columns {
        column.in_identity = identity.contains(&column.name.as_str());
    }
    told_as((mapping, shape, heard), (old, new))
}

fn told_as(
    (mapping, shape, mut heard): (Mapping, Table, Heard),
    (old, new): (Option<&Row>, &Row),
) -> Result<Vec<String>, String> {
    let fitted = mapping.fit(&shape).expect("it fits").expect("it is mapped");
    let (old, new) = (old.map(tuple), tuple(new));
    let change = Change::Update {
        old: match (&old, shape.identity) {
            (None, _) => OldTuple::Absent,
            (Some(old), ReplicaIdentity::Full) => OldTuple::Full(Tuple::new(5, old)),
            (Some(old), _) => OldTuple::Key(Tuple::new(5, old)),
        },
        new: Tuple::new(5, &new),
    };
    let transaction = Transaction::default();
    let at = at(&transaction, Origin::Change);
    let ended = mapping.tell(&fitted, &change, &at, (&mut Desk::default(), &mut heard));
    ended.map_err(|row| row.finding(&transaction).what)?;
    Ok(heard.shown())
}

/// What is told of a row as it stands.
fn told_old(entity: &str, row: &Row) -> Result<Vec<String>, String> {
    let (mapping, shape, mut heard) = prepared(entity, "ord");
    let fitted = mapping
        .fit_entity("Order", &shape)
        .expect("it fits")
        .expect("it is mapped");
    let transaction = Transaction::default();
    let at = at(&transaction, Origin::Backfill(1));
    let row = tuple(row);
    let ended = mapping.tell_old(&fitted, &Tuple::new(5, &row), &at, (&mut Desk::default(), &mut heard));
    ended.map_err(|row| row.finding(&transaction).what)?;
    Ok(heard.shown())
}

/// An entity held against the catalogue, its table's shape, and somebody who listens.
fn prepared(entity: &str, name: &str) -> (Mapping, Table, Heard) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("shop.toml");
    std::fs::write(&path, format!("{HEAD}{entity}")).expect("a file");
    let entities = config::load_offline(&path).expect("a valid config").config.entities;
    let compiled = compile(&entities, &catalog());
    let mapping: Mapping = compiled.unwrap_or_else(|findings| panic!("{findings:?}")).mapping;
    let facts = table(name, ReplicaIdentity::Full);
    let column = |column: &walbridge::flow::catalog::ColumnFacts| Column {
        name: column.name.clone(),
        type_oid: column.type_oid,
        type_modifier: -1,
        in_identity: true,
    };
    let shape = Table {
        oid: facts.oid,
        name: facts.name.clone(),
        identity: ReplicaIdentity::Full,
        columns: facts.columns.iter().take(OLD.len()).map(column).collect(),
    };
    let settings = Settings {
        source: "s".to_owned(),
        type_prefix: String::new(),
        dataschema_prefix: "urn:".to_owned(),
    };
    let heard = Heard(Encoder::new(&mapping.kinds, &settings), Records::default(), 0);
    (mapping, shape, heard)
}

fn at(transaction: &Transaction, origin: Origin) -> At<'_> {
    At {
        epoch: 1,
        transaction,
        rank: 0,
        origin,
    }
}

impl Heard {
    fn shown(&self) -> Vec<String> {
        let records = &self.1;
        let shown = records.spans.iter().map(|span| {
            let text = |range| String::from_utf8_lossy(records.part(range)).into_owned();
            let data = span.value.as_ref().map_or("-".to_owned(), |value| {
                let document: serde_json::Value = serde_json::from_slice(records.part(value)).expect("JSON");
                format!("{} {}", document["type"].as_str().expect("a type"), document["data"])
            });
            let Partition::Of(by) = &span.partition else {
                panic!("no change names its partition")
            };
            format!("{}/{} {data}", text(&span.key), text(by))
        });
        shown.collect()
    }
}

const STATES: &str = r#"[entity.Order]
table = "public.ord"
where = "typ = 'S'"
key = "number"
state_topic = "orders"
[entity.Order.fields]
number = "no"
status = { from = "sts", codes = { N = "placed", P = "paid" } }
note = "rmk"
"#;

#[test]
fn a_state_that_moves_to_another_partition_is_gone_from_the_old_one() {
    let by_status = STATES.replacen("key =", "partition_by = \"status\"\nkey =", 1);
    let new = [Some("A"), Some("S"), Some("P"), Some("100"), None];
    assert_eq!(
        told(&by_status, "ord", (&OLD, &new)).expect("told"),
        [
            "A/placed -",
            r#"A/paid Order {"number":"A","status":"paid","note":null}"#
        ]
    );
    let noted = [Some("A"), Some("S"), Some("N"), Some("100"), Some("x")];
    let stays = told(&by_status, "ord", (&OLD, &noted)).expect("told");
    assert_eq!(stays, [r#"A/placed Order {"number":"A","status":"placed","note":"x"}"#]);
}

#[test]
fn a_change_that_no_field_shows_tells_nothing() {
    let cents = [Some("A"), Some("S"), Some("N"), Some("200"), None];
    assert!(told(STATES, "ord", (&OLD, &cents)).expect("told").is_empty());
    let ignoring = STATES.replacen("key =", "ignore = [\"note\"]\nkey =", 1);
    let noted = [Some("A"), Some("S"), Some("N"), Some("100"), Some("x")];
    assert!(told(&ignoring, "ord", (&OLD, &noted)).expect("told").is_empty());
    assert_eq!(told(STATES, "ord", (&OLD, &noted)).expect("told").len(), 1);
}

#[test]
fn a_row_that_leaves_may_hold_a_code_that_nobody_listed() {
    let gone = [Some("A"), Some("Q"), Some("?"), Some("100"), None];
    assert_eq!(told(STATES, "ord", (&OLD, &gone)).expect("told"), ["A/A -"]);
    let was = [Some("A"), Some("S"), Some("?"), Some("100"), None];
    let back = [Some("A"), Some("S"), Some("P"), Some("100"), None];
    assert_eq!(
        told(STATES, "ord", (&was, &back)).expect("told"),
        [r#"A/A Order {"number":"A","status":"paid","note":null}"#],
        "nor is the former value needed"
    );
    let error = told(STATES, "ord", (&OLD, &was)).expect_err("an entity must be mappable");
    assert!(error.contains("Order.status") && !error.contains('?'), "{error}");
}

#[test]
fn a_value_that_is_not_sent_again_comes_from_the_old_row() {
    let old = [Some("A"), Some("S"), Some("N"), Some("100"), Some("long")];
    let new = [Some("A"), Some("S"), Some("P"), Some("100"), Some("u")];
    assert_eq!(
        told(STATES, "ord", (&old, &new)).expect("told"),
        [r#"A/A Order {"number":"A","status":"paid","note":"long"}"#]
    );
}

#[test]
fn a_change_of_the_key_is_a_leave_and_an_enter() {
    let new = [Some("B"), Some("S"), Some("N"), Some("100"), None];
    assert_eq!(
        told(STATES, "ord", (&OLD, &new)).expect("told"),
        ["A/A -", r#"B/B Order {"number":"B","status":"placed","note":null}"#]
    );
}

#[test]
fn an_old_row_that_should_have_been_sent_and_was_not_is_not_known() {
    let error = told_of(STATES, "ord", (None, &OLD)).expect_err("whether it was an order is not known");
    assert!(error.contains("Order"), "{error}");
    let every_row = STATES.replacen("where = \"typ = 'S'\"\n", "", 1);
    let error = told_of(&every_row, "ord", (None, &OLD)).expect_err("which key it had is not known");
    assert!(error.contains("old value"), "{error}");
    // Of a root only the catalogue knows what its leaves send.
    let parted = every_row.replacen("public.ord", "public.parted", 1);
    assert_eq!(
        told_of(&parted, "parted", (None, &OLD)).expect("told"),
        [r#"A/A Order {"number":"A","status":"placed","note":null}"#],
        "not passed over as unchanged"
    );
}

#[test]
fn what_was_logged_under_a_weaker_identity_is_told_only_where_nothing_could_be_missed() {
    let every_row = STATES.replacen("where = \"typ = 'S'\"\n", "", 1);
    let by_status = every_row.replacen("key =", "partition_by = \"status\"\nkey =", 1);
    let changes = every_row.replacen("state_topic = \"orders\"", "event_topic = \"order-events\"", 1)
        + "[entity.Order.events]\nOrderChanged = { on = \"changes\" }\n";
    let moved: Row = [Some("A"), None, None, None, None];
    let told = [r#"A/A Order {"number":"A","status":"placed","note":null}"#];
    assert_eq!(told_under(&["no"], &every_row, (None, &OLD)).expect("told"), told);
    let other = [Some("B"), Some("S"), Some("N"), Some("100"), None];
    let renamed = told_under(&["no"], &every_row, (Some(&moved), &other)).expect("told");
    assert_eq!(renamed.len(), 2, "a tombstone and a state: {renamed:?}");
    let of_other: Row = [None, Some("T"), None, None, None];
    for (identity, entity, old, why) in [
        ("typ", &every_row, &of_other, "which key it had"),
        ("no", &by_status, &moved, "in which partition it was"),
        ("no", &changes, &moved, "whether a field differs"),
    ] {
        for old in [None, Some(old)] {
            let error = told_under(&[identity], entity, (old, &OLD)).expect_err(why);
            assert!(error.contains("old value"), "{why}: {error}");
        }
    }
}

#[test]
fn an_old_row_is_told_as_a_state_and_never_as_an_event() {
    let entity = format!(
        "{}[entity.Order.events]\nOrderPlaced = {{ on = \"enters\" }}\n",
        STATES.replacen("state_topic", "event_topic = \"order-events\"\nstate_topic", 1)
    );
    let state = r#"A/A Order {"number":"A","status":"placed","note":null}"#;
    assert_eq!(told_old(&entity, &OLD).expect("told"), [state]);
    let other = [Some("A"), Some("X"), Some("?"), Some("100"), None];
    assert!(told_old(&entity, &other).expect("no Order").is_empty());
    let unlisted = [Some("A"), Some("S"), Some("?"), Some("100"), None];
    assert!(told_old(&entity, &unlisted).is_err(), "a code that nobody listed");
    let only_events = entity.replacen("state_topic = \"orders\"\n", "", 1);
    assert!(told_old(&only_events, &OLD).expect("nothing to tell").is_empty());
}
