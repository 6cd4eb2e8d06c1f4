//! `postgresql://` addresses, as libpq reads them
//! (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>).

use std::path::PathBuf;

use crate::config::file::Node;
use crate::config::file::report::Report;
use crate::finding::{Finding, Severity, nearest_or_list};
use crate::source::postgres::settings::{Address, Target, Tls};

/// What an address says.
pub(super) struct Url {
    pub(super) hosts: Vec<Address>,
    pub(super) target: Target,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) tls: Tls,
}

impl Default for Url {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            target: Target::Any,
            user: String::new(),
            database: String::new(),
            tls: Tls::VerifyFull,
        }
    }
}

#[derive(Default)]
struct Parts {
    user: String,
    /// As written, with a port where one is.
    servers: Vec<(String, String)>,
    /// `host=` and `port=`, which come before those.
    hosts: Option<String>,
    ports: Option<String>,
    database: String,
    sslmode: Option<String>,
    target: Option<String>,
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
    let before = report.count();
    let read = read(node, rest, report);
    if may_hide_password(rest) {
        report.mask(&node.place());
        let found = report.take_from(before);
        if found.iter().any(|one| one.severity == Severity::Error) {
            // Where it was cut wrongly, its parts say nothing of what is meant, and may be parts of a password.
            report.push(misread(node));
        } else {
            found.into_iter().for_each(|one| report.push(one));
        }
    }
    read
}

/// Whether an address has an @ behind its servers, as it has where a password is cut in two by a character of addresses.
fn may_hide_password(rest: &str) -> bool {
    let servers_end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest.rfind('@')
        .is_some_and(|at| at > servers_end && rest.get(..at).is_some_and(|before| before.contains(':')))
}

fn misread(node: &Node<'_>) -> Finding {
    let what = format!(
        "{} seems to hold a password, which must not be written here",
        node.path()
    );
    node.error("config.secret_literal", what)
        .because("an @ follows a : and a / or ?: such characters end what they stand in")
        .repair(
            "take a password out, and write: password = { file = \"/run/secrets/legacy_pg\" }; in all else / ? # @ are \
             written %2F %3F %23 %40",
        )
}

fn read(node: &Node<'_>, rest: &str, report: &mut Report<'_>) -> Url {
    let parts = parts(node, rest, report);
    for (name, value) in [("role", &parts.user), ("database", &parts.database)] {
        if value.is_empty() {
            let what = format!("{} names no {name}", node.path());
            report.push(node.error("config.value", what).repair(EXAMPLE));
        }
    }
    let hosts = hosts(node, &parts, report);
    Url {
        target: target(node, parts.target.as_deref(), hosts.len(), report),
        tls: tls(node, parts.sslmode.as_deref(), &hosts, report),
        hosts,
        user: parts.user,
        database: parts.database,
    }
}

/// Every server, with its port: of its own, or one for all.
fn hosts(node: &Node<'_>, parts: &Parts, report: &mut Report<'_>) -> Vec<Address> {
    let servers: Vec<(&str, &str)> = match &parts.hosts {
        Some(hosts) => hosts.split(',').map(|host| (host, "")).collect(),
        None => parts
            .servers
            .iter()
            .map(|(host, port)| (host.as_str(), port.as_str()))
            .collect(),
    };
    let given: Vec<&str> = parts.ports.iter().flat_map(|ports| ports.split(',')).collect();
    if given.len() > 1 && given.len() != servers.len() {
        let what = format!(
            "{} names {} hosts and {} ports",
            node.path(),
            servers.len(),
            given.len()
        );
        report.push(
            node.error("config.value", what)
                .repair("one port for all hosts, or one for each"),
        );
    }
    let mut found = Vec::new();
    for (at, (host, own)) in servers.into_iter().enumerate() {
        if host.is_empty() {
            let what = format!("{} names no host", node.path());
            report.push(node.error("config.value", what).repair(EXAMPLE));
        }
        let port = given.get(at).or(given.first()).copied().unwrap_or(own);
        let port = if port.is_empty() { Ok(5432) } else { port.parse() };
        let port = port.unwrap_or_else(|_| {
            let what = format!("{} has a port that is none", node.path());
            report.push(node.error("config.value", what).repair(EXAMPLE));
            0
        });
        found.push(match host.starts_with('/') {
            true => Address::Unix {
                directory: PathBuf::from(host),
                port,
            },
            false => Address::Tcp {
                host: host.to_owned(),
                port,
            },
        });
    }
    found
}

/// Among several hosts only the primary has the slot, so it is what is looked for unless the URL says otherwise.
fn target(node: &Node<'_>, written: Option<&str>, hosts: usize, report: &mut Report<'_>) -> Target {
    match written {
        None if hosts > 1 => Target::ReadWrite,
        None | Some("any") => Target::Any,
        Some("read-write" | "primary") => Target::ReadWrite,
        Some(other) => {
            let what = format!("target_session_attrs cannot be {other:?}: the slot is read on the primary");
            report.push(Finding {
                place: Some(node.part("target_session_attrs")),
                ..node
                    .error("config.value", what)
                    .repair("target_session_attrs=read-write")
            });
            Target::ReadWrite
        }
    }
}

const KNOWN: [&str; 6] = ["sslmode", "target_session_attrs", "host", "port", "user", "dbname"];

fn parts(node: &Node<'_>, rest: &str, report: &mut Report<'_>) -> Parts {
    let mut parts = Parts::default();
    let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = front.split_once('/').unwrap_or((front, ""));
    let (login, server) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    if !password.is_empty() {
        literal_password(node, &format!(":{password}@"), report);
    }
    parts.user = decode(node, user, report);
    for server in server.split(',') {
        let (host, port) = match server.strip_prefix('[').and_then(|server| server.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':').unwrap_or(port)),
            None => server.rsplit_once(':').unwrap_or((server, "")),
        };
        parts.servers.push((decode(node, host, report), port.to_owned()));
    }
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
            "host" => parts.hosts = Some(value),
            "port" => parts.ports = Some(value),
            "target_session_attrs" => parts.target = Some(value),
            "user" => parts.user = value,
            "dbname" => parts.database = value,
            "sslcert" => report.push(elsewhere(node, key, "client_cert = \"/etc/ssl/walbridge.pem\"")),
            "sslkey" => report.push(elsewhere(node, key, "client_key = \"/etc/ssl/walbridge.key\"")),
            "sslrootcert" => report.push(elsewhere(node, key, "root_cert = \"/etc/ssl/legacy-ca.pem\"")),
            "channel_binding" => report.push(elsewhere(node, key, "channel_binding = \"prefer\"")),
            _ => {
                let what = format!("unknown parameter {key} in {}", node.path());
                let hint = nearest_or_list(key, &KNOWN);
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

fn tls(node: &Node<'_>, sslmode: Option<&str>, hosts: &[Address], report: &mut Report<'_>) -> Tls {
    let is_near = hosts.iter().all(Address::is_near);
    let is_unix = hosts.iter().all(|address| matches!(address, Address::Unix { .. }));
    let choices = "sslmode=verify-full, verify-ca, require, prefer or disable";
    let Some(word) = sslmode else {
        return if is_near { Tls::Disable } else { Tls::VerifyFull };
    };
    let (tls, finding) = match Tls::of_word(word) {
        Some(Tls::Require | Tls::VerifyCa | Tls::VerifyFull) if is_unix => {
            let what = "a Unix socket has no TLS";
            (Tls::Disable, node.error("config.value", what).repair("sslmode=disable"))
        }
        Some(tls @ (Tls::VerifyCa | Tls::VerifyFull)) => return tls,
        Some(tls) if is_near => return tls,
        Some(Tls::Disable) => {
            let what = "rows and the login travel without encryption: sslmode=disable to another machine";
            (
                Tls::Disable,
                node.warning("config.tls", what).repair("sslmode=verify-full"),
            )
        }
        Some(tls) => {
            let what = if tls == Tls::Prefer {
                "sslmode=prefer goes on without encryption where somebody in between says that there is none"
            } else {
                "sslmode=require does not look at the server's certificate"
            };
            (tls, node.warning("config.tls", what).repair("sslmode=verify-full"))
        }
        None if word == "allow" => {
            let what = "sslmode=allow is not spoken: it sends the login without encryption first";
            (Tls::VerifyFull, node.error("config.value", what).repair(choices))
        }
        None => {
            let what = format!("sslmode cannot be {word:?}");
            (Tls::VerifyFull, node.error("config.value", what).repair(choices))
        }
    };
    let place = Some(node.part("sslmode"));
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
