//! Changes as they are committed, through a slot that ends with the connection: nothing is kept, nothing is moved.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::backfill::ledger::NeverTold;
use crate::backfill::sweep::{Found, Sweep};
use crate::bridge::orders;
use crate::bridge::{self, Accept, BridgeError, Old, Works};
use crate::cli::preview::document::{Named, document};
use crate::cli::say::complain;
use crate::cli::{nonce, prepare, run, stopping};
use crate::config::{self, Config};
use crate::encoding::Encoder;
use crate::finding::{Cause, Finding, Severity};
use crate::flow::catalog::Catalog;
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::flow::record::Records;
use crate::sink::{Progress, Sink, SinkError};
use crate::source::postgres::preflight::{Surroundings, preflight};
use crate::source::postgres::setup::{self, Present};
use crate::source::postgres::sql::{Sql, quote};
use crate::source::postgres::{Beginning, Postgres};
use crate::telemetry::Status;

/// Prints until it is enough.
struct Documents<'a> {
    named: Named<'a>,
    left: Option<u64>,
    stop: &'a AtomicBool,
    durable: Lsn,
}

impl Sink for Documents<'_> {
    fn recover(&mut self) -> Result<Option<Checkpoint>, SinkError> {
        Ok(None)
    }

    fn open(&mut self, checkpoint: &mut Checkpoint) -> Result<(), SinkError> {
        self.durable = checkpoint.commit_end_lsn;
        Ok(())
    }

    fn append(&mut self, mut records: Records) -> Result<Records, SinkError> {
        for span in &records.spans {
            if self.left == Some(0) {
                break;
            }
            let written = writeln!(std::io::stdout(), "{}", document(&records, span, self.named));
            // Whoever read has gone away, as `| head` does.
            self.left = written.map_or(Some(0), |()| self.left.map(|left| left.saturating_sub(1)));
        }
        if self.left == Some(0) {
            self.stop.store(true, Ordering::Relaxed);
        }
        records.clear();
        Ok(records)
    }

    fn commit(&mut self, checkpoint: &Checkpoint) -> Result<(), SinkError> {
        self.durable = checkpoint.commit_end_lsn;
        Ok(())
    }

    fn sweep(&mut self, _: &Sweep<'_>) -> Result<Option<Found>, SinkError> {
        Ok(Some(Found::default()))
    }

    fn progress(&mut self) -> Result<Progress, SinkError> {
        Ok(Progress {
            durable_lsn: self.durable,
            commits_in_flight: 0,
            settling: false,
        })
    }
}

/// A publication of our own, dropped at the end.
struct Lent {
    sql: Sql,
    name: String,
}

impl Drop for Lent {
    fn drop(&mut self) {
        for name in [self.name.clone(), format!("{}_inserts", self.name)] {
            let drop = format!("DROP PUBLICATION IF EXISTS {}", quote::ident(&name));
            if self.sql.run(&drop).is_err() {
                complain!("cannot drop what was made for this preview; run: {drop};");
            }
        }
    }
}

/// Follows changes until `limit` records are printed, or SIGINT.
///
/// # Errors
/// Whatever ends it otherwise.
pub(super) fn follow(mut config: Config, administrator: Option<&str>, limit: Option<u64>) -> Result<(), BridgeError> {
    let passing = format!("walbridge_preview_{}", nonce());
    config.source.slot.clone_from(&passing);
    let Surroundings { catalog, findings, .. } = preflight(&config.source)?;
    let prepared = prepare::prepare(&config, &catalog).map_err(run::first_error)?;
    let lent = lend(&mut config, &catalog, (findings, administrator, passing))?;
    let stop = Arc::new(AtomicBool::new(false));
    stopping::on_signal(Arc::clone(&stop), || ()).map_err(|error| {
        let what = format!("cannot wait for signals: {error}");
        BridgeError::Halt(Box::new(Finding::error(Cause::Surroundings, "run.signals", what)))
    })?;
    let (_desk, requests) = orders::channel();
    let status = Status::new(run::names(&config));
    let mapping = &prepared.mapping;
    let mut source = Postgres::new(config.source.clone()).beginning(Beginning::Passing);
    let mut sink = Documents {
        named: Named {
            topics: &mapping.topics,
            kinds: &mapping.kinds,
        },
        left: limit,
        stop: &stop,
        durable: Lsn::INVALID,
    };
    let works = Works {
        mapping,
        encoder: &mut Encoder::new(&mapping.kinds, &prepare::encoding(&config)),
        old: Old {
            targets: &[],
            never_told: NeverTold::Leave,
            requests: &requests,
            on_gone: config.backfill.on_gone,
            markers: config.backfill.markers,
            may_select: &|_, _| Ok(()),
            limits: config.backfill.limits,
            readers: 1,
            settle: Duration::ZERO,
        },
        fingerprint: &config::fingerprint(&config),
        declared: &config::declarations(&config),
        accept: Accept::Yes,
        stop: &stop,
        status: &status,
    };
    let ended = bridge::run(&mut source, &mut sink, works);
    // A publication that somebody reads by can be dropped all the same, but not before the reader is gone.
    drop(source);
    drop(lent);
    ended
}

/// The config's own publication, or one that is made for this and dropped again.
fn lend(
    config: &mut Config,
    catalog: &Catalog,
    (findings, administrator, name): (Vec<Finding>, Option<&str>, String),
) -> Result<Option<Lent>, BridgeError> {
    let publishes = |finding: &Finding| finding.code.starts_with("source.publication");
    let missing = findings
        .into_iter()
        .find(|f| f.severity == Severity::Error && publishes(f));
    let Some(missing) = missing else {
        return Ok(None);
    };
    let Some(url) = administrator else {
        let why = "changes are sent for a publication; a preview makes one of its own where it may";
        let repair = "walbridge preview -c FILE --live --as postgresql://ADMINISTRATOR@HOST/DATABASE, or \
                      first: walbridge setup --apply -c FILE";
        return Err(BridgeError::Halt(Box::new(missing.because(why).repair(repair))));
    };
    let sql = Sql::connect_as(url, &config.source.login.trust)?;
    config.source.publication.clone_from(&name);
    let planned = setup::publications(&config.source, catalog, &Present::default());
    let changes = planned.map_err(run::first_error)?;
    let mut lent = Lent { sql, name };
    for change in &changes {
        lent.sql.run(&change.statement)?;
    }
    Ok(Some(lent))
}
