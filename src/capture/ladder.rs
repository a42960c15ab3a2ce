//! A call as a ladder: a column for each party and one for the node, an arrow for each message.

mod draw;
mod label;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ringway_sip::{Message, Name, NameAddr};

use crate::seen::{Seen, Way};
use draw::{Arrow, Column, Drawing};
use label::{clock, label, printable};

/// Which characters a ladder is drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `│` and `────▶`.
    Unicode,
    /// `|` and `---->`.
    Ascii,
}

/// Draws every call of these messages, in the order in which they began. What is not SIP, or has no Call-ID, is left out.
pub fn ladders(messages: &[Seen], style: Style) -> String {
    let mut calls: Vec<Call<'_>> = Vec::new();
    let mut place_by_call_id: BTreeMap<&[u8], usize> = BTreeMap::new();
    for seen in messages {
        let Ok(message) = Message::parse(&seen.bytes) else { continue };
        let Some(call_id) = message.field(Name::CallId).map(|field| field.value) else { continue };
        let place = *place_by_call_id.entry(call_id).or_insert_with(|| {
            calls.push(Call { call_id, messages: Vec::new() });
            calls.len() - 1
        });
        calls[place].messages.push((seen, message));
    }
    let drawn: Vec<_> = calls.iter().map(|call| call.draw(style)).collect();
    drawn.join("\n")
}

/// The messages of one Call-ID.
struct Call<'a> {
    call_id: &'a [u8],
    messages: Vec<(&'a Seen, Message<'a>)>,
}

/// One end of the node's flows, as far as it has shown itself.
struct Party {
    address: SocketAddr,
    number: String,
    user_agent: String,
}

impl Call<'_> {
    fn draw(&self, style: Style) -> String {
        let Some((first, message)) = self.messages.first() else { return String::new() };
        let parties = self.parties();
        let node = Column { lines: ["ringway".to_owned(), first.local.to_string(), String::new()] };
        let mut columns = vec![node];
        let others = parties
            .iter()
            .map(|party| Column { lines: [party.number.clone(), party.address.to_string(), party.user_agent.clone()] });
        columns.extend(others);
        // The one that began stands first, the node behind it.
        if columns.len() > 1 {
            columns.swap(0, 1);
        }
        let place = |address: SocketAddr| {
            let party = parties.iter().position(|party| party.address == address).unwrap_or_default();
            if party == 0 { 0 } else { party + 1 }
        };
        let mut arrows = Vec::new();
        let mut seen_before = BTreeMap::new();
        for (seen, message) in &self.messages {
            let times = seen_before.entry(label::identity(seen, message)).or_insert(0);
            *times += 1;
            let (from, to) = if seen.way == Way::Received { (place(seen.remote), 1) } else { (1, place(seen.remote)) };
            arrows.push(Arrow {
                elapsed: seen.micros.saturating_sub(first.micros),
                from,
                to,
                label: label(message, *times > 1),
            });
        }
        let mut text = format!("Call-ID {}\n", printable(self.call_id));
        let addresses = [Name::From, Name::To].map(|name| uri(message, name));
        text += &format!("{} to {}, {}\n\n", addresses[0], addresses[1], clock(first.micros));
        text += &Drawing { columns, arrows }.text(style);
        text
    }

    /// Everybody that the node has heard or spoken to, in the order of their first message.
    fn parties(&self) -> Vec<Party> {
        let mut parties: Vec<Party> = Vec::new();
        for (seen, message) in &self.messages {
            let place = parties.iter().position(|party| party.address == seen.remote).unwrap_or_else(|| {
                let (number, user_agent) = (String::new(), String::new());
                parties.push(Party { address: seen.remote, number, user_agent });
                parties.len() - 1
            });
            let party = &mut parties[place];
            if party.number.is_empty() {
                // Who asks is in From; who is asked, in To. The answer to a request has both as the request has.
                let asks = message.is_request() == (seen.way == Way::Received);
                party.number = user(message, if asks { Name::From } else { Name::To });
            }
            if seen.way == Way::Received && party.user_agent.is_empty() {
                let name = message.field(Name::UserAgent).or_else(|| message.field(Name::Server));
                party.user_agent = name.map(|field| printable(field.value)).unwrap_or_default();
            }
        }
        parties
    }
}

fn address<'a>(message: &Message<'a>, name: Name) -> Option<NameAddr<'a>> {
    NameAddr::parse(message.field(name)?.value)
}

fn uri(message: &Message<'_>, name: Name) -> String {
    address(message, name).map_or_else(|| "somebody".to_owned(), |address| printable(address.uri))
}

fn user(message: &Message<'_>, name: Name) -> String {
    let uri = address(message, name).and_then(|address| address.parse_uri().ok());
    uri.map(|uri| printable(&uri.user_unescaped())).unwrap_or_default()
}
