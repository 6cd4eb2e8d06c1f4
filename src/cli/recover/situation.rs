//! What is there of a history, what of it is lost, and why a new one may not begin.

use std::collections::BTreeSet;

use crate::backfill::target::Target;
use crate::cli::prepare::{self, Prepared};
use crate::cli::recover::BY;
use crate::cli::recover::way::Way;
use crate::cli::setup::Refused;
use crate::config::Config;
use crate::finding::{Cause, Finding, Severity};
use crate::flow::catalog::Catalog;
use crate::flow::checkpoint::Checkpoint;
use crate::flow::event::{EventKind, Holds, KindId};
use crate::flow::position::Lsn;
use crate::sink::kafka::{How, Moved};
use crate::sink::{SinkError, kafka};
use crate::source::SourceError;
use crate::source::postgres;
use crate::source::postgres::preflight::{Surroundings, preflight};
use crate::source::postgres::setup::{self, Present, occupied, renewable};
use crate::source::postgres::slot::SlotFacts;
use crate::source::postgres::sql::Sql;

/// What a new slot, or what is made before it, repairs.
const REPAIRED: [&str; 7] = [
    "source.slot_missing",
    "source.slot_lost",
    "source.slot_two_phase",
    "source.publication_missing",
    "source.publication_lacks_table",
    "source.publication_operations",
    // They come and go.
    "source.wal_senders_exhausted",
];

/// What is noticed after a while, when the position may have passed what was lost.
const BEFORE_A_LOOK: [&str; 7] = [
    "source.publication_altered",
    "source.publication_gone",
    "source.publication_recreated",
    "source.table_left",
    "source.table_readded",
    "source.table_recreated",
    "source.table_gone",
];

/// What there is.
pub(super) struct Situation {
    pub(super) catalog: Catalog,
    pub(super) prepared: Prepared,
    /// Entities that are told again.
    pub(super) targets: Vec<Target>,
    /// The position, where it can be read.
    pub(super) stored: Option<Checkpoint>,
    pub(super) slot: Option<SlotFacts>,
    /// End of the server's log.
    pub(super) end_lsn: Lsn,
    /// What does not belong together, or cannot be read.
    pub(super) found: Vec<Finding>,
    /// Topics that are no longer as the position knows them.
    pub(super) moved: Vec<Moved>,
    /// What becomes of the history.
    pub(super) way: Way,
    /// The newest epoch so far.
    pub(super) epoch: u16,
}

impl Situation {
    /// Looks at everything, and changes nothing.
    pub(super) fn look(config: &Config) -> Result<Self, Refused> {
        let Surroundings {
            catalog,
            slot,
            publications,
            findings,
            ..
        } = preflight(&config.source)?;
        let prepared = prepare::prepare(config, &catalog).map_err(Refused::Findings)?;
        let hidden = prepare::hidden(&prepared.mapping, &publications);
        let (targets, untold) = prepare::targets(config, &prepared.mapping, &catalog);
        let present = Present { publications, slot };
        let renewable = renewable(&config.source, &catalog, &present).err().unwrap_or_default();
        let of_kafka = kafka::preflight(&prepared.kafka);
        let lacking: Vec<Finding> = findings
            .iter()
            .filter(|finding| REPAIRED.contains(&finding.code))
            .cloned()
            .collect();
        let stops = |finding: &Finding| finding.severity == Severity::Error && !REPAIRED.contains(&finding.code);
        let missing = |finding: &Finding| finding.code == "kafka.topic_missing";
        let of_server = findings.into_iter().filter(stops);
        let of_topics = of_kafka
            .into_iter()
            .filter(|finding| stops(finding) && !missing(finding));
        let refused = renewable.into_iter().chain(of_server).chain(hidden);
        refuse(refused.chain(untold).chain(of_topics))?;
        let (stored, mut found) = position(&prepared.kafka)?;
        of_former(config, stored.as_ref())?;
        let mut moved = Vec::new();
        if let Some(stored) = &stored {
            found.extend(of_sink(
                kafka::moved(&prepared.kafka, stored).map(|these| moved = these),
            )?);
            found.extend(moved.iter().map(Moved::finding));
        }
        if found.is_empty() || stored.is_some() {
            found.extend(of_source(postgres::compare(&config.source, stored.clone()))?);
        }
        // A position of a lower epoch than the topics tell of was stored over a lost one.
        let told = kafka::newest_epoch(&prepared.kafka, &kafka::Stop::default())?;
        if let Some(finding) = told.as_ref().and_then(kafka::of_another) {
            return Err(finding.into());
        }
        let told = told.map(|newest| newest.epoch);
        let Some(epoch) = told.max(stored.as_ref().map(|stored| stored.epoch)) else {
            return Err(never(config, present.slot.as_ref()).into());
        };
        let way = if stored.is_some() && present.slot.is_some() {
            way(&found, lacking)?
        } else {
            Way::Anew
        };
        Ok(Self {
            end_lsn: setup::server(&mut Sql::connect(&config.source)?)?.end_lsn,
            catalog,
            prepared,
            targets,
            way,
            stored,
            slot: present.slot,
            found,
            moved,
            epoch,
        })
    }

    /// Whether somebody recovered it already, and no bridge was started since: a second time would give up what the first one
    /// kept.
    pub(super) fn is_done(&self) -> bool {
        let stored = self.stored.as_ref();
        self.found.is_empty() && stored.is_some_and(|stored| stored.nonce.starts_with(BY))
    }

    /// Whether all is as it was when it was looked at: an operator may think for long.
    pub(super) fn is_still(&self, config: &Config) -> Result<(), Refused> {
        let (stored, unreadable) = position(&self.prepared.kafka)?;
        of_former(config, stored.as_ref())?;
        if stored == self.stored && unreadable.iter().all(|finding| self.found.contains(finding)) {
            return Ok(());
        }
        Err(moved_on(config).into())
    }

    /// The epoch that begins, or goes on.
    pub(super) fn next_epoch(&self) -> Result<u16, Refused> {
        if self.way == Way::GoOn {
            return Ok(self.epoch);
        }
        self.epoch.checked_add(1).ok_or_else(|| {
            let what = format!("epoch {} was the last one that a sequence can name", self.epoch);
            Finding::error(Cause::Surroundings, "recover.epochs_exhausted", what)
                .because("a higher one would not sort behind it")
                .repair("begin with another `name` in [bridge], and topics of its own")
                .into()
        })
    }

    /// Whether the position alone would not stop a bridge that meets the new slot, should this end before all is done. A
    /// new slot stands behind the end of the log: making it writes to the log (`LogStandbySnapshot`).
    pub(super) fn may_mislead(&self) -> bool {
        self.stored
            .as_ref()
            .is_none_or(|stored| stored.commit_end_lsn > self.end_lsn)
    }

    /// Everything before was told; none: nobody knows.
    pub(super) fn from(&self) -> Option<Lsn> {
        // What a publication did not tell meanwhile may lie before a position that was stored before somebody looked.
        if self.found.iter().any(|finding| BEFORE_A_LOOK.contains(&finding.code)) {
            return None;
        }
        let position = self.stored.as_ref().map(|stored| stored.commit_end_lsn);
        position.filter(|position| *position > Lsn::INVALID)
    }

    /// A position of a new slot, with what is known of the former one that does not depend on places in the log.
    pub(super) fn carry_over(&self, first: Checkpoint, (epoch, nonce): (u16, &str)) -> Checkpoint {
        let stored = self.stored.as_ref();
        Checkpoint {
            epoch,
            nonce: nonce.to_owned(),
            declared: stored.and_then(|stored| stored.declared.clone()),
            backfill: stored.and_then(|stored| stored.backfill.clone()),
            ..first
        }
    }

    /// Entities whose states are told again.
    pub(super) fn told_again(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| self.has_moved(&target.entity))
    }

    /// Whether the state topic of an entity is not as it was, whether or not its rows can be read.
    pub(super) fn has_moved(&self, entity: &str) -> bool {
        let mut kinds = self.prepared.mapping.kinds.iter();
        kinds.any(|kind| {
            kind.entity == entity && self.holds(kind) == Some(Holds::States) && self.is_moved(kind, |_| true)
        })
    }

    /// Whether something happened to the topic of a kind: this.
    fn is_moved(&self, kind: &EventKind, is_it: impl Fn(How) -> bool) -> bool {
        let topic = self.topic(kind);
        self.way == Way::Anew || self.moved.iter().any(|moved| moved.topic == topic && is_it(moved.how))
    }

    /// One kind of each entity in each of its event topics that lacks events: there its gap is told.
    pub(super) fn gaps(&self) -> Vec<(KindId, &EventKind)> {
        let mapping = &self.prepared.mapping;
        let mut seen = BTreeSet::new();
        let kinds = (0_u16..).map(KindId).zip(&mapping.kinds);
        let of_events =
            kinds.filter(|(_, kind)| self.holds(kind) == Some(Holds::Events) && self.is_moved(kind, How::has_lost));
        of_events
            .filter(|(_, kind)| seen.insert((&kind.entity, kind.topic.0)))
            .collect()
    }

    /// Entities with a state topic that nobody can tell again.
    pub(super) fn left(&self) -> Vec<&EventKind> {
        let kinds = self.prepared.mapping.kinds.iter();
        let states = kinds.filter(|kind| self.holds(kind) == Some(Holds::States) && self.is_moved(kind, |_| true));
        states
            .filter(|kind| self.targets.iter().all(|target| target.entity != kind.entity))
            .collect()
    }

    /// Name of the topic of a kind.
    pub(super) fn topic(&self, kind: &EventKind) -> &str {
        let topic = self.prepared.mapping.topics.get(usize::from(kind.topic.0));
        topic.map_or("", |topic| topic.name.as_str())
    }

    fn holds(&self, kind: &EventKind) -> Option<Holds> {
        let topic = self.prepared.mapping.topics.get(usize::from(kind.topic.0));
        topic.map(|topic| topic.holds)
    }
}

/// Slot and position are there. What is lacking beside topics, and is not of the slot, is repaired first: for its sake nobody
/// gives up a history that goes on.
fn way(found: &[Finding], lacking: Vec<Finding>) -> Result<Way, Refused> {
    let of_slot = |finding: &Finding| finding.code.starts_with("source.slot_");
    match Way::of(found) {
        Way::GoOn if lacking.iter().any(of_slot) => Ok(Way::Anew),
        Way::GoOn if !lacking.is_empty() => Err(Refused::Findings(lacking)),
        way @ (Way::GoOn | Way::Anew) => Ok(way),
    }
}

/// The position is not the one that was told of.
pub(super) fn moved_on(config: &Config) -> Finding {
    let what = format!(
        "the position of bridge {} is another one than before the question",
        config.name
    );
    Finding::error(Cause::Surroundings, "recover.moved", what)
        .because("a bridge runs, or somebody else recovers it: what was said is out of date; nothing was changed")
        .repair("stop the bridge, then: walbridge recover -c FILE")
}

/// Each reason once.
fn refuse(found: impl Iterator<Item = Finding>) -> Result<(), Refused> {
    let mut refused: Vec<Finding> = Vec::new();
    for finding in found {
        if !refused.contains(&finding) {
            refused.push(finding);
        }
    }
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Refused::Findings(refused))
    }
}

/// The position, or why it cannot be read.
fn position(kafka: &kafka::settings::Settings) -> Result<(Option<Checkpoint>, Vec<Finding>), Refused> {
    match kafka::read_position(kafka) {
        Ok(Some(stored)) => Ok((Some(stored), Vec::new())),
        Ok(None) => {
            let what = format!("the topic walbridge.{}.position holds no position", kafka.name);
            let gone = Finding::error(Cause::Surroundings, "kafka.position_gone", what);
            Ok((None, vec![gone.because("it is not known what was published")]))
        }
        Err(SinkError::Halt(finding)) if finding.code == "kafka.position_unreadable" => Ok((None, vec![*finding])),
        Err(SinkError::Halt(finding)) if finding.code == "kafka.position_foreign" => {
            let ours = kafka::newest_of_ours(kafka);
            let unreadable = of_sink(ours.as_ref().map(|_| ()).map_err(Clone::clone))?;
            Ok((
                ours.ok().flatten(),
                std::iter::once(*finding).chain(unreadable).collect(),
            ))
        }
        Err(error) => Err(error.into()),
    }
}

/// A bridge with the former config may run on the slot that its position names.
fn of_former(config: &Config, stored: Option<&Checkpoint>) -> Result<(), Refused> {
    let Some(former) = stored.filter(|stored| stored.slot != config.source.slot) else {
        return Ok(());
    };
    match occupied(&mut Sql::connect(&config.source)?, &former.slot)? {
        Some(finding) => Err(finding.into()),
        None => Ok(()),
    }
}

fn of_sink(compared: Result<(), SinkError>) -> Result<Option<Finding>, Refused> {
    match compared {
        Ok(()) => Ok(None),
        Err(SinkError::Halt(finding)) => Ok(Some(*finding)),
        Err(error) => Err(error.into()),
    }
}

fn of_source(compared: Result<(), SourceError>) -> Result<Option<Finding>, Refused> {
    match compared {
        Ok(()) => Ok(None),
        Err(SourceError::Halt(finding)) => Ok(Some(*finding)),
        Err(error @ SourceError::Transient(_)) => Err(error.into()),
    }
}

/// Neither a position nor a record: there is no history to go on from.
fn never(config: &Config, slot: Option<&SlotFacts>) -> Finding {
    let what = format!("nothing was ever published by bridge {}", config.name);
    Finding::error(Cause::Surroundings, "recover.nothing", what)
        .because("there is no position, and the mapped topics hold no record of it")
        .repair(match slot {
            Some(_) => "walbridge setup --adopt -c FILE",
            None => "walbridge setup --apply -c FILE",
        })
}
