//! The secret of an extension, sealed: its password, or the hashes of it that another server had.

use hmac::{Hmac, KeyInit as _, Mac as _};
use ringway_directory::validation::Password;
use ringway_directory::{Hashes, Pin, Secret, TenantId};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::keys::seal::Sealer;
use crate::keys::{CannotOpen, MasterKey};

/// Seals and opens the secrets of the directory.
pub(crate) struct Secrets {
    sealer: Sealer,
    /// Of PINs: each has so few digits that a hash without a key tells it.
    pins: Hmac<Sha256>,
}

/// What the two columns hold; exactly one is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SealedSecret {
    pub(crate) password: Option<Vec<u8>>,
    pub(crate) hashes: Option<Vec<u8>>,
}

/// Which hashes follow, as bits of the first byte of sealed hashes; they stand in this order.
const MD5: u8 = 1;
const SHA256: u8 = 2;
const SHA512_256: u8 = 4;

impl Secrets {
    pub(super) fn new(key: &MasterKey) -> Self {
        // A key of 32 bytes is one that HMAC takes.
        let pins = Hmac::new_from_slice(&*key.derive("pin", 1)).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Self { sealer: Sealer::new(key), pins }
    }

    /// What is kept of a PIN. It holds for this extension only.
    pub(crate) fn pin(&self, tenant: TenantId, number: &str, pin: &Pin) -> Vec<u8> {
        let mut hash = self.pins.clone();
        hash.update(&place("pin", tenant, number));
        hash.update(&[0]);
        hash.update(pin.as_str().as_bytes());
        hash.finalize().into_bytes().to_vec()
    }

    /// Seals what must not be shown of a document.
    pub(crate) fn seal_members(&self, tenant: Option<TenantId>, kind: &str, key: &str, members: &str) -> Vec<u8> {
        self.sealer.seal(&place_of_document(tenant, kind, key), members.as_bytes())
    }

    /// Opens it.
    pub(crate) fn open_members(
        &self,
        tenant: Option<TenantId>,
        kind: &str,
        key: &str,
        sealed: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, CannotOpen> {
        self.sealer.open(&place_of_document(tenant, kind, key), sealed)
    }

    pub(crate) fn seal(&self, tenant: TenantId, number: &str, secret: &Secret) -> SealedSecret {
        match secret {
            Secret::Typed(password) | Secret::Generated(password) => {
                SealedSecret { password: Some(self.seal_password(tenant, number, password)), hashes: None }
            }
            Secret::Hashes(hashes) => SealedSecret {
                password: None,
                hashes: Some(self.sealer.seal(&place("hashes", tenant, number), &encode(hashes))),
            },
        }
    }

    /// The HA1s of an extension: made from its password, or taken as they were imported.
    pub(crate) fn hashes(
        &self,
        tenant: TenantId,
        number: &str,
        sealed: &SealedSecret,
        hash: impl FnOnce(&str) -> Hashes,
    ) -> Result<Hashes, CannotOpen> {
        if let Some(password) = &sealed.password {
            let password = self.sealer.open(&place("password", tenant, number), password)?;
            return Ok(hash(std::str::from_utf8(&password).map_err(|_| CannotOpen)?));
        }
        let hashes = sealed.hashes.as_deref().ok_or(CannotOpen)?;
        decode(&self.sealer.open(&place("hashes", tenant, number), hashes)?).ok_or(CannotOpen)
    }

    /// A password that is sealed.
    pub(crate) fn password(&self, tenant: TenantId, number: &str, sealed: &[u8]) -> Result<String, CannotOpen> {
        let password = self.sealer.open(&place("password", tenant, number), sealed)?;
        std::str::from_utf8(&password).map(str::to_owned).map_err(|_| CannotOpen)
    }

    /// Whether the sealed secret is this one already: the same password, or the same hashes without a password. One that
    /// does not open is another.
    pub(crate) fn is_same(&self, tenant: TenantId, number: &str, sealed: &SealedSecret, secret: &Secret) -> bool {
        let holds = |column, sealed: &Option<Vec<u8>>, plain: &[u8]| {
            let opened = sealed.as_deref().map(|sealed| self.sealer.open(&place(column, tenant, number), sealed));
            opened.is_some_and(|opened| opened.is_ok_and(|opened| *opened == plain))
        };
        match secret {
            Secret::Typed(password) | Secret::Generated(password) => {
                holds("password", &sealed.password, password.as_str().as_bytes())
            }
            Secret::Hashes(hashes) => holds("hashes", &sealed.hashes, &encode(hashes)),
        }
    }

    /// Seals what is no extension's secret, for the row with this number.
    pub(crate) fn seal_for(&self, kind: &str, row: i64, secret: &[u8]) -> Vec<u8> {
        self.sealer.seal(&row_place(kind, row), secret)
    }

    /// Opens what [`seal_for`](Self::seal_for) made for the same row.
    pub(crate) fn open_for(&self, kind: &str, row: i64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        self.sealer.open(&row_place(kind, row), sealed)
    }

    fn seal_password(&self, tenant: TenantId, number: &str, password: &Password) -> Vec<u8> {
        self.sealer.seal(&place("password", tenant, number), password.as_str().as_bytes())
    }
}

/// Where a secret belongs: sealed for one column of one extension of one tenant, it opens nowhere else.
fn place(column: &str, tenant: TenantId, number: &str) -> Vec<u8> {
    [column.as_bytes(), &[0], &tenant.0.to_be_bytes(), number.as_bytes()].concat()
}

/// Where the secrets of a document belong.
fn place_of_document(tenant: Option<TenantId>, kind: &str, key: &str) -> Vec<u8> {
    place(kind, tenant.unwrap_or(TenantId(0)), key)
}

/// Where another secret belongs. No place of an extension is as this one: the numbers of rows are twice as long as those of tenants,
/// and the kinds have other names.
fn row_place(kind: &str, row: i64) -> Vec<u8> {
    [kind.as_bytes(), &[0], &row.to_be_bytes()].concat()
}

fn encode(hashes: &Hashes) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 + 16 + 32 + 32));
    bytes.push(0);
    let mut kinds = 0;
    let mut put = |kind: u8, hash: Option<&[u8]>| {
        if let Some(hash) = hash {
            kinds |= kind;
            bytes.extend_from_slice(hash);
        }
    };
    put(MD5, hashes.md5.as_ref().map(|hash| hash.as_slice()));
    put(SHA256, hashes.sha256.as_ref().map(|hash| hash.as_slice()));
    put(SHA512_256, hashes.sha512_256.as_ref().map(|hash| hash.as_slice()));
    bytes[0] = kinds;
    bytes
}

fn decode(bytes: &[u8]) -> Option<Hashes> {
    let (&kinds, mut rest) = bytes.split_first()?;
    let mut hashes = Hashes::default();
    if kinds & MD5 != 0 {
        let (hash, tail) = rest.split_first_chunk()?;
        (hashes.md5, rest) = (Some(*hash), tail);
    }
    if kinds & SHA256 != 0 {
        let (hash, tail) = rest.split_first_chunk()?;
        (hashes.sha256, rest) = (Some(Box::new(*hash)), tail);
    }
    if kinds & SHA512_256 != 0 {
        let (hash, tail) = rest.split_first_chunk()?;
        (hashes.sha512_256, rest) = (Some(Box::new(*hash)), tail);
    }
    (rest.is_empty() && kinds <= 7).then_some(hashes)
}
