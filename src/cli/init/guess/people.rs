//! Tables of people, by the words of legacy systems in English, German and French.

use crate::cli::init::guess::is_any;

/// People, of whom a table may be.
const PEOPLE: [&str; 53] = [
    "kd",
    "cust",
    "customer",
    "client",
    "kunde",
    "person",
    "personne",
    "people",
    "pers",
    "personal",
    "personnel",
    "staff",
    "usr",
    "user",
    "benutzer",
    "utilisateur",
    "emp",
    "employee",
    "employe",
    "salarie",
    "mitarbeiter",
    "angestellte",
    "contact",
    "kontakt",
    "ansprechpartner",
    "member",
    "mitglied",
    "membre",
    "patient",
    "student",
    "schueler",
    "pupil",
    "teacher",
    "lehrer",
    "driver",
    "fahrer",
    "guest",
    "gast",
    "passenger",
    "applicant",
    "bewerber",
    "subscriber",
    "abonne",
    "resident",
    "mieter",
    "citizen",
    "buerger",
    "author",
    "autor",
    "owner",
    "inhaber",
    "holder",
    "leser",
];

/// Ends of these words where there are many.
const MANY: [&str; 7] = ["s", "es", "n", "en", "e", "er", "innen"];

/// What is kept of people, as it ends a German word: `kundenstamm`.
const KEPT: [&str; 10] = [
    "stamm", "daten", "dat", "kartei", "adresse", "adressen", "konto", "konten", "akte", "akten",
];

/// Things that belong to people and are none: a name beside such a word is one of the thing.
const THINGS: [&str; 68] = [
    "type",
    "typ",
    "kind",
    "art",
    "class",
    "cls",
    "category",
    "cat",
    "categorie",
    "group",
    "grp",
    "gruppe",
    "groupe",
    "role",
    "rolle",
    "right",
    "recht",
    "permission",
    "status",
    "state",
    "stage",
    "level",
    "segment",
    "tag",
    "label",
    "attribute",
    "attr",
    "setting",
    "config",
    "option",
    "file",
    "datei",
    "document",
    "doc",
    "product",
    "prod",
    "produit",
    "article",
    "artikel",
    "item",
    "event",
    "report",
    "country",
    "ctr",
    "land",
    "pays",
    "city",
    "region",
    "ort",
    "company",
    "firma",
    "firmen",
    "cmp",
    "societe",
    "org",
    "dept",
    "department",
    "abteilung",
    "abt",
    "team",
    "campaign",
    "channel",
    "source",
    "language",
    "lang",
    "tariff",
    "tarif",
    "skill",
];

/// Whether a part of a name is of people: one or many, or what is kept of them. Short forms have no ends.
fn is_people(part: &str) -> bool {
    PEOPLE.iter().any(|word| match part.strip_prefix(word) {
        Some("") => true,
        Some(rest) if word.len() > 3 => {
            let joined = ["", "n", "en", "s"].iter().filter_map(|joint| rest.strip_prefix(joint));
            MANY.contains(&rest) || joined.into_iter().any(|end| KEPT.contains(&end))
        }
        _ => false,
    })
}

/// Whether a name is of people, and of nothing that merely belongs to them.
pub(super) fn is_of_people(name: &[String]) -> bool {
    name.iter().any(|part| is_people(part)) && !is_of_things(name)
}

/// Whether a name has a word of a thing that belongs to people.
pub(super) fn is_of_things(name: &[String]) -> bool {
    is_any(name, &THINGS)
}
