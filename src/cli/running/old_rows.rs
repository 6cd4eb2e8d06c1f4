//! How far old rows are told, as a table.

use serde::Deserialize;

use crate::cli::columns::{Side, table};
use crate::telemetry::{Age, Grouped};

/// What `/status` says of one entity.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Line {
    pub(in crate::cli) entity: String,
    generation: Option<u32>,
    state: String,
    rows: u64,
    rows_estimate: Option<u64>,
    has_condition: bool,
    rows_per_second: Option<u64>,
    seconds_left: Option<u64>,
}

const TITLES: [&str; 7] = ["ENTITY", "GENERATION", "STATE", "ROWS", "OF ABOUT", "RATE", "LEFT"];
const SIDES: [Side; 7] = [
    Side::Left,
    Side::Right,
    Side::Left,
    Side::Right,
    Side::Right,
    Side::Right,
    Side::Right,
];
const NOTHING: &str = "-";

/// Draws it.
pub(in crate::cli) fn draw(lines: &[Line]) -> String {
    table(&TITLES, &SIDES, lines.iter().map(cells))
}

fn cells(line: &Line) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let estimate = line.rows_estimate.map(|rows| match line.has_condition {
        true => format!("some of {}", Grouped(rows)),
        false => Grouped(rows).to_string(),
    });
    vec![
        line.entity.clone(),
        or_nothing(line.generation.map(|number| number.to_string())),
        line.state.clone(),
        Grouped(line.rows).to_string(),
        or_nothing(estimate),
        or_nothing(line.rows_per_second.map(|rows| format!("{}/s", Grouped(rows)))),
        or_nothing(line.seconds_left.map(|seconds| format!("about {}", Age::of(seconds)))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let told = serde_json::json!([
            {"entity": "Order", "generation": 12, "state": "telling", "rows": 1_234_567, "rows_estimate": 2_000_000,
             "has_condition": false, "rows_per_second": 12_345, "seconds_left": 62},
            {"entity": "CustomerOfOld", "generation": null, "state": "never told", "rows": 0, "rows_estimate": null,
             "has_condition": false, "rows_per_second": null, "seconds_left": null},
            {"entity": "Quote", "generation": 2, "state": "paused", "rows": 7, "rows_estimate": 300,
             "has_condition": true, "rows_per_second": null, "seconds_left": null},
        ]);
        let lines: Vec<Line> = serde_json::from_value(told).unwrap();
        assert_eq!(
            draw(&lines),
            "ENTITY         GENERATION  STATE            ROWS     OF ABOUT      RATE             LEFT\n\
             Order                  12  telling     1,234,567    2,000,000  12,345/s  about 1 min 2 s\n\
             CustomerOfOld           -  never told          0            -         -                -\n\
             Quote                   2  paused              7  some of 300         -                -"
        );
    }
}
