//! A mapping laid open: what is published of each entity, and what every part of it rests on.

mod contracts;

use crate::contract::shape::Shape;
use crate::contract::{Contract, Null};
use crate::flow::catalog::{Catalog, ColumnFacts, Identity, TableFacts};
use crate::flow::table::{ReplicaIdentity, TableName};
use crate::mapping::compile::old::{Need, identities, needs};
use crate::mapping::entity::{Entity, Move};
use crate::mapping::explained::contracts::null;
use crate::mapping::plan::{FieldSource, FollowsOld, Mapping, Plan, Watched};

/// An entity, laid open.
#[derive(Clone, Debug)]
pub struct Explained<'a> {
    /// As declared.
    pub entity: &'a Entity,
    /// Its table.
    pub table: &'a TableFacts,
    /// Its fields, in order.
    pub fields: Vec<ExplainedField<'a>>,
    /// The state, where it has one.
    pub state: Option<Contract>,
    /// Its events, in order.
    pub events: Vec<ExplainedEvent>,
    /// What is needed of the old row; none: only rows that come are told.
    pub old: Option<Old<'a>>,
}

/// A field.
#[derive(Clone, Debug)]
pub struct ExplainedField<'a> {
    /// Its published name.
    pub name: &'a str,
    /// Which JSON it is.
    pub shape: Shape,
    /// Whether it may be null.
    pub null: Null,
    /// Columns that it is made of.
    pub columns: Vec<&'a ColumnFacts>,
    /// Whether it is a column as it is, but for its form.
    pub made: Made,
    /// Whether a change of it alone is a change.
    pub changes: Changes,
}

/// Of what a field is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// A column.
    OfColumn,
    /// An expression.
    ByExpression,
}

/// Whether a change of a field alone is a change of the entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// It is.
    Told,
    /// `ignore` names it.
    Ignored,
}

/// An event with the evidence that it rests on.
#[derive(Clone, Debug)]
pub struct ExplainedEvent {
    /// What it promises.
    pub contract: Contract,
    /// The moves on which it is told, each with the changes of a row that are one.
    pub on: Vec<(Move, String)>,
    /// The condition over that.
    pub when: Option<String>,
    /// Columns of the old row without which it could not be told.
    pub old_columns: Vec<String>,
    /// Those among them that are looked at for more than whether a field differs.
    pub looked_at: Vec<String>,
}

/// What is needed of the old row.
#[derive(Clone, Debug)]
pub struct Old<'a> {
    /// Columns, in the order in which the mapping names them, each with what it is needed for.
    pub columns: Vec<(String, Vec<String>)>,
    /// The table's identity, or that of each of its leaves.
    pub identities: Vec<GivenBy<'a>>,
}

/// What an identity gives of an old row.
#[derive(Clone, Debug)]
pub struct GivenBy<'a> {
    /// The table or leaf.
    pub table: &'a TableName,
    /// Its identity.
    pub identity: &'a Identity,
    /// Columns that it does not give, and are needed.
    pub missing: Vec<String>,
}

impl GivenBy<'_> {
    /// In PostgreSQL's words.
    pub fn words(&self) -> &'static str {
        match self.identity.kind {
            ReplicaIdentity::Default => "REPLICA IDENTITY DEFAULT",
            ReplicaIdentity::Nothing => "REPLICA IDENTITY NOTHING",
            ReplicaIdentity::Full => "REPLICA IDENTITY FULL",
            ReplicaIdentity::Index => "REPLICA IDENTITY USING INDEX",
        }
    }
}

impl Mapping {
    /// The entities that this mapping was compiled of, in their order.
    pub fn explained<'a>(&'a self, entities: &'a [Entity], catalog: &'a Catalog) -> Vec<Explained<'a>> {
        let declared = |plan: &Plan| entities.iter().find(|entity| entity.name == plan.entity);
        let of_plan = |plan: &'a Plan| {
            let entity = declared(plan)?;
            Some(self.explain(plan, entity, catalog.tables.get(&entity.table)?))
        };
        self.plans.iter().filter_map(of_plan).collect()
    }

    fn explain<'a>(&self, plan: &'a Plan, entity: &'a Entity, table: &'a TableFacts) -> Explained<'a> {
        let mut contracts = self.contracts_of(plan).into_iter();
        let state = plan.state.as_ref().and_then(|_| contracts.next());
        let needs = needs(entity, plan);
        let events = contracts
            .zip(&entity.events)
            .enumerate()
            .map(|(number, (contract, declared))| ExplainedEvent {
                contract,
                on: declared
                    .on
                    .iter()
                    .map(|on| (*on, evidence(plan, entity, *on)))
                    .collect(),
                when: declared.when.as_ref().map(|when| when.text.clone()),
                old_columns: names(plan, &needs, |need| is_for(need, number, &declared.on)),
                looked_at: names(plan, &needs, |need| {
                    need != Need::Changes && is_for(need, number, &declared.on)
                }),
            });
        let events = events.collect();
        Explained {
            entity,
            table,
            fields: fields(plan, table),
            state,
            events,
            old: (plan.follows_old == FollowsOld::Yes).then(|| old(plan, entity, (table, &needs))),
        }
    }
}

/// Whether an event on these moves could not be told without what this is needed for.
fn is_for(need: Need, number: usize, on: &[Move]) -> bool {
    match need {
        Need::Filter => true,
        // A change of the key is a leave and an enter.
        Need::Key | Need::PartitionBy => on != [Move::Enters],
        Need::Changes => on.contains(&Move::Changes),
        Need::Event(of) => of == number,
    }
}

/// Names of the columns that are needed for one of these, each once.
fn names(plan: &Plan, needs: &[(usize, Need)], is_meant: impl Fn(Need) -> bool) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (column, need) in needs {
        if let Some(column) = plan.columns.get(*column)
            && is_meant(*need)
            && !found.contains(&column.name)
        {
            found.push(column.name.clone());
        }
    }
    found
}

/// Which changes of a row are this move.
fn evidence(plan: &Plan, entity: &Entity, on: Move) -> String {
    let filtered = entity.filter.is_some();
    let text = match on {
        Move::Enters if plan.follows_old == FollowsOld::No => "a row is inserted",
        Move::Enters if filtered => "a row is inserted, changed into `where`, or given another key",
        Move::Enters => "a row is inserted, or given another key",
        Move::Changes if entity.ignore.is_empty() => "a field of it differs",
        Move::Changes => "a field of it differs that is not ignored",
        Move::Leaves if filtered => "a row is deleted, changed out of `where`, or given another key",
        Move::Leaves => "a row is deleted, or given another key",
    };
    text.to_owned()
}

fn fields<'a>(plan: &'a Plan, table: &'a TableFacts) -> Vec<ExplainedField<'a>> {
    let column = |number: &usize| {
        let column = plan.columns.get(*number)?;
        let former = column.formerly.as_deref().and_then(|former| table.column(former));
        table.column(&column.name).or(former)
    };
    let field = plan.fields.iter().map(|field| ExplainedField {
        name: &field.name,
        shape: field.form.shape(),
        null: null(field.nullable, &field.form),
        columns: field.from.columns().iter().filter_map(column).collect(),
        made: match field.from {
            FieldSource::Column(_) => Made::OfColumn,
            FieldSource::Expression(..) => Made::ByExpression,
        },
        changes: match field.watched {
            Watched::Yes => Changes::Told,
            Watched::No => Changes::Ignored,
        },
    });
    field.collect()
}

fn old<'a>(plan: &Plan, entity: &Entity, (table, needs): (&'a TableFacts, &[(usize, Need)])) -> Old<'a> {
    let every = names(plan, needs, |_| true);
    let word = |need: Need| match need {
        Need::Filter => "where".to_owned(),
        Need::Key => "key".to_owned(),
        Need::PartitionBy => "partition_by".to_owned(),
        Need::Changes => "what differs".to_owned(),
        Need::Event(number) => entity
            .events
            .get(number)
            .map_or_else(String::new, |event| event.name.clone()),
    };
    let reasons = |name: &String| {
        let mut found: Vec<String> = Vec::new();
        for (column, need) in needs {
            let is_it = plan.columns.get(*column).is_some_and(|column| column.name == *name);
            if is_it && !found.contains(&word(*need)) {
                found.push(word(*need));
            }
        }
        found
    };
    let given = |(table, identity): (&'a TableName, &'a Identity)| GivenBy {
        table,
        identity,
        missing: every
            .iter()
            .filter(|name| !identity.columns.contains(name))
            .cloned()
            .collect(),
    };
    Old {
        identities: identities(table).into_iter().map(given).collect(),
        columns: every.iter().map(|name| (name.clone(), reasons(name))).collect(),
    }
}
