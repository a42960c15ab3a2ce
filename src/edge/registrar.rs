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

use ringway_directory::{Extension, Tenant};
use ringway_sip::write::{ResponseWriter, write_number};
use ringway_sip::{Essentials, Flow, Message, Now, Wall};

use crate::io::BindingChange;
use crate::location::{Aor, Binding, Contacts, Limits, Location, Update, unpack};
use crate::reject::Reject;
use crate::settings::Settings;
use contact::Purpose;
pub(crate) use contact::leads_back;

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
    text: Vec<u8>,
}

/// A REGISTER that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered<'r> {
    /// What is to be kept, before the answer leaves; `None` when nothing changed.
    pub change: Option<BindingChange<'r>>,
    /// The packed record as it is now.
    record: &'r [u8],
    now: Wall,
}

impl Registrar {
    /// Carries out a REGISTER: all that it asks for, or nothing.
    ///
    /// A [`Reject::IntervalTooBrief`] is answered with [`write_min_expires`].
    pub fn register(
        &mut self,
        now: Now,
        registration: &Registration<'_, '_>,
        location: &Location,
        settings: &Settings,
    ) -> Result<Registered<'_>, Reject> {
        let Registration { essentials, tenant, extension, .. } = *registration;
        let aor = Aor { tenant: tenant.id, number: extension.number.as_bytes() };
        let call_id = contact::lasting_hash(essentials.call_id);
        let asked;
        let contacts = match contact::read(now.wall, call_id, registration, settings, &mut self.text)? {
            Purpose::Fetch => {
                location.fetch(&aor, &mut self.record);
                return Ok(Registered { change: None, record: &self.record, now: now.wall });
            }
            Purpose::RemoveAll => Contacts::All,
            Purpose::Change(bindings) => {
                asked = bindings;
                Contacts::Some(&asked)
            }
        };
        let update = Update {
            call_id,
            cseq: essentials.cseq.number,
            contacts,
            limits: Limits {
                phones: extension.max_phones.into(),
                apps: extension.max_apps.into(),
                total: settings.registrar.max_bindings.into(),
                when_full: tenant.when_full,
            },
        };
        let saved = location.save(now.wall, &aor, &update, &mut self.record)?;
        self.key.clear();
        self.key.extend_from_slice(tenant.domain.as_bytes());
        self.key.push(0);
        self.key.extend_from_slice(aor.number);
        let (key, record, expires) = (&self.key, &self.record, saved.expires);
        let change = saved.version.map(|version| BindingChange { key, version, expires, record });
        Ok(Registered { change, record, now: now.wall })
    }
}

impl Registered<'_> {
    /// Appends what the 200 says: every binding with what is left of it, and the Date (section 10.3, step 8).
    pub fn write_headers<'o, 'm, 'a>(&self, mut response: ResponseWriter<'o, 'm, 'a>) -> ResponseWriter<'o, 'm, 'a> {
        let seconds = u32::try_from(self.now.as_seconds()).unwrap_or(u32::MAX);
        for binding in unpack(self.record).unwrap_or_default().iter().filter(|binding| binding.is_live(seconds)) {
            response = response.header_with("Contact", |out| write_contact(binding, seconds, out));
        }
        response.header_with("Date", |out| date::write_date(out, self.now))
    }
}

/// Appends the shortest interval that is granted (section 20.23): what a refused one is told.
pub fn write_min_expires<'o, 'm, 'a>(
    settings: &Settings,
    response: ResponseWriter<'o, 'm, 'a>,
) -> ResponseWriter<'o, 'm, 'a> {
    response.header_with("Min-Expires", |out| write_number(out, u64::from(settings.registrar.min_expires)))
}

fn write_contact(binding: &Binding<'_>, seconds: u32, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(binding.uri);
    out.push(b'>');
    out.extend_from_slice(binding.parameters);
    if let Some(q) = binding.q {
        out.extend_from_slice(b";q=");
        write_q(out, q);
    }
    out.extend_from_slice(b";expires=");
    write_number(out, u64::from(binding.remaining(seconds)));
}

/// Appends thousandths as a `qvalue`: `1`, `0.5`, `0.25`.
fn write_q(out: &mut Vec<u8>, thousandths: u16) {
    write_number(out, u64::from(thousandths / 1000));
    let mut rest = thousandths % 1000;
    if rest > 0 {
        out.push(b'.');
    }
    while rest > 0 {
        rest *= 10;
        out.push(b'0' + (rest / 1000) as u8);
        rest %= 1000;
    }
}
