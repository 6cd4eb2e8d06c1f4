//! Partitions that came, and may have brought rows.

use super::*;

/// Where the ledger goes on after these came.
fn brought<'t>(targets: &'t [Target], stored: &Checkpoint, partitions: &[u32]) -> Ledger<'t> {
    let changed = Changed {
        brought: [(TableName::new("public", "ord"), partitions.to_vec())].into(),
        ..Changed::default()
    };
    let has_state = |entity: &str| entity == "Order";
    Ledger::open(targets, stored, NeverTold::Leave, (has_state, &changed))
}

/// What is being told: number, partitions, and how far it is.
fn part<'l>(ledger: &'l Ledger<'_>) -> Option<(u32, &'l [u32], &'l Standing)> {
    let (_, one) = ledger.turn()?;
    assert!(one.within.is_empty() || one.on_gone == OnGone::Keep);
    Some((one.number, &one.within, &one.standing))
}

#[test]
fn their_rows_are_told_and_no_others() {
    let targets = [target("Order", "orders")];
    let never = brought(&targets, &checkpoint(0x100), &[7]);
    assert_eq!(part(&never), None, "no old rows of it are told");
    let stored = told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]));
    let ledger = brought(&targets, &stored, &[7, 8]);
    assert_eq!(part(&ledger), Some((2, &[7, 8][..], &Standing::After(None))));
}

#[test]
fn what_is_being_told_is_told_to_its_end_before() {
    let targets = [target("Order", "orders")];
    let stored = told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]));
    let mut all = open(&targets, &stored, NeverTold::Leave, &["Order"]);
    all.advance("Order", 5, Some(vec!["7".to_owned()]));
    let after = Standing::After(Some(vec!["7".to_owned()]));
    let mut ledger = brought(&targets, &at(&all), &[7]);
    assert_eq!(part(&ledger), Some((2, &[][..], &after)));
    // Again before that is over: each once.
    let stored = at(&ledger);
    ledger = brought(&targets, &stored, &[7, 8]);
    ledger.advance("Order", 5, None);
    ledger.go_on("Order");
    assert_eq!(
        part(&ledger),
        Some((2, &[][..], &Standing::Sweeping)),
        "not before the end"
    );
    ledger.swept("Order");
    ledger.go_on("Order");
    assert_eq!(part(&ledger), Some((3, &[7, 8][..], &Standing::After(None))));
    ledger.advance("Order", 2, None);
    ledger.go_on("Order");
    assert_eq!(part(&ledger), None);
}

#[test]
fn who_ends_a_telling_ends_what_was_to_come_after_it() {
    let targets = [target("Order", "orders")];
    let all = open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]);
    let stored = at(&all);
    let mut ledger = brought(&targets, &stored, &[7]);
    ledger.cancel("Order");
    ledger.go_on("Order");
    assert_eq!(part(&ledger), None);
}

#[test]
fn while_none_can_be_read_all_are_told_later() {
    let targets = [target("Order", "orders")];
    let stored = told(open(&targets, &checkpoint(0x100), NeverTold::Tell, &[]));
    let unread = brought(&[], &stored, &[7]);
    let stored = at(&unread);
    let later = open(&targets, &stored, NeverTold::Leave, &[]);
    assert_eq!(part(&later), Some((2, &[][..], &Standing::After(None))));
}
