//! Values as written: text with variables, numbers, sizes, lists, secrets.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use crate::mapping::entity::Located;
use crate::secret::{Revealed, Secret, Shape};

use super::report::{Report, Secrets};
use super::{Node, Section};

impl<'a> Node<'a> {
    fn wrong_type(&self, wanted: &str, report: &mut Report<'_>) {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let what = format!("{} must be {wanted}, not {found}", self.path());
        let finding = self.error("config.wrong_type", what);
        report.push(match (wanted, found) {
            ("a string", "a list") if self.path().ends_with(".brokers") => {
                finding.repair("one string, with commas between several: brokers = \"one:9092,two:9092\"")
            }
            ("a list", "a string") => finding.repair("square brackets around it: [\"…\"]"),
            _ => finding,
        });
    }

    /// The value as TOML has it.
    pub(in crate::config) fn raw(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    /// A table.
    pub(in crate::config) fn table(&self, report: &mut Report<'_>) -> Option<Section<'a>> {
        let table = self.value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type("a table", report);
        }
        Some(Section::new(self.file, self.path.clone(), self.key.clone(), table?))
    }

    /// A list's items; a value that is no list is a list of one.
    pub(in crate::config) fn one_or_more(&self) -> Vec<Node<'a>> {
        let Some(list) = self.value.get_ref().as_array() else {
            return vec![self.clone()];
        };
        list.iter()
            .enumerate()
            .map(|(index, value)| Node {
                file: self.file,
                path: format!("{}[{index}]", self.path),
                key: value.span(),
                value,
            })
            .collect()
    }

    /// A list's items.
    pub(in crate::config) fn list(&self, report: &mut Report<'_>) -> Vec<Node<'a>> {
        if self.value.get_ref().is_array() {
            return self.one_or_more();
        }
        self.wrong_type("a list", report);
        Vec::new()
    }

    /// A string, with its variables filled in.
    pub(in crate::config) fn string(&self, report: &mut Report<'_>) -> Option<String> {
        match self.value.get_ref().as_str() {
            Some(text) => self.expand(text, report),
            None => {
                self.wrong_type("a string", report);
                None
            }
        }
    }

    /// A string with something in it.
    pub(in crate::config) fn text(&self, report: &mut Report<'_>) -> Option<String> {
        let text = self.string(report)?;
        if text.trim().is_empty() {
            report.push(self.error("config.value", format!("{} is empty", self.path())));
            return None;
        }
        Some(text)
    }

    /// A string with something in it, with its place.
    pub(in crate::config) fn located(&self, report: &mut Report<'_>) -> Option<Located> {
        let text = self.text(report)?;
        Some(Located {
            text,
            place: self.place(),
        })
    }

    fn expand(&self, written: &str, report: &mut Report<'_>) -> Option<String> {
        let (mut out, mut rest, mut is_whole) = (String::new(), written, true);
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(escaped) = after.strip_prefix("${") {
                out.push_str("${");
                rest = escaped;
            } else if let Some(opened) = after.strip_prefix('{') {
                let Some((name, behind)) = opened.split_once('}') else {
                    let what = format!("{} has `${{` without `}}`", self.path());
                    report.push(
                        self.error("config.variable", what)
                            .repair("write `$${` for a literal `${`"),
                    );
                    return None;
                };
                match report.variable(name) {
                    Some(value) => out.push_str(&value),
                    None => {
                        let what = format!("the environment variable {name} is not set");
                        let finding = crate::finding::Finding {
                            place: Some(self.part(&format!("${{{name}}}"))),
                            ..self.error("config.variable", what)
                        };
                        report.push(finding.repair(format!("set {name}, or write `$${{` for a literal `${{`")));
                        is_whole = false;
                    }
                }
                rest = behind;
            } else {
                out.push('$');
                rest = after;
            }
        }
        out.push_str(rest);
        is_whole.then_some(out)
    }

    /// A boolean.
    pub(in crate::config) fn boolean(&self, report: &mut Report<'_>) -> Option<bool> {
        let found = self.value.get_ref().as_bool();
        if found.is_none() {
            self.wrong_type("true or false", report);
        }
        found
    }

    /// An integer within limits.
    pub(in crate::config) fn integer<T: TryFrom<i64>>(
        &self,
        limits: RangeInclusive<i64>,
        report: &mut Report<'_>,
    ) -> Option<T> {
        let Some(integer) = self.value.get_ref().as_integer() else {
            self.wrong_type("an integer", report);
            return None;
        };
        let found = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fits = found
            .filter(|number| limits.contains(number))
            .and_then(|number| T::try_from(number).ok());
        if fits.is_none() {
            let what = format!("{} must be from {} to {}", self.path(), limits.start(), limits.end());
            report.push(self.error("config.value", what));
        }
        fits
    }

    /// A size in bytes, such as `"64MiB"` or `"1MB"`, within limits.
    pub(in crate::config) fn size(&self, limits: RangeInclusive<usize>, report: &mut Report<'_>) -> Option<usize> {
        let text = self.text(report)?;
        let Some(size) = size(&text) else {
            let what = format!("{} is no size", self.path());
            report.push(
                self.error("config.value", what)
                    .repair("write a number and kB, MB, GB, KiB, MiB or GiB: \"64MiB\""),
            );
            return None;
        };
        if limits.contains(&size) {
            return Some(size);
        }
        let what = format!(
            "{} must be from {} to {}",
            self.path(),
            written(*limits.start()),
            written(*limits.end())
        );
        report.push(self.error("config.value", what));
        None
    }

    /// One of a few words.
    pub(in crate::config) fn word<T: Copy>(&self, known: &[(&str, T)], report: &mut Report<'_>) -> Option<T> {
        let text = self.string(report)?;
        let found = known
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, meaning)| *meaning);
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            let what = format!("{} cannot be {text:?}", self.path());
            report.push(
                self.error("config.value", what)
                    .repair(crate::finding::nearest_or_list(&text, &words)),
            );
        }
        found
    }

    /// A secret, by where it is kept; looked at once to see that it is there.
    pub(in crate::config) fn secret(&self, report: &mut Report<'_>) -> Option<Secret> {
        self.secret_as(Shape::OneLine, report)
    }

    /// As [`Node::secret`], of any shape.
    pub(in crate::config) fn secret_as(&self, shape: Shape, report: &mut Report<'_>) -> Option<Secret> {
        let secret = self.place_of_secret(report)?;
        let is_program = matches!(secret, Secret::Command(_));
        match report.secrets() {
            Secrets::Unread => {}
            Secrets::OfIds | Secrets::Later if is_program => {}
            Secrets::Needed | Secrets::OfIds | Secrets::Later => drop(self.reveal(&secret, shape, report)),
        }
        Some(secret)
    }

    /// A secret of public ids: where it is read, the secret itself.
    pub(in crate::config) fn secret_of_ids(&self, report: &mut Report<'_>) -> Option<Revealed> {
        let secret = self.place_of_secret(report)?;
        let is_program = matches!(secret, Secret::Command(_));
        match report.secrets() {
            Secrets::Unread => None,
            Secrets::Later if is_program => None,
            Secrets::Needed | Secrets::OfIds | Secrets::Later => self.reveal(&secret, Shape::OneLine, report),
        }
    }

    /// A secret that is a variable's whole text, written as `"${NAME}"`.
    pub(in crate::config) fn secret_of_variable(
        &self,
        name: &str,
        shape: Shape,
        report: &mut Report<'_>,
    ) -> Option<Revealed> {
        let found = self.string(report)?;
        let revealed = Revealed::of(&found, &crate::secret::variable(name), shape);
        revealed
            .map_err(|error| report.push(self.error("config.secret", error.to_string()).repair(error.repair())))
            .ok()
    }

    /// Where a secret is kept.
    fn place_of_secret(&self, report: &mut Report<'_>) -> Option<Secret> {
        if !self.value.get_ref().is_table() {
            let what = format!("{} is a secret and must not be written here", self.path());
            report.push_masked(
                self.error("config.secret_literal", what)
                    .because("config files are copied, committed and printed")
                    .repair(
                        "{ file = \"/run/secrets/NAME\" }, { env = \"NAME\" } or { command = [\"PROGRAM\", \"…\"] }",
                    ),
            );
            return None;
        }
        let mut section = self.table(report)?;
        let (env, file, command) = (section.take("env"), section.take("file"), section.take("command"));
        section.finish(report);
        match (env, file, command) {
            (Some(env), None, None) => Some(Secret::Env(env.text(report)?)),
            (None, Some(file), None) => {
                let written = file.text(report)?;
                Some(Secret::File(report.path(&written)))
            }
            (None, None, Some(command)) => Some(Secret::Command(command.words(report)?)),
            _ => {
                let what = format!("{} must name one place, `env`, `file` or `command`", self.path());
                report.push(self.error("config.secret", what));
                None
            }
        }
    }

    /// Reads a secret; one that cannot be read is a finding.
    fn reveal(&self, secret: &Secret, shape: Shape, report: &mut Report<'_>) -> Option<Revealed> {
        match secret.read_as(shape) {
            Ok(revealed) => Some(revealed),
            Err(error) => {
                report.push_unreadable(self.error("config.secret", error.to_string()).repair(error.repair()));
                None
            }
        }
    }

    /// A program and its arguments.
    fn words(&self, report: &mut Report<'_>) -> Option<Vec<String>> {
        let words: Vec<String> = self
            .list(report)
            .iter()
            .filter_map(|word| word.string(report))
            .collect();
        if words.first().is_none_or(String::is_empty) {
            let what = format!("{} names no program", self.path());
            report.push(
                self.error("config.value", what)
                    .repair("{ command = [\"program\", \"argument\"] }"),
            );
            return None;
        }
        Some(words)
    }
}

/// Bytes of a size as written.
fn size(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

/// A size as one would write it, in the largest unit that divides it.
fn written(bytes: usize) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fits = units.iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    fits.map_or_else(|| format!("{bytes}B"), |(unit, word)| format!("{}{word}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::{size, written};

    #[test]
    fn sizes_are_read_in_both_thousands() {
        let cases = [
            ("64MiB", Some(67_108_864)),
            ("1MB", Some(1_000_000)),
            ("10 kB", Some(10_000)),
            ("17", Some(17)),
            ("MiB", None),
            ("1.5MB", None),
            ("1 parsec", None),
            ("99999999999999GiB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn a_limit_is_written_as_one_would_write_it() {
        for (bytes, text) in [
            (33_554_432, "32MiB"),
            (68_719_476_736, "64GiB"),
            (1_536, "1536B"),
            (2_048, "2KiB"),
            (0, "0B"),
        ] {
            assert_eq!(written(bytes), text);
            assert_eq!(size(text), Some(bytes), "{text}");
        }
    }
}
