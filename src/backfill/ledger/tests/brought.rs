//! Rows that came into a part of a table.

use super::*;

/// Where the ledger goes on after rows came into that part of the table.
fn brought<'t>(targets: &'t [Target], stored: &Checkpoint, bound: &str) -> Ledger<'t> {
    let changed = Changed {
        brought: [(TableName::new("public", "ord"), bound.to_owned())].into(),
        ..Changed::default()
    };
    let has_state = |entity: &str| entity == "Order";
    Ledger::open(targets, stored, NeverTold::Leave, (has_state, &changed))
}

fn at(ledger: &Ledger<'_>) -> Checkpoint {
    Checkpoint {
        backfill: Some(ledger.progress().clone()),
        ..checkpoint(0x100)
    }
}

#[test]
fn rows_that_came_are_told_and_no_others_unless_some_are_being_told() {
    let targets = [target("Order", "orders")];
    let never = brought(&targets, &checkpoint(0x100), "id > 5");
    assert!(never.turn().is_none(), "no old rows of it are told");
    let stored = told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]));
    let part = |ledger: &Ledger<'_>| {
        let (_, one) = ledger.turn().expect("it is told");
        (one.number, one.within.clone(), one.on_gone, one.standing.clone())
    };
    let (begins, keep) = (Standing::After(None), OnGone::Keep);
    let mut first = brought(&targets, &stored, "id > 5");
    assert_eq!(part(&first), (2, Some("id > 5".to_owned()), keep, begins.clone()));
    first.advance("Order", 5, Some(vec!["7".to_owned()]));
    let both = Some("(id > 5) OR (id < 2)".to_owned());
    assert_eq!(
        part(&brought(&targets, &at(&first), "id < 2")),
        (3, both, keep, begins.clone())
    );
    // A telling of all may have passed them, and one of some may leave them out.
    let mut all = open(&targets, &stored, NeverTold::Leave, &["Order"]);
    all.advance("Order", 5, Some(vec!["7".to_owned()]));
    let whole = (3, None, OnGone::Reconcile, begins.clone());
    assert_eq!(part(&brought(&targets, &at(&all), "id < 2")), whole);
    let mut some = open(&targets, &stored, NeverTold::Leave, &[]);
    let order = Order {
        only: Some("id > 5".to_owned()),
        ..order(Action::Tell, &["Order"])
    };
    some.order(&order, OnGone::Keep).unwrap();
    let some = brought(&targets, &at(&some), "id < 2");
    assert_eq!(part(&some), (3, None, keep, begins));
    assert_eq!(some.turn().and_then(|(_, one)| one.only.clone()), None);
}

#[test]
fn rows_that_came_while_none_can_be_read_are_told_with_all_others_later() {
    let targets = [target("Order", "orders")];
    let stored = told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]));
    let unread = brought(&[], &stored, "id > 5");
    let later = open(&targets, &at(&unread), NeverTold::Leave, &[]);
    let (_, generation) = later.turn().expect("it begins anew");
    assert_eq!((generation.number, &generation.within), (2, &None));
}
