//! For people: an entity in a few tables that line up.

use crate::backfill::ledger::NeverTold;
use crate::cli::columns::{broken, lined_up};
use crate::cli::explain::{Ground, words};
use crate::config::Colour;
use crate::contract::Null;
use crate::flow::catalog::ColumnFacts;
use crate::flow::event::Holds;
use crate::mapping::entity::Entity;
use crate::mapping::explained::{Explained, ExplainedEvent, GivenBy, Old};
use crate::telemetry::Grouped;

const INDENT: &str = "  ";

/// All of it, line by line, none wider than `width` where that can be.
pub(super) fn lines(ground: &Ground<'_>, all: &[Explained<'_>], (width, colour): (usize, Colour)) -> Vec<String> {
    let mut lines = Vec::new();
    for one in all {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        entity(ground, one, (width, colour), &mut lines);
    }
    lines
}

/// Bold, and as it is at the end (<https://en.wikipedia.org/wiki/ANSI_escape_code#SGR>).
fn bold(line: String, colour: Colour) -> String {
    match colour {
        Colour::Yes => format!("\u{1b}[1m{line}\u{1b}[0m"),
        Colour::No => line,
    }
}

/// The same, paler.
fn pale(line: String, colour: Colour) -> String {
    match colour {
        Colour::Yes => format!("\u{1b}[2m{line}\u{1b}[0m"),
        Colour::No => line,
    }
}

fn entity(ground: &Ground<'_>, one: &Explained<'_>, (width, colour): (usize, Colour), lines: &mut Vec<String>) {
    let filter = one
        .entity
        .filter
        .as_ref()
        .map(|filter| format!(" where {}", filter.text));
    let title = format!(
        "{}: rows of {}{}",
        one.entity.name,
        one.table.name,
        filter.unwrap_or_default()
    );
    lines.extend(broken(&title, width).into_iter().map(|line| bold(line, colour)));
    let mut add = |rows: Vec<Vec<String>>| {
        if rows.len() > 1 {
            lines.push(String::new());
            let drawn = lined_up(&rows, &[], width.saturating_sub(INDENT.len()));
            let mut drawn = drawn.into_iter().map(|line| format!("{INDENT}{line}"));
            lines.extend(drawn.next().map(|titles| pale(titles, colour)));
            lines.extend(drawn);
        }
    };
    add(fields(one));
    add(topics(one));
    add(events(one));
    add(old(one.old.as_ref()));
    add(notes(ground, one));
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

fn fields(one: &Explained<'_>) -> Vec<Vec<String>> {
    let mut rows = vec![row(["FIELD", "COLUMN", "IN POSTGRESQL", "NULL", "PUBLISHED AS"])];
    for field in &one.fields {
        let joined = |text: &dyn Fn(&ColumnFacts) -> String| {
            field
                .columns
                .iter()
                .map(|column| text(column))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let null = if field.null == Null::Possible { "null" } else { "" };
        rows.push(vec![
            field.name.to_owned(),
            joined(&|column| column.name.clone()),
            joined(&|column| short(&column.type_text)),
            null.to_owned(),
            words::published(one.entity, field),
        ]);
    }
    rows
}

/// A type by the name that people use.
fn short(type_text: &str) -> String {
    let names = [
        ("character varying", "varchar"),
        ("character(", "char("),
        (" without time zone", ""),
        ("timestamp with time zone", "timestamptz"),
        ("time with time zone", "timetz"),
    ];
    names
        .iter()
        .fold(type_text.to_owned(), |text, (long, short)| text.replace(long, short))
}

fn topics(one: &Explained<'_>) -> Vec<Vec<String>> {
    let entity = one.entity;
    let key = words::key(entity);
    let by = match entity.partition_by.as_slice() {
        [] => "key".to_owned(),
        fields => fields
            .iter()
            .map(|field| field.text.clone())
            .collect::<Vec<_>>()
            .join(", "),
    };
    let mut rows = vec![row(["TOPIC", "KEY", "PARTITION BY", "HOLDS"])];
    let mut told: Vec<(&str, Holds, Vec<&str>)> = Vec::new();
    for (name, topic, holds) in entity.told() {
        match told.iter_mut().find(|(known, _, _)| *known == topic.text) {
            Some((_, _, names)) => names.push(name),
            None => told.push((&topic.text, holds, vec![name])),
        }
    }
    for (topic, holds, names) in told {
        let holds = match holds {
            Holds::States => format!("the current {} by key, a tombstone where it leaves", entity.name),
            Holds::Events => names.join(", "),
        };
        rows.push(vec![topic.to_owned(), key.clone(), by.clone(), holds]);
    }
    rows
}

fn events(one: &Explained<'_>) -> Vec<Vec<String>> {
    let mut rows = vec![row(["EVENT", "VERSION", "TOLD", ""])];
    for event in &one.events {
        let said = said(one.entity, event, one);
        for (number, (word, text)) in said.into_iter().enumerate() {
            let (name, version) = match number {
                0 => (event.contract.name.clone(), event.contract.version.to_string()),
                _ => (String::new(), String::new()),
            };
            rows.push(vec![name, version, word, text]);
        }
    }
    rows
}

fn said(entity: &Entity, event: &ExplainedEvent, one: &Explained<'_>) -> Vec<(String, String)> {
    let mut said: Vec<(String, String)> = Vec::new();
    for (on, evidence) in &event.on {
        said.push((words::of_move(*on).to_owned(), evidence.clone()));
    }
    if let Some(when) = &event.when {
        said.push(("and".to_owned(), when.clone()));
    }
    let looked_at = event.looked_at.join(", ");
    match (
        event.looked_at.is_empty(),
        event.looked_at.len() == event.old_columns.len(),
    ) {
        (true, true) => {}
        (false, true) => said.push(("rests on".to_owned(), format!("{looked_at} of the old row"))),
        (true, false) => said.push(("rests on".to_owned(), "the old row's columns of all fields".to_owned())),
        (false, false) => {
            let text = format!("{looked_at} of the old row, and its columns of all fields");
            said.push(("rests on".to_owned(), text));
        }
    }
    let data = words::data(&event.contract, &one.fields);
    if data != "all fields" {
        said.push(("says".to_owned(), data));
    }
    let declared = entity
        .events
        .iter()
        .find(|declared| declared.name == event.contract.name);
    for (name, expression) in declared.into_iter().flat_map(|declared| &declared.with) {
        said.push(("with".to_owned(), format!("{name} = {}", expression.text)));
    }
    said
}

fn old(old: Option<&Old<'_>>) -> Vec<Vec<String>> {
    let mut rows = vec![row(["OLD ROW", "NEEDED FOR"])];
    let Some(old) = old else { return rows };
    for (column, needs) in &old.columns {
        rows.push(vec![column.clone(), needs.join(", ")]);
    }
    rows.extend(given_by(old).into_iter().map(|text| vec!["given by".to_owned(), text]));
    rows
}

/// The identities: partitions that give all of it by the same word together, and each that does not by itself.
fn given_by(old: &Old<'_>) -> Vec<String> {
    let (lacking, whole): (Vec<_>, Vec<_>) = old.identities.iter().partition(|given| !given.missing.is_empty());
    let mut words: Vec<(&str, Vec<&GivenBy<'_>>)> = Vec::new();
    for given in whole {
        match words.iter_mut().find(|(known, _)| *known == given.words()) {
            Some((_, same)) => same.push(given),
            None => words.push((given.words(), vec![given])),
        }
    }
    let told = words.into_iter().map(|(words, same)| match same.as_slice() {
        [one] => format!("{words} of {}", one.table),
        several => format!(
            "{words} of {} partitions",
            Grouped(several.len().try_into().unwrap_or(u64::MAX))
        ),
    });
    let lacking = lacking.into_iter().map(|given| {
        let (words, table, missing) = (given.words(), given.table, given.missing.join(", "));
        format!(
            "{words} of {table} does not give {missing}: {}",
            table.full_identity_sql()
        )
    });
    told.chain(lacking).collect()
}

fn notes(ground: &Ground<'_>, one: &Explained<'_>) -> Vec<Vec<String>> {
    let mut rows = vec![row(["BESIDE THAT", ""])];
    rows.push(vec!["PostgreSQL".to_owned(), words::sent(ground, &one.table.name)]);
    if let Some(unknown) = words::unknown_old(one) {
        rows.push(vec!["on_unknown_old".to_owned(), unknown]);
    }
    let count = match one.table.rows_estimate {
        0 => "rows that nobody counted yet (ANALYZE)".to_owned(),
        rows => format!("about {} rows in the table", Grouped(rows)),
    };
    let told = match (&one.state, ground.config.backfill.on_start) {
        (None, _) => "are not told: there is no state topic",
        (Some(_), NeverTold::Tell) => "are told as states at the first start",
        (Some(_), NeverTold::Leave) => "are told when a backfill is asked for",
    };
    rows.push(vec!["old rows".to_owned(), format!("{told}; {count}")]);
    rows
}
