//! Several things in one table: what an entity of each would be, for a person to decide.

use std::fmt::Write as _;

use crate::cli::init::guess::Guess;
use crate::cli::init::guess::words::{identifier, parts};
use crate::cli::init::survey::Surveyed;
use crate::cli::init::write::names::free;
use crate::cli::init::write::toml::{quoted, remark};
use crate::flow::catalog::SqlType;

/// How a table may be split by `where`, each part without the rows that are deleted.
pub(super) fn several(of: &Surveyed, name: &str, table: &str) -> String {
    let Some(kinds) = &of.kinds else {
        return String::new();
    };
    let column = remark(&kinds.column);
    let mut text = if kinds.told_by.is_empty() {
        format!("# decide: few values are in {column}; where rows of each are another thing, an entity for each,")
    } else {
        let told_by = remark(&kinds.told_by.join(", "));
        format!(
            "# guess: several things in one table, told apart by {column}: only some of them have {told_by}.\n\
             # decide: an entity for each,"
        )
    };
    text.push_str(" in place of the one below, with its key, fields\n# and events, and names and topics of its own:\n");
    let is_number = of.facts.columns.iter().any(|column| {
        column.name == kinds.column && matches!(column.sql_type, SqlType::Int2 | SqlType::Int4 | SqlType::Int8)
    });
    let alive: Vec<&str> = of.guesses.iter().filter_map(Guess::alive).collect();
    for (value, word) in kinds.values.iter().zip(words(&kinds.values)) {
        let literal = match is_number {
            true => value.clone(),
            false => format!("'{}'", value.replace('\'', "''")),
        };
        let is = format!("{} = {literal}", identifier(&kinds.column));
        let all: Vec<&str> = std::iter::once(is.as_str()).chain(alive.iter().copied()).collect();
        _ = writeln!(
            text,
            "# [entity.{name}{word}]\n# table = {table}\n# where = {}",
            quoted(&all.join(" and "))
        );
    }
    text
}

/// A word for each value, as it may end an entity's name: short ones are letters, longer ones words.
fn words(values: &[String]) -> Vec<String> {
    let mut used: Vec<String> = Vec::new();
    for value in values {
        let spelt = parts(value).concat();
        let word = match spelt.len() {
            0 => "Other".to_owned(),
            1..=3 => spelt.to_ascii_uppercase(),
            _ => parts(value).iter().map(|part| capital(part)).collect(),
        };
        used.push(free(&word, "", |name| used.iter().any(|other| other == name)));
    }
    used
}

fn capital(part: &str) -> String {
    let (first, rest) = part.split_at_checked(1).unwrap_or_default();
    format!("{}{rest}", first.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_a_word_of_its_own() {
        let of = |values: &[&str]| words(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["P", "FA", "10"]), ["P", "FA", "10"]);
        assert_eq!(of(&["PRIVAT", "sub-order", "Größe"]), ["Privat", "SubOrder", "Groesse"]);
        assert_eq!(of(&["a", "A", "!", "\u{5e97}"]), ["A", "A2", "Other", "Other2"]);
    }
}
