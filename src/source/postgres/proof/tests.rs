//! Every way in which continuity cannot be proven.

use std::collections::BTreeMap;

use super::*;
use crate::flow::checkpoint::{Leaves, PublicationMark, TableMark};
use crate::flow::table::{ReplicaIdentity, TableName};
use crate::source::postgres::settings::{FollowedTable, Publish, example};
use crate::source::postgres::slot::healthy;

fn server() -> Server {
    Server {
        system_identifier: "7".to_owned(),
        timeline: 1,
        end_lsn: Lsn(0x900),
        history: None,
    }
}

fn ground() -> Ground {
    let mark = TableMark {
        oid: 10,
        identity: ReplicaIdentity::Full,
        membership: 30,
    };
    Ground {
        leaves: Some(Leaves::new()),
        publications: BTreeMap::from([("walbridge_shop".to_owned(), publication(20))]),
        tables: BTreeMap::from([("public.ord".to_owned(), mark)]),
        weakest: BTreeMap::new(),
        outside: Vec::new(),
        members: BTreeMap::from([(30, TableName::new("public", "ord"))]),
    }
}

fn publication(oid: u32) -> PublicationMark {
    PublicationMark {
        oid,
        version: "700".to_owned(),
        harmless: "owner 10, as roots".to_owned(),
    }
}

fn stored() -> Checkpoint {
    Checkpoint {
        nonce: "n".to_owned(),
        ..ground().first(&example(), &server(), Lsn(0x200))
    }
}

fn refusal(outcome: Result<Checkpoint, SourceError>) -> Finding {
    match outcome {
        Err(SourceError::Halt(finding)) => {
            assert!(finding.repair.is_some() && finding.why.is_some(), "{finding}");
            *finding
        }
        Err(SourceError::Transient(text)) => panic!("transient: {text}"),
        Ok(proven) => panic!("proven: {proven:?}"),
    }
}

fn slot_refused(stored: Option<Checkpoint>, slot: Option<SlotFacts>) -> Finding {
    refusal(prove(stored, slot.as_ref(), &server(), &ground(), &example()))
}

fn ground_refused(change: impl FnOnce(&mut Ground)) -> &'static str {
    let mut now = ground();
    change(&mut now);
    refusal(prove(Some(stored()), Some(&healthy()), &server(), &now, &example())).code
}

fn server_refused(server: Server) -> Finding {
    refusal(prove(Some(stored()), Some(&healthy()), &server, &ground(), &example()))
}

fn mark(now: &mut Ground) -> &mut TableMark {
    now.tables.get_mut("public.ord").unwrap()
}

#[test]
fn an_unbroken_history_is_proven() {
    let proven = prove(Some(stored()), Some(&healthy()), &server(), &ground(), &example()).unwrap();
    assert_eq!(proven, stored());
    let behind = SlotFacts {
        confirmed_flush: Some(Lsn(0x180)),
        ..healthy()
    };
    assert!(prove(Some(stored()), Some(&behind), &server(), &ground(), &example()).is_ok());
}

#[test]
fn a_table_mapped_since_is_taken_in_and_one_no_longer_mapped_is_let_go() {
    let mut settings = example();
    settings.tables.push(FollowedTable {
        name: TableName::new("public", "new"),
        publish: Publish::Everything,
    });
    let mut before = stored();
    before.tables.insert(
        "public.former".to_owned(),
        TableMark {
            oid: 1,
            identity: ReplicaIdentity::Full,
            membership: 1,
        },
    );
    let mut now = ground();
    let added = TableMark {
        oid: 11,
        identity: ReplicaIdentity::Default,
        membership: 31,
    };
    now.tables.insert("public.new".to_owned(), added);
    let proven = prove(Some(before), Some(&healthy()), &server(), &now, &settings).unwrap();
    assert_eq!(proven.tables, now.tables);
}

#[test]
fn a_table_that_comes_into_the_other_publication_beside_the_first_loses_nothing() {
    let mut now = ground();
    mark(&mut now).membership = 99;
    now.members.insert(99, TableName::new("public", "ord"));
    let proven = prove(Some(stored()), Some(&healthy()), &server(), &now, &example()).unwrap();
    assert_eq!(proven.tables, now.tables);
    // Not in the other one yet: what says how it gets there is no loss.
    let mut outside = ground();
    mark(&mut outside).membership = 0;
    outside.outside = vec![TableName::new("public", "ord")];
    let proven = prove(Some(stored()), Some(&healthy()), &server(), &outside, &example()).unwrap();
    assert_eq!(proven.tables, stored().tables);
    mark(&mut outside).identity = ReplicaIdentity::Nothing;
    let weaker = refusal(prove(Some(stored()), Some(&healthy()), &server(), &outside, &example()));
    assert_eq!(weaker.code, "source.identity_weaker");
}

#[test]
fn position_and_slot_must_belong_together() {
    let without = slot_refused(Some(stored()), None);
    assert_eq!(without.code, "source.position_without_slot");
    assert_eq!(
        without.why.as_deref(),
        Some("changes committed from 0/200 to 0/900 may be missing")
    );
    let alone = slot_refused(None, Some(healthy()));
    assert_eq!(alone.code, "source.slot_without_position");
    assert!(alone.repair.unwrap().starts_with("walbridge setup --adopt -c FILE"));
    assert_eq!(slot_refused(None, None).code, "source.slot_missing");
    let other = Checkpoint {
        slot: "former".to_owned(),
        ..stored()
    };
    assert_eq!(slot_refused(Some(other), Some(healthy())).code, "source.slot_renamed");
    let lost = SlotFacts {
        wal_status: slot::WalStatus::Lost,
        ..healthy()
    };
    assert_eq!(slot_refused(Some(stored()), Some(lost)).code, "source.slot_lost");
}

#[test]
fn a_slot_ahead_of_the_position_names_the_range() {
    let ahead = SlotFacts {
        confirmed_flush: Some(Lsn(0x201)),
        ..healthy()
    };
    let finding = slot_refused(Some(stored()), Some(ahead));
    assert_eq!(finding.code, "source.slot_ahead");
    assert_eq!(
        finding.why.as_deref(),
        Some("changes committed from 0/200 to 0/201 were not read")
    );
    let again = SlotFacts {
        confirmed_flush: Some(Lsn(0x340)),
        restart_lsn: Some(Lsn(0x300)),
        ..healthy()
    };
    assert_eq!(slot_refused(Some(stored()), Some(again)).code, "source.slot_recreated");
}

#[test]
fn another_history_of_the_server_is_refused() {
    let other = Server {
        system_identifier: "8".to_owned(),
        ..server()
    };
    assert_eq!(server_refused(other).code, "source.other_system");
    let restored = Server {
        end_lsn: Lsn(0x1FF),
        ..server()
    };
    assert_eq!(server_refused(restored).code, "source.log_behind");
    let promoted = |history| Server {
        timeline: 3,
        history,
        ..server()
    };
    assert_eq!(server_refused(promoted(None)).code, "source.timeline_unknown");
    assert_eq!(
        server_refused(promoted(Some(Vec::new()))).code,
        "source.timeline_foreign"
    );
    let early = timeline_history("1\t0/1F0\tno recovery target specified\n\n2\t0/400\tno reason\n");
    let beyond = server_refused(promoted(Some(early)));
    assert_eq!(beyond.code, "source.timeline_switched");
    assert!(beyond.why.unwrap().contains("from 0/1F0 to 0/200"));
    let late = promoted(Some(timeline_history("1\t0/200\tx\n2\t0/400\tx\n")));
    let proven = prove(Some(stored()), Some(&healthy()), &late, &ground(), &example()).unwrap();
    assert_eq!(proven.timeline, 3);
}

#[test]
fn what_the_position_rests_on_must_be_the_same() {
    let other = |now: &mut Ground| now.publications.values_mut().for_each(|mark| *mark = publication(21));
    assert_eq!(ground_refused(other), "source.publication_recreated");
    assert_eq!(
        ground_refused(|now| now.publications.clear()),
        "source.publication_gone"
    );
    let version = |now: &mut Ground| {
        now.publications
            .values_mut()
            .for_each(|mark| mark.version = "701".to_owned());
    };
    assert_eq!(ground_refused(version), "source.publication_altered");
    let left = |now: &mut Ground| {
        now.outside = vec![TableName::new("public", "ord")];
        now.members.clear();
    };
    assert_eq!(ground_refused(left), "source.table_left");
    assert_eq!(ground_refused(|now| now.tables.clear()), "source.table_gone");
    assert_eq!(ground_refused(|now| mark(now).oid = 99), "source.table_recreated");
    let readded = |now: &mut Ground| {
        mark(now).membership = 99;
        now.members = BTreeMap::from([(99, TableName::new("public", "ord"))]);
    };
    assert_eq!(ground_refused(readded), "source.table_readded");
    for weaker in [
        ReplicaIdentity::Default,
        ReplicaIdentity::Index,
        ReplicaIdentity::Nothing,
    ] {
        assert_eq!(
            ground_refused(|now| mark(now).identity = weaker),
            "source.identity_weaker"
        );
    }
}

#[test]
fn a_publication_that_changed_its_owner_lost_nothing() {
    let mut now = ground();
    for mark in now.publications.values_mut() {
        mark.version = "701".to_owned();
        mark.harmless = "owner 11, as roots".to_owned();
    }
    let proven = prove(Some(stored()), Some(&healthy()), &server(), &now, &example()).unwrap();
    assert_eq!(proven.publications, now.publications);
}

#[test]
fn another_publication_in_the_config_is_named() {
    let mut before = stored();
    before.publications = BTreeMap::from([("former".to_owned(), publication(20))]);
    let finding = refusal(prove(Some(before), Some(&healthy()), &server(), &ground(), &example()));
    assert_eq!(finding.code, "source.publication_renamed");
    assert!(finding.repair.unwrap().contains("publication = \"former\""));
}

#[test]
fn a_table_with_another_name_is_told_from_one_that_is_gone() {
    let said = |members: BTreeMap<u32, TableName>| {
        let now = Ground {
            tables: BTreeMap::new(),
            members,
            ..ground()
        };
        let finding = refusal(prove(Some(stored()), Some(&healthy()), &server(), &now, &example()));
        assert_eq!(finding.code, "source.table_gone");
        finding.repair.unwrap()
    };
    let renamed = BTreeMap::from([(30, TableName::new("public", "orders"))]);
    assert_eq!(said(renamed), "table = \"public.orders\" in place of \"public.ord\"");
    assert!(said(BTreeMap::new()).ends_with("walbridge recover -c FILE"));
}
