//! The location service beside a model that is too simple to be wrong: a map of lists, and the rules of RFC 3261
//! section 10.3 written once more.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const NUMBERS: [&str; 3] = ["101", "102", "103"];
/// The first two are equivalent.
const URIS: [&str; 4] =
    ["sip:a@198.51.100.7:5062", "SIP:a@198.51.100.7:5062", "sip:b@198.51.100.7", "sips:c@phone.example"];
const CEILING: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    /// Contacts: which URI, interval, which flow.
    Save {
        number: usize,
        call_id: u64,
        cseq: u32,
        contacts: Vec<(usize, u32, usize)>,
    },
    RemoveAll {
        number: usize,
        call_id: u64,
        cseq: u32,
    },
    Close(usize),
    Sweep,
    Wait(u32),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let request = || (0..NUMBERS.len(), 0..2_u64, 1..6_u32);
    let one = (0..URIS.len(), prop_oneof![Just(0), Just(30), Just(60)], 0..4_usize);
    prop_oneof![
        8 => (request(), prop::collection::vec(one, 1..4))
            .prop_map(|((number, call_id, cseq), contacts)| Step::Save { number, call_id, cseq, contacts }),
        1 => request().prop_map(|(number, call_id, cseq)| Step::RemoveAll { number, call_id, cseq }),
        1 => (0..2_usize).prop_map(Step::Close),
        1 => Just(Step::Sweep),
        2 => (1..40_u32).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

/// Two TLS connections, and two devices that use datagrams.
fn flow(which: usize) -> Flow {
    [stream(Transport::Tls, 0), stream(Transport::Tls, 1), udp(5060), udp(5062)][which]
}

fn is_connection(which: usize) -> bool {
    which < 2
}

#[derive(Clone, Debug, PartialEq)]
struct Known {
    uri: usize,
    call_id: u64,
    cseq: u32,
    interval: u32,
    expires_at: u32,
    flow: usize,
    is_lost: bool,
    in_company: bool,
}

impl Known {
    fn is_same(&self, other: &Self) -> bool {
        self.uri == other.uri || self.uri.max(other.uri) < 2
    }

    fn is_repetition(&self, other: &Self) -> bool {
        let repeated = |one: &Self| Self { expires_at: 0, in_company: false, ..one.clone() };
        repeated(self) == repeated(other)
    }
}

#[derive(Default)]
struct Model {
    lists: HashMap<usize, Vec<Known>>,
    /// The lists as they were last saved: what a restart finds.
    saved: HashMap<usize, Vec<Known>>,
}

impl Model {
    fn live(&self, number: usize, seconds: u32) -> Vec<Known> {
        let list = self.lists.get(&number).cloned().unwrap_or_default();
        list.into_iter().filter(|known| seconds < known.expires_at).collect()
    }

    fn reachable(&self, number: usize, seconds: u32) -> Vec<Known> {
        self.live(number, seconds).into_iter().filter(|known| !known.is_lost).collect()
    }

    /// Without contacts: all are removed. Returns whether there was anything to do.
    fn save(
        &mut self,
        seconds: u32,
        number: usize,
        (call_id, cseq): (u64, u32),
        contacts: Option<&[Known]>,
    ) -> Result<bool, Reject> {
        let before = self.reachable(number, seconds);
        let last = before.iter().filter(|known| known.call_id == call_id).map(|known| known.cseq).max().unwrap_or(0);
        if cseq == last {
            let is_there = |wanted: &Known| {
                let mut same = before.iter().filter(|known| known.is_same(wanted));
                if wanted.interval == 0 { same.count() == 0 } else { same.any(|known| known.is_repetition(wanted)) }
            };
            let is_repetition = contacts.is_some_and(|contacts| contacts.iter().all(is_there));
            return if is_repetition { Ok(false) } else { Err(Reject::OutOfOrder) };
        }
        if cseq < last {
            return Err(Reject::OutOfOrder);
        }
        let mut list = before.clone();
        let mut is_changed = contacts.is_none() && !list.is_empty();
        if contacts.is_none() {
            list.clear();
        }
        let in_company = contacts.iter().copied().flatten().filter(|wanted| wanted.interval > 0).count() > 1;
        for wanted in contacts.unwrap_or_default() {
            let place = list.iter().position(|known| known.is_same(wanted));
            let old = place.and_then(|place| list.get(place));
            let was_in_company = old.is_some_and(|old| old.in_company && old.call_id == call_id);
            list.retain(|known| !known.is_same(wanted));
            if wanted.interval > 0 {
                let in_company = in_company || was_in_company;
                list.insert(place.unwrap_or(list.len()), Known { in_company, ..wanted.clone() });
            }
            is_changed |= place.is_some() || wanted.interval > 0;
        }
        let is_too_long = |list: &[Known]| list.len() > CEILING && list.len() > before.len();
        while is_too_long(&list) {
            // Devices that have come under their Call-ID with another Contact than they had: what was left first gives way.
            let follows = |later: &Known, known: &Known| {
                (later.call_id, later.in_company) == (known.call_id, false) && later.cseq > known.cseq
            };
            let left = list
                .iter()
                .enumerate()
                .filter(|(_, known)| !known.in_company && list.iter().any(|later| follows(later, known)));
            let first = left.min_by_key(|(_, known)| known.expires_at - known.interval).map(|(at, _)| at);
            list.remove(first.ok_or(Reject::TooManyBindings)?);
        }
        if is_changed {
            self.lists.insert(number, list.clone());
            self.saved.insert(number, list);
        }
        Ok(is_changed)
    }

    fn close(&mut self, connection: usize) {
        for list in self.lists.values_mut() {
            list.retain(|known| known.flow != connection || known.is_lost);
        }
    }

    fn restart(&mut self) {
        self.lists = self.saved.clone();
        for known in self.lists.values_mut().flatten() {
            known.is_lost = is_connection(known.flow);
        }
    }
}

/// The service, and the journal that it would have written.
struct Pair {
    location: Location,
    journal: Vec<(usize, u64, Vec<u8>)>,
    model: Model,
    seconds: u32,
}

impl Pair {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Save { number, call_id, cseq, contacts } => {
                self.save(*number, (*call_id, *cseq), Some(contacts));
            }
            Step::RemoveAll { number, call_id, cseq } => self.save(*number, (*call_id, *cseq), None),
            Step::Close(serial) => {
                self.location.connection_closed(at(0), connection(*serial as u64));
                self.model.close(*serial);
            }
            Step::Sweep => drop(sweep(&self.location, self.seconds)),
            Step::Wait(seconds) => self.seconds += seconds,
            Step::Restart => {
                self.location = Location::new(3);
                // Shards write their journals side by side, so states may be read in any order: the wrong one, say.
                for (number, version, record) in self.journal.iter().rev() {
                    self.location
                        .restore(at(self.seconds), &listeners(), &aor(NUMBERS[*number]), *version, record)
                        .unwrap();
                }
                self.model.restart();
            }
        }
    }

    fn save(&mut self, number: usize, (call_id, cseq): (u64, u32), contacts: Option<&[(usize, u32, usize)]>) {
        let known: Option<Vec<_>> = contacts.map(|contacts| {
            let wanted = contacts.iter().map(|&(uri, interval, flow)| {
                let expires_at = self.seconds + interval;
                Known { uri, call_id, cseq, interval, expires_at, flow, is_lost: false, in_company: false }
            });
            wanted.collect()
        });
        let bindings: Option<Vec<_>> = contacts.map(|contacts| {
            let bindings = contacts.iter().map(|&(uri, interval, which)| Binding {
                call_id,
                cseq,
                flow: flow(which),
                ..contact(URIS[uri], self.seconds, interval)
            });
            bindings.collect()
        });
        let contacts = bindings.as_deref().map_or(Contacts::All, Contacts::Some);
        let update = Update { call_id, cseq, contacts, limits: of_each(CEILING) };
        let mut record = Vec::new();
        let saved = self.location.save(at(self.seconds), &aor(NUMBERS[number]), &update, &mut record, &mut Vec::new());
        let expected = self.model.save(self.seconds, number, (call_id, cseq), known.as_deref());
        assert_eq!(saved.map(|saved| saved.version.is_some()), expected);
        if let Ok(Saved { version: Some(version), expires, .. }) = saved {
            assert_eq!(expires, latest(&unpack(&record).unwrap()));
            self.journal.push((number, version, record));
        }
    }

    fn compare(&self) {
        for (number, name) in NUMBERS.iter().enumerate() {
            let uris = |list: Vec<Known>| list.iter().map(|known| URIS[known.uri].to_owned()).collect::<Vec<_>>();
            assert_eq!(listed(&self.location, self.seconds, aor(name)), uris(self.model.live(number, self.seconds)));
            assert_eq!(
                lookup(&self.location, self.seconds, aor(name)),
                uris(self.model.reachable(number, self.seconds))
            );
        }
        check_invariants(&self.location);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_requests_closings_and_restarts_gives_what_the_model_has(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (location, model) = (Location::new(3), Model::default());
        let mut pair = Pair { location, journal: Vec::new(), model, seconds: 0 };
        for step in &steps {
            pair.take(step);
            pair.compare();
        }
    }
}
