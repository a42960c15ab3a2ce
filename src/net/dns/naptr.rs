//! NAPTR records of SIP (RFC 3263 section 4.1, RFC 3403): which transports a domain has, and where.

use std::sync::Arc;

use ringway_sip::Transport;

/// One record, as far as SIP has a use for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Naptr {
    pub(super) order: u16,
    pub(super) preference: u16,
    pub(super) flags: Vec<u8>,
    pub(super) services: Vec<u8>,
    pub(super) has_regexp: bool,
    /// The name whose SRV records are meant.
    pub(super) replacement: Arc<str>,
}

impl Naptr {
    /// The transport that the record is about; `None` when it is none that requests are sent over, or no service of SIP.
    fn transport(&self) -> Option<Transport> {
        let is = |service: &[u8]| self.services.eq_ignore_ascii_case(service);
        if is(b"SIP+D2U") {
            Some(Transport::Udp)
        } else if is(b"SIP+D2T") {
            Some(Transport::Tcp)
        } else if is(b"SIPS+D2T") {
            Some(Transport::Tls)
        } else {
            None
        }
    }
}

/// The transports to try, in order, each with the name of its SRV records. Records that we can't follow are passed over.
pub(super) fn select(records: &[Naptr], transports: &[Transport]) -> Vec<(Transport, Arc<str>)> {
    let mut usable: Vec<_> = records
        .iter()
        // The flag says that SRV records come next, and then nothing but the replacement is used.
        .filter(|record| record.flags.eq_ignore_ascii_case(b"s") && !record.has_regexp)
        .filter(|record| !record.replacement.is_empty())
        .filter_map(|record| Some((record, record.transport().filter(|transport| transports.contains(transport))?)))
        .collect();
    usable.sort_by_key(|(record, _)| (record.order, record.preference));
    let mut selected: Vec<(Transport, Arc<str>)> = Vec::new();
    for (record, transport) in usable {
        if selected.iter().all(|(other, name)| (*other, name) != (transport, &record.replacement)) {
            selected.push((transport, Arc::clone(&record.replacement)));
        }
    }
    selected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naptr(order: u16, preference: u16, services: &str, replacement: &str) -> Naptr {
        let (flags, services) = (b"s".to_vec(), services.into());
        Naptr { order, preference, flags, services, has_regexp: false, replacement: replacement.into() }
    }

    fn selected(records: &[Naptr], transports: &[Transport]) -> Vec<(Transport, String)> {
        select(records, transports).into_iter().map(|(transport, name)| (transport, name.to_string())).collect()
    }

    #[test]
    fn order_goes_before_preference_and_both_count_up() {
        let records = [
            naptr(20, 1, "SIP+D2U", "udp"),
            naptr(10, 9, "SIP+D2T", "tcp"),
            naptr(10, 2, "SIPS+D2T", "tls"),
            naptr(20, 1, "sip+d2u", "udp"),
        ];
        let all = [Transport::Udp, Transport::Tcp, Transport::Tls];
        let expected = [(Transport::Tls, "tls"), (Transport::Tcp, "tcp"), (Transport::Udp, "udp")];
        assert_eq!(selected(&records, &all), expected.map(|(transport, name)| (transport, name.to_owned())));
        assert_eq!(selected(&records, &[Transport::Tls]), [(Transport::Tls, "tls".to_owned())], "a sips URI");
    }

    #[test]
    fn records_that_can_not_be_followed_are_passed_over() {
        let good = naptr(9, 9, "SIP+D2T", "tcp");
        let records = [
            Naptr { flags: b"u".to_vec(), ..good.clone() },
            Naptr { flags: b"".to_vec(), ..good.clone() },
            Naptr { has_regexp: true, ..good.clone() },
            naptr(1, 1, "E2U+sip", "enum"),
            naptr(1, 1, "SIP+D2S", "sctp"),
            naptr(1, 1, "SIP+D2U", ""),
            good,
        ];
        assert_eq!(selected(&records, &[Transport::Udp, Transport::Tcp]), [(Transport::Tcp, "tcp".to_owned())]);
        assert_eq!(selected(&records, &[Transport::Tls]), []);
    }
}
