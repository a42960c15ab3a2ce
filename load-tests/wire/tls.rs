//! What a TLS connection is made with (RFC 3261 section 26.3, RFC 5922).

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Which certificates are believed.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    /// Those that the authorities of a PEM file have signed, for this name.
    Authorities(PathBuf),
    /// Any: for servers under test with a certificate of their own making.
    Anyone,
}

/// Makes connections.
#[derive(Debug)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// For a server of that name.
    ///
    /// # Errors
    /// A sentence for a person.
    pub(crate) fn new(trust: &Trust, name: &str) -> Result<Self, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| format!("TLS: {error}"))?;
        let config = match trust {
            Trust::Authorities(path) => {
                let fault = |what: String| format!("{}: {what}", path.display());
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))? {
                    let certificate = certificate.map_err(|error| fault(error.to_string()))?;
                    roots.add(certificate).map_err(|error| fault(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(fault("there is no certificate in it; it must be PEM".into()));
                }
                builder.with_root_certificates(roots).with_no_client_auth()
            }
            Trust::Anyone => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Believer { provider }))
                .with_no_client_auth(),
        };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| format!("`{name}` can't be the name of a TLS server; give --server-name"))?;
        Ok(Self { config: Arc::new(config), name })
    }

    /// A connection that has yet to shake hands.
    pub(crate) fn connection(&self) -> Result<ClientConnection, String> {
        let mut connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(|error| format!("TLS: {error}"))?;
        // What waits is bounded by the operations in flight.
        connection.set_buffer_limit(None);
        Ok(connection)
    }
}

/// Believes every certificate, but not a handshake that its key has not signed.
#[derive(Debug)]
struct Believer {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::super::{Event, Outbox, Place, Streams};
    use super::*;

    /// Self-signed, for `acme.example`; of use to nobody.
    fn certificate(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("wire/test_certificate").join(file)
    }

    /// A server that answers the one message it reads on its one connection; its address.
    const PLACE: Place = Place { ip: None, port: 0 };

    fn server() -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let chain = vec![CertificateDer::from_pem_file(certificate("certificate.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(certificate("key.pem")).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(chain, key).unwrap());
        std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
            let mut heard = Vec::new();
            let mut chunk = [0; 1024];
            while !heard.ends_with(b"\r\n\r\n") {
                match stream.read(&mut chunk) {
                    Ok(count) if count > 0 => heard.extend_from_slice(&chunk[..count]),
                    _ => return,
                }
            }
            let _ = stream.write_all(b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.flush();
            // Until the other side has gone.
            while stream.read(&mut chunk).is_ok_and(|count| count > 0) {}
        });
        address
    }

    #[test]
    fn messages_go_both_ways_over_tls() {
        for trust in [Trust::Anyone, Trust::Authorities(certificate("certificate.pem"))] {
            let tls = Tls::new(&trust, "acme.example").unwrap();
            let mut streams = Streams::open(&[PLACE], server(), Some(tls)).unwrap();
            let mut outbox = Outbox::new(1);
            outbox.message(0, |out| out.extend_from_slice(b"OPTIONS sip:acme.example SIP/2.0\r\n\r\n"));
            let end = Instant::now() + Duration::from_secs(30);
            let mut heard = Vec::new();
            while heard.is_empty() && Instant::now() < end {
                streams.flush(&mut outbox);
                streams
                    .receive(Duration::from_millis(100), |_, event| {
                        if let Event::Message(message) = event {
                            heard.extend_from_slice(message);
                        }
                    })
                    .unwrap();
            }
            assert_eq!(heard, b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    }

    #[test]
    fn a_certificate_of_another_name_is_refused() {
        let tls = Tls::new(&Trust::Authorities(certificate("certificate.pem")), "other.example").unwrap();
        let fault = Streams::open(&[PLACE], server(), Some(tls)).err().unwrap();
        assert!(fault.contains("certificate"), "{fault}");
    }

    #[test]
    fn a_file_without_certificates_is_told() {
        let fault = Tls::new(&Trust::Authorities(certificate("key.pem")), "acme.example").unwrap_err();
        assert!(fault.ends_with("there is no certificate in it; it must be PEM"), "{fault}");
    }
}
