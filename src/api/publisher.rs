//! Changes brought into force, now or as soon as that is possible.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::answer::{NOT_IN_FORCE, Refusal};
use crate::control::{Control, Live, Registration};
use crate::router::App;

/// How long it is waited before what failed is tried again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Extensions that are unregistered when what is late is in force. More than that expire by themselves.
const MOST_LATE: usize = 10_000;

/// What brings changes into force, and knows who is registered.
#[derive(Clone)]
pub(crate) struct Publisher {
    control: Arc<dyn Control>,
    late: Arc<Late>,
}

/// What could not be brought into force yet.
#[derive(Default)]
struct Late {
    is_tried_again: AtomicBool,
    /// Domain and number of extensions that are gone.
    removed: Mutex<Vec<(String, String)>>,
}

impl Publisher {
    pub(crate) fn new(control: Arc<dyn Control>) -> Self {
        Self { control, late: Arc::default() }
    }

    /// Brings into force what is stored. When that fails it is tried again, until it succeeds, whether anybody waits or not.
    pub(crate) async fn publish(&self) -> Result<(), Refusal> {
        let published = self.control.publish().await;
        match published {
            Ok(()) => {
                self.unregister_late();
                Ok(())
            }
            Err(message) => {
                self.try_again(&message);
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, NOT_IN_FORCE, message))
            }
        }
    }

    /// Brings the removal of an extension into force, and then unregisters its devices: else they would ring for whoever gets the
    /// number next.
    pub(crate) async fn publish_removal(&self, domain: &str, number: &str) -> Result<(), Refusal> {
        {
            let mut removed = self.late.removed.lock().unwrap_or_else(PoisonError::into_inner);
            if removed.len() < MOST_LATE {
                removed.push((domain.to_owned(), number.to_owned()));
            }
        }
        self.publish().await
    }

    /// Unregisters every device of a tenant that is being removed, before that is in force.
    pub(crate) fn unregister_all(&self, domain: &str) {
        self.control.unregister_all(domain);
    }

    /// Unregisters one device. False when no shard has room for that now.
    pub(crate) fn unregister(&self, domain: &str, number: &str, device: u64) -> bool {
        self.control.unregister(domain, number, Some(device))
    }

    pub(crate) fn live(&self, domain: &str, number: &str) -> Live {
        self.control.live(domain, number)
    }

    pub(crate) fn registrations(&self, domain: &str, number: &str) -> Vec<Registration> {
        self.control.registrations(domain, number)
    }

    fn unregister_late(&self) {
        let removed = std::mem::take(&mut *self.late.removed.lock().unwrap_or_else(PoisonError::into_inner));
        for (domain, number) in removed {
            self.control.unregister(&domain, &number, None);
        }
    }

    /// One task tries for all that is late, for each try takes everything that is stored.
    fn try_again(&self, message: &str) {
        if self.late.is_tried_again.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::error!(error = message, "a change is not in force yet; that is tried again until it is");
        let publisher = self.clone();
        tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                tokio::time::sleep(pause).await;
                // Before the try: whoever fails after it begins anew.
                publisher.late.is_tried_again.store(false, Ordering::Release);
                if publisher.control.publish().await.is_ok() {
                    publisher.unregister_late();
                    tracing::info!("all changes are in force again");
                    return;
                }
                if publisher.late.is_tried_again.swap(true, Ordering::AcqRel) {
                    return;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
    }
}

impl FromRequestParts<Arc<App>> for Publisher {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(app.publisher.clone())
    }
}
