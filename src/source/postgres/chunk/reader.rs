//! The connection on which chunks are read: one short transaction each.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::backfill::snapshot::Snapshot;
use crate::backfill::target::row_name;
use crate::finding::{Cause, Finding};
use crate::flow::change::{CommitTime, POSTGRES_EPOCH_UNIX_MICROS};
use crate::flow::position::Lsn;
use crate::source::SourceError;
use crate::source::postgres::chunk::copy::{Fields, Lines};
use crate::source::postgres::chunk::{ChunkPlan, Columns, Cursor, OldRow, ReadChunk, push_column};
use crate::source::postgres::settings::{Settings, VALUE_TEXT};
use crate::source::postgres::sql::{Sql, get, halt, quote};

/// How long after the server's own limit its answer is waited for.
const GRACE: Duration = Duration::from_secs(10);

/// Whether a commit waits for a synchronous standby, and whether that could be seen. Other roles' sessions show what
/// they wait for only to who may read statistics
/// (<https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-STATS-VIEWS>).
const WAITING: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' \
     AND state_change < clock_timestamp() - interval '1 second'), \
     current_setting('synchronous_standby_names') = '' OR pg_has_role('pg_read_all_stats', 'USAGE')";

/// The end of the last record of the log. What the server tells is where the next one will begin: at the border of a page
/// or segment that is behind its header, where a reader of the log does not get to before something is written
/// (`XLogBytePosToRecPtr` and `XLogBytePosToEndRecPtr` in xlog.c; the headers have 24 and 40 bytes).
const HORIZON: &str = "SELECT (CASE WHEN at % pg_size_bytes(current_setting('wal_segment_size')) = 40 THEN at - 40 \
     WHEN at % current_setting('wal_block_size')::int8 = 24 THEN at - 24 ELSE at END)::int8 \
     FROM (SELECT (pg_current_wal_insert_lsn() - '0/0')::int8) AS l(at)";

/// How far the log is flushed, the longest that an asynchronous commit takes for it, in ms, and how far our walsender has
/// sent, if it waits for more.
const SENT: &str = "SELECT (pg_current_wal_flush_lsn() - '0/0')::int8, \
     (SELECT 3 * setting::int8 FROM pg_settings WHERE name = 'wal_writer_delay'), \
     (SELECT (r.sent_lsn - '0/0')::int8 FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid \
     JOIN pg_stat_replication r ON r.pid = a.pid WHERE s.slot_name = $slot AND lower(a.wait_event) = 'walsenderwaitforwal')";

/// For a machine that is slow.
const LATE: Duration = Duration::from_millis(200);

/// Reads chunks of tables.
#[derive(Debug)]
pub struct ChunkReader {
    settings: Settings,
    /// None after an error and after a chunk that was cut off by its size.
    sql: Option<Sql>,
}

/// How much a chunk may hold.
#[derive(Clone, Copy)]
struct Limits {
    rows: usize,
    bytes: usize,
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

    /// Reads the rows after `after`: at most `rows_max`, and at least one if there is one, else as many as hold no
    /// more than `bytes_max` bytes with their names.
    ///
    /// # Errors
    /// Transient where a commit waits for a synchronous standby, where the server needs longer than a snapshot may be
    /// held, and where the connection fails: the next call makes a new one. A halt where the statement does not fit the
    /// table (any more), and where the role may not see what the chunk's correctness rests on.
    pub fn read(
        &mut self,
        plan: &ChunkPlan,
        after: Option<&Cursor>,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<ReadChunk, SourceError> {
        let limits = Limits {
            rows: rows_max.max(1),
            bytes: bytes_max,
        };
        let query = plan.statement(after, limits.rows).map_err(SourceError::Halt)?;
        let mut sql = match self.sql.take() {
            Some(sql) => sql,
            None => session(&self.settings)?,
        };
        nobody_waits(&mut sql)?;
        let limit = self.settings.snapshot_max.as_millis();
        // Locked before the snapshot is taken: one that is older than a rewriting ALTER TABLE sees an empty table
        // (<https://www.postgresql.org/docs/current/mvcc-caveats.html>).
        // The second limit is for a connection that breaks without a word: the server ends the transaction itself.
        sql.run(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {limit}; \
             SET LOCAL idle_in_transaction_session_timeout = {limit}; LOCK TABLE {} IN ACCESS SHARE MODE",
            plan.table.quoted()
        ))?;
        let snapshot: Snapshot = answer(&mut sql, "SELECT pg_current_snapshot()::text")?;
        let horizon = Lsn(answer(&mut sql, HORIZON)?);
        let read_at: i64 = answer(
            &mut sql,
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8",
        )?;
        let read_at = CommitTime(read_at.saturating_sub(POSTGRES_EPOCH_UNIX_MICROS));
        if !plan.columns.is_empty() && answer::<u64>(&mut sql, &plan.altered())? > 0 {
            return Ok(ReadChunk {
                snapshot,
                horizon,
                read_at,
                rows: Vec::new(),
                table: Columns::Altered,
                next: after.cloned(),
            });
        }
        let mut gathered = Gathered::new(plan, limits);
        let patience = self.settings.snapshot_max.saturating_add(GRACE);
        let sql = sql.copy_out(&format!("COPY ({query}) TO STDOUT"), patience, |message| {
            gathered.take(message)
        })?;
        let (rows, next) = gathered.end()?;
        if let Some(mut sql) = sql {
            sql.run("COMMIT")?;
            self.sql = Some(sql);
        }
        let horizon = self.told_by(horizon)?;
        Ok(ReadChunk {
            snapshot,
            horizon,
            read_at,
            rows,
            table: Columns::AsPlanned,
            next,
        })
    }
}

impl ChunkReader {
    /// From where on the stream has told all that the snapshot saw: the end of the log then, or less.
    ///
    /// What no commit follows (a page that was pruned by reading it) is not flushed for a while, and the stream does not get
    /// there. But a commit that was seen was flushed before, or, where it is asynchronous, is so within three times
    /// `wal_writer_delay` (<https://www.postgresql.org/docs/current/wal-async-commit.html>); and a walsender that waits
    /// for more has sent all that was.
    fn told_by(&mut self, end: Lsn) -> Result<Lsn, SourceError> {
        let begun = Instant::now();
        loop {
            let mut sql = match self.sql.take() {
                Some(sql) => sql,
                None => session(&self.settings)?,
            };
            let slot = quote::literal(&self.settings.slot);
            let row = sql.one(&SENT.replace("$slot", &slot), &[])?;
            let (flushed, window): (i64, i64) = (get(&row, 0)?, get(&row, 1)?);
            let sent: Option<i64> = get(&row, 2)?;
            self.sql = Some(sql);
            let lsn = |at: i64| Lsn(u64::try_from(at).unwrap_or(0));
            if lsn(flushed) >= end {
                return Ok(end);
            }
            let window = Duration::from_millis(u64::try_from(window).unwrap_or(0)).saturating_add(LATE);
            if let Some(sent) = sent.filter(|_| begun.elapsed() > window) {
                return Ok(end.min(lsn(sent)));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A read-only session whose values have the text of the stream's.
fn session(settings: &Settings) -> Result<Sql, SourceError> {
    let mut sql = Sql::connect(settings)?;
    let set = VALUE_TEXT.map(|(name, value)| format!("SET {name} = {}", quote::literal(value)));
    // The stream tells every row: a policy that hides some of them from the role is refused, not followed.
    sql.run(&format!("{}; SET row_security = off", set.join("; ")))?;
    Ok(sql)
}

/// A commit that waits for a synchronous standby is in the stream, and snapshots do not see it for as long as it waits:
/// see [`SETTLED_AFTER`](crate::backfill::recent::SETTLED_AFTER).
fn nobody_waits(sql: &mut Sql) -> Result<(), SourceError> {
    let rows = sql.simple(WAITING)?;
    let row = rows.first().map(Vec::as_slice);
    let (waits, seen) = match row {
        Some([Some(waits), Some(seen)]) => (waits == "t", seen == "t"),
        Some(_) | None => (false, false),
    };
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

/// Asks for one value and reads its text.
fn answer<T: std::str::FromStr<Err: std::fmt::Display>>(sql: &mut Sql, query: &str) -> Result<T, SourceError> {
    let rows = sql.simple(query)?;
    let text = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
    text.unwrap_or_default()
        .parse()
        .map_err(|error: T::Err| SourceError::Transient(format!("cannot read a chunk: {error}")))
}

/// The rows of a chunk as they come.
struct Gathered<'p> {
    plan: &'p ChunkPlan,
    limits: Limits,
    key_places: Vec<usize>,
    width: usize,
    lines: Lines,
    fields: Fields,
    rows: Vec<OldRow>,
    bytes: usize,
    last: Vec<Vec<u8>>,
    stop: Option<Stop>,
}

/// Why no more rows are taken.
enum Stop {
    /// The next row does not fit in.
    Full,
    /// Something is wrong.
    Failed(SourceError),
}

impl<'p> Gathered<'p> {
    fn new(plan: &'p ChunkPlan, limits: Limits) -> Self {
        Self {
            plan,
            limits,
            key_places: plan.key_places(),
            width: plan.width(),
            lines: Lines::default(),
            fields: Fields::default(),
            rows: Vec::new(),
            bytes: 0,
            last: Vec::new(),
            stop: None,
        }
    }

    /// Takes what a message holds; breaks where no more is wanted.
    fn take(&mut self, message: &[u8]) -> ControlFlow<()> {
        let mut lines = std::mem::take(&mut self.lines);
        let taken = lines.feed(message, |line| self.row(line));
        self.lines = lines;
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(stop) => {
                self.stop = Some(stop);
                ControlFlow::Break(())
            }
        }
    }

    fn row(&mut self, line: &[u8]) -> Result<(), Stop> {
        self.fields
            .read(line)
            .map_err(|error| self.failed(&error.to_string()))?;
        let values: Vec<Option<&[u8]>> = self.fields.iter().collect();
        if values.len() != self.width {
            return Err(self.failed("it has another number of columns"));
        }
        let key = self
            .key_places
            .iter()
            .map(|place| values.get(*place).copied().flatten());
        let Some(key) = key.collect::<Option<Vec<&[u8]>>>() else {
            return Err(self.failed("its key holds a null"));
        };
        let mut tuple = Vec::with_capacity(line.len());
        for value in values.iter().take(self.plan.columns.len()) {
            push_column(&mut tuple, *value);
        }
        let row = OldRow {
            name: row_name(key.iter().copied()),
            tuple: tuple.into_boxed_slice(),
        };
        let bytes = self
            .bytes
            .saturating_add(row.name.len())
            .saturating_add(row.tuple.len());
        if bytes > self.limits.bytes && !self.rows.is_empty() {
            return Err(Stop::Full);
        }
        self.last.resize(key.len(), Vec::new());
        for (kept, value) in self.last.iter_mut().zip(&key) {
            kept.clear();
            kept.extend_from_slice(value);
        }
        self.bytes = bytes;
        self.rows.push(row);
        Ok(())
    }

    fn failed(&self, why: &str) -> Stop {
        let what = format!("cannot read a row of {}: {why}", self.plan.table);
        Stop::Failed(SourceError::Transient(what))
    }

    /// The rows, and the last one's key unless the table ended.
    fn end(self) -> Result<(Vec<OldRow>, Option<Cursor>), SourceError> {
        match self.stop {
            Some(Stop::Failed(error)) => return Err(error),
            Some(Stop::Full) => {}
            None => {
                let whole = self.lines.end();
                whole.map_err(|error| SourceError::Transient(format!("cannot read a chunk: {error}")))?;
                if self.rows.len() < self.limits.rows {
                    return Ok((self.rows, None));
                }
            }
        }
        let texts: Result<Vec<String>, _> = self.last.into_iter().map(String::from_utf8).collect();
        match texts {
            Ok(texts) => Ok((self.rows, Some(Cursor(texts)))),
            Err(_) => Err(halt(Finding::error(
                Cause::Surroundings,
                "backfill.key_not_utf8",
                format!("a key of the table {} is no UTF-8 text", self.plan.table),
            ))),
        }
    }
}
