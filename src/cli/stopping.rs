//! SIGTERM and SIGINT: ask to stop, then stop asking.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

/// After this time what still waits for Kafka is told to give up …
const PATIENCE: Duration = Duration::from_millis(2_000);
/// … and after this time the process ends as it would after a crash, which the protocol is made for.
const STOP_MAX: Duration = Duration::from_millis(4_500);

/// Sets `stop` on the first signal, and calls `give_up` when stopping takes long.
///
/// # Errors
/// Where the system gives no thread or no signal handler.
pub(super) fn on_signal(stop: Arc<AtomicBool>, give_up: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    drop(entered);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let asked = async {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = runtime.block_on(asked);
        tracing::info!(signal = name, "stops");
        stop.store(true, Ordering::Relaxed);
        std::thread::sleep(PATIENCE);
        give_up();
    })?;
    Ok(())
}

/// Waits until a thread ends; once `stop` is set, not for ever. None: it did not end in time.
pub(super) fn wait<T>(thread: JoinHandle<T>, stop: &AtomicBool) -> Option<std::thread::Result<T>> {
    let mut asked: Option<Instant> = None;
    while !thread.is_finished() {
        if stop.load(Ordering::Relaxed) && asked.get_or_insert_with(Instant::now).elapsed() > STOP_MAX {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(thread.join())
}
