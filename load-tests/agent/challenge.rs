//! What an operation does when it is challenged.

use super::Phones;
use crate::message::scan::Message;

/// Whether a stream's operations should be challenged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Challenges {
    /// They may be.
    #[default]
    Allowed,
    /// Each must be.
    Required,
    /// None may be: the server is to trust us.
    Refused,
}

/// How often one request is sent anew. A nonce may turn stale between two, but not for ever.
const MOST: u8 = 3;

/// Learns the challenge of a 401 or 407, so that the request can be sent again with credentials.
///
/// # Errors
/// Why it can't, as a reason of failure.
pub(super) fn learn(phones: &mut Phones, slot: u32, message: &Message<'_>, status: u16) -> Result<(), String> {
    let cnonce = phones.cnonce();
    let operation = phones.operations.at(slot);
    let method = operation.phase.method();
    if phones.streams[usize::from(operation.stream)].challenges == Challenges::Refused {
        return Err(format!("{status} to {method}, but the scenario wants to be trusted"));
    }
    let (auth_name, password, login) = phones.users.secrets(operation.user);
    let challenge = login.learn(message, status == 407, (auth_name, password))?;
    if operation.credentials.is_some() && !challenge.is_stale {
        return Err(format!("{status} to {method} with credentials: user or password is wrong"));
    }
    operation.challenges += 1;
    if operation.challenges > MOST {
        return Err(format!("{status} to {method} again and again, each time with a new nonce"));
    }
    operation.credentials = Some(login.advance(cnonce, status == 407));
    Ok(())
}

/// Whether an operation that succeeded was challenged as its stream wants it.
///
/// # Errors
/// The reason of failure.
pub(super) fn check(phones: &Phones, slot: u32) -> Result<(), String> {
    let operation = phones.operations.get(slot);
    let wanted = phones.streams[usize::from(operation.stream)].challenges;
    if wanted == Challenges::Required && operation.challenges == 0 {
        return Err(format!("no challenge to {}, but the scenario wants one", operation.phase.method()));
    }
    Ok(())
}
