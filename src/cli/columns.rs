//! Tables that line up: columns as wide as what is in them, two spaces apart, the last one broken between words.

/// Between two columns.
const GAP: &str = "  ";
/// No column is broken to less than this, however narrow the terminal is.
const LAST_MIN: usize = 24;

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table with titles.
pub(super) fn table(titles: &[&str], sides: &[Side], rows: impl Iterator<Item = Vec<String>>) -> String {
    let titles = titles.iter().map(|title| (*title).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(titles).chain(rows).collect();
    lined_up(&rows, sides, usize::MAX).join("\n")
}

/// Lines of a table. A column without a side stands left; `width` is that of a whole line, in characters.
pub(super) fn lined_up(rows: &[Vec<String>], sides: &[Side], width: usize) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| letters(cell))
                .max()
        })
        .map(Option::unwrap_or_default)
        .collect();
    let before: usize = widths.iter().rev().skip(1).map(|width| width + GAP.len()).sum();
    let last = width.saturating_sub(before).max(LAST_MIN);
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let mut line = String::new();
        let mut rest: Vec<String> = Vec::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let is_last = column + 1 == columns;
            let padding = " ".repeat(width.saturating_sub(letters(cell)));
            match sides.get(column).copied().unwrap_or(Side::Left) {
                Side::Right => line.extend([&padding, cell.as_str()]),
                Side::Left if is_last => {
                    let mut broken = broken(cell, last).into_iter();
                    line.extend(broken.next());
                    rest.extend(broken);
                }
                Side::Left => line.extend([cell.as_str(), &padding]),
            }
            if !is_last {
                line.push_str(GAP);
            }
        }
        lines.push(line.trim_end().to_owned());
        lines.extend(rest.into_iter().map(|more| format!("{}{more}", " ".repeat(before))));
    }
    lines
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

/// A text in lines of at most so many characters, broken at blanks; a longer word has a line of its own.
pub(super) fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if letters(line) + 1 + letters(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Characters of a line on this terminal, or of a page.
pub(super) fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(terminal_size::Width(columns), _)| {
        usize::from(columns).clamp(60, 140)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[&[&str]]) -> Vec<Vec<String>> {
        cells
            .iter()
            .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
            .collect()
    }

    #[test]
    fn cells_line_up_and_the_last_is_broken_between_words() {
        let table = rows(&[
            &["FIELD", "ROWS", "IS"],
            &["größe", "1,000", "one of small, medium, large"],
            &["x", "7", ""],
        ]);
        assert_eq!(
            lined_up(&table, &[Side::Left, Side::Right], 20),
            [
                "FIELD   ROWS  IS",
                "größe  1,000  one of small, medium,",
                "              large",
                "x          7",
            ]
        );
    }

    #[test]
    fn a_word_that_is_too_long_stays_whole() {
        assert_eq!(broken("a verylongword b", 6), ["a", "verylongword", "b"]);
        assert_eq!(broken("", 6), Vec::<String>::new());
        assert_eq!(lined_up(&[], &[], 80), Vec::<String>::new());
    }
}
