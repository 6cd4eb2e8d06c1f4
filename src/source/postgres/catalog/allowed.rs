//! The values that a CHECK constraint allows, read from its definition as PostgreSQL prints it (`IN` is printed as
//! `= ANY`).

use sqlparser::ast::{BinaryOperator, DataType, Expr, UnaryOperator, Value};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// Values as text, where `definition` (`pg_get_constraintdef`) limits `column` to a list; none where it says anything
/// else. `VALUE` stands for the column in a domain's constraint.
pub(super) fn values(definition: &str, column: &str) -> Option<Vec<String>> {
    let inner = definition
        .trim()
        .strip_prefix("CHECK")?
        .trim()
        .trim_end_matches("NO INHERIT");
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(inner).ok()?;
    let expression = parser.parse_expr().ok()?;
    let mut out: Vec<String> = Vec::new();
    for value in allowed(&expression, column)? {
        if !out.contains(&value) {
            out.push(value);
        }
    }
    (!out.is_empty()).then_some(out)
}

fn allowed(expression: &Expr, column: &str) -> Option<Vec<String>> {
    if let Expr::Nested(inner) = expression {
        return allowed(inner, column);
    }
    if let Expr::IsNull(inner) = expression {
        return is_column(inner, column).then(Vec::new);
    }
    if let Expr::AnyOp {
        left,
        compare_op: BinaryOperator::Eq,
        right,
        is_some: _,
    } = expression
    {
        return is_column(left, column).then(|| elements(right))?;
    }
    if let Expr::BinaryOp { left, op, right } = expression {
        if *op == BinaryOperator::Eq && is_column(left, column) {
            return Some(vec![literal(right)?]);
        }
        if *op == BinaryOperator::Or {
            let mut both = allowed(left, column)?;
            both.extend(allowed(right, column)?);
            return Some(both);
        }
        if *op == BinaryOperator::And {
            return allowed(left, column).or_else(|| allowed(right, column));
        }
    }
    None
}

fn is_column(expression: &Expr, column: &str) -> bool {
    match bare(expression) {
        Some(Expr::Identifier(name)) => name.value == column,
        Some(_) | None => false,
    }
}

/// Takes off parentheses and casts to text, which PostgreSQL adds itself; another cast may change what is compared.
fn bare(expression: &Expr) -> Option<&Expr> {
    if let Expr::Nested(inner) = expression {
        return bare(inner);
    }
    if let Expr::Cast { expr, data_type, .. } = expression {
        return is_text(data_type).then(|| bare(expr))?;
    }
    Some(expression)
}

fn is_text(data_type: &DataType) -> bool {
    let name = data_type.to_string().to_ascii_lowercase();
    name.starts_with("text") || name.starts_with("char") || name.starts_with("varchar") || name.starts_with("bpchar")
}

fn elements(expression: &Expr) -> Option<Vec<String>> {
    if let Expr::Nested(inner) | Expr::Cast { expr: inner, .. } = expression {
        return elements(inner);
    }
    if let Expr::Array(array) = expression {
        return array.elem.iter().map(literal).collect();
    }
    None
}

fn literal(expression: &Expr) -> Option<String> {
    if let Expr::Nested(inner) | Expr::Cast { expr: inner, .. } = expression {
        return literal(inner);
    }
    if let Expr::UnaryOp {
        op: UnaryOperator::Minus,
        expr,
    } = expression
    {
        return literal(expr).map(|digits| format!("-{digits}"));
    }
    if let Expr::Value(value) = expression {
        if let Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) = &value.value {
            return Some(text.clone());
        }
        if let Value::Number(digits, _) = &value.value {
            return Some(digits.clone());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_postgresql_prints_them() {
        let read = |text: &str, column: &str| values(text, column).map(|all| all.join("|"));
        for (definition, column, expected) in [
            (
                "CHECK ((sts = ANY (ARRAY['N'::bpchar, 'P'::bpchar])))",
                "sts",
                Some("N|P"),
            ),
            (
                "CHECK (((sts)::text = ANY ((ARRAY['a b'::character varying, 'it''s'::character varying])::text[])))",
                "sts",
                Some("a b|it's"),
            ),
            ("CHECK ((n = ANY (ARRAY[1, 2, '-3'::integer])))", "n", Some("1|2|-3")),
            ("CHECK ((\"St s\" = ANY (ARRAY['N'::text])))", "St s", Some("N")),
            ("CHECK (((f = 'Y'::bpchar) OR (f = 'N'::bpchar)))", "f", Some("Y|N")),
            ("CHECK (((f IS NULL) OR (f = 'N'::bpchar)))", "f", Some("N")),
            (
                "CHECK ((VALUE = ANY (ARRAY['x'::text, 'y'::text])))",
                "VALUE",
                Some("x|y"),
            ),
            ("CHECK ((lower(sts) = 'n'::text))", "sts", None),
            ("CHECK (((sts)::integer = 1))", "sts", None),
            ("CHECK ((n > 0))", "n", None),
            ("CHECK (((n = 1) OR (m = 2)))", "n", None),
            ("CHECK ((sts <> ALL (ARRAY['N'::text])))", "sts", None),
            ("CHECK (((((", "n", None),
        ] {
            assert_eq!(read(definition, column).as_deref(), expected, "{definition}");
        }
    }
}
