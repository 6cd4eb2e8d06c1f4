//! The proof that nothing is missing between the stored position and the stream (promise I5).

use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::source::SourceError;
use crate::source::postgres::settings::Settings;
use crate::source::postgres::slot::{self, SlotFacts};
use crate::source::postgres::sql::halt;

mod ground;
#[cfg(test)]
mod tests;

pub use crate::source::postgres::proof::ground::{Ground, altered, difference};

/// What IDENTIFY_SYSTEM says, and TIMELINE_HISTORY where it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `systemid`
    pub system_identifier: String,
    /// `timeline`
    pub timeline: u32,
    /// `xlogpos`: end of the log.
    pub end_lsn: Lsn,
    /// The history of the present timeline; none where it was not asked (needed only after a switch).
    pub history: Option<Vec<Switch>>,
}

/// A line of a timeline's history file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The timeline that ended.
    pub timeline: u32,
    /// Where it ended for the server's history.
    pub at: Lsn,
}

/// Reads a history file as TIMELINE_HISTORY gives it; lines that are none are passed over.
pub fn timeline_history(text: &str) -> Vec<Switch> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        Some(Switch {
            timeline: words.next()?.parse().ok()?,
            at: words.next()?.parse().ok()?,
        })
    };
    text.lines().filter_map(line).collect()
}

/// Proves that the stream goes on where the stored position ends, and completes what the position rests on.
///
/// `slot` is the slot as it was before START_REPLICATION: that command may move it.
///
/// # Errors
/// A halt that names what, where and the repair, where continuity cannot be proven.
pub fn prove(
    stored: Option<Checkpoint>,
    slot: Option<&SlotFacts>,
    server: &Server,
    ground: &Ground,
    settings: &Settings,
) -> Result<Checkpoint, SourceError> {
    let Some(stored) = stored else {
        let facts = slot::require(slot, settings)?;
        let at = facts.confirmed_flush.unwrap_or(Lsn::INVALID);
        return Err(gap(
            "source.slot_without_position",
            format!("the slot {} stands at {at}, and no position is stored", settings.slot),
            "it is not known whether what came before was published",
            "walbridge setup --adopt -c FILE (it begins at the slot's present position); where a bridge of this name has published \
             before: walbridge recover -c FILE",
        ));
    };
    same_history(&stored, server)?;
    same_slot(&stored, slot, server, settings)?;
    let differ = difference(&stored, ground, settings);
    if let Some(finding) = differ.into_iter().chain(altered(&stored, ground)).next() {
        return Err(halt(finding));
    }
    let mut tables = ground.tables.clone();
    for outside in ground.outside.iter().map(ToString::to_string) {
        // Where it is not in the publication yet, the position rests on the one that it was in; `check` says what to do.
        if let (Some(before), Some(now)) = (stored.tables.get(&outside), tables.get_mut(&outside)) {
            now.membership = before.membership;
        }
    }
    Ok(Checkpoint {
        timeline: server.timeline,
        publications: ground.publications.clone(),
        tables,
        leaves: ground.leaves.clone(),
        ..stored
    })
}

fn same_slot(
    stored: &Checkpoint,
    slot: Option<&SlotFacts>,
    server: &Server,
    settings: &Settings,
) -> Result<(), SourceError> {
    let (position, name) = (stored.commit_end_lsn, &settings.slot);
    if stored.slot != *name {
        return Err(gap(
            "source.slot_renamed",
            format!(
                "the position {position} belongs to the slot {}, and the config names {name}",
                stored.slot
            ),
            "another slot may have released log that was never read",
            &format!("slot = \"{}\" in [source], or: walbridge recover -c FILE", stored.slot),
        ));
    }
    if slot.is_none() {
        return Err(gap(
            "source.position_without_slot",
            format!("the slot {name} does not exist, and the position {position} refers to it"),
            &format!("changes committed from {position} to {} may be missing", server.end_lsn),
            "walbridge recover -c FILE",
        ));
    }
    let facts = slot::require(slot, settings)?;
    let confirmed = facts.confirmed_flush.unwrap_or(server.end_lsn);
    if confirmed > position {
        // Our own acknowledgements move restart_lsn to a place before the position, never beyond it.
        let made_again = facts.restart_lsn.is_some_and(|restart| restart >= position);
        let (code, how) = if made_again {
            (
                "source.slot_recreated",
                "was made again, or moved on so far that its log is released",
            )
        } else {
            ("source.slot_ahead", "was moved on by somebody else")
        };
        return Err(gap(
            code,
            format!("the slot {name} {how}: it stands at {confirmed}, ahead of the position {position}"),
            &format!("changes committed from {position} to {confirmed} were not read"),
            "walbridge recover -c FILE",
        ));
    }
    Ok(())
}

fn same_history(stored: &Checkpoint, server: &Server) -> Result<(), SourceError> {
    let position = stored.commit_end_lsn;
    if stored.system_identifier != server.system_identifier {
        return Err(gap(
            "source.other_system",
            format!(
                "the server is not the one the position {position} belongs to: system identifier {}, not {}",
                server.system_identifier, stored.system_identifier
            ),
            "positions of one server mean nothing on another",
            "connect to the former server, or: walbridge recover -c FILE",
        ));
    }
    if stored.timeline != server.timeline {
        let Some(history) = &server.history else {
            return Err(gap(
                "source.timeline_unknown",
                format!(
                    "the server is on timeline {}, the position on {}",
                    server.timeline, stored.timeline
                ),
                "without the timeline's history it is not known whether the position is part of it",
                "walbridge recover -c FILE",
            ));
        };
        let Some(switch) = history.iter().find(|switch| switch.timeline == stored.timeline) else {
            return Err(gap(
                "source.timeline_foreign",
                format!(
                    "timeline {} of the server does not come from {}",
                    server.timeline, stored.timeline
                ),
                "the position lies in a history that this server never had",
                "walbridge recover -c FILE",
            ));
        };
        if position > switch.at {
            return Err(gap(
                "source.timeline_switched",
                format!(
                    "timeline {} ended at {}, before the position {position}",
                    stored.timeline, switch.at
                ),
                &format!(
                    "transactions from {} to {position} were published and exist no more",
                    switch.at
                ),
                "walbridge recover -c FILE",
            ));
        }
    }
    if position > server.end_lsn {
        return Err(gap(
            "source.log_behind",
            format!(
                "the server's log ends at {}, before the position {position}",
                server.end_lsn
            ),
            "the server was restored from an older copy: what was published up to the position may exist no more",
            "walbridge recover -c FILE",
        ));
    }
    Ok(())
}

fn gap(code: &'static str, what: String, why: &str, repair: &str) -> SourceError {
    halt(
        Finding::error(Cause::Surroundings, code, what)
            .because(why)
            .repair(repair),
    )
}
