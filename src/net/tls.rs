//! Whom a TLS listener presents itself as, and whom it lets in. Both may be replaced while connections live: a handshake
//! takes what is in force when it begins, and an established connection keeps what it has.

mod certificates;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use certificates::Certificates;

/// The files of a TLS listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, PEM, the listener's own certificate first: what a client gets that names nobody, or a name that
    /// no other certificate has.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// A folder of further certificates, chosen by the name that a client asks for (SNI, RFC 6066 section 3): each `NAME.crt`
    /// or `NAME.pem` with its `NAME.key`. Which names a certificate is for stands in itself.
    pub more: Option<PathBuf>,
    /// Certificates of the authorities (PEM) one of which must have signed a client's certificate. Without it clients are not
    /// asked for any.
    pub client_ca: Option<PathBuf>,
}

/// What a TLS listener has in force.
#[derive(Debug)]
pub struct TlsServer {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
    /// Kept over a reload, so that sessions may still be resumed after it.
    tickets: Arc<dyn ProducesTickets>,
    expires: ArcSwap<SystemTime>,
}

impl TlsServer {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file is wrong, how, and what to do.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let tickets = aws_lc_rs::Ticketer::new()
            .map_err(|error| TlsError { file: files.key.clone(), text: format!("no keys for tickets: {error}") })?;
        let (config, expires) = read(&files, &tickets)?;
        Ok(Self { files, config: ArcSwap::from_pointee(config), tickets, expires: ArcSwap::from_pointee(expires) })
    }

    /// Reads the files again. Connections go on; handshakes that begin from now on use what was read.
    ///
    /// # Errors
    /// As [`Self::load`]; then what was in force stays in force.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.prepare().map(|fresh| fresh.apply())
    }

    /// Reads the files again and puts nothing into force yet, so that several listeners change together or not at all.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn prepare(&self) -> Result<FreshTls<'_>, TlsError> {
        let (config, expires) = read(&self.files, &self.tickets)?;
        Ok(FreshTls { server: self, config, expires })
    }

    /// When the first of the certificates in force ends.
    pub fn expires(&self) -> SystemTime {
        **self.expires.load()
    }

    /// What a handshake that begins now uses.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

/// What [`TlsServer::prepare`] has read.
#[derive(Debug)]
pub struct FreshTls<'a> {
    server: &'a TlsServer,
    config: ServerConfig,
    expires: SystemTime,
}

impl FreshTls<'_> {
    /// Puts it into force.
    pub fn apply(self) {
        self.server.config.store(Arc::new(self.config));
        self.server.expires.store(Arc::new(self.expires));
    }
}

fn read(files: &TlsFiles, tickets: &Arc<dyn ProducesTickets>) -> Result<(ServerConfig, SystemTime), TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certificates = Certificates::read(files, &provider)?;
    let expires = certificates.expires();
    // The versions are the library's defaults, 1.2 and 1.3: many phones have nothing newer than 1.2.
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError { file: files.certificate.clone(), text: error.to_string() })?;
    let builder = match &files.client_ca {
        Some(file) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(read_roots(file)?), provider)
                .build()
                .map_err(|error| TlsError { file: file.clone(), text: error.to_string() })?,
        ),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(certificates));
    if files.client_ca.is_some() {
        // A session that is resumed brings the client's certificate with it, unchecked: who was let in once would be for ever,
        // whatever becomes of the certificate or the authority.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        config.ticketer = Arc::clone(tickets);
        // One is enough for a phone that has one connection.
        config.send_tls13_tickets = 1;
    }
    Ok((config, expires))
}

fn read_roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_chain(file)? {
        roots.add(certificate).map_err(|error| TlsError {
            file: file.to_owned(),
            text: format!("holds a certificate that is no authority's: {error}"),
        })?;
    }
    Ok(roots)
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |text: String| TlsError { file: file.to_owned(), text };
    let chain = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(explain(error)))?;
    if chain.is_empty() {
        return Err(wrong(
            "holds no certificate; it must have at least one, as PEM (-----BEGIN CERTIFICATE-----)".into(),
        ));
    }
    Ok(chain)
}

fn explain(error: rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
            "there is no such file".to_owned()
        }
        rustls::pki_types::pem::Error::Io(error) => format!("can't be read: {error}"),
        rustls::pki_types::pem::Error::NoItemsFound => "holds nothing in PEM of the kind that is wanted".to_owned(),
        other => format!("is no PEM file: {other}"),
    }
}

/// A file of a TLS listener that can't be used, in words for the operator.
#[derive(Debug, PartialEq, Eq)]
pub struct TlsError {
    file: PathBuf,
    text: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.file.display(), self.text)
    }
}

impl std::error::Error for TlsError {}

/// A chain with its private key.
fn keys_of(
    provider: &CryptoProvider,
    chain: Vec<CertificateDer<'static>>,
    key: &Path,
    certificate: &Path,
) -> Result<rustls::sign::CertifiedKey, TlsError> {
    let wrong = |file: &Path, text: String| TlsError { file: file.to_owned(), text };
    let private = rustls::pki_types::PrivateKeyDer::from_pem_file(key).map_err(|error| {
        let has_passphrase = std::fs::read_to_string(key).is_ok_and(|text| text.contains("ENCRYPTED"));
        let remedy =
            "has a passphrase, which nobody is there to type; remove it, for example with openssl pkey -in FILE";
        wrong(key, if has_passphrase { remedy.to_owned() } else { explain(error) })
    })?;
    rustls::sign::CertifiedKey::from_der(chain, private, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            wrong(key, format!("is not the key of {}; give the two that belong together", certificate.display()))
        }
        other => wrong(key, format!("can't be used: {other}")),
    })
}
