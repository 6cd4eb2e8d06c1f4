//! Fields held against the catalogue: each has a column or an expression, and a published form.

use std::cell::RefCell;

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Catalog, ColumnFacts, Generated, Nullable, TableFacts};
use crate::mapping::compile::names::{Asked, ColumnNames, unknown};
use crate::mapping::compile::{Out, exposed};
use crate::mapping::entity::{Entity, Field, Located, OnUnknown, Source};
use crate::mapping::expression::Expression;
use crate::mapping::form::{Form, is_formless};
use crate::mapping::plan::{FieldSource, PlanField, Slot, Watched};

/// Compiles all fields of an entity; none where one has an error.
pub(super) fn compile(
    entity: &Entity,
    table: &TableFacts,
    catalog: &Catalog,
    asked: &RefCell<Asked>,
    out: &mut Out,
) -> Option<Vec<PlanField>> {
    let ground = Ground {
        entity,
        table,
        catalog,
        asked,
    };
    let compiled: Vec<Option<PlanField>> = entity.fields.iter().map(|field| ground.field(field, out)).collect();
    let fields: Option<Vec<PlanField>> = compiled.into_iter().collect();
    ground.unique_key(fields.as_ref()?, out);
    fields
}

/// Numbers of the named fields; names that are none were refused when the config was read.
pub(super) fn numbers(names: &[Located], fields: &[PlanField]) -> Vec<usize> {
    names
        .iter()
        .filter_map(|name| fields.iter().position(|f| f.name == name.text))
        .collect()
}

struct Ground<'a> {
    entity: &'a Entity,
    table: &'a TableFacts,
    catalog: &'a Catalog,
    asked: &'a RefCell<Asked>,
}

impl Ground<'_> {
    fn field(&self, field: &Field, out: &mut Out) -> Option<PlanField> {
        let watched = if self.entity.ignore.iter().any(|i| i.text == field.name) {
            Watched::No
        } else {
            Watched::Yes
        };
        let (from, form, nullable) = match &field.from {
            Source::Text(text) if self.table.column(&text.text).is_none() => self.expression(field, text, out)?,
            Source::Text(text) | Source::Column(text) => self.column(field, text, out)?,
        };
        Some(PlanField {
            name: field.name.clone(),
            place: field.place.clone(),
            from,
            form,
            nullable,
            watched,
            compared: Vec::new(),
        })
    }

    fn column(&self, field: &Field, text: &Located, out: &mut Out) -> Option<(FieldSource, Form, Nullable)> {
        let Some(facts) = self.table.column(&text.text) else {
            let what = unknown("column", &text.text, self.table.columns.iter().map(|c| c.name.as_str()));
            let what = format!("{what} of {}", self.table.name);
            out.findings.push(
                Finding::error(Cause::Config, "mapping.unknown_column", what)
                    .at(text.place.clone())
                    .repair(format!(
                        "correct the name; where the column was renamed: its new name here, and in [entity.{}] \
                         formerly = {{ NEW_NAME = {:?} }}",
                        self.entity.name, text.text
                    )),
            );
            return None;
        };
        if facts.generated == Generated::Yes {
            let what = format!(
                "column \"{}\" of {} is generated: its values are not in the log",
                facts.name, self.table.name
            );
            out.error("mapping.generated", &text.place, what);
            return None;
        }
        match Form::compile(field, facts) {
            Ok(form) => {
                if !form.uncovered().is_empty() && field.on_unknown == OnUnknown::Halt {
                    let what = format!(
                        "codes of {}.{} do not cover what the column allows: {}",
                        self.entity.name,
                        field.name,
                        form.uncovered().join(", ")
                    );
                    out.findings.push(
                        Finding::warning(Cause::Config, "mapping.codes_uncovered", what)
                            .at(field.place.clone())
                            .because("a row with such a code halts the bridge")
                            .repair("list them, or say on_unknown = \"null\" or \"raw\""),
                    );
                }
                out.findings.extend(self.told_as_text(field, facts));
                out.findings.extend(exposed::field(self.entity, field, facts));
                let number = self.asked.borrow_mut().column(&facts.name);
                Some((FieldSource::Column(number), form, facts.nullable))
            }
            Err(problem) => {
                let finding = Finding::error(Cause::Config, "mapping.form", problem.message).at(field.place.clone());
                out.findings.push(match problem.hint {
                    Some(hint) => finding.repair(hint),
                    None => finding,
                });
                None
            }
        }
    }

    /// A type without a form of its own, where the field names none either.
    fn told_as_text(&self, field: &Field, facts: &ColumnFacts) -> Option<Finding> {
        let named = field.codes.is_some() || field.parse.is_some() || field.published_as.is_some();
        (is_formless(&facts.sql_type) && !named).then(|| {
            let what = format!(
                "{}.{} is published as PostgreSQL writes it: {} has no form of its own",
                self.entity.name, field.name, facts.type_text
            );
            Finding::note(Cause::Config, "mapping.as_text", what).at(field.place.clone())
        })
    }

    fn expression(&self, field: &Field, text: &Located, out: &mut Out) -> Option<(FieldSource, Form, Nullable)> {
        let names = ColumnNames {
            table: self.table,
            asked: self.asked,
        };
        let expression = out.expression(text, &names, &self.catalog.ctype)?;
        match Form::compile_result(field, expression.sql_type()) {
            Ok(form) => {
                let columns = self.columns_of(&expression);
                let asked = self.asked.borrow();
                let names: Vec<String> = columns
                    .iter()
                    .filter_map(|at| asked.columns.get(*at))
                    .cloned()
                    .collect();
                out.findings
                    .extend(exposed::expression(self.entity, field, (self.table, &names)));
                let nullable = expression.nullable();
                Some((FieldSource::Expression(expression, columns), form, nullable))
            }
            Err(problem) => {
                out.error("mapping.form", &field.place, problem.message);
                None
            }
        }
    }

    fn columns_of(&self, expression: &Expression) -> Vec<usize> {
        let asked = self.asked.borrow();
        let slot = |number: &u16| match asked.slots.get(usize::from(*number)) {
            Some(Slot::Here(column)) => Some(*column),
            Some(Slot::Column(..) | Slot::Field(..)) | None => None,
        };
        expression.slots().iter().filter_map(slot).collect()
    }

    /// A state topic holds one state a key: the table must prove that its key is unique and not null.
    fn unique_key(&self, fields: &[PlanField], out: &mut Out) {
        if self.entity.state_topic.is_none() {
            return;
        }
        let asked = self.asked.borrow();
        let columns: Vec<&String> = numbers(&self.entity.key, fields)
            .into_iter()
            .filter_map(|number| fields.get(number))
            .flat_map(|field| field.from.columns())
            .filter_map(|column| asked.columns.get(*column))
            .collect();
        let not_null = |name: &String| self.table.column(name).is_some_and(|c| c.nullable == Nullable::No);
        let proven = self
            .table
            .uniques
            .iter()
            .any(|u| u.columns.iter().all(|c| columns.contains(&c)));
        if proven && columns.iter().all(|name| not_null(name)) {
            return;
        }
        let list = columns
            .iter()
            .map(|c| format!("\"{c}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let what = format!(
            "the key of {} is not proven unique and not null by {}",
            self.entity.name, self.table.name
        );
        out.findings.push(
            Finding::error(Cause::Config, "mapping.key_not_unique", what)
                .at(self
                    .entity
                    .key
                    .first()
                    .map_or_else(|| self.entity.place.clone(), |k| k.place.clone()))
                .because("two rows would overwrite each other in the state topic")
                .repair(format!(
                    "choose a key with a unique index over NOT NULL columns, or add one over ({list})"
                )),
        );
    }
}
