//! The stream of a real server gives its steps; an order that no server sends is refused.

use super::*;
use crate::flow::change::CommitTime;
use crate::flow::table::{Column, ReplicaIdentity};
use crate::source::postgres::pgoutput::encode::{self, Old, Value};
use crate::source::postgres::pgoutput::session::session;

const AT: Transaction = Transaction {
    commit_lsn: Lsn(0x100),
    commit_time: CommitTime(1),
    xid: 7,
};

fn table(oid: u32, columns: usize) -> Table {
    let column = |name| Column {
        name,
        type_oid: 25,
        type_modifier: -1,
        in_identity: true,
    };
    Table {
        oid,
        name: TableName::new("public", "ord"),
        identity: ReplicaIdentity::Full,
        columns: (0..columns).map(|at| column(format!("c{at}"))).collect(),
    }
}

fn values(columns: usize) -> Vec<Value> {
    vec![Value::Null; columns]
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn begin() -> Vec<u8> {
    written(|out| encode::begin(out, &AT))
}

fn commit(end_lsn: u64) -> Vec<u8> {
    written(|out| encode::commit(out, &AT, Lsn(end_lsn)))
}

fn insert(oid: u32, columns: usize) -> Vec<u8> {
    written(|out| encode::insert(out, oid, &values(columns)))
}

/// An assembler in a transaction, with a table 5 of two columns.
fn open() -> Assembler {
    let mut assembler = Assembler::new();
    assembler.step(&begin()).unwrap();
    let shape = written(|out| encode::relation(out, &table(5, 2)));
    assembler.step(&shape).unwrap();
    assembler
}

fn refused(assembler: &mut Assembler, message: &[u8]) -> AssembleError {
    let before = assembler.in_transaction();
    let error = assembler.step(message).unwrap_err();
    assert_eq!(assembler.in_transaction(), before);
    error
}

#[test]
fn a_servers_session_gives_its_steps() {
    let mut assembler = Assembler::new();
    let mut steps = String::new();
    for message in session() {
        let silent = Assembler::is_silent(&message);
        let step = assembler.step(&message).unwrap();
        assert_eq!(step.is_none(), silent);
        steps.push(match step {
            None => '.',
            Some(Step::Begin(_)) => '(',
            Some(Step::Commit { .. }) => ')',
            Some(Step::Shape(_)) => 'S',
            Some(Step::Truncate {
                table_oids: [16389, 16396],
            }) => 'T',
            Some(Step::Change { .. }) => 'c',
            other => panic!("{other:?}"),
        });
        assert_eq!(assembler.in_transaction(), steps.rfind('(') > steps.rfind(')'));
    }
    assert_eq!(steps, "(.Sccc.Scccc).(c.SST)(.Sc)");
}

#[test]
fn a_shape_holds_until_the_next() {
    let mut assembler = open();
    assert!(assembler.step(&insert(5, 2)).unwrap().is_some());
    let wider = table(5, 3);
    let message = written(|out| encode::relation(out, &wider));
    assert!(matches!(assembler.step(&message), Ok(Some(Step::Shape(shape))) if *shape == wider));
    assert!(matches!(
        refused(&mut assembler, &insert(5, 2)),
        AssembleError::Columns { .. }
    ));
    assert!(assembler.step(&insert(5, 3)).unwrap().is_some());
}

#[test]
fn shapes_outlive_their_transaction() {
    let mut assembler = open();
    assembler.step(&commit(0x130)).unwrap();
    assert!(!assembler.in_transaction());
    assembler.step(&begin()).unwrap();
    assert!(assembler.step(&insert(5, 2)).unwrap().is_some());
}

#[test]
fn what_belongs_in_a_transaction_is_refused_outside() {
    let truncate = written(|out| encode::truncate(out, &[5]));
    let mut ended = open();
    ended.step(&commit(0x130)).unwrap();
    for assembler in [&mut Assembler::new(), &mut ended] {
        for (message, what) in [
            (insert(5, 2), "a row change"),
            (truncate.clone(), "a truncation"),
            (commit(0x130), "a commit"),
        ] {
            assert_eq!(refused(assembler, &message), AssembleError::Outside { what });
        }
    }
}

#[test]
fn a_transaction_ends_once_and_as_it_began() {
    let (open_lsn, begun) = (Lsn(0x100), Lsn(0x100));
    let nested = AssembleError::Nested { open: open_lsn, begun };
    assert_eq!(refused(&mut open(), &begin()), nested);
    let other = Transaction {
        commit_lsn: Lsn(0x200),
        ..AT
    };
    let committed = written(|out| encode::commit(out, &other, Lsn(0x230)));
    let error = AssembleError::OtherCommit {
        begun,
        committed: Lsn(0x200),
    };
    assert_eq!(refused(&mut open(), &committed), error);
    for end in [0, 0x100] {
        let error = AssembleError::EmptyCommit {
            commit_lsn: begun,
            end_lsn: Lsn(end),
        };
        assert_eq!(refused(&mut open(), &commit(end)), error);
    }
}

#[test]
fn an_unknown_table_is_refused() {
    let error = AssembleError::UnknownTable { table_oid: 6 };
    assert_eq!(refused(&mut open(), &insert(6, 2)), error);
    let truncate = written(|out| encode::truncate(out, &[5, 6]));
    assert_eq!(refused(&mut open(), &truncate), error);
}

#[test]
fn every_row_has_its_tables_columns() {
    let changes = |old: usize, new: usize| {
        [
            insert(5, new),
            written(|out| encode::update(out, 5, &Old::Absent, &values(new))),
            written(|out| encode::update(out, 5, &Old::Key(values(old)), &values(new))),
            written(|out| encode::update(out, 5, &Old::Full(values(old)), &values(new))),
            written(|out| encode::delete(out, 5, &Old::Key(values(old)))),
            written(|out| encode::delete(out, 5, &Old::Full(values(old)))),
        ]
    };
    let mut assembler = open();
    for message in changes(2, 2) {
        assert!(assembler.step(&message).unwrap().is_some());
    }
    for (old, new, bad) in [(2, 3, 0..4), (3, 2, 2..6), (1, 2, 2..6), (0, 2, 2..6)] {
        for message in &changes(old, new)[bad] {
            let found = if old == 2 { new } else { old };
            let error = AssembleError::Columns {
                table: TableName::new("public", "ord"),
                expected: 2,
                found,
            };
            assert_eq!(refused(&mut assembler, message), error);
        }
    }
}

#[test]
fn a_broken_message_is_refused() {
    let error = AssembleError::Decode(DecodeError::Kind { kind: b'S' });
    assert_eq!(refused(&mut open(), b"S"), error);
}
