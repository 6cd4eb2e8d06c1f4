//! Functions.

use std::ops::Range;

use sqlparser::ast::{Expr, Function as Written, FunctionArg, FunctionArgExpr, FunctionArguments, TrimWhereField};

use crate::mapping::expression::ExpressionError;
use crate::mapping::expression::build::{Builder, Built, refusal};
use crate::mapping::expression::kind::Kind;
use crate::mapping::expression::node::{Collation, Comparison, Function, Node, Op};

impl Builder<'_> {
    /// `trim(…)` and `substr(…)` have a grammar of their own.
    pub(super) fn special_call(&mut self, expr: &Expr, place: &Range<usize>) -> Built {
        match expr {
            Expr::Trim {
                trim_where,
                trim_what,
                expr,
                trim_characters,
            } => {
                let function = match trim_where {
                    None | Some(TrimWhereField::Both) => Function::TrimBoth,
                    Some(TrimWhereField::Leading) => Function::TrimLeading,
                    Some(TrimWhereField::Trailing) => Function::TrimTrailing,
                };
                let more = trim_what
                    .iter()
                    .map(|what| &**what)
                    .chain(trim_characters.iter().flatten());
                let mut arguments = vec![self.node(expr)?];
                for argument in more {
                    arguments.push(self.node(argument)?);
                }
                if arguments.len() > 2 {
                    return Err(self.wrong("trim", &arguments, place));
                }
                self.trimmed(function, arguments, place)
            }
            Expr::Substring {
                expr,
                substring_from: Some(from),
                substring_for,
                ..
            } => {
                let mut arguments = vec![self.node(expr)?, self.node(from)?];
                if let Some(length) = substring_for {
                    arguments.push(self.node(length)?);
                }
                self.substr(arguments, place)
            }
            other => Err(self.refused(other, place)),
        }
    }

    pub(super) fn function(&mut self, written: &Written, place: &Range<usize>) -> Built {
        let name = match written.name.0.as_slice() {
            [part] => part.as_ident().map(|i| match i.quote_style {
                Some(_) => i.value.clone(),
                None => i.value.to_ascii_lowercase(),
            }),
            _ => None,
        };
        let name = name.unwrap_or_else(|| written.name.to_string());
        let known = matches!(
            &*name,
            "lower" | "upper" | "length" | "replace" | "abs" | "round" | "coalesce" | "nullif" | "substr"
        );
        if !known {
            let hint = refusal::functions();
            return Err(self.error(place, format!("unknown function \"{name}\""), Some(&hint)));
        }
        let arguments = self.arguments(written, &name, place)?;
        self.call(&name, arguments, place)
    }

    fn arguments(&mut self, written: &Written, name: &str, place: &Range<usize>) -> Result<Vec<Node>, ExpressionError> {
        let plain = written.over.is_none() && written.filter.is_none() && written.null_treatment.is_none();
        let plain = plain && written.within_group.is_empty() && !written.uses_odbc_syntax;
        match (&written.args, &written.parameters) {
            (FunctionArguments::List(list), FunctionArguments::None)
                if plain && list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
            {
                let mut nodes = Vec::with_capacity(list.args.len());
                for argument in &list.args {
                    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else {
                        return Err(self.error(place, format!("{name} takes plain arguments only"), None));
                    };
                    nodes.push(self.node(expr)?);
                }
                Ok(nodes)
            }
            _ => Err(self.error(place, format!("{name} takes plain arguments only"), None)),
        }
    }

    fn call(&mut self, name: &str, arguments: Vec<Node>, place: &Range<usize>) -> Built {
        let mut nodes = arguments.into_iter();
        let taken = (nodes.next(), nodes.next(), nodes.next());
        let rest: Vec<Node> = nodes.collect();
        match (name, taken) {
            ("coalesce", (Some(a), b, c)) => {
                self.coalesce([Some(a), b, c].into_iter().flatten().chain(rest).collect(), place)
            }
            ("nullif", (Some(a), Some(b), None)) => self.nullif(a, b, place),
            ("lower", (Some(a), None, None)) => self.cased([Function::LowerAscii, Function::LowerUnicode], a, place),
            ("upper", (Some(a), None, None)) => self.cased([Function::UpperAscii, Function::UpperUnicode], a, place),
            ("length", (Some(a), None, None)) => {
                let text = self.as_text(a, place, name)?;
                self.finish(
                    Op::Call(Function::Length, vec![text]),
                    Kind::Int4,
                    Collation::Default,
                    place,
                )
            }
            ("replace", (Some(a), Some(b), Some(c))) if rest.is_empty() => self.replace([a, b, c], place),
            ("substr", (Some(a), Some(b), c)) if rest.is_empty() => {
                self.substr([Some(a), Some(b), c].into_iter().flatten().collect(), place)
            }
            ("abs", (Some(a), None, None)) if a.kind.is_number() => {
                let kind = a.kind.clone();
                self.finish(Op::Call(Function::Abs, vec![a]), kind, Collation::Default, place)
            }
            ("round", (Some(a), None, None)) if a.kind.is_number() => {
                let kind = if a.kind == Kind::Numeric {
                    Kind::Numeric
                } else {
                    Kind::Float8
                };
                let number = self.brought(a, &kind, place)?;
                self.finish(Op::Call(Function::Round, vec![number]), kind, Collation::Default, place)
            }
            ("round", (Some(a), Some(b), None))
                if (a.kind.is_integer() || a.kind == Kind::Numeric) && takes_integer(&b) =>
            {
                let nodes = vec![
                    self.brought(a, &Kind::Numeric, place)?,
                    self.brought(b, &Kind::Int4, place)?,
                ];
                self.finish(
                    Op::Call(Function::Round, nodes),
                    Kind::Numeric,
                    Collation::Default,
                    place,
                )
            }
            (_, (a, b, c)) => {
                let all: Vec<Node> = [a, b, c].into_iter().flatten().chain(rest).collect();
                Err(self.wrong(name, &all, place))
            }
        }
    }

    fn wrong(&self, name: &str, arguments: &[Node], place: &Range<usize>) -> ExpressionError {
        let kinds: Vec<&str> = arguments.iter().map(|node| node.kind.name()).collect();
        let message = format!("function {name}({}) does not exist", kinds.join(", "));
        let hint = match (name, kinds.as_slice()) {
            ("round", ["real" | "double precision", _]) => Some("cast it: round(…::numeric, places)"),
            ("abs" | "round", _) => Some("cast the argument to a type of numbers"),
            _ => None,
        };
        self.error(place, message, hint)
    }

    fn trimmed(&mut self, function: Function, arguments: Vec<Node>, place: &Range<usize>) -> Built {
        let mut texts = Vec::with_capacity(arguments.len());
        let mut collation = Collation::Default;
        for argument in arguments {
            let text = self.as_text(argument, place, "trim")?;
            let so_far = Node {
                collation,
                ..text.clone()
            };
            collation = self.together(&so_far, &text, place)?;
            texts.push(text);
        }
        self.finish(Op::Call(function, texts), Kind::Text, collation, place)
    }

    fn cased(&mut self, functions: [Function; 2], argument: Node, place: &Range<usize>) -> Built {
        let text = self.as_text(argument, place, "lower and upper")?;
        let collation = text.collation.clone();
        let function = self.case_mapping(functions, &collation, place)?;
        self.finish(Op::Call(function, vec![text]), Kind::Text, collation, place)
    }

    fn replace(&mut self, arguments: [Node; 3], place: &Range<usize>) -> Built {
        let [text, from, to] = arguments;
        let first = self.together(&text, &from, place)?;
        let so_far = Node {
            collation: first,
            ..text.clone()
        };
        let collation = self.together(&so_far, &to, place)?;
        self.comparable(&collation, Comparison::Equal, place)?;
        let texts = [text, from, to].map(|argument| self.as_text(argument, place, "replace"));
        let texts = texts.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.finish(Op::Call(Function::Replace, texts), Kind::Text, collation, place)
    }

    fn substr(&mut self, arguments: Vec<Node>, place: &Range<usize>) -> Built {
        let well = arguments.iter().skip(1).all(takes_integer);
        if !well {
            return Err(self.wrong("substr", &arguments, place));
        }
        let mut nodes = Vec::with_capacity(arguments.len());
        let mut collation = Collation::Default;
        for argument in arguments {
            if nodes.is_empty() {
                let text = self.as_text(argument, place, "substr")?;
                collation = text.collation.clone();
                nodes.push(text);
            } else {
                nodes.push(self.brought(argument, &Kind::Int4, place)?);
            }
        }
        self.finish(Op::Call(Function::Substr, nodes), Kind::Text, collation, place)
    }
}

/// Whether an argument becomes an `integer` without being told to.
fn takes_integer(node: &Node) -> bool {
    matches!(node.kind, Kind::Int2 | Kind::Int4 | Kind::Literal)
}
