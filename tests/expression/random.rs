//! Random numbers from a seed, and random expressions made of them.

use crate::world::columns;
use walbridge::flow::catalog::SqlType;

/// splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.below(from.len())]
    }
}

/// What an expression is to be, roughly: the compiler may still refuse it, and so may PostgreSQL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Condition,
    Number,
    Text,
    Moment,
    Other,
}

const COMPARISONS: &[&str] = &["=", "<>", "<", "<=", ">", ">=", "!="];
const NUMBER_TYPES: &[&str] = &[
    "int2",
    "int",
    "bigint",
    "numeric",
    "numeric(6,2)",
    "numeric(12)",
    "real",
    "float8",
    "smallint",
    "double precision",
];
const TEXT_TYPES: &[&str] = &["text", "varchar", "varchar(2)", "char(3)", "varchar(4)"];
const PATTERNS: &[&str] = &[
    "'a%'", "'%b%'", "'_'", "'%'", "''", "'a_c'", "'x\\%y'", "'%\\'", "'_%'", "'%a%b%'", "'Ä%'", "'__ '", "s", "v",
];

impl Random {
    fn column(&mut self, want: Want) -> String {
        let fitting: Vec<&'static str> = columns()
            .iter()
            .filter(|column| {
                want == match column.sql_type {
                    SqlType::Bool => Want::Condition,
                    SqlType::Text | SqlType::Bpchar => Want::Text,
                    SqlType::Date | SqlType::Timestamp | SqlType::TimestampTz => Want::Moment,
                    SqlType::Uuid | SqlType::Enum(_) => Want::Other,
                    _ => Want::Number,
                }
            })
            .map(|column| column.name)
            .collect();
        self.pick(&fitting).to_owned()
    }

    fn literal(&mut self, want: Want) -> String {
        let texts: &[&str] = match want {
            Want::Condition => &["true", "false", "null", "'t'", "bool 'yes'"],
            Want::Number => &[
                "0",
                "1",
                "-1",
                "2",
                "10",
                "1.5",
                "0.1",
                "2147483647",
                "-2147483648",
                "2147483648",
                "9223372036854775807",
                "100000000000000000000",
                "1e3",
                "'5'",
                "null",
                "3",
                "7",
                "numeric '1.50'",
                "float8 '2.5'",
                "(-3)",
                "- 4",
            ],
            Want::Text => &[
                "''", "'a'", "'ab'", "' a '", "'100'", "null", "'Ä'", "'abc  '", "text 'x'", "'it''s'", "'b'",
            ],
            Want::Moment => &[
                "date '2026-01-31'",
                "'2000-01-01'",
                "timestamp '2024-02-29 00:00:00'",
                "null",
                "'infinity'",
                "timestamptz '2026-01-31 12:00:00+01'",
                "date '1999-12-31'",
                "'2026-01-31 12:34:56.789'",
            ],
            Want::Other => &["'new'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "null", "'Sent'"],
        };
        self.pick(texts).to_owned()
    }

    /// A part of an expression: in parentheses, or bare where precedence is to be found out.
    fn part(&mut self, want: Want, depth: usize) -> String {
        let text = self.expression(want, depth);
        if self.one_in(4) { text } else { format!("({text})") }
    }

    pub fn expression(&mut self, want: Want, depth: usize) -> String {
        if depth == 0 || self.one_in(5) {
            return if self.one_in(4) {
                self.literal(want)
            } else {
                self.column(want)
            };
        }
        let depth = depth - 1;
        match (want, self.below(10)) {
            (_, 0) => self.case(want, depth),
            (_, 1) => {
                let (a, b) = (self.expression(want, depth), self.expression(want, depth));
                let call = self.pick(&["coalesce", "nullif", "coalesce"]);
                format!("{call}({a}, {b})")
            }
            (Want::Condition, _) => self.condition(depth),
            (Want::Number, _) => self.number(depth),
            (Want::Text, _) => self.text(depth),
            (Want::Moment, 2) => {
                let to = self.pick(&["date", "timestamp", "timestamptz"]);
                format!("{}::{to}", self.part(want, depth))
            }
            (Want::Moment | Want::Other, _) => self.column(want),
        }
    }

    fn case(&mut self, want: Want, depth: usize) -> String {
        let (a, b) = (self.expression(want, depth), self.expression(want, depth));
        if self.one_in(3) {
            let (of, x, y) = (
                self.part(Want::Number, depth),
                self.literal(Want::Number),
                self.column(Want::Number),
            );
            return format!("case {of} when {x} then {a} when {y} then {b} end");
        }
        let when = self.expression(Want::Condition, depth);
        if self.one_in(3) {
            format!("case when {when} then {a} end")
        } else {
            format!("case when {when} then {a} else {b} end")
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        let of = [
            Want::Number,
            Want::Number,
            Want::Text,
            Want::Text,
            Want::Moment,
            Want::Other,
            Want::Condition,
        ][self.below(7)];
        let not = self.pick(&["", "", "not "]);
        match self.below(18) {
            // What mappings are made of: a column against a constant.
            14..=16 => format!("{} {} {}", self.column(of), self.pick(COMPARISONS), self.literal(of)),
            17 => format!(
                "{} {not}in ({}, {})",
                self.column(of),
                self.literal(of),
                self.literal(of)
            ),
            0 | 1 => format!(
                "{} and {}",
                self.part(Want::Condition, depth),
                self.part(Want::Condition, depth)
            ),
            2 | 3 => format!(
                "{} or {}",
                self.part(Want::Condition, depth),
                self.part(Want::Condition, depth)
            ),
            4 => format!("not {}", self.part(Want::Condition, depth)),
            5 => {
                let what = self.pick(&["null", "null", "true", "false", "unknown"]);
                let of = if what == "null" { of } else { Want::Condition };
                format!("{} is {not}{what}", self.part(of, depth))
            }
            6 => format!(
                "{} is {not}distinct from {}",
                self.part(of, depth),
                self.part(of, depth)
            ),
            7 => {
                let items: Vec<String> = (0..=self.below(3)).map(|_| self.literal(of)).collect();
                format!("{} {not}in ({})", self.part(of, depth), items.join(", "))
            }
            8 => format!(
                "{} {not}in ({}, {})",
                self.part(of, depth),
                self.column(of),
                self.literal(of)
            ),
            9 => {
                let (low, high) = (self.part(of, depth), self.part(of, depth));
                format!("{} {not}between {low} and {high}", self.part(of, depth))
            }
            10 => format!("{} {not}like {}", self.part(Want::Text, depth), self.pick(PATTERNS)),
            11 => format!(
                "({}) collate \"C\" < {}",
                self.expression(Want::Text, depth),
                self.part(Want::Text, depth)
            ),
            _ => {
                let sign = self.pick(COMPARISONS);
                format!("{} {sign} {}", self.part(of, depth), self.part(of, depth))
            }
        }
    }

    fn number(&mut self, depth: usize) -> String {
        match self.below(12) {
            0..=4 => {
                let sign = self.pick(&["+", "-", "*", "/", "%", "*"]);
                format!(
                    "{} {sign} {}",
                    self.part(Want::Number, depth),
                    self.part(Want::Number, depth)
                )
            }
            5 => format!("- {}", self.part(Want::Number, depth)),
            6 => format!("abs({})", self.expression(Want::Number, depth)),
            7 => format!("round({})", self.expression(Want::Number, depth)),
            8 => format!(
                "round({}, {})",
                self.expression(Want::Number, depth),
                self.pick(&["0", "1", "-1", "3", "j4"])
            ),
            9 => format!("length({})", self.expression(Want::Text, depth)),
            10 => {
                let from = if self.one_in(2) { Want::Text } else { Want::Condition };
                format!("{}::{}", self.part(from, depth), self.pick(NUMBER_TYPES))
            }
            _ => format!("{}::{}", self.part(Want::Number, depth), self.pick(NUMBER_TYPES)),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        match self.below(11) {
            0 | 1 => {
                let other = [
                    Want::Text,
                    Want::Text,
                    Want::Number,
                    Want::Condition,
                    Want::Moment,
                    Want::Other,
                ][self.below(6)];
                format!("{} || {}", self.part(Want::Text, depth), self.part(other, depth))
            }
            2 => format!(
                "{}({})",
                self.pick(&["lower", "upper"]),
                self.expression(Want::Text, depth)
            ),
            3 => format!("trim({})", self.expression(Want::Text, depth)),
            4 => {
                let side = self.pick(&["both", "leading", "trailing"]);
                format!(
                    "trim({side} {} from {})",
                    self.part(Want::Text, 0),
                    self.expression(Want::Text, depth)
                )
            }
            5 => {
                let (from, length) = (
                    self.pick(&["1", "0", "-1", "2", "j4", "i4"]),
                    self.pick(&["1", "2", "j4", "0", "i4"]),
                );
                if self.one_in(2) {
                    format!("substr({}, {from})", self.expression(Want::Text, depth))
                } else {
                    format!(
                        "substring({} from {from} for {length})",
                        self.expression(Want::Text, depth)
                    )
                }
            }
            6 => format!(
                "replace({}, {}, {})",
                self.expression(Want::Text, depth),
                self.part(Want::Text, 0),
                self.part(Want::Text, 0)
            ),
            7 | 8 => {
                let of = [Want::Number, Want::Condition, Want::Moment, Want::Other, Want::Number][self.below(5)];
                format!("{}::text", self.part(of, depth))
            }
            _ => format!("{}::{}", self.part(Want::Text, depth), self.pick(TEXT_TYPES)),
        }
    }
}
