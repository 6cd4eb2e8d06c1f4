//! Random messages: what is written is read. That no other bytes are a panic, `tests/corpus` shows.

use proptest::collection::vec;
use proptest::prelude::*;

use super::encode::{self, Old, Value, Values};
use super::session::session;
use super::*;
use crate::flow::cell::Cell;
use crate::flow::change::{Change, CommitTime, OldTuple, Transaction, Tuple};
use crate::flow::position::Lsn;

fn values() -> impl Strategy<Value = Values> {
    let value = prop_oneof![
        Just(Value::Null),
        Just(Value::Unchanged),
        ".{0,20}".prop_map(Value::Text)
    ];
    vec(value, 0..12)
}

fn old() -> impl Strategy<Value = Old> {
    prop_oneof![
        Just(Old::Absent),
        values().prop_map(Old::Key),
        values().prop_map(Old::Full)
    ]
}

fn same(values: &Values, tuple: Tuple<'_>) {
    let mut cells = Vec::new();
    tuple.locate(&mut cells);
    let row = tuple.row(&cells);
    assert_eq!(row.len(), values.len());
    for (column, value) in values.iter().enumerate() {
        let cell = match value {
            Value::Null => Cell::Null,
            Value::Unchanged => Cell::Unknown,
            Value::Text(text) => Cell::Text(text.as_bytes()),
        };
        assert_eq!(row.cell(column), cell);
    }
}

fn same_old(old: &Old, tuple: OldTuple<'_>) {
    match (old, tuple) {
        (Old::Absent, OldTuple::Absent) => {}
        (Old::Key(values), OldTuple::Key(tuple)) | (Old::Full(values), OldTuple::Full(tuple)) => same(values, tuple),
        (old, tuple) => panic!("{old:?} reads as {tuple:?}"),
    }
}

proptest! {
    #[test]
    fn changes_are_read_as_they_were_written(oid in any::<u32>(), before in old(), after in values()) {
        let mut bytes = Vec::new();
        encode::insert(&mut bytes, oid, &after);
        let Ok(Message::Change { table_oid, change: Change::Insert { new } }) = decode(&bytes) else { panic!() };
        assert_eq!(table_oid, oid);
        same(&after, new);

        bytes.clear();
        encode::update(&mut bytes, oid, &before, &after);
        let Ok(Message::Change { table_oid, change: Change::Update { old, new } }) = decode(&bytes) else { panic!() };
        assert_eq!(table_oid, oid);
        same(&after, new);
        same_old(&before, old);

        bytes.clear();
        encode::delete(&mut bytes, oid, &before);
        match decode(&bytes) {
            Ok(Message::Change { change: Change::Delete { old }, .. }) => same_old(&before, old),
            other => assert!(before == Old::Absent && other.is_err(), "{other:?}"),
        }
    }

    #[test]
    fn transactions_are_read_as_they_were_written(
        lsn in any::<u64>(),
        end in any::<u64>(),
        at in any::<i64>(),
        xid in any::<u32>(),
    ) {
        let transaction = Transaction { commit_lsn: Lsn(lsn), commit_time: CommitTime(at), xid };
        let (mut first, mut last) = (Vec::new(), Vec::new());
        encode::begin(&mut first, &transaction);
        encode::commit(&mut last, &transaction, Lsn(end));
        assert_eq!(decode(&first), Ok(Message::Begin(transaction)));
        let (commit_lsn, commit_time) = (transaction.commit_lsn, transaction.commit_time);
        assert_eq!(decode(&last), Ok(Message::Commit { commit_lsn, end_lsn: Lsn(end), commit_time }));
    }

    #[test]
    fn oids_are_read_as_they_were_written(oids in vec(any::<u32>(), 0..9)) {
        let mut bytes = Vec::new();
        encode::truncate(&mut bytes, &oids);
        let Ok(Message::Truncate { options: 0, table_oids }) = decode(&bytes) else { panic!() };
        assert_eq!(table_oids.iter().collect::<Vec<_>>(), oids);
    }
}

#[test]
fn it_is_written_as_a_server_writes_it() {
    let texts = |texts: &[Option<&str>]| texts.iter().map(|text| Value::from(*text)).collect::<Values>();
    for message in session() {
        let mut out = Vec::new();
        match decode(&message).unwrap() {
            Message::Relation(table) => encode::relation(&mut out, &table),
            Message::Logical {
                flags: 1,
                lsn,
                prefix,
                content,
            } => encode::logical(&mut out, lsn, prefix, content),
            Message::Begin(transaction) => encode::begin(&mut out, &transaction),
            Message::Commit {
                commit_lsn,
                end_lsn,
                commit_time,
            } => {
                let transaction = Transaction {
                    commit_lsn,
                    commit_time,
                    xid: 0,
                };
                encode::commit(&mut out, &transaction, end_lsn);
            }
            Message::Origin { .. } | Message::Type { .. } | Message::Logical { .. } => continue,
            Message::Change { .. } | Message::Truncate { .. } => continue,
        }
        assert_eq!(out, message);
    }
    let mut out = Vec::new();
    let key = Old::Key(texts(&[Some("1"), None, None, None]));
    let mut new = texts(&[Some("2"), Some("b"), None]);
    new.push(Value::Unchanged);
    encode::update(&mut out, 16389, &key, &new);
    assert_eq!(out, session()[5]);
    out.clear();
    encode::delete(&mut out, 16396, &Old::Full(texts(&[Some("7"), Some("z")])));
    assert_eq!(out, session()[10]);
    out.clear();
    encode::insert(&mut out, 16389, &texts(&[Some("3"), Some("c"), Some("ok"), None]));
    assert_eq!(out, session()[15]);
}
