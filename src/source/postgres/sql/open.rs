//! How an SQL connection is opened: dialled and encrypted as the stream's is, and then the driver's.

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

/// Reads a URL as libpq would, with `PGPASSWORD` where it holds no password.
///
/// # Errors
/// A halt where it cannot be read; it is not repeated.
pub(super) fn of_url(url: &str, trust: &Trust) -> Result<(Config, Login), SourceError> {
    let (url, mode) = without_sslmode(url);
    let unreadable = || {
        let finding = Finding::error(Cause::Config, "source.url", "cannot read the URL of --as");
        halt(finding.repair("postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full"))
    };
    let mut config: Config = url.parse().map_err(|_| unreadable())?;
    if config.get_password().is_none()
        && let Ok(password) = std::env::var("PGPASSWORD")
    {
        config.password(password);
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
        trust: Trust { tls, ..trust.clone() },
    };
    Ok((config, login))
}

/// The driver knows three modes of five; the word is taken out.
fn without_sslmode(url: &str) -> (String, Option<String>) {
    let Some((front, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let (modes, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("sslmode="));
    let mode = modes.first().and_then(|pair| pair.strip_prefix("sslmode="));
    (format!("{front}?{}", others.join("&")), mode.map(str::to_owned))
}
