//! Findings on a terminal, in a log, and for machines.

use std::io::IsTerminal as _;

use jiff::Timestamp;
use serde_json::Value;

use crate::cli::say::{complain, say};
use crate::cli::{Exit, LogFormat};
use crate::config::{Colour, Invalid, Sources, render};
use crate::finding::{Cause, Finding, Severity};

/// Prints findings to stderr, each with its place.
pub(super) fn print(findings: &[Finding], sources: &Sources) {
    let colour = if std::io::stderr().is_terminal() {
        Colour::Yes
    } else {
        Colour::No
    };
    for finding in findings {
        complain!("{}\n", render(finding, sources, colour));
    }
}

/// The same to stdout, for `check`.
pub(super) fn print_to_stdout(findings: &[Finding], sources: &Sources) {
    let colour = if std::io::stdout().is_terminal() {
        Colour::Yes
    } else {
        Colour::No
    };
    for finding in findings {
        say!("{}\n", render(finding, sources, colour));
    }
}

/// Says why a config may not be used.
pub(super) fn refuse(invalid: &Invalid) -> Exit {
    print(&invalid.findings, &invalid.sources);
    complain!("{invalid}");
    Exit::Config
}

/// Says why the bridge halted; the finding's own sentence is the last line.
pub(super) fn halt(finding: &Finding, sources: &Sources, format: LogFormat) -> Exit {
    match format {
        LogFormat::Text => {
            let colour = if std::io::stderr().is_terminal() {
                Colour::Yes
            } else {
                Colour::No
            };
            complain!("\n{}\n", render(finding, sources, colour));
            complain!("{}", line(finding));
        }
        LogFormat::Json => complain!("{}", logged(finding)),
    }
    match finding.cause {
        Cause::Config => Exit::Config,
        Cause::Surroundings => Exit::Halted,
    }
}

/// A finding as the last line of a log, with what every line of it has.
fn logged(finding: &Finding) -> Value {
    let mut document = finding.document();
    if let Value::Object(of) = &mut document {
        of.insert("timestamp".to_owned(), Timestamp::now().to_string().into());
        of.insert("level".to_owned(), "ERROR".into());
        of.insert("message".to_owned(), finding.what.clone().into());
    }
    document
}

/// Says why a command did nothing: in place and words for people, as a document for machines.
pub(super) fn fail(finding: &Finding, format: LogFormat) -> Exit {
    match format {
        LogFormat::Text => complain!("{finding}"),
        LogFormat::Json => complain!("{}", finding.document()),
    }
    exit(std::slice::from_ref(finding))
}

/// A finding on one line.
pub(super) fn line(finding: &Finding) -> String {
    let repair = finding
        .repair
        .as_ref()
        .map(|repair| format!("; hint: {repair}"))
        .unwrap_or_default();
    format!("halted: {} [{}]{repair}", finding.what, finding.code)
}

/// How many findings there are of a severity.
pub(super) fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

/// The exit code for findings: the config's errors come before those of the surroundings.
pub(super) fn exit(findings: &[Finding]) -> Exit {
    let error = |cause| {
        findings
            .iter()
            .any(|f| f.severity == Severity::Error && f.cause == cause)
    };
    if error(Cause::Config) {
        Exit::Config
    } else if error(Cause::Surroundings) {
        Exit::Halted
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_log_has_what_every_line_has() {
        let finding = Finding::error(Cause::Surroundings, "test.halt", "cannot go on").repair("mend it");
        let line = logged(&finding);
        assert_eq!((&line["level"], &line["message"]), (&"ERROR".into(), &line["what"]));
        assert_eq!(
            (&line["code"], &line["repair"]),
            (&"test.halt".into(), &"mend it".into())
        );
        assert!(
            line["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok(),
            "{line}"
        );
    }
}
