//! What an operator is told before a new epoch begins.

use crate::cli::recover::situation::Situation;
use crate::cli::recover::way::Way;
use crate::cli::say::say;
use crate::config::Config;
use crate::sink::kafka::How;
use crate::source::postgres::sql::quote;

/// What happened, what no event will tell, and what will be done.
pub(super) fn tell(config: &Config, situation: &Situation, epoch: u16) {
    tell_state(config, situation);
    say!("\nWhat happened:");
    for finding in &situation.found {
        let why = finding.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        say!("  - {}{why} [{}]", finding.what, finding.code);
    }
    if situation.found.is_empty() {
        say!("  - Position, slot and topics belong together: as far as they tell, nothing is lost.");
    }
    say!("\nWhat no event will tell:");
    match situation.way {
        Way::GoOn => tell_emptied(situation),
        Way::Anew => tell_loss(config, situation),
    }
    match situation.way {
        Way::GoOn => say!("\nWhat epoch {epoch} goes on with:"),
        Way::Anew => say!("\nWhat epoch {epoch} begins with:"),
    }
    if situation.way == Way::Anew {
        tell_slot(config, situation);
    }
    tell_topics(situation);
}

fn tell_state(config: &Config, situation: &Situation) {
    let (name, end) = (&config.name, situation.end_lsn);
    match &situation.stored {
        Some(stored) => say!(
            "Bridge {name}: position {}, epoch {}; the server's log ends at {end}.",
            stored.commit_end_lsn,
            stored.epoch
        ),
        None => say!(
            "Bridge {name}: no position; the newest record is of epoch {}; the server's log ends at {end}.",
            situation.epoch
        ),
    }
}

fn tell_loss(config: &Config, situation: &Situation) {
    let tables: Vec<String> = config.source.tables.iter().map(|one| one.name.to_string()).collect();
    let tables = tables.join(", ");
    match situation.from() {
        Some(from) => say!("  - Changes of {tables} committed from {from} to the first place of the new slot."),
        None => say!(
            "  - Changes of {tables} committed before the first place of the new slot; from where on is unknown: the position is gone, or \
             passed them before somebody looked."
        ),
    }
    if let Some(from) = situation.from().filter(|from| *from > situation.end_lsn) {
        say!("  - That this database does not have what was published up to {from}.");
    }
}

/// Slot and position stand: what was told is gone with its topics, and nothing else.
fn tell_emptied(situation: &Situation) {
    for moved in &situation.moved {
        match moved.how {
            How::Lost | How::MadeAgain => say!("  - What {} held of events, if it held some.", moved.topic),
            How::Counted { .. } => say!(
                "  - Nothing of {}. An old partition still holds what it held of a key that moves.",
                moved.topic
            ),
        }
    }
    if situation.moved.is_empty() {
        say!("  - Nothing: the newest position that this bridge stored is there.");
    }
}

fn tell_slot(config: &Config, situation: &Situation) {
    let slot = &config.source.slot;
    match &situation.slot {
        Some(_) => say!("  - The slot {slot} is dropped and made again."),
        None => say!("  - The slot {slot} is made."),
    }
    if let Some(former) = situation.stored.as_ref().filter(|stored| stored.slot != *slot) {
        let drop = format!("SELECT pg_drop_replication_slot({});", quote::literal(&former.slot));
        say!(
            "  - The slot {} is left alone. Where it is still there it keeps log: {drop}",
            former.slot
        );
    }
}

fn tell_topics(situation: &Situation) {
    if situation.way == Way::GoOn {
        say!("  - Slot and position stay: no change of the source is lost.");
    }
    for target in situation.told_again() {
        let (entity, topic) = (&target.entity, &target.topic);
        say!("  - {entity}: all rows are told again in {topic}, and keys whose rows are gone get tombstones.");
    }
    for left in situation.left() {
        let (entity, topic) = (&left.entity, situation.topic(left));
        say!(
            "  - {entity}: its rows cannot be told again (walbridge check -c FILE says why); {topic} keeps what it holds."
        );
    }
    for (_, kind) in situation.gaps() {
        say!(
            "  - {0}: one record {0}.gap in {1}.",
            kind.entity,
            situation.topic(kind)
        );
    }
}
