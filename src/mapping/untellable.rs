//! A row that cannot be told, and how an operator repairs that.

use crate::finding::{Cause, Finding};
use crate::flow::change::Transaction;
use crate::flow::table::{TableName, quoted};
use crate::mapping::fitted::Fitted;
use crate::mapping::form::RowProblem;
use crate::mapping::plan::{FieldSource, Plan};
use crate::mapping::sides::NoValue;
use crate::mapping::tell::NoTruth;

/// Why a change cannot be told; fields by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Filter(NoTruth),
    Condition(NoTruth),
    With(NoValue),
    Field(usize, NoValue),
    /// `where` looks at a TOAST value that has not changed and is not sent.
    UnchangedFilter,
    /// A field needs such a value.
    Unchanged(usize),
    /// An old value is needed and not known.
    UnknownOld,
    NullKey(usize),
    TooManyParts,
}

impl Reason {
    pub(super) fn of(self, plan: &Plan, fitted: &Fitted) -> Untellable {
        let field = match self {
            Self::Field(field, _) | Self::Unchanged(field) | Self::NullKey(field) => plan.fields.get(field),
            Self::Filter(_) | Self::Condition(_) | Self::With(_) => None,
            Self::UnchangedFilter | Self::UnknownOld | Self::TooManyParts => None,
        };
        let place = field.map_or(&plan.place, |f| &f.place).clone();
        let finding = Finding::error(Cause::Surroundings, self.code(), String::new()).at(place);
        Untellable {
            table: fitted.table.clone(),
            entity: plan.entity.clone(),
            field: field.map(|f| f.name.clone()),
            why: self.why(),
            finding: match self.repair(plan, &fitted.table) {
                Some(repair) => finding.repair(repair),
                None => finding,
            },
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Filter(_) | Self::Condition(_) | Self::With(NoValue::Expression(_)) => "row.expression",
            Self::Field(_, NoValue::Expression(_)) => "row.expression",
            Self::Field(_, NoValue::Form(RowProblem::UnknownCode)) => "row.unknown_code",
            Self::Field(_, NoValue::Form(RowProblem::NotUtf8)) => "row.not_utf8",
            Self::Field(_, NoValue::Form(_)) | Self::With(NoValue::Form(_)) => "row.form",
            Self::UnchangedFilter | Self::Unchanged(_) => "row.unchanged",
            Self::UnknownOld => "row.unknown_old",
            Self::NullKey(_) => "row.null_key",
            Self::TooManyParts => "row.too_many_records",
        }
    }

    fn why(self) -> String {
        match self {
            Self::Filter(error) => format!("`where` has no value: {error}"),
            Self::Condition(error) => format!("`when` has no value: {error}"),
            Self::With(NoValue::Expression(error)) => format!("`with` has no value: {error}"),
            Self::With(NoValue::Form(problem)) => format!("`with` is {problem}"),
            Self::Field(_, NoValue::Expression(error)) => error.to_string(),
            Self::Field(_, NoValue::Form(problem)) => problem.to_string(),
            Self::UnchangedFilter | Self::Unchanged(_) => {
                "an unchanged out-of-line value was not sent and the old row does not give it".to_owned()
            }
            Self::UnknownOld => "an old value is needed that the replica identity does not give".to_owned(),
            Self::NullKey(_) => "its key is null".to_owned(),
            Self::TooManyParts => "more than 255 records for one change".to_owned(),
        }
    }

    fn repair(self, plan: &Plan, table: &TableName) -> Option<String> {
        match self {
            Self::UnchangedFilter | Self::Unchanged(_) | Self::UnknownOld => Some(format!(
                "{} for what is changed from then on; to pass this row: take what needs the value out of the mapping, \
                     or walbridge recover -c FILE",
                table.full_identity_sql()
            )),
            Self::Field(field, NoValue::Form(RowProblem::UnknownCode)) => {
                let look = codes_there(plan, field, table).unwrap_or_default();
                Some(format!(
                    "add the code under `codes`, or say on_unknown = \"null\" or \"raw\"{look}"
                ))
            }
            Self::NullKey(_) => Some("choose a key that is never null, or let `where` leave such rows out".to_owned()),
            Self::Field(_, NoValue::Form(RowProblem::NotUtf8)) => {
                Some("take the field out of the mapping until such rows are corrected and passed".to_owned())
            }
            Self::Field(_, NoValue::Form(RowProblem::NotADate)) => {
                Some("list texts that stand for no date in `null_when`, or correct `parse`".to_owned())
            }
            Self::Field(_, NoValue::Form(_)) | Self::With(NoValue::Form(_)) => {
                Some("list such values in `null_when`, or publish the column in another form".to_owned())
            }
            Self::Filter(_) | Self::Condition(_) | Self::With(_) | Self::Field(..) => {
                Some("let it have a value for every row: a wider type (::int8, ::numeric), nullif or CASE".to_owned())
            }
            Self::TooManyParts => None,
        }
    }
}

/// Values never stand in a message: the question whose answer holds them does.
fn codes_there(plan: &Plan, field: usize, table: &TableName) -> Option<String> {
    let FieldSource::Column(number) = plan.fields.get(field)?.from else {
        return None;
    };
    let column = quoted(&plan.columns.get(number)?.name);
    let table = table.quoted();
    Some(format!(
        "; which codes there are: SELECT {column}, count(*) FROM {table} GROUP BY 1"
    ))
}

/// A row change that cannot be told: the bridge halts, nothing of its transaction is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untellable {
    table: TableName,
    entity: String,
    field: Option<String>,
    why: String,
    finding: Finding,
}

impl Untellable {
    /// The finding, with the place in the log. It names table, entity and field, never a value: which row it is, the question
    /// shows whose answer holds it.
    pub fn finding(self, transaction: &Transaction) -> Finding {
        let Transaction { commit_lsn, xid, .. } = transaction;
        // A row version carries the id of the transaction that wrote it (or of its subtransaction).
        let look = format!(
            "the row, unless it was changed since or written under a savepoint: SELECT * FROM {} WHERE xmin = '{xid}'",
            self.table.quoted()
        );
        let found = self.found("a row", &format!(" (transaction at {commit_lsn})"));
        let repair = match &found.repair {
            Some(repair) => format!("{repair}; {look}"),
            None => look,
        };
        found.repair(repair)
    }

    /// The same of a row that was there before.
    pub fn finding_of_old(self) -> Finding {
        self.found("an old row", "")
    }

    fn found(self, row: &str, place: &str) -> Finding {
        let field = self.field.map(|field| format!(".{field}")).unwrap_or_default();
        let what = format!(
            "cannot tell {}{field} of {row} of {}: {}{place}",
            self.entity, self.table, self.why
        );
        Finding { what, ..self.finding }
    }
}
