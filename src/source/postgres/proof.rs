//! The proof that nothing is missing between the stored position and the stream (promise I5).

use std::collections::BTreeMap;

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Catalog, Identity, TableFacts, TableKind};
use crate::flow::checkpoint::{Checkpoint, TableMark};
use crate::flow::position::Lsn;
use crate::flow::table::{ReplicaIdentity, TableName};
use crate::source::SourceError;
use crate::source::postgres::publication::{self, Home, Publications};
use crate::source::postgres::quote;
use crate::source::postgres::settings::Settings;
use crate::source::postgres::slot::{self, SlotFacts};
use crate::source::postgres::sql::halt;

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

/// What a position rests on, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// OIDs of the publications to stream from, by name.
    pub publications: BTreeMap<String, u32>,
    /// The mapped tables that exist, by `schema.name`; membership 0 under FOR ALL TABLES.
    pub tables: BTreeMap<String, TableMark>,
    /// Mapped tables in no publication.
    pub outside: Vec<TableName>,
}

impl Ground {
    /// Brings facts together.
    pub fn new(settings: &Settings, catalog: &Catalog, publications: &Publications) -> Self {
        let mut out = Self {
            publications: BTreeMap::new(),
            tables: BTreeMap::new(),
            outside: Vec::new(),
        };
        for name in publication::needed(settings, catalog, publications) {
            if let Some(facts) = publications.get(&name) {
                out.publications.insert(name, facts.oid);
            }
        }
        for followed in &settings.tables {
            let Some(table) = catalog.tables.get(&followed.name) else {
                continue;
            };
            let name = match publication::seat(settings, followed, table, publications) {
                Home::Main => settings.publication.clone(),
                Home::Inserts => publication::inserts_name(settings),
            };
            let member = publications
                .get(&name)
                .and_then(|facts| facts.members.get(&followed.name));
            if member.is_none() {
                out.outside.push(followed.name.clone());
            }
            let mark = TableMark {
                oid: table.oid,
                identity: weakest(table),
                membership: member.map_or(0, |member| member.oid),
            };
            out.tables.insert(followed.name.to_string(), mark);
        }
        out
    }

    /// The first position, for whoever made or adopted the slot. The sink fills in nonce, cluster and partitions, the
    /// bridge the mapping.
    pub fn first(&self, settings: &Settings, server: &Server, lsn: Lsn) -> Checkpoint {
        Checkpoint {
            commit_end_lsn: lsn,
            epoch: 1,
            system_identifier: server.system_identifier.clone(),
            timeline: server.timeline,
            slot: settings.slot.clone(),
            nonce: String::new(),
            cluster_id: String::new(),
            publications: self.publications.clone(),
            tables: self.tables.clone(),
            partitions: BTreeMap::new(),
            mapping: String::new(),
            backfill: None,
        }
    }
}

/// The identity that gives least, of the table or of its leaves, which are what counts where there are some.
fn weakest(table: &TableFacts) -> ReplicaIdentity {
    let effective = |identity: &Identity| {
        if identity.columns.is_empty() {
            ReplicaIdentity::Nothing
        } else {
            identity.kind
        }
    };
    let own = effective(&table.identity);
    if table.kind != TableKind::Partitioned {
        return own;
    }
    table
        .leaves
        .iter()
        .map(|leaf| effective(&leaf.identity))
        .min_by_key(|kind| strength(*kind))
        .unwrap_or(own)
}

fn strength(identity: ReplicaIdentity) -> u8 {
    match identity {
        ReplicaIdentity::Nothing => 0,
        ReplicaIdentity::Default | ReplicaIdentity::Index => 1,
        ReplicaIdentity::Full => 2,
    }
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
            "walbridge setup --adopt (it begins at the slot's present position)",
        ));
    };
    same_history(&stored, server)?;
    same_slot(&stored, slot, server, settings)?;
    if let Some(finding) = difference(&stored, ground, settings).into_iter().next() {
        return Err(halt(finding));
    }
    Ok(Checkpoint {
        timeline: server.timeline,
        publications: ground.publications.clone(),
        tables: ground.tables.clone(),
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
            &format!("slot = \"{}\" in [source], or: walbridge recover", stored.slot),
        ));
    }
    if slot.is_none() {
        return Err(gap(
            "source.position_without_slot",
            format!("the slot {name} does not exist, and the position {position} refers to it"),
            &format!("changes committed from {position} to {} may be missing", server.end_lsn),
            "walbridge recover",
        ));
    }
    let facts = slot::require(slot, settings)?;
    let confirmed = facts.confirmed_flush.unwrap_or(server.end_lsn);
    if confirmed > position {
        // Our own acknowledgements move restart_lsn to a place before the position, never beyond it.
        let made_again = facts.restart_lsn.is_some_and(|restart| restart >= position);
        let (code, how) = if made_again {
            ("source.slot_recreated", "was made again")
        } else {
            ("source.slot_ahead", "was moved on by somebody else")
        };
        return Err(gap(
            code,
            format!("the slot {name} {how}: it stands at {confirmed}, ahead of the position {position}"),
            &format!("changes committed from {position} to {confirmed} were not read"),
            "walbridge recover",
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
            "connect to the former server, or: walbridge recover",
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
                "walbridge recover",
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
                "walbridge recover",
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
                "walbridge recover",
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
            "walbridge recover",
        ));
    }
    Ok(())
}

/// Every difference between what a position rests on and what is there now.
pub fn difference(stored: &Checkpoint, ground: &Ground, settings: &Settings) -> Vec<Finding> {
    let from = stored.commit_end_lsn;
    let lost = format!("changes committed after {from} may not have been told");
    let finding = |code, what: String, repair: &str| {
        Finding::error(Cause::Surroundings, code, what)
            .because(lost.clone())
            .repair(repair)
    };
    let again = "walbridge recover";
    let mut out = Vec::new();
    let second = publication::inserts_name(settings);
    for (name, oid) in &stored.publications {
        match ground.publications.get(name) {
            Some(now) if now == oid => {}
            Some(_) => out.push(finding(
                "source.publication_recreated",
                format!("the publication {name} was dropped and made again"),
                again,
            )),
            None if *name == second && !needs_second(stored, ground, settings) => {}
            None if *name != settings.publication && *name != second => out.push(finding(
                "source.publication_renamed",
                format!("the position rests on the publication {name}, which the config does not name"),
                &format!(
                    "publication = \"{}\" in [source], or: {again}",
                    name.trim_end_matches("_inserts")
                ),
            )),
            None => {
                out.push(finding(
                    "source.publication_gone",
                    format!("the publication {name} was dropped"),
                    again,
                ));
            }
        }
    }
    for followed in &settings.tables {
        let name = followed.name.to_string();
        let Some(mark) = stored.tables.get(&name) else { continue };
        let Some(now) = ground.tables.get(&name) else {
            out.push(finding(
                "source.table_gone",
                format!("the table {name} was dropped or renamed"),
                again,
            ));
            continue;
        };
        let (code, what) = if mark.oid != now.oid {
            (
                "source.table_recreated",
                format!("the table {name} was dropped and made again"),
            )
        } else if ground.outside.contains(&followed.name) {
            (
                "source.table_left",
                format!("the table {name} was taken out of the publication"),
            )
        } else if mark.membership != now.membership {
            (
                "source.table_readded",
                format!("the table {name} was taken out of the publication and put back"),
            )
        } else if strength(now.identity) < strength(mark.identity) {
            out.push(finding(
                "source.identity_weaker",
                format!(
                    "the replica identity of {name} now gives less of the old row ({:?}, was {:?})",
                    now.identity, mark.identity
                ),
                &format!(
                    "ALTER TABLE {} REPLICA IDENTITY FULL; then: {again}",
                    quote::table(&followed.name)
                ),
            ));
            continue;
        } else {
            continue;
        };
        out.push(finding(code, what, again));
    }
    out
}

/// Whether a mapped table of the position still lives in the second publication.
fn needs_second(stored: &Checkpoint, ground: &Ground, settings: &Settings) -> bool {
    settings.tables.iter().any(|followed| {
        let name = followed.name.to_string();
        stored.tables.contains_key(&name) && ground.outside.contains(&followed.name)
    })
}

fn gap(code: &'static str, what: String, why: &str, repair: &str) -> SourceError {
    halt(
        Finding::error(Cause::Surroundings, code, what)
            .because(why)
            .repair(repair),
    )
}
