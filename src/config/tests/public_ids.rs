//! `[public_id.…]`: where secrets come from, what is refused, and what another secret changes.

use crate::config::file::report::Secrets;
use crate::config::{Colour, Loaded, declarations, fingerprint, render};

use super::{GOOD, bad_files, written};

const SECRET: &str = "thirty-two bytes of a test's own.";

/// The good config with ids for its number.
fn with_ids() -> String {
    let ids = "[public_id.order]\nsecret = { file = \"id_key\" }\nform = \"ord_{base32:20}\"\n";
    GOOD.replace(
        "number = \"ord_no\"",
        "number = { from = \"ord_no\", public_id = \"order\" }",
    ) + ids
}

fn loaded(text: &str, secret: &str) -> Loaded {
    let loaded = written(&[("walbridge.toml", text), ("id_key", secret)], Secrets::Needed);
    loaded.map_err(|invalid| invalid.findings).unwrap()
}

/// What is found after a replacement, drawn.
fn refused(from: &str, to: &str) -> String {
    let text = with_ids();
    assert!(text.contains(from), "{from}");
    let text = text.replacen(from, to, 1);
    let (findings, drawn) = bad_files(&[("walbridge.toml", &text), ("id_key", SECRET)]);
    assert_eq!(findings.len(), 1, "{drawn}");
    assert!(!drawn.contains(SECRET), "{drawn}");
    drawn
}

#[test]
fn a_key_may_be_a_public_id() {
    let loaded = loaded(&with_ids(), SECRET);
    assert_eq!(loaded.warnings, []);
    let id = loaded.config.entities[0].fields[0].public_id.as_ref().unwrap();
    let mut minted = Vec::new();
    id.id.as_ref().unwrap().mint(b"4711", &mut minted);
    assert!(minted.starts_with(b"ord_") && minted.len() == 24);
    assert!(!format!("{:?}", loaded.config).contains(SECRET));
}

#[test]
fn what_is_wrong_with_ids_is_said_at_its_place() {
    let caret = |drawn: &str, line: &str, under: &str| {
        let lines: Vec<&str> = drawn.lines().collect();
        let at = lines.iter().position(|one| one.contains(line)).unwrap();
        let carets = lines[at + 1].matches('^').count();
        let starts = lines[at + 1].find('^');
        assert_eq!((carets, starts), (under.len(), lines[at].find(under)), "{drawn}");
    };
    let few = refused("{base32:20}", "{base32:15}");
    assert!(
        few.contains("form has {base32:15}, which is 75 bits and not the 80 it needs"),
        "{few}"
    );
    assert!(few.contains("hint: {base32:16} or more"), "{few}");
    caret(&few, "form = ", "{base32:15}");
    let unknown = refused("public_id = \"order\"", "public_id = \"ordr\"");
    assert!(
        unknown.contains("number names public_id ordr, which is not declared"),
        "{unknown}"
    );
    assert!(unknown.contains("did you mean `order`?"), "{unknown}");
    caret(&unknown, "number = {", "\"ordr\"");
    let literal = refused("{ file = \"id_key\" }", "\"hunter2\"");
    assert!(
        literal.contains("is a secret and must not be written here"),
        "{literal}"
    );
    assert!(!literal.contains("hunter2"), "{literal}");
    let cases = [
        ("form = \"ord_{base32:20}\"\n", "", "public_id.order.form is missing"),
        ("{base32:20}", "", "must hold one part in braces"),
        ("{base32:20}", "{base58:20}", "{base58:20}, which is no known part"),
        ("file = \"id_key\"", "file = \"gone\"", "cannot read the secret file"),
        ("form =", "frm =", "did you mean `form`?"),
        (
            "public_id = \"order\"",
            "public_id = \"order\", expose = \"printed\"",
            "leave one of them out",
        ),
    ];
    for (from, to, says) in cases {
        let drawn = refused(from, to);
        assert!(drawn.contains(says), "{says}\n{drawn}");
    }
    let twice = refused(
        "[public_id.order]",
        "[public_id.a-b]\nsecret = { file = \"id_key\" }\nform = \"{uuid}\"\n[public_id.order]",
    );
    assert!(
        twice.contains("must be a letter, then letters, digits and _"),
        "{twice}"
    );
}

#[test]
fn ids_may_stand_in_an_included_file_once() {
    let text = with_ids();
    let (main, ids) = text.split_at(text.find("[public_id").unwrap());
    let main = main.replace("name = \"shop\"", "name = \"shop\"\ninclude = [\"more/*.toml\"]");
    let files = [
        ("walbridge.toml", main.as_str()),
        ("more/ids.toml", ids),
        ("id_key", SECRET),
    ];
    let loaded = written(&files, Secrets::Needed)
        .map_err(|invalid| invalid.findings)
        .unwrap();
    assert!(
        loaded.config.entities[0].fields[0]
            .public_id
            .as_ref()
            .unwrap()
            .id
            .is_some()
    );
    let (_, drawn) = bad_files(&[files[0], files[1], ("more/ids2.toml", ids), files[2]]);
    assert!(
        drawn.contains("public_id order is declared twice: here and at"),
        "{drawn}"
    );
}

#[test]
fn a_secret_that_cannot_serve_is_named_without_being_shown() {
    let short = loaded(&with_ids(), "short\n");
    let drawn: String = short
        .warnings
        .iter()
        .map(|one| render(one, &short.sources, Colour::No))
        .collect();
    assert!(
        drawn.contains("has fewer than 16 bytes") && drawn.contains("openssl rand"),
        "{drawn}"
    );
    assert!(!drawn.contains("short\n"), "{drawn}");
    let (_, empty) = bad_files(&[("walbridge.toml", &with_ids()), ("id_key", "\n")]);
    assert!(
        empty.contains("holds no secret: it is empty") && empty.contains("put the secret there"),
        "{empty}"
    );
    let text = with_ids();
    let later = written(&[("walbridge.toml", &text)], Secrets::Later).map_err(|invalid| invalid.findings);
    let later = later.unwrap().config;
    let of = later.entities[0].fields[0].public_id.as_ref().unwrap();
    assert!(of.id.is_none(), "no ids without their secret");
}

#[test]
fn a_load_reads_the_secrets_that_it_is_for_and_runs_no_program_for_less() {
    let dir = tempfile::tempdir().unwrap();
    let program = |name: &str| {
        let ran = dir.path().join(name).display().to_string();
        format!("{{ command = [\"sh\", \"-c\", \"echo ran >> '{ran}'; echo 0123456789abcdef\"] }}")
    };
    let text = with_ids()
        .replace("{ file = \"id_key\" }", &program("ids"))
        .replace("[kafka]", &format!("password = {}\n[kafka]", program("password")))
        + "[http]\ntoken = { file = \"gone\" }\n";
    let text = text.replace("legacy-db/shop\"", "legacy-db/shop\"\nroot_cert = \"gone.pem\"");
    // What ran, what else was looked at and is not there, and whether ids can be minted.
    for (secrets, ran, looked, minted) in [
        (Secrets::Needed, vec!["ids", "password"], true, false),
        (Secrets::OfIds, vec!["ids"], true, true),
        (Secrets::Later, vec![], true, false),
        (Secrets::Unread, vec![], false, false),
    ] {
        let done = written(&[("walbridge.toml", &text)], secrets);
        let names = ["ids", "password"].into_iter();
        let seen: Vec<&str> = names
            .filter(|name| std::fs::remove_file(dir.path().join(name)).is_ok())
            .collect();
        assert_eq!(seen, ran, "{secrets:?}");
        let (found, config) = match done {
            Ok(loaded) => (loaded.warnings, Some(loaded.config)),
            Err(invalid) => (invalid.findings, None),
        };
        let codes: Vec<&str> = found.iter().map(|one| one.code).collect();
        let expected = ["config.root_cert", "config.secret"].map(|code| (code, looked));
        assert_eq!(
            expected.map(|(code, _)| (code, codes.contains(&code))),
            expected,
            "{secrets:?}: {found:?}"
        );
        assert_eq!(config.is_none(), secrets == Secrets::Needed, "{found:?}");
        let of = config.and_then(|config| config.entities[0].fields[0].public_id.clone());
        assert_eq!(of.is_some_and(|of| of.id.is_some()), minted, "{secrets:?}");
    }
}

#[test]
fn another_secret_or_form_is_another_mapping() {
    let of = |text: &str, secret: &str| {
        let config = loaded(text, secret).config;
        let declared = declarations(&config)["Order"].fields["number"].clone();
        (fingerprint(&config), declared)
    };
    let (first, told) = of(&with_ids(), SECRET);
    assert_eq!(
        (&first, &told),
        (&of(&with_ids(), SECRET).0, &of(&with_ids(), SECRET).1)
    );
    let (another, retold) = of(&with_ids(), "another secret of the test's own.");
    assert!(first != another && told != retold, "{told}");
    let (uuid, as_uuid) = of(&with_ids().replace("{base32:20}", "{uuid}"), SECRET);
    assert!(first != uuid && told != as_uuid, "{as_uuid}");
    assert!(
        told.contains("public_id = order, form = ord_{base32:20}, secret = (mark "),
        "{told}"
    );
    assert!(!told.contains(SECRET) && !first.contains(SECRET));
    let plain = fingerprint(&loaded(GOOD, SECRET).config);
    assert_ne!(plain, first);
}
