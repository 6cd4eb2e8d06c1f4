//! Names and texts written into SQL: identifiers as everywhere, texts only here.

pub use crate::flow::table::quoted as ident;

/// A list of identifiers.
pub fn idents(names: &[String]) -> String {
    names.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ")
}

/// A text constant, whatever `standard_conforming_strings` is.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What PostgreSQL's lexer makes of one quoted token, which must span the whole text.
    fn lexed(text: &str, mark: char, escape: Option<char>) -> Option<String> {
        let mut out = String::new();
        let mut rest = text.strip_prefix(mark)?.chars();
        loop {
            match rest.next()? {
                c if Some(c) == escape => out.push(rest.next()?),
                c if c == mark => {
                    let mut ahead = rest.clone();
                    match ahead.next() {
                        None => return Some(out),
                        Some(next) if next == mark => {
                            out.push(mark);
                            rest = ahead;
                        }
                        Some(_) => return None,
                    }
                }
                c => out.push(c),
            }
        }
    }

    proptest! {
        #[test]
        fn a_quoted_name_reads_back(name in "[\"'\\\\a-z;$. \u{e4}-]{0,12}") {
            prop_assert_eq!(lexed(&ident(&name), '"', None), Some(name.clone()));
        }

        #[test]
        fn a_quoted_text_reads_back(text in "[\"'\\\\a-z;$. \u{e4}-]{0,12}") {
            let sql = literal(&text);
            let back = match sql.strip_prefix(" E") {
                Some(escaped) => lexed(escaped, '\'', Some('\\')),
                None => lexed(&sql, '\'', None),
            };
            prop_assert_eq!(back, Some(text));
        }
    }
}
