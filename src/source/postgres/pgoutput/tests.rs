//! What a server says is understood; what it would not say is refused, and never a panic.

use super::session::session;
use super::*;
use crate::flow::cell::Cell;
use crate::flow::change::{Change, OldTuple, Transaction, Tuple};
use crate::flow::table::{Column, ReplicaIdentity, Table, TableName};

/// A tuple as text: `-` for NULL, `?` for unknown.
fn shown(tuple: Tuple<'_>) -> String {
    let mut cells = Vec::new();
    tuple.locate(&mut cells);
    assert_eq!(cells.len(), usize::from(tuple.columns()));
    let row = tuple.row(&cells);
    let cell = |column| match row.cell(column) {
        Cell::Null => "-".to_owned(),
        Cell::Unknown => "?".to_owned(),
        Cell::Text(text) if text.len() > 100 => format!("[{}]", text.len()),
        Cell::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
    };
    (0..row.len()).map(cell).collect::<Vec<_>>().join("|")
}

fn old_shown(old: OldTuple<'_>) -> String {
    match old {
        OldTuple::Absent => "absent".to_owned(),
        OldTuple::Key(tuple) => format!("key {}", shown(tuple)),
        OldTuple::Full(tuple) => format!("full {}", shown(tuple)),
    }
}

fn told(message: &[u8]) -> String {
    match decode(message).unwrap() {
        Message::Begin(Transaction { commit_lsn, xid, .. }) => format!("begin {xid} {commit_lsn}"),
        Message::Commit {
            commit_lsn, end_lsn, ..
        } => format!("commit {commit_lsn} {end_lsn}"),
        Message::Origin { commit_lsn, name } => format!("origin {commit_lsn} {name}"),
        Message::Relation(table) => format!("relation {} {} {:?}", table.oid, table.name, table.identity),
        Message::Type { oid, schema, name } => format!("type {oid} {schema}.{name}"),
        Message::Change { table_oid, change } => match change {
            Change::Insert { new } => format!("insert {table_oid} {}", shown(new)),
            Change::Update { old, new } => format!("update {table_oid} {} to {}", old_shown(old), shown(new)),
            Change::Delete { old } => format!("delete {table_oid} {}", old_shown(old)),
        },
        Message::Truncate { options, table_oids } => {
            format!("truncate {options} {:?}", table_oids.iter().collect::<Vec<_>>())
        }
        Message::Logical {
            flags,
            lsn,
            prefix,
            content,
        } => format!("logical {flags} {lsn} {prefix} {content:?}"),
    }
}

#[test]
fn a_servers_session_is_understood() {
    let session: Vec<String> = session().iter().map(|message| told(message)).collect();
    let expected = [
        "begin 731 0/1533B98",
        "type 16385 public.mood",
        "relation 16389 public.item Default",
        "insert 16389 1|Ünï|-|[3000]",
        "update 16389 absent to 1|b|-|?",
        "update 16389 key 1|-|-|- to 2|b|-|?",
        "logical 1 0/1533A08 pre [104, 101, 108, 108, 111]",
        "relation 16396 public.hist Full",
        "insert 16396 7|",
        "update 16396 full 7| to 7|z",
        "delete 16396 full 7|z",
        "delete 16389 key 2|-|-|-",
        "commit 0/1533B98 0/1533BC8",
        "logical 0 0/1533C08 out [115, 105, 100, 101]",
        "begin 732 0/1534AA8",
        "insert 16389 3|c|ok|-",
    ];
    assert_eq!(session[..expected.len()], expected);
    assert_eq!(session[19], "truncate 3 [16389, 16396]");
}

#[test]
fn a_shape_is_read_in_full() {
    let column = |name: &str, type_oid, type_modifier, in_identity| Column {
        name: name.to_owned(),
        type_oid,
        type_modifier,
        in_identity,
    };
    let table = Table {
        oid: 16389,
        name: TableName::new("public", "item"),
        identity: ReplicaIdentity::Default,
        columns: vec![
            column("id", 23, -1, true),
            column("name", 25, -1, false),
            column("m", 16385, -1, false),
            column("big", 25, -1, false),
            column("extra", 1700, 0x80006, false),
        ],
    };
    assert_eq!(decode(&session()[23]), Ok(Message::Relation(table)));
}

/// Every kind of message: the server's session, and what it had no cause to say.
fn every_kind() -> Vec<Vec<u8>> {
    let mut origin = b"O".to_vec();
    origin.extend(0x16_0000_0001_u64.to_be_bytes());
    origin.extend(b"pg_7\0");
    let mut all = session();
    all.push(origin);
    all
}

#[test]
fn an_origin_is_read() {
    assert_eq!(told(every_kind().last().unwrap()), "origin 16/1 pg_7");
}

#[test]
fn a_message_cut_anywhere_is_refused() {
    for message in every_kind() {
        for end in 0..message.len() {
            let cut = decode(&message[..end]);
            assert!(
                matches!(
                    cut,
                    Err(DecodeError::Empty | DecodeError::Short { .. } | DecodeError::Endless { .. })
                ),
                "{end} of {}: {cut:?}",
                told(&message)
            );
        }
    }
}

#[test]
fn a_message_that_goes_on_is_refused() {
    for mut message in every_kind() {
        let at = message.len();
        message.push(0);
        assert_eq!(decode(&message), Err(DecodeError::Trailing { at, left: 1 }));
    }
}

/// An INSERT whose tuple says `columns` and then these bytes.
fn insert_of(columns: u16, bytes: &[u8]) -> Vec<u8> {
    let mut message = b"I\0\0\0\x07N".to_vec();
    message.extend(columns.to_be_bytes());
    message.extend(bytes);
    message
}

#[test]
fn lengths_that_lie_are_refused() {
    for length in [2_u32, 100, 0x7FFF_FFFF, 0x8000_0000, u32::MAX] {
        let mut bytes = b"t".to_vec();
        bytes.extend(length.to_be_bytes());
        bytes.push(b'1');
        let wanted = usize::try_from(length).unwrap();
        let error = DecodeError::Short {
            at: 13,
            wanted,
            left: 1,
        };
        assert_eq!(decode(&insert_of(1, &bytes)), Err(error));
    }
    let too_many = DecodeError::Short {
        at: 10,
        wanted: 1,
        left: 0,
    };
    assert_eq!(decode(&insert_of(u16::MAX, b"nn")), Err(too_many));
    assert_eq!(
        decode(&insert_of(1, b"nn")),
        Err(DecodeError::Trailing { at: 9, left: 1 })
    );
    assert!(matches!(
        decode(b"T\xFF\xFF\xFF\xFF\0\0\0\0\x07"),
        Err(DecodeError::Short { .. })
    ));
    assert!(matches!(
        decode(b"R\0\0\0\x07s\0t\0d\xFF\xFF"),
        Err(DecodeError::Short { .. })
    ));
    assert!(matches!(
        decode(b"M\0\0\0\0\0\0\0\0\0p\0\xFF\xFF\xFF\xFFx"),
        Err(DecodeError::Short { .. })
    ));
}

#[test]
fn what_protocol_1_does_not_have_is_refused() {
    assert_eq!(decode(b""), Err(DecodeError::Empty));
    for kind in (0..=u8::MAX).filter(|kind| !b"BCORYIUDTM".contains(kind)) {
        assert_eq!(decode(&[kind, 0, 0, 0, 0]), Err(DecodeError::Kind { kind }));
    }
    let tag = |at, tag| Err(DecodeError::Tag { at, tag });
    assert_eq!(decode(&insert_of(1, b"b\0\0\0\x01x")), tag(8, b'b'), "binary format");
    assert_eq!(decode(b"I\0\0\0\x07K\0\0"), tag(5, b'K'));
    assert_eq!(decode(b"D\0\0\0\x07N\0\0"), tag(5, b'N'));
    assert_eq!(decode(b"U\0\0\0\x07X\0\0"), tag(5, b'X'));
    assert_eq!(decode(b"U\0\0\0\x07K\0\0O\0\0"), tag(8, b'O'), "two old rows");
    assert_eq!(decode(b"C\x01"), tag(1, 1));
    assert_eq!(decode(b"R\0\0\0\x07s\0t\0x\0\0"), tag(9, b'x'));
    assert_eq!(decode(b"Y\0\0\0\x07\xFF\0t\0"), Err(DecodeError::NotUtf8 { at: 5 }));
    assert_eq!(decode(b"Y\0\0\0\x07s\0t"), Err(DecodeError::Endless { at: 7 }));
}

#[test]
fn a_table_without_schema_is_of_pg_catalog() {
    let Message::Relation(table) = decode(b"R\0\0\0\x07\0t\0d\0\0").unwrap() else {
        panic!()
    };
    assert_eq!(table.name.to_string(), "pg_catalog.t");
}
