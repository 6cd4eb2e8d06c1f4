//! Words in names of tables and columns as legacy systems write them, and what they are called outside.

use crate::cli::init::guess::letters;
use crate::flow::table::quoted;
use crate::mapping::expression::is_reserved;

/// Parts of a name, in small letters of ASCII: `crtTs`, `CRT_TS` and `crt_ts` are the same two.
pub(crate) fn parts(name: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let begins = letter.is_uppercase() && before.is_lowercase();
        let is_part = letter.is_alphanumeric();
        if (begins || !is_part) && found.last().is_some_and(|part| !part.is_empty()) {
            found.push(String::new());
        }
        if is_part && let Some(last) = found.last_mut() {
            letter.to_lowercase().for_each(|small| letters::add(small, last));
        }
        before = letter;
    }
    found.retain(|part| !part.is_empty());
    found
}

/// Whether a name of SQL needs no quotes: it is of small letters, and no word of SQL's own.
pub(crate) fn is_simple(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !is_reserved(name)
}

/// A name as SQL takes it.
pub(crate) fn identifier(name: &str) -> String {
    if is_simple(name) { name.to_owned() } else { quoted(name) }
}

/// Short forms, and what they stand for.
const MEANT: [(&str, &str); 59] = [
    ("acc", "account"),
    ("act", "active"),
    ("addr", "address"),
    ("adr", "address"),
    ("amt", "amount"),
    ("bal", "balance"),
    ("cat", "category"),
    ("cd", "code"),
    ("cmp", "company"),
    ("cnt", "count"),
    ("co", "company"),
    ("crt", "created"),
    ("ctr", "country"),
    ("cur", "currency"),
    ("curr", "currency"),
    ("cust", "customer"),
    ("dept", "department"),
    ("descr", "description"),
    ("disc", "discount"),
    ("dlv", "delivery"),
    ("dt", "date"),
    ("emp", "employee"),
    ("exp", "express"),
    ("flg", "flag"),
    ("grp", "group"),
    ("inv", "invoice"),
    ("itm", "item"),
    ("lbl", "label"),
    ("lng", "language"),
    ("lin", "line"),
    ("ln", "line"),
    ("loc", "location"),
    ("mod", "modified"),
    ("nm", "name"),
    ("no", "number"),
    ("nr", "number"),
    ("num", "number"),
    ("ord", "order"),
    ("pay", "payment"),
    ("pmt", "payment"),
    ("pos", "position"),
    ("prc", "price"),
    ("prod", "product"),
    ("prt", "part"),
    ("qty", "quantity"),
    ("ref", "reference"),
    ("shp", "shipment"),
    ("st", "status"),
    ("stat", "status"),
    ("sts", "status"),
    ("sup", "supplier"),
    ("tot", "total"),
    ("tp", "type"),
    ("ts", "at"),
    ("typ", "type"),
    ("txt", "text"),
    ("upd", "updated"),
    ("usr", "user"),
    ("whs", "warehouse"),
];

fn meant(part: &str) -> &str {
    MEANT
        .iter()
        .find(|(short, _)| *short == part)
        .map_or(part, |(_, long)| long)
}

/// Ends of names of tables that say nothing of the thing.
const NOISE: [&str; 12] = [
    "hdr", "head", "header", "tbl", "tab", "table", "mst", "mstr", "master", "dat", "data", "rec",
];

/// Ends of names of columns that say how a value is kept, which it no longer is outside.
const KEPT: [&str; 9] = ["ct", "cts", "cent", "cents", "flg", "flag", "fl", "yn", "kz"];

fn capital(part: &str) -> String {
    let mut letters = part.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// One of many: `orders` is `order`, `addresses` is `address`, `categories` is `category`.
fn singular(part: &str) -> String {
    for (end, one) in [("ies", "y"), ("sses", "ss"), ("ss", "ss"), ("us", "us"), ("s", "")] {
        if let Some(stem) = part.strip_suffix(end)
            && stem.len() > 2
        {
            return format!("{stem}{one}");
        }
    }
    part.to_owned()
}

/// What a row of this table is called: `ord_hdr` is `Order`.
pub(crate) fn entity(table: &str) -> String {
    let mut found = parts(table);
    let is_noise = |part: &String| NOISE.contains(&part.as_str()) || part == "t";
    let telling: Vec<String> = found.iter().filter(|part| !is_noise(part)).cloned().collect();
    if !telling.is_empty() {
        found = telling;
    }
    let count = found.len();
    let word = |(at, part): (usize, &String)| {
        let long = meant(part);
        capital(&if at + 1 == count {
            singular(long)
        } else {
            long.to_owned()
        })
    };
    let name: String = found.iter().enumerate().map(word).collect();
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name,
        _ => format!("Row{name}"),
    }
}

/// What a column is called outside; `prefix` is what all columns of its table begin with.
pub(crate) fn field(column: &str, prefix: Option<&str>) -> String {
    let mut found = parts(column);
    let is_prefixed = prefix.is_some() && found.first().map(String::as_str) == prefix;
    if is_prefixed && found.len() > 1 {
        found.remove(0);
    }
    if found.len() > 1 && found.last().is_some_and(|last| KEPT.contains(&last.as_str())) {
        found.pop();
    }
    let word = |(at, part): (usize, &String)| match at {
        0 => meant(part).to_owned(),
        _ => capital(meant(part)),
    };
    let name: String = found.iter().enumerate().map(word).collect();
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name,
        _ => format!("field{}", capital(&name)),
    }
}

/// What most columns of a table begin with, where they do.
pub(crate) fn prefix(columns: &[&str]) -> Option<String> {
    let firsts: Vec<String> = columns
        .iter()
        .map(|column| parts(column))
        .filter(|parts| parts.len() > 1)
        .filter_map(|parts| parts.into_iter().next())
        .collect();
    let first = firsts.first()?;
    let same = firsts.iter().filter(|one| *one == first).count();
    (columns.len() > 2 && same * 10 >= columns.len() * 7).then(|| first.clone())
}

/// The name in a topic: `OrderLine` is `order-lines`.
pub(crate) fn topic(entity: &str) -> String {
    let words = parts(entity).join("-");
    match words.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if words.ends_with('s') => format!("{words}es"),
        _ => format!("{words}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_spelt_out() {
        assert_eq!(parts("crt_ts"), parts("crtTs"));
        for (table, expected) in [
            ("ord_hdr", "Order"),
            ("customers", "Customer"),
            ("T_ORDER_POS", "OrderPosition"),
            ("categories", "Category"),
            ("tbl_addresses", "Address"),
            ("status", "Status"),
            ("2024", "Row2024"),
            ("Aufträge", "Auftraege"),
            ("注文", "Row"),
        ] {
            assert_eq!(entity(table), expected, "{table}");
        }
        for (column, expected) in [
            ("tot_ct", "total"),
            ("CRT_TS", "createdAt"),
            ("exp_fl", "express"),
            ("id", "id"),
            ("größe", "groesse"),
            ("2nd_größe", "field2ndGroesse"),
            ("注文", "field"),
        ] {
            assert_eq!(field(column, None), expected, "{column}");
        }
        assert_eq!(field("cust_nm", Some("cust")), "name");
        assert_eq!(field("cust", Some("cust")), "customer");
        assert_eq!(
            (topic("OrderLine"), topic("Category")),
            ("order-lines".to_owned(), "categories".to_owned())
        );
    }

    #[test]
    fn a_word_of_sql_is_a_name_in_quotes_only() {
        for (name, expected) in [
            ("st", "st"),
            ("user", "\"user\""),
            ("order", "\"order\""),
            ("Order No", "\"Order No\""),
        ] {
            assert_eq!(identifier(name), expected);
        }
    }

    #[test]
    fn what_most_columns_begin_with_is_no_part_of_their_names() {
        assert_eq!(prefix(&["kd_nr", "kd_name", "kd_ort", "lkz"]).as_deref(), Some("kd"));
        assert_eq!(prefix(&["id", "ord_no", "crt_ts", "tot_ct"]), None);
    }
}
