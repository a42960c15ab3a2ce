//! The certificates of a listener by the names that they are for.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{TlsError, TlsFiles, keys_of, read_chain};

/// Certificates of one folder: what a carrier's thousand tenants need, and a mistyped folder does not.
const MOST: usize = 10_000;

/// A listener's own certificate and those of the tenants.
#[derive(Debug)]
pub(super) struct Certificates {
    own: Arc<CertifiedKey>,
    /// Names in lower case; `*.example.com` under `example.com` in `by_parent`.
    by_name: HashMap<String, Arc<CertifiedKey>>,
    by_parent: HashMap<String, Arc<CertifiedKey>>,
    expires: SystemTime,
}

impl Certificates {
    pub(super) fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let own = One::read(&files.certificate, &files.key, provider)?;
        let mut certificates = Self {
            own: Arc::clone(&own.certified),
            by_name: HashMap::new(),
            by_parent: HashMap::new(),
            expires: own.expires,
        };
        certificates.add(&own);
        for (certificate, key) in files.more.as_deref().map(pairs).transpose()?.unwrap_or_default() {
            let one = One::read(&certificate, &key, provider)?;
            if one.names.is_empty() {
                return Err(TlsError {
                    file: certificate,
                    text: "names no host, so that nobody could ask for it; its subjectAltName needs a DNS name".into(),
                });
            }
            certificates.add(&one);
        }
        Ok(certificates)
    }

    pub(super) const fn expires(&self) -> SystemTime {
        self.expires
    }

    fn add(&mut self, one: &One) {
        self.expires = self.expires.min(one.expires);
        for name in &one.names {
            match name.strip_prefix("*.") {
                Some(parent) => self.by_parent.insert(parent.to_owned(), Arc::clone(&one.certified)),
                None => self.by_name.insert(name.clone(), Arc::clone(&one.certified)),
            };
        }
    }

    /// The certificate for a name: one that bears it, else one that bears a wildcard for its last label (RFC 9525 section 6.3).
    fn choose(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let found = name.map(|name| name.trim_end_matches('.').to_ascii_lowercase()).and_then(|name| {
            let parent = name.split_once('.').map(|(_, parent)| parent);
            self.by_name.get(&name).or_else(|| self.by_parent.get(parent?)).cloned()
        });
        found.unwrap_or_else(|| Arc::clone(&self.own))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.choose(hello.server_name()))
    }
}

/// One certificate with its key.
struct One {
    certified: Arc<CertifiedKey>,
    names: Vec<String>,
    expires: SystemTime,
}

impl One {
    fn read(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let chain = read_chain(certificate)?;
        let wrong = |text: String| TlsError { file: certificate.to_owned(), text };
        let (names, expires) = chain
            .first()
            .ok_or_else(|| "is empty".to_owned())
            .and_then(|first| inspect(first))
            .map_err(|reason| wrong(format!("its first certificate can't be read: {reason}")))?;
        let certified = Arc::new(keys_of(provider, chain, key, certificate)?);
        Ok(Self { certified, names, expires })
    }
}

/// The DNS names of a certificate, in lower case, and its end.
fn inspect(der: &[u8]) -> Result<(Vec<String>, SystemTime), String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
    let alternative = certificate.subject_alternative_name().map_err(|error| error.to_string())?;
    let names = alternative.iter().flat_map(|extension| &extension.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default();
    Ok((names.collect(), SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)))
}

/// The certificates of a folder with their keys, in the order of their names: of two for one name the later is taken.
fn pairs(folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>, TlsError> {
    let wrong = |text: String| TlsError { file: folder.to_owned(), text };
    let entries = std::fs::read_dir(folder).map_err(|error| wrong(format!("can't be read: {error}")))?;
    let mut pairs = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| wrong(format!("can't be read: {error}")))?.path();
        if !matches!(path.extension().and_then(OsStr::to_str), Some("crt" | "pem")) {
            continue;
        }
        let key = path.with_extension("key");
        if !key.exists() {
            return Err(TlsError {
                text: format!("has no key beside it; put its private key into {}", key.display()),
                file: path,
            });
        }
        if pairs.len() >= MOST {
            return Err(wrong(format!("holds more than {MOST} certificates")));
        }
        pairs.push((path, key));
    }
    pairs.sort();
    Ok(pairs)
}
