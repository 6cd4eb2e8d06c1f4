//! How an id is spelt: text around one `{…}` that takes bits of the digest.

use std::fmt;

use super::DIGEST;

/// Fewer bits than these can be met by chance or by trying.
pub const BITS_MIN: usize = 80;

/// What `form` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spelling {
    before: String,
    digits: Digits,
    after: String,
}

/// The part that the digest gives, from its first bit on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digits {
    /// `base32:N`: RFC 4648 in lower case, without padding.
    Base32(usize),
    /// `hex:N`, lower case.
    Hex(usize),
    /// `base64url:N`: RFC 4648, without padding.
    Base64Url(usize),
    /// `uuid`: version 8 of RFC 9562.
    Uuid,
}

/// What is wrong with a form, and with which part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpellingProblem {
    /// The part, as it is written; empty: the whole.
    pub part: String,
    /// A clause that follows the key's name: lower case, no full stop.
    pub says: String,
    /// A form that would do.
    pub repair: String,
}

const BASE32: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
const HEX: &[u8] = b"0123456789abcdef";
const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Digits {
    /// Its alphabet and the bits that a digit holds; none: another layout.
    fn alphabet(self) -> Option<(&'static [u8], usize, usize)> {
        match self {
            Self::Base32(count) => Some((BASE32, 5, count)),
            Self::Hex(count) => Some((HEX, 4, count)),
            Self::Base64Url(count) => Some((BASE64URL, 6, count)),
            Self::Uuid => None,
        }
    }

    fn bits(self) -> usize {
        // Six bits of a UUID are its version and variant.
        self.alphabet().map_or(122, |(_, width, count)| width * count)
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "uuid" {
            return Some(Self::Uuid);
        }
        let (word, count) = text.split_once(':')?;
        let count = count.parse().ok()?;
        match word {
            "base32" => Some(Self::Base32(count)),
            "hex" => Some(Self::Hex(count)),
            "base64url" => Some(Self::Base64Url(count)),
            _ => None,
        }
    }
}

impl Spelling {
    /// Reads a form such as `cus_{base32:20}`.
    ///
    /// # Errors
    /// No single part in braces, a part that is not known, too few bits or more than there are, or odd letters around it.
    pub fn parse(form: &str) -> Result<Self, SpellingProblem> {
        let problem = |part: &str, says: String, repair: String| SpellingProblem {
            part: part.to_owned(),
            says,
            repair,
        };
        let whole = || {
            problem(
                "",
                "must hold one part in braces, which becomes the id's digits".to_owned(),
                "form = \"cus_{base32:20}\"".to_owned(),
            )
        };
        let (before, rest) = form.split_once('{').ok_or_else(whole)?;
        let (inside, after) = rest.split_once('}').ok_or_else(whole)?;
        let part = format!("{{{inside}}}");
        let Some(digits) = Digits::parse(inside) else {
            let known = "one of {base32:N}, {hex:N}, {base64url:N} and {uuid}".to_owned();
            return Err(problem(&part, format!("has {part}, which is no known part"), known));
        };
        if let Some((_, width, count)) = digits.alphabet() {
            let word = inside.split(':').next().unwrap_or_default();
            let (least, most) = (BITS_MIN.div_ceil(width), DIGEST * 8 / width);
            if count < least {
                let says = format!(
                    "has {part}, which is {} bits and not the {BITS_MIN} it needs",
                    digits.bits()
                );
                return Err(problem(&part, says, format!("{{{word}:{least}}} or more")));
            }
            if count > most {
                let says = format!("has {part}, and a digest gives {most} digits");
                return Err(problem(&part, says, format!("{{{word}:{most}}} or fewer")));
            }
        }
        if before.bytes().chain(after.bytes()).any(|letter| !is_plain(letter)) {
            let repair = "letters, digits and -._~:/ beside one part in braces".to_owned();
            return Err(problem("", "has a letter that ids do not have".to_owned(), repair));
        }
        Ok(Self {
            before: before.to_owned(),
            digits,
            after: after.to_owned(),
        })
    }

    /// Bits of the digest that an id shows.
    pub fn bits(&self) -> usize {
        self.digits.bits()
    }

    /// A regular expression that every id matches.
    pub fn expression(&self) -> String {
        let plain = |text: &str| text.replace('.', "\\.").replace('/', "\\/");
        let digits = match self.digits {
            Digits::Base32(count) => format!("[a-z2-7]{{{count}}}"),
            Digits::Hex(count) => format!("[0-9a-f]{{{count}}}"),
            Digits::Base64Url(count) => format!("[A-Za-z0-9_-]{{{count}}}"),
            Digits::Uuid => "[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}".to_owned(),
        };
        format!("^{}{digits}{}$", plain(&self.before), plain(&self.after))
    }

    /// Appends the id of a digest.
    pub(super) fn write(&self, digest: &[u8; DIGEST], out: &mut Vec<u8>) {
        out.extend_from_slice(self.before.as_bytes());
        match self.digits.alphabet() {
            Some((alphabet, width, count)) => {
                let digit = |number| alphabet.get(bits(digest, number * width, width)).copied();
                out.extend((0..count).filter_map(digit));
            }
            None => uuid(digest, out),
        }
        out.extend_from_slice(self.after.as_bytes());
    }
}

/// What can stand in a key, a URL and a file's name as it is.
fn is_plain(letter: u8) -> bool {
    letter.is_ascii_alphanumeric() || b"-._~:/".contains(&letter)
}

/// So many bits from this one on, the first the highest; `width` is at most 8.
fn bits(digest: &[u8; DIGEST], at: usize, width: usize) -> usize {
    let byte = |at: usize| digest.get(at).copied().unwrap_or(0);
    let pair = u16::from_be_bytes([byte(at / 8), byte(at / 8 + 1)]);
    usize::from(pair.wrapping_shl(u32::try_from(at % 8).unwrap_or(0))) >> (16 - width)
}

/// <https://www.rfc-editor.org/rfc/rfc9562#section-5.8>
fn uuid(digest: &[u8; DIGEST], out: &mut Vec<u8>) {
    for (number, byte) in digest.iter().take(16).enumerate() {
        if [4, 6, 8, 10].contains(&number) {
            out.push(b'-');
        }
        let byte = match number {
            6 => byte & 0x0F | 0x80,
            8 => byte & 0x3F | 0x80,
            _ => *byte,
        };
        let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied();
        out.extend(digit(byte >> 4).into_iter().chain(digit(byte & 0xF)));
    }
}

impl fmt::Display for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, digits, after } = self;
        match digits {
            Digits::Base32(count) => write!(f, "{before}{{base32:{count}}}{after}"),
            Digits::Hex(count) => write!(f, "{before}{{hex:{count}}}{after}"),
            Digits::Base64Url(count) => write!(f, "{before}{{base64url:{count}}}{after}"),
            Digits::Uuid => write!(f, "{before}{{uuid}}{after}"),
        }
    }
}
