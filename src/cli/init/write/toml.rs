//! Texts as TOML and the config's own rules take them.

use crate::flow::table::TableName;

/// A string of the config, where `${` would begin the name of a variable.
pub(super) fn quoted(text: &str) -> String {
    string(&text.replace("${", "$${"))
}

/// A key, bare where it may be.
pub(super) fn key(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if is_bare { name.to_owned() } else { string(name) }
}

/// JSON has the same escapes, and lets one letter through that TOML does not.
fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// What stands in a comment, which ends with its line.
pub(in crate::cli::init) fn remark(text: &str) -> String {
    let shown = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(shown).collect()
}

/// A table as `table` names it; none where it has no spelling there.
pub(super) fn table(name: &TableName) -> Option<String> {
    let part = |part: &str| match (part.contains('.') || part.starts_with('"'), part.contains('"')) {
        (true, true) => None,
        (true, false) => Some(format!("\"{part}\"")),
        (false, _) => Some(part.to_owned()),
    };
    Some(quoted(&format!("{}.{}", part(&name.schema)?, part(&name.name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_one_of_toml_and_no_variable() {
        for text in [
            "plain",
            "P ",
            "",
            "a\"b\\c",
            "line\nbreak",
            "bell\u{7}",
            "del\u{7f}",
            "größe",
        ] {
            let parsed: toml::Table = format!("{} = {}", key(text), quoted(text)).parse().unwrap();
            assert_eq!(parsed[text].as_str(), Some(text));
        }
        assert_eq!(quoted("${HOME}"), "\"$${HOME}\"");
        assert_eq!(remark("a\nb = 1"), "a\\nb = 1");
    }

    #[test]
    fn a_table_is_named_wherever_it_can_be() {
        let named = |name: &str| table(&TableName::new("s", name));
        assert_eq!(named("t").as_deref(), Some("\"s.t\""));
        assert_eq!(named("Odd.Name").as_deref(), Some("\"s.\\\"Odd.Name\\\"\""));
        assert_eq!(named("\"a.b"), None);
    }
}
