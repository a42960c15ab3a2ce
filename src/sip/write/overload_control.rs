//! Overload control between servers, as the one that is asked (RFC 7339): the parameters of the Via in a response.

use super::number::write_number;
use crate::Name;
use crate::message::Message;

/// What a client that knows overload control is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverloadControl {
    /// Of a hundred requests that it would send us, so many are not to be sent (the algorithm `loss`).
    pub percent: u8,
    /// For how long this holds. 0: there is nothing to hold back (section 4.3).
    pub valid_milliseconds: u32,
    /// Grows with each that is told (section 4.4): milliseconds since 1970.
    pub sequence: u64,
}

/// Writes overload control into the top Via of the response that begins at `start`, in place of what its client wrote there. A
/// response that can't be read stays as it is.
pub fn write_overload_control(out: &mut Vec<u8>, start: usize, control: &OverloadControl) {
    let Some(text) = out.get(start..) else { return };
    let Ok(message) = Message::parse(text) else { return };
    let Some(via) = message.values(Name::Via).next().and_then(crate::header::Via::parse) else { return };
    let at = via.raw.as_ptr().addr() - text.as_ptr().addr();
    let mut written = via.raw.strip_suffix(via.params.as_bytes()).unwrap_or(via.raw).to_vec();
    for (name, value) in via.params.iter() {
        if [&b"oc"[..], b"oc-algo", b"oc-validity", b"oc-seq"].iter().any(|own| own.eq_ignore_ascii_case(name)) {
            continue;
        }
        written.push(b';');
        written.extend_from_slice(name);
        if let Some(value) = value {
            written.push(b'=');
            written.extend_from_slice(value);
        }
    }
    written.extend_from_slice(b";oc=");
    write_number(&mut written, control.percent.into());
    written.extend_from_slice(b";oc-algo=\"loss\";oc-validity=");
    write_number(&mut written, control.valid_milliseconds.into());
    written.extend_from_slice(b";oc-seq=");
    write_number(&mut written, control.sequence / 1000);
    // As a decimal fraction it grows only when it always has its three digits.
    let fraction = control.sequence % 1000;
    written.extend([b'.', digit(fraction / 100), digit(fraction / 10), digit(fraction)]);
    let range = start + at..start + at + via.raw.len();
    out.splice(range, written);
}

/// The last decimal digit.
const fn digit(number: u64) -> u8 {
    b'0' + (number % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(via: &str, control: OverloadControl) -> String {
        let mut out = b"before".to_vec();
        out.extend_from_slice(format!("SIP/2.0 200 OK\r\n{via}\r\nCall-ID: a\r\nContent-Length: 0\r\n\r\n").as_bytes());
        write_overload_control(&mut out, 6, &control);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with("beforeSIP/2.0 200 OK\r\n")
                && text.ends_with("\r\nCall-ID: a\r\nContent-Length: 0\r\n\r\n")
        );
        text.lines().nth(1).unwrap().to_owned()
    }

    #[test]
    fn a_client_is_told_in_its_own_via_and_what_it_wrote_there_goes() {
        let control = OverloadControl { percent: 20, valid_milliseconds: 500, sequence: 1_282_321_615_782 };
        assert_eq!(
            told(
                "Via: SIP/2.0/TCP p1.example:5060;branch=z9hG4bK2;oc;oc-algo=\"loss,A\";received=192.0.2.1, SIP/2.0/UDP b;oc",
                control
            ),
            "Via: SIP/2.0/TCP p1.example:5060;branch=z9hG4bK2;received=192.0.2.1;oc=20;oc-algo=\"loss\";oc-validity=500;\
             oc-seq=1282321615.782, SIP/2.0/UDP b;oc"
        );
        let control = OverloadControl { percent: 0, valid_milliseconds: 0, sequence: 7 };
        assert_eq!(
            told("v: SIP/2.0/UDP a;OC=3;oc-seq=1.1;oc-validity=9", control),
            "v: SIP/2.0/UDP a;oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=0.007"
        );
    }
}
