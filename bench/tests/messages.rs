//! Both parsers do the same work, and ours asks for no memory. Allocations are counted, so these tests are exact.
#![allow(clippy::unwrap_used, reason = "tests")]

use ringway_bench::allocations::{self, Allocated, Counting};
use ringway_bench::messages::{CORPUS, by_ringway, by_rsip};
use ringway_sip::{Message, Name};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_corpus_has_the_sizes_that_the_tables_name() {
    assert_eq!(
        CORPUS.map(|sample| (sample.name, sample.bytes.len())),
        [("register", 521), ("register-digest", 742), ("invite", 1202)]
    );
    assert_eq!(CORPUS.map(|sample| Message::parse(sample.bytes).unwrap().fields().count()), [12, 13, 17]);
}

#[test]
fn to_parse_to_read_and_to_forward_allocates_nothing() {
    let mut forwarder = by_ringway::Forwarder::new().unwrap();
    for sample in CORPUS {
        let mut forward = || {
            let message = by_ringway::parse(sample.bytes).unwrap();
            let fields = by_ringway::route_fields(&message).unwrap();
            forwarder.forward(&message, &fields).unwrap().len()
        };
        forward();
        let allocated = allocations::of(|| {
            forward();
        });
        assert_eq!(allocated, Allocated::default(), "{}", sample.name);
    }
}

#[test]
fn both_parsers_read_the_same_and_forward_the_same() {
    let mut forwarder = by_ringway::Forwarder::new().unwrap();
    for sample in CORPUS {
        let message = by_ringway::parse(sample.bytes).unwrap();
        let ours = by_ringway::route_fields(&message).unwrap();
        let request = by_rsip::parse(sample.bytes).unwrap();
        let theirs = by_rsip::route_fields(&request).unwrap();
        assert_eq!(ours.essentials.call_id, theirs.call_id.as_bytes());
        assert_eq!(ours.essentials.cseq.number, theirs.cseq.seq);
        assert_eq!(ours.essentials.from_tag.unwrap(), theirs.from.tag().unwrap().value().as_bytes());
        assert_eq!(ours.essentials.max_forwards.map(u32::from), Some(theirs.max_forwards));
        assert_eq!(ours.expires, theirs.expires);
        assert_eq!(ours.to.user.unwrap(), theirs.to.uri.user().unwrap().as_bytes());
        assert_eq!(
            ours.contact.unwrap().name_addr.parse_uri().unwrap().host,
            theirs.contact.as_ref().unwrap().uri.host().to_string().as_bytes()
        );

        let ours = forwarder.forward(&message, &ours).unwrap().to_vec();
        let theirs = by_rsip::forward(request, theirs).unwrap();
        let lines = |bytes: &[u8]| {
            let message = Message::parse(bytes).unwrap();
            assert_eq!((message.problem(), message.request_uri()), (None, &b"sip:1000042@203.0.113.9:5060"[..]));
            let mut lines: Vec<_> = message
                .fields()
                // The parameters of a Via have no order.
                .filter(|field| field.name != Name::Via)
                .map(|field| (field.name, String::from_utf8(field.value.to_vec()).unwrap()))
                .collect();
            lines.sort();
            assert_eq!(message.fields_named(Name::Via).count(), 2);
            (lines, message.body().to_vec())
        };
        assert_eq!(lines(&ours), lines(&theirs), "{}", sample.name);
    }
}
