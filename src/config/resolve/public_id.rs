//! `[public_id.…]`: opaque ids, and the fields that are told by them.

use std::sync::Arc;

use crate::config::file::report::Report;
use crate::config::file::{Node, Section};
use crate::finding::{Cause, Finding, Place, nearest_or_list};
use crate::mapping::entity::Entity;
use crate::mapping::public_id::{PublicId, Spelling};

use super::checks::spot;
use super::entity::is_name;

/// A digest with a key of fewer bytes is weaker than its ids look.
const SECRET_BYTES_MIN: usize = 16;

/// A kind of ids, also one with errors.
#[derive(Debug)]
pub(super) struct Declared {
    name: String,
    place: Place,
    id: Option<Arc<PublicId>>,
}

/// Every kind of a file, in its order.
pub(super) fn public_ids(mut section: Section<'_>, report: &mut Report<'_>) -> Vec<Declared> {
    let mut found = Vec::new();
    for (name, node) in section.rest() {
        if !is_name(name) {
            let what = format!("{} must be a letter, then letters, digits and _", node.path());
            report.push(node.error("config.value", what).at(node.key_place()));
        }
        let Some(section) = node.table(report) else { continue };
        found.push(Declared {
            name: name.to_owned(),
            place: node.key_place(),
            id: public_id(name, section, report).map(Arc::new),
        });
    }
    found
}

fn public_id(name: &str, mut section: Section<'_>, report: &mut Report<'_>) -> Option<PublicId> {
    let secret = section.need("secret", "secret = { env = \"WALBRIDGE_ID_KEY\" }");
    let secret = secret.and_then(|node| read(&node, report));
    let form = section.need("form", "form = \"cus_{base32:20}\"");
    let form = form.and_then(|node| spelling(&node, report));
    section.finish(report);
    PublicId::new(name, &secret?, form?)
}

/// The secret itself, where this load reads it.
fn read(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    let revealed = node.secret_of_ids(report)?;
    let secret = revealed.expose();
    let repair = "one of 32 bytes: openssl rand -base64 32";
    if secret.len() < SECRET_BYTES_MIN {
        let what = format!("the secret of {} has fewer than {SECRET_BYTES_MIN} bytes", node.path());
        report.push(
            node.warning("config.short_secret", what)
                .because("whoever sees an id and knows its column's text can try secrets until one fits")
                .repair(repair),
        );
    }
    Some(secret.to_owned())
}

fn spelling(node: &Node<'_>, report: &mut Report<'_>) -> Option<Spelling> {
    let form = node.text(report)?;
    match Spelling::parse(&form) {
        Ok(spelling) => Some(spelling),
        Err(problem) => {
            let place = if problem.part.is_empty() {
                node.place()
            } else {
                node.part(&problem.part)
            };
            let finding = node.error("config.public_id", format!("{} {}", node.path(), problem.says));
            report.push(finding.at(place).repair(problem.repair));
            None
        }
    }
}

/// Gives each field the ids that it names.
pub(super) fn join(entities: &mut [Entity], ids: &[Declared], report: &mut Report<'_>) {
    for (number, one) in ids.iter().enumerate() {
        if let Some(first) = ids.iter().take(number).find(|first| first.name == one.name) {
            let what = format!(
                "public_id {} is declared twice: here and at {}",
                one.name,
                spot(&first.place)
            );
            let finding = Finding::error(Cause::Config, "config.duplicate", what);
            report.push(finding.at(one.place.clone()).repair("give one of them another name"));
        }
    }
    let known: Vec<&str> = ids.iter().map(|one| one.name.as_str()).collect();
    for field in entities.iter_mut().flat_map(|entity| &mut entity.fields) {
        let Some(of) = &mut field.public_id else { continue };
        match ids.iter().find(|one| one.name == of.name.text) {
            Some(one) => of.id.clone_from(&one.id),
            None => {
                let what = format!("{} names public_id {}, which is not declared", field.name, of.name.text);
                let repair = if known.is_empty() {
                    let name = &of.name.text;
                    format!("[public_id.{name}]\nsecret = {{ env = \"WALBRIDGE_ID_KEY\" }}\nform = \"{{base32:20}}\"")
                } else {
                    nearest_or_list(&of.name.text, &known)
                };
                let finding = Finding::error(Cause::Config, "config.unknown_public_id", what);
                report.push(finding.at(of.name.place.clone()).repair(repair));
            }
        }
    }
}
