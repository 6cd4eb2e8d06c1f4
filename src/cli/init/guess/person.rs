//! Columns about people, by what they are called and what they hold.

use crate::cli::init::guess::people::{is_of_people, is_of_things};
use crate::cli::init::guess::values::{Seen, flag, is_code, is_email, is_iban};
use crate::cli::init::guess::words::parts;
use crate::cli::init::guess::{is_any, is_integer, is_text};
use crate::flow::catalog::{ColumnFacts, SqlType};
use crate::flow::table::TableName;

/// Of a person in any table.
const PERSONAL: [&str; 51] = [
    "email",
    "mail",
    "eml",
    "phone",
    "tel",
    "telephone",
    "fax",
    "mobile",
    "mob",
    "handy",
    "birth",
    "birthday",
    "birthdate",
    "bday",
    "dob",
    "gebdat",
    "geburtsdatum",
    "iban",
    "bic",
    "ssn",
    "sin",
    "passport",
    "street",
    "str",
    "strasse",
    "addr",
    "adr",
    "address",
    "addr1",
    "addr2",
    "zip",
    "plz",
    "postcode",
    "postal",
    "city",
    "ort",
    "ip",
    "naiss",
    "naissance",
    "courriel",
    "adresse",
    "rue",
    "ville",
    "secu",
    "telefon",
    "steuer",
    "konto",
    "kto",
    "blz",
    "gehalt",
    "salary",
];

/// Names that persons alone have.
const OWN_NAMES: [&str; 15] = [
    "firstname",
    "firstnm",
    "lastname",
    "lastnm",
    "fname",
    "lname",
    "forename",
    "surname",
    "familyname",
    "givenname",
    "maidenname",
    "vorname",
    "nachname",
    "geburtsname",
    "prenom",
];

/// Names of something, and of a person where that is one.
const NAMES: [&str; 12] = [
    "name", "nm", "name1", "name2", "name3", "nom", "namen", "fullname", "nick", "alias", "initials", "login",
];

/// What stands before a person's name, or follows from it; of other things it is something else.
const ADDRESSED: [&str; 11] = [
    "title",
    "titel",
    "titre",
    "anrede",
    "salutation",
    "civilite",
    "gender",
    "geschl",
    "geschlecht",
    "sex",
    "sexe",
];

/// By what a person is known to a program.
const LOGINS: [&str; 5] = ["user", "usr", "username", "benutzer", "utilisateur"];

/// When a person was born.
const BIRTH: [&str; 26] = [
    "birth",
    "birthday",
    "birthdate",
    "birthdt",
    "bday",
    "dob",
    "dateofbirth",
    "born",
    "gebdat",
    "gebdt",
    "gebdatum",
    "gebtag",
    "gebtg",
    "geburt",
    "geburtsdatum",
    "geburtsdat",
    "geburtstag",
    "geboren",
    "naiss",
    "naissance",
    "datenaiss",
    "datenaissance",
    "dtnaiss",
    "fechanac",
    "nacimiento",
    "nascita",
];

/// What is told of a birth beside the day.
const BESIDE_BIRTH: [&str; 10] = [
    "place", "ort", "city", "country", "ctr", "land", "lieu", "pays", "name", "nm",
];

/// Whether a column is a person's name, or what belongs to one.
fn is_name(table: &TableName, name: &[String]) -> bool {
    let is_table_of_people = is_of_people(&parts(&table.name)) && !is_of_things(name);
    let is_called = is_any(name, &NAMES) && (is_table_of_people || is_of_people(name));
    let is_login = name.last().is_some_and(|last| LOGINS.contains(&last.as_str())) || is_any(name, &["username"]);
    is_called || is_login || is_any(name, &OWN_NAMES) || (is_table_of_people && is_any(name, &ADDRESSED))
}

/// Whether a column is about a person. Names may be few and short, as no other text that is not a code.
pub(super) fn is_personal(table: &TableName, name: &[String], facts: &ColumnFacts, seen: &Seen) -> bool {
    let is_textual =
        is_text(&facts.sql_type) || facts.sql_type == SqlType::Date || matches!(facts.sql_type, SqlType::Other(_));
    let is_called = is_name(table, name) || (is_any(name, &PERSONAL) && !is_code(seen));
    let looks = seen.total > 0 && (seen.share(is_email) > 0.5 || seen.share(is_iban) > 0.5);
    (is_called && is_textual) || (is_text(&facts.sql_type) && looks)
}

/// Whether a column is the day of a birth, in whatever form: a date, digits, or text.
pub(super) fn is_birth_date(name: &[String], facts: &ColumnFacts, seen: &Seen) -> bool {
    let of = &facts.sql_type;
    let is_time = matches!(of, SqlType::Date | SqlType::Timestamp | SqlType::TimestampTz);
    let may_be_digits = is_integer(of) || is_text(of) || *of == SqlType::Numeric;
    let is_called = is_any(name, &BIRTH) && !is_any(name, &BESIDE_BIRTH);
    is_called && (is_time || (may_be_digits && flag(seen).is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::catalog::{Generated, Nullable, Toast};

    fn facts(name: &str, sql_type: SqlType) -> ColumnFacts {
        ColumnFacts {
            name: name.to_owned(),
            type_oid: 0,
            sql_type,
            type_text: String::new(),
            nullable: Nullable::Yes,
            collation: String::new(),
            generated: Generated::No,
            toast: Toast::Never,
            allowed: None,
            surrogate: None,
        }
    }

    #[test]
    fn a_name_is_a_persons_in_a_table_of_people_only() {
        let is_personal = |table: &str, column: &str| {
            let facts = facts(column, SqlType::Text);
            is_personal(&TableName::new("s", table), &parts(column), &facts, &Seen::default())
        };
        for table in [
            "customer",
            "CLIENTS",
            "tbl_person",
            "patients",
            "employee",
            "kunden",
            "kundenstamm",
            "mitarbeiter",
            "user",
            "crm_contacts",
            "fiche_client",
        ] {
            for column in [
                "name",
                "vorname",
                "nachname",
                "surname",
                "nom",
                "prenom",
                "title",
                "full_name",
                "name2",
            ] {
                assert!(is_personal(table, column), "{table}.{column}");
            }
            assert!(!is_personal(table, "country_name"), "{table}");
        }
        for table in [
            "product",
            "country",
            "customer_group",
            "user_role",
            "custom",
            "userland",
            "kundenart",
        ] {
            for column in ["name", "nom", "title"] {
                assert!(!is_personal(table, column), "{table}.{column}");
            }
            assert!(
                is_personal(table, "vorname") && is_personal(table, "contact_name"),
                "{table}"
            );
        }
    }

    #[test]
    fn few_names_and_short_are_no_codes() {
        let few = Seen::of(&["Eva", "Max", "Ida"].repeat(9));
        let is_personal = |table: &str, column: &str| {
            is_personal(
                &TableName::new("s", table),
                &parts(column),
                &facts(column, SqlType::Text),
                &few,
            )
        };
        assert!(
            is_personal("staff", "name")
                && is_personal("lease", "vorname")
                && is_personal("orders", "upd_usr")
                && is_personal("move", "UserName")
        );
        assert!(!is_personal("staff", "zip_zone") && !is_personal("orders", "user_kind"));
    }

    #[test]
    fn a_birth_date_is_one_in_any_form() {
        let is_birth = |column: &str, of: SqlType, values: &[&str]| {
            is_birth_date(&parts(column), &facts(column, of), &Seen::of(values))
        };
        for column in [
            "dob",
            "birth_date",
            "geb_dat",
            "GEBDAT",
            "date_naissance",
            "DateOfBirth",
            "bornAt",
        ] {
            for of in [
                SqlType::Date,
                SqlType::Timestamp,
                SqlType::Int4,
                SqlType::Numeric,
                SqlType::Text,
                SqlType::Bpchar,
            ] {
                assert!(is_birth(column, of.clone(), &["19600131"]), "{column} {of:?}");
            }
        }
        assert!(!is_birth("birth_place", SqlType::Text, &["here"]) && !is_birth("birth_dt", SqlType::Bool, &[]));
        assert!(!is_birth("birthday_mail", SqlType::Bpchar, &["Y", "N"]) && !is_birth("geb_nr", SqlType::Int4, &["1"]));
    }
}
