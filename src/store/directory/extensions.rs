//! Adding single extensions.

use ringway_directory::validation::check_not_emergency;
use ringway_directory::{Code, ExtensionDraft, Fault, NewExtension, Pin, Secret, Tenant};

use super::audit::{self, Entry};
use super::changing::{self, ExtensionRow};
use super::neighbours::Neighbours;
use super::write::{NewRow, Writing};
use super::{Directory, Error, tenants};
use crate::random;

/// An extension that was just created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedExtension {
    /// Whose it is.
    pub tenant: Tenant,
    /// Its data, and what its row says of itself.
    pub row: ExtensionRow,
    /// Its secret. A generated password is known from here only: show it, it can't be asked for later.
    pub secret: Secret,
    /// The PIN of its voicemail box; likewise.
    pub pin: Option<Pin>,
    /// What is well to know: its number is one that help is called by, which nobody reaches it by.
    pub clash: Option<Fault>,
}

impl Directory {
    /// Adds an extension to the tenant with this domain or alias. Blank secrets are drawn.
    pub async fn add_extension(&self, domain: &str, draft: &ExtensionDraft<'_>) -> Result<AddedExtension, Error> {
        let mut added = self.add_extensions(domain, std::slice::from_ref(draft), |_| Vec::new()).await?;
        added.pop().ok_or_else(|| Error::Corrupt("an extension that was added is not there".to_owned()))
    }

    /// Adds several extensions, all or none. What `log` says of them is kept together with them.
    pub async fn add_extensions(
        &self,
        domain: &str,
        drafts: &[ExtensionDraft<'_>],
        log: impl FnOnce(&[AddedExtension]) -> Vec<Entry>,
    ) -> Result<Vec<AddedExtension>, Error> {
        let mut transaction = self.begin_write().await?;
        let tenant = tenants::find(&mut transaction, domain).await?;
        let mut writing = Writing::begin(&mut transaction, tenant.id).await?;
        let mut count = tenants::count_extensions(&mut transaction, tenant.id).await?;
        let emergency_numbers = tenants::emergency_numbers(&mut transaction, tenant.id).await?;
        let mut added = Vec::with_capacity(drafts.len());
        for (at, draft) in drafts.iter().enumerate() {
            // Of several, which one it is.
            let here = |faults: Vec<Fault>| {
                let name = |fault: Fault| Fault { field: format!("{at}/{}", fault.field).into(), ..fault };
                let is_one = drafts.len() == 1;
                Error::Refused(if is_one { faults } else { faults.into_iter().map(name).collect() })
            };
            let checked = draft.check().map_err(here)?;
            let mut neighbours = Neighbours::default();
            neighbours.load_for(&mut transaction, tenant.id, std::iter::once(&checked)).await?;
            let rule = tenant.auth_name_equals_number;
            let NewExtension { profile, secret, pin } = checked.create(rule, &mut random::fill).map_err(here)?;
            let clash = check_not_emergency("extension_number", profile.number.as_str(), &emergency_numbers).err();
            if let Some(fault) = limit_fault(&tenant, count) {
                return Err(here(vec![fault]));
            }
            count += 1;
            let clashes = neighbours.clashes(&profile);
            if !clashes.is_empty() {
                return Err(here(clashes));
            }
            let number = profile.number.as_str();
            let sealed = self.secrets().seal(tenant.id, number, &secret);
            let kept_pin = pin.as_ref().map(|pin| self.secrets().pin(tenant.id, number, pin));
            let row = NewRow { profile: profile.clone(), secret: sealed, pin: kept_pin };
            writing.insert(&mut transaction, &[row]).await?;
            let row = changing::read(&mut transaction, &tenant, number).await?;
            added.push(AddedExtension { tenant: tenant.clone(), row, secret, pin, clash });
        }
        writing.finish(&mut transaction).await?;
        audit::write_all(&mut transaction, log(&added)).await?;
        transaction.commit().await?;
        Ok(added)
    }
}

/// The fault of one more extension in a tenant that has `count` of them.
pub(crate) fn limit_fault(tenant: &Tenant, count: u32) -> Option<Fault> {
    let limit = tenant.max_extensions.filter(|limit| count >= *limit)?;
    let message = format!("tenant {} may have {limit} extensions and has {count}", tenant.domain);
    Some(Fault::new("extension_number", Code::LimitReached, message))
}
