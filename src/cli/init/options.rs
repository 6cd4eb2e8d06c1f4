//! Repairs in the words of the command line: who begins has no config yet.

use crate::finding::Finding;

/// What a repair says of the config, and what it is here.
const CALLED: [(&str, &str); 7] = [
    (
        "password = { file = \"…\" } in [source]",
        "let PGPASSWORD hold the role's password",
    ),
    (
        "put the role's present password where `password` in [source] points",
        "let PGPASSWORD hold the role's present password",
    ),
    ("`url` of [source]", "the URL of --source"),
    ("`url` in [source]", "the URL of --source"),
    ("in `url`", "in the URL of --source"),
    ("as `root_cert` of [source]", "by --root-cert"),
    ("with --as URL", "in that URL"),
];

/// The same finding for who has no config.
pub(super) fn without_config(finding: Finding) -> Finding {
    let Some(repair) = finding.repair.clone() else {
        return finding;
    };
    let said = |repair: String, (key, here): &(&str, &str)| repair.replace(key, here);
    finding.repair(CALLED.iter().fold(repair, said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceError;
    use crate::source::postgres::sql::{password_missing, refusal, tls_unsupported};

    #[test]
    fn no_repair_sends_to_a_config_that_is_not_there() {
        for (error, says) in [
            (password_missing(), "let PGPASSWORD hold"),
            (refusal("28P01", "no"), "let PGPASSWORD hold"),
            (
                refusal("3D000", "no"),
                "name an existing database in the URL of --source",
            ),
            (
                refusal("42501", "no"),
                "grant the role of the URL of --source the right",
            ),
            (tls_unsupported(), "sslmode=disable in the URL of --source"),
        ] {
            let SourceError::Halt(finding) = error else {
                panic!("{error}")
            };
            let repair = without_config(*finding).repair.unwrap();
            assert!(repair.contains(says) && !repair.contains("[source]"), "{repair}");
        }
    }
}
