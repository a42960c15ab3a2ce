use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const THREADS: u64 = 4;
const ROUNDS: u32 = 2000;
const NUMBERS: u32 = 40;

/// Every thread is a device of every extension; each refreshes its own Contact, and each refresh must survive.
#[test]
fn saves_of_many_threads_lose_nothing_and_lookups_see_whole_records() {
    let location = Location::new(1);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|device| {
                scope.spawn({
                    let location = &location;
                    move || write(location, device)
                })
            })
            .collect();
        let (reader_location, reader_done) = (&location, &done);
        let reader = scope.spawn(move || {
            while !reader_done.load(Ordering::Relaxed) {
                read(reader_location);
            }
        });
        // Whatever became of the writers, the reader must end.
        let written: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        assert!(written.iter().all(Result::is_ok));
    });
    check_invariants(&location);
    for number in 0..NUMBERS {
        let number = number.to_string();
        let mut record = Vec::new();
        location.fetch(&aor(&number), &mut record);
        let mut last: Vec<_> = unpack(&record).unwrap().iter().map(|binding| (binding.call_id, binding.cseq)).collect();
        last.sort_unstable();
        let expected: Vec<_> = (0..THREADS).map(|device| (device, ROUNDS / NUMBERS)).collect();
        assert_eq!(last, expected, "of {number}");
    }
    assert_eq!(count(&location, TenantId(1)), THREADS * u64::from(NUMBERS));
}

fn write(location: &Location, device: u64) {
    let uri = format!("sip:device{device}@198.51.100.7");
    let mut versions = std::collections::HashMap::new();
    for round in 0..ROUNDS {
        let (number, cseq) = ((round % NUMBERS).to_string(), round / NUMBERS + 1);
        let flow = stream(Transport::Tls, device);
        let contacts = [Binding { flow, call_id: device, cseq, ..contact(&uri, round / 100, 600) }];
        let update = Update { call_id: device, cseq, contacts: Contacts::Some(&contacts), limits: of_each(10) };
        let mut record = Vec::new();
        let saved = location.save(at(round / 100), &aor(&number), &update, &mut record, &mut Vec::new()).unwrap();
        assert!(unpack(&record).unwrap().contains(&contacts[0]));
        let last = versions.insert(number, saved.version);
        assert!(last.flatten() < saved.version);
        location.sweep(at(round / 100), round as usize % Location::STRIPES, 0, |_| {});
    }
}

fn read(location: &Location) {
    for number in 0..NUMBERS {
        location.lookup(at(0), &aor(&number.to_string()), |binding| {
            assert_eq!(binding.uri, format!("sip:device{}@198.51.100.7", binding.call_id).as_bytes());
        });
    }
    location.visit(at(0), 7, |_, _, _, record| assert!(unpack(record).is_ok()));
}

/// What a removal has ended must not come back, however saving and publishing meet: whoever keeps sections remembers no version of
/// one that is removed.
#[test]
fn what_is_published_while_phones_come_and_go_ends_as_they_have() {
    let location = Location::shared(1, NodeNumber(1));
    let done = AtomicBool::new(false);
    let kept = std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let mut kept = std::collections::BTreeMap::new();
            loop {
                let was_done = done.load(Ordering::Acquire);
                let taken = location.take_unpublished(at(1), 8192, |section| {
                    let number = String::from_utf8(section.aor.number.to_vec()).unwrap();
                    if kept.get(&number).is_none_or(|version| *version <= section.version) {
                        if section.record.is_empty() {
                            kept.remove(&number);
                        } else {
                            kept.insert(number, section.version);
                        }
                    }
                });
                if was_done && taken == 0 {
                    return kept;
                }
            }
        });
        for round in 0..20 * ROUNDS {
            let number = (round % NUMBERS).to_string();
            let cseq = round + 1;
            if (round / NUMBERS).is_multiple_of(2) {
                save(&location, 1, aor(&number), (7, cseq), &[contact("sip:phone@h", 1, 600)]).unwrap();
            } else if round % 3 > 0 || round / NUMBERS % 4 == 3 {
                save_all_removed(&location, 1, aor(&number), (7, cseq)).unwrap();
            }
        }
        done.store(true, Ordering::Release);
        publisher.join().unwrap()
    });
    for number in 0..NUMBERS {
        let number = number.to_string();
        let own = location.own_section(&aor(&number), &mut Vec::new()).filter(|(_, expires)| *expires > 0);
        assert_eq!(kept.get(&number).copied(), own.map(|(version, _)| version), "of {number}");
    }
}
