//! What ends a stream, sorted.

use crate::finding::{Cause, Finding};
use crate::flow::position::Lsn;
use crate::flow::table::TableName;
use crate::source::SourceError;
use crate::source::postgres::connect::wire;
use crate::source::postgres::sql::{halt, refusal};

/// A stream that makes no sense: nothing of it is believed, and another connection may tell better.
pub(super) fn nonsense(what: impl std::fmt::Display) -> SourceError {
    SourceError::Transient(format!("cannot read the stream: {what}"))
}

/// Sorts what ends a stream. What the slot or the publications have to do with it, the next attempt finds out; only
/// what is decoded with the catalogue as it was would come again and again.
pub(super) fn sort(refused: &wire::Refused) -> SourceError {
    if refused.state == "42704" {
        return halt(
            Finding::error(
                Cause::Surroundings,
                "source.publication_missing",
                format!("PostgreSQL cannot decode the next change: {}", refused.message),
            )
            .because("the publication did not exist when the change was made, whether or not it does now")
            .repair("walbridge recover -c FILE"),
        );
    }
    if matches!(refused.state.as_str(), "22021" | "22P05") {
        // The server's own words quote the bytes.
        let what = format!(
            "a text in the next change cannot be told in UTF-8 (SQLSTATE {})",
            refused.state
        );
        return halt(
            Finding::error(Cause::Surroundings, "row.not_utf8", what)
                .because("the server cannot convert it from the encoding of its database")
                .repair("correct such rows, then: walbridge recover -c FILE"),
        );
    }
    match refusal(&refused.state, &refused.message) {
        SourceError::Halt(finding) if finding.code == "source.statement_refused" => SourceError::Transient(format!(
            "PostgreSQL refused: {} (SQLSTATE {})",
            refused.message, refused.state
        )),
        other @ (SourceError::Halt(_) | SourceError::Transient(_)) => other,
    }
}

/// A message larger than is allowed; the table where it is a row change of a known one.
pub(super) fn oversized(table: Option<&TableName>, bytes: usize, bytes_max: usize, seen_lsn: Lsn) -> SourceError {
    let place = table.map_or_else(
        || "what the server sends".to_owned(),
        |table| format!("a row change of {table}"),
    );
    halt(
        Finding::error(
            Cause::Surroundings,
            "row.too_large",
            format!("{place} takes {bytes} bytes, more than the {bytes_max} that are allowed"),
        )
        .because(format!("it is in a transaction that ends after {seen_lsn}"))
        .repair(format!(
            "row_bytes_max = \"{bytes}B\" or more in [limits], where memory allows it"
        )),
    )
}
