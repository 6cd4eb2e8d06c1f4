//! The connection on which chunks are read: one short transaction each.

use std::time::{Duration, Instant};

use crate::backfill::pace::{Cost, Cut, Others};
use crate::backfill::snapshot::Snapshot;
use crate::finding::{Cause, Finding};
use crate::flow::change::CommitTime;
use crate::flow::position::Lsn;
use crate::source::SourceError;
use crate::source::postgres::chunk::gathered::Gathered;
use crate::source::postgres::chunk::strain::{Look, SIGNS};
use crate::source::postgres::chunk::{ChunkPlan, Columns, Conditions, Cursor, ReadChunk};
use crate::source::postgres::connect::AS_IT_IS;
use crate::source::postgres::settings::{Settings, VALUE_TEXT};
use crate::source::postgres::sql::{Refusal, Sql, halt, quote};

/// How long after the server's own limit its answer is waited for.
const GRACE: Duration = Duration::from_secs(10);

/// Whether a commit waits for a synchronous standby, and whether that could be seen. Other roles' sessions show what
/// they wait for only to who may read statistics
/// (<https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-STATS-VIEWS>).
const WAITING: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' \
     AND coalesce(state_change, '-infinity') < clock_timestamp() - interval '1 second'), \
     current_setting('synchronous_standby_names') = '' OR pg_has_role('pg_read_all_stats', 'USAGE')";

/// The snapshot; then, from after it was taken, the end of the last record of the log, and the time in microseconds.
///
/// What the server tells of the log is where the next record will begin: at the border of a page or segment that is behind
/// its header, where a reader of the log does not get to before something is written
/// (`XLogBytePosToRecPtr` and `XLogBytePosToEndRecPtr` in xlog.c; the headers have 24 and 40 bytes).
const MOMENT: &str = "SELECT pg_current_snapshot(), (CASE WHEN at % pg_size_bytes(current_setting('wal_segment_size')) = 40 THEN at - 40 \
     WHEN at % current_setting('wal_block_size')::int8 = 24 THEN at - 24 ELSE at END)::int8, \
     (extract(epoch FROM clock_timestamp()) * 1000000)::int8 FROM (SELECT (pg_current_wal_insert_lsn() - '0/0')::int8) AS l(at)";

/// How far the log is flushed, the longest that an asynchronous commit takes for it, in ms, and how far our walsender has
/// sent, if it waits for more.
const SENT: &str = "SELECT (pg_current_wal_flush_lsn() - '0/0')::int8, \
     (3000 * extract(epoch FROM current_setting('wal_writer_delay')::interval))::int8, \
     (SELECT (r.sent_lsn - '0/0')::int8 FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid \
     JOIN pg_stat_replication r ON r.pid = a.pid WHERE s.slot_name = $slot AND lower(a.wait_event) = 'walsenderwaitforwal')";

/// For a machine that is slow.
const LATE: Duration = Duration::from_millis(200);

/// Reads chunks of tables.
#[derive(Debug)]
pub struct ChunkReader {
    settings: Settings,
    /// None after an error, after a chunk that was cut off by its size, and in the midst of one.
    sql: Option<Sql>,
}

impl ChunkReader {
    /// Connects; a statement ends after the settings' `snapshot_max`.
    ///
    /// # Errors
    /// As [`Sql::connect`].
    pub fn connect(settings: &Settings) -> Result<Self, SourceError> {
        Ok(Self {
            settings: settings.clone(),
            sql: Some(session(settings)?),
        })
    }

    /// Looks whether the database suffers, and whether others work on it.
    ///
    /// # Errors
    /// Transient where the connection fails: the next call makes a new one.
    pub(super) fn look(&mut self) -> Result<Look, SourceError> {
        let mut sql = self.session()?;
        let row = sql.row("EXECUTE look")?;
        self.sql = Some(sql);
        Ok(Look::of(&row))
    }

    /// Reads the rows after `after` that meet the plan's conditions: those among the next `rows_max` of the table, and
    /// at least one if there is one, else as many as hold no more than `bytes_max` bytes with their names.
    ///
    /// # Errors
    /// Transient where a commit waits for a synchronous standby, where the server needs longer than a snapshot may be
    /// held, and where the connection fails: the next call makes a new one. A halt where the statement does not fit the
    /// table (any more), where a condition cannot be computed for a row, and where the role may not see what the chunk's
    /// correctness rests on.
    pub fn read(
        &mut self,
        plan: &ChunkPlan,
        after: Option<&Cursor>,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<ReadChunk, SourceError> {
        self.read_up_to(plan, after, (rows_max, bytes_max), |_| {})
    }

    /// As [`ChunkReader::read`]; tells `ends` where the chunk will end, before its rows are read.
    pub(super) fn read_up_to(
        &mut self,
        plan: &ChunkPlan,
        after: Option<&Cursor>,
        (rows_max, bytes_max): (usize, usize),
        ends: impl FnOnce(Option<&Cursor>),
    ) -> Result<ReadChunk, SourceError> {
        let rows_max = rows_max.max(1);
        let mut sql = self.session()?;
        nobody_waits(&mut sql)?;
        let begun = Instant::now();
        let Taken {
            snapshot,
            horizon,
            read_at,
        } = self.snapshot(&mut sql, plan)?;
        let mut cost = Cost {
            rows_max,
            rows: 0,
            bytes: 0,
            spent: begun.elapsed(),
            cut: Cut::No,
            others: Others::Quiet,
        };
        if !plan.columns.is_empty() && value::<u64>(&sql.row(&plan.altered())?, 0)? > 0 {
            return Ok(ReadChunk {
                snapshot,
                horizon,
                read_at,
                rows: Vec::new(),
                table: Columns::Altered,
                next: after.cloned(),
                last: None,
                cost,
            });
        }
        let bounded = match plan.bounds() {
            Some(asked) => Some(plan.bounded(&bounds(sql.simple(&asked)?)?)),
            None => None,
        };
        let plan = bounded.as_ref().unwrap_or(plan);
        let walk = plan.walk(after, rows_max).map_err(SourceError::Halt)?;
        let upto = last_key(sql.simple(&walk)?)?;
        let last = match &plan.last {
            Some(_) => None,
            None => last_key(sql.simple(&plan.last_row())?)?,
        };
        ends(upto.as_ref());
        let statement = plan.statement(after, upto.as_ref()).map_err(SourceError::Halt)?;
        let mut gathered = Gathered::new(plan, bytes_max);
        let patience = self.settings.snapshot_max.saturating_add(GRACE);
        let sql = sql.copy_out(&format!("COPY ({statement}) TO STDOUT"), patience, |message| {
            gathered.take(message)
        });
        let sql = sql.map_err(|refused| uncomputable(refused, plan))?;
        let ended = gathered.end(upto)?;
        if let Some(mut sql) = sql {
            sql.run("COMMIT")?;
            self.sql = Some(sql);
        }
        cost.spent = begun.elapsed();
        (cost.rows, cost.bytes, cost.cut) = (ended.rows.len(), ended.bytes, ended.cut);
        let horizon = self.told_by(horizon)?;
        Ok(ReadChunk {
            snapshot,
            horizon,
            read_at,
            rows: ended.rows,
            table: Columns::AsPlanned,
            next: ended.next,
            last,
            cost,
        })
    }

    /// The session, or a new one. Whoever takes it gives it back where nothing failed.
    fn session(&mut self) -> Result<Sql, SourceError> {
        match self.sql.take() {
            Some(sql) => Ok(sql),
            None => session(&self.settings),
        }
    }

    /// Begins a transaction in which the table can be read.
    fn snapshot(&self, sql: &mut Sql, plan: &ChunkPlan) -> Result<Taken, SourceError> {
        let limit = self.settings.snapshot_max.as_millis();
        // Locked before the snapshot is taken: one that is older than a rewriting ALTER TABLE sees an empty table
        // (<https://www.postgresql.org/docs/current/mvcc-caveats.html>).
        // The second limit is for a connection that breaks without a word: the server ends the transaction itself.
        sql.run(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {limit}; \
             SET LOCAL idle_in_transaction_session_timeout = {limit}; {}; LOCK TABLE {} IN ACCESS SHARE MODE",
            ChunkPlan::ROAD,
            plan.table.quoted()
        ))?;
        let row = sql.row("EXECUTE moment")?;
        Ok(Taken {
            snapshot: value(&row, 0)?,
            horizon: Lsn(value(&row, 1)?),
            read_at: CommitTime::of_unix_micros(value(&row, 2)?),
        })
    }

    /// From where on the stream has told all that the snapshot saw: the end of the log then, or less.
    ///
    /// What no commit follows (a page that was pruned by reading it) is not flushed for a while, and the stream does not get
    /// there. But a commit that was seen was flushed before, or, where it is asynchronous, is so within three times
    /// `wal_writer_delay` (<https://www.postgresql.org/docs/current/wal-async-commit.html>); and a walsender that waits
    /// for more has sent all that was.
    fn told_by(&mut self, end: Lsn) -> Result<Lsn, SourceError> {
        let begun = Instant::now();
        loop {
            let mut sql = self.session()?;
            let row = sql.row("EXECUTE sent")?;
            self.sql = Some(sql);
            if Lsn(value(&row, 0)?) >= end {
                return Ok(end);
            }
            let window = Duration::from_millis(value(&row, 1)?).saturating_add(LATE);
            if row.get(2).is_some_and(Option::is_some) && begun.elapsed() > window {
                return Ok(end.min(Lsn(value(&row, 2)?)));
            }
            if begun.elapsed() > self.settings.snapshot_max {
                let what = "the stream does not get to where a chunk was read: nothing follows in the log, and nobody reads it";
                return Err(SourceError::Transient(what.to_owned()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A snapshot that is held.
struct Taken {
    snapshot: Snapshot,
    /// The end of the log from after it was taken.
    horizon: Lsn,
    read_at: CommitTime,
}

/// The bounds of partitions.
fn bounds(rows: Vec<Vec<Option<String>>>) -> Result<Vec<String>, SourceError> {
    let bounds = rows.into_iter().map(|row| row.into_iter().next().flatten());
    let unknown = || SourceError::Transient("cannot read a chunk: the bounds of a partition are not known".to_owned());
    bounds.collect::<Option<Vec<_>>>().ok_or_else(unknown)
}

/// The key that a walk ended at; none: it ended with the table.
fn last_key(rows: Vec<Vec<Option<String>>>) -> Result<Option<Cursor>, SourceError> {
    let Some(row) = rows.into_iter().next() else {
        return Ok(None);
    };
    let values: Option<Vec<String>> = row.into_iter().collect();
    let null = || SourceError::Transient("cannot read a chunk: its last key holds a null".to_owned());
    values.map(|values| Some(Cursor(values))).ok_or_else(null)
}

/// What the server says of a row that it cannot compute holds the row's value: it is not repeated.
fn uncomputable(refused: Refusal, plan: &ChunkPlan) -> SourceError {
    let Refusal { state, error } = refused;
    // Class 22, data exception (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    if !state.starts_with("22") {
        return error;
    }
    let Conditions { entity, all } = &plan.conditions;
    if all.is_empty() {
        let what = format!("PostgreSQL cannot read a row of {} (SQLSTATE {state})", plan.table);
        let finding = Finding::error(Cause::Surroundings, "backfill.row_unreadable", what);
        return halt(
            finding
                .because("a row that is left out would be missing from the topic, and nobody would know")
                .repair(format!(
                    "find it and put it right: COPY {} TO STDOUT names its line",
                    plan.table.quoted()
                )),
        );
    }
    let what = format!(
        "PostgreSQL cannot say for a row of {} whether it is of {entity}: {} (SQLSTATE {state})",
        plan.table,
        all.join(" and ")
    );
    let finding = Finding::error(Cause::Surroundings, "backfill.condition", what);
    halt(
        finding
            .because("a row that is left out would be missing from the topic, and nobody would know")
            .repair("a condition that can be computed for every row, as with a CASE in front of what fails"),
    )
}

/// A read-only session whose values have the text of the stream's.
///
/// What is asked with every chunk is prepared: to plan such a question takes longer than to answer it.
fn session(settings: &Settings) -> Result<Sql, SourceError> {
    let mut sql = reading(settings)?;
    let asked = [
        ("look", SIGNS),
        ("waiting", WAITING),
        ("moment", MOMENT),
        ("sent", SENT),
    ];
    let slot = quote::literal(&settings.slot);
    let prepare = asked.map(|(name, query)| format!("PREPARE {name} AS {}", query.replace("$slot", &slot)));
    sql.run(&prepare.join("; "))?;
    Ok(sql)
}

/// A session in which values have the text that the stream sends.
fn reading(settings: &Settings) -> Result<Sql, SourceError> {
    let mut sql = Sql::connect(settings)?;
    as_the_stream(&mut sql)?;
    Ok(sql)
}

/// Lets values of a session have the text that the stream sends.
pub(in crate::source::postgres) fn as_the_stream(sql: &mut Sql) -> Result<(), SourceError> {
    let set = VALUE_TEXT.map(|(name, value)| format!("SET {name} = {}", quote::literal(value)));
    // The stream tells every row: a policy that hides some of them from the role is refused, not followed.
    sql.run(&format!("{}; SET row_security = off; {AS_IT_IS}", set.join("; ")))
}

/// A commit that waits for a synchronous standby is in the stream, and snapshots do not see it for as long as it waits:
/// see [`SETTLED_AFTER`](crate::backfill::recent::SETTLED_AFTER).
fn nobody_waits(sql: &mut Sql) -> Result<(), SourceError> {
    let row = sql.row("EXECUTE waiting")?;
    let told = |at: usize| row.get(at).and_then(Option::as_deref) == Some("t");
    let (waits, seen) = (told(0), told(1));
    if waits {
        let what = "cannot read old rows while a commit waits for a synchronous standby";
        return Err(SourceError::Transient(what.to_owned()));
    }
    if !seen {
        return Err(halt(
            Finding::error(
                Cause::Surroundings,
                "backfill.waits_hidden",
                "the role may not see which commits wait for a synchronous standby",
            )
            .because("a row that such a commit changed would be told as it was before, after the change was told")
            .repair("GRANT pg_read_all_stats TO the role of `url` in [source];"),
        ));
    }
    Ok(())
}

/// Reads the text of a value.
fn value<T: std::str::FromStr<Err: std::fmt::Display>>(row: &[Option<String>], at: usize) -> Result<T, SourceError> {
    let text = row.get(at).and_then(Option::as_deref);
    text.unwrap_or_default()
        .parse()
        .map_err(|error: T::Err| SourceError::Transient(format!("cannot read a chunk: {error}")))
}
