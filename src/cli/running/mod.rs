//! The bridge of a config that runs now: found where it listens, and asked over HTTP.

use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Config;
use crate::finding::{Cause, Finding};

pub(super) mod ask;
pub(super) mod old_rows;

/// The code of the finding that nobody answers.
pub(super) const UNREACHABLE: &str = "http.unreachable";

/// The running bridge of this config: a token is shown to no other.
pub(super) fn bridge<Seen: DeserializeOwned>(config: &Config) -> Result<(SocketAddr, Seen), Box<Finding>> {
    let listen = config.http.listen;
    if listen.port() == 0 {
        let what = "cannot reach the bridge: `listen` of [http] leaves its port to chance";
        let finding = Finding::error(Cause::Config, "http.any_port", what);
        return Err(Box::new(finding.repair(
            "name a port, and start the bridge with it: listen = \"127.0.0.1:9400\"",
        )));
    }
    let address = ask::address(listen);
    let answer = ask::get(address, "/status").map_err(|error| {
        let what = format!("cannot reach the bridge at {address}: {error}");
        Finding::error(Cause::Surroundings, UNREACHABLE, what)
            .because("only the bridge that runs can say or do this")
            .repair(
                "where it has ended, its last line says why; start it (walbridge run -c FILE), and ask on its machine: it listens \
                 where `listen` of [http] says",
            )
    })?;
    let foreign = || other(address, "no bridge of this version");
    let seen: Value = serde_json::from_str(&answer.body).map_err(|_| foreign())?;
    let name = seen.get("name").and_then(Value::as_str).ok_or_else(foreign)?;
    if name != config.name {
        return Err(other(address, &format!("the bridge {name}, and not {}", config.name)));
    }
    let seen = serde_json::from_value(seen).map_err(|_| foreign())?;
    Ok((address, seen))
}

fn other(address: SocketAddr, what: &str) -> Box<Finding> {
    let finding = Finding::error(
        Cause::Surroundings,
        "http.other",
        format!("what answers at {address} is {what}"),
    );
    Box::new(
        finding.repair("give each bridge an address of its own in `listen` of [http], and start it with this config"),
    )
}

pub(super) fn unread(why: &str) -> Box<Finding> {
    let what = format!("cannot read what the bridge says: {why}");
    let finding = Finding::error(Cause::Surroundings, "http.answer", what);
    Box::new(finding.repair("use the same version of walbridge as the bridge that runs"))
}
