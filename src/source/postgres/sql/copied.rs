//! COPY … TO STDOUT over an SQL connection, message by message.

use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use futures_core::Stream as _;

use crate::source::postgres::sql::{Refusal, Sql};

impl Sql {
    /// Runs a COPY … TO STDOUT and gives the content of each of its messages to `take`, until that breaks off. Gives
    /// the connection back; none where it was broken off, since what is left of the rows would have to be read first.
    ///
    /// # Errors
    /// What the server refused, and with an empty SQLSTATE whatever else [`Sql::ask`] fails with; transient where it
    /// takes longer than `limit`. The connection is gone then.
    pub(in crate::source::postgres) fn copy_out(
        self,
        statement: &str,
        limit: Duration,
        mut take: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<Option<Self>, Refusal> {
        let copied = async {
            let mut messages = pin!(self.client.copy_out(statement).await?);
            while let Some(message) = std::future::poll_fn(|context| messages.as_mut().poll_next(context)).await {
                if take(&message?).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok::<_, tokio_postgres::Error>(ControlFlow::Continue(()))
        };
        match self
            .runtime
            .block_on(async { tokio::time::timeout(limit, copied).await })
        {
            Ok(Ok(whole)) => Ok(whole.is_continue().then_some(self)),
            Ok(Err(error)) => Err(Refusal::of(&error)),
            Err(_) => Err(Refusal::silent()),
        }
    }
}
