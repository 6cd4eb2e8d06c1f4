//! The SQL of `migrations/`, filled in.

use std::collections::BTreeSet;

use crate::source::postgres::publication;
use crate::source::postgres::settings::Settings;
use crate::source::postgres::sql::quote;

const ROLE: &str = include_str!("../../../../migrations/01_role.sql");
const ROLE_DOWN: &str = include_str!("../../../../migrations/01_role.down.sql");
/// The publication's template.
pub(super) const PUBLICATION: &str = include_str!("../../../../migrations/02_publication.sql");
const PUBLICATION_DOWN: &str = include_str!("../../../../migrations/02_publication.down.sql");
/// The slot's template.
pub(super) const SLOT: &str = include_str!("../../../../migrations/03_slot.sql");
const SLOT_DOWN: &str = include_str!("../../../../migrations/03_slot.down.sql");

/// Fills a template in one pass, so that a name that looks like a placeholder stays a name.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let value = after.split_once('}').and_then(|(key, tail)| {
            values
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| (value, tail))
        });
        if let Some((value, tail)) = value {
            out.push_str(value);
            rest = tail;
        } else {
            out.push('{');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// A template's one statement, without its comments.
pub(super) fn statement(template: &str, values: &[(&str, String)]) -> String {
    let bare: Vec<&str> = template.lines().filter(|line| !line.starts_with("--")).collect();
    fill(&bare.join("\n"), values).trim().to_owned()
}

fn role_values(settings: &Settings) -> Vec<(&'static str, String)> {
    let schemas: BTreeSet<&str> = settings.tables.iter().map(|one| one.name.schema.as_str()).collect();
    let tables: Vec<String> = settings.tables.iter().map(|one| one.name.quoted()).collect();
    vec![
        ("role", quote::ident(&settings.login.user)),
        ("role_text", quote::literal(&settings.login.user)),
        ("database", quote::ident(&settings.login.database)),
        (
            "schemas",
            schemas.into_iter().map(quote::ident).collect::<Vec<_>>().join(", "),
        ),
        ("tables", tables.join(", ")),
    ]
}

/// The role and its rights, for a database administrator to read and run.
pub fn grants_sql(settings: &Settings) -> String {
    fill(ROLE, &role_values(settings))
}

/// The way back of everything, in its order: slot, publications, role.
pub fn removal_sql(settings: &Settings) -> String {
    let mut out = fill(SLOT_DOWN, &[("slot", quote::literal(&settings.slot))]);
    for name in [publication::inserts_name(settings), settings.publication.clone()] {
        out.push_str(&statement(PUBLICATION_DOWN, &[("publication", quote::ident(&name))]));
        out.push('\n');
    }
    out.push_str(&fill(ROLE_DOWN, &role_values(settings)));
    out
}
