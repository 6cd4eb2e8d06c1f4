//! What free text holds of people among other things: addresses of e-mail, phone numbers, bank accounts.

use crate::cli::init::guess::values::Seen;

/// Something in a text that leads to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// An address of e-mail.
    Email,
    /// A phone number.
    Phone,
    /// A number of a bank account (ISO 13616).
    Account,
}

impl Trace {
    /// What it is called, of many.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Email => "addresses of e-mail",
            Self::Phone => "phone numbers",
            Self::Account => "bank accounts",
        }
    }
}

/// Whether the words of a text hold it.
type Has = fn(&[&str]) -> bool;

/// Kinds, each with what knows it in a text, and in how many values it must be. Digits alone are a phone number by chance, too.
const KINDS: [(Trace, Has, usize); 3] = [
    (Trace::Email, has_email, 1),
    (Trace::Phone, has_phone, 2),
    (Trace::Account, has_account, 1),
];

/// What of this the values hold.
pub(crate) fn traces(seen: &Seen) -> Vec<Trace> {
    let mut found = [0_usize; KINDS.len()];
    for (value, count) in seen.values() {
        let words = words(value);
        for (found, (_, has, _)) in found.iter_mut().zip(KINDS) {
            *found += if has(&words) { count } else { 0 };
        }
    }
    let enough = KINDS.iter().zip(found).filter(|((_, _, least), found)| found >= least);
    enough.map(|((trace, ..), _)| *trace).collect()
}

/// Words of a text, without what stands around them; `Tel.:0171` is the number alone.
fn words(value: &str) -> Vec<&str> {
    let is_between = |letter: char| letter.is_whitespace() || "\"'<>[]{}|;,".contains(letter);
    let bare = |word: &'_ str| -> usize {
        let at = word
            .rfind([':', '='])
            .filter(|at| word.get(at + 1..).is_some_and(|rest| !rest.is_empty()));
        at.map_or(0, |at| at + 1)
    };
    value
        .split(is_between)
        .map(|word| word.trim_end_matches(['.', ':', '!', '?']))
        .filter_map(|word| word.get(bare(word)..))
        .filter(|word| !word.is_empty())
        .collect()
}

fn has_email(words: &[&str]) -> bool {
    words.iter().any(|word| {
        let word = word.trim_matches(['(', ')']);
        let Some((name, host)) = word.split_once('@') else {
            return false;
        };
        let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let is_top = |top: &str| top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_host = host.bytes().all(is_of_host) && !host.starts_with('.');
        !name.is_empty() && is_host && host.rsplit_once('.').is_some_and(|(_, top)| is_top(top))
    })
}

/// How many letters an account has, by country. Numbers of other things pass the sum of check digits once in a hundred times.
const ACCOUNTS: [(&str, usize); 30] = [
    ("AT", 20),
    ("BE", 16),
    ("BG", 22),
    ("CH", 21),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FR", 27),
    ("GB", 22),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IT", 27),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("RO", 24),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
];

/// In one word or in groups, as people write it.
fn has_account(words: &[&str]) -> bool {
    (0..words.len()).any(|from| {
        let rest = words.get(from..).unwrap_or_default();
        let first = rest.first().and_then(|word| word.get(..2)).unwrap_or_default();
        let length = ACCOUNTS.iter().find(|(country, _)| *country == first);
        length.is_some_and(|(_, length)| {
            let letters: String = rest.iter().flat_map(|word| word.chars()).take(*length).collect();
            let ends: Vec<usize> = rest
                .iter()
                .scan(0, |end, word| {
                    *end += word.len();
                    Some(*end)
                })
                .take_while(|end| end <= length)
                .collect();
            ends.last() == Some(length) && is_account(&letters)
        })
    })
}

/// Whether the check digits are right: the number, its first four letters last and its letters as numbers, is 1 modulo 97.
fn is_account(letters: &str) -> bool {
    let is_of_account = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if !letters.bytes().all(is_of_account) {
        return false;
    }
    let (Some(head), Some(tail)) = (letters.get(..4), letters.get(4..)) else {
        return false;
    };
    let digits = tail
        .chars()
        .chain(head.chars())
        .filter_map(|letter| letter.to_digit(36));
    let rest = digits.fold(0, |rest, digit| {
        let shift = if digit < 10 { 10 } else { 100 };
        (rest * shift + digit) % 97
    });
    rest == 1
}

/// Numbers that stand together are one number of at most so many parts.
const PHONE_PARTS_MAX: usize = 8;

fn has_phone(words: &[&str]) -> bool {
    let is_part = |word: &&str| {
        word.bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-/()".contains(&byte))
    };
    // What follows goes on with a longer number, such as an account.
    let is_group = |word: &&str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let goes_on = |word: &&str| is_group(word) && word.ends_with(|letter: char| letter.is_ascii_digit());
    // Where they are all that a value has, digits without a gap are rather a number of something else.
    let is_bare = words.len() == 1 && words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    let before = std::iter::once(None).chain(words.iter().map(Some));
    let mut starts = (0..words.len())
        .zip(before)
        .filter(|(_, before)| !before.is_some_and(goes_on));
    !is_bare
        && starts.any(|(from, _)| {
            let rest = words.get(from..).unwrap_or_default();
            let parts = rest.iter().copied().take_while(is_part).take(PHONE_PARTS_MAX);
            is_phone(&parts.collect::<Vec<_>>().join(" "))
        })
}

/// A number that begins as those with a code of a country or of a place do, or that is grouped as in North America.
fn is_phone(text: &str) -> bool {
    let groups: Vec<&str> = text
        .split(|letter: char| !letter.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let digits: usize = lengths.iter().sum();
    let Some(first) = groups.first().filter(|_| (8..=15).contains(&digits)) else {
        return false;
    };
    let zeros = first.len() - first.trim_start_matches('0').len();
    if text.starts_with('+') {
        return zeros == 0;
    }
    let is_long = digits >= 9;
    let is_of_place = zeros == 1 && first.len() >= 3 && is_long;
    let is_abroad = zeros == 2 && first.len() == 4 && is_long;
    let is_paired = zeros == 1 && lengths == [2; 5];
    is_of_place || is_abroad || is_paired || lengths == [3, 3, 4]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_a_person_is_found_within_a_text() {
        for text in ["write to a.b@c.example.", "<a-b@c.example>; urgent", "mail:a@b.example"] {
            assert!(has_email(&words(text)), "{text}");
        }
        for text in [
            "call 0171 / 55 66 778, evenings",
            "Tel.:030-1234567",
            "+49 (30) 1234567",
            "room 12 0049 30 123456",
            "ring 01715566778",
            "06 12 34 56 78",
            "(555) 123-4567",
        ] {
            assert!(has_phone(&words(text)), "{text}");
        }
        for text in ["to DE89 3704 0044 0532 0130 00 please", "IBAN:GB82WEST12345698765432"] {
            assert!(has_account(&words(text)), "{text}");
        }
    }

    #[test]
    fn other_numbers_and_signs_lead_to_nobody() {
        for text in [
            "",
            "12 @ 5.50",
            "3@5.50",
            "@name",
            "since 01.02.2024 10:30",
            "05/12/2026 10:30",
            "2026-01-05 09:30:00",
            "open 0930-1000",
            "0123456789",
            "00012345678",
            "AB0171-556677",
            "0a1b2c3d-0123-4567-8901-0123456789ab",
            "DE88 3704 0044 0532 0130 00",
            "DE89",
            "pay DE89 3704 0044 0532 0130 01",
            "Ort 12, Weg 7",
        ] {
            let words = words(text);
            assert!(
                !has_email(&words) && !has_phone(&words) && !has_account(&words),
                "{text}"
            );
        }
    }

    #[test]
    fn one_number_that_looks_like_a_phones_is_chance() {
        assert_eq!(traces(&Seen::of(&["a", "call 030 1234567"])), []);
        assert_eq!(
            traces(&Seen::of(&["call 030 1234568", "call 030 1234567", "a@b.example"])),
            [Trace::Email, Trace::Phone]
        );
    }
}
