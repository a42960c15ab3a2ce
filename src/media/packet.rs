//! Telling what a packet is by its first bytes (RFC 7983, RFC 5761).

/// What travels on a media port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rtp,
    Rtcp,
    Stun,
    Dtls,
    Zrtp,
}

const RTP_HEADER: usize = 12;
const RTCP_HEADER: usize = 8;
const STUN_HEADER: usize = 20;
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Header, magic cookie, source and checksum (RFC 6189 section 5).
const ZRTP_LEAST: usize = 16;
const ZRTP_COOKIE: [u8; 4] = *b"ZRTP";
const DTLS_HEADER: usize = 13;

/// What this is; `None` when it is nothing that belongs here.
pub(crate) fn kind(bytes: &[u8]) -> Option<Kind> {
    match (*bytes.first()?, *bytes.get(1)?) {
        (128..=191, 192..=223) => (bytes.len() >= RTCP_HEADER).then_some(Kind::Rtcp),
        (first @ 128..=191, _) => {
            // The header, its contributing sources, and the head of an extension.
            let sources = usize::from(first & 0x0f) * 4;
            let extension = if first & 0x10 == 0 { 0 } else { 4 };
            (bytes.len() >= RTP_HEADER + sources + extension).then_some(Kind::Rtp)
        }
        (0..=3, _) => {
            let is_stun = bytes.len() >= STUN_HEADER && bytes.get(4..8) == Some(&STUN_COOKIE);
            is_stun.then_some(Kind::Stun)
        }
        (16..=19, _) => {
            let is_zrtp = bytes.len() >= ZRTP_LEAST && bytes.get(4..8) == Some(&ZRTP_COOKIE);
            is_zrtp.then_some(Kind::Zrtp)
        }
        (20..=63, _) => (bytes.len() >= DTLS_HEADER).then_some(Kind::Dtls),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(start: &[u8], length: usize) -> Vec<u8> {
        let mut bytes = start.to_vec();
        bytes.resize(length, 0);
        bytes
    }

    #[test]
    fn a_packet_is_known_by_its_first_bytes_and_its_length() {
        let zrtp = *b"\x10\0\0\x01ZRTP";
        let stun = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        for (start, least, expected) in [
            (&[0x80, 0][..], 12, Kind::Rtp),
            (&[0x80, 0x80 | 96], 12, Kind::Rtp),
            (&[0x90, 0], 16, Kind::Rtp),
            (&[0x83, 8], 24, Kind::Rtp),
            (&[0x80, 200], 8, Kind::Rtcp),
            (&[0xa1, 205], 8, Kind::Rtcp),
            (&stun, 20, Kind::Stun),
            (&[22, 254, 253], 13, Kind::Dtls),
            (&zrtp, 16, Kind::Zrtp),
        ] {
            assert_eq!(kind(&padded(start, least)), Some(expected), "{start:?}");
            assert_eq!(kind(&padded(start, least)[..least - 1]), None, "{start:?} cut short");
        }
    }

    #[test]
    fn what_is_nothing_of_these_is_no_packet() {
        for bytes in [&b""[..], b"\x80", b"INVITE sip:101@acme.example SIP/2.0\r\n", &[0; 40], &[0xff; 40]] {
            assert_eq!(kind(bytes), None, "{bytes:?}");
        }
    }
}
