//! What a name in an expression stands for: a column of the row at hand, or a column or field of one side.

use std::cell::RefCell;

use crate::flow::catalog::{Nullable, SqlType, TableFacts};
use crate::mapping::expression::{Leaf, Names};
use crate::mapping::plan::{Side, Slot};

/// Columns and slots that an entity's expressions ask for, gathered while they are compiled.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) columns: Vec<String>,
    pub(super) slots: Vec<Slot>,
}

impl Asked {
    /// The plan's number of a column.
    pub(super) fn column(&mut self, name: &str) -> usize {
        self.columns.iter().position(|c| c == name).unwrap_or_else(|| {
            self.columns.push(name.to_owned());
            self.columns.len() - 1
        })
    }

    fn slot(&mut self, slot: Slot) -> Result<u16, String> {
        let number = self.slots.iter().position(|s| *s == slot).unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        });
        u16::try_from(number).map_err(|_| "too many names in the expressions of one entity".to_owned())
    }
}

/// A field as expressions see it.
#[derive(Clone, Debug)]
pub(super) struct FieldFacts {
    pub(super) name: String,
    pub(super) sql_type: SqlType,
    pub(super) nullable: Nullable,
}

/// Names in `where` and in a field's expression: the table's columns.
pub(super) struct ColumnNames<'a> {
    pub(super) table: &'a TableFacts,
    pub(super) asked: &'a RefCell<Asked>,
}

impl Names for ColumnNames<'_> {
    fn resolve(&self, qualifier: Option<&str>, name: &str) -> Result<Leaf, String> {
        if let Some(qualifier) = qualifier {
            return Err(format!(
                "`{qualifier}.` has no meaning here: write the column's name alone"
            ));
        }
        column_leaf(self.table, self.asked, name, Slot::Here)
    }
}

/// Names in `when` and `with`: both sides of a change.
pub(super) struct ChangeNames<'a> {
    pub(super) table: &'a TableFacts,
    pub(super) fields: &'a [FieldFacts],
    pub(super) asked: &'a RefCell<Asked>,
}

impl Names for ChangeNames<'_> {
    fn resolve(&self, qualifier: Option<&str>, name: &str) -> Result<Leaf, String> {
        let (side, of_row) = match qualifier {
            Some("old") => (Side::Old, false),
            Some("new") => (Side::New, false),
            Some("old_row") => (Side::Old, true),
            Some("new_row") => (Side::New, true),
            Some(other) => {
                return Err(format!(
                    "unknown name `{other}.{name}`: use old., new., old_row. or new_row."
                ));
            }
            None => return Err(format!("`{name}` could be old or new: write old.{name} or new.{name}")),
        };
        if of_row {
            let leaf = column_leaf(self.table, self.asked, name, |column| Slot::Column(side, column))?;
            return Ok(Leaf {
                nullable: Nullable::Yes,
                ..leaf
            });
        }
        let Some(number) = self.fields.iter().position(|f| f.name == name) else {
            let known = self.fields.iter().map(|f| f.name.as_str());
            return Err(unknown("field", name, known));
        };
        let facts = self.fields.get(number);
        let (sql_type, nullable) = facts.map_or((SqlType::Text, Nullable::Yes), |facts| {
            (facts.sql_type.clone(), facts.nullable)
        });
        let slot = self.asked.borrow_mut().slot(Slot::Field(side, number))?;
        // An `old` field is null on `enters`, a `new` one on `leaves`; within `changes` the column decides.
        Ok(Leaf {
            slot,
            sql_type,
            nullable,
            collation: String::new(),
        })
    }
}

fn column_leaf(
    table: &TableFacts,
    asked: &RefCell<Asked>,
    name: &str,
    slot: impl FnOnce(usize) -> Slot,
) -> Result<Leaf, String> {
    let Some(facts) = table.column(name) else {
        return Err(unknown("column", name, table.columns.iter().map(|c| c.name.as_str())));
    };
    let mut asked = asked.borrow_mut();
    let number = asked.column(name);
    Ok(Leaf {
        slot: asked.slot(slot(number))?,
        sql_type: facts.sql_type.clone(),
        nullable: facts.nullable,
        collation: facts.collation.clone(),
    })
}

/// `unknown column "x"`, with the nearest known name.
pub(super) fn unknown<'k>(what: &str, name: &str, known: impl Iterator<Item = &'k str>) -> String {
    let nearest = known
        .map(|k| (strsim::damerau_levenshtein(k, name), k))
        .min()
        // Of a short name nearly every other is near.
        .filter(|(d, _)| *d <= 3 && d * 2 <= name.chars().count());
    match nearest {
        Some((_, nearest)) => format!("unknown {what} \"{name}\"; the nearest is \"{nearest}\""),
        None => format!("unknown {what} \"{name}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::unknown;

    #[test]
    fn a_name_that_is_near_is_named_and_of_a_short_one_few_are() {
        let said = |name| unknown("column", name, ["status", "d", "st"].into_iter());
        assert_eq!(said("sttaus"), "unknown column \"sttaus\"; the nearest is \"status\"");
        assert_eq!(said("sts"), "unknown column \"sts\"; the nearest is \"st\"");
        assert_eq!(said("n"), "unknown column \"n\"");
    }
}
