//! The one place that retries: it begins again from the stored position, or says why it cannot.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};

use crate::bridge::BridgeError;
use crate::finding::{Cause, Finding};
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::telemetry::{State, Status};

/// First delay; it doubles, with jitter, so that bridges do not come back in step.
const DELAY_MIN: Duration = Duration::from_millis(100);
/// No delay is longer.
const DELAY_MAX: Duration = Duration::from_secs(5);
/// The least delay after an attempt that got nowhere with Kafka though a broker of it answers: the slot is free meanwhile, and
/// another bridge of this name that waits for it, and may get further, looks several times a second.
const GIVES_WAY: Duration = Duration::from_secs(2);
/// A fault that lasts longer, without any progress, is handed to the orchestrator.
const FAULT_MAX: Duration = Duration::from_secs(600);
/// `transaction.timeout.ms` after one that was too short: the broker's default limit.
const TRANSACTION_TIMEOUT_LONG_MS: u32 = 900_000;

/// An attempt that worked for so long had got over the fault before it, whether or not there was anything to carry.
const STEADY_MIN: Duration = Duration::from_secs(60);

/// A login that was good and is refused: whoever changes a password changes it in two places, one after the other, and a
/// mounted secret follows within a minute or two.
const ROTATION_MAX: Duration = Duration::from_secs(180);
/// What is said of a login meanwhile.
const ROTATED: [&str; 4] = [
    "source.password_refused",
    "source.password_unreadable",
    "kafka.login_refused",
    "kafka.secret_unreadable",
];

/// How long faults are borne.
#[derive(Clone, Copy, Debug)]
struct Patience {
    fault_max: Duration,
    steady_min: Duration,
    rotation_max: Duration,
    gives_way: Duration,
}

/// How a bridge ended.
#[derive(Debug)]
pub enum Outcome {
    /// Asked to stop, and stopped.
    Stopped,
    /// An operator must act.
    Halted(Box<Finding>),
    /// A transient fault outlasted its budget.
    GaveUp(String),
    /// Another bridge of this name took over.
    Fenced(String),
}

/// What a new attempt should do otherwise than the settings say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// A longer `transaction.timeout.ms`.
    pub transaction_timeout_ms: Option<u32>,
}

/// Runs `attempt` until it ends in a way that no new attempt can mend.
pub fn supervise(
    stop: &AtomicBool,
    status: &Status,
    attempt: impl FnMut(Attempt) -> Result<(), BridgeError>,
) -> Outcome {
    let patience = Patience {
        fault_max: FAULT_MAX,
        steady_min: STEADY_MIN,
        rotation_max: ROTATION_MAX,
        gives_way: GIVES_WAY,
    };
    supervise_for(patience, stop, status, attempt)
}

fn supervise_for(
    patience: Patience,
    stop: &AtomicBool,
    status: &Status,
    mut attempt: impl FnMut(Attempt) -> Result<(), BridgeError>,
) -> Outcome {
    let mut how = Attempt::default();
    let mut delays = delays();
    let mut good = Instant::now();
    // Whether a login of this process was good, and since when it is not.
    let (mut was_in, mut shut_out) = (false, None);
    let mut stored = status.stored_commits();
    loop {
        let begun = Instant::now();
        let ended = attempt(how);
        let moved = status.stored_commits() != stored;
        if moved {
            stored = status.stored_commits();
            delays = self::delays();
            how = Attempt::default();
        }
        let works = matches!(status.state(), State::Streaming | State::Waiting);
        // The budget is for a fault, and not for the quiet before it; one that comes back at once is still the same.
        if moved || works && begun.elapsed() >= patience.steady_min {
            good = Instant::now();
        }
        if moved || works {
            (was_in, shut_out) = (true, None);
        }
        let (reason, why) = match ended.map_err(Fault::of) {
            Ok(()) => return Outcome::Stopped,
            Err(Fault::Halt(finding))
                if was_in
                    && ROTATED.contains(&finding.code)
                    && shut_out.get_or_insert_with(Instant::now).elapsed() < patience.rotation_max =>
            {
                ("login", finding.what)
            }
            Err(Fault::Halt(finding)) => return Outcome::Halted(finding),
            Err(Fault::Fenced(nonce)) => return Outcome::Fenced(nonce),
            Err(_) if stop.load(Ordering::Relaxed) => return Outcome::Stopped,
            Err(Fault::Again) => continue,
            Err(Fault::RetryLonger(why)) if how.transaction_timeout_ms.is_some() => {
                return Outcome::Halted(Box::new(too_long(why)));
            }
            Err(Fault::Retry(reason, why)) => (reason, why),
            Err(Fault::RetryLonger(why)) => {
                how.transaction_timeout_ms = Some(TRANSACTION_TIMEOUT_LONG_MS);
                ("transaction_timeout", why)
            }
        };
        if good.elapsed() > patience.fault_max {
            return Outcome::GaveUp(why);
        }
        status.set_state(State::Retrying);
        status.restarted(reason, &why);
        let delay = delays.next().unwrap_or(DELAY_MAX);
        let delay = if reason == "sink" && !moved {
            delay.max(patience.gives_way)
        } else {
            delay
        };
        tracing::warn!(
            reason,
            why,
            delay_seconds = delay.as_secs_f64(),
            "begins again from the stored position"
        );
        if sleep(delay, stop) == Slept::Stopped {
            return Outcome::Stopped;
        }
    }
}

fn too_long(why: String) -> Finding {
    Finding::error(Cause::Surroundings, "kafka.transaction_too_long", why)
        .because("a source transaction is told in one Kafka transaction, so that readers see all of it or nothing")
        .repair("give the bridge and Kafka a faster link; then start again: nothing of it was published")
}

fn delays() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(DELAY_MIN)
        .with_max_delay(DELAY_MAX)
        .with_jitter()
        .without_max_times()
        .build()
        // Jitter is added to the delay, and may carry it above its limit.
        .map(|delay| delay.min(DELAY_MAX))
}

#[derive(PartialEq, Eq)]
enum Slept {
    Enough,
    Stopped,
}

fn sleep(delay: Duration, stop: &AtomicBool) -> Slept {
    let begun = Instant::now();
    while begun.elapsed() < delay {
        if stop.load(Ordering::Relaxed) {
            return Slept::Stopped;
        }
        std::thread::sleep(Duration::from_millis(20).min(delay));
    }
    Slept::Enough
}

/// What becomes of an error.
enum Fault {
    Again,
    Retry(&'static str, String),
    RetryLonger(String),
    Halt(Box<Finding>),
    Fenced(String),
}

impl Fault {
    fn of(error: BridgeError) -> Self {
        match error {
            BridgeError::Waited => Self::Again,
            BridgeError::Source(SourceError::Transient(why)) => Self::Retry("source", why),
            BridgeError::Sink(SinkError::Transient(why)) => Self::Retry("sink", why),
            BridgeError::Sink(SinkError::Overrun(why)) => Self::RetryLonger(why),
            BridgeError::Sink(SinkError::Fenced { nonce }) => Self::Fenced(nonce),
            BridgeError::Source(SourceError::Halt(finding))
            | BridgeError::Sink(SinkError::Halt(finding))
            | BridgeError::Halt(finding) => Self::Halt(finding),
            reshaped @ BridgeError::Reshaped { .. } => Self::Retry("table_changed", reshaped.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::table::TableName;
    use crate::telemetry::Names;

    const PATIENCE: Patience = Patience {
        fault_max: Duration::from_millis(150),
        steady_min: Duration::from_millis(200),
        rotation_max: Duration::from_millis(300),
        gives_way: Duration::ZERO,
    };

    fn transient() -> BridgeError {
        BridgeError::Sink(SinkError::Transient("no leader".to_owned()))
    }

    /// Supervises attempts that all fail, after `each` has said what they do; gives how it ended and how many there were.
    fn failing(mut each: impl FnMut(&Status, u64)) -> (Outcome, u64) {
        let (stop, status, mut attempts) = (AtomicBool::new(false), Status::new(Names::default()), 0);
        let outcome = supervise_for(PATIENCE, &stop, &status, |_| {
            attempts += 1;
            each(&status, attempts);
            if attempts == 4 {
                stop.store(true, Ordering::Relaxed);
            }
            Err(transient())
        });
        (outcome, attempts)
    }

    #[test]
    fn a_fault_that_comes_back_after_each_start_outlasts_the_budget() {
        let (outcome, attempts) = failing(|status, _| status.set_state(State::Streaming));
        assert!(matches!(outcome, Outcome::GaveUp(_)), "{outcome:?}");
        assert!(attempts > 1, "it is tried again first");
    }

    #[test]
    fn progress_and_steady_work_begin_a_new_budget() {
        let (outcome, attempts) = failing(|status, _| {
            let mut tally = status.tally();
            tally.seal(1);
            status.publish(&mut tally, 1);
        });
        assert!(matches!(outcome, Outcome::Stopped), "{outcome:?}");
        assert_eq!(attempts, 4);
        let (outcome, attempts) = failing(|status, _| {
            status.set_state(State::Waiting);
            std::thread::sleep(PATIENCE.steady_min);
        });
        assert!(matches!(outcome, Outcome::Stopped), "{outcome:?}");
        assert_eq!(attempts, 4);
    }

    /// How it ends where attempts fail with these errors, one after the other, and how each attempt was made.
    fn ended(errors: Vec<BridgeError>) -> (Outcome, Vec<Attempt>) {
        let (mut errors, mut made) = (errors.into_iter(), Vec::new());
        let status = Status::new(Names::default());
        let outcome = supervise(&AtomicBool::new(false), &status, |attempt| {
            made.push(attempt);
            errors.next().map_or(Ok(()), Err)
        });
        (outcome, made)
    }

    fn finding() -> Box<Finding> {
        Box::new(Finding::error(Cause::Surroundings, "test.halt", "cannot go on"))
    }

    #[test]
    fn what_passes_is_tried_again() {
        for error in [
            BridgeError::Waited,
            BridgeError::Source(SourceError::Transient("lost".to_owned())),
            BridgeError::Sink(SinkError::Transient("lost".to_owned())),
            BridgeError::Reshaped {
                table: TableName::new("public", "ord"),
                column: "c".to_owned(),
                formerly: None,
                type_oid: 25,
            },
        ] {
            let said = error.to_string();
            let (outcome, made) = ended(vec![error]);
            assert!(matches!(outcome, Outcome::Stopped), "{said}: {outcome:?}");
            assert_eq!(made, [Attempt::default(); 2], "{said}");
        }
    }

    #[test]
    fn what_an_operator_must_mend_ends_it() {
        for error in [
            BridgeError::Source(SourceError::Halt(finding())),
            BridgeError::Sink(SinkError::Halt(finding())),
            BridgeError::Halt(finding()),
        ] {
            let (outcome, made) = ended(vec![error]);
            assert!(
                matches!(&outcome, Outcome::Halted(of) if of.code == "test.halt"),
                "{outcome:?}"
            );
            assert_eq!(made.len(), 1);
        }
    }

    #[test]
    fn a_login_that_was_good_may_be_refused_for_a_moment() {
        let refused = || {
            let finding = Finding::error(Cause::Surroundings, "source.password_refused", "no");
            BridgeError::Source(SourceError::Halt(Box::new(finding)))
        };
        let patience = Patience {
            fault_max: Duration::from_secs(60),
            ..PATIENCE
        };
        // How many attempts there were where each login is refused, but for the first or none.
        let attempts = |was_in: bool| {
            let (stop, status, mut made) = (AtomicBool::new(false), Status::new(Names::default()), 0);
            let begun = Instant::now();
            let outcome = supervise_for(patience, &stop, &status, |_| {
                made += 1;
                if was_in && made == 1 {
                    status.set_state(State::Streaming);
                    return Err(transient());
                }
                // What an earlier process stored is no good login of this one.
                status.acknowledged(made);
                Err(refused())
            });
            assert!(
                matches!(&outcome, Outcome::Halted(of) if of.code == "source.password_refused"),
                "{outcome:?}"
            );
            (made, begun.elapsed() > patience.rotation_max)
        };
        assert_eq!(attempts(false), (1, false));
        let (made, waited) = attempts(true);
        assert!(made > 2 && waited, "{made}");
    }

    #[test]
    fn one_that_was_fenced_ends() {
        let nonce = "two".to_owned();
        let (outcome, made) = ended(vec![BridgeError::Sink(SinkError::Fenced { nonce })]);
        assert!(matches!(&outcome, Outcome::Fenced(by) if by == "two"), "{outcome:?}");
        assert_eq!(made.len(), 1);
    }

    #[test]
    fn a_transaction_that_ran_out_of_time_gets_more_once() {
        let overrun = || BridgeError::Sink(SinkError::Overrun("too slow".to_owned()));
        let longer = Attempt {
            transaction_timeout_ms: Some(TRANSACTION_TIMEOUT_LONG_MS),
        };
        let (outcome, made) = ended(vec![overrun()]);
        assert!(matches!(outcome, Outcome::Stopped), "{outcome:?}");
        assert_eq!(made, [Attempt::default(), longer]);
        let (outcome, made) = ended(vec![overrun(), overrun()]);
        assert!(
            matches!(&outcome, Outcome::Halted(of) if of.code == "kafka.transaction_too_long"),
            "{outcome:?}"
        );
        assert_eq!(made.len(), 2);
    }
}
