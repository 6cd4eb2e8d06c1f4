//! Who stands in the way of a statement that waits.

use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::sql::{Sql, get, halt};

/// Names those whose transactions are open longest.
pub(in crate::source::postgres) fn blocked(sql: &mut Sql, code: &'static str, statement: &str) -> SourceError {
    let query = "SELECT 'process ' || pid || ' of ' || coalesce(usename::text, '?') || ' in ' || \
         coalesce(datname::text, '?') || ' since ' || \
         extract(epoch FROM clock_timestamp() - xact_start)::int8 || ' s' FROM pg_stat_activity \
         WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type <> 'walsender' \
         ORDER BY xact_start LIMIT 5";
    let prepared = "SELECT 'prepared transaction ' || gid || ' of ' || owner::text || ' in ' || database::text || ' since ' || \
         extract(epoch FROM clock_timestamp() - prepared)::int8 || ' s' FROM pg_prepared_xacts ORDER BY prepared LIMIT 5";
    let mut who: Vec<String> = Vec::new();
    for question in [query, prepared] {
        if let Ok(rows) = sql.ask(question, &[]) {
            who.extend(rows.iter().filter_map(|row| get::<String>(row, 0).ok()));
        }
    }
    let verb: Vec<&str> = statement.split_whitespace().take(3).collect();
    let what = match code {
        "source.slot_blocked" => "the slot cannot be made while transactions are open".to_owned(),
        _ => format!("{} waits for a lock", verb.join(" ")),
    };
    halt(
        Finding::error(Cause::Surroundings, code, what)
            .because(format!(
                "open transactions: {}",
                if who.is_empty() {
                    "none seen".to_owned()
                } else {
                    who.join(", ")
                }
            ))
            .repair("wait for them to end (or end them), then run it again; nothing is half done"),
    )
}
