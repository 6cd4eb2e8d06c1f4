//! The server over a real socket, spoken to as any client would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backfill::order::{Accepted, Action};
use crate::bridge::orders::{self, Requests};
use crate::finding::{Cause, Finding};
use crate::http::{Door, Server, serve};
use crate::secret::Secret;
use crate::telemetry::{Account, KindNames, Names, Share, State, Status, Telling};

fn door(token: Option<Secret>) -> (Door, Requests) {
    let (desk, requests) = orders::channel();
    (Door { desk, token }, requests)
}

fn started() -> (Server, Arc<Status>) {
    let (server, status, _) = started_with(None);
    (server, status)
}

fn started_with(token: Option<Secret>) -> (Server, Arc<Status>, Requests) {
    let (door, requests) = door(token);
    let status = Arc::new(Status::new(Names {
        bridge: "shop".to_owned(),
        version: "9.9".to_owned(),
        entities: vec!["Order".to_owned()],
        topics: vec!["shop.orders".to_owned()],
        kinds: vec![KindNames {
            entity: "Order".to_owned(),
            event: "Order".to_owned(),
            topic: 0,
        }],
    }));
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = serve(listen, Arc::clone(&status), 60, door).expect("a free port");
    (server, status, requests)
}

/// An answer: its head and its body.
fn ask(server: &Server, method: &str, path: &str, more: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server.address()).expect("a server");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_ascii_lowercase(), body.to_owned())
}

fn code(answer: &(String, String)) -> &str {
    answer.0.split(' ').nth(1).expect("a status line")
}

#[test]
fn it_lives_from_the_first_moment() {
    let (server, _status) = started();
    let answer = ask(&server, "GET", "/livez", "");
    assert_eq!((code(&answer), answer.1.as_str()), ("200", "alive\n"));
}

#[test]
fn it_is_ready_while_it_streams_or_waits_and_says_why_else() {
    let (server, status) = started();
    let answer = ask(&server, "GET", "/readyz", "");
    assert_eq!((code(&answer), answer.1.as_str()), ("503", "starting\n"));
    for state in [State::Waiting, State::Streaming] {
        status.set_state(state);
        assert_eq!(code(&ask(&server, "GET", "/readyz", "")), "200", "{state:?}");
    }
    status.halted("the slot\nis lost");
    let answer = ask(&server, "GET", "/readyz", "");
    assert_eq!(
        (code(&answer), answer.1.as_str()),
        ("503", "halted: the slot is lost\n")
    );
    assert_eq!(
        code(&ask(&server, "GET", "/livez", "")),
        "200",
        "to be killed helps nobody who halted"
    );
}

#[test]
fn status_is_json_unless_a_browser_asks() {
    let (server, status) = started();
    status.moved(0x16_B374_8000, 0);
    let answer = ask(&server, "GET", "/status", "");
    assert!(answer.0.contains("content-type: application/json"), "{}", answer.0);
    let told: serde_json::Value = serde_json::from_str(&answer.1).expect("JSON");
    assert_eq!(told["name"], "shop");
    assert_eq!(told["state"], "starting");
    assert_eq!(told["ready"], false);
    assert_eq!(told["unready"], "starting");
    assert_eq!(told["position"]["durable_lsn"], "16/B3748000");
    let answer = ask(&server, "GET", "/status", "Accept: text/html,application/xhtml+xml\r\n");
    assert!(answer.0.contains("content-type: text/html"), "{}", answer.0);
    assert!(answer.0.contains("vary: accept"), "{}", answer.0);
    assert!(
        answer.1.starts_with("<!doctype html>") && answer.1.contains("16/B3748000"),
        "{}",
        answer.1
    );
}

#[test]
fn the_page_takes_nothing_from_elsewhere_and_no_markup_from_an_error() {
    let (server, status) = started();
    status.halted("<script>alert(1)</script>");
    let (head, page) = ask(&server, "GET", "/status", "Accept: text/html\r\n");
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script>alert"),
        "{page}"
    );
    assert!(
        !page.contains("http://") && !page.contains("https://") && !page.contains("//cdn"),
        "{page}"
    );
    assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
}

#[test]
fn old_rows_under_way_have_a_bar_and_others_none() {
    let (server, status) = started();
    let account = |telling, share| Account {
        entity: "Order".to_owned(),
        generation: 3,
        telling,
        rows: 5_000,
        rows_estimate: 20_000,
        share,
    };
    let page = || ask(&server, "GET", "/status", "Accept: text/html\r\n").1;
    status.old_rows(vec![account(Telling::Telling, Share::All)]);
    let shown = page();
    for part in [
        "<progress max=\"100\" value=\"25\">",
        ">5,000<",
        "about 20,000",
        "telling",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let told: serde_json::Value = serde_json::from_str(&ask(&server, "GET", "/status", "").1).expect("JSON");
    let one = &told["backfill"][0];
    assert_eq!((&one["entity"], &one["generation"]), (&"Order".into(), &3.into()));
    assert_eq!((&one["state"], &one["rows"]), (&"telling".into(), &5_000.into()));
    assert_eq!(
        (&one["rows_estimate"], &one["has_condition"]),
        (&20_000.into(), &false.into())
    );
    status.old_rows(vec![account(Telling::Paused, Share::Some)]);
    let shown = page();
    assert!(
        shown.contains("<progress max=\"100\">") && shown.contains("some of about 20,000"),
        "{shown}"
    );
    status.old_rows(vec![account(Telling::Complete, Share::All)]);
    assert!(!page().contains("<progress"), "{}", page());
}

#[test]
fn metrics_are_open_metrics() {
    let (server, _status) = started();
    let answer = ask(&server, "GET", "/metrics", "");
    assert!(
        answer
            .0
            .contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{}",
        answer.0
    );
    assert!(
        answer.1.contains("\nwalbridge_state{state=\"starting\"} 1\n"),
        "{}",
        answer.1
    );
    assert!(answer.1.ends_with("# EOF\n"), "{}", answer.1);
}

#[test]
fn other_paths_and_methods_are_refused() {
    let (server, _status) = started();
    let answer = ask(&server, "GET", "/nowhere", "");
    assert_eq!(code(&answer), "404");
    assert!(answer.1.contains("/readyz"), "{}", answer.1);
    let answer = ask(&server, "POST", "/status", "Content-Length: 0\r\n");
    assert_eq!(code(&answer), "405");
    assert!(answer.0.contains("allow: get,head"), "{}", answer.0);
    let answer = ask(&server, "GET", "/backfill", "");
    assert_eq!(code(&answer), "405");
    assert!(answer.0.contains("allow: post"), "{}", answer.0);
    let answer = ask(&server, "HEAD", "/livez", "");
    assert_eq!((code(&answer), answer.1.as_str()), ("200", ""));
    let answer = ask(&server, "GET", "/", "");
    assert!(answer.0.contains("location: /status"), "{}", answer.0);
}

#[test]
fn an_address_in_use_is_an_error_before_anything_runs() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let status = Arc::new(Status::new(Names::default()));
    let listen = taken.local_addr().expect("an address");
    let error = serve(listen, status, 60, door(None).0).expect_err("an address in use");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn it_ends_when_dropped_whoever_is_connected() {
    let (server, status) = started();
    let address = server.address();
    let mut half = TcpStream::connect(address).expect("a server");
    half.write_all(b"GET /livez HTTP/1.1\r\nHost: loc")
        .expect("half a request");
    assert_eq!(code(&ask(&server, "GET", "/livez", "")), "200");
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(Arc::strong_count(&status), 1, "nothing of it is left");
}

/// A request to `/backfill`; its answer's code, and its document.
fn order(server: &Server, token: Option<&str>, body: &str) -> (String, serde_json::Value) {
    let bearer = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let answer = ask_with(server, &format!("{bearer}Content-Length: {}\r\n", body.len()), body);
    let document = serde_json::from_str(&answer.1).expect("JSON");
    (code(&answer).to_owned(), document)
}

fn ask_with(server: &Server, more: &str, body: &str) -> (String, String) {
    ask(server, "POST", "/backfill", &format!("{more}\r\n{body}"))
}

const PAUSE: &str = r#"{"action":"pause","entities":["Order"]}"#;

#[test]
fn nobody_asks_for_anything_without_the_token() {
    let (server, _status, requests) = started_with(None);
    let (code, document) = order(&server, Some("x"), PAUSE);
    assert_eq!((code.as_str(), &document["code"]), ("403", &"http.no_token".into()));
    assert!(
        document["repair"]
            .as_str()
            .is_some_and(|text| text.contains("token = {") && text.contains("[http]")),
        "{document}"
    );
    drop(server);

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    std::fs::write(&path, "secret-of-shop\n").expect("a file");
    let (server, _status, more_requests) = started_with(Some(Secret::File(path.clone())));
    for token in [None, Some(""), Some("secret-of-sho"), Some("secret-of-shop2")] {
        let (code, document) = order(&server, token, PAUSE);
        assert_eq!(
            (code.as_str(), &document["code"]),
            ("401", &"http.token".into()),
            "{token:?}"
        );
        assert!(!document.to_string().contains("secret-of"), "{document}");
    }
    let (head, _) = ask_with(&server, "Content-Length: 0\r\n", "");
    assert!(head.contains("www-authenticate: bearer"), "{head}");
    std::fs::write(&path, "\n").expect("a file");
    for token in [None, Some("")] {
        let (code, document) = order(&server, token, PAUSE);
        assert_eq!(
            (code.as_str(), &document["code"]),
            ("500", &"http.token_unreadable".into()),
            "an empty token is none: {token:?}"
        );
    }
    assert!(requests.next().is_none() && more_requests.next().is_none());
}

#[test]
fn what_is_no_request_is_refused_before_the_bridge_hears_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    std::fs::write(&path, "t").expect("a file");
    let (server, _status, requests) = started_with(Some(Secret::File(path)));
    for (body, expected) in [
        ("", "400"),
        ("{", "400"),
        (r#"{"action":"explode","entities":["Order"]}"#, "400"),
        (r#"{"action":"tell","entities":["Order"],"wher":"x"}"#, "400"),
        (r#"{"action":"tell","entities":["Order"],"delete":"all"}"#, "400"),
        (r#"{"action":"tell","entities":[]}"#, "400"),
    ] {
        let (code, document) = order(&server, Some("t"), body);
        assert_eq!(
            (code.as_str(), &document["code"]),
            (expected, &"http.request".into()),
            "{body}"
        );
    }
    let (code, _) = order(&server, Some("t"), &" ".repeat(70_000));
    assert_eq!(code, "413");
    assert!(requests.next().is_none());
}

#[test]
fn what_the_bridge_says_is_the_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    std::fs::write(&path, "t").expect("a file");
    let (server, _status, requests) = started_with(Some(Secret::File(path)));
    let bridge = std::thread::spawn(move || {
        let mut heard = Vec::new();
        let begun = Instant::now();
        while heard.len() < 2 && begun.elapsed() < Duration::from_secs(20) {
            let Some(request) = requests.next() else {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            };
            let answer = match request.order.action {
                Action::Tell => Ok(Accepted {
                    generations: vec![("Order".to_owned(), 2)],
                }),
                Action::Pause | Action::Resume | Action::Cancel => Err(Box::new(
                    Finding::error(Cause::Surroundings, "backfill.not_under_way", "nothing is told").repair("look"),
                )),
            };
            heard.push(request.order);
            request.answer.send(answer).expect("somebody waits");
        }
        heard
    });
    let tell = r#"{"action":"tell","entities":["Order"],"where":"a = 1","delete":"keep"}"#;
    let (code, document) = order(&server, Some("t"), tell);
    assert_eq!(
        (code.as_str(), document.to_string().as_str()),
        ("200", r#"{"generations":[["Order",2]]}"#)
    );
    let (code, document) = order(&server, Some("t"), PAUSE);
    assert_eq!(
        (code.as_str(), &document["code"]),
        ("409", &"backfill.not_under_way".into())
    );
    assert_eq!(
        (&document["severity"], &document["repair"]),
        (&"error".into(), &"look".into())
    );
    let heard = bridge.join().expect("a bridge");
    assert_eq!(heard[0].only.as_deref(), Some("a = 1"));
    assert_eq!(heard[1].action, Action::Pause);
}
