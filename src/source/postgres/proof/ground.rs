//! What a position rests on: publications, and the mapped tables with their identities and memberships.

use std::collections::BTreeMap;

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Catalog, Identity, TableFacts, TableKind};
use crate::flow::checkpoint::{Checkpoint, Leaves, PublicationMark, TableMark};
use crate::flow::position::Lsn;
use crate::flow::table::{ReplicaIdentity, TableName};
use crate::source::postgres::proof::Server;
use crate::source::postgres::publication::{self, Home, Publications};
use crate::source::postgres::settings::Settings;

/// What a position rests on, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The publications to stream from, by name.
    pub publications: BTreeMap<String, PublicationMark>,
    /// The mapped tables that exist, by `schema.name`; membership 0 under FOR ALL TABLES.
    pub tables: BTreeMap<String, TableMark>,
    /// Of a partitioned table, the partition whose identity gives least, by the same name.
    pub weakest: BTreeMap<String, TableName>,
    /// Which partitions they have; none: too many to be kept.
    pub leaves: Option<Leaves>,
    /// Mapped tables in no publication.
    pub outside: Vec<TableName>,
    /// The publications' members by membership, which outlives a table's name.
    pub members: BTreeMap<u32, TableName>,
}

impl Ground {
    /// Brings facts together.
    pub fn new(settings: &Settings, catalog: &Catalog, publications: &Publications) -> Self {
        let mut out = Self {
            publications: BTreeMap::new(),
            tables: BTreeMap::new(),
            weakest: BTreeMap::new(),
            leaves: Some(Leaves::new()),
            outside: Vec::new(),
            members: BTreeMap::new(),
        };
        for name in publication::needed(settings, catalog, publications) {
            if let Some(facts) = publications.get(&name) {
                out.members.extend(facts.named.clone());
                out.publications.insert(name, facts.mark());
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
            let (identity, partition) = weakest(table);
            out.weakest
                .extend(partition.map(|partition| (followed.name.to_string(), partition.clone())));
            let mark = TableMark {
                oid: table.oid,
                identity,
                membership: member.map_or(0, |member| member.oid),
            };
            out.tables.insert(followed.name.to_string(), mark);
            if let (TableKind::Partitioned, Some(known)) = (table.kind, &mut out.leaves) {
                let leaves = table
                    .leaves
                    .iter()
                    .map(|leaf| (leaf.place.clone(), leaf.name.to_string()));
                known.insert(followed.name.to_string(), leaves.collect());
            }
        }
        out.leaves = out.leaves.filter(|leaves| bytes(leaves) <= LEAVES_BYTES_MAX);
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
            topic_ids: BTreeMap::new(),
            mapping: String::new(),
            backfill: None,
            declared: None,
            leaves: self.leaves.clone(),
        }
    }
}

/// What a record of Kafka holds of partitions, beside the rest: half of its usual limit.
const LEAVES_BYTES_MAX: usize = 512 << 10;

fn bytes(leaves: &Leaves) -> usize {
    let each = leaves.values().flatten();
    each.map(|(place, name)| place.len() + name.len() + "\"\":\"\",".len())
        .sum()
}

/// The identity that gives least, of the table or of its leaves, which are what counts where there are some.
fn weakest(table: &TableFacts) -> (ReplicaIdentity, Option<&TableName>) {
    let effective = |identity: &Identity| {
        if identity.columns.is_empty() {
            ReplicaIdentity::Nothing
        } else {
            identity.kind
        }
    };
    let own = effective(&table.identity);
    if table.kind != TableKind::Partitioned {
        return (own, None);
    }
    table
        .leaves
        .iter()
        .map(|leaf| (effective(&leaf.identity), Some(&leaf.name)))
        .min_by_key(|(kind, _)| strength(*kind))
        .unwrap_or((own, None))
}

fn strength(identity: ReplicaIdentity) -> u8 {
    match identity {
        ReplicaIdentity::Nothing => 0,
        ReplicaIdentity::Default | ReplicaIdentity::Index => 1,
        ReplicaIdentity::Full => 2,
    }
}

/// Every difference between what a position rests on and what is there now.
pub fn difference(stored: &Checkpoint, ground: &Ground, settings: &Settings) -> Vec<Finding> {
    let mut out = publications_differ(stored, ground, settings);
    for followed in &settings.tables {
        let name = followed.name.to_string();
        if let Some(mark) = stored.tables.get(&name) {
            out.extend(table_differs(stored, mark, ground, &followed.name));
        }
    }
    out
}

const AGAIN: &str = "walbridge recover -c FILE";

fn lost(stored: &Checkpoint, code: &'static str, what: String, repair: impl Into<String>) -> Finding {
    Finding::error(Cause::Surroundings, code, what)
        .because(format!(
            "changes committed after {} may not have been told, nor those of the seconds before, where a bridge ran on until it \
             noticed",
            stored.commit_end_lsn
        ))
        .repair(repair)
}

fn publications_differ(stored: &Checkpoint, ground: &Ground, settings: &Settings) -> Vec<Finding> {
    let mut out = Vec::new();
    let second = publication::inserts_name(settings);
    for (name, mark) in &stored.publications {
        let (code, what) = match ground.publications.get(name) {
            Some(now) if now.oid == mark.oid => continue,
            None if *name == second && !needs_second(stored, ground, settings) => continue,
            Some(_) => (
                "source.publication_recreated",
                format!("the publication {name} was dropped and made again"),
            ),
            None if *name != settings.publication && *name != second => {
                let what = format!("the position rests on the publication {name}, which the config does not name");
                let former = name.trim_end_matches("_inserts");
                let repair = format!("publication = \"{former}\" in [source], or: {AGAIN}");
                out.push(lost(stored, "source.publication_renamed", what, repair));
                continue;
            }
            None => ("source.publication_gone", format!("the publication {name} was dropped")),
        };
        out.push(lost(stored, code, what, AGAIN));
    }
    out
}

/// The publications that were altered: what they told meanwhile is not known, whatever they tell now.
pub fn altered(stored: &Checkpoint, ground: &Ground) -> Vec<Finding> {
    let changed = |(name, mark): (&String, &PublicationMark)| {
        let now = ground.publications.get(name)?;
        let altered = now.oid == mark.oid && now.version != mark.version && now.harmless == mark.harmless;
        let what = format!("the publication {name} was altered");
        altered.then(|| lost(stored, "source.publication_altered", what, AGAIN))
    };
    stored.publications.iter().filter_map(changed).collect()
}

fn table_differs(stored: &Checkpoint, mark: &TableMark, ground: &Ground, table: &TableName) -> Option<Finding> {
    let Some(now) = ground.tables.get(&table.to_string()) else {
        let (what, repair) = match ground.members.get(&mark.membership).filter(|name| *name != table) {
            // Under its new name its changes are told, once the config says it.
            Some(name) => (
                format!("the table {table} was renamed: it is {name} now"),
                format!("table = \"{name}\" in place of \"{table}\""),
            ),
            None => (
                format!("the table {table} was dropped or renamed"),
                format!("where it was renamed: its new name as `table`; where it was dropped: {AGAIN}"),
            ),
        };
        return Some(lost(stored, "source.table_gone", what, repair));
    };
    // It may have come into the other publication since, where its mapping asks for more.
    let stays = ground.members.get(&mark.membership) == Some(table);
    let (code, what) = if mark.oid != now.oid {
        (
            "source.table_recreated",
            format!("the table {table} was dropped and made again"),
        )
    } else if ground.outside.contains(table) && !stays {
        (
            "source.table_left",
            format!("the table {table} was taken out of the publication"),
        )
    } else if mark.membership != now.membership && !stays {
        (
            "source.table_readded",
            format!("the table {table} was taken out of the publication and put back"),
        )
    } else if strength(now.identity) < strength(mark.identity) {
        let holder = ground.weakest.get(&table.to_string()).unwrap_or(table);
        let what = format!(
            "the replica identity of {holder} gives less of the old row: {}, where it was {}",
            word(now.identity),
            word(mark.identity)
        );
        let repair = format!(
            "{} Then start again: a change that needs more than was logged of it halts by itself",
            holder.full_identity_sql()
        );
        return Some(lost(stored, "source.identity_weaker", what, repair));
    } else {
        return None;
    };
    Some(lost(stored, code, what, AGAIN))
}

fn word(identity: ReplicaIdentity) -> &'static str {
    match identity {
        ReplicaIdentity::Nothing => "nothing",
        ReplicaIdentity::Default => "the primary key",
        ReplicaIdentity::Index => "an index",
        ReplicaIdentity::Full => "the whole row",
    }
}

/// Whether a mapped table of the position still lives in the second publication.
fn needs_second(stored: &Checkpoint, ground: &Ground, settings: &Settings) -> bool {
    settings.tables.iter().any(|followed| {
        let name = followed.name.to_string();
        stored.tables.contains_key(&name) && ground.outside.contains(&followed.name)
    })
}
