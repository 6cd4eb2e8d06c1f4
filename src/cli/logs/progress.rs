//! How far old rows are told, for who watches a bridge: a bar on a terminal, a log line now and then elsewhere.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cli::LogFormat;
use crate::cli::logs::bar;
use crate::telemetry::{Age, Grouped, Progress, Status, Telling};

/// How often a bar is drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// How often a log line tells it.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// Letters of the bar itself.
const BAR_WIDTH: u64 = 20;
/// Where a terminal does not say how wide it is.
const WIDTH_DEFAULT: usize = 80;

/// Watches until it is dropped.
#[derive(Debug)]
pub(in crate::cli) struct Watch {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It shows; nothing hangs on it.
            drop(thread.join());
        }
        bar::hide();
    }
}

/// Begins to watch.
pub(in crate::cli) fn watch(status: Arc<Status>, format: LogFormat) -> io::Result<Watch> {
    let (end, ended) = mpsc::channel();
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let draws = format == LogFormat::Text && io::stderr().is_terminal() && !is_dumb;
    let every = if draws { DRAW_EVERY } else { LOG_EVERY };
    let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
        let mut next = Instant::now() + every;
        while ended.recv_timeout(next.saturating_duration_since(Instant::now())) == Err(RecvTimeoutError::Timeout) {
            next = Instant::now() + every;
            let all = status.progress();
            match at_work(&all) {
                one if draws => bar::show(&one.map_or_else(String::new, fitted)),
                Some(one) => log(one),
                None => {}
            }
        }
    })?;
    Ok(Watch {
        end: Some(end),
        thread: Some(thread),
    })
}

/// The one whose turn it is: the first, and others wait for it. One that is paused may be so for weeks: nobody watches that.
fn at_work(all: &[Progress]) -> Option<&Progress> {
    let is_at_work = |one: &&Progress| matches!(one.state, Telling::Telling | Telling::Reconciling);
    all.iter().find(is_at_work)
}

fn log(one: &Progress) {
    tracing::info!(
        entity = one.entity,
        generation = one.generation,
        rows = one.rows,
        about_rows = one.rows_estimate,
        about_rows_per_second = one.rows_per_second,
        about_seconds_left = one.seconds_left,
        "old rows: {}",
        one.state.word()
    );
}

/// As wide as the terminal is, less the column in which some put the cursor on the next line.
fn fitted(one: &Progress) -> String {
    let size = terminal_size::terminal_size_of(io::stderr());
    let width = size.map_or(WIDTH_DEFAULT, |(terminal_size::Width(width), _)| usize::from(width));
    line(one).chars().take(width.saturating_sub(1)).collect()
}

fn line(one: &Progress) -> String {
    let mut line = format!("{}: {}", one.entity, one.state.word());
    if one.state == Telling::Reconciling {
        return line + ", keys whose rows are gone are looked for";
    }
    if let Some(percent) = one.percent() {
        let full = usize::try_from(percent * BAR_WIDTH / 100).unwrap_or(0);
        let rest = usize::try_from(BAR_WIDTH).unwrap_or(0).saturating_sub(full);
        line.push_str(&format!(" [{}{}] {percent} %", "#".repeat(full), "-".repeat(rest)));
    }
    line.push_str(&format!(" {}", Grouped(one.rows)));
    match (one.rows_estimate, one.has_condition) {
        (Some(estimate), false) => line.push_str(&format!(" of about {} rows", Grouped(estimate))),
        (Some(_) | None, _) => line.push_str(" rows"),
    }
    if let Some(rate) = one.rows_per_second {
        line.push_str(&format!(", {}/s", Grouped(rate)));
    }
    if let Some(seconds) = one.seconds_left {
        line.push_str(&format!(", about {} left", Age::of(seconds)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_known_and_nothing_else() {
        let mut one = Progress {
            entity: "Order".to_owned(),
            generation: Some(1),
            state: Telling::Telling,
            rows: 9_000,
            rows_estimate: Some(20_000),
            has_condition: false,
            rows_per_second: Some(1_100),
            seconds_left: Some(10),
        };
        assert_eq!(
            line(&one),
            "Order: telling [#########-----------] 45 % 9,000 of about 20,000 rows, 1,100/s, about 10 s left"
        );
        (one.has_condition, one.seconds_left) = (true, None);
        assert_eq!(line(&one), "Order: telling 9,000 rows, 1,100/s");
        (one.has_condition, one.rows_estimate, one.rows_per_second) = (false, None, None);
        assert_eq!(line(&one), "Order: telling 9,000 rows");
        one.state = Telling::Reconciling;
        assert_eq!(
            line(&one),
            "Order: reconciling, keys whose rows are gone are looked for"
        );
    }

    #[test]
    fn only_what_is_at_work_is_watched() {
        let status = Status::new(crate::telemetry::Names::default());
        let account = |entity: &str, telling| crate::telemetry::Account {
            entity: entity.to_owned(),
            generation: 1,
            telling,
            rows: 1,
            rows_estimate: 2,
            share: crate::telemetry::Share::All,
        };
        for (first, second, expected) in [
            (Telling::Telling, Telling::Telling, Some("Order")),
            (Telling::Reconciling, Telling::Telling, Some("Order")),
            (Telling::Paused, Telling::Telling, Some("Quote")),
            (Telling::Complete, Telling::Cancelled, None),
            (Telling::NeverTold, Telling::Paused, None),
        ] {
            status.old_rows(vec![account("Order", first), account("Quote", second)]);
            let all = status.progress();
            assert_eq!(
                at_work(&all).map(|one| one.entity.as_str()),
                expected,
                "{first:?}, {second:?}"
            );
        }
    }
}
