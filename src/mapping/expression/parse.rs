//! Text to syntax: the whole text is one expression as PostgreSQL reads it, with places in bytes.

use std::ops::Range;

use sqlparser::ast::{Expr, Spanned};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use crate::mapping::expression::ExpressionError;

/// Length of an expression's text, bytes.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Depth of nesting that the parser may reach.
const PARSE_DEPTH_MAX: usize = 50;
/// Names and operators of an expression (literals, as in a long IN, do not count): a row of operators is a tree as deep
/// as the row is long.
const SIGNS_MAX: usize = 600;

/// Whether a text is an expression, whatever its names mean.
///
/// # Errors
/// Where PostgreSQL would find a syntax error, or the text is too long or too deep.
pub fn parses(text: &str) -> Result<(), ExpressionError> {
    Source::parse(text).map(drop)
}

/// What the parser says, without all that it would have taken in SQL as a whole.
fn plain(message: &str) -> String {
    let Some((wanted, found)) = message
        .strip_prefix("expected: ")
        .and_then(|said| said.split_once(", found: "))
    else {
        return message.to_owned();
    };
    if wanted.ends_with(" after IS") {
        return format!("expected [NOT] NULL, TRUE, FALSE or DISTINCT FROM after IS, found {found}");
    }
    format!("expected {wanted}, found {found}")
}

/// A text and where its lines begin.
#[derive(Debug)]
pub(super) struct Source<'t> {
    text: &'t str,
    /// Where each letter begins, in bytes.
    letters: Vec<usize>,
    /// Number of each line's first letter.
    lines: Vec<usize>,
}

impl<'t> Source<'t> {
    /// Parses the whole text.
    pub(super) fn parse(text: &'t str) -> Result<(Self, Expr), ExpressionError> {
        let letters = text.char_indices().map(|(at, _)| at).collect();
        let ends = text
            .chars()
            .enumerate()
            .filter(|(_, c)| *c == '\n')
            .map(|(number, _)| number + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        let source = Self { text, letters, lines };
        if text.len() > TEXT_BYTES_MAX {
            return Err(source.whole(format!("an expression may be at most {TEXT_BYTES_MAX} bytes long")));
        }
        let dialect = PostgreSqlDialect {};
        let tokens = Tokenizer::new(&dialect, text)
            .tokenize_with_location()
            .map_err(|error| {
                let at = source.byte(error.location).min(text.len());
                ExpressionError {
                    message: lowered(&error.message),
                    span: at..text.len(),
                    hint: None,
                }
            })?;
        let flat = |token: &Token| {
            matches!(
                token,
                Token::Whitespace(_) | Token::Comma | Token::Number(..) | Token::SingleQuotedString(_)
            )
        };
        if tokens.iter().filter(|token| !flat(&token.token)).count() > SIGNS_MAX {
            return Err(source.whole(format!("more than {SIGNS_MAX} names and operators in one expression")));
        }
        source.lexed_alike(&tokens)?;
        let ends: Vec<Range<usize>> = tokens.iter().map(|token| source.range(token.span)).collect();
        let mut parser = Parser::new(&dialect)
            .with_recursion_limit(PARSE_DEPTH_MAX)
            .with_tokens_with_locations(tokens);
        let parsed = parser.parse_expr();
        let next = parser.peek_token();
        let expr = parsed.map_err(|error| source.syntax(error, &next, &ends))?;
        if next.token != Token::EOF {
            let mut error = source.at(next.span, format!("syntax error at or near \"{}\"", next.token));
            error.hint = Some("the whole text must be one expression".to_owned());
            return Err(error);
        }
        Ok((source, expr))
    }

    fn syntax(&self, error: ParserError, next: &TokenWithSpan, tokens: &[Range<usize>]) -> ExpressionError {
        let message = match error {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => lowered(&message),
            ParserError::RecursionLimitExceeded => return self.whole("nested too deeply".to_owned()),
        };
        let place = self.located(&message).unwrap_or_else(|| match next.token {
            Token::EOF => self.text.len()..self.text.len(),
            _ => self.range(next.span),
        });
        let place = tokens
            .iter()
            .find(|token| token.start == place.start)
            .cloned()
            .unwrap_or(place);
        let message = match message.split_once(" at Line: ") {
            Some((before, _)) => before.to_owned(),
            None => message,
        };
        ExpressionError {
            message: plain(&message),
            span: place,
            hint: None,
        }
    }

    /// The parser tells a place only at the end of its messages: ` at Line: 1, Column: 7`.
    fn located(&self, message: &str) -> Option<Range<usize>> {
        let (_, place) = message.rsplit_once(" at Line: ")?;
        let (line, column) = place.split_once(", Column: ")?;
        let at = self.byte(Location {
            line: line.parse().ok()?,
            column: column.trim().parse().ok()?,
        });
        Some(at..self.text.len())
    }

    /// PostgreSQL reads `%-` or `||-` as one operator, the parser as two: refused, so that both read the same.
    fn lexed_alike(&self, tokens: &[TokenWithSpan]) -> Result<(), ExpressionError> {
        const OPERATOR: &str = "+-*/<>=~!@#%^&|`?";
        const LONGER: &str = "~!@#%^&|`?";
        let text_of = |token: &TokenWithSpan| self.text.get(self.range(token.span)).unwrap_or_default();
        for pair in tokens.windows(2) {
            let [first, second] = pair else { continue };
            let (a, b) = (text_of(first), text_of(second));
            let operators = |text: &str| !text.is_empty() && text.chars().all(|c| OPERATOR.contains(c));
            if operators(a) && operators(b) {
                let ends_in_sign = b.ends_with(['+', '-']) && !a.chars().chain(b.chars()).any(|c| LONGER.contains(c));
                if !ends_in_sign {
                    let span = self.range(first.span).start..self.range(second.span).end;
                    let message = format!("unknown operator {a}{b}");
                    return Err(ExpressionError {
                        message,
                        span,
                        hint: Some(format!("write `{a} {b}`")),
                    });
                }
            }
        }
        Ok(())
    }

    /// The bytes of a span; the whole text where the parser knows none.
    pub(super) fn range(&self, span: Span) -> Range<usize> {
        let (start, end) = (self.byte(span.start), self.byte(span.end));
        if span == Span::empty() || start > end {
            0..self.text.len()
        } else {
            start..end
        }
    }

    /// The place of a part of the syntax; the parser leaves closing parentheses out.
    pub(super) fn place(&self, expr: &Expr) -> Range<usize> {
        let Range { start, mut end } = self.range(expr.span());
        let (mut open, mut quote) = (0usize, None);
        for c in self.text.get(start..end).unwrap_or_default().chars() {
            match (quote, c) {
                (Some(begun), c) if begun == c => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '(') => open += 1,
                (None, ')') => open = open.saturating_sub(1),
                (None, _) => {}
            }
        }
        while open > 0 {
            let rest = self.text.get(end..).unwrap_or_default();
            let Some(after) = rest.trim_start().strip_prefix(')') else {
                break;
            };
            end = self.text.len() - after.len();
            open -= 1;
        }
        start..end
    }

    pub(super) fn at(&self, span: Span, message: String) -> ExpressionError {
        ExpressionError {
            message,
            span: self.range(span),
            hint: None,
        }
    }

    pub(super) fn whole(&self, message: String) -> ExpressionError {
        ExpressionError {
            message,
            span: 0..self.text.len(),
            hint: None,
        }
    }

    fn byte(&self, location: Location) -> usize {
        let number = |n: u64| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
        let line = self.lines.get(number(location.line)).copied().unwrap_or(usize::MAX);
        let letter = line.saturating_add(number(location.column));
        self.letters.get(letter).copied().unwrap_or(self.text.len())
    }
}

fn lowered(message: &str) -> String {
    let mut letters = message.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
