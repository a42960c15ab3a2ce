//! All shards as one: what is told to each of them, and what they answer.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::shard::{Mail, Mailboxes};

/// The running shards.
#[derive(Clone, Debug)]
pub(crate) struct Shards {
    mailboxes: Mailboxes,
}

impl Shards {
    pub(crate) fn new(mailboxes: Mailboxes) -> Self {
        Self { mailboxes }
    }

    /// Writes to every shard, and waits for what each answers: `None` for one that has not within `patience`.
    pub(crate) async fn ask<T>(
        &self,
        letter: impl Fn(oneshot::Sender<T>) -> Mail,
        patience: Duration,
    ) -> Vec<Option<T>> {
        let until = Instant::now() + patience;
        let mut answers = Vec::new();
        for mailbox in self.mailboxes.iter() {
            let (sender, answer) = oneshot::channel();
            let is_posted = matches!(timeout_at(until, mailbox.send(letter(sender))).await, Ok(Ok(())));
            answers.push(is_posted.then_some(answer));
        }
        let mut answered = Vec::with_capacity(answers.len());
        for answer in answers {
            answered.push(match answer {
                Some(answer) => timeout_at(until, answer).await.ok().and_then(Result::ok),
                None => None,
            });
        }
        answered
    }

    /// Ends every shard once it has done what was written to it before.
    pub(crate) async fn stop(&self) {
        for mailbox in self.mailboxes.iter() {
            // One that is gone needs no telling.
            let _ = mailbox.send(Mail::Stop).await;
        }
    }

    /// Waits until one of them is gone.
    pub(crate) async fn one_is_gone(&self) {
        let mut ends = tokio::task::JoinSet::new();
        for mailbox in self.mailboxes.iter() {
            let mailbox = mailbox.clone();
            ends.spawn(async move { mailbox.closed().await });
        }
        ends.join_next().await;
    }
}
