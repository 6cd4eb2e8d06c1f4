//! `walbridge run`: carries changes until it is asked to stop.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use clap::Args;

use crate::backfill::target::Target;
use crate::bridge;
use crate::bridge::orders::{self, Requests};
use crate::bridge::supervise::{Attempt, Outcome, supervise};
use crate::bridge::{Accept, BridgeError, MaySelect, Old, Works};
use crate::cli::logs::progress;
use crate::cli::retyped::LogTypes;
use crate::cli::{ConfigFile, Exit, LogFormat, findings, nonce, prepare, stopping};
use crate::config::{self, Config, Loaded, SinkChoice, Sources};
use crate::encoding::Encoder;
use crate::finding::{Cause, Finding, Severity};
use crate::flow::position::Lsn;
use crate::http::{self, Door};
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::{self, Kafka, Stop};
use crate::sink::stdout::Lines;
use crate::source::SourceError;
use crate::source::postgres::catalog::Retyped;
use crate::source::postgres::preflight::{Surroundings, preflight};
use crate::source::postgres::settings::Create;
use crate::source::postgres::slot::SlotFacts;
use crate::source::postgres::watch::Watched;
use crate::source::postgres::{self, Beginning, Guarded, Postgres};
use crate::telemetry::{KindNames, Names, Status};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Go on although the key of an entity changed in a topic that goes on
    #[arg(long)]
    accept: bool,
}

/// Runs, and says how it ended.
pub(super) fn run(arguments: &Arguments, format: LogFormat) -> Exit {
    let Loaded {
        config,
        warnings,
        sources,
    } = match config::load(&arguments.file.config) {
        Ok(loaded) => loaded,
        Err(invalid) => return findings::refuse(&invalid),
    };
    for warning in &warnings {
        tracing::warn!(code = warning.code, "{}", warning.what);
    }
    let status = Arc::new(Status::new(names(&config)));
    let (desk, requests) = orders::channel();
    let served = http::serve(
        config.http.listen,
        Arc::clone(&status),
        config.http.ready_lag_seconds_max,
        Door {
            desk,
            token: config.http.token.clone(),
        },
    );
    let server = match served {
        Ok(server) => server,
        Err(error) => return findings::halt(&unlistened(&config, &error), &sources, format),
    };
    tracing::info!(bridge = config.name, version = env!("CARGO_PKG_VERSION"), http = %server.address(), "starts");
    let stop = Arc::new(AtomicBool::new(false));
    let worker = Worker {
        config,
        status: Arc::clone(&status),
        stop: Arc::clone(&stop),
        waits: Arc::default(),
        requests,
        accept: if arguments.accept { Accept::Yes } else { Accept::No },
        look: Once::new(),
        ended: Arc::default(),
    };
    let waits = Arc::clone(&worker.waits);
    let give_up = move || {
        if let Some(stop) = &*waits.lock().unwrap_or_else(PoisonError::into_inner) {
            stop.stop();
        }
    };
    if let Err(error) = stopping::on_signal(Arc::clone(&stop), give_up) {
        let what = Finding::error(
            Cause::Surroundings,
            "run.signals",
            format!("cannot wait for signals: {error}"),
        );
        return findings::halt(&what, &sources, format);
    }
    // Without a thread for it nobody sees how far old rows are; the rows are told all the same.
    let watched = progress::watch(Arc::clone(&status), format);
    let spawned = std::thread::Builder::new()
        .name("bridge".to_owned())
        .spawn(move || worker.work());
    let ended = spawned.map(|thread| stopping::wait(thread, &stop));
    // What is printed from here on stands by itself.
    drop(watched);
    match ended {
        Ok(ended) => exit(ended, &status, (&sources, format)),
        Err(error) => {
            let what = Finding::error(
                Cause::Surroundings,
                "run.thread",
                format!("cannot start a thread: {error}"),
            );
            findings::halt(&what, &sources, format)
        }
    }
}

/// Says how it ended; none: it did not stop in time, and is left as after a crash.
fn exit(
    ended: Option<std::thread::Result<Outcome>>,
    status: &Status,
    (sources, format): (&Sources, LogFormat),
) -> Exit {
    match ended {
        None => {
            tracing::warn!("stopped without waiting for Kafka any longer: what was open is dropped, as after a crash");
            Exit::Done
        }
        Some(Ok(Outcome::Stopped)) => {
            tracing::info!("stopped");
            Exit::Done
        }
        Some(Ok(Outcome::Halted(finding))) => {
            status.halted(&finding.what);
            findings::halt(&finding, sources, format)
        }
        Some(Ok(Outcome::GaveUp(why))) => {
            tracing::error!(why, "a transient fault lasted too long");
            Exit::GaveUp
        }
        Some(Ok(Outcome::Fenced(nonce))) => {
            tracing::error!(nonce, "another bridge of this name took over");
            Exit::Fenced
        }
        Some(Err(_)) => {
            let what = Finding::error(Cause::Surroundings, "run.panic", "the bridge panicked")
                .because("nothing of the open transaction is published; the position is what it was")
                .repair("start it again, and report this with the lines above");
            findings::halt(&what, sources, format)
        }
    }
}

fn unlistened(config: &Config, error: &std::io::Error) -> Finding {
    let what = format!("cannot listen on {}: {error}", config.http.listen);
    Finding::error(Cause::Surroundings, "http.listen", what).repair("name a free address in `listen` of [http]")
}

/// What is counted.
pub(super) fn names(config: &Config) -> Names {
    let mut names = Names {
        bridge: config.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Names::default()
    };
    for entity in &config.entities {
        names.entities.push(entity.name.clone());
        for (event, topic, _) in entity.told() {
            let known = names.topics.iter().position(|known| *known == topic.text);
            let number = known.unwrap_or_else(|| {
                names.topics.push(topic.text.clone());
                names.topics.len() - 1
            });
            names.kinds.push(KindNames {
                entity: entity.name.clone(),
                event: event.to_owned(),
                topic: number,
            });
        }
    }
    names
}

/// What the bridge's thread needs.
struct Worker {
    config: Config,
    status: Arc<Status>,
    stop: Arc<AtomicBool>,
    /// Ends the waits of the sink that is at work.
    waits: Arc<Mutex<Option<Stop>>>,
    /// What operators ask.
    requests: Requests,
    /// What an operator has decided.
    accept: Accept,
    /// Topics are looked at once.
    look: Once,
    /// Whether it has; held by whoever logs beside it, so that why it ended is the last that is said.
    ended: Arc<Mutex<bool>>,
}

impl Worker {
    fn work(self) -> Outcome {
        let nonce = nonce();
        let source = Postgres::new(self.config.source.clone());
        let mut source = source.beginning(match self.config.sink {
            SinkChoice::Kafka => Beginning::Proven,
            SinkChoice::Stdout => Beginning::AtSlot,
        });
        let mut types = LogTypes::default();
        let mut warned: Vec<Finding> = Vec::new();
        let outcome = supervise(&self.stop, &self.status, |attempt| {
            let ended = self.attempt(attempt, &nonce, (&mut source, &mut types), &mut warned);
            // Also while this one pauses: another bridge of this name may get further.
            source.let_go();
            if let Err(BridgeError::Reshaped {
                table,
                column,
                formerly,
                type_oid,
            }) = &ended
            {
                let column = Retyped {
                    table: table.clone(),
                    column: column.clone(),
                    formerly: formerly.clone(),
                    type_oid: *type_oid,
                };
                types
                    .learn(column, Lsn(self.status.durable_lsn()))
                    .map_err(BridgeError::Halt)?;
            }
            ended
        });
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        outcome
    }

    fn attempt(
        &self,
        attempt: Attempt,
        nonce: &str,
        (source, types): (&mut Postgres, &mut LogTypes),
        warned: &mut Vec<Finding>,
    ) -> Result<(), BridgeError> {
        let config = &self.config;
        let Surroundings {
            mut catalog,
            slot,
            publications,
            findings: found,
        } = preflight(&config.source)?;
        // Known also where the attempt gets no further.
        slot.iter().for_each(|slot| self.show(slot));
        let server = slot.as_ref().map_or(Lsn::INVALID, |slot| slot.server_lsn);
        let altered = types.apply(&config.source, &mut catalog, (Lsn(self.status.durable_lsn()), server))?;
        let prepared = prepare::prepare(config, &catalog).map_err(|findings| {
            let is_of_log = !altered.is_empty();
            let explain = |finding| if is_of_log { types.explain(finding) } else { finding };
            first_error(findings.into_iter().map(explain).collect())
        })?;
        warn_once(found.iter().chain(&prepared.findings), warned);
        if config.sink == SinkChoice::Kafka && found.iter().any(prepare::may_be_lost) {
            compare(config, &prepared.kafka)?;
        }
        let forbidding = found.into_iter().filter(|finding| forbids(finding, config));
        let hidden = prepare::hidden(&prepared.mapping, &publications);
        if let Some(finding) = forbidding.chain(hidden).next() {
            return Err(BridgeError::Halt(Box::new(finding)));
        }
        let mut kafka = prepared.kafka;
        if let Some(timeout) = attempt.transaction_timeout_ms {
            kafka.transaction_timeout_ms = timeout;
        }
        let mapping = &prepared.mapping;
        let fingerprint = config::fingerprint(config);
        let (mut targets, refused) = prepare::targets(config, mapping, &catalog);
        if !refused.is_empty() {
            return Err(first_error(refused));
        }
        // Rows are read as they are now, and the mapping is compiled for how they were: their turn comes when the stream
        // has passed the change, and the source begins anew.
        targets.retain(|target| !altered.contains(&target.shape.name));
        let may_select = |entity: &str, only: &str| prepare::may_select(config, &catalog, (entity, only));
        let works = Works {
            mapping,
            old: self.old(&targets, &may_select),
            encoder: &mut Encoder::new(&mapping.kinds, &prepare::encoding(config)),
            fingerprint: &fingerprint,
            declared: &config::declarations(config),
            accept: self.accept,
            stop: &self.stop,
            status: &self.status,
        };
        let status = Arc::clone(&self.status);
        let on_look = move |seen: &Watched| {
            status.server(seen.server_lsn.0, seen.retained_bytes, seen.safe_bytes);
        };
        let mut source = Guarded::new(source, config.source.clone(), Arc::new(on_look)).until(types.until());
        match config.sink {
            SinkChoice::Kafka => {
                let ended = Arc::clone(&self.ended);
                self.look.call_once(|| warn_of_topics(kafka.clone(), ended));
                let mut sink = Kafka::new(kafka, nonce.to_owned())?;
                *self.waits.lock().unwrap_or_else(PoisonError::into_inner) = Some(sink.stopper());
                bridge::run(&mut source, &mut sink, works)
            }
            SinkChoice::Stdout => {
                let topics = mapping.topics.iter().map(|topic| topic.name.clone()).collect();
                bridge::run(&mut source, &mut Lines::stdout(topics, nonce.to_owned()), works)
            }
        }
    }
}

impl Worker {
    /// What is told of old rows.
    fn old<'a>(&'a self, targets: &'a [Target], may_select: &'a MaySelect<'a>) -> Old<'a> {
        let said = &self.config.backfill;
        Old {
            targets,
            never_told: said.on_start,
            requests: &self.requests,
            on_gone: said.on_gone,
            markers: said.markers,
            may_select,
            limits: said.limits,
            readers: said.readers,
            settle: SETTLE,
        }
    }

    fn show(&self, slot: &SlotFacts) {
        self.status.acknowledged(slot.confirmed_flush.unwrap_or(Lsn::INVALID).0);
        self.status
            .server(slot.server_lsn.0, slot.retained_bytes(), slot.safe_bytes);
    }
}

/// Logs what may be lost in topics as they are made: found beside the start, which need not wait for it. What keeps the bridge
/// from writing, it finds itself.
fn warn_of_topics(settings: Settings, ended: Arc<Mutex<bool>>) {
    let look = move || {
        let found = kafka::preflight(&settings);
        // To see the properties is a right that a bridge need not have; of partitions the start itself says what is news.
        let passed = ["kafka.topics_unknown", "kafka.partitions_differ"];
        let said = found.iter().filter(|finding| !passed.contains(&finding.code));
        let ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !*ended {
            warn_once(said, &mut Vec::new());
        }
    };
    drop(std::thread::spawn(look));
}

/// Warnings that no attempt of this process has logged yet.
fn warn_once<'f>(found: impl Iterator<Item = &'f Finding>, warned: &mut Vec<Finding>) {
    for finding in found.filter(|finding| finding.severity == Severity::Warning) {
        if !warned.contains(finding) {
            tracing::warn!(code = finding.code, repair = finding.repair, "{}", finding.what);
            warned.push(finding.clone());
        }
    }
}

/// Between the start and the first old rows: see [`Old::settle`].
const SETTLE: Duration = Duration::from_secs(2);

/// Errors of the surroundings that the start itself neither mends nor says better.
fn forbids(finding: &Finding, config: &Config) -> bool {
    // The proof of the position says what a missing slot means for the data; walsenders come and go.
    let said_later = ["source.slot_missing", "source.wal_senders_exhausted"];
    let made = ["source.publication_missing", "source.publication_lacks_table"];
    let makes = config.source.create == Create::OnFirstStart;
    finding.severity == Severity::Error
        && !said_later.contains(&finding.code)
        && !(makes && made.contains(&finding.code))
}

/// Where something is missing, a position that rests on it says what that means. It is read beside whoever may be at
/// work, and fences nobody: the slot is not ours yet.
fn compare(config: &Config, kafka: &Settings) -> Result<(), BridgeError> {
    if let Some(stored) = kafka::read_position(kafka)? {
        postgres::compare(&config.source, Some(stored))?;
    }
    Ok(())
}

/// The first error of findings that keep a bridge from starting.
pub(super) fn first_error(refused: Vec<Finding>) -> BridgeError {
    let error = refused.into_iter().find(|finding| finding.severity == Severity::Error);
    match error {
        Some(finding) => BridgeError::Halt(Box::new(finding)),
        None => BridgeError::Source(SourceError::Transient("cannot compile the mapping".to_owned())),
    }
}
