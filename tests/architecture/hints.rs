//! A command in a hint works as it is pasted: it names the config, and lacks nothing but the file's name.

use crate::pages::{Page, rust_in};

/// Commands that need a config.
const COMMANDS: [&str; 8] = [
    "backfill", "check", "explain", "preview", "recover", "run", "setup", "status",
];

/// What `init` writes into a config names the commands that follow, in its own comments.
const PROSE: &str = "src/cli/init/";

/// Where a command in a sentence ends.
const ENDS: [char; 8] = ['"', '`', ',', ';', ':', '(', ')', '\n'];

fn without_config(pages: &[Page]) -> Vec<String> {
    let mut wrong = Vec::new();
    for page in pages.iter().filter(|page| !page.path.starts_with(PROSE)) {
        for (number, line) in page.code() {
            for (at, _) in line.match_indices("walbridge ") {
                let told = &line[at..];
                let command = told.split(ENDS).next().unwrap_or(told);
                let word = command.split(' ').nth(1).unwrap_or_default();
                if COMMANDS.contains(&word) && !command.contains(" -c ") {
                    wrong.push(format!("{}:{number}: {command}", page.path));
                }
            }
        }
    }
    wrong
}

#[test]
fn commands_in_hints_name_the_config() {
    let wrong = without_config(&rust_in(&["src"]));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_rule_of_hints_can_fail() {
    let told = "// walbridge run\n.repair(\"walbridge recover: then\")\n\"as walbridge runs; walbridge run -c FILE\"\n";
    let wrong = without_config(&[Page::of("src/a.rs", told)]);
    assert_eq!(wrong, ["src/a.rs:2: walbridge recover"]);
}
