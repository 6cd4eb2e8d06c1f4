//! How an SQL connection is opened: dialled and encrypted as the stream's is, and then the driver's.

use std::path::PathBuf;
use std::time::Duration;

use socket2::Socket;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};

use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::connect::demand::Standing;
use crate::source::postgres::connect::encrypt::{Agreed, agree};
use crate::source::postgres::connect::hosts::first_fit;
use crate::source::postgres::connect::socket::dial;
use crate::source::postgres::settings::{Address, Binding, Login, Target, Tls, Trust};
use crate::source::postgres::sql::wary::{Handshake, Wary};
use crate::source::postgres::sql::{Sql, get, halt, quote, within};

/// How long the handshake and the login may take.
const LOGIN_MAX: Duration = Duration::from_secs(10);

/// A server's own limits must not end our session, and no name of ours may mean another schema's.
const SESSION: &str = "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
     SET search_path = pg_catalog; SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; \
     SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout')";

pub(super) const EXAMPLE: &str = "postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full; in each part / ? # @ are \
     written %2F %3F %23 %40";

const OF_A_SOCKET: &str = "postgresql://USER@HOST/DATABASE; a Unix socket is named by its folder: \
     postgresql://USER@%2Fvar%2Frun%2Fpostgresql/DATABASE";

/// Opens a session at the first host that will do.
///
/// # Errors
/// See [`Sql::connect`].
pub(super) fn open(mut config: Config, login: &Login) -> Result<Sql, SourceError> {
    config
        .application_name("walbridge")
        .channel_binding(match login.trust.binding {
            Binding::Disable => ChannelBinding::Disable,
            Binding::Prefer => ChannelBinding::Prefer,
            Binding::Require => ChannelBinding::Require,
        });
    first_fit(
        login,
        |address| enter(&config, address, &login.trust),
        |sql| get(&sql.one("SELECT pg_catalog.pg_is_in_recovery()", &[])?, 0),
    )
}

fn enter(config: &Config, address: &Address, trust: &Trust) -> Result<Sql, SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| SourceError::Transient(format!("cannot start a runtime for SQL: {error}")))?;
    let socket = dial(address)?;
    let agreed = agree(&socket, address, trust)?;
    let standing = Standing::of(address, trust);
    let entered = |client: Result<Client, SourceError>| client.map_err(|error| no_connect(error, config));
    let unusable = |error: std::io::Error| SourceError::Transient(format!("cannot use the socket: {error}"));
    socket.set_nonblocking(true).map_err(unusable)?;
    let client = {
        let _inside = runtime.enter();
        match address {
            Address::Tcp { .. } => {
                let stream = TcpStream::from_std(Socket::into(socket)).map_err(unusable)?;
                entered(begin(&runtime, config, (stream, agreed, standing)))?
            }
            Address::Unix { .. } => {
                let stream = UnixStream::from_std(Socket::into(socket)).map_err(unusable)?;
                entered(begin(&runtime, config, (stream, agreed, standing)))?
            }
        }
    };
    let mut sql = Sql {
        runtime,
        client,
        version: 0,
    };
    sql.run(SESSION)?;
    let version = sql.one("SELECT current_setting('server_version_num')::int8", &[])?;
    sql.version = u32::try_from(get::<i64>(&version, 0)?).unwrap_or(0);
    Ok(sql)
}

/// The only right that a login asks for is the one to the database.
fn no_connect(error: SourceError, config: &Config) -> SourceError {
    let SourceError::Halt(finding) = error else {
        return error;
    };
    if finding.code != "source.privilege_missing" {
        return SourceError::Halt(finding);
    }
    let (user, database) = (
        config.get_user().unwrap_or_default(),
        config.get_dbname().unwrap_or_default(),
    );
    let what = format!("the role {user} may not connect to the database {database}");
    let grant = format!(
        "GRANT CONNECT ON DATABASE {} TO {};",
        quote::ident(database),
        quote::ident(user)
    );
    halt(Finding::error(Cause::Surroundings, "source.no_connect", what).repair(grant))
}

fn begin<S>(
    runtime: &Runtime,
    config: &Config,
    (stream, agreed, standing): (S, Agreed, Standing),
) -> Result<Client, SourceError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut config = config.clone();
    match agreed {
        Agreed::Plain => {
            config.ssl_mode(SslMode::Disable);
            let wary = Wary::new(stream, standing);
            let (client, connection) = within(runtime, LOGIN_MAX, config.connect_raw(wary, NoTls))?;
            drop(runtime.spawn(connection));
            Ok(client)
        }
        Agreed::Tls { config: tls, name } => {
            // Both ends have agreed already: the driver is to begin with the handshake.
            config
                .ssl_mode(SslMode::Require)
                .ssl_negotiation(SslNegotiation::Direct);
            let handshake = Handshake {
                config: tls,
                name,
                standing,
            };
            let (client, connection) = within(runtime, LOGIN_MAX, config.connect_raw(stream, handshake))?;
            drop(runtime.spawn(connection));
            Ok(client)
        }
    }
}

/// Reads the URL of an option as libpq would, with `PGPASSWORD` where it holds no password.
///
/// # Errors
/// A halt where it cannot be read; it is not repeated.
pub(super) fn of_url(option: &str, url: &str, trust: &Trust) -> Result<(Config, Login), SourceError> {
    let (url, mode) = without(url, "sslmode=");
    let (url, root_cert) = without(&url, "sslrootcert=");
    let wrong = |what: String, repair| halt(Finding::error(Cause::Config, "source.url", what).repair(repair));
    let unreadable = || wrong(format!("cannot read the URL of {option}"), EXAMPLE);
    let mut config: Config = url.parse().map_err(|_| unreadable())?;
    if config.get_password().is_none()
        && let Ok(password) = std::env::var("PGPASSWORD")
    {
        config.password(password);
    }
    let is_blank = |host: &Host| matches!(host, Host::Tcp(host) if host.is_empty());
    if config.get_hosts().is_empty() || config.get_hosts().iter().any(is_blank) {
        return Err(wrong(format!("the URL of {option} names no host"), OF_A_SOCKET));
    }
    if !config.get_hostaddrs().is_empty() {
        let what = format!("the URL of {option} names a hostaddr, which is not read");
        return Err(wrong(what, "name the address as the host"));
    }
    let port_of = |at: usize| config.get_ports().get(at).or(config.get_ports().first()).copied();
    let hosts: Vec<Address> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(at, host)| {
            let port = port_of(at).unwrap_or(5432);
            match host {
                Host::Tcp(host) => Address::Tcp {
                    host: host.clone(),
                    port,
                },
                Host::Unix(directory) => Address::Unix {
                    directory: directory.clone(),
                    port,
                },
            }
        })
        .collect();
    let is_near = hosts.iter().all(Address::is_near);
    let tls = match mode.as_deref().map(Tls::of_word) {
        Some(None) => return Err(unreadable()),
        Some(Some(tls)) => tls,
        None if is_near => Tls::Disable,
        None => Tls::VerifyFull,
    };
    let login = Login {
        target: if config.get_target_session_attrs() == TargetSessionAttrs::ReadWrite {
            Target::ReadWrite
        } else {
            Target::Any
        },
        hosts,
        user: String::new(),
        password: None,
        database: String::new(),
        trust: Trust {
            tls,
            root_cert: root_cert.map(PathBuf::from).or_else(|| trust.root_cert.clone()),
            binding: stricter(config.get_channel_binding(), trust.binding),
            ..trust.clone()
        },
    };
    Ok((config, login))
}

/// Neither the URL nor the config takes back what the other demands.
fn stricter(url: ChannelBinding, config: Binding) -> Binding {
    match (url, config) {
        (ChannelBinding::Require, _) | (_, Binding::Require) => Binding::Require,
        (ChannelBinding::Disable, _) => Binding::Disable,
        (_, config) => config,
    }
}

/// The driver reads less than libpq: the word, such as `sslmode=`, is taken out.
fn without(url: &str, word: &str) -> (String, Option<String>) {
    let Some((front, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let (found, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with(word));
    let value = found.first().and_then(|pair| pair.strip_prefix(word));
    (format!("{front}?{}", others.join("&")), value.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(url: &str) -> String {
        match of_url("--as", url, &Trust::of(Tls::VerifyFull)) {
            Err(SourceError::Halt(finding)) => format!("{}: {}", finding.code, finding.what),
            other => format!("{:?}", other.map(|_| ())),
        }
    }

    #[test]
    fn what_a_url_says_of_tls_is_kept_and_what_is_not_read_is_refused() {
        let trust = Trust::of(Tls::VerifyFull);
        let url = "postgresql://dba@db/shop?sslmode=verify-ca&sslrootcert=/etc/ca.pem&channel_binding=require";
        let (_, login) = of_url("--as", url, &trust).unwrap();
        assert_eq!(login.trust.tls, Tls::VerifyCa);
        assert_eq!(login.trust.root_cert.unwrap().display().to_string(), "/etc/ca.pem");
        assert_eq!(login.trust.binding, Binding::Require);
        assert_eq!(stricter(ChannelBinding::Disable, Binding::Require), Binding::Require);
        assert_eq!(stricter(ChannelBinding::Disable, Binding::Prefer), Binding::Disable);
        assert_eq!(stricter(ChannelBinding::Prefer, Binding::Disable), Binding::Disable);
        assert!(code("postgresql:///shop").ends_with("names no host"));
        assert!(code("postgresql://dba@db/shop?hostaddr=10.0.0.7").contains("hostaddr"));
        assert!(code("postgresql://dba:hunter2@db/shop?sslmode=maybe").ends_with("the URL of --as"));
    }
}
