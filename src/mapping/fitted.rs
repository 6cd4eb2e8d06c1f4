//! Plans fitted to the shape in which a table's rows come.

use crate::finding::Place;
use crate::flow::table::{ReplicaIdentity, Table, TableName};
use crate::mapping::plan::{InIdentity, Mapping, OldRows, Plan, PlanColumn};

/// A table's plans, fitted to the shape that the stream has announced.
#[derive(Debug)]
pub struct Fitted {
    pub(super) table: TableName,
    /// Number of the plan, and for each of its columns the place in the tuple.
    pub(super) plans: Vec<(usize, Vec<Spot>)>,
}

/// Where a plan's column lies in a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) at: usize,
    /// Whether the identity carries it: the catalogue's now, and the one under which the change was logged.
    pub(super) in_identity: InIdentity,
}

/// A shape that the mapping does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// A mapped column is gone.
    Missing {
        /// Entity.
        entity: String,
        /// Place of the entity in the config.
        place: Place,
        /// Column.
        column: String,
    },
    /// A mapped column is there under both of its names.
    Twice {
        /// Entity.
        entity: String,
        /// Place of the entity in the config.
        place: Place,
        /// Column, by the mapping's name.
        column: String,
    },
    /// A mapped column has another type than the catalogue had when the mapping was compiled.
    Retyped {
        /// Column, by the mapping's name.
        column: String,
        /// Its other name.
        formerly: Option<String>,
        /// OID of the type that the stream announces.
        type_oid: u32,
    },
}

/// Where a tuple of some shape has a column.
enum Where {
    At(usize),
    Nowhere,
    /// Under both of its names: which is meant, nobody knows.
    Twice,
}

impl PlanColumn {
    fn position(&self, table: &Table) -> Where {
        let named = |name: &String| table.columns.iter().position(|column| column.name == *name);
        match (named(&self.name), self.formerly.as_ref().and_then(named)) {
            (Some(_), Some(_)) => Where::Twice,
            (Some(at), None) | (None, Some(at)) => Where::At(at),
            (None, None) => Where::Nowhere,
        }
    }
}

impl Fitted {
    /// The table.
    pub fn table_name(&self) -> &TableName {
        &self.table
    }
}

impl Mapping {
    /// Names of the entities that stand on a fitted table.
    pub fn entities<'a>(&'a self, fitted: &'a Fitted) -> impl Iterator<Item = &'a str> {
        fitted
            .plans
            .iter()
            .filter_map(|(number, _)| self.plans.get(*number))
            .map(|plan| plan.entity.as_str())
    }

    /// Fits the plans of a table to its shape; none where no entity stands on it.
    ///
    /// # Errors
    /// A mapped column that is gone or has another type.
    pub fn fit(&self, table: &Table) -> Result<Option<Fitted>, Misfit> {
        let numbers = self.by_table.get(&table.name);
        numbers.map(|numbers| self.fit_plans(numbers, table)).transpose()
    }

    /// Fits one entity to the shape in which its old rows are read; none where it stands on another table.
    ///
    /// # Errors
    /// As [`Mapping::fit`].
    pub fn fit_entity(&self, entity: &str, table: &Table) -> Result<Option<Fitted>, Misfit> {
        let numbers = self.by_table.get(&table.name).into_iter().flatten();
        let is_it = |number: &&usize| self.plans.get(**number).is_some_and(|plan| plan.entity == entity);
        let number = numbers.copied().find(|number| is_it(&number));
        number.map(|number| self.fit_plans(&[number], table)).transpose()
    }

    fn fit_plans(&self, numbers: &[usize], table: &Table) -> Result<Fitted, Misfit> {
        let mut plans = Vec::with_capacity(numbers.len());
        for &number in numbers {
            if let Some(plan) = self.plans.get(number) {
                plans.push((number, self.places(plan, table)?));
            }
        }
        Ok(Fitted {
            table: table.name.clone(),
            plans,
        })
    }

    /// Where each of a plan's columns lies in tuples of this shape.
    fn places(&self, plan: &Plan, table: &Table) -> Result<Vec<Spot>, Misfit> {
        let types = self.type_oids.get(&table.name);
        let mut places = Vec::with_capacity(plan.columns.len());
        for column in &plan.columns {
            let at = match column.position(table) {
                Where::At(at) => at,
                Where::Nowhere => {
                    return Err(Misfit::Missing {
                        entity: plan.entity.clone(),
                        place: plan.place.clone(),
                        column: column.name.clone(),
                    });
                }
                Where::Twice => {
                    return Err(Misfit::Twice {
                        entity: plan.entity.clone(),
                        place: plan.place.clone(),
                        column: column.name.clone(),
                    });
                }
            };
            let known = types.and_then(|t| t.get(&column.name)).copied();
            let sent = table.columns.get(at);
            let type_oid = sent.map(|c| c.type_oid);
            if let Some(type_oid) = type_oid.filter(|_| known.is_some() && known != type_oid) {
                return Err(Misfit::Retyped {
                    column: column.name.clone(),
                    formerly: column.formerly.clone(),
                    type_oid,
                });
            }
            // An identity that grew says nothing of what was logged before. Under FULL the old row is always sent:
            // where it is not, a leaf partition has another identity than the root whose shape this is, and only the
            // catalogue knows that one.
            let is_known = if table.identity == ReplicaIdentity::Full {
                plan.old_rows == OldRows::OfIdentity
            } else {
                sent.is_some_and(|c| c.in_identity)
            };
            let in_identity = if is_known { column.in_identity } else { InIdentity::No };
            places.push(Spot { at, in_identity });
        }
        Ok(places)
    }
}
