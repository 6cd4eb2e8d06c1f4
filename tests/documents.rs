//! What the documents say exists, and what exists is in the documents.

#![expect(clippy::expect_used, reason = "what is not there fails the test")]

use std::fs;
use std::path::Path;

use walbridge::telemetry::{Meters, Names};

#[path = "documents/image.rs"]
mod image;
#[path = "documents/messages.rs"]
mod messages;

/// Pages that show configs or lead elsewhere.
const PAGES: [&str; 16] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/config.md",
    "docs/consumers.md",
    "docs/contracts.md",
    "docs/messages.md",
    "docs/metrics.md",
    "docs/operations.md",
    "docs/public-ids.md",
    "docs/tutorial.md",
    "docs/operations/connections.md",
    "docs/operations/containers.md",
    "docs/operations/kafka.md",
    "docs/operations/roles.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// Files whose names end so, from the project's root; none where the folder is not there.
fn files_in(folder: &str, end: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(root().join(folder)) else {
        return found;
    };
    for entry in entries.flatten() {
        let inside = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(files_in(&inside, end));
        } else if inside.ends_with(end) {
            found.push(inside);
        }
    }
    found.sort();
    found
}

/// Names that do not stand in backquotes by themselves, or before what belongs to them (`name{label}`).
fn missing<'a>(names: impl IntoIterator<Item = &'a str>, text: &str) -> Vec<&'a str> {
    let stands = |name: &str| {
        let quoted = format!("`{name}");
        let ends = |(at, _): (usize, &str)| {
            let next = text[at + quoted.len()..].chars().next();
            next.is_some_and(|next| !next.is_alphanumeric() && !"_.-/".contains(next))
        };
        text.match_indices(&quoted).any(ends)
    };
    names.into_iter().filter(|name| !stands(name)).collect()
}

/// What stands in backquotes and begins so.
fn quoted<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|code| code.starts_with(start) && !code.contains('\n'))
        .collect()
}

#[test]
fn every_metric_is_documented() {
    let meters = Meters::new(&Names::default());
    let pages = page("docs/metrics.md");
    assert_eq!(
        missing(meters.names().iter().map(String::as_str), &pages),
        Vec::<&str>::new()
    );
}

#[test]
fn every_metric_in_the_documents_exists() {
    let meters = Meters::new(&Names::default());
    let text = page("docs/metrics.md");
    for name in quoted(&text, "walbridge_") {
        let bare = name.split('{').next().unwrap_or(name);
        let known = meters.names().iter().any(|known| known == bare) || bare.starts_with("walbridge_shop");
        assert!(known, "docs/metrics.md names {name}");
    }
}

#[test]
fn every_file_of_the_config_folder_is_mentioned() {
    let readme = page("README.md");
    let files = files_in("config", ".toml");
    assert_eq!(missing(files.iter().map(String::as_str), &readme), Vec::<&str>::new());
}

/// TOML as the pages show it, one text for each block.
fn snippets(text: &str) -> Vec<&str> {
    let blocks = text.split("```toml\n").skip(1);
    blocks.filter_map(|block| block.split("```").next()).collect()
}

/// What a config is refused for, or none.
fn refused(text: &str) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("walbridge.toml");
    fs::write(&path, text).expect("a file");
    let invalid = walbridge::config::load_offline(&path).err()?;
    let whats: Vec<&str> = invalid.findings.iter().map(|finding| finding.what.as_str()).collect();
    Some(whats.join("\n"))
}

#[test]
fn every_config_that_the_documents_show_loads() {
    let mut shown = 0;
    for path in PAGES {
        for snippet in snippets(&page(path)) {
            assert_eq!(refused(snippet), None, "{path}:\n{snippet}");
            shown += 1;
        }
    }
    assert!(shown > 0, "no page shows a config");
}

#[test]
fn every_file_of_the_config_folder_loads() {
    for name in files_in("config", ".toml")
        .iter()
        .filter(|name| !name.contains("/entities/"))
    {
        // A secret that is on no machine but the user's is a warning.
        let invalid = walbridge::config::load_offline(&root().join(name)).err();
        let errors = invalid.map(|invalid| invalid.findings);
        assert!(errors.is_none(), "{name}: {errors:?}");
    }
}

/// The config inside a manifest of Kubernetes: an indented block.
fn config_of(manifest: &str) -> Option<String> {
    let (before, after) = manifest.split_once("bridge.toml: |\n")?;
    let indent = before.rsplit('\n').next()?.len() + 2;
    let lines = after
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with(&" ".repeat(indent)));
    Some(
        lines
            .map(|line| line.get(indent..).unwrap_or(""))
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

#[test]
fn the_configs_of_the_containers_load() {
    let mut found = vec![("docker/bridge.toml".to_owned(), page("docker/bridge.toml"))];
    for name in files_in("docker/kubernetes", ".yaml") {
        let config = config_of(&page(&name)).unwrap_or_else(|| panic!("{name} shows no config"));
        found.push((name, config));
    }
    assert!(found.len() > 2, "{found:?}");
    for (name, text) in found {
        assert_eq!(refused(&text), None, "{name}");
    }
}

#[test]
fn the_demo_in_containers_has_the_mapping_of_the_demo() {
    let entities = |text: &str| {
        let table: toml::Table = text.parse().expect("TOML");
        table.get("entity").cloned().expect("entities")
    };
    let template = page("dev/demo.toml-template").replace("@CUSTOMER@", "\"cust_id\"");
    assert_eq!(entities(&page("docker/bridge.toml")), entities(&template));
}

/// Keys of a config that the program knows; names that the user gives are left out.
fn keys(table: &toml::Table, inside: &str, found: &mut Vec<String>) {
    for (key, value) in table {
        let is_name = ["entity", "fields", "events", "public_id"].contains(&inside);
        let is_key = !is_name && !["properties", "codes", "with", "transitions", "formerly"].contains(&inside);
        if is_key {
            found.push(key.clone());
        }
        if let Some(inner) = value.as_table().filter(|_| is_name || is_key) {
            let is_topic_property = inside == "topics" && (key == "state" || key == "events");
            let is_secret = inner.contains_key("file") || inner.contains_key("env");
            if !is_topic_property && !is_secret {
                keys(inner, if is_name { "one" } else { key }, found);
            }
        }
    }
}

/// Keys of the reference; a line that begins with `#~` shows one whose time has not come.
fn keys_of_the_reference() -> Vec<String> {
    let text = page("config/reference.toml");
    let mut found = Vec::new();
    keys(&text.parse().expect("TOML"), "", &mut found);
    for line in text.lines().filter_map(|line| line.strip_prefix("#~ ")) {
        let table: toml::Table = line.parse().expect("TOML");
        // `state` and `buyer` are fields that show a form.
        let is_shown = |key: &&String| !["unlisted", "buyer", "state", "public_id"].contains(&key.as_str());
        found.extend(table.keys().filter(is_shown).cloned());
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn every_key_of_the_config_is_documented() {
    let keys = keys_of_the_reference();
    assert!(keys.len() > 60, "{keys:?}");
    let text = page("docs/config.md");
    // Sections and what they hold: `[mirror]`, `[entity.NAME]`.
    let text = text
        .replace("`[", "`")
        .replace("entity.NAME.", "")
        .replace("entity.NAME", "entity");
    assert_eq!(missing(keys.iter().map(String::as_str), &text), Vec::<&str>::new());
}

#[test]
fn every_kind_of_secret_is_documented() {
    let schema: serde_json::Value = serde_json::from_str(&page("config/walbridge.schema.json")).expect("JSON");
    let kinds = schema["$defs"]["secret"]["anyOf"].as_array().expect("kinds of secrets");
    let names: Vec<&str> = kinds.iter().filter_map(|kind| kind["required"][0].as_str()).collect();
    assert_eq!(names.len(), kinds.len(), "{names:?}");
    let page = page("docs/config.md");
    let absent = names
        .into_iter()
        .filter(|name| !page.contains(&format!("`{{ {name} = ")));
    assert_eq!(absent.collect::<Vec<_>>(), Vec::<&str>::new(), "docs/config.md");
}

/// Links that lead out of no page: what is not there, as the page names it.
fn dead_links(path: &str, text: &str) -> Vec<String> {
    let folder = root().join(path);
    let folder = folder.parent().unwrap_or(root());
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    let inside = links.filter(|link| !link.contains("://") && !link.is_empty());
    inside
        .filter(|link| !folder.join(link).exists())
        .map(|link| format!("{path}: {link}"))
        .collect()
}

#[test]
fn every_page_and_script_that_a_page_names_exists() {
    for path in PAGES {
        let text = page(path);
        assert_eq!(dead_links(path, &text), Vec::<String>::new());
        for start in ["dev/", "docs/", "config/", "migrations/", "tests/", "src/"] {
            for code in quoted(&text, start) {
                let named = code.split(' ').next().unwrap_or(code);
                assert!(root().join(named).exists(), "{path} names {named}");
            }
        }
    }
}

#[test]
fn every_finding_that_the_documents_name_exists() {
    let sources: String = files_in("src", ".rs").iter().map(|path| page(path)).collect();
    let text = page("docs/operations.md");
    let mut named = 0;
    for start in ["source.", "kafka.", "row.", "mapping."] {
        for code in quoted(&text, start).into_iter().map(|code| code.trim_end_matches('…')) {
            assert!(
                sources.contains(&format!("\"{code}")),
                "docs/operations.md names {code}"
            );
            named += 1;
        }
    }
    assert!(named > 10, "{named}");
}

/// Commands as the README's table lists them: those that work, and those that are said to be missing yet.
fn commands(readme: &str) -> Vec<&str> {
    let named = quoted(readme, "walbridge ")
        .into_iter()
        .filter_map(|code| code.split(' ').nth(1));
    let mut words: Vec<&str> = named
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

#[test]
fn every_command_that_the_readme_names_exists() {
    let readme = page("README.md");
    let named = commands(&readme);
    assert!(
        named.contains(&"run") && named.contains(&"check") && named.contains(&"setup"),
        "{named:?}"
    );
    let Some(help) = help_of_the_program() else { return };
    for command in named {
        let shown = help.lines().any(|line| line.split_whitespace().next() == Some(command));
        assert!(shown, "README.md names `walbridge {command}`, and --help does not");
    }
}

/// What `--help` prints; none before there is a command line.
fn help_of_the_program() -> Option<String> {
    if !root().join("src/cli").exists() {
        return None;
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_walbridge"))
        .arg("--help")
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_rules_of_this_page_can_fail() {
    assert!(refused("[bridge]\nname = 1").is_some());
    assert_eq!(
        config_of("data:\n  bridge.toml: |\n    [a]\n\n    b = 1\n---\n"),
        Some("[a]\n\nb = 1".to_owned())
    );
    assert_eq!(snippets("```toml\na = 1\n```\n```sh\nls\n```\n"), ["a = 1\n"]);
    assert_eq!(missing(["a_total", "b"], "`a_total` and b"), ["b"]);
    assert_eq!(missing(["on", "lag"], "`on_error` and `lag{state}`"), ["on"]);
    assert_eq!(
        dead_links("docs/metrics.md", "[a](config.md#b) [c](gone.md) [d](https://e)"),
        ["docs/metrics.md: gone.md"]
    );
    assert_eq!(quoted("`dev/x` and `y`", "dev/"), ["dev/x"]);
    assert_eq!(
        commands("`walbridge run -c FILE`, `walbridge check`, `walbridge run`"),
        ["check", "run"]
    );
}
