//! Every character there is, through `lower`, `upper`, and what counts characters.

use walbridge::mapping::expression::Expression;

use crate::world::{Row, Table, columns, connect};
use crate::{CTYPE, here};

#[test]
fn every_letter_changes_its_case_as_there() {
    let table = Table(columns());
    let Some(mut oracle) = connect(&table, "wb_letters") else {
        return;
    };
    let compiled = |text: &str| Expression::compile(text, &table, CTYPE).unwrap();
    let (lower, upper) = (compiled("lower(s)"), compiled("upper(s)"));
    let read = oracle
        .sql
        .simple(
            "SELECT n, lower(chr(n)), upper(chr(n)) FROM generate_series(1, 1114111) AS n \
             WHERE NOT n BETWEEN 55296 AND 57343 AND (chr(n) <> lower(chr(n)) OR chr(n) <> upper(chr(n)))",
        )
        .unwrap();
    let changed: std::collections::BTreeMap<u32, (String, String)> = read
        .into_iter()
        .map(|row| {
            let mut cells = row.into_iter().map(Option::unwrap);
            let mut next = || cells.next().unwrap();
            (next().parse().unwrap(), (next(), next()))
        })
        .collect();
    assert!(changed.len() > 2000);
    let at = table.0.iter().position(|column| column.name == "s").unwrap();
    let (mut wrong, mut new) = (Vec::new(), 0);
    for letter in (1..=0x0010_FFFF).filter_map(char::from_u32) {
        let own = letter.to_string();
        let (low, high) = changed
            .get(&u32::from(letter))
            .cloned()
            .unwrap_or((own.clone(), own.clone()));
        let mut values = vec![None; table.0.len()];
        values[at] = Some(own);
        let row = Row {
            values,
            hidden: Vec::new(),
        };
        for (expression, theirs) in [(&lower, low), (&upper, high)] {
            let mine = here(expression, &row);
            if mine.contains("version of Unicode") {
                new += 1;
                continue;
            }
            if mine != format!("text={theirs}") {
                wrong.push(format!("U+{:04X} here {mine}, there {theirs}", u32::from(letter)));
            }
        }
    }
    println!(
        "{} letters change their case, {new} are too new to be sure of",
        changed.len()
    );
    assert!(new < 400);
    assert!(
        wrong.is_empty(),
        "{} differ: {}",
        wrong.len(),
        wrong[..wrong.len().min(60)].join("\n")
    );
}
