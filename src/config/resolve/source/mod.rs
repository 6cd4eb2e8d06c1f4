//! `[source]`

use std::path::PathBuf;

use crate::config::file::report::{Report, Secrets};
use crate::config::file::{Node, Section};
use crate::source::postgres::settings::{Binding, ClientCert, Create, Login, Md5, Settings, Tls, Trust};

mod url;

use self::url::{Url, url};

/// The source's settings; tables and limits are filled in by the caller.
pub(super) fn source(main: &mut Section<'_>, name: &str, report: &mut Report<'_>) -> Settings {
    let mut found = Settings {
        login: Login {
            hosts: Vec::new(),
            target: Url::default().target,
            user: String::new(),
            password: None,
            database: String::new(),
            trust: Trust::of(Tls::VerifyFull),
        },
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
        found.login = Login {
            hosts: url.hosts,
            target: url.target,
            user: url.user,
            password: None,
            database: url.database,
            trust: Trust::of(url.tls),
        };
    }
    found.login.password = section.take("password").and_then(|node| node.secret(report));
    trust(&mut section, &mut found.login.trust, report);
    if let Some(slot) = section
        .take("slot")
        .and_then(|node| crate::config::resolve::identifier(&node, 63, report))
    {
        found.slot = slot;
    }
    // `_inserts` is added for the second one.
    if let Some(publication) = section
        .take("publication")
        .and_then(|node| crate::config::resolve::identifier(&node, 55, report))
    {
        found.publication = publication;
    }
    if section.take("create").and_then(|node| node.boolean(report)) == Some(true) {
        found.create = Create::OnFirstStart;
    }
    section.finish(report);
    found
}

fn trust(section: &mut Section<'_>, found: &mut Trust, report: &mut Report<'_>) {
    if let Some(node) = section.take("root_cert") {
        found.root_cert = pem(&node, "config.root_cert", report);
        if !found.tls.is_verified() {
            let what = "source.root_cert is not used: no certificate is verified";
            let finding = node.warning("config.tls", what);
            report.push(finding.repair("sslmode=verify-full in source.url"));
        }
    }
    found.client = client(section, found.tls, report);
    if let Some(node) = section.take("channel_binding") {
        let words = [
            ("prefer", Binding::Prefer),
            ("require", Binding::Require),
            ("disable", Binding::Disable),
        ];
        found.binding = node.word(&words, report).unwrap_or(found.binding);
        if found.binding == Binding::Require && found.tls == Tls::Disable {
            let what = "channel_binding = \"require\" needs TLS, and there is none";
            report.push(
                node.error("config.value", what)
                    .repair("sslmode=verify-full in source.url"),
            );
        }
    }
    if let Some(node) = section.take("allow_md5")
        && node.boolean(report) == Some(true)
    {
        found.md5 = Md5::Allowed;
        let what = "the password's MD5 digest is as good as the password to whoever overhears it";
        let finding = node.warning("config.md5", what);
        report.push(finding.repair("give the role a SCRAM password: SET password_encryption = 'scram-sha-256'"));
    }
}

/// The certificate and its key: both or neither.
fn client(section: &mut Section<'_>, tls: Tls, report: &mut Report<'_>) -> Option<ClientCert> {
    match (section.take("client_cert"), section.take("client_key")) {
        (None, None) => None,
        (Some(node), None) => {
            let what = "source.client_cert has no key";
            report.push(
                node.error("config.value", what)
                    .repair("client_key = \"/etc/ssl/walbridge.key\""),
            );
            None
        }
        (None, Some(node)) => {
            let what = "source.client_key has no certificate";
            report.push(
                node.error("config.value", what)
                    .repair("client_cert = \"/etc/ssl/walbridge.pem\""),
            );
            None
        }
        (Some(cert), Some(key)) => {
            if tls == Tls::Disable {
                let what = "source.client_cert is not used: there is no TLS";
                report.push(
                    cert.warning("config.tls", what)
                        .repair("sslmode=verify-full in source.url"),
                );
            }
            let paths = (
                pem(&cert, "config.client_cert", report),
                pem(&key, "config.client_cert", report),
            );
            Some(ClientCert {
                cert: paths.0?,
                key: paths.1?,
            })
        }
    }
}

/// A file that can be read, where this load reads any.
fn pem(node: &Node<'_>, code: &'static str, report: &mut Report<'_>) -> Option<PathBuf> {
    let written = node.text(report)?;
    let path = report.path(&written);
    if report.secrets() != Secrets::Unread
        && let Err(error) = std::fs::File::open(&path)
    {
        let what = format!("cannot read {} of {}: {error}", path.display(), node.path());
        report.push_unreadable(node.error(code, what));
    }
    Some(path)
}
