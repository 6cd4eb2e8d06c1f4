//! What is said although a value is not known holds whatever the value is.

use walbridge::mapping::expression::{Expression, Truth};

use crate::random::{Random, Want};
use crate::world::{Row, Table, columns};
use crate::{CTYPE, here, number_of, seed};

const REPLACEMENTS: usize = 24;

fn value(random: &mut Random, pool: &[&str]) -> Option<String> {
    (!random.one_in(4)).then(|| random.pick(pool).replace("''", "'"))
}

fn row(random: &mut Random, table: &Table) -> Row {
    let values = table.0.iter().map(|column| value(random, column.pool)).collect();
    Row {
        values,
        hidden: Vec::new(),
    }
}

#[test]
fn what_is_said_of_an_unknown_value_holds_for_every_value() {
    let seed = seed();
    println!("seed {seed}");
    let (table, mut random) = (Table(columns()), Random(seed));
    let (mut decided, mut undecided) = (0, 0);
    for _ in 0..number_of("WALBRIDGE_TEST_BATCHES").unwrap_or(12) * 500 {
        let want = [Want::Condition, Want::Condition, Want::Number, Want::Text][random.below(4)];
        let depth = 1 + random.below(3);
        let text = random.expression(want, depth);
        let Ok(expression) = Expression::compile(&text, &table, CTYPE) else {
            continue;
        };
        let mut row = row(&mut random, &table);
        row.hidden = expression
            .slots()
            .iter()
            .copied()
            .filter(|_| random.one_in(2))
            .collect();
        let hidden = std::mem::take(&mut row.hidden);
        let said = here(
            &expression,
            &Row {
                hidden: hidden.clone(),
                ..row.clone()
            },
        );
        if hidden.is_empty() || said == "not known" {
            undecided += usize::from(!hidden.is_empty());
            continue;
        }
        decided += 1;
        for _ in 0..REPLACEMENTS {
            for &slot in &hidden {
                let slot = usize::from(slot);
                row.values[slot] = value(&mut random, table.0[slot].pool);
            }
            let truly = here(&expression, &row);
            let both_errors = said.starts_with("error") && truly.starts_with("error");
            assert!(
                said == truly || both_errors,
                "seed {seed}\n{text}\nsaid {said}, is {truly}\n{row:?}, not known {hidden:?}"
            );
        }
    }
    println!("seed {seed}: {decided} decided, {undecided} not");
    assert!(
        decided > 200 && undecided > 200,
        "seed {seed}: {decided} decided, {undecided} not"
    );
}

#[test]
fn a_part_that_is_not_known_matters_only_where_it_could() {
    let table = Table(columns());
    let told = |text: &str, b: Option<&str>| {
        let expression = Expression::compile(text, &table, CTYPE).unwrap();
        let mut values = vec![None; table.0.len()];
        values[0] = b.map(str::to_owned);
        // Everything but `b` is not known.
        let row = Row {
            values,
            hidden: (1..20).collect(),
        };
        expression.truth(&row).unwrap()
    };
    let cases = [
        ("b and b2", Some("f"), Truth::False),
        ("b2 and b", Some("f"), Truth::False),
        ("b and b2", Some("t"), Truth::Unknown),
        ("b and b2", None, Truth::Unknown),
        ("b or b2", Some("t"), Truth::True),
        ("b2 or b", Some("t"), Truth::True),
        ("b or b2", Some("f"), Truth::Unknown),
        ("b2 or b", None, Truth::Unknown),
        ("not b2", None, Truth::Unknown),
        ("b2 is null", None, Truth::Unknown),
        ("b2 is distinct from b", None, Truth::Unknown),
        ("i4 = 1", None, Truth::Unknown),
        ("i4 = null", None, Truth::Null),
        ("b = b2", None, Truth::Null),
        ("i4 = i4", None, Truth::Unknown),
        // With zero there, PostgreSQL would come to an error before it sees the second.
        ("1 / i4 = 1 and b", Some("f"), Truth::Unknown),
        ("b and 1 / i4 = 1", Some("f"), Truth::False),
        ("coalesce(b, b2)", Some("t"), Truth::True),
        ("coalesce(b2, b)", Some("t"), Truth::Unknown),
        ("case when b then true else b2 end", Some("t"), Truth::True),
        ("case when b2 then true else b end", Some("t"), Truth::Unknown),
        ("i4 in (1, 2)", None, Truth::Unknown),
        ("i4 between 1 and null", None, Truth::Unknown),
    ];
    for (text, b, truth) in cases {
        assert_eq!(told(text, b), truth, "{text} with b {b:?}");
    }
}
