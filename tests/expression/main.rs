//! Expressions against PostgreSQL itself: `WALBRIDGE_TEST_PG` is a superuser's URL.
//!
//! The same random expression on the same random rows has the same type, the same value or the same error here and
//! there, or is refused here. `WALBRIDGE_TEST_SEED` repeats a run, `WALBRIDGE_TEST_BATCHES` makes it longer.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a test says by a panic what went wrong, and by a line why it was skipped"
)]

mod letters;
mod random;
mod unknown;
mod world;

use std::time::{SystemTime, UNIX_EPOCH};

use walbridge::flow::catalog::SqlType;
use walbridge::mapping::expression::{EvaluationError, Expression, Truth, Written};

use random::{Random, Want};
use world::{Row, Table, ask, columns, connect, fill};

const ROWS: usize = 12;
const BATCH: usize = 250;
const CTYPE: &str = "C.UTF-8";

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "a seed that nobody chose")]
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    number_of("WALBRIDGE_TEST_SEED").unwrap_or(u64::from(now.subsec_nanos()))
}

/// What the server would say: `integer=5`, `integer` for null, `error 22012`.
fn here(expression: &Expression, row: &Row) -> String {
    let mut out = Vec::new();
    let written = expression.write(row, &mut out);
    if *expression.sql_type() == SqlType::Bool {
        let value = match (written, out.as_slice()) {
            (Ok(Written::Unknown), _) => Ok(Truth::Unknown),
            (Ok(Written::Null), _) => Ok(Truth::Null),
            (Ok(Written::Text), text) => Ok(if text == b"t" { Truth::True } else { Truth::False }),
            (Err(error), _) => Err(error),
        };
        assert_eq!(
            expression.truth(row),
            value,
            "a condition has two values: {expression:?} {row:?}"
        );
    }
    match written {
        Ok(Written::Unknown) => "not known".to_owned(),
        Ok(Written::Null) => type_name(expression.sql_type()).to_owned(),
        Ok(Written::Text) => {
            let text = String::from_utf8(out).unwrap();
            let text = match (expression.sql_type(), text.as_str()) {
                (SqlType::Bool, "t") => "true",
                (SqlType::Bool, "f") => "false",
                // The oracle's answer is a text.
                (SqlType::Bpchar, padded) => padded.trim_end_matches(' '),
                (_, text) => text,
            };
            format!("{}={text}", type_name(expression.sql_type()))
        }
        Err(error) => format!("error {}", state(error)),
    }
}

fn state(error: EvaluationError) -> &'static str {
    match error.0 {
        "division by zero" => "22012",
        "negative substring length not allowed" => "22011",
        "LIKE pattern must not end with escape character" => "22025",
        "cannot convert NaN or infinity to an integer" => "0A000",
        "invalid input syntax for the type" => "22P02",
        text if text.contains("out of range") || text.contains("overflow") => "22003",
        other => other,
    }
}

fn type_name(sql_type: &SqlType) -> &'static str {
    match sql_type {
        SqlType::Bool => "boolean",
        SqlType::Int2 => "smallint",
        SqlType::Int4 => "integer",
        SqlType::Int8 => "bigint",
        SqlType::Numeric => "numeric",
        SqlType::Float4 => "real",
        SqlType::Float8 => "double precision",
        SqlType::Text => "text",
        SqlType::Bpchar => "character",
        SqlType::Date => "date",
        SqlType::Timestamp => "timestamp without time zone",
        SqlType::TimestampTz => "timestamp with time zone",
        SqlType::Uuid => "uuid",
        SqlType::Enum(_) => "wb_e",
        _ => "another",
    }
}

/// The server's answer in the words of [`here`].
fn there(answer: &str) -> String {
    if let Some(error) = answer.strip_prefix("error ") {
        let state = error.split(' ').next().unwrap();
        // A date beyond a timestamp, a field of a date out of range: one class of errors.
        return format!("error {}", if state == "22008" { "22003" } else { state });
    }
    match answer.strip_prefix("character varying") {
        Some(rest) => format!("text{rest}"),
        None => answer.to_owned(),
    }
}

#[derive(Default, Debug)]
struct Tally {
    compiled: usize,
    refused: usize,
    refused_there_too: usize,
    values: usize,
    errors: usize,
    halted: usize,
}

fn judge(
    table: &Table,
    rows: &[Row],
    expressions: &[String],
    answers: &[Vec<String>],
    tally: &mut Tally,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (text, answers) in expressions.iter().zip(answers) {
        let refused_there = answers.iter().all(|answer| answer.starts_with("error"));
        let expression = match Expression::compile(text, table, CTYPE) {
            Err(error) => {
                assert!(
                    error.span.end <= text.len() && error.span.start <= error.span.end,
                    "{text}: {error:?}"
                );
                tally.refused += 1;
                tally.refused_there_too += usize::from(refused_there);
                if std::env::var("WALBRIDGE_TEST_SHOW").is_ok() && !refused_there {
                    println!("refused: {error}\n    {text}");
                }
                continue;
            }
            Ok(expression) => expression,
        };
        tally.compiled += 1;
        for (row, answer) in rows.iter().zip(answers) {
            let (mine, theirs) = (here(&expression, row), there(answer));
            if mine.starts_with("error") {
                tally.errors += 1;
            } else {
                tally.values += 1;
            }
            if mine.contains("more than 2000 places") {
                tally.halted += 1;
                continue;
            }
            if mine != theirs {
                let used: Vec<String> = expression
                    .slots()
                    .iter()
                    .map(|&slot| {
                        format!(
                            "{}={:?}",
                            table.0[usize::from(slot)].name,
                            row.values[usize::from(slot)]
                        )
                    })
                    .collect();
                wrong.push(format!(
                    "{text}\n   here:  {mine}\n   there: {answer}\n   where {}",
                    used.join(" ")
                ));
                break;
            }
        }
    }
    wrong
}

#[test]
fn an_expression_means_here_what_it_means_there() {
    let table = Table(columns());
    let Some(mut oracle) = connect(&table, "wb_expression") else {
        return;
    };
    let seed = seed();
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut tally = Tally::default();
    let mut wrong = Vec::new();
    for _ in 0..number_of("WALBRIDGE_TEST_BATCHES").unwrap_or(12) {
        let rows = fill(&mut oracle.sql, &table, &mut random, ROWS);
        let wants = [Want::Condition, Want::Condition, Want::Number, Want::Text, Want::Moment];
        let expressions: Vec<String> = (0..BATCH)
            .map(|_| {
                let (want, depth) = (wants[random.below(wants.len())], 1 + random.below(3));
                random.expression(want, depth)
            })
            .collect();
        let answers = ask(&mut oracle.sql, &expressions, ROWS);
        wrong.extend(judge(&table, &rows, &expressions, &answers, &mut tally));
    }
    println!("seed {seed}: {tally:?}");
    wrong.sort_by_key(String::len);
    assert!(
        wrong.is_empty(),
        "seed {seed}: {} differ\n{}",
        wrong.len(),
        wrong[..wrong.len().min(25)].join("\n")
    );
    assert!(tally.values > 1000 && tally.compiled > tally.refused, "{tally:?}");
}
