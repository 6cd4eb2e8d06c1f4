//! A compiled expression.

use crate::flow::catalog::{Nullable, SqlType};
use crate::mapping::expression::build::build;
use crate::mapping::expression::kind::Kind;
use crate::mapping::expression::node::{Node, Op, Value};
use crate::mapping::expression::value::text;
use crate::mapping::expression::{EvaluationError, ExpressionError, Names, Operand, Operands, Truth, Written};

/// An expression, compiled against the types of its names.
#[derive(Clone, Debug)]
pub struct Expression {
    node: Box<Node>,
    sql_type: SqlType,
    slots: Vec<u16>,
    warnings: Vec<ExpressionError>,
}

impl Expression {
    /// Parses, resolves, type-checks. `ctype` is the database's `datctype`.
    ///
    /// # Errors
    /// The text is no expression, not in the subset, does not fit the types, or PostgreSQL's answer to it would depend
    /// on what is not known here.
    pub fn compile(text: &str, names: &dyn Names, ctype: &str) -> Result<Self, ExpressionError> {
        let (node, builder) = build(text, names, ctype)?;
        let sql_type = node.kind.sql_type();
        Ok(Self {
            node: Box::new(node),
            sql_type,
            slots: builder.slots,
            warnings: builder.warnings,
        })
    }

    /// The type of its values.
    pub fn sql_type(&self) -> &SqlType {
        &self.sql_type
    }

    /// Whether its value may be null.
    pub fn nullable(&self) -> Nullable {
        self.node.nullable
    }

    /// Slots of the names in it, each once.
    pub fn slots(&self) -> &[u16] {
        &self.slots
    }

    /// What is allowed, but probably not meant.
    pub fn warnings(&self) -> &[ExpressionError] {
        &self.warnings
    }

    /// Its value as a condition; Unknown also where it is no condition.
    ///
    /// # Errors
    /// PostgreSQL would raise an error on this row.
    #[inline]
    pub fn truth(&self, operands: &dyn Operands) -> Result<Truth, EvaluationError> {
        self.node.truth(operands)
    }

    /// Writes its value in PostgreSQL's text format, after what is there.
    ///
    /// # Errors
    /// PostgreSQL would raise an error on this row; nothing is written.
    pub fn write(&self, operands: &dyn Operands, out: &mut Vec<u8>) -> Result<Written, EvaluationError> {
        if let (Op::Leaf(slot), false) = (&self.node.op, self.node.kind == Kind::Bool) {
            return Ok(match operands.operand(*slot) {
                Operand::Unknown => Written::Unknown,
                Operand::Null => Written::Null,
                Operand::Text(text) => {
                    out.extend_from_slice(text);
                    Written::Text
                }
            });
        }
        match self.node.value(operands)? {
            Value::Unknown => Ok(Written::Unknown),
            Value::Null => Ok(Written::Null),
            value => {
                text::write(&value, &self.node.kind, out);
                Ok(Written::Text)
            }
        }
    }
}
