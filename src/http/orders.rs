//! `POST /backfill`: what an operator asks of the telling of old rows, handed to the bridge if it brings the token.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{self, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::backfill::order::Order;
use crate::bridge::orders::{Desk, Slip};
use crate::finding::{Cause, Finding};
use crate::http::{View, fresh};
use crate::secret::{Revealed, Secret};
use crate::telemetry::{State, Status};

/// A request is no longer.
const BODY_BYTES_MAX: usize = 64 << 10;
/// How long a request may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(10);
const PATIENCE: Patience = Patience {
    taken: Duration::from_secs(10),
    stored: Duration::from_secs(30),
};

/// How long a request is waited for.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Until the bridge takes it up.
    taken: Duration,
    /// From then until what it changed is stored in Kafka.
    stored: Duration,
}

/// Where requests that change something come in.
#[derive(Clone, Debug)]
pub struct Door {
    /// Where they are handed on.
    pub desk: Desk,
    /// What they must bring; none: nobody may ask for anything.
    pub token: Option<Secret>,
}

/// Answers one.
pub(super) async fn order(extract::State(view): extract::State<View>, request: Request) -> Response {
    let asked = ask(&view, request).await;
    fresh(asked.unwrap_or_else(|Refused(code, finding)| {
        let mut response = (code, Json(finding.document())).into_response();
        if code == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }))
}

/// Why not.
struct Refused(StatusCode, Box<Finding>);

async fn ask(view: &View, request: Request) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    permit(view.door.token.as_ref(), &parts.headers)?;
    let body = timeout(ARRIVAL_MAX, to_bytes(body, BODY_BYTES_MAX)).await;
    let Ok(Ok(body)) = body else {
        let what = format!("cannot read the request: it is longer than {BODY_BYTES_MAX} bytes, or was cut off");
        return Err(unfit(StatusCode::PAYLOAD_TOO_LARGE, what));
    };
    let mut order: Order = serde_json::from_slice(&body)
        .map_err(|error| unfit(StatusCode::BAD_REQUEST, format!("cannot read the request: {error}")))?;
    let mut named = BTreeSet::new();
    order.entities.retain(|entity| named.insert(entity.clone()));
    if order.entities.is_empty() {
        let what = "cannot do what is asked: it names no entity".to_owned();
        return Err(unfit(StatusCode::BAD_REQUEST, what));
    }
    accept(view.door.desk.hand_in(order), &view.status, PATIENCE).await
}

/// Waits until the bridge has taken a request up, and until what it changed is stored.
async fn accept(mut slip: Slip, status: &Status, patience: Patience) -> Result<Response, Refused> {
    let is_taken = match timeout(patience.taken, &mut slip.taken).await {
        Ok(taken) => taken.is_ok(),
        Err(_) => {
            slip.taken.close();
            // Between the last look and the close it may have been taken up: then it counts.
            slip.taken.try_recv().is_ok()
        }
    };
    if !is_taken {
        return Err(not_taken(status));
    }
    match timeout(patience.stored, slip.answer).await {
        Ok(Ok(Ok(accepted))) => Ok(Json(accepted).into_response()),
        Ok(Ok(Err(refused))) => Err(Refused(StatusCode::CONFLICT, refused)),
        Ok(Err(_)) => Err(not_known("the bridge began again before it was stored")),
        Err(_) => Err(not_known("Kafka has not stored it yet")),
    }
}

fn permit(token: Option<&Secret>, headers: &HeaderMap) -> Result<(), Refused> {
    let Some(token) = token else {
        let finding = Finding::error(
            Cause::Config,
            "http.no_token",
            "requests that change something are refused: the config names no token",
        )
        .because("whoever reaches the port could order any reload otherwise")
        .repair(
            "add to [http]: token = { env = \"WALBRIDGE_TOKEN\" }, and start the bridge again with that variable set",
        );
        return Err(Refused(StatusCode::FORBIDDEN, Box::new(finding)));
    };
    let token = token.read().map_err(|error| {
        tracing::warn!(%error, "a request is refused: the token of [http] cannot be read");
        unreadable()
    })?;
    if token.expose().is_empty() {
        tracing::warn!("a request is refused: the token of [http] is empty");
        return Err(unreadable());
    }
    let brought = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    match brought.and_then(bearer) {
        Some(brought) if is_same(brought, &token) => Ok(()),
        Some(_) | None => {
            let finding = Finding::error(Cause::Surroundings, "http.token", "the request does not bring the bridge's token")
                .because("only who knows the token may change what a bridge does")
                .repair("send the header `Authorization: Bearer TOKEN`, with what `token` of [http] names where the bridge runs");
            Err(Refused(StatusCode::UNAUTHORIZED, Box::new(finding)))
        }
    }
}

/// What follows the scheme, whose letters may be large or small.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

/// Takes as long for a token that is nearly right as for any other: digests say nothing of where two texts differ.
fn is_same(brought: &[u8], token: &Revealed) -> bool {
    let pairs = Sha256::digest(brought)
        .into_iter()
        .zip(Sha256::digest(token.expose().as_bytes()));
    pairs.fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

fn unreadable() -> Refused {
    let what = "cannot read the token of [http]: see the bridge's log";
    let finding = Finding::error(Cause::Surroundings, "http.token_unreadable", what)
        .repair("put the token where `token` of [http] says; it is read at each request");
    Refused(StatusCode::INTERNAL_SERVER_ERROR, Box::new(finding))
}

fn unfit(code: StatusCode, what: String) -> Refused {
    let finding = Finding::error(Cause::Surroundings, "http.request", what).repair(
        "send {\"action\":\"tell\",\"entities\":[\"NAME\"]}; the action is tell, pause, resume or cancel, and `where` and \
         `delete` may stand beside it",
    );
    Refused(code, Box::new(finding))
}

fn not_taken(status: &Status) -> Refused {
    let state = status.state();
    let (code, what, repair) = match state {
        State::Streaming => (
            "backfill.in_transaction",
            "the bridge is in the middle of a source transaction and takes requests between two of them".to_owned(),
            "ask again when it is through",
        ),
        State::Waiting => (
            "backfill.not_streaming",
            "the bridge is waiting and takes no requests now".to_owned(),
            "ask the bridge that holds the slot",
        ),
        State::Starting | State::Retrying | State::Halted | State::Stopping => (
            "backfill.not_streaming",
            format!("the bridge is {} and takes no requests now", state.word()),
            "ask again when it streams",
        ),
    };
    let finding = Finding::error(Cause::Surroundings, code, what)
        .because("nothing was done, and nothing will be done of it later")
        .repair(repair);
    Refused(StatusCode::SERVICE_UNAVAILABLE, Box::new(finding))
}

fn not_known(why: &str) -> Refused {
    let finding = Finding::error(
        Cause::Surroundings,
        "backfill.not_known",
        "the request was taken up, and nobody knows yet whether it is stored",
    )
    .because(why)
    .repair("look what is under way, then ask again if need be: walbridge backfill -c FILE --status");
    Refused(StatusCode::GATEWAY_TIMEOUT, Box::new(finding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backfill::order::{Accepted, Action};
    use crate::bridge::orders::channel;
    use crate::telemetry::Names;

    const SHORT: Patience = Patience {
        taken: Duration::from_millis(50),
        stored: Duration::from_millis(50),
    };

    fn order() -> Order {
        Order {
            action: Action::Tell,
            entities: vec!["Order".to_owned()],
            only: None,
            on_gone: None,
        }
    }

    fn code(slip: Slip) -> (StatusCode, &'static str) {
        code_in(State::Starting, slip)
    }

    fn code_in(state: State, slip: Slip) -> (StatusCode, &'static str) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let status = Status::new(Names::default());
        status.set_state(state);
        match runtime.block_on(accept(slip, &status, SHORT)) {
            Ok(response) => (response.status(), ""),
            Err(Refused(code, finding)) => (code, finding.code),
        }
    }

    #[test]
    fn what_is_not_taken_up_in_time_is_never_done() {
        let (desk, requests) = channel();
        let refused = code(desk.hand_in(order()));
        assert_eq!(refused, (StatusCode::SERVICE_UNAVAILABLE, "backfill.not_streaming"));
        assert!(requests.next().is_none(), "it would be done later");
        let refused = code_in(State::Streaming, desk.hand_in(order()));
        assert_eq!(refused, (StatusCode::SERVICE_UNAVAILABLE, "backfill.in_transaction"));
        drop(requests);
        let refused = code(desk.hand_in(order()));
        assert_eq!(refused, (StatusCode::SERVICE_UNAVAILABLE, "backfill.not_streaming"));
    }

    #[test]
    fn what_is_taken_up_and_not_answered_is_not_known() {
        let (desk, requests) = channel();
        let slip = desk.hand_in(order());
        let held = requests.next().unwrap();
        assert_eq!(code(slip), (StatusCode::GATEWAY_TIMEOUT, "backfill.not_known"));
        drop(held);
        let slip = desk.hand_in(order());
        drop(requests.next().unwrap());
        assert_eq!(code(slip), (StatusCode::GATEWAY_TIMEOUT, "backfill.not_known"));
    }

    #[test]
    fn what_is_stored_is_accepted() {
        let (desk, requests) = channel();
        let slip = desk.hand_in(order());
        let accepted = Accepted {
            generations: vec![("Order".to_owned(), 2)],
        };
        requests.next().unwrap().answer.send(Ok(accepted)).unwrap();
        assert_eq!(code(slip), (StatusCode::OK, ""));
    }

    #[test]
    fn a_token_follows_its_scheme_and_is_compared_whole() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"Basic abc"), None);
        assert_eq!(bearer(b"Bearer"), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "abc\n").unwrap();
        let token = Secret::File(path).read().unwrap();
        assert!(is_same(b"abc", &token));
        for other in [&b"abd"[..], b"ab", b"abcd", b"", b"ABC"] {
            assert!(!is_same(other, &token), "{other:?}");
        }
    }
}
