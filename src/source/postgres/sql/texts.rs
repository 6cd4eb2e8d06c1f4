//! Questions by the simple protocol, whose answers are texts as the stream sends them.

use std::time::Duration;

use tokio_postgres::SimpleQueryMessage;

use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::sql::{Refusal, Sql, halt};

/// Of each row, of each column, NULL or its text.
pub type Texts = Vec<Vec<Option<String>>>;

/// `character_not_in_repertoire` (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
const NO_TEXT: &str = "22021";

impl Sql {
    /// Asks, and gives the server's own error back with its SQLSTATE; an empty one where it does not answer in time.
    pub(in crate::source::postgres) fn texts(&mut self, sql: &str, limit: Duration) -> Result<Texts, Refusal> {
        let answer = self
            .runtime
            .block_on(async { tokio::time::timeout(limit, self.client.simple_query(sql)).await });
        let messages = match answer {
            Ok(Ok(messages)) => messages,
            Ok(Err(error)) => return Err(Refusal::of(&error)),
            Err(_) => return Err(Refusal::silent()),
        };
        let mut rows = Vec::new();
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                let values = (0..row.len()).map(|at| Ok(row.try_get(at)?.map(str::to_owned)));
                rows.push(values.collect::<Result<_, _>>().map_err(|error| unreadable(&error))?);
            }
        }
        Ok(rows)
    }
}

/// A value that is no text of ours, as a database without an encoding may hold.
fn unreadable(error: &tokio_postgres::Error) -> Refusal {
    let what = format!("an answer of PostgreSQL is no UTF-8 text: {error}");
    let finding = Finding::error(Cause::Surroundings, "source.answer_not_utf8", what);
    let error: SourceError = halt(finding.repair("UPDATE the value, or name another key"));
    Refusal {
        state: NO_TEXT.to_owned(),
        error,
    }
}
