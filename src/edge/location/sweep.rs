//! What time does to the location: expired bindings leave it, and devices behind NATs are pinged.

use std::time::Duration;

use ringway_sip::{Flow, Wall};

use super::aor::{Aor, AorHash};
use super::record::Bindings;
use super::{Location, unix_seconds};

/// A ping that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping<'a> {
    /// Who is pinged.
    pub aor: Aor<'a>,
    /// What [`Location::answered`] finds the record by.
    pub record: u64,
    /// The Contact's URI.
    pub uri: &'a [u8],
    /// The way that the device registered by.
    pub flow: Flow,
}

/// What a sweep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Bindings that had expired.
    pub expired: usize,
    /// Bindings of devices that have stopped to answer pings.
    pub gone: usize,
    /// Devices that are to be pinged.
    pub pinged: usize,
}

/// Tenths of a millisecond.
const ROUND_TRIP_UNIT: u128 = 100;
/// The longest round trip that is told; a longer one counts as this.
const LONGEST_ROUND_TRIP: u16 = u16::MAX - 1;

impl Location {
    /// Removes the expired bindings of one stripe, and shows each device there whose ping is due: each is pinged every
    /// `ping_every` seconds, and none when that is 0. `ping` runs under a lock: it copies what it needs.
    pub fn sweep(&self, now: Wall, stripe: usize, ping_every: u16, mut ping: impl FnMut(Ping<'_>)) -> Swept {
        let mut swept = Swept::default();
        let Some(stripe) = self.stripes.get(stripe) else { return swept };
        let seconds = unix_seconds(now);
        let mut packed = Vec::new();
        stripe.lock().retain(|entry| {
            if seconds < entry.soonest() {
                return true;
            }
            let hash = AorHash::new(&self.seed, &entry.aor());
            let mut due = Vec::new();
            let is_left = self.rewrite(now, entry, &mut packed, |bindings| {
                let before = bindings.len();
                bindings.retain(|binding| binding.is_live(seconds));
                swept.expired += before - bindings.len();
                let gone = beat(bindings, seconds, ping_every, hash.0, &mut due);
                swept.gone += gone;
                // That something expires is no news to anybody.
                gone > 0
            });
            swept.pinged += due.len();
            if is_left && !due.is_empty() {
                let bindings = super::unpack(entry.record()).unwrap_or_default();
                for flow in due {
                    let pinged = bindings.iter().find(|binding| binding.pulse.is_some() && binding.flow == flow);
                    let uri = pinged.map(|binding| binding.uri).unwrap_or_default();
                    ping(Ping { aor: entry.aor(), record: hash.0, uri, flow });
                }
            }
            is_left
        });
        swept
    }

    /// A ping was answered by this way, `round_trip` after it was sent. False when nobody is pinged there any more.
    pub fn answered(&self, now: Wall, record: u64, flow: &Flow, round_trip: Duration, ping_every: u16) -> bool {
        let hash = AorHash(record);
        let seconds = unix_seconds(now);
        let round_trip = u16::try_from(round_trip.as_micros() / ROUND_TRIP_UNIT).unwrap_or(LONGEST_ROUND_TRIP);
        let round_trip = round_trip.min(LONGEST_ROUND_TRIP);
        let mut is_known = false;
        let mut packed = Vec::new();
        let mut stripe = self.stripes[hash.stripe()].lock();
        for entry in stripe.with_hash(hash) {
            if super::unpack(entry.record()).unwrap_or_default().is_empty() {
                continue;
            }
            self.rewrite(now, entry, &mut packed, |bindings| {
                for binding in bindings.iter_mut().filter(|binding| binding.flow == *flow) {
                    let Some(pulse) = &mut binding.pulse else { continue };
                    *pulse = pulse.answered(seconds, ping_every, record, round_trip);
                    is_known = true;
                }
                false
            });
        }
        is_known
    }
}

/// Takes out who is gone, and notes the ways by which somebody is to be pinged now: each once, whoever shares it. Tells
/// how many are gone.
fn beat(bindings: &mut Bindings<'_>, seconds: u32, every: u16, spread: u64, due: &mut Vec<Flow>) -> usize {
    let is_due = |pulse: super::Pulse| pulse.due <= seconds;
    let before = bindings.len();
    bindings.retain(|binding| every == 0 || !binding.pulse.is_some_and(|pulse| is_due(pulse) && pulse.is_gone()));
    for binding in bindings.iter_mut() {
        let Some(pulse) = binding.pulse.filter(|pulse| is_due(*pulse)) else { continue };
        binding.pulse = (every > 0).then(|| pulse.pinged(seconds, every, spread));
        if every > 0 && !due.contains(&binding.flow) {
            due.push(binding.flow);
        }
    }
    before - bindings.len()
}
