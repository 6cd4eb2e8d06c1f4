//! Health, metrics, status and requests over HTTP, on a thread of its own: it answers while the bridge is busy.

use std::future::IntoFuture;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::sync::oneshot;

use crate::telemetry::{Report, Status};

mod orders;
mod page;
#[cfg(test)]
mod tests;

pub use crate::http::orders::Door;

/// How long requests under way may take once the server is to end.
const GRACE: Duration = Duration::from_secs(1);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
/// The page fetches itself and nothing else.
const ONLY_ITSELF: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const PATHS: &str = "there are /livez, /readyz, /status, /metrics and /backfill\n";

/// Answers until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Where it listens; the port that was found where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread that answers HTTP ended by a panic");
        }
    }
}

/// What an answer is made of.
#[derive(Clone)]
struct View {
    status: Arc<Status>,
    ready_lag_seconds_max: u64,
    door: Door,
}

/// Begins to answer. Nothing runs yet where this fails.
///
/// # Errors
/// Where the address cannot be bound, or no thread begun.
pub fn serve(listen: SocketAddr, status: Arc<Status>, ready_lag_seconds_max: u64, door: Door) -> io::Result<Server> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let router = router(View {
        status,
        ready_lag_seconds_max,
        door,
    });
    let (end, ended) = oneshot::channel();
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        if let Err(error) = runtime.block_on(answer(listener, router, ended)) {
            tracing::warn!(%error, "HTTP answers no longer");
        }
        // A request that is half sent holds nobody up.
        runtime.shutdown_background();
    })?;
    Ok(Server {
        address,
        end: Some(end),
        thread: Some(thread),
    })
}

async fn answer(listener: TcpListener, router: Router, ended: oneshot::Receiver<()>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (asked, told) = oneshot::channel::<()>();
    let until = async move {
        // Sent, or dropped with the server: the end in either case.
        ended.await.ok();
        drop(asked);
    };
    tokio::select! {
        done = axum::serve(listener, router).with_graceful_shutdown(until).into_future() => done,
        () = past(told) => Ok(()),
    }
}

/// Some time after the end was asked for.
async fn past(told: oneshot::Receiver<()>) {
    told.await.ok();
    tokio::time::sleep(GRACE).await;
}

fn router(view: View) -> Router {
    Router::new()
        .route("/", get(async || Redirect::temporary("/status")))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route("/backfill", post(orders::order))
        .fallback(async || (StatusCode::NOT_FOUND, PATHS))
        .with_state(view)
}

async fn livez(State(view): State<View>) -> Response {
    verdict(view.status.report().live(), "alive\n")
}

async fn readyz(State(view): State<View>) -> Response {
    verdict(view.status.report().ready(view.ready_lag_seconds_max), "ready\n")
}

fn verdict(verdict: Result<(), String>, well: &'static str) -> Response {
    match verdict {
        Ok(()) => fresh(well.into_response()),
        // One line, whatever the error holds.
        Err(reason) => fresh(
            (
                StatusCode::SERVICE_UNAVAILABLE,
                reason.replace(['\r', '\n'], " ") + "\n",
            )
                .into_response(),
        ),
    }
}

/// `/status`: the report, and whether the bridge is ready.
#[derive(serde::Serialize)]
struct Told<'a> {
    ready: bool,
    /// Why it is not.
    unready: Option<&'a str>,
    #[serde(flatten)]
    report: &'a Report,
}

async fn status(State(view): State<View>, headers: HeaderMap) -> Response {
    let report = view.status.report();
    let ready = report.ready(view.ready_lag_seconds_max);
    let asked = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut response = if asked.into_iter().any(|value| value.contains("text/html")) {
        let headers = [
            (header::CONTENT_TYPE, HTML),
            (header::CONTENT_SECURITY_POLICY, ONLY_ITSELF),
        ];
        (headers, page::render(&report, &ready)).into_response()
    } else {
        Json(Told {
            ready: ready.is_ok(),
            unready: ready.as_ref().err().map(String::as_str),
            report: &report,
        })
        .into_response()
    };
    response
        .headers_mut()
        .insert(header::VARY, header::HeaderValue::from_static("accept"));
    fresh(response)
}

async fn metrics(State(view): State<View>) -> Response {
    fresh(([(header::CONTENT_TYPE, OPEN_METRICS)], view.status.metrics()).into_response())
}

/// No cache keeps an answer.
fn fresh(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}
