//! Whose turn it is, and what may be asked.

mod brought;

use super::*;
use crate::backfill::target::{KeyColumn, Reach};
use crate::flow::event::KindId;
use crate::flow::table::{ReplicaIdentity, Table, TableName};

fn target(entity: &str, topic: &str) -> Target {
    Target {
        entity: entity.to_owned(),
        state: KindId(0),
        topic: topic.to_owned(),
        filter: None,
        shape: Table {
            oid: 1,
            name: TableName::new("public", "ord"),
            identity: ReplicaIdentity::Full,
            columns: Vec::new(),
        },
        rows_estimate: 0,
        reach: Reach::Only,
        key: vec![KeyColumn {
            name: "id".to_owned(),
            type_text: "integer".to_owned(),
        }],
    }
}

fn checkpoint(lsn: u64) -> Checkpoint {
    Checkpoint {
        commit_end_lsn: Lsn(lsn),
        epoch: 1,
        system_identifier: String::new(),
        timeline: 1,
        slot: String::new(),
        nonce: String::new(),
        cluster_id: String::new(),
        publications: BTreeMap::new(),
        tables: BTreeMap::new(),
        partitions: BTreeMap::new(),
        topic_ids: BTreeMap::new(),
        mapping: String::new(),
        backfill: None,
        declared: None,
        leaves: None,
    }
}

fn order(action: Action, entities: &[&str]) -> Order {
    Order {
        action,
        entities: entities.iter().map(|&name| name.to_owned()).collect(),
        only: None,
        on_gone: None,
    }
}

fn open<'t>(targets: &'t [Target], stored: &Checkpoint, never: NeverTold, changed: &[&str]) -> Ledger<'t> {
    let changed = told_again(changed);
    let declared: Vec<&str> = targets.iter().map(|target| target.entity.as_str()).collect();
    Ledger::open(
        targets,
        stored,
        never,
        (|entity: &str| declared.contains(&entity), &changed),
    )
}

fn told_again(entities: &[&str]) -> Changed {
    Changed {
        told_again: entities.iter().map(|&entity| entity.to_owned()).collect(),
        ..Changed::default()
    }
}

/// The position with what this ledger has told.
fn at(ledger: &Ledger<'_>) -> Checkpoint {
    Checkpoint {
        backfill: Some(ledger.progress().clone()),
        ..checkpoint(0x100)
    }
}

/// The position after everything of this ledger was told.
fn told(mut ledger: Ledger<'_>) -> Checkpoint {
    while let Some(entity) = ledger.turn().map(|(target, _)| target.entity.clone()) {
        match ledger.generation(&entity).map(|one| &one.standing) {
            Some(Standing::Sweeping) => ledger.swept(&entity),
            _ => ledger.advance(&entity, 5, None),
        }
    }
    at(&ledger)
}

#[test]
fn each_entity_has_its_turn_once() {
    let targets = [target("Order", "orders"), target("Quote", "quotes")];
    let ledger = open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]);
    assert_eq!(ledger.turn().map(|(target, _)| target.entity.as_str()), Some("Order"));
    let stored = told(ledger);
    assert!(open(&targets, &stored, NeverTold::Tell, &[]).turn().is_none());
    assert!(
        open(&targets, &checkpoint(0x100), NeverTold::Leave, &[])
            .turn()
            .is_none()
    );
}

#[test]
fn what_was_told_otherwise_is_told_again_and_reconciled() {
    let targets = [target("Order", "orders")];
    let stored = told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]));
    let moved = [target("Order", "orders-2")];
    for (targets, changed) in [(&moved, vec![]), (&targets, vec!["Order"])] {
        let ledger = open(targets, &stored, NeverTold::Leave, &changed);
        let (_, generation) = ledger.turn().expect("it is told again");
        assert_eq!((generation.number, generation.on_gone), (2, OnGone::Reconcile));
        assert_eq!(generation.began.as_bytes(), ledger.next().text());
    }
}

#[test]
fn what_a_topic_lost_is_told_again_in_the_same_epoch_and_the_rest_goes_on() {
    let targets = [
        target("Order", "orders"),
        target("Customer", "customers"),
        target("Item", "items"),
    ];
    let stored = told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]));
    let readable = &targets[..2];
    let is_told = |entity: &str| entity != "Customer";
    let ledger = Ledger::again(readable, &stored, is_told);
    let (target, generation) = ledger.turn().expect("it is told again");
    assert_eq!((target.entity.as_str(), generation.number), ("Order", 2));
    assert_eq!(generation.began.as_bytes(), ledger.next().text());
    assert!(
        generation.began > stored.backfill.unwrap().entities["Order"].began,
        "it sorts behind what was told"
    );
    let customer = ledger.generation("Customer").unwrap();
    assert_eq!((customer.number, &customer.standing), (1, &Standing::Complete));
    // It begins anew when it can be read again.
    let item = ledger.generation("Item").unwrap();
    assert_eq!((item.of.as_str(), &item.standing), ("", &Standing::Cancelled));
}

#[test]
fn states_that_the_stream_alone_told_are_told_again_only_under_another_key() {
    let targets = [target("Order", "orders")];
    let begun = |never, changed: &Changed| {
        let ledger = Ledger::open(&targets, &checkpoint(0x100), never, (|_: &str| true, changed));
        ledger.turn().map(|(_, generation)| generation.on_gone)
    };
    let under_way = |changed: &Changed| begun(NeverTold::Leave, changed);
    assert_eq!(under_way(&told_again(&["Order"])), None);
    // Its old rows are told anyway, and its topic holds what was told otherwise.
    assert_eq!(begun(NeverTold::Tell, &told_again(&["Order"])), Some(OnGone::Reconcile));
    assert_eq!(begun(NeverTold::Tell, &told_again(&[])), Some(OnGone::Keep));
    let accepted = Changed {
        accepted: ["Order".to_owned()].into(),
        ..Changed::default()
    };
    assert_eq!(under_way(&accepted), Some(OnGone::Reconcile));
}

#[test]
fn an_entity_that_comes_back_is_told_again() {
    let targets = [target("Order", "orders")];
    let stored = told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]));
    let without = open(&[], &stored, NeverTold::Tell, &[]);
    let stored = Checkpoint {
        backfill: Some(without.progress().clone()),
        ..checkpoint(0x200)
    };
    let ledger = open(&targets, &stored, NeverTold::Tell, &[]);
    assert_eq!(ledger.turn().map(|(_, generation)| generation.number), Some(2));
}

#[test]
fn a_change_is_remembered_until_the_rows_can_be_read() {
    let targets = [target("Order", "orders")];
    let stored = told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]));
    let changed = told_again(&["Order"]);
    let unread = Ledger::open(&[], &stored, NeverTold::Tell, (|_: &str| true, &changed));
    let stored = Checkpoint {
        backfill: Some(unread.progress().clone()),
        ..checkpoint(0x200)
    };
    let ledger = open(&targets, &stored, NeverTold::Tell, &[]);
    assert_eq!(ledger.turn().map(|(_, generation)| generation.number), Some(2));
}

#[test]
fn a_reconciling_generation_sweeps_before_it_is_complete() {
    let targets = [target("Order", "orders")];
    let mut ledger = Ledger::open(
        &targets,
        &told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[])),
        NeverTold::Tell,
        (|_: &str| true, &told_again(&["Order"])),
    );
    ledger.advance("Order", 3, Some(vec!["7".to_owned()]));
    assert_eq!(
        ledger.generation("Order").map(|one| one.standing.clone()),
        Some(Standing::After(Some(vec!["7".to_owned()])))
    );
    ledger.advance("Order", 3, None);
    assert_eq!(
        ledger.generation("Order").map(|one| one.standing.clone()),
        Some(Standing::Sweeping)
    );
    ledger.swept("Order");
    assert!(ledger.turn().is_none());
}

#[test]
fn places_rise_and_begin_anew_behind_the_next_transaction() {
    let targets = [target("Order", "orders")];
    let mut ledger = open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]);
    let (first, second) = (ledger.take(), ledger.take());
    ledger.passed(Lsn(0x200));
    let third = ledger.take();
    assert!(first < second && second < third, "{first:?} {second:?} {third:?}");
    assert_eq!((third.commit_lsn, third.rank), (Lsn(0x200), FIRST_RANK));
    ledger.passed(Lsn(0x100));
    assert_eq!(ledger.next().commit_lsn, Lsn(0x200));
}

#[test]
fn operators_pause_resume_and_end_what_is_under_way() {
    let targets = [target("Order", "orders"), target("Quote", "quotes")];
    let mut ledger = open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]);
    let turn = |ledger: &Ledger<'_>| ledger.turn().map(|(target, _)| target.entity.clone());
    let done = |ledger: &mut Ledger<'_>, action, entity| ledger.order(&order(action, &[entity]), OnGone::Keep);
    done(&mut ledger, Action::Pause, "Order").expect("it is under way");
    assert_eq!(turn(&ledger).as_deref(), Some("Quote"));
    done(&mut ledger, Action::Resume, "Order").expect("it is under way");
    assert_eq!(turn(&ledger).as_deref(), Some("Order"));
    done(&mut ledger, Action::Cancel, "Order").expect("it is under way");
    assert_eq!(turn(&ledger).as_deref(), Some("Quote"));
    let refused = done(&mut ledger, Action::Cancel, "Order").expect_err("it was ended");
    assert_eq!(refused.code, "backfill.not_under_way");
}

#[test]
fn a_request_is_done_for_all_its_entities_or_for_none() {
    let targets = [target("Order", "orders"), target("Quote", "quotes")];
    let stored = told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]));
    let mut ledger = open(&targets, &stored, NeverTold::Tell, &[]);
    for (entities, code) in [
        (["Order", "Qoute"], "backfill.unknown_entity"),
        (["Quote", "Order"], "backfill.under_way"),
    ] {
        let before = ledger.progress().clone();
        if code == "backfill.under_way" {
            ledger
                .order(&order(Action::Tell, &["Order"]), OnGone::Keep)
                .expect("it is complete");
            let refused = ledger
                .order(&order(Action::Tell, &entities), OnGone::Keep)
                .expect_err(code);
            assert_eq!(refused.code, code);
            assert_eq!(ledger.progress().entities["Quote"], before.entities["Quote"]);
        } else {
            let refused = ledger
                .order(&order(Action::Tell, &entities), OnGone::Keep)
                .expect_err(code);
            assert_eq!(
                (refused.code, refused.repair.as_deref()),
                (code, Some("did you mean `Quote`?"))
            );
            assert_eq!(ledger.progress(), &before);
        }
    }
}

#[test]
fn a_reload_of_some_rows_never_reconciles() {
    let targets = [target("Order", "orders")];
    let stored = told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]));
    let mut ledger = open(&targets, &stored, NeverTold::Tell, &[]);
    let some = Order {
        only: Some("id > 5".to_owned()),
        ..order(Action::Tell, &["Order"])
    };
    let both = Order {
        on_gone: Some(OnGone::Reconcile),
        ..some.clone()
    };
    let refused = ledger.order(&both, OnGone::Keep).expect_err("the others are not gone");
    assert_eq!(refused.code, "backfill.reconcile_some");
    ledger
        .order(&some, OnGone::Reconcile)
        .expect("the config's default is for whole reloads");
    let (_, generation) = ledger.turn().expect("it begins");
    assert_eq!(
        (generation.on_gone, generation.only.as_deref()),
        (OnGone::Keep, Some("id > 5"))
    );
}

#[test]
fn a_new_history_tells_every_entity_again_from_its_first_place_on() {
    let targets = [target("Order", "orders"), target("Line", "lines")];
    let mut stored = checkpoint(0x900);
    let mut before = open(&targets[..1], &stored, NeverTold::Tell, &[]);
    before.advance("Order", 5, None);
    before.passed(Lsn(0x900));
    stored.backfill = Some(before.progress().clone());
    let mut gone = before.progress().entities["Order"].clone();
    gone.number = 7;
    stored
        .backfill
        .as_mut()
        .unwrap()
        .entities
        .insert("Gone".to_owned(), gone);
    // A restored database: its log is at a lower place.
    (stored.commit_end_lsn, stored.epoch) = (Lsn(0x200), 2);
    let mut ledger = Ledger::anew(&targets, &stored);
    let place = "0002-00000000000001FF-80000000-00";
    for (entity, number) in [("Order", 2), ("Line", 1)] {
        let known = ledger.generation(entity).unwrap();
        assert_eq!(
            (known.number, known.rows, &known.standing),
            (number, 0, &Standing::After(None))
        );
        assert_eq!((known.on_gone, known.began.as_str()), (OnGone::Reconcile, place));
    }
    assert_eq!(ledger.take().text().as_slice(), place.as_bytes());
    stored.backfill = Some(ledger.progress().clone());
    // What is not asked for at a start goes on as well.
    let next = open(&targets, &stored, NeverTold::Leave, &[]);
    assert_eq!(
        next.generation("Line").map(|one| (one.number, one.is_open())),
        Some((1, true))
    );
    assert_eq!(next.next().text().as_slice(), b"0002-00000000000001FF-80000001-00");
    // An entity that could not be told then is told again when it can be.
    let back = [target("Gone", "gone")];
    let next = open(&back, &stored, NeverTold::Leave, &[]);
    assert_eq!(
        next.generation("Gone").map(|one| (one.number, one.on_gone)),
        Some((8, OnGone::Reconcile))
    );
}

#[test]
fn what_an_operator_stopped_stays_so_when_it_begins_anew() {
    let targets = [target("Order", "orders")];
    let mut ledger = open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]);
    ledger.order(&order(Action::Pause, &["Order"]), OnGone::Keep).unwrap();
    let stored = Checkpoint {
        backfill: Some(ledger.progress().clone()),
        ..checkpoint(0x200)
    };
    let ledger = open(&targets, &stored, NeverTold::Tell, &["Order"]);
    let known = ledger.generation("Order").unwrap();
    assert_eq!((known.number, known.pace), (2, Pace::Paused));
    assert!(ledger.turn().is_none());
}

#[test]
fn a_telling_that_has_read_nothing_yet_goes_on_by_another_key() {
    let targets = [target("Order", "orders")];
    let stored = Checkpoint {
        backfill: Some(
            open(&targets, &checkpoint(0x100), NeverTold::Tell, &[])
                .progress()
                .clone(),
        ),
        ..checkpoint(0x200)
    };
    let mut other = targets.clone();
    other[0].key[0].name = "other".to_owned();
    let ledger = open(&other, &stored, NeverTold::Tell, &[]);
    let known = ledger.generation("Order").unwrap();
    assert_eq!((known.number, &known.by), (1, &other[0].by()));
    assert_ne!(known.by, targets[0].by());
}
