//! `walbridge backfill`: asks a running bridge to tell old rows again, to wait, to go on or to end, and how far it is.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::backfill::order::{Accepted, Action, Order};
use crate::cli::check::Format;
use crate::cli::running::ask::{self, Answer};
use crate::cli::running::old_rows::{self, Line};
use crate::cli::running::{bridge, unread};
use crate::cli::say::say;
use crate::cli::{ConfigFile, Exit, LogFormat, findings};
use crate::config::{self, Config};
use crate::finding::{Cause, Finding, nearest_or_list};
use crate::flow::generation::OnGone;
use crate::secret::Revealed;

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Entities whose old rows are meant
    #[arg(value_name = "ENTITY", required_unless_present = "status")]
    entities: Vec<String>,
    /// Tell only rows for which this holds: an expression over columns of the table
    #[arg(long = "where", value_name = "EXPR", conflicts_with_all = ["status", "pause", "resume", "cancel"])]
    only: Option<String>,
    /// What becomes of keys whose rows are gone [default: as `delete` of [backfill] says]
    #[arg(
        long,
        value_enum,
        value_name = "keep|reconcile",
        hide_possible_values = true,
        conflicts_with_all = ["status", "pause", "resume", "cancel"]
    )]
    delete: Option<Delete>,
    /// Say how far old rows are told, of these entities or of all
    #[arg(long, group = "instead")]
    status: bool,
    /// Let it wait, also over a restart
    #[arg(long, group = "instead")]
    pause: bool,
    /// Let it go on
    #[arg(long, group = "instead")]
    resume: bool,
    /// End it where it is
    #[arg(long, group = "instead")]
    cancel: bool,
    /// How the status is printed
    #[arg(
        long,
        value_enum,
        value_name = "text|json",
        hide_possible_values = true,
        default_value = "text",
        requires = "status"
    )]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Delete {
    /// They stay as they are
    Keep,
    /// Each gets a tombstone, once all rows are told
    Reconcile,
}

impl Arguments {
    fn order(&self) -> Order {
        let action = match (self.pause, self.resume, self.cancel) {
            (true, _, _) => Action::Pause,
            (_, true, _) => Action::Resume,
            (_, _, true) => Action::Cancel,
            (false, false, false) => Action::Tell,
        };
        Order {
            action,
            entities: self.entities.clone(),
            only: self.only.clone(),
            on_gone: self.delete.map(|delete| match delete {
                Delete::Keep => OnGone::Keep,
                Delete::Reconcile => OnGone::Reconcile,
            }),
        }
    }
}

/// Asks, and prints what the bridge says.
pub(super) fn backfill(arguments: &Arguments, format: LogFormat) -> Exit {
    // Of the secrets only the token is needed here, and it is read when it is.
    let config = match config::load_without_secrets(&arguments.file.config) {
        Ok(loaded) => loaded.config,
        Err(invalid) => return findings::refuse(&invalid),
    };
    let done = bridge(&config).and_then(|(address, seen): (_, Seen)| {
        if arguments.status {
            show(&seen, arguments)
        } else {
            order(&config, address, &arguments.order())
        }
    });
    match done {
        Ok(()) => Exit::Done,
        Err(finding) => findings::fail(&finding, format),
    }
}

/// What `/status` says, as far as it matters here.
#[derive(Deserialize)]
struct Seen {
    name: String,
    state: String,
    backfill: Vec<Value>,
}

fn show(seen: &Seen, arguments: &Arguments) -> Result<(), Box<Finding>> {
    let name_of = |one: &Value| one.get("entity").and_then(Value::as_str).unwrap_or_default().to_owned();
    let known: Vec<String> = seen.backfill.iter().map(name_of).collect();
    for entity in &arguments.entities {
        if !known.contains(entity) {
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            let what = format!("there is no entity {entity} whose old rows can be told");
            let finding = Finding::error(Cause::Surroundings, "backfill.unknown_entity", what);
            return Err(Box::new(finding.repair(nearest_or_list(entity, &names))));
        }
    }
    let is_meant = |one: &&Value| arguments.entities.is_empty() || arguments.entities.contains(&name_of(one));
    let meant: Vec<Value> = seen.backfill.iter().filter(is_meant).cloned().collect();
    match arguments.format {
        Format::Json => say!(
            "{:#}",
            json!({ "name": seen.name, "state": seen.state, "backfill": meant })
        ),
        Format::Text if meant.is_empty() => {
            say!("{} is {}: it tells old rows of no entity", seen.name, seen.state);
        }
        Format::Text => {
            let lines: Result<Vec<Line>, _> = serde_json::from_value(Value::Array(meant));
            let lines = lines.map_err(|error| unread(&error.to_string()))?;
            say!("{}", old_rows::draw(&lines));
        }
    }
    Ok(())
}

fn order(config: &Config, address: SocketAddr, order: &Order) -> Result<(), Box<Finding>> {
    let token = token(config)?;
    let body = json!(order).to_string();
    let answer = ask::post(address, "/backfill", &token, &body).map_err(|error| {
        let what = format!("cannot say what became of it: the bridge at {address} does not answer: {error}");
        Finding::error(Cause::Surroundings, "backfill.not_known", what)
            .repair("look what is under way, then ask again if need be: walbridge backfill -c FILE --status")
    })?;
    if answer.code != 200 {
        return Err(refusal(&answer));
    }
    let accepted: Accepted = serde_json::from_str(&answer.body).map_err(|error| unread(&error.to_string()))?;
    let becomes = match order.action {
        Action::Tell => "begins",
        Action::Pause => "pauses",
        Action::Resume => "goes on",
        Action::Cancel => "ends here",
    };
    for (entity, generation) in &accepted.generations {
        say!("{entity}: generation {generation} {becomes}");
    }
    Ok(())
}

fn token(config: &Config) -> Result<Revealed, Box<Finding>> {
    let Some(secret) = &config.http.token else {
        let what = "cannot ask the bridge for anything: the config names no token";
        let finding = Finding::error(Cause::Config, "http.no_token", what)
            .because("whoever reaches the port could order any reload otherwise")
            .repair(
                "add to [http]: token = { env = \"WALBRIDGE_TOKEN\" }, and start the bridge with that variable set",
            );
        return Err(Box::new(finding));
    };
    let token = secret.read().map_err(|error| {
        Finding::error(Cause::Surroundings, "http.token_unreadable", error.to_string())
            .repair("set it here as it is set for the bridge: `token` of [http] says where it is kept")
    })?;
    // It goes into a line of a request.
    if token.expose().is_empty() || token.expose().contains(|letter: char| !letter.is_ascii_graphic()) {
        let what =
            "cannot use the token of [http]: it is empty, or holds something else than letters, digits and signs";
        let finding = Finding::error(Cause::Surroundings, "http.token_unfit", what);
        return Err(Box::new(finding.repair(
            "use one line of ASCII without spaces, such as openssl rand -hex 32 prints",
        )));
    }
    Ok(token)
}

/// A finding as the bridge sent it.
fn refusal(answer: &Answer) -> Box<Finding> {
    #[derive(Deserialize)]
    struct Sent {
        code: String,
        cause: String,
        what: String,
        why: Option<String>,
        repair: Option<String>,
    }
    let Ok(sent) = serde_json::from_str::<Sent>(&answer.body) else {
        return unread(&format!("it answers with {}", answer.code));
    };
    let cause = if sent.cause == Cause::Config.word() {
        Cause::Config
    } else {
        Cause::Surroundings
    };
    // Once in the life of a process that ends with it.
    let code = String::leak(sent.code);
    let finding = Finding::error(cause, code, sent.what);
    Box::new(Finding {
        why: sent.why,
        repair: sent.repair,
        ..finding
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::path::Path;

    use super::*;

    /// What answers once in place of a bridge; gives what it was asked.
    fn in_place_of_a_bridge(answer: String) -> (u16, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = vec![0; 4_096];
            let length = stream.read(&mut heard).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            drop(stream);
            listener.set_nonblocking(true).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(300));
            assert!(listener.accept().is_err(), "it is asked a second time");
            String::from_utf8_lossy(&heard[..length]).into_owned()
        });
        (port, asked)
    }

    fn config(folder: &Path, port: u16) -> Config {
        let (path, token) = (folder.join("bridge.toml"), folder.join("token"));
        std::fs::write(&token, "the-token").unwrap();
        let text = format!(
            "[bridge]\nname = \"shop\"\n[source]\nurl = \"postgresql://u@127.0.0.1:1/d\"\n[kafka]\nbrokers = \"127.0.0.1:1\"\n\
             [http]\nlisten = \"127.0.0.1:{port}\"\ntoken = {{ file = {token:?} }}\n[entity.Item]\ntable = \"public.item\"\n\
             key = \"number\"\nstate_topic = \"shop.items\"\n[entity.Item.fields]\nnumber = \"id\"\n"
        );
        std::fs::write(&path, text).unwrap();
        config::load_offline(&path).unwrap().config
    }

    fn refused(answer: &str) -> (&'static str, String) {
        let (port, asked) = in_place_of_a_bridge(format!("HTTP/1.1 200 OK\r\n\r\n{answer}"));
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), port);
        let finding = bridge(&config)
            .and_then(|(address, _): (_, Seen)| super::order(&config, address, &order()))
            .unwrap_err();
        (finding.code, asked.join().unwrap())
    }

    fn order() -> Order {
        Order {
            action: Action::Tell,
            entities: vec!["Item".to_owned()],
            only: None,
            on_gone: None,
        }
    }

    #[test]
    fn no_other_bridge_hears_the_token() {
        for answer in [
            r#"{"name":"stock","state":"streaming","backfill":[]}"#,
            r#"{"name":"shop"}"#,
            "hello",
        ] {
            let (code, asked) = refused(answer);
            assert_eq!(code, "http.other", "{answer}");
            assert!(
                asked.starts_with("GET /status ") && !asked.contains("the-token"),
                "{asked}"
            );
        }
    }

    #[test]
    fn what_the_bridge_refuses_is_told_as_it_told_it() {
        let sent = Finding::error(Cause::Config, "http.no_token", "no token").repair("add one");
        let answer = |body: String| Answer { code: 403, body };
        assert_eq!(*refusal(&answer(sent.document().to_string())), sent);
        assert_eq!(refusal(&answer("<html>".to_owned())).code, "http.answer");
    }

    #[test]
    fn a_port_left_to_chance_is_said_to_be_so() {
        let folder = tempfile::tempdir().unwrap();
        let finding = bridge::<Seen>(&config(folder.path(), 0)).err().unwrap();
        assert_eq!((finding.code, finding.cause), ("http.any_port", Cause::Config));
    }
}
