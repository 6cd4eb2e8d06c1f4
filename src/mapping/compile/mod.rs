//! Entities held against the catalogue: a mapping that can run, or every finding at once.

mod events;
mod exposed;
mod fields;
mod former;
mod names;
pub(super) mod old;
mod syntax;

pub use syntax::syntax;

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::finding::{Cause, Finding, Place, Severity};
use crate::flow::catalog::{Catalog, SqlType, TableFacts, TableKind};
use crate::flow::event::{EventKind, Holds, KindId, Topic, TopicId};
use crate::mapping::compile::names::{Asked, ColumnNames, unknown};
use crate::mapping::entity::{Entity, Located};
use crate::mapping::expression::{Expression, ExpressionError, Names};
use crate::mapping::plan::{InIdentity, Mapping, Plan, PlanColumn, Slot, Told, Vital};

/// A mapping that can run, and what is worth saying of it.
#[derive(Debug)]
pub struct Compiled {
    /// The mapping.
    pub mapping: Mapping,
    /// Warnings and notes.
    pub findings: Vec<Finding>,
}

/// Compiles all entities.
///
/// # Errors
/// All findings, where one of them is an error.
pub fn compile(entities: &[Entity], catalog: &Catalog) -> Result<Compiled, Vec<Finding>> {
    let compiled = compile_what_fits(entities, catalog);
    if compiled.findings.iter().any(|f| f.severity == Severity::Error) {
        return Err(compiled.findings);
    }
    Ok(compiled)
}

/// Compiles the entities that can be, to look at them: with errors among the findings it is no mapping to run.
pub fn compile_what_fits(entities: &[Entity], catalog: &Catalog) -> Compiled {
    let mut out = Out {
        findings: Vec::new(),
        kinds: Vec::new(),
        topics: Vec::new(),
    };
    let mut plans = Vec::new();
    let mut by_table: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    let mut type_oids = BTreeMap::new();
    for entity in entities {
        let Some(table) = find_table(entity, catalog, &mut out) else {
            continue;
        };
        let own = table;
        let table = &*former::both_names(own, &entity.formerly);
        let types: &mut BTreeMap<_, _> = type_oids.entry(table.name.clone()).or_default();
        types.extend(table.columns.iter().map(|c| (c.name.clone(), c.type_oid)));
        if let Some(plan) = plan(entity, (own, table), catalog, &mut out) {
            by_table.entry(table.name.clone()).or_default().push(plans.len());
            plans.push(plan);
        }
    }
    let mapping = Mapping {
        kinds: out.kinds,
        topics: out.topics,
        plans,
        by_table,
        type_oids,
    };
    Compiled {
        mapping,
        findings: out.findings,
    }
}

/// What compiling gathers over all entities.
struct Out {
    findings: Vec<Finding>,
    kinds: Vec<EventKind>,
    topics: Vec<Topic>,
}

impl Out {
    fn error(&mut self, code: &'static str, place: &Place, what: String) {
        self.findings
            .push(Finding::error(Cause::Config, code, what).at(place.clone()));
    }

    fn topic(&mut self, name: &str, holds: Holds) -> TopicId {
        let number = self.topics.iter().position(|t| t.name == name).unwrap_or_else(|| {
            self.topics.push(Topic {
                name: name.to_owned(),
                holds,
            });
            self.topics.len() - 1
        });
        TopicId(u16::try_from(number).unwrap_or(u16::MAX))
    }

    fn kind(&mut self, kind: EventKind) -> KindId {
        self.kinds.push(kind);
        KindId(u16::try_from(self.kinds.len() - 1).unwrap_or(u16::MAX))
    }

    /// Compiles an expression; its errors and warnings become findings at its place.
    fn expression(&mut self, text: &Located, names: &dyn Names, ctype: &str) -> Option<Expression> {
        match Expression::compile(&text.text, names, ctype) {
            Ok(expression) => {
                for warning in expression.warnings() {
                    let finding = Finding::warning(Cause::Config, "mapping.nullable_comparison", &warning.message);
                    self.findings.push(with_hint(finding, warning, text));
                }
                Some(expression)
            }
            Err(error) => {
                let finding = Finding::error(Cause::Config, "mapping.expression", &error.message);
                self.findings.push(with_hint(finding, &error, text));
                None
            }
        }
    }

    /// The same, where the expression is to be a condition.
    fn condition(&mut self, text: &Located, names: &dyn Names, ctype: &str) -> Option<Expression> {
        let expression = self.expression(text, names, ctype)?;
        if *expression.sql_type() != SqlType::Bool {
            self.error(
                "mapping.condition",
                &text.place,
                format!("`{}` is no condition: it is not boolean", text.text),
            );
            return None;
        }
        Some(expression)
    }
}

/// A finding at the part of an expression that is meant (the place of a string begins with its quote).
fn with_hint(finding: Finding, error: &ExpressionError, text: &Located) -> Finding {
    let mut place = text.place.clone();
    let start = place.span.start + 1 + error.span.start;
    let end = place.span.start + 1 + error.span.end;
    if place.span.len() == text.text.len() + 2 && end <= place.span.end && start < end {
        place.span = start..end;
    }
    let finding = finding.at(place);
    match &error.hint {
        Some(hint) => finding.repair(hint.clone()),
        None => finding,
    }
}

fn find_table<'c>(entity: &Entity, catalog: &'c Catalog, out: &mut Out) -> Option<&'c TableFacts> {
    let Some(table) = catalog.tables.get(&entity.table) else {
        let mapped: Vec<String> = catalog.tables.keys().map(ToString::to_string).collect();
        let what = match catalog.nearest.get(&entity.table) {
            Some(near) => format!("unknown table \"{}\"; the nearest is \"{near}\"", entity.table),
            None => unknown("table", &entity.table.to_string(), mapped.iter().map(String::as_str)),
        };
        let finding = Finding::error(Cause::Config, "mapping.unknown_table", what).at(entity.table_place.clone());
        let repair = "correct the name (schema.table); where the table was renamed, its new one";
        out.findings.push(finding.repair(repair));
        return None;
    };
    if table.kind == TableKind::Unpublishable {
        let what = format!(
            "{} is no table whose changes are in the log (a view, foreign, unlogged or temporary)",
            table.name
        );
        let finding = Finding::error(Cause::Config, "mapping.unpublishable", what);
        let logged = format!("ALTER TABLE {} SET LOGGED;", table.name.quoted());
        out.findings.push(finding.at(entity.table_place.clone()).repair(format!(
            "name an ordinary table; an unlogged one becomes one by: {logged}"
        )));
        return None;
    }
    Some(table)
}

/// `own`: the table as it is; `table`: with both names of columns that have two.
fn plan(entity: &Entity, (own, table): (&TableFacts, &TableFacts), catalog: &Catalog, out: &mut Out) -> Option<Plan> {
    let asked = RefCell::new(Asked::default());
    let names = ColumnNames { table, asked: &asked };
    let filter = match &entity.filter {
        Some(text) => out.condition(text, &names, &catalog.ctype).map(Some),
        None => Some(None),
    };
    let filter_columns = asked.borrow().columns.len();
    // Both are looked at before either ends it: all findings at once.
    let fields = fields::compile(entity, table, catalog, &asked, out);
    let (filter, fields) = (filter?, fields?);
    let key = fields::numbers(&entity.key, &fields);
    let partition_by = fields::numbers(&entity.partition_by, &fields);
    let state = entity.state_topic.as_ref().map(|topic| {
        let topic = out.topic(&topic.text, Holds::States);
        let kind = out.kind(EventKind {
            name: entity.name.clone(),
            entity: entity.name.clone(),
            version: 1,
            topic,
            fields: fields.iter().map(|f| f.name.clone()).collect(),
            key: entity.key.iter().map(|k| k.text.clone()).collect(),
            partition_by: entity.partition_by.iter().map(|k| k.text.clone()).collect(),
        });
        Told {
            kind,
            fields: (0..fields.len()).collect(),
        }
    });
    let mut plan = Plan {
        entity: entity.name.clone(),
        place: entity.place.clone(),
        columns: Vec::new(),
        slots: Vec::new(),
        filter,
        filter_columns,
        fields,
        key,
        partition_by,
        state,
        events: Vec::new(),
        on_unknown_old: entity.on_unknown_old,
        follows_old: old::follows(entity),
        vital: Vital::default(),
        old_rows: old::rows(table),
    };
    plan.columns = columns(&asked, table, entity);
    plan.events = events::compile(
        entity,
        &plan,
        &events::Ground {
            table,
            catalog,
            asked: &asked,
        },
        out,
    )?;
    plan.columns = columns(&asked, table, entity);
    former::check(entity, own, &asked.borrow(), out);
    plan.slots = asked.into_inner().slots;
    for slot in &plan.slots {
        if let Slot::Field(side, number) = slot
            && let Some(field) = plan.fields.get_mut(*number)
        {
            field.compared.push(*side);
        }
    }
    plan.vital = old::vital(entity, &plan);
    old::check(entity, &plan, table, out);
    Some(plan)
}

fn columns(asked: &RefCell<Asked>, table: &TableFacts, entity: &Entity) -> Vec<PlanColumn> {
    let known = old::identity_columns(table);
    let column = |name: &String| PlanColumn {
        name: name.clone(),
        formerly: former::of(entity, name),
        in_identity: if known.contains(name) {
            InIdentity::Yes
        } else {
            InIdentity::No
        },
    };
    asked.borrow().columns.iter().map(column).collect()
}
