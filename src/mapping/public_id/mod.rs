//! Public ids: a keyed, stable, opaque id in place of an internal one.
//!
//! `docs/public-ids.md` is the contract: whoever holds the secret can mint the same ids without this program.

mod spelling;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub use spelling::{BITS_MIN, Spelling, SpellingProblem};

/// Bytes of a digest.
const DIGEST: usize = 32;

/// A declared kind of ids, with its key.
#[derive(Clone)]
pub struct PublicId {
    name: String,
    spelling: Spelling,
    /// HMAC-SHA-256 that has taken the key and `NAME:`: a row only adds its text.
    begun: Hmac<Sha256>,
    key_digest: [u8; DIGEST],
}

impl PublicId {
    /// Ids of this name and form under a secret; none where no key can be made of it.
    pub fn new(name: &str, secret: &str, spelling: Spelling) -> Option<Self> {
        let keyed = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
        let mut begun = keyed.clone();
        // Two kinds of ids with one secret differ, since no name holds a colon.
        begun.update(name.as_bytes());
        begun.update(b":");
        // No kind of ids has an empty name, so this is nobody's id.
        let key_digest = digest(keyed.chain_update(b":key"));
        Some(Self {
            name: name.to_owned(),
            spelling,
            begun,
            key_digest,
        })
    }

    /// The name under which it is declared.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its ids are spelt.
    pub fn spelling(&self) -> &Spelling {
        &self.spelling
    }

    /// Appends the id of a column's text. The digest is on the stack, so that a row allocates nothing.
    pub fn mint(&self, text: &[u8], out: &mut Vec<u8>) {
        let mut mac = self.begun.clone();
        mac.update(text);
        self.spelling.write(&digest(mac), out);
    }

    /// Tells keys apart without revealing them: 16 hexadecimal digits of a digest that only the key gives.
    pub fn key_mark(&self) -> String {
        let bytes = self.key_digest.iter().take(8);
        bytes.fold(String::new(), |mut out, byte| {
            // Writing to a string cannot fail.
            let _never = write!(out, "{byte:02x}");
            out
        })
    }
}

fn digest(mac: Hmac<Sha256>) -> [u8; DIGEST] {
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for PublicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicId({}, {}, (secret))", self.name, self.spelling)
    }
}

impl PartialEq for PublicId {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.spelling == other.spelling && self.key_digest == other.key_digest
    }
}

impl Eq for PublicId {}
