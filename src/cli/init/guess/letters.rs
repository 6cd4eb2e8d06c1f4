//! Letters that names outside may not hold, in those that they may.

/// Adds a small letter as ASCII writes it; nothing where it has no such spelling.
pub(crate) fn add(letter: char, to: &mut String) {
    if letter.is_ascii() {
        to.push(letter);
    } else if let Some((_, spelt)) = FOLDED.iter().find(|(letters, _)| letters.contains(letter)) {
        to.push_str(spelt);
    }
}

/// Latin, Greek and Cyrillic letters, as they are mostly spelt.
const FOLDED: [(&str, &str); 51] = [
    ("äæ", "ae"),
    ("öœø", "oe"),
    ("ü", "ue"),
    ("ß", "ss"),
    ("þ", "th"),
    ("àáâãåāăąαа", "a"),
    ("βб", "b"),
    ("çćĉċč", "c"),
    ("ďđðδд", "d"),
    ("èéêëēĕėęěεеэ", "e"),
    ("φф", "f"),
    ("ĝğġģγг", "g"),
    ("ĥħ", "h"),
    ("ìíîïĩīĭįıηιиі", "i"),
    ("ĵй", "j"),
    ("ķκк", "k"),
    ("ĺļľŀłλл", "l"),
    ("μм", "m"),
    ("ñńņňŉŋνн", "n"),
    ("òóôõōŏőοωо", "o"),
    ("πп", "p"),
    ("ŕŗřρр", "r"),
    ("śŝşšșσςс", "s"),
    ("ţťŧțτт", "t"),
    ("ùúûũūŭůűųу", "u"),
    ("в", "v"),
    ("ŵ", "w"),
    ("ξ", "x"),
    ("ýÿŷυы", "y"),
    ("źżžζз", "z"),
    ("θ", "th"),
    ("χ", "ch"),
    ("ψ", "ps"),
    ("ж", "zh"),
    ("х", "kh"),
    ("ц", "ts"),
    ("ч", "ch"),
    ("ш", "sh"),
    ("щ", "shch"),
    ("ю", "yu"),
    ("я", "ya"),
    ("ё", "yo"),
    ("є", "ye"),
    ("ї", "yi"),
    ("ґ", "g"),
    ("ά", "a"),
    ("έ", "e"),
    ("ήί", "i"),
    ("ό", "o"),
    ("ύ", "y"),
    ("ώ", "o"),
];

#[cfg(test)]
mod tests {
    use super::add;

    #[test]
    fn a_letter_keeps_its_sound_where_ascii_can_spell_it() {
        for (written, expected) in [
            ("größe", "groesse"),
            ("numéro", "numero"),
            ("заказ", "zakaz"),
            ("店7", "7"),
        ] {
            let mut spelt = String::new();
            written.chars().for_each(|letter| add(letter, &mut spelt));
            assert_eq!(spelt, expected);
        }
    }
}
