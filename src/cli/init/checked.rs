//! What was written, read as `check` would read it: a config that walbridge itself refuses is no beginning.

use std::path::Path;
use std::sync::Arc;

use crate::config::{self, Invalid, Loaded, Sources};
use crate::finding::{Cause, Finding, Severity};
use crate::flow::catalog::Catalog;
use crate::mapping::compile::compile_what_fits;
use crate::mapping::entity::Entity;
use crate::mapping::public_id::{PublicId, Spelling};

/// What is wrong with a config that was written: nothing, where all is well.
pub(super) struct Faults {
    pub(super) findings: Vec<Finding>,
    pub(super) sources: Sources,
}

/// Stands for every secret that is named and not made yet; long enough for each.
const SECRET: &str = "in the place of a secret that is made later";

/// Holds the text against the rules of a config, and against the catalogue that it was made from.
pub(super) fn faults(text: &str, name: &Path, catalog: &Catalog) -> Faults {
    let (findings, sources) = match config::read_offline(text, name) {
        Err(Invalid { findings, sources }) => (findings, sources),
        Ok(Loaded {
            mut config, sources, ..
        }) => {
            lend_secrets(&mut config.entities);
            (compile_what_fits(&config.entities, catalog).findings, sources)
        }
    };
    // The config says of itself which events need another identity.
    let is_fault = |finding: &Finding| finding.severity == Severity::Error && finding.code != "mapping.identity";
    Faults {
        findings: findings.into_iter().filter(is_fault).collect(),
        sources,
    }
}

/// The secrets of public ids are made after the config.
fn lend_secrets(entities: &mut [Entity]) {
    let ids = entities
        .iter_mut()
        .flat_map(|entity| &mut entity.fields)
        .filter_map(|field| field.public_id.as_mut());
    for of in ids.filter(|of| of.id.is_none()) {
        let spelling = Spelling::parse("{base32:20}").ok();
        of.id = spelling
            .and_then(|spelling| PublicId::new(&of.name.text, SECRET, spelling))
            .map(Arc::new);
    }
}

/// What is said of it: nobody who runs the command made that mistake.
pub(super) fn own_fault(count: usize) -> Finding {
    let errors = if count == 1 {
        "1 error".to_owned()
    } else {
        format!("{count} errors")
    };
    let what = format!("walbridge refuses the config that it wrote itself: {errors} above");
    Finding::error(Cause::Config, "init.own_fault", what)
        .because("this is a fault of walbridge; the config is written all the same")
        .repair("put right what the findings above name, and report them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const GOOD: &str = "[bridge]\nname = \"shop\"\n[source]\nurl = \"postgresql://a@h/d\"\n[kafka]\nbrokers = \"k:9092\"\n\
        [public_id.o]\nsecret = { env = \"A_NAME_THAT_NOBODY_SETS\" }\nform = \"{base32:20}\"\n[entity.Order]\n\
        table = \"public.ord\"\nkey = \"number\"\nstate_topic = \"shop.orders\"\n[entity.Order.fields]\n\
        number = { from = \"no\", public_id = \"o\" }\n";

    fn codes(text: &str) -> Vec<&'static str> {
        let nothing = Catalog {
            tables: BTreeMap::new(),
            ctype: "C".to_owned(),
            encoding: "UTF8".to_owned(),
            nearest: BTreeMap::new(),
        };
        let faults = faults(text, Path::new("begun.toml"), &nothing);
        faults.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_is_written_is_held_against_the_rules_and_against_the_catalogue() {
        assert_eq!(
            codes(&GOOD.replace("key = \"number\"", "key = größe")),
            ["config.syntax"]
        );
        assert_eq!(
            codes(&GOOD.replace("public_id = \"o\"", "null_when = \"0\"")),
            ["config.key"]
        );
        assert_eq!(codes(GOOD), ["mapping.unknown_table"]);
    }
}
