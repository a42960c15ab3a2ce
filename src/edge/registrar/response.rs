//! What a REGISTER that was carried out is answered.

use ringway_sip::Flow;
use ringway_sip::write::{ResponseWriter, write_number, write_sent_by};

use super::{Registered, date};
use crate::location::{Binding, unpack};
use crate::settings::Settings;

impl Registered<'_> {
    /// Within how many seconds a device that has registered a flow by the rules of RFC 5626 is asked to send keep-alives;
    /// 0 when it is not.
    pub(crate) fn flow_timer(&self) -> u16 {
        if self.is_outbound { self.flow_timer } else { 0 }
    }

    /// Appends what the 200 says: every binding with what is left of it, and the Date (section 10.3, step 8); the Path as it
    /// came (RFC 3327 section 5.3); that a flow was registered, and how often it is to be used (RFC 5626 section 6); the
    /// way for the device's own requests (RFC 3608).
    pub fn write_headers<'o, 'm, 'a>(&self, response: ResponseWriter<'o, 'm, 'a>) -> ResponseWriter<'o, 'm, 'a> {
        self.write_headers_of(response, |_| true)
    }

    /// As [`write_headers`](Self::write_headers), with the Contacts alone that this request has put.
    pub fn write_own_headers<'o, 'm, 'a>(&self, response: ResponseWriter<'o, 'm, 'a>) -> ResponseWriter<'o, 'm, 'a> {
        self.write_headers_of(response, |binding| (binding.call_id, binding.cseq) == self.put_by)
    }

    /// How long the list of all Contacts is, about.
    pub fn length(&self) -> usize {
        self.record.len() + self.gruus.len()
    }

    fn write_headers_of<'o, 'm, 'a>(
        &self,
        mut response: ResponseWriter<'o, 'm, 'a>,
        is_listed: impl Fn(&Binding<'_>) -> bool,
    ) -> ResponseWriter<'o, 'm, 'a> {
        let seconds = u32::try_from(self.now.as_seconds()).unwrap_or(u32::MAX);
        for (at, binding) in unpack(self.record).unwrap_or_default().iter().enumerate() {
            if binding.is_live(seconds) && !binding.is_removed && is_listed(binding) {
                let gruus = self.gruus_of(at);
                response = response.header_with("Contact", |out| write_contact(binding, gruus, seconds, out));
            }
        }
        response = response.header_with("Date", |out| date::write_date(out, self.now));
        if !self.path.is_empty() {
            response = response.header("Path", self.path);
        }
        if self.is_outbound {
            response = response.header("Require", b"outbound");
            if self.flow_timer() > 0 {
                response = response.header_with("Flow-Timer", |out| write_number(out, self.flow_timer.into()));
            }
        }
        if !self.service_route.is_empty() {
            response = response.header("Service-Route", self.service_route);
        }
        response
    }

    fn gruus_of(&self, binding: usize) -> &[u8] {
        let start = binding.checked_sub(1).and_then(|before| self.gruu_ends.get(before)).copied().unwrap_or(0);
        let end = self.gruu_ends.get(binding).copied().unwrap_or(start);
        self.gruus.get(start..end).unwrap_or_default()
    }
}

/// Appends the way to us by the flow that a REGISTER came on, as a Route has it (RFC 3608 section 6.3).
pub(super) fn write_service_route(settings: &Settings, flow: &Flow, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<sip:");
    write_sent_by(out, settings.own_side(flow));
    if let Some(transport) = flow.transport.uri_parameter() {
        out.extend_from_slice(b";transport=");
        out.extend_from_slice(transport.as_bytes());
    }
    out.extend_from_slice(b";lr>");
}

fn write_contact(binding: &Binding<'_>, gruus: &[u8], seconds: u32, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(binding.uri);
    out.push(b'>');
    out.extend_from_slice(binding.parameters);
    out.extend_from_slice(gruus);
    if let Some(q) = binding.q {
        out.extend_from_slice(b";q=");
        write_q(out, q);
    }
    out.extend_from_slice(b";expires=");
    write_number(out, u64::from(binding.remaining(seconds)));
}

/// Appends thousandths as a `qvalue`: `1`, `0.5`, `0.25`.
fn write_q(out: &mut Vec<u8>, thousandths: u16) {
    write_number(out, u64::from(thousandths / 1000));
    let mut rest = thousandths % 1000;
    if rest > 0 {
        out.push(b'.');
    }
    while rest > 0 {
        rest *= 10;
        out.push(b'0' + (rest / 1000) as u8);
        rest %= 1000;
    }
}
