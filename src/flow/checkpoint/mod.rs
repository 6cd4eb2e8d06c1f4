//! How far has been published, and what that statement rests on.

pub mod declaration;
pub mod generation;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::flow::declaration::Declarations;
use crate::flow::generation::OldRows;
use crate::flow::position::Lsn;
use crate::flow::table::ReplicaIdentity;

/// The position record: stored in the same Kafka transaction as the records it covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Everything that committed up to here (the end of a commit record) is published.
    pub commit_end_lsn: Lsn,
    /// History of the source, from 1.
    pub epoch: u16,
    /// `system_identifier` of IDENTIFY_SYSTEM.
    pub system_identifier: String,
    /// Timeline the position lies on.
    pub timeline: u32,
    /// Slot it belongs to.
    pub slot: String,
    /// Which instance wrote it.
    pub nonce: String,
    /// Kafka's cluster id.
    pub cluster_id: String,
    /// The publications, by name.
    pub publications: BTreeMap<String, PublicationMark>,
    /// Mapped tables, by `schema.name`.
    pub tables: BTreeMap<String, TableMark>,
    /// Partition counts, by topic.
    pub partitions: BTreeMap<String, i32>,
    /// Topic ids, by topic; none of a broker that knows of none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topic_ids: BTreeMap<String, String>,
    /// Fingerprint of the mapping, hexadecimal.
    pub mapping: String,
    /// Old rows told so far; none while none were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<OldRows>,
    /// How entities are declared: a record of its own beside the position, stored by who opens a sink; none: not known, or
    /// not to be stored.
    #[serde(skip)]
    pub declared: Option<Declarations>,
    /// Which partitions the mapped tables have: in the same record; none: not known.
    #[serde(skip)]
    pub leaves: Option<Leaves>,
}

/// Leaf partitions of mapped tables: by `schema.name` of the table, and by the partition's place in its tree, the
/// partition's `schema.name`.
pub type Leaves = BTreeMap<String, BTreeMap<String, String>>;

/// What the position rests on in a publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicationMark {
    /// OID in `pg_publication`.
    pub oid: u32,
    /// Version of its row there (`xmin`): another one means that it was altered.
    pub version: String,
    /// What may be altered without losing a change, as `owner 10, as roots`: where this explains another version, nothing
    /// else is taken to have been altered.
    pub harmless: String,
}

/// What the position rests on in a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMark {
    /// OID in `pg_class`.
    pub oid: u32,
    /// Replica identity.
    pub identity: ReplicaIdentity,
    /// OID of its membership in the publication (`pg_publication_rel`): another one means it was taken out and put back.
    pub membership: u32,
}

/// A checkpoint that would go backwards.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot move the position from {from} back to {to}")]
pub struct Backwards {
    /// Where it stands.
    pub from: Lsn,
    /// Where it was to go.
    pub to: Lsn,
}

impl Checkpoint {
    /// Whether a transaction is published already.
    ///
    /// | commit record starts | ends | published |
    /// |---|---|---|
    /// | before the position | at or before it | yes |
    /// | at the position | after it | no |
    /// | after the position | after it | no |
    ///
    /// A commit record is never cut by a position, since a position is the end of one.
    pub fn covers(&self, commit_lsn: Lsn) -> bool {
        commit_lsn < self.commit_end_lsn
    }

    /// Moves on to a later commit's end; staying is allowed.
    ///
    /// # Errors
    /// [`Backwards`] where `end_lsn` lies before the position.
    pub fn advance(&mut self, end_lsn: Lsn) -> Result<(), Backwards> {
        if end_lsn < self.commit_end_lsn {
            return Err(Backwards {
                from: self.commit_end_lsn,
                to: end_lsn,
            });
        }
        self.commit_end_lsn = end_lsn;
        Ok(())
    }
}
