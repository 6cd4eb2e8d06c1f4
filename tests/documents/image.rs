//! What `docker/Dockerfile` needs: the compiler of the tests, and every file that the program is made of.

use crate::{files_in, page};

const DOCKERFILE: &str = "docker/Dockerfile";

/// Files that a source takes into the program, from the project's root.
fn taken(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["include_str!(\"", "include_bytes!(\""] {
        for (at, _) in text.match_indices(start) {
            let name = text[at + start.len()..].split('"').next().unwrap_or_default();
            let mut parts: Vec<&str> = path.split('/').collect();
            parts.pop();
            for part in name.split('/') {
                if part == ".." {
                    parts.pop();
                } else {
                    parts.push(part);
                }
            }
            found.push(parts.join("/"));
        }
    }
    found
}

/// Those of them that no line of the Dockerfile copies, by their own name or with their folder.
fn not_copied(dockerfile: &str, files: &[String]) -> Vec<String> {
    let lines = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    let copied: Vec<&str> = lines
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| {
            let mut names: Vec<&str> = line.split_whitespace().collect();
            names.pop();
            names
        })
        .collect();
    let is_copied = |file: &String| {
        let inside = |from: &str| file.strip_prefix(from).is_some_and(|rest| rest.starts_with('/'));
        copied.iter().any(|from| file == from || inside(from))
    };
    files.iter().filter(|file| !is_copied(file)).cloned().collect()
}

#[test]
fn the_image_has_every_file_that_the_program_is_made_of() {
    let sources = files_in("src", ".rs");
    // Files of tests are no part of the program.
    let of_the_program = sources.iter().filter(|path| !path.contains("tests"));
    let files: Vec<String> = of_the_program.flat_map(|path| taken(path, &page(path))).collect();
    assert!(files.iter().any(|file| file.starts_with("migrations/")), "{files:?}");
    assert_eq!(not_copied(&page(DOCKERFILE), &files), Vec::<String>::new());
}

#[test]
fn the_image_is_built_with_the_version_of_rust_that_the_tests_use() {
    let toolchain: toml::Table = page("rust-toolchain.toml").parse().expect("TOML");
    let channel = toolchain.get("toolchain").and_then(|table| table.get("channel"));
    let base = format!("/rust:{}-", channel.and_then(toml::Value::as_str).expect("a version"));
    assert!(
        page(DOCKERFILE).contains(&base),
        "{DOCKERFILE} is not built with {base}"
    );
}

#[test]
fn the_rule_of_copied_files_can_fail() {
    let text = "const A: &str = include_str!(\"../../b/c.sql\"); let d = include_bytes!(\"e.css\");";
    let files = taken("src/x/y.rs", text);
    assert_eq!(files, ["b/c.sql", "src/x/e.css"]);
    assert_eq!(
        not_copied("COPY src src\nCOPY b/c b/c\nCOPY --from=build b /\n", &files),
        ["b/c.sql"]
    );
    assert_eq!(not_copied("COPY src b ./\n", &files), Vec::<String>::new());
}
