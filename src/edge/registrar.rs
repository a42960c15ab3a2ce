//! The registrar: what a REGISTER does to the location service, and what it is answered (RFC 3261 section 10).
//!
//! Whose REGISTER it is has been settled before: the tenant is known, the sender is the extension, and To names it. No
//! transaction is kept. A retransmission is told by the record, changes nothing, and gets the same answer.
//!
//! Only `sip` and `sips` Contacts are taken. One that names a listener of ours, or from another machine loopback, is
//! refused; so is one that is absurdly long.

mod contact;
mod date;
mod interval;
mod response;

use ringway_directory::{Extension, Tenant};
use ringway_sip::write::{ResponseWriter, write_number};
use ringway_sip::{Essentials, Flow, Message, Now, Wall};
use smallvec::SmallVec;

use crate::gruu::{GruuSealer, Temporary, write_public};
use crate::io::BindingChange;
use crate::location::{Aor, Contacts, Limits, Location, Update, unpack};
use crate::random::Random;
use crate::reject::Reject;
use crate::settings::Settings;
use contact::Purpose;
pub(crate) use contact::{lasting_hash, leads_back};
use response::write_service_route;

/// A REGISTER that may be carried out.
#[derive(Clone, Copy, Debug)]
pub struct Registration<'q, 'a> {
    /// The request.
    pub request: &'q Message<'a>,
    /// What was read of it.
    pub essentials: &'q Essentials<'a>,
    /// The way it came.
    pub flow: &'q Flow,
    /// The tenant.
    pub tenant: &'q Tenant,
    /// The extension that is registered.
    pub extension: &'q Extension,
}

/// The registrar of one shard. Between requests it holds nothing but room.
#[derive(Debug, Default)]
pub struct Registrar {
    key: Vec<u8>,
    record: Vec<u8>,
    own: Vec<u8>,
    text: Vec<u8>,
    service_route: Vec<u8>,
    gruus: Vec<u8>,
}

/// A REGISTER that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered<'r> {
    /// What is to be kept, before the answer leaves; `None` when nothing changed.
    pub change: Option<BindingChange<'r>>,
    /// The packed record as it is now.
    record: &'r [u8],
    /// The version of what other nodes are to hear of at once, if they are.
    pub(crate) news: Option<u64>,
    /// Call-ID and CSeq of the request.
    put_by: (u64, u32),
    now: Wall,
    /// The Path of the request.
    path: &'r [u8],
    /// Empty when none is told.
    service_route: &'r [u8],
    /// The parameters with the GRUUs of each binding of the record, one behind the other, when they were asked for.
    gruus: &'r [u8],
    /// Where those of each binding end.
    gruu_ends: SmallVec<[usize; 4]>,
    /// Whether the request has registered a flow, and so the rules of RFC 5626 were followed.
    is_outbound: bool,
    /// What is asked of a device that has; 0 for nothing.
    flow_timer: u16,
}

/// What temporary GRUUs are made with.
#[derive(Debug)]
pub(crate) struct GruuMint<'k> {
    pub(crate) sealer: &'k GruuSealer,
    pub(crate) random: &'k mut Random,
}

impl Registrar {
    /// Carries out a REGISTER: all that it asks for, or nothing.
    ///
    /// A [`Reject::IntervalTooBrief`] is answered with [`write_min_expires`].
    pub(crate) fn register(
        &mut self,
        now: Now,
        registration: &Registration<'_, '_>,
        location: &Location,
        settings: &Settings,
        mint: GruuMint<'_>,
    ) -> Result<Registered<'_>, Reject> {
        let Registration { essentials, tenant, extension, .. } = *registration;
        let aor = Aor { tenant: tenant.id, number: extension.number.as_bytes() };
        let call_id = contact::lasting_hash(essentials.call_id);
        let (saved, path_length, is_outbound, has_passed_others, supported) = {
            let reading = contact::read(now.wall, call_id, registration, settings, &mut self.text)?;
            let asked;
            let contacts = match reading.purpose {
                Purpose::Fetch => None,
                Purpose::RemoveAll => Some(Contacts::All),
                Purpose::Change(bindings) => {
                    asked = bindings;
                    Some(Contacts::Some(&asked))
                }
            };
            let saved = match contacts {
                None => {
                    location.fetch(&aor, &mut self.record);
                    None
                }
                Some(contacts) => {
                    let update = update(registration, settings, call_id, contacts);
                    Some(location.save(now.wall, &aor, &update, &mut self.record, &mut self.own)?)
                }
            };
            let has_passed_others = reading.is_outbound && contact::has_passed_others(registration.request);
            (saved, reading.path_length, reading.is_outbound, has_passed_others, reading.supported)
        };
        self.put_key(tenant, aor.number);
        self.service_route.clear();
        if settings.registrar.service_route {
            write_service_route(settings, registration.flow, &mut self.service_route);
        }
        self.gruus.clear();
        let gruu_ends = if supported.gruu { self.write_gruus(registration, mint) } else { SmallVec::new() };
        let (key, record) = (&self.key, &self.record);
        let news = saved.filter(|saved| saved.is_news).and_then(|saved| saved.version);
        let change = saved.and_then(|saved| {
            let record = if saved.is_shared { &self.own } else { record };
            saved.version.map(|version| BindingChange { key, version, expires: saved.expires, record })
        });
        Ok(Registered {
            change,
            record,
            news,
            put_by: (call_id, essentials.cseq.number),
            now: now.wall,
            path: self.text.get(..path_length).unwrap_or_default(),
            service_route: &self.service_route,
            gruus: &self.gruus,
            gruu_ends,
            is_outbound,
            // Behind a proxy the flow is the proxy's to watch: what comes from it says nothing of the phone.
            flow_timer: if path_length > 0 || has_passed_others { 0 } else { settings.registrar.flow_timer },
        })
    }

    /// What this node keeps of a number whose bindings have given way to another node's; `None` when there is none.
    pub(crate) fn kept(&mut self, tenant: &Tenant, number: &[u8], location: &Location) -> Option<BindingChange<'_>> {
        let (version, expires) = location.own_section(&Aor { tenant: tenant.id, number }, &mut self.own)?;
        self.put_key(tenant, number);
        Some(BindingChange { key: &self.key, version, expires, record: &self.own })
    }

    /// Removes one binding of a number or all of them; what is to be kept of that, when there were any.
    pub(crate) fn remove(
        &mut self,
        now: Wall,
        tenant: &Tenant,
        number: &[u8],
        device: Option<u64>,
        location: &Location,
    ) -> Option<BindingChange<'_>> {
        let limits = Limits { phones: 0, apps: 0, total: 0, when_full: tenant.when_full };
        // No REGISTER asks for it: its order is nobody's.
        let update =
            Update { call_id: 0, cseq: u32::MAX, contacts: device.map_or(Contacts::All, Contacts::One), limits };
        let aor = Aor { tenant: tenant.id, number };
        let saved = location.save(now, &aor, &update, &mut self.record, &mut self.own).ok()?;
        let (version, expires) = (saved.version?, saved.expires);
        self.put_key(tenant, number);
        let record = if saved.is_shared { &self.own } else { &self.record };
        Some(BindingChange { key: &self.key, version, expires, record })
    }

    fn put_key(&mut self, tenant: &Tenant, number: &[u8]) {
        self.key.clear();
        self.key.extend_from_slice(tenant.domain.as_bytes());
        self.key.push(0);
        self.key.extend_from_slice(number);
    }

    /// Appends the GRUUs of every binding that has an instance-id, for a device that supports them (RFC 5627 section 5.2).
    fn write_gruus(&mut self, registration: &Registration<'_, '_>, mint: GruuMint<'_>) -> SmallVec<[usize; 4]> {
        let mut ends = SmallVec::new();
        let (tenant, number) = (registration.tenant, registration.extension.number.as_bytes());
        let call_id = contact::lasting_hash(registration.essentials.call_id);
        let out = &mut self.gruus;
        let bindings = unpack(&self.record).unwrap_or_default();
        for binding in &bindings {
            let parameters = ringway_sip::Params::new(binding.parameters);
            let text = parameters.value(b"+sip.instance").filter(|_| binding.instance.is_some());
            let start = out.len();
            out.extend_from_slice(b";pub-gruu=\"");
            if let (Some(instance), Some(text)) = (binding.instance, text)
                && write_public(number, &tenant.domain, text, out)
            {
                out.extend_from_slice(b"\";temp-gruu=\"");
                // What it registered by last is what all its temporary GRUUs are made for.
                let of_device = bindings.iter().filter(|other| other.instance == binding.instance);
                let latest = of_device.max_by_key(|other| (other.registered_at, other.call_id == call_id));
                let call_id = latest.map_or(binding.call_id, |latest| latest.call_id);
                let temporary = Temporary { tenant: tenant.mark(), number: number.to_vec(), instance, call_id };
                let mut nonce = [0; 24];
                for part in nonce.chunks_exact_mut(8) {
                    part.copy_from_slice(&mint.random.next().to_be_bytes());
                }
                mint.sealer.write_temporary(&temporary, nonce, &tenant.domain, out);
                out.push(b'"');
            } else {
                out.truncate(start);
            }
            ends.push(out.len());
        }
        ends
    }
}

/// What a REGISTER asks the location for.
fn update<'q, 'm>(
    registration: &Registration<'_, '_>,
    settings: &Settings,
    call_id: u64,
    contacts: Contacts<'q, 'm>,
) -> Update<'q, 'm> {
    let Registration { essentials, tenant, extension, .. } = *registration;
    Update {
        call_id,
        cseq: essentials.cseq.number,
        contacts,
        limits: Limits {
            phones: extension.max_phones.into(),
            apps: extension.max_apps.into(),
            total: settings.registrar.max_bindings.into(),
            when_full: tenant.when_full,
        },
    }
}

/// Appends the shortest interval that is granted (section 20.23): what a refused one is told.
pub fn write_min_expires<'o, 'm, 'a>(
    settings: &Settings,
    response: ResponseWriter<'o, 'm, 'a>,
) -> ResponseWriter<'o, 'm, 'a> {
    response.header_with("Min-Expires", |out| write_number(out, u64::from(settings.registrar.min_expires)))
}
