//! The URL of a command line, written anew from what was understood of it: so nothing gets into a file that was not looked at.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;

use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::settings::{Address, Login, Tls, Trust};
use crate::source::postgres::sql::open::{self, EXAMPLE};
use crate::source::postgres::sql::{Sql, get, halt};

/// A way to a database that somebody named by a URL.
pub struct Named {
    config: Config,
    login: Login,
}

impl Named {
    /// Reads the URL of an option; what the URL does not say of TLS is as in `trust`.
    ///
    /// # Errors
    /// A halt that names the option and never repeats the URL, which may hold a password.
    pub fn read(option: &str, url: &str, trust: &Trust) -> Result<Self, SourceError> {
        let refused = |what: String, repair: &str| {
            let finding = Finding::error(Cause::Config, "source.url", what);
            halt(finding.repair(repair))
        };
        let rest = ["postgresql://", "postgres://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(*scheme));
        let Some(rest) = rest else {
            let what = format!("what {option} names is no URL: it must start with postgresql://");
            return Err(refused(what, EXAMPLE));
        };
        // The driver takes what stands before the first `@` for the login, and the rest for the host.
        let login = rest.split_once('@').map_or("", |(login, _)| login);
        let user = login.split(':').next().unwrap_or_default();
        let (config, login) = open::of_url(option, url, trust)?;
        let is_odd = |host: &Address| matches!(host, Address::Tcp { host, .. } if host.contains(['@', '/', '?', '#']));
        if user.contains(['/', '?']) || login.hosts.iter().any(is_odd) {
            let what = format!("the URL of {option} holds an @ that is no end of the login");
            return Err(refused(
                what,
                "write %40 for an @ of the password, or let it stand in PGPASSWORD",
            ));
        }
        Ok(Self { config, login })
    }

    /// Connects, and writes the way anew without a password: with the role and the database that the server says.
    ///
    /// # Errors
    /// As [`Sql::connect`].
    pub fn enter(self) -> Result<(Sql, Entered), SourceError> {
        let (hosts, tls, target) = (
            self.login.hosts.clone(),
            self.login.trust.tls,
            self.config.get_target_session_attrs(),
        );
        let root_cert = self.login.trust.root_cert.clone();
        let mut sql = open::open(self.config, &self.login)?;
        let row = sql.one("SELECT session_user::text, current_database()::text", &[])?;
        let (user, database): (String, String) = (get(&row, 0)?, get(&row, 1)?);
        let url = written((&user, &database), &hosts, (tls, target));
        Ok((
            sql,
            Entered {
                url,
                database,
                root_cert,
            },
        ))
    }
}

/// Where somebody got in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// The URL, without a password.
    pub url: String,
    /// The database's name.
    pub database: String,
    /// The file of authorities that the URL or the option names.
    pub root_cert: Option<PathBuf>,
}

/// As `url` in `[source]` takes it, with what differs from what is taken for granted there.
fn written((user, database): (&str, &str), hosts: &[Address], (tls, target): (Tls, TargetSessionAttrs)) -> String {
    let servers: Vec<String> = hosts.iter().map(server).collect();
    let mut url = format!(
        "postgresql://{}@{}/{}",
        escaped(user.as_bytes()),
        servers.join(","),
        escaped(database.as_bytes())
    );
    let is_near = hosts.iter().all(Address::is_near);
    let granted = if is_near { Tls::Disable } else { Tls::VerifyFull };
    let is_socket = hosts.iter().all(|host| matches!(host, Address::Unix { .. }));
    let mut sign = '?';
    let word = Tls::WORDS.iter().find(|(_, of)| *of == tls).map(|(word, _)| *word);
    if let Some(word) = word.filter(|_| tls != granted && !is_socket) {
        _ = write!(url, "{sign}sslmode={word}");
        sign = '&';
    }
    // Among several the primary is looked for anyway.
    if target == TargetSessionAttrs::ReadWrite && hosts.len() == 1 {
        _ = write!(url, "{sign}target_session_attrs=read-write");
    }
    url
}

fn server(address: &Address) -> String {
    let (name, port) = match address {
        Address::Tcp { host, port } if host.contains(':') => (format!("[{}]", host.replace('%', "%25")), *port),
        Address::Tcp { host, port } => (escaped(host.as_bytes()), *port),
        Address::Unix { directory, port } => (escaped(directory.as_os_str().as_bytes()), *port),
    };
    if port == 5432 { name } else { format!("{name}:{port}") }
}

/// Percent-encoding of all that is not unreserved (RFC 3986, section 2.3).
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is written where the server says the role `me` and the database `there`.
    fn anew(url: &str) -> Result<String, String> {
        let named = Named::read("--source", url, &Trust::of(Tls::VerifyFull)).map_err(|error| match error {
            SourceError::Halt(finding) => format!("{} {}", finding.what, finding.repair.unwrap_or_default()),
            SourceError::Transient(why) => why,
        })?;
        let user = named.config.get_user().unwrap_or("me").to_owned();
        let database = named.config.get_dbname().unwrap_or("there").to_owned();
        let target = named.config.get_target_session_attrs();
        Ok(written(
            (&user, &database),
            &named.login.hosts,
            (named.login.trust.tls, target),
        ))
    }

    #[test]
    fn a_url_comes_out_without_its_password_and_with_what_the_config_knows() {
        for (url, expected) in [
            (
                "postgresql://a:hunter2@h:1/d?sslmode=require",
                "postgresql://a@h:1/d?sslmode=require",
            ),
            ("postgres://a@h/d?password=hunter2", "postgresql://a@h/d"),
            ("postgresql://a@h?password=hunter2", "postgresql://a@h/there"),
            (
                "postgresql://h/d?user=a&password=hunter2&sslmode=disable",
                "postgresql://a@h/d?sslmode=disable",
            ),
            ("postgresql://a:hun/ter2@h/d", "postgresql://a@h/d"),
            ("postgresql://a:hun?ter2@h/d", "postgresql://a@h/d"),
            (
                "postgresql://a%20b:hunter2@[::1]:5433/Sch%C3%B6n",
                "postgresql://a%20b@[::1]:5433/Sch%C3%B6n",
            ),
            ("postgresql://h", "postgresql://me@h/there"),
            (
                "postgresql://a@h/d?connect_timeout=3&application_name=x",
                "postgresql://a@h/d",
            ),
            (
                "postgresql://a@h,i:7/d?target_session_attrs=read-write",
                "postgresql://a@h,i:7/d",
            ),
            (
                "postgresql://a@h/d?sslmode=verify-ca&target_session_attrs=read-write",
                "postgresql://a@h/d?sslmode=verify-ca&target_session_attrs=read-write",
            ),
            ("postgresql://a@%2Frun%2Fpg/d", "postgresql://a@%2Frun%2Fpg/d"),
            ("postgresql:///d?host=/run/pg&user=a", "postgresql://a@%2Frun%2Fpg/d"),
        ] {
            assert_eq!(anew(url).as_deref(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_written_anew_is_refused_and_never_repeated() {
        for (url, says) in [
            (
                "host=db user=u password=hunter2 dbname=shop",
                "--source names is no URL",
            ),
            ("postgresql://a:x@hunter2@h/d", "write %40 for an @"),
            ("postgresql://h/d?user=a&password=x@hunter2", "write %40 for an @"),
            ("postgresql:///d", "names no host"),
            ("postgresql://a:hunter2@/d", "%2Fvar%2Frun%2Fpostgresql"),
            ("postgresql://a:hunter2@h:port/d", "cannot read the URL of --source"),
            (
                "postgresql://a:hunter2@h/d?sslmode=hunter2",
                "cannot read the URL of --source",
            ),
        ] {
            let refused = anew(url).expect_err(url);
            assert!(
                refused.contains(says) && !refused.contains("hunter2"),
                "{url}: {refused}"
            );
        }
    }
}
