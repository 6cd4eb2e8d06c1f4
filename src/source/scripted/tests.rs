//! The script is told as a server tells its log.

use super::*;
use crate::flow::change::Change;
use crate::flow::table::{Column, ReplicaIdentity, TableName};
use crate::source::postgres::pgoutput::encode::{Old, Value};

fn table(oid: u32, columns: &[&str]) -> Arc<Table> {
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        type_oid: 25,
        type_modifier: -1,
        in_identity: true,
    };
    Arc::new(Table {
        oid,
        name: TableName::new("public", format!("t{oid}")),
        identity: ReplicaIdentity::Full,
        columns: columns.iter().map(column).collect(),
    })
}

fn insert(table: &Arc<Table>, texts: &[&str]) -> Entry {
    Entry::Insert {
        table: Arc::clone(table),
        new: texts.iter().copied().map(Value::from).collect(),
    }
}

fn commit(log: &Shared, entries: Vec<Entry>) -> Lsn {
    lock(log).commit(entries)
}

/// The next step as text.
fn told(source: &mut Scripted) -> Result<String, SourceError> {
    Ok(match source.next(Duration::ZERO)? {
        Step::Begin(transaction) => format!("begin {}", transaction.xid),
        Step::Shape(table) => format!("shape {} of {}", table.oid, table.columns.len()),
        Step::Change { table_oid, change } => match change {
            Change::Insert { .. } => format!("insert {table_oid}"),
            Change::Update { .. } => format!("update {table_oid}"),
            Change::Delete { .. } => format!("delete {table_oid}"),
        },
        Step::Truncate { table_oids } => format!("truncate {table_oids:?}"),
        Step::Commit { end_lsn } => format!("commit {end_lsn}"),
        Step::Drained {
            seen_lsn,
            asked: Asked::No,
        } => format!("drained {seen_lsn}"),
        Step::Drained {
            seen_lsn,
            asked: Asked::Yes,
        } => format!("asked {seen_lsn}"),
    })
}

/// The steps until everything is told, in one line, without their numbers but the transactions'.
fn all(source: &mut Scripted) -> String {
    let mut words = Vec::new();
    loop {
        let step = told(source).unwrap();
        if step.starts_with("drained") {
            return words.join(", ");
        }
        let step = step.split_once(" 0/").map_or(step.as_str(), |(word, _)| word);
        words.push(step.to_owned());
    }
}

fn held(log: &Shared) -> Scripted {
    let mut source = Scripted::new(Arc::clone(log));
    assert!(matches!(source.hold(), Ok(Hold::Taken { .. })));
    source
}

#[test]
fn a_transaction_is_told_whole() {
    let log = Log::shared();
    let (a, b) = (table(1, &["id", "x"]), table(2, &["id"]));
    let end = commit(
        &log,
        vec![
            insert(&a, &["1", "x"]),
            Entry::Message {
                prefix: "p".to_owned(),
                content: b"c".to_vec(),
            },
            Entry::Update {
                table: Arc::clone(&a),
                old: Old::Absent,
                new: vec![Value::Unchanged, Value::Null],
            },
            Entry::Delete {
                table: Arc::clone(&a),
                old: Old::Key(vec![Value::Null, "1".into()]),
            },
            Entry::Truncate { tables: vec![a, b] },
        ],
    );
    let mut source = held(&log);
    let steps: Vec<String> = (0..9).map(|_| told(&mut source).unwrap()).collect();
    let expected = [
        "begin 701",
        "shape 1 of 2",
        "insert 1",
        "update 1",
        "delete 1",
        "shape 2 of 1",
        "truncate [1, 2]",
    ];
    assert_eq!(steps[..7], expected);
    assert_eq!(steps[7..], [format!("commit {end}"), format!("drained {end}")]);
}

#[test]
fn a_shape_is_told_again_where_it_changed() {
    let log = Log::shared();
    let (before, after) = (table(1, &["id"]), table(1, &["id", "x"]));
    commit(&log, vec![insert(&before, &["1"]), insert(&before, &["2"])]);
    commit(&log, vec![insert(&before, &["3"]), insert(&after, &["4", "x"])]);
    let mut source = held(&log);
    assert_eq!(
        all(&mut source),
        "begin 701, shape 1 of 1, insert 1, insert 1, commit, begin 702, insert 1, shape 1 of 2, insert 1, commit"
    );
}

#[test]
fn what_is_not_confirmed_is_told_again() {
    let log = Log::shared();
    let t = table(1, &["id"]);
    let ends: Vec<Lsn> = ["1", "2", "3"]
        .iter()
        .map(|id| commit(&log, vec![insert(&t, &[id])]))
        .collect();
    let mut source = held(&log);
    all(&mut source);
    source.acknowledge(ends[0]);
    assert!(matches!(source.hold(), Ok(Hold::Taken { confirmed_lsn }) if confirmed_lsn == ends[0]));
    let rest = "begin 702, shape 1 of 1, insert 1, commit, begin 703, insert 1, commit";
    assert_eq!(all(&mut source), rest, "the same instance");
    drop(source);
    assert_eq!(all(&mut held(&log)), rest, "another instance");

    let mut source = held(&log);
    source.acknowledge(ends[2]);
    source.acknowledge(ends[1]);
    assert_eq!(lock(&log).confirmed_lsn(), ends[2], "never backwards");
    assert_eq!(all(&mut held_again(source)), "");
    commit(&log, vec![insert(&t, &["4"])]);
    assert_eq!(all(&mut held(&log)), "begin 704, shape 1 of 1, insert 1, commit");
}

fn is_lost(source: &mut Scripted) -> bool {
    matches!(told(source), Err(SourceError::Transient(_)))
}

fn held_again(mut source: Scripted) -> Scripted {
    assert!(matches!(source.hold(), Ok(Hold::Taken { .. })));
    source
}

#[test]
fn the_connection_is_lost_when_told() {
    let log = Log::shared();
    commit(&log, vec![insert(&table(1, &["id"]), &["1"])]);
    lock(&log).disconnect_after(2);
    lock(&log).disconnect_after(0);
    let mut source = held(&log);
    for step in ["begin 701", "shape 1 of 1"] {
        assert_eq!(told(&mut source).unwrap(), step);
    }
    for _ in 0..2 {
        assert!(is_lost(&mut source), "and stays lost");
    }
    assert!(!lock(&log).is_held());
    source.acknowledge(Lsn(u64::MAX));
    assert!(is_lost(&mut held_again(source)), "the second loss");
    assert_eq!(
        all(&mut held(&log)),
        "begin 701, shape 1 of 1, insert 1, commit",
        "nothing was confirmed"
    );
}

#[test]
fn one_holds_it() {
    let log = Log::shared();
    let mut second = Scripted::new(Arc::clone(&log));
    let first = held(&log);
    assert!(matches!(second.hold(), Ok(Hold::Busy)));
    assert!(is_lost(&mut second));
    drop(first);
    assert!(matches!(second.hold(), Ok(Hold::Taken { .. })));
}

#[test]
fn the_log_goes_on_without_us_and_asks() {
    let log = Log::shared();
    let mut source = held(&log);
    lock(&log).pass(0x20);
    lock(&log).ask();
    assert_eq!(told(&mut source).unwrap(), "asked 0/1000020");
    assert_eq!(told(&mut source).unwrap(), "drained 0/1000020");
}

#[test]
fn a_position_that_proves_nothing_halts() {
    let log = Log::shared();
    let first = lock(&log).first_position();
    let end = commit(&log, vec![insert(&table(1, &["id"]), &["1"])]);
    let mut source = held(&log);
    let proven = source.prove(Some(first.clone())).unwrap();
    assert_eq!(proven.checkpoint.tables["public.t1"].oid, 1);
    let mut code = |stored| match source.prove(stored) {
        Err(SourceError::Halt(finding)) => finding.code,
        other => panic!("{other:?}"),
    };
    let beyond = Lsn(end.0 + 1);
    assert_eq!(code(None), "source.slot_without_position");
    assert_eq!(
        code(Some(Checkpoint {
            slot: "x".to_owned(),
            ..first.clone()
        })),
        "source.slot_renamed"
    );
    let other = Checkpoint {
        system_identifier: "2".to_owned(),
        ..first.clone()
    };
    assert_eq!(code(Some(other)), "source.other_system");
    assert_eq!(
        code(Some(Checkpoint {
            commit_end_lsn: beyond,
            ..first.clone()
        })),
        "source.log_behind"
    );
    source.acknowledge(end);
    assert!(
        matches!(source.prove(Some(first)), Err(SourceError::Halt(finding)) if finding.code == "source.slot_ahead")
    );
}

#[test]
fn a_script_that_makes_no_sense_halts() {
    let log = Log::shared();
    commit(&log, vec![insert(&table(1, &["id", "x"]), &["1"])]);
    let mut source = held(&log);
    told(&mut source).and_then(|_| told(&mut source)).unwrap();
    assert!(matches!(told(&mut source), Err(SourceError::Halt(_))));
}
