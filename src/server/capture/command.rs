//! `ringway capture` on the node's side: from the request to the last message.

use std::time::Duration;

use ringway_capture::{Seen, Wanted};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::sleep;

use super::sorting::{Captures, Ending, Limits, MAX_CAPTURES, Taken};
use crate::control::Event;
use crate::control::protocol::{CaptureEnd, NewCapture, SeenRow};
use crate::operations::Events;

/// The most that one capture may take.
const MAX_SECONDS: u64 = 86_400;
const MAX_MESSAGES: u64 = 1_000_000;
const MAX_BYTES: u64 = 1 << 30;

impl Captures {
    /// Shows what is asked for until it is enough, or whoever asked has closed its side of `from`. `user` is who that is.
    ///
    /// # Errors
    /// Why there is no such capture.
    pub(crate) async fn run(
        &self,
        new: NewCapture,
        user: u32,
        from: &mut (impl AsyncRead + Unpin),
        events: &Events,
    ) -> Result<(), String> {
        let wanted = self.wanted(&new)?;
        let limits = Limits { messages: new.max_messages.clamp(1, MAX_MESSAGES), bytes: MAX_BYTES };
        let seconds = new.seconds.clamp(1, MAX_SECONDS);
        let Some((number, mut messages)) = self.begin(wanted, limits) else {
            return Err(format!("{MAX_CAPTURES} captures are running, and there may be no more; end one of them"));
        };
        let mut capture = Running { captures: self, number, is_over: false };
        // Who looked at whose calls can be asked for later.
        tracing::info!(
            number,
            user,
            tenant = new.tenant.as_deref(),
            extension = new.number.as_deref(),
            call_id = new.call_id.as_deref(),
            network = new.source.as_deref(),
            seconds,
            messages = limits.messages,
            "a capture has begun"
        );
        let mut enough = std::pin::pin!(sleep(Duration::from_secs(seconds)));
        let mut nothing = [0];
        let reason = loop {
            tokio::select! {
                seen = messages.next() => match seen {
                    Some(seen) => tell(events, &seen).await,
                    None => break None,
                },
                () = &mut enough => break Some("seconds"),
                // Whatever comes, it asks for the end.
                _ = from.read(&mut nothing) => break Some("stopped"),
                () = events.closed() => break Some("stopped"),
            }
        };
        let (taken, ending) = capture.end();
        while let Some(seen) = messages.next().await {
            tell(events, &seen).await;
        }
        let reason = reason.unwrap_or(match ending {
            Ending::Bytes => "bytes",
            Ending::Messages | Ending::Not => "messages",
        });
        let Taken { messages, bytes, dropped } = taken;
        tracing::info!(number, user, messages, bytes, dropped, reason, "a capture has ended");
        let _ = events.send(Event::CaptureEnded(CaptureEnd { messages, dropped, reason: reason.to_owned() })).await;
        Ok(())
    }

    fn wanted(&self, new: &NewCapture) -> Result<Wanted, String> {
        let tenant = match &new.tenant {
            None => None,
            Some(domain) => Some(self.tenant(domain).ok_or_else(|| {
                format!("there is no tenant {domain}; `ringway tenant list` shows those that there are")
            })?),
        };
        let network = match &new.source {
            None => None,
            Some(text) => Some(
                ringway_directory::validation::parse_network("source", text)
                    .map_err(|fault| fault.message.into_owned())?,
            ),
        };
        Ok(Wanted {
            tenant,
            number: new.number.as_deref().map(Into::into),
            call_id: new.call_id.as_deref().map(Into::into),
            network,
        })
    }
}

/// A capture that ends with whoever runs it, however that ends.
struct Running<'a> {
    captures: &'a Captures,
    number: u64,
    is_over: bool,
}

impl Running<'_> {
    fn end(&mut self) -> (Taken, Ending) {
        self.is_over = true;
        self.captures.end(self.number)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.end();
        }
    }
}

async fn tell(events: &Events, seen: &Seen) {
    let _ = events.send(Event::Seen(SeenRow::of(seen))).await;
}
