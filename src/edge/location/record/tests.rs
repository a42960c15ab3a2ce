use proptest::prelude::*;

use super::*;

fn address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(IpAddr::from(ip), port)),
        (any::<[u8; 16]>(), any::<u16>(), any::<u32>()).prop_map(|(ip, port, zone)| SocketAddrV6::new(
            ip.into(),
            port,
            0,
            zone
        )
        .into()),
    ]
}

fn flow() -> impl Strategy<Value = (Flow, bool)> {
    let connection = prop::option::of((any::<u8>(), any::<u64>()));
    (0..Transport::ALL.len(), any::<u8>(), address(), address(), connection, any::<bool>()).prop_map(
        |(transport, listener, local, remote, connection, is_lost)| {
            let transport = Transport::ALL[transport];
            let connection = connection
                .filter(|_| transport.is_reliable())
                .map(|(shard, serial)| ConnectionId { shard: ShardId(shard), serial });
            let is_lost = is_lost && transport.is_reliable() && connection.is_none();
            (Flow { transport, listener: ListenerId(listener), local, remote, connection }, is_lost)
        },
    )
}

#[derive(Clone, Debug)]
struct Texts {
    uri: Vec<u8>,
    parameters: Vec<u8>,
    path: Vec<u8>,
    user_agent: Vec<u8>,
}

fn texts() -> impl Strategy<Value = Texts> {
    let text = |most| prop::collection::vec(any::<u8>(), 0..most);
    let texts = (text(600), text(300), text(100), text(256));
    texts.prop_map(|(uri, parameters, path, user_agent)| Texts { uri, parameters, path, user_agent })
}

/// A binding without its texts.
fn bare() -> impl Strategy<Value = Binding<'static>> {
    let numbers = (any::<u32>(), any::<u32>(), 0..1_u32 << 31, any::<u64>());
    let optional = (prop::option::of(any::<u16>()), prop::option::of(any::<u64>()), prop::option::of(any::<u32>()));
    let pulse = (any::<u32>(), any::<u32>(), prop::option::of(0..u16::MAX), any::<u8>());
    let pulse = pulse.prop_map(|(due, sent, round_trip, unanswered)| Pulse { due, sent, round_trip, unanswered });
    let reached = (flow(), any::<bool>(), prop::option::of(pulse));
    (numbers, optional, reached).prop_map(|(numbers, optional, ((flow, is_connection_lost), is_natted, pulse))| {
        let (registered_at, expires_at, cseq, call_id) = numbers;
        let (q, instance, reg_id) = optional;
        Binding {
            uri: b"",
            parameters: b"",
            path: b"",
            user_agent: b"",
            q,
            registered_at,
            expires_at,
            cseq,
            call_id,
            flow,
            is_natted,
            is_connection_lost,
            instance,
            reg_id,
            has_push_token: is_natted,
            pulse,
            home: None,
            came_with_others: call_id % 2 == 0,
            is_removed: false,
        }
    })
}

fn with_texts<'a>(parts: &'a [(Binding<'static>, Texts)]) -> Bindings<'a> {
    parts
        .iter()
        .map(|(binding, texts)| Binding {
            uri: &texts.uri,
            parameters: &texts.parameters,
            path: &texts.path,
            user_agent: &texts.user_agent,
            ..*binding
        })
        .collect()
}

fn packed(bindings: &[Binding<'_>]) -> Vec<u8> {
    let mut record = Vec::new();
    pack(bindings, &mut record);
    record
}

/// A state of bindings has one packed form only.
fn is_refused_or_canonical(record: &[u8]) -> bool {
    unpack(record).map_or(true, |bindings| packed(&bindings) == record)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_packed_is_unpacked_the_same(parts in prop::collection::vec((bare(), texts()), 0..6)) {
        let record = packed(&with_texts(&parts));
        prop_assert_eq!(unpack(&record), Ok(with_texts(&parts)));
    }

    #[test]
    fn a_record_that_is_cut_or_has_more_behind_it_is_refused(parts in prop::collection::vec((bare(), texts()), 1..3)) {
        let record = packed(&with_texts(&parts));
        for length in 1..record.len() {
            prop_assert!(unpack(&record[..length]).is_err());
        }
        prop_assert!(unpack(&[&record[..], b"x"].concat()).is_err());
    }

    #[test]
    fn garbage_is_refused_or_is_a_record_after_all(
        parts in prop::collection::vec((bare(), texts()), 1..3),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut record = packed(&with_texts(&parts));
        for (at, byte) in changes {
            let at = at.index(record.len().min(80));
            record[at] = byte;
        }
        prop_assert!(is_refused_or_canonical(&record));
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..400), is_marked in any::<bool>()) {
        let mut noise = noise;
        if let (true, [format, count, ..]) = (is_marked, &mut noise[..]) {
            (*format, *count) = (FORMAT, *count % 3);
        }
        prop_assert!(is_refused_or_canonical(&noise));
    }
}

#[test]
fn another_format_is_refused() {
    let flow = Flow::udp(ListenerId(0), "192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap());
    let binding = Binding { uri: b"sip:a@b", flow, ..blank(flow) };
    let mut record = packed(&[binding]);
    assert_eq!(unpack(&record), Ok(Bindings::from_slice(&[binding])));
    record[0] = FORMAT + 1;
    assert_eq!(unpack(&record), Err(Garbage));
    assert_eq!(unpack(&[FORMAT, 0]), Err(Garbage));
    assert_eq!(unpack(&[]), Ok(Bindings::new()));
}

#[test]
fn the_format_stays_as_the_journals_of_earlier_versions_have_it() {
    let local = "192.0.2.1:5060".parse().unwrap();
    let flow = Flow::udp(ListenerId(1), local, "198.51.100.7:1024".parse().unwrap());
    let binding = Binding {
        uri: b"sip:a@b",
        parameters: b";x",
        user_agent: b"UA",
        q: Some(500),
        registered_at: 0x0102_0304,
        expires_at: 0x0506_0708,
        cseq: 9,
        call_id: 10,
        is_natted: true,
        instance: Some(11),
        reg_id: Some(12),
        ..blank(flow)
    };
    let expected: &[&[u8]] = &[
        &[1, 1],
        &[1 | 8 | 16 | 128, 0, 1],
        &[8, 7, 6, 5],
        &[4, 3, 2, 1],
        &[9, 0, 0, 0],
        &[10, 0, 0, 0, 0, 0, 0, 0],
        &[192, 0, 2, 1, 0xc4, 0x13],
        &[198, 51, 100, 7, 0, 4],
        &[11, 0, 0, 0, 0, 0, 0, 0],
        &[12, 0, 0, 0],
        &[0xf4, 1],
        &[7, 0],
        b"sip:a@b",
        &[2, 0],
        b";x",
        &[2],
        b"UA",
    ];
    assert_eq!(packed(&[binding]), expected.concat());
}

fn blank(flow: Flow) -> Binding<'static> {
    Binding {
        uri: b"",
        parameters: b"",
        path: b"",
        user_agent: b"",
        q: None,
        registered_at: 0,
        expires_at: 0,
        cseq: 0,
        call_id: 0,
        flow,
        is_natted: false,
        is_connection_lost: false,
        instance: None,
        reg_id: None,
        has_push_token: false,
        pulse: None,
        home: None,
        came_with_others: false,
        is_removed: false,
    }
}
