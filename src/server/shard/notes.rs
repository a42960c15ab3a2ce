//! What the engine wants told goes into the log, a line each. The log's own format sees to it that a text of the network's
//! begins no line.

use ringway_edge::{Banned, Note, Refusal};

use super::Shard;
use crate::bans::shown;

impl Shard {
    /// Writes what there is to tell.
    pub(super) fn write_notes(&mut self) {
        if self.engine.has_notes() {
            for note in self.engine.take_notes() {
                match note {
                    Note::Refused(refusal) => write_refusal(&refusal),
                    Note::Banned(banned) => write_ban(&banned),
                }
            }
        }
    }
}

fn write_ban(banned: &Banned) {
    let Banned { barred, reason, detail, lasts, holds, untold } = banned;
    let outcome = if *holds {
        "banned; ringway bans list shows all, ringway bans remove ends it"
    } else {
        "not banned: there are limits.max_bans bans already, which last longer; raise it"
    };
    tracing::warn!(
        source = shown(barred),
        reason = reason.code(),
        account = &**detail,
        seconds = lasts.as_secs(),
        untold,
        "{outcome}"
    );
}

fn write_refusal(refusal: &Refusal) {
    let Refusal { reject, method, flow, from, call_id, untold } = refusal;
    tracing::info!(
        reason = reject.code(),
        status = reject.status(),
        method = method.as_str(),
        source = %flow.remote,
        transport = %flow.transport,
        from = &*String::from_utf8_lossy(from),
        call_id = &*String::from_utf8_lossy(call_id),
        untold,
        "refused: {}",
        reject.text()
    );
}
