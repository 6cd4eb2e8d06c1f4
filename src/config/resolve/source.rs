//! `[source]`

use crate::config::file::report::Report;
use crate::config::file::{Node, Section};
use crate::source::postgres::settings::{Create, Settings, Tls};

use super::url::{Url, url};

/// The source's settings; tables and limits are filled in by the caller.
pub(super) fn source(main: &mut Section<'_>, name: &str, report: &mut Report<'_>) -> Settings {
    let mut found = Settings {
        address: Url::default().address,
        user: String::new(),
        password: None,
        database: String::new(),
        tls: Tls::VerifyFull,
        root_cert: None,
        slot: format!("walbridge_{name}"),
        publication: format!("walbridge_{name}"),
        create: Create::Never,
        tables: Vec::new(),
        row_bytes_max: 0,
        buffer_bytes_max: 0,
        snapshot_max: std::time::Duration::ZERO,
        readers: 1,
    };
    let example = "[source]\nurl = \"postgresql://walbridge@legacy-db:5432/shop\"";
    let Some(mut section) = main.need("source", example).and_then(|node| node.table(report)) else {
        return found;
    };
    if let Some(node) = section.need("url", "url = \"postgresql://walbridge@legacy-db:5432/shop\"") {
        let url = url(&node, report);
        (found.address, found.user, found.database, found.tls) = (url.address, url.user, url.database, url.tls);
    }
    found.password = section.take("password").and_then(|node| node.secret(report));
    if let Some(slot) = section
        .take("slot")
        .and_then(|node| super::identifier(&node, 63, report))
    {
        found.slot = slot;
    }
    // `_inserts` is added for the second one.
    if let Some(publication) = section
        .take("publication")
        .and_then(|node| super::identifier(&node, 55, report))
    {
        found.publication = publication;
    }
    if section.take("create").and_then(|node| node.boolean(report)) == Some(true) {
        found.create = Create::OnFirstStart;
    }
    if let Some(node) = section.take("root_cert") {
        root_cert(&node, &mut found, report);
    }
    section.not_yet("client_cert", report);
    section.not_yet("client_key", report);
    if let Some(node) = section.take("channel_binding") {
        // "disable" and "prefer" differ only where a certificate is bound to; see SCRAM-SHA-256-PLUS.
        let words = [
            ("prefer", None),
            ("disable", None),
            ("require", Some("source.channel_binding = \"require\"")),
        ];
        if let Some(Some(what)) = node.word(&words, report) {
            report.push(node.not_yet(what).repair("channel_binding = \"prefer\""));
        }
    }
    if let Some(node) = section.take("allow_md5")
        && node.boolean(report) == Some(true)
    {
        let finding = node.not_yet("source.allow_md5 = true");
        report.push(finding.repair("give the role a SCRAM password: SET password_encryption = 'scram-sha-256'"));
    }
    section.finish(report);
    found
}

fn root_cert(node: &Node<'_>, found: &mut Settings, report: &mut Report<'_>) {
    let Some(written) = node.text(report) else { return };
    let path = report.path(&written);
    if let Err(error) = std::fs::File::open(&path) {
        let what = format!("cannot read the certificates in {}: {error}", path.display());
        report.push_unreadable(node.error("config.root_cert", what));
    }
    if found.tls != Tls::VerifyFull {
        let what = "source.root_cert is not used: no certificate is verified";
        report.push(
            node.warning("config.tls", what)
                .repair("sslmode=verify-full in source.url"),
        );
    }
    found.root_cert = Some(path);
}
