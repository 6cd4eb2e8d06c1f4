//! What a person is told whose mapping does not fit the database: the finding, its place and its repair.

use walbridge::config::{self, Colour, Sources, render};
use walbridge::finding::{Finding, Severity};
use walbridge::mapping::compile::{compile, syntax};
use walbridge::mapping::entity::Entity;

use crate::world::{HEAD, catalog};

/// A good entity; each case below spoils it in one place.
const GOOD: &str = r#"[entity.Order]
table = "public.ord"
where = "typ = 'S'"
key = "number"
state_topic = "orders"
event_topic = "order-events"
[entity.Order.fields]
number = "no"
status = { from = "sts", codes = { N = "placed", P = "paid" } }
total = { from = "ct", decimals = 2 }
[entity.Order.events]
OrderPaid = { on = "changes", when = "new.status = 'paid' and old.status is distinct from 'paid'" }
OrderRemoved = { on = "leaves" }
"#;

/// What a file declares.
fn entities(entity: &str) -> (Vec<Entity>, Sources) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("shop.toml");
    std::fs::write(&path, format!("{HEAD}{entity}")).expect("a file");
    let loaded = config::load_offline(&path).unwrap_or_else(|invalid| panic!("{:?}", invalid.findings));
    (loaded.config.entities, loaded.sources)
}

/// What is found, and as it is shown.
fn told(entity: &str) -> (Vec<Finding>, String) {
    let (entities, sources) = entities(entity);
    let findings = match compile(&entities, &catalog()) {
        Ok(compiled) => compiled.findings,
        Err(findings) => findings,
    };
    let shown: Vec<String> = findings.iter().map(|f| render(f, &sources, Colour::No)).collect();
    (findings, shown.join("\n"))
}

/// A spoiled entity gives exactly this error, and shows these words.
#[track_caller]
fn refuses(good: &str, spoiled: &str, code: &str, words: &[&str]) {
    assert!(GOOD.contains(good), "nothing to spoil: {good}");
    let (findings, shown) = told(&GOOD.replacen(good, spoiled, 1));
    let errors: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    assert!(
        errors.iter().any(|finding| finding.code == code),
        "no {code} in:\n{shown}"
    );
    for word in words {
        assert!(shown.contains(word), "no \"{word}\" in:\n{shown}");
    }
    assert!(
        errors.iter().all(|finding| finding.place.is_some()),
        "no place in:\n{shown}"
    );
    assert!(shown.contains("shop.toml:"), "no line in:\n{shown}");
}

#[test]
fn a_good_mapping_is_told_nothing() {
    let (findings, shown) = told(GOOD);
    assert!(findings.is_empty(), "{shown}");
}

#[test]
fn an_unknown_table_or_column_is_named_with_the_nearest() {
    refuses(
        "public.ord\"",
        "public.odr\"",
        "mapping.unknown_table",
        &["public.odr", "nearest is \"public.ord\""],
    );
    refuses(
        "from = \"ct\"",
        "from = \"ctt\"",
        "mapping.unknown_column",
        &["\"ctt\"", "nearest is \"ct\"", "^^^"],
    );
    refuses(
        "typ = 'S'",
        "typp = 'S'",
        "mapping.expression",
        &["\"typp\"", "nearest is \"typ\"", "^^^^"],
    );
    refuses(
        "public.ord\"",
        "public.view\"",
        "mapping.unpublishable",
        &["public.view", "view", "ALTER TABLE \"public\".\"view\" SET LOGGED;"],
    );
    refuses(
        "number = \"no\"",
        "number = \"no\"\nextra = { from = \"gen\" }",
        "mapping.generated",
        &["\"gen\"", "generated"],
    );
}

#[test]
fn an_expression_is_held_against_types_and_fields() {
    refuses(
        "new.status = 'paid'",
        "new.stat = 'paid'",
        "mapping.expression",
        &["\"stat\"", "nearest is \"status\""],
    );
    refuses(
        "new.status = 'paid'",
        "status = 'paid'",
        "mapping.expression",
        &["old.status", "new.status"],
    );
    refuses(
        "typ = 'S'",
        "frobnicate(typ) = 'S'",
        "mapping.expression",
        &["frobnicate", "^^^^^^^^^^"],
    );
    refuses("typ = 'S'", "ct = 'S'", "mapping.expression", &["bigint", "S"]);
    refuses("typ = 'S'", "typ = ct", "mapping.expression", &["text", "bigint"]);
    refuses("typ = 'S'", "ct + 1", "mapping.condition", &["not boolean"]);
    refuses("typ = 'S'", "typ < 'S'", "mapping.expression", &["collat"]);
}

#[test]
fn a_state_topic_needs_a_unique_key() {
    refuses(
        "public.ord\"",
        "public.bare\"",
        "mapping.key_not_unique",
        &["unique", "\"no\"", "overwrite"],
    );
    refuses(
        "number = \"no\"",
        "number = \"rmk\"",
        "mapping.key_not_unique",
        &["the key of Order is not proven unique and not null by public.ord"],
    );
}

#[test]
fn an_identity_that_gives_too_little_is_refused_with_the_statement() {
    let full = |table: &str| format!("ALTER TABLE \"public\".\"{table}\" REPLICA IDENTITY FULL;");
    refuses(
        "public.ord\"",
        "public.keyed\"",
        "mapping.identity",
        &[&full("keyed"), "\"typ\"", "\"sts\""],
    );
    refuses(
        "public.ord\"",
        "public.nothing\"",
        "mapping.identity",
        &[&full("nothing")],
    );
    refuses(
        "public.ord\"",
        "public.parted\"",
        "mapping.identity",
        &[&full("parted_2"), "public.parted_2"],
    );
}

#[test]
fn a_statement_is_shown_once_whatever_it_mends() {
    let (_, shown) = told(&GOOD.replacen("public.ord\"", "public.keyed\"", 1));
    let full = "ALTER TABLE \"public\".\"keyed\" REPLICA IDENTITY FULL;";
    assert_eq!(shown.matches(full).count(), 1, "{shown}");
}

#[test]
fn codes_that_do_not_cover_the_column_are_warned_of() {
    let (findings, shown) = told(&GOOD.replacen("N = \"placed\", ", "", 1));
    let found = findings
        .iter()
        .find(|finding| finding.code == "mapping.codes_uncovered");
    assert_eq!(
        found.map(|finding| finding.severity),
        Some(Severity::Warning),
        "{shown}"
    );
    assert!(
        shown.contains("do not cover what the column allows: N") && shown.contains("on_unknown"),
        "{shown}"
    );
}

#[test]
fn a_type_without_a_form_of_its_own_is_told_as_text_and_said_to_be() {
    let with = |field: &str| told(&GOOD.replacen("total =", &format!("{field}\ntotal ="), 1));
    let (findings, shown) = with("spot = \"pos\"");
    let found = findings.iter().find(|finding| finding.code == "mapping.as_text");
    assert_eq!(found.map(|finding| finding.severity), Some(Severity::Note), "{shown}");
    let words = "Order.spot is published as PostgreSQL writes it: point has no form of its own";
    assert!(
        shown.contains(words) && shown.contains("spot = \"pos\"\n   | ^^^^"),
        "{shown}"
    );
    let (findings, shown) = with("spot = { from = \"pos\", as = \"text\" }");
    assert!(findings.iter().all(|f| f.code != "mapping.as_text"), "{shown}");
}

#[test]
fn without_a_catalogue_expressions_are_parsed() {
    let parsed = |good: &str, spoiled: &str| {
        let (entities, sources) = entities(&GOOD.replacen(good, spoiled, 1));
        let found = syntax(&entities);
        let shown: Vec<String> = found.iter().map(|f| render(f, &sources, Colour::No)).collect();
        (found, shown.join("\n"))
    };
    assert_eq!(parsed("typ", "typ").0, []);
    for (good, spoiled, severity, words) in [
        ("typ = 'S'", "typ = ('S'", Severity::Error, "where = \"typ = ('S'\""),
        (
            "= 'paid' and",
            "= 'paid' and and",
            Severity::Error,
            "and and old.status",
        ),
        (
            "total =",
            "spot = \"trim(no\"\ntotal =",
            Severity::Warning,
            "letter by letter",
        ),
    ] {
        let (found, shown) = parsed(good, spoiled);
        let severities: Vec<Severity> = found.iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [severity], "{spoiled}: {shown}");
        assert!(shown.contains(words), "{spoiled}: {shown}");
    }
}

#[test]
fn a_form_that_does_not_fit_its_column_is_refused() {
    refuses(
        "from = \"ct\", decimals = 2",
        "from = \"no\", decimals = 2",
        "mapping.form",
        &["decimals", "text"],
    );
}

#[test]
fn everything_is_found_at_once() {
    let spoiled = GOOD
        .replacen("typ = 'S'", "typp = 'S'", 1)
        .replacen("from = \"ct\"", "from = \"ctt\"", 1);
    let second = GOOD
        .replace("Order", "Quote")
        .replace("public.ord\"", "public.odr\"")
        .replace("orders", "quotes");
    let (findings, shown) = told(&format!("{spoiled}{second}"));
    for code in ["mapping.expression", "mapping.unknown_column", "mapping.unknown_table"] {
        assert!(
            findings.iter().any(|finding| finding.code == code),
            "no {code} in:\n{shown}"
        );
    }
}
