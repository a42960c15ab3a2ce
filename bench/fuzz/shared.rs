//! What lies in Redis is read or refused. What is read as a blob is that blob when it is written again; what others say of an
//! address-of-record changes nothing when it can't be read, takes no binding of this node's but one whose Contact they have
//! too, and is forgotten whole when they say nothing any more. A beat that is read means the same when it is written again.

use ringway_cluster::{Beat, blob};
use ringway_edge::Location;
use ringway_edge::location::{Aor, Binding, Learned, NodeNumber, TenantId, unpack};
use ringway_sip::Wall;

use crate::cursor::Cursor;

const NOW: u32 = 1_800_000_000;
const HERE: NodeNumber = NodeNumber(1);

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    if let Some(beat) = Beat::read(bytes) {
        assert_eq!(Beat::read(beat.text().as_bytes()), Some(beat));
    }
    if let Ok(sections) = blob::read(bytes)
        && !sections.is_empty()
    {
        let mut again = Vec::new();
        blob::write(&sections, &mut again);
        assert_eq!(again, bytes);
    }

    let mut cursor = Cursor::new(bytes);
    let location = Location::shared(7, HERE);
    let aor = Aor { tenant: TenantId(1), number: b"101" };
    let now = Wall::from_seconds(u64::from(NOW));
    let own = cursor.bytes_of_length();
    let _ = location.restore(now, &[], &aor, 1, own);
    for _ in 0..4 {
        if cursor.is_empty() {
            break;
        }
        let before = records(&location, &aor);
        let version = Some(u64::from(cursor.byte())).filter(|version| *version > 0);
        let sections = [cursor.bytes_of_length(), cursor.bytes_of_length()];
        let sections: Vec<_> =
            sections.iter().zip(1..).map(|(record, node)| (NodeNumber(HERE.0 + node), *record)).collect();
        let learned = location.learn(now, &aor, &sections, version);
        let after = records(&location, &aor);
        match learned {
            Err(_) => assert_eq!(after, before, "what can't be read changes nothing"),
            Ok(Learned::Nothing) => assert_eq!(after, before),
            Ok(_) => {
                let all: Vec<_> = sections.iter().filter_map(|(_, record)| unpack(record).ok()).collect();
                for record in &before {
                    let Ok(had) = unpack(record) else { panic!("a record of the location's own") };
                    for binding in had.iter().filter(|binding| binding.home.is_none()) {
                        let is_same = |other: &Binding<'_>| other.is_same_contact(binding);
                        let is_there =
                            after.iter().any(|record| unpack(record).is_ok_and(|has| has.iter().any(is_same)));
                        let is_known = all.iter().flatten().any(is_same);
                        assert!(is_there || is_known, "a device of this node is gone");
                    }
                }
            }
        }
    }
    let Ok(_) = location.learn(now, &aor, &[], None) else { panic!("nothing can always be read") };
    for record in records(&location, &aor) {
        let Ok(has) = unpack(&record) else { panic!("a record of the location's own") };
        assert!(has.iter().all(|binding| binding.home.is_none()), "others' devices that nobody tells of");
    }
    let mut taken = 0;
    while location.take_unpublished(now, 1, |section| taken += usize::from(section.aor == aor)) > 0 {}
    assert!(taken <= 1, "one address-of-record is published {taken} times");
}

/// What the location holds: one record, or none.
fn records(location: &Location, aor: &Aor<'_>) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for stripe in 0..Location::STRIPES {
        location.visit(Wall::from_seconds(u64::from(NOW)), stripe, |of, _, _, record| {
            assert_eq!(of, *aor);
            found.push(record.to_vec());
        });
    }
    found
}
