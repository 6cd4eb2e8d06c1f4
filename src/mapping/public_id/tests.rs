//! Ids against the definitions they follow: RFC 2104, RFC 4648 and RFC 9562, each written down once more.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use sha2::{Digest as _, Sha256};

use super::{BITS_MIN, PublicId, Spelling};

fn spelling(form: &str) -> Spelling {
    Spelling::parse(form).unwrap()
}

fn minted(id: &PublicId, text: &[u8]) -> String {
    let mut out = Vec::new();
    id.mint(text, &mut out);
    String::from_utf8(out).unwrap()
}

/// H(K ⊕ opad, H(K ⊕ ipad, text)), a key longer than a block being hashed first
/// (<https://www.rfc-editor.org/rfc/rfc2104#section-2>).
fn hmac(secret: &str, text: &[u8]) -> Vec<u8> {
    let mut key = secret.as_bytes().to_vec();
    if key.len() > 64 {
        key = Sha256::digest(&key).to_vec();
    }
    key.resize(64, 0);
    let padded = |pad: u8| key.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>();
    let inner = Sha256::digest([padded(0x36), text.to_vec()].concat());
    Sha256::digest([padded(0x5C), inner.to_vec()].concat()).to_vec()
}

/// Groups of bits as digits of an alphabet, by way of a text of noughts and ones.
fn digits(digest: &[u8], width: usize, count: usize, alphabet: &str) -> String {
    let bits: String = digest.iter().map(|byte| format!("{byte:08b}")).collect();
    let group = |number: usize| usize::from_str_radix(&bits[number * width..(number + 1) * width], 2).unwrap();
    let letters: Vec<char> = alphabet.chars().collect();
    (0..count).map(|number| letters[group(number)]).collect()
}

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";

proptest! {
    #[test]
    fn an_id_is_the_beginning_of_a_keyed_digest(
        secret in "\\PC{1,100}",
        name in "[a-z][a-z0-9_]{0,8}",
        text in any::<Vec<u8>>(),
        count in 20_usize..=42,
    ) {
        let digest = hmac(&secret, &[name.as_bytes(), b":", &text].concat());
        let id = |form: &str| minted(&PublicId::new(&name, &secret, spelling(form)).unwrap(), &text);
        let base32 = digits(&digest, 5, count, &format!("{LOWER}234567"));
        prop_assert_eq!(id(&format!("x_{{base32:{count}}}.y")), format!("x_{base32}.y"));
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert_eq!(id(&format!("{{hex:{count}}}")), &hex[..count]);
        let base64 = digits(&digest, 6, count, &format!("{}{LOWER}0123456789-_", LOWER.to_uppercase()));
        prop_assert_eq!(id(&format!("{{base64url:{count}}}")), base64);
        let number = u128::from_str_radix(&hex[..32], 16).unwrap();
        let number = number & !(0xF << 76) & !(0b11 << 62) | 8 << 76 | 0b10 << 62;
        let uuid = format!("{number:032x}");
        let parts = [&uuid[..8], &uuid[8..12], &uuid[12..16], &uuid[16..20], &uuid[20..]];
        prop_assert_eq!(id("{uuid}"), parts.join("-"));
    }

    #[test]
    fn no_form_is_read_that_shows_too_little(form in "[a-z]{0,3}\\{(base32|hex|base64url):[0-9]{1,2}\\}") {
        match Spelling::parse(&form) {
            Ok(read) => {
                prop_assert!(read.bits() >= BITS_MIN, "{form}");
                prop_assert_eq!(spelling(&read.to_string()), read);
            }
            Err(problem) => prop_assert!(form.contains(&problem.part) && !problem.repair.is_empty()),
        }
    }
}

#[test]
fn every_form_has_a_least_and_a_most() {
    for (word, least, most) in [("base32", 16, 51), ("hex", 20, 64), ("base64url", 14, 42)] {
        let read = |count: usize| Spelling::parse(&format!("{{{word}:{count}}}"));
        assert!(read(least).unwrap().bits() >= BITS_MIN);
        let id = PublicId::new("n", "s", read(most).unwrap()).unwrap();
        assert_eq!(minted(&id, b"1").len(), most);
        let few = read(least - 1).unwrap_err();
        assert!(few.says.contains("not the 80 it needs"), "{few:?}");
        assert_eq!(few.repair, format!("{{{word}:{least}}} or more"));
        assert_eq!(
            read(most + 1).unwrap_err().repair,
            format!("{{{word}:{most}}} or fewer")
        );
    }
    for form in ["", "cus_", "}{", "{base32:20", "{base32}", "{base62:20}", "{base32:-1}"] {
        assert!(Spelling::parse(form).is_err(), "{form}");
    }
    for odd in ["a b{uuid}", "{uuid}\n", "{uuid}{uuid}", "é{uuid}", "\"{uuid}"] {
        assert_eq!(
            Spelling::parse(odd).unwrap_err().says,
            "has a letter that ids do not have",
            "{odd}"
        );
    }
}

#[test]
fn keys_and_names_are_told_apart_and_never_shown() {
    let id = |name: &str, secret: &str| PublicId::new(name, secret, spelling("{base32:16}")).unwrap();
    let one = id("customer", "the first secret");
    assert_ne!(minted(&one, b"1"), minted(&id("invoice", "the first secret"), b"1"));
    assert_eq!(one.key_mark(), id("invoice", "the first secret").key_mark());
    assert_ne!(one.key_mark(), id("customer", "the second secret").key_mark());
    assert_ne!(one, id("customer", "the second secret"));
    let shown = format!("{one:?}");
    assert!(!shown.contains("first") && !shown.contains(&one.key_mark()), "{shown}");
}

/// Cells of the rows of a table that hold this text, without their backquotes.
fn rows<'a>(page: &'a str, holds: &str) -> Vec<Vec<&'a str>> {
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| `") && line.contains(holds));
    rows.map(|line| {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect()
    })
    .collect()
}

#[test]
fn the_page_says_which_ids_are_minted() {
    let page = include_str!("../../../docs/public-ids.md");
    let secret = page
        .split("With the secret `")
        .nth(1)
        .unwrap()
        .split('`')
        .next()
        .unwrap();
    let shown = rows(page, "471");
    assert_eq!(shown.len(), 6, "every form, another number and another name");
    for row in shown {
        let [name, form, text, id] = row[..] else {
            panic!("{row:?}")
        };
        let of = PublicId::new(name, secret, spelling(form)).unwrap();
        assert_eq!(minted(&of, text.as_bytes()), id, "{row:?}");
    }
    for row in rows(page, ":N}") {
        let (word, limits) = (row[0].replace(":N}", ""), (&row[2], &row[3]));
        let count = |limit: &str| limit.parse::<usize>().unwrap();
        let read = |count: usize| Spelling::parse(&format!("{word}:{count}}}"));
        assert!(read(count(limits.0)).is_ok() && read(count(limits.1)).is_ok());
        assert!(read(count(limits.0) - 1).is_err() && read(count(limits.1) + 1).is_err());
    }
}
