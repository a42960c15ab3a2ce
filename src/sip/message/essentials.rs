//! The header fields that every decision needs (RFC 3261 section 8.1.1).

use super::{Message, Problem};
use crate::Name;
use crate::bytes::{is_same, word_length};
use crate::header::{CSeq, NameAddr, Via, numbers};

/// CSeq numbers stay below this (section 8.1.1.5).
const CSEQ_LIMIT: u32 = 1 << 31;

/// The header fields that every message has, read and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Essentials<'a> {
    /// The top Via.
    pub via: Via<'a>,
    /// From.
    pub from: NameAddr<'a>,
    /// The tag of From; absent only from RFC 2543 clients.
    pub from_tag: Option<&'a [u8]>,
    /// To.
    pub to: NameAddr<'a>,
    /// The tag of To.
    pub to_tag: Option<&'a [u8]>,
    /// The Call-ID.
    pub call_id: &'a [u8],
    /// The CSeq; of a request its method is that of the request line.
    pub cseq: CSeq<'a>,
    /// Max-Forwards, when there is one.
    pub max_forwards: Option<u8>,
}

impl<'a> Essentials<'a> {
    pub(super) fn read(message: &Message<'a>) -> Result<Self, Problem> {
        if let Some(problem) = message.problem {
            return Err(problem);
        }
        let (from, from_tag) = address(message, Name::From)?;
        let (to, to_tag) = address(message, Name::To)?;
        Ok(Self {
            via: via(message)?,
            from,
            from_tag,
            to,
            to_tag,
            call_id: call_id(message)?,
            cseq: cseq(message)?,
            max_forwards: max_forwards(message)?,
        })
    }
}

fn value<'a>(message: &Message<'a>, name: Name) -> Result<&'a [u8], Problem> {
    message.value(name).ok_or(Problem::Missing(name))
}

fn via<'a>(message: &Message<'a>) -> Result<Via<'a>, Problem> {
    match Via::first_of(value(message, Name::Via)?) {
        Some((via, [] | [b',', ..])) => Ok(via),
        _ => Err(Problem::Malformed(Name::Via)),
    }
}

fn address<'a>(message: &Message<'a>, name: Name) -> Result<(NameAddr<'a>, Option<&'a [u8]>), Problem> {
    let address = NameAddr::cut(value(message, name)?).ok_or(Problem::Malformed(name))?;
    let mut tag = None;
    let mut is_tag_wrong = false;
    address
        .params
        .visit(|found, value| {
            if is_same(found, b"tag") {
                let value = value.filter(|value| !value.is_empty());
                is_tag_wrong |= value.is_none() || tag.is_some();
                tag = value;
            }
            Some(())
        })
        .ok_or(Problem::Malformed(name))?;
    if is_tag_wrong { Err(Problem::Tag(name)) } else { Ok((address, tag)) }
}

fn call_id<'a>(message: &Message<'a>) -> Result<&'a [u8], Problem> {
    let value = value(message, Name::CallId)?;
    if value.is_empty() || word_length(value) < value.len() {
        return Err(Problem::Malformed(Name::CallId));
    }
    Ok(value)
}

fn cseq<'a>(message: &Message<'a>) -> Result<CSeq<'a>, Problem> {
    let cseq = CSeq::parse(value(message, Name::CSeq)?).ok_or(Problem::Malformed(Name::CSeq))?;
    if cseq.number >= CSEQ_LIMIT {
        return Err(Problem::CSeqNumber);
    }
    if message.is_request() && cseq.token != message.method_token() {
        return Err(Problem::CSeqMethod);
    }
    Ok(cseq)
}

fn max_forwards(message: &Message<'_>) -> Result<Option<u8>, Problem> {
    let Some(value) = message.value(Name::MaxForwards) else { return Ok(None) };
    numbers::max_forwards(value).map(Some).ok_or(Problem::Malformed(Name::MaxForwards))
}
