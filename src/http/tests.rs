//! The server over a real socket, spoken to as any client would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::http::{Server, serve};
use crate::telemetry::{KindNames, Names, State, Status};

fn started() -> (Server, Arc<Status>) {
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
    let server = serve(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::clone(&status), 60).expect("a free port");
    (server, status)
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
    let answer = ask(&server, "HEAD", "/livez", "");
    assert_eq!((code(&answer), answer.1.as_str()), ("200", ""));
    let answer = ask(&server, "GET", "/", "");
    assert!(answer.0.contains("location: /status"), "{}", answer.0);
}

#[test]
fn an_address_in_use_is_an_error_before_anything_runs() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let status = Arc::new(Status::new(Names::default()));
    let error = serve(taken.local_addr().expect("an address"), status, 60).expect_err("an address in use");
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
