//! The source over a real server: takes the slot, proves the position, and follows the stream.
//!
//! The slot is the lock: the server lets one connection stream from it. Only where a first start is to make the slot
//! there is none yet; then an advisory lock of the database stands for it until the slot is held, so that nothing is
//! made before it is known that no position exists (promise I5), and two first starts do not fence each other.

use std::time::{Duration, Instant};

use crate::backfill::target::{Reading, Wanted};
use crate::flow::change::Step;
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::source::postgres::chunk::Readers;
use crate::source::postgres::connect::socket::CONNECT_MAX;
use crate::source::postgres::connect::{self, Started};
use crate::source::postgres::facts::{Facts, Seen, brought, identify, say_news};
use crate::source::postgres::proof::{self, Ground, Server};
use crate::source::postgres::publication;
use crate::source::postgres::settings::{Create, Settings};
use crate::source::postgres::slot::{self, SlotFacts};
use crate::source::postgres::sql::blocked::blocked;
use crate::source::postgres::sql::{Sql, get, quote, refusal};
use crate::source::postgres::stream::{Stream, Timing};
use crate::source::postgres::{catalog, setup};
use crate::source::{Distance, Hold, Proven, Source, SourceError};

/// A legacy database that is followed.
#[derive(Debug)]
pub struct Postgres {
    settings: Settings,
    timing: Timing,
    /// Kept while another connection holds the slot, and until the position is proven.
    sql: Option<Sql>,
    held: Option<Held>,
    stream: Option<Stream>,
    /// Consistent point of a slot that this process made and for which no position may be stored yet.
    made: Option<Lsn>,
    beginning: Beginning,
    /// Read old rows, where any are wanted.
    readers: Option<Readers>,
    /// Partitions as a look of this process saw them last: what became of others was said.
    seen: Seen,
}

/// Where to begin where no position is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Nowhere: it is not known whether what the slot passed was published. The first start may make the slot.
    Proven,
    /// Where the slot stands: for a sink that keeps nothing.
    AtSlot,
    /// At a slot that is made for it and ends with its connection: for somebody who looks.
    Passing,
}

/// What was read when the slot was taken.
#[derive(Debug)]
struct Held {
    slot: Option<SlotFacts>,
    server: Server,
    facts: Facts,
}

/// What came of an attempt to start the stream.
enum Start {
    Running(Box<Stream>, Server),
    Busy,
}

impl Postgres {
    /// A database to follow; connects when it is held.
    pub fn new(settings: Settings) -> Self {
        Self::with_timing(settings, Timing::default())
    }

    /// As [`Postgres::new`], with other patience.
    pub fn with_timing(settings: Settings, timing: Timing) -> Self {
        Self {
            settings,
            timing,
            sql: None,
            held: None,
            stream: None,
            made: None,
            beginning: Beginning::Proven,
            readers: None,
            seen: Seen::default(),
        }
    }

    /// Says where to begin where no position is stored.
    #[must_use]
    pub fn beginning(self, beginning: Beginning) -> Self {
        Self { beginning, ..self }
    }

    /// Where looks keep which partitions they saw.
    pub(super) fn seen(&self) -> Seen {
        self.seen.clone()
    }

    /// Frees the slot for whoever waits for it.
    pub fn let_go(&mut self) {
        self.stream = None;
        // What a former attempt asked for fits neither the position nor the memory of the next.
        self.readers = None;
        // Only a session that waited is used again: one that held may have kept the lock of a first start.
        if self.held.take().is_some() {
            self.sql = None;
        }
    }

    fn take(&mut self, sql: &mut Sql) -> Result<Hold, SourceError> {
        if self.beginning == Beginning::Passing {
            return self.take_passing(sql);
        }
        let creates = self.settings.create == Create::OnFirstStart;
        if creates && !first_start_lock(sql, &self.settings, "pg_try_advisory_lock")? {
            return Ok(Hold::Busy);
        }
        let before = slot::read(sql, &self.settings.slot)?;
        let held = match &before {
            None if creates => {
                // The advisory lock is kept: the slot is made when no position turns out to be stored.
                let facts = Facts::read(sql, &self.settings)?;
                let server = self.identify()?;
                self.held = Some(Held {
                    slot: None,
                    server,
                    facts,
                });
                return Ok(Hold::Taken {
                    confirmed_lsn: Lsn::INVALID,
                });
            }
            Some(facts) if facts.active_pid.is_some() => Ok(Hold::Busy),
            _ => self.take_slot(sql, before.as_ref()),
        };
        if creates {
            first_start_lock(sql, &self.settings, "pg_advisory_unlock")?;
        }
        held
    }

    /// Takes a slot that exists.
    fn take_slot(&mut self, sql: &mut Sql, before: Option<&SlotFacts>) -> Result<Hold, SourceError> {
        let slot = slot::require(before, &self.settings)?.clone();
        let facts = Facts::read(sql, &self.settings)?;
        let confirmed_lsn = slot.confirmed_flush.unwrap_or(Lsn::INVALID);
        let Start::Running(stream, server) = self.start(sql, &facts, confirmed_lsn)? else {
            return Ok(Hold::Busy);
        };
        // Somebody may have held it, and moved it, in between: then what was read is not what the stream goes on from.
        let now = slot::read(sql, &self.settings.slot)?;
        if now.and_then(|now| now.confirmed_flush) != slot.confirmed_flush {
            return Ok(Hold::Busy);
        }
        self.stream = Some(*stream);
        self.held = Some(Held {
            slot: Some(slot),
            server,
            facts,
        });
        Ok(Hold::Taken { confirmed_lsn })
    }

    /// Makes a slot that ends with its connection, and streams from it.
    fn take_passing(&mut self, sql: &mut Sql) -> Result<Hold, SourceError> {
        let facts = Facts::read(sql, &self.settings)?;
        let mut connection = connect::connect(&self.settings, self.timing.server_timeout)?;
        let name = quote::ident(&self.settings.slot);
        let statement = format!("CREATE_REPLICATION_SLOT {name} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT");
        let begun = Instant::now();
        let asked = connection.ask(&statement);
        if matches!(asked, Err(SourceError::Transient(_))) && begun.elapsed() >= CONNECT_MAX {
            // The server waits for all transactions that are open, and would not notice that we left.
            let leave = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1";
            sql.ask(leave, &[&self.settings.slot])?;
            return Err(blocked(sql, "source.slot_blocked", &statement));
        }
        let made = asked?;
        let point = made.into_iter().flatten().flatten().nth(1).unwrap_or_default();
        let first_lsn = slot::lsn(&point)?;
        let Start::Running(stream, server) = self.start_on(connection, sql, (&facts, first_lsn))? else {
            return Ok(Hold::Busy);
        };
        (self.stream, self.made) = (Some(*stream), Some(first_lsn));
        self.held = Some(Held {
            slot: None,
            server,
            facts,
        });
        Ok(Hold::Taken {
            confirmed_lsn: first_lsn,
        })
    }

    fn start(&self, sql: &mut Sql, facts: &Facts, confirmed_lsn: Lsn) -> Result<Start, SourceError> {
        let connection = connect::connect(&self.settings, self.timing.server_timeout)?;
        self.start_on(connection, sql, (facts, confirmed_lsn))
    }

    fn start_on(
        &self,
        mut connection: connect::Connection,
        sql: &mut Sql,
        (facts, confirmed_lsn): (&Facts, Lsn),
    ) -> Result<Start, SourceError> {
        let settings = &self.settings;
        let server = identify(&mut connection)?;
        let names = publication::needed(settings, &facts.catalog, &facts.publications);
        let names: Vec<String> = names.iter().map(|name| quote::ident(name)).collect();
        // 0/0: from the slot's own confirmed position on. Another place would be moved there silently, or skip changes.
        let command = format!(
            "START_REPLICATION SLOT {} LOGICAL 0/0 (proto_version '1', publication_names {})",
            quote::ident(&settings.slot),
            quote::literal(&names.join(", "))
        );
        match connection.start(&command)? {
            Started::Streaming(connection) => {
                let stream = Stream::new(connection, confirmed_lsn, self.timing, settings)?;
                Ok(Start::Running(Box::new(stream), server))
            }
            Started::Refused(refused) if refused.state == "55006" => Ok(Start::Busy),
            Started::Refused(refused) => {
                // What is wrong with the slot itself is said better by what the catalogue says of it.
                let now = slot::read(sql, &settings.slot)?;
                slot::require(now.as_ref(), settings)?;
                Err(refusal(&refused.state, &refused.message))
            }
        }
    }

    fn identify(&self) -> Result<Server, SourceError> {
        identify(&mut connect::connect(&self.settings, self.timing.server_timeout)?)
    }

    /// The position to go on from: the stored one where it can be proven, or the first.
    fn checkpoint(
        &mut self,
        sql: &mut Sql,
        stored: Option<Checkpoint>,
        Held { slot, server, facts }: &Held,
    ) -> Result<Checkpoint, SourceError> {
        let ground = Ground::new(&self.settings, &facts.catalog, &facts.publications);
        if stored.is_none() {
            let confirmed = slot.as_ref().and_then(|slot| slot.confirmed_flush);
            match (confirmed, self.made) {
                (None, Some(made)) if self.beginning == Beginning::Passing => {
                    return Ok(ground.first(&self.settings, server, made));
                }
                (None, _) if slot.is_none() => return self.make(sql, server),
                // Made by this process, and lost before its position could be stored.
                (Some(confirmed), Some(made)) if confirmed == made => {
                    return Ok(ground.first(&self.settings, server, made));
                }
                (Some(confirmed), _) if self.beginning == Beginning::AtSlot => {
                    return Ok(ground.first(&self.settings, server, confirmed));
                }
                _ => {}
            }
        }
        let proven = proof::prove(stored, slot.as_ref(), server, &ground, &self.settings);
        if proven.is_err() {
            self.stream = None;
        } else {
            self.made = None;
        }
        proven
    }

    /// Makes slot and publications where no position exists, and takes the slot.
    fn make(&mut self, sql: &mut Sql, server: &Server) -> Result<Checkpoint, SourceError> {
        let catalog = catalog::read(sql, &self.settings.table_names())?;
        let applied = setup::apply(sql, &self.settings, &catalog)?;
        self.made = applied.created_slot;
        let Some(first_lsn) = applied.created_slot else {
            return Err(SourceError::Transient(
                "the slot was made by another connection".to_owned(),
            ));
        };
        let facts = Facts::read(sql, &self.settings)?;
        let Start::Running(stream, _) = self.start(sql, &facts, first_lsn)? else {
            return Err(SourceError::Transient(
                "the new slot is held by another connection".to_owned(),
            ));
        };
        self.stream = Some(*stream);
        let ground = Ground::new(&self.settings, &facts.catalog, &facts.publications);
        Ok(ground.first(&self.settings, server, first_lsn))
    }
}

impl Source for Postgres {
    fn hold(&mut self) -> Result<Hold, SourceError> {
        self.let_go();
        let mut sql = match self.sql.take() {
            Some(sql) => sql,
            None => Sql::connect(&self.settings)?,
        };
        // After an error the connection is not used again.
        let hold = self.take(&mut sql)?;
        self.sql = Some(sql);
        Ok(hold)
    }

    fn prove(&mut self, stored: Option<Checkpoint>) -> Result<Proven, SourceError> {
        let (Some(held), Some(mut sql)) = (self.held.take(), self.sql.take()) else {
            return Err(not_held());
        };
        let before = stored.as_ref().and_then(|stored| stored.leaves.clone());
        let checkpoint = self.checkpoint(&mut sql, stored, &held)?;
        say_news(
            self.seen.take().as_ref().or(before.as_ref()),
            checkpoint.leaves.as_ref(),
        );
        Ok(Proven {
            checkpoint,
            brought: brought(&mut sql, before.as_ref(), &held.facts.catalog)?,
        })
    }

    fn next(&mut self, wait: Duration) -> Result<Step<'_>, SourceError> {
        match &mut self.stream {
            Some(stream) => stream.next(wait),
            None => Err(not_held()),
        }
    }

    fn distance(&self) -> Distance {
        self.stream.as_ref().map_or(Distance::Near, Stream::distance)
    }

    fn ask_chunk(&mut self, wanted: &Wanted<'_>) -> Result<(), SourceError> {
        let readers = match &mut self.readers {
            Some(readers) => readers,
            None => self.readers.insert(Readers::begin(&self.settings)?),
        };
        readers.ask(wanted)
    }

    fn next_chunk(&mut self) -> Result<Reading, SourceError> {
        self.readers.as_mut().map_or(Ok(Reading::Nothing), Readers::first)
    }

    fn drop_chunks(&mut self) {
        if let Some(readers) = &mut self.readers {
            readers.give_up();
        }
    }

    fn silence(&self) -> Duration {
        self.stream.as_ref().map_or(Duration::ZERO, Stream::silence)
    }

    fn acknowledge(&mut self, lsn: Lsn) {
        if let Some(stream) = &self.stream {
            stream.acknowledge(lsn);
        }
    }
}

/// Compares a stored position with what is there, beside a bridge that may run; takes and moves nothing.
///
/// # Errors
/// As [`Source::prove`].
pub fn compare(settings: &Settings, stored: Option<Checkpoint>) -> Result<(), SourceError> {
    let mut sql = Sql::connect(settings)?;
    let slot = slot::read(&mut sql, &settings.slot)?;
    if slot.is_none() && stored.is_none() {
        return Ok(());
    }
    let facts = Facts::read(&mut sql, settings)?;
    let server = identify(&mut connect::connect(settings, Timing::default().server_timeout)?)?;
    let ground = Ground::new(settings, &facts.catalog, &facts.publications);
    proof::prove(stored, slot.as_ref(), &server, &ground, settings).map(drop)
}

fn not_held() -> SourceError {
    SourceError::Transient("the slot is not held: no stream runs".to_owned())
}

/// Takes or gives back what stands for a slot that is still to be made.
fn first_start_lock(sql: &mut Sql, settings: &Settings, function: &str) -> Result<bool, SourceError> {
    let question = format!("SELECT {function}(hashtextextended($1, 7737))");
    get(&sql.one(&question, &[&settings.slot])?, 0)
}
