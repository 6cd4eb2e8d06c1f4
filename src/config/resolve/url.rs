//! `postgresql://` addresses, as libpq reads them
//! (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>).

use std::net::IpAddr;
use std::path::PathBuf;

use crate::config::file::Node;
use crate::config::file::report::Report;
use crate::finding::Finding;
use crate::finding::nearest_or_list;
use crate::source::postgres::settings::{Address, Tls};

/// What an address says.
pub(super) struct Url {
    pub(super) address: Address,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) tls: Tls,
}

impl Default for Url {
    fn default() -> Self {
        Self {
            address: Address::Tcp {
                host: String::new(),
                port: 5432,
            },
            user: String::new(),
            database: String::new(),
            tls: Tls::VerifyFull,
        }
    }
}

#[derive(Default)]
struct Parts {
    user: String,
    host: String,
    port: String,
    database: String,
    sslmode: Option<String>,
}

const EXAMPLE: &str = "url = \"postgresql://walbridge@legacy-db:5432/shop?sslmode=verify-full\"";

pub(super) fn url(node: &Node<'_>, report: &mut Report<'_>) -> Url {
    let Some(text) = node.text(report) else {
        // It may hold a password that nobody could look for.
        report.mask(&node.place());
        return Url::default();
    };
    let Some(rest) = text
        .strip_prefix("postgresql://")
        .or_else(|| text.strip_prefix("postgres://"))
    else {
        let what = format!("{} must start with postgresql://", node.path());
        report.push_masked(node.error("config.value", what).repair(EXAMPLE));
        return Url::default();
    };
    let parts = parts(node, rest, report);
    if parts.host.contains(',') || parts.port.contains(',') {
        report.push(node.not_yet("more than one host"));
        return Url::default();
    }
    for (name, value) in [
        ("role", &parts.user),
        ("host", &parts.host),
        ("database", &parts.database),
    ] {
        if value.is_empty() {
            let what = format!("{} names no {name}", node.path());
            report.push(node.error("config.value", what).repair(EXAMPLE));
        }
    }
    let port = if parts.port.is_empty() {
        Ok(5432)
    } else {
        parts.port.parse::<u16>()
    };
    let port = port.unwrap_or_else(|_| {
        let what = format!("{} has a port that is none", node.path());
        report.push(node.error("config.value", what).repair(EXAMPLE));
        0
    });
    let address = if parts.host.starts_with('/') {
        Address::Unix {
            directory: PathBuf::from(&parts.host),
            port,
        }
    } else {
        Address::Tcp { host: parts.host, port }
    };
    let tls = tls(node, parts.sslmode.as_deref(), &address, report);
    Url {
        address,
        user: parts.user,
        database: parts.database,
        tls,
    }
}

fn parts(node: &Node<'_>, rest: &str, report: &mut Report<'_>) -> Parts {
    let mut parts = Parts::default();
    let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = front.split_once('/').unwrap_or((front, ""));
    let (login, server) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    if !password.is_empty() {
        literal_password(node, &format!(":{password}@"), report);
    }
    let (host, port) = match server.strip_prefix('[').and_then(|server| server.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or(port)),
        None => server.rsplit_once(':').unwrap_or((server, "")),
    };
    parts.user = decode(node, user, report);
    parts.host = decode(node, host, report);
    parts.port = port.to_owned();
    parts.database = decode(node, database, report);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, written) = pair.split_once('=').unwrap_or((pair, ""));
        if key == "password" {
            literal_password(node, pair, report);
            continue;
        }
        let value = decode(node, written, report);
        match key {
            "sslmode" => parts.sslmode = Some(value),
            "host" => parts.host = value,
            "port" => parts.port = value,
            "user" => parts.user = value,
            "dbname" => parts.database = value,
            "sslrootcert" => report.push(elsewhere(node, key, "root_cert = \"/etc/ssl/legacy-ca.pem\"")),
            "channel_binding" => report.push(elsewhere(node, key, "channel_binding = \"prefer\"")),
            _ => {
                let what = format!("unknown parameter {key} in {}", node.path());
                let hint = nearest_or_list(key, &["sslmode", "host", "port", "user", "dbname"]);
                report.push(Finding {
                    place: Some(node.part(key)),
                    ..node.error("config.unknown_key", what).repair(hint)
                });
            }
        }
    }
    parts
}

fn elsewhere(node: &Node<'_>, key: &str, line: &str) -> Finding {
    let what = format!("{key} does not belong into {}", node.path());
    Finding {
        place: Some(node.part(key)),
        ..node
            .error("config.value", what)
            .repair(format!("under [source]: {line}"))
    }
}

fn literal_password(node: &Node<'_>, spelling: &str, report: &mut Report<'_>) {
    let what = format!("{} holds a password, which must not be written here", node.path());
    report.push_masked(
        Finding {
            place: Some(node.part(spelling)),
            ..node.error("config.secret_literal", what)
        }
        .because("config files are copied, committed and printed")
        .repair("take it out, and write: password = { file = \"/run/secrets/legacy_pg\" }"),
    );
}

fn tls(node: &Node<'_>, sslmode: Option<&str>, address: &Address, report: &mut Report<'_>) -> Tls {
    let is_near = match address {
        Address::Unix { .. } => true,
        Address::Tcp { host, .. } => {
            host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
    };
    let place = Some(node.part("sslmode"));
    let (tls, finding) = match (sslmode, is_near) {
        (None | Some("disable"), true) => return Tls::Disable,
        (None, false) => return Tls::VerifyFull,
        (Some("verify-full" | "require"), true) if matches!(address, Address::Unix { .. }) => {
            let what = "a Unix socket has no TLS";
            (Tls::Disable, node.error("config.value", what).repair("sslmode=disable"))
        }
        (Some("verify-full"), _) => return Tls::VerifyFull,
        (Some("disable"), false) => {
            let what = "rows and the login travel without encryption: sslmode=disable to another machine";
            (
                Tls::Disable,
                node.warning("config.tls", what).repair("sslmode=verify-full"),
            )
        }
        (Some("require"), is_near) => {
            if is_near {
                return Tls::Require;
            }
            let what = "sslmode=require does not look at the server's certificate";
            (
                Tls::Require,
                node.warning("config.tls", what).repair("sslmode=verify-full"),
            )
        }
        (Some(later @ ("allow" | "prefer" | "verify-ca")), _) => {
            let finding = node.not_yet(&format!("sslmode={later}"));
            (
                Tls::VerifyFull,
                finding.repair("sslmode=verify-full, require or disable"),
            )
        }
        (Some(other), _) => {
            let finding = node.error("config.value", format!("sslmode cannot be {other:?}"));
            (
                Tls::VerifyFull,
                finding.repair("sslmode=verify-full, require or disable"),
            )
        }
    };
    report.push(Finding { place, ..finding });
    tls
}

/// Percent-decoding (RFC 3986, section 2.1).
fn decode(node: &Node<'_>, written: &str, report: &mut Report<'_>) -> String {
    let (mut bytes, mut rest) = (Vec::new(), written);
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let byte = after
            .split_at_checked(2)
            .and_then(|(hex, rest)| Some((u8::from_str_radix(hex, 16).ok()?, rest)));
        let Some((byte, behind)) = byte else {
            let what = format!("{} has a % that two hexadecimal digits do not follow", node.path());
            report.push(node.error("config.value", what).repair("write %25 for a literal %"));
            return written.to_owned();
        };
        bytes.push(byte);
        rest = behind;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| {
        report.push(node.error("config.value", format!("{} is no UTF-8", node.path())));
        written.to_owned()
    })
}
