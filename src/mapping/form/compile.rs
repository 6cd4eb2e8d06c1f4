//! From a field as declared to its form, or to what is wrong with it.

use std::sync::Arc;

use jiff::tz::{TimeZone, db};

use super::instant::{Instants, Reading, Telling};
use super::pattern::Pattern;
use super::published::{column_text, has_codes, has_ids, innermost, padding, plain, type_word};
use super::step::{Code, Codes, Numbers, Step, Unlisted, Zeros};
use super::{Form, FormProblem};
use crate::flow::catalog::{ColumnFacts, SqlType};
use crate::mapping::entity::{CodeValue, Field, IdOf, OnUnknown, PublishedAs};

/// More digits after the point than any money has.
const DECIMALS_MAX: u32 = 100;

fn problem<T>(message: impl Into<String>, hint: &str) -> Result<T, FormProblem> {
    Err(FormProblem {
        message: message.into(),
        hint: (!hint.is_empty()).then(|| hint.to_owned()),
    })
}

impl Form {
    /// The form of a field over a column.
    ///
    /// # Errors
    /// The options do not go together, or not with the column's type.
    pub fn compile(field: &Field, column: &ColumnFacts) -> Result<Self, FormProblem> {
        let mut form = Self::compile_typed(field, &column.sql_type, &column.type_text)?;
        if let (Some(codes), Some(allowed)) = (&field.codes, &column.allowed) {
            let same = |a: &str, b: &str| column_text(a, &column.sql_type) == column_text(b, &column.sql_type);
            let listed = |value: &str| {
                codes.iter().any(|(code, _)| same(code, value)) || field.null_when.iter().any(|null| same(null, value))
            };
            form.uncovered = allowed.iter().filter(|value| !listed(value)).cloned().collect();
        }
        Ok(form)
    }

    /// The form of a field over an expression's result of this type.
    ///
    /// # Errors
    /// The options do not go together, or not with the type.
    pub fn compile_result(field: &Field, sql_type: &SqlType) -> Result<Self, FormProblem> {
        Self::compile_typed(field, sql_type, type_word(sql_type))
    }

    /// The form of an expression's result, without options: a `timestamp` is told as local time without offset.
    pub fn of_type(sql_type: &SqlType) -> Self {
        Self {
            padding: padding(sql_type),
            null_when: Vec::new(),
            step: plain(sql_type, &Reading::Local),
            sql_type: sql_type.clone(),
            uncovered: Vec::new(),
        }
    }

    fn compile_typed(field: &Field, sql_type: &SqlType, type_text: &str) -> Result<Self, FormProblem> {
        let column = Declared {
            field,
            sql_type,
            type_text,
        };
        column.refuse_mixtures()?;
        let texts = |word, texts: &mut dyn Iterator<Item = &String>| {
            texts
                .map(|text| column.checked_text(word, text))
                .collect::<Result<Vec<_>, _>>()
        };
        let null_when = texts("null_when", &mut field.null_when.iter())?;
        let (step, seen_as) = if let Some(codes) = &field.codes {
            let keys = texts("codes", &mut codes.iter().map(|(key, _)| key))?;
            column.codes(keys, codes)?
        } else if let Some(of) = &field.public_id {
            (column.public_id(of)?, SqlType::Text)
        } else if field.parse.is_some() {
            column.parse()?
        } else if let Some(digits) = field.decimals {
            (column.decimals(digits)?, SqlType::Numeric)
        } else {
            column.unchanged()?
        };
        Ok(Self {
            padding: padding(sql_type),
            null_when,
            step,
            sql_type: seen_as,
            uncovered: Vec::new(),
        })
    }
}

/// A field and the type it stands on.
struct Declared<'d> {
    field: &'d Field,
    sql_type: &'d SqlType,
    type_text: &'d str,
}

impl Declared<'_> {
    fn refuse_mixtures(&self) -> Result<(), FormProblem> {
        let field = self.field;
        let options = [
            ("codes", field.codes.is_some()),
            ("parse", field.parse.is_some()),
            ("decimals", field.decimals.is_some()),
            ("zone", field.zone.is_some()),
            ("as", field.published_as.is_some()),
            ("public_id", field.public_id.is_some()),
        ];
        let given: Vec<&str> = options
            .iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| *name)
            .collect();
        match given.as_slice() {
            [] | [_] | ["parse", "zone"] | ["parse" | "decimals" | "zone", "as"] | ["parse", "zone", "as"] => {}
            [first, second, ..] => {
                return problem(
                    format!("{first} and {second} do not go together"),
                    "leave one of them out",
                );
            }
        }
        if field.codes.is_none() && field.on_unknown != OnUnknown::Halt {
            return problem("on_unknown without codes", "add codes, or leave on_unknown out");
        }
        Ok(())
    }

    /// A text that is to be compared with the column's: refused where no value of the type is spelt so.
    fn checked_text(&self, word: &str, text: &str) -> Result<Vec<u8>, FormProblem> {
        let spelt = match self.sql_type {
            SqlType::Int2 | SqlType::Int4 | SqlType::Int8 => text.parse::<i64>().is_ok_and(|n| n.to_string() == text),
            SqlType::Bool => matches!(text, "t" | "f" | "true" | "false"),
            SqlType::Date => is_infinite(text) || text.len() >= 10,
            SqlType::Timestamp => is_infinite(text) || text.len() >= 19,
            SqlType::TimestampTz => is_infinite(text) || text.contains("+00"),
            SqlType::Bytea => text.starts_with("\\x"),
            SqlType::Text | SqlType::Bpchar | SqlType::Enum(_) | SqlType::Array(_) | SqlType::Other(_) => true,
            SqlType::Float4 | SqlType::Float8 | SqlType::Numeric | SqlType::Uuid | SqlType::Json => true,
            SqlType::Time | SqlType::TimeTz | SqlType::Interval => true,
        };
        if !spelt {
            let hint = if *self.sql_type == SqlType::TimestampTz {
                "write it as the session in UTC shows it: 9999-12-31 00:00:00+00"
            } else if *self.sql_type == SqlType::Timestamp {
                "write it as PostgreSQL shows it: 9999-12-31 00:00:00"
            } else {
                "write it as PostgreSQL shows a value of this type"
            };
            return problem(format!("{word}: no {} is spelt {text:?}", self.type_text), hint);
        }
        Ok(column_text(text, self.sql_type).as_bytes().to_vec())
    }

    fn codes(&self, keys: Vec<Vec<u8>>, codes: &[(String, CodeValue)]) -> Result<(Step, SqlType), FormProblem> {
        if !has_codes(self.sql_type) {
            return problem(format!("codes do not go with {}", self.type_text), "");
        }
        let mut table = Vec::with_capacity(codes.len());
        for (key, (_, value)) in keys.into_iter().zip(codes) {
            table.push((key, code(value)?));
        }
        table.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some([(twice, _), _]) = table.array_windows::<2>().find(|[(a, _), (b, _)]| a == b) {
            let twice = String::from_utf8_lossy(twice);
            return problem(
                format!("codes: {twice:?} stands twice"),
                "padding of char(n) is no part of a code",
            );
        }
        let raw = self.field.on_unknown == OnUnknown::Raw;
        let seen_as = match table.first() {
            Some((_, Code::Bool(_))) if !raw && table.iter().all(|(_, c)| matches!(c, Code::Bool(_))) => SqlType::Bool,
            Some((_, Code::Number(_))) if !raw && table.iter().all(|(_, c)| matches!(c, Code::Number(_))) => {
                SqlType::Numeric
            }
            Some(_) | None => SqlType::Text,
        };
        let unknown = match self.field.on_unknown {
            OnUnknown::Halt => Unlisted::Halt,
            OnUnknown::Null => Unlisted::Null,
            OnUnknown::Raw => Unlisted::Raw(Box::new(plain(self.sql_type, &Reading::Local))),
        };
        Ok((Step::Codes(Codes { table, unknown }), seen_as))
    }

    fn parse(&self) -> Result<(Step, SqlType), FormProblem> {
        let Some(text) = &self.field.parse else {
            return problem("parse is not given", "");
        };
        let textual = matches!(self.sql_type, SqlType::Text | SqlType::Bpchar | SqlType::Other(_));
        if !textual && !self.is_whole_number() {
            return problem(
                format!("parse does not go with {}", self.type_text),
                "it reads texts and integers",
            );
        }
        let pattern = Pattern::compile(&text.text)?;
        if pattern.is_date() {
            if self.field.zone.is_some() {
                return problem(
                    "zone does not go with a pattern that has no time of day",
                    "leave zone out",
                );
            }
            if let Some(as_ @ (PublishedAs::Number | PublishedAs::EpochMs)) = self.field.published_as {
                return problem(format!("as = {:?} does not go with a date", as_word(as_)), "");
            }
            let reading = Reading::Local;
            let telling = Telling::Iso;
            return Ok((Step::Parse(pattern, Instants { reading, telling }), SqlType::Date));
        }
        let (instants, seen_as) = self.zoned()?;
        Ok((Step::Parse(pattern, instants), seen_as))
    }

    fn decimals(&self, digits: u32) -> Result<Step, FormProblem> {
        if !self.is_whole_number() {
            return problem(
                format!("decimals does not go with {}", self.type_text),
                "it is for integers that count fractions",
            );
        }
        let places = usize::try_from(digits).unwrap_or(usize::MAX);
        match self.field.published_as {
            _ if digits > DECIMALS_MAX => problem(format!("decimals = {digits} is more than {DECIMALS_MAX}"), ""),
            None | Some(PublishedAs::Text) => Ok(Step::Decimals(places, Numbers::Text)),
            Some(PublishedAs::Number) => Ok(Step::Decimals(places, Numbers::Number)),
            Some(PublishedAs::EpochMs) => problem("as = \"epoch_ms\" does not go with decimals", ""),
        }
    }

    fn public_id(&self, of: &IdOf) -> Result<Step, FormProblem> {
        if !has_ids(self.sql_type) {
            return problem(
                format!("public_id does not go with {}", self.type_text),
                "it stands for a whole number, a text, a uuid or a date",
            );
        }
        let Some(id) = &of.id else {
            return problem(
                format!("the secret of public_id.{} could not be read", of.name.text),
                "let `env`, `file` or `command` under `secret` name where it is",
            );
        };
        let zeros = if *self.sql_type == SqlType::Numeric {
            Zeros::Dropped
        } else {
            Zeros::Kept
        };
        Ok(Step::PublicId(Arc::clone(id), zeros))
    }

    fn is_whole_number(&self) -> bool {
        let whole_numeric = *self.sql_type == SqlType::Numeric && self.type_text.ends_with(",0)");
        whole_numeric || matches!(self.sql_type, SqlType::Int2 | SqlType::Int4 | SqlType::Int8)
    }

    /// A timestamp without zone: `zone` says where its clock hangs.
    fn zoned(&self) -> Result<(Instants, SqlType), FormProblem> {
        let Some(zone) = &self.field.zone else {
            return problem(
                "zone is required for a timestamp without time zone",
                "add zone = \"Europe/Berlin\" (where the clock hung), or zone = \"none\" to publish local time",
            );
        };
        let reading = reading(&zone.text)?;
        let seen_as = match reading {
            Reading::Local => SqlType::Timestamp,
            Reading::Zone(_) | Reading::Utc => SqlType::TimestampTz,
        };
        let telling = match (self.field.published_as, &reading) {
            (None | Some(PublishedAs::Text), _) => Telling::Iso,
            (Some(PublishedAs::EpochMs), Reading::Zone(_) | Reading::Utc) => Telling::EpochMs,
            (Some(PublishedAs::EpochMs), Reading::Local) => {
                return problem("as = \"epoch_ms\" does not go with zone = \"none\"", "name the zone");
            }
            (Some(PublishedAs::Number), _) => {
                return problem("as = \"number\" does not go with a timestamp", "use as = \"epoch_ms\"");
            }
        };
        Ok((Instants { reading, telling }, seen_as))
    }

    /// The column as its type is published, or as `as` says.
    fn unchanged(&self) -> Result<(Step, SqlType), FormProblem> {
        if *innermost(self.sql_type) == SqlType::Timestamp {
            let (instants, seen_as) = self.zoned()?;
            if *self.sql_type == SqlType::Timestamp {
                return Ok((Step::Instant(instants), seen_as));
            }
            if self.field.published_as.is_none() {
                return Ok((plain(self.sql_type, &instants.reading), self.sql_type.clone()));
            }
        } else if self.field.zone.is_some() {
            let message = format!("zone does not go with {}", self.type_text);
            return problem(message, "it is for timestamp without time zone; leave it out");
        }
        let Some(as_) = self.field.published_as else {
            return Ok((plain(self.sql_type, &Reading::Local), self.sql_type.clone()));
        };
        let step = match (as_, self.sql_type) {
            (PublishedAs::Number, SqlType::Int2 | SqlType::Int4 | SqlType::Int8) => Step::Number,
            (PublishedAs::Number, SqlType::Numeric | SqlType::Float4 | SqlType::Float8) => Step::NumberOrSpecial,
            (PublishedAs::EpochMs, SqlType::TimestampTz) => Step::Instant(Instants {
                reading: Reading::Utc,
                telling: Telling::EpochMs,
            }),
            (PublishedAs::Text, SqlType::Bool) => Step::BoolText,
            (PublishedAs::Text, SqlType::Int2 | SqlType::Int4 | SqlType::Int8 | SqlType::Float4 | SqlType::Float8) => {
                Step::Ascii
            }
            (PublishedAs::Text, SqlType::Json) => Step::Text,
            (PublishedAs::Text, SqlType::Array(_) | SqlType::Bytea)
            | (PublishedAs::Number | PublishedAs::EpochMs, _) => {
                return problem(
                    format!("as = {:?} does not go with {}", as_word(as_), self.type_text),
                    "leave as out",
                );
            }
            (PublishedAs::Text, _) => plain(self.sql_type, &Reading::Local),
        };
        Ok((step, self.sql_type.clone()))
    }
}

fn code(value: &CodeValue) -> Result<Code, FormProblem> {
    match value {
        CodeValue::Text(text) => Ok(Code::Text(text.as_bytes().to_vec())),
        CodeValue::Bool(value) => Ok(Code::Bool(*value)),
        CodeValue::Number(spelling) if serde_json::from_str::<serde_json::Number>(spelling).is_ok() => {
            Ok(Code::Number(spelling.as_bytes().to_vec()))
        }
        CodeValue::Number(spelling) => {
            problem(format!("codes: {spelling:?} is no JSON number"), "write it as a string")
        }
    }
}

fn reading(zone: &str) -> Result<Reading, FormProblem> {
    if zone == "none" {
        return Ok(Reading::Local);
    }
    if let Ok(zone) = TimeZone::get(zone) {
        return Ok(Reading::Zone(zone));
    }
    let names = db().available().map(|name| name.to_string());
    let nearest = names.min_by_key(|name| strsim::damerau_levenshtein(&name.to_lowercase(), &zone.to_lowercase()));
    let hint = format!("use a name of the IANA list, such as {:?}", nearest.unwrap_or_default());
    problem(format!("zone: there is no time zone {zone:?}"), &hint)
}

fn is_infinite(text: &str) -> bool {
    text == "infinity" || text == "-infinity"
}

fn as_word(published_as: PublishedAs) -> &'static str {
    match published_as {
        PublishedAs::Text => "text",
        PublishedAs::Number => "number",
        PublishedAs::EpochMs => "epoch_ms",
    }
}
