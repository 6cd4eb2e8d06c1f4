//! Passwords in `url`, also where their characters mean something else there.

use super::{GOOD, bad, good};

#[test]
fn a_password_with_characters_of_addresses_is_shown_nowhere() {
    for login in [
        "a/hunter2",
        "hunter2/1",
        "12/hunter2",
        "a?hunter2",
        "a?hunter2=1",
        "a?b=1&hunter2=3",
        "a?sslmode=hunter2",
        "a#hunter2",
        "a@b/hunter2",
        "a@1/hunter2%",
    ] {
        let (findings, drawn) = bad("walbridge@", &format!("walbridge:{login}@"));
        let said = format!("{findings:?}");
        assert!(
            !drawn.contains("hunter2") && !said.contains("hunter2"),
            "{login}: {drawn}"
        );
        assert!(
            drawn.contains("a password, which must not be written here") && drawn.contains("password = { file = "),
            "{login}: {drawn}"
        );
    }
    let (findings, drawn) = bad("walbridge@", "walbridge:se/cret@");
    assert_eq!(findings.len(), 1, "{drawn}");
    assert!(
        drawn.contains("/ ? # @") && drawn.contains("%2F %3F %23 %40") && drawn.contains("****"),
        "{drawn}"
    );
}

#[test]
fn an_at_sign_in_a_name_is_no_password() {
    let config = good(&GOOD.replace("legacy-db/shop", "legacy-db:5432/sh@p"));
    assert_eq!(config.source.login.database, "sh@p");
}
