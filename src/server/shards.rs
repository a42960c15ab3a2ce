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

    /// Writes to every shard without waiting. One whose mailbox is full does without.
    pub(crate) fn post(&self, letter: impl Fn() -> Mail) {
        for mailbox in self.mailboxes.iter() {
            let _ = mailbox.try_send(letter());
        }
    }

    /// Writes to one shard, whichever has room; false when none has.
    pub(crate) fn post_to_one(&self, letter: impl FnOnce() -> Mail) -> bool {
        let place = self.mailboxes.iter().find_map(|mailbox| mailbox.try_reserve().ok());
        place.map(|place| place.send(letter())).is_some()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::mailboxes;

    #[tokio::test(start_paused = true)]
    async fn a_shard_that_does_not_answer_in_time_is_told_from_those_that_do() {
        let (mailboxes, mut mails) = mailboxes(2);
        let _silent = mails.pop().unwrap();
        let mut mail = mails.pop().unwrap();
        tokio::spawn(async move {
            while let Some(letter) = mail.recv().await {
                if let Mail::Drain(drained) = letter {
                    let _ = drained.send(());
                }
            }
        });
        let answers = Shards::new(mailboxes).ask(Mail::Drain, Duration::from_secs(1)).await;
        assert_eq!(answers, [Some(()), None]);
    }

    #[tokio::test]
    async fn the_end_of_one_shard_is_seen_and_stopping_does_not_wait_for_it() {
        let (mailboxes, mut mails) = mailboxes(2);
        let shards = Shards::new(mailboxes);
        drop(mails.remove(0));
        shards.one_is_gone().await;
        shards.stop().await;
        assert!(matches!(mails[0].recv().await, Some(Mail::Stop)));
    }
}
