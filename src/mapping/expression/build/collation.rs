//! Which collation a text has: <https://www.postgresql.org/docs/15/collation.html#COLLATION-CONCEPTS>.

use std::ops::Range;

use sqlparser::ast::{Expr, ObjectName};

use crate::mapping::expression::ExpressionError;
use crate::mapping::expression::build::{Builder, Built};
use crate::mapping::expression::kind::Kind;
use crate::mapping::expression::node::{Collation, Comparison, Function, Node};

/// Whether texts are ordered by their bytes.
fn is_bytewise(name: &str) -> bool {
    matches!(name, "C" | "POSIX" | "ucs_basic")
}

/// Whether equal means equal bytes: true of every collation that comes with PostgreSQL, and told by its name.
fn is_deterministic(name: &str) -> bool {
    // `de_DE`, `de_DE.utf8`, `de_DE@euro`.
    let of_place = name.split_once('_').is_some_and(|(language, place)| {
        let place = place.split(['.', '@']).next().unwrap_or_default();
        let known = place.len() == 2 && place.bytes().all(|b| b.is_ascii_uppercase());
        known && matches!(language.len(), 2 | 3) && language.bytes().all(|b| b.is_ascii_lowercase())
    });
    let of_server = matches!(
        name,
        "default" | "unicode" | "pg_c_utf8" | "pg_unicode_fast" | "C.utf8" | "C.UTF-8"
    );
    is_bytewise(name) || of_server || name.ends_with("-x-icu") || of_place
}

/// Languages whose letters change case in their own way.
const OWN_CASE: [&str; 6] = ["tr", "az", "lt", "crh", "ku", "tt"];

impl Builder<'_> {
    /// The collation of two texts together.
    pub(super) fn together(&self, a: &Node, b: &Node, place: &Range<usize>) -> Result<Collation, ExpressionError> {
        Ok(match (&a.collation, &b.collation) {
            (Collation::Explicit(x), Collation::Explicit(y)) if x != y => {
                let message = format!("collation mismatch between explicit collations \"{x}\" and \"{y}\"");
                return Err(self.error(place, message, None));
            }
            (explicit @ Collation::Explicit(_), _) | (_, explicit @ Collation::Explicit(_)) => explicit.clone(),
            (Collation::Conflict, _) | (_, Collation::Conflict) => Collation::Conflict,
            (Collation::Default, other) | (other, Collation::Default) => other.clone(),
            (Collation::Implicit(x), Collation::Implicit(y)) if x == y => a.collation.clone(),
            (Collation::Implicit(_), Collation::Implicit(_)) => Collation::Conflict,
        })
    }

    /// Whether texts may be compared under a collation without knowing its rules.
    pub(super) fn comparable(
        &self,
        collation: &Collation,
        how: Comparison,
        place: &Range<usize>,
    ) -> Result<(), ExpressionError> {
        let ordering = how.is_ordering();
        let hint = Some("say which order is meant: `… collate \"C\"`");
        match collation {
            Collation::Conflict => {
                let message = "could not determine which collation to use for string comparison".to_owned();
                Err(self.error(place, message, hint))
            }
            Collation::Default if ordering => {
                let message = "texts are ordered by the database's collation, which is not C".to_owned();
                Err(self.error(place, message, hint))
            }
            Collation::Implicit(name) | Collation::Explicit(name) if ordering && !is_bytewise(name) => {
                let message = format!("texts are ordered by the collation \"{name}\", which is not C");
                Err(self.error(place, message, hint))
            }
            Collation::Implicit(name) | Collation::Explicit(name) if !is_deterministic(name) => {
                let message = format!("the collation \"{name}\" may take different texts for equal");
                Err(self.error(place, message, Some("compare by bytes: `… collate \"C\"`")))
            }
            Collation::Default | Collation::Implicit(_) | Collation::Explicit(_) => Ok(()),
        }
    }

    /// `lower` or `upper` under the collation of its argument.
    pub(super) fn case_mapping(
        &self,
        [ascii, unicode]: [Function; 2],
        collation: &Collation,
        place: &Range<usize>,
    ) -> Result<Function, ExpressionError> {
        let by_bytes = matches!(self.ctype, "C" | "POSIX");
        let hint = Some("`collate \"C\"` changes ASCII letters only");
        match collation {
            Collation::Explicit(name) if is_bytewise(name) => Ok(ascii),
            // The catalogue says C also where only the order of the database's own collation is that of bytes.
            Collation::Implicit(name) if is_bytewise(name) && by_bytes => Ok(ascii),
            Collation::Implicit(name) if is_bytewise(name) => {
                let message = format!(
                    "it is not known whether letters follow \"{name}\" or \"{}\" here",
                    self.ctype
                );
                Err(self.error(place, message, hint))
            }
            Collation::Implicit(name) | Collation::Explicit(name) if name != "default" => Err(self.error(
                place,
                format!("letters of the collation \"{name}\" follow rules of their own"),
                hint,
            )),
            Collation::Conflict => {
                let message = "could not determine which collation to use".to_owned();
                Err(self.error(place, message, hint))
            }
            Collation::Default | Collation::Implicit(_) | Collation::Explicit(_) if by_bytes => Ok(ascii),
            Collation::Default | Collation::Implicit(_) | Collation::Explicit(_) => {
                let language = self.ctype.split(['_', '-', '.', '@']).next().unwrap_or_default();
                if OWN_CASE.contains(&language) || language.starts_with("Turkish") || language.starts_with("Azeri") {
                    let message = format!("letters of \"{}\" change their case by rules of their own", self.ctype);
                    return Err(self.error(place, message, hint));
                }
                Ok(unicode)
            }
        }
    }

    /// `x collate "C"`.
    pub(super) fn collate(&mut self, expr: &Expr, collation: &ObjectName, place: &Range<usize>) -> Built {
        let node = self.node(expr)?;
        let node = if node.kind == Kind::Literal {
            self.brought(node, &Kind::Text, place)?
        } else {
            node
        };
        if !node.kind.is_text() {
            let message = format!("collations are not supported by type {}", node.kind.name());
            return Err(self.error(place, message, None));
        }
        let parts: Vec<String> = collation
            .0
            .iter()
            .filter_map(|part| part.as_ident())
            .map(|i| {
                if i.quote_style.is_some() {
                    i.value.clone()
                } else {
                    i.value.to_ascii_lowercase()
                }
            })
            .collect();
        let name = match parts.as_slice() {
            [name] => name.clone(),
            [schema, name] if schema == "pg_catalog" => name.clone(),
            _ => return Err(self.error(place, format!("unknown collation {collation}"), Some("`collate \"C\"`"))),
        };
        if !is_deterministic(&name) {
            return Err(self.error(
                place,
                format!("unknown collation \"{name}\""),
                Some("write `collate \"C\"`"),
            ));
        }
        Ok(Node {
            collation: Collation::Explicit(name),
            ..node
        })
    }
}
