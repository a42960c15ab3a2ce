//! A certificate of the node's own making, for trying out TLS: no phone trusts it unless it is told to.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rcgen::{CertificateParams, DnType, KeyPair};
use ringway_net::TlsFiles;

use crate::data_directory::DataDirectory;
use crate::failure::Failure;

const CERTIFICATE: &str = "self-signed.crt";
const KEY: &str = "self-signed.key";

/// Names of this machine that hold everywhere.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The files of the certificate in the data directory. They are made when they are missing.
pub(super) fn files(data: &DataDirectory) -> Result<TlsFiles, Failure> {
    let files = TlsFiles { certificate: data.file(CERTIFICATE), key: data.file(KEY), more: None, client_ca: None };
    if !files.certificate.exists() || !files.key.exists() {
        make(&files)?;
    }
    tracing::warn!(
        certificate = %files.certificate.display(),
        "TLS is spoken with a certificate of our own making, which phones don't trust; name a real one in [[listen]]"
    );
    Ok(files)
}

fn make(files: &TlsFiles) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("a certificate can't be made: {error}"));
    let key = KeyPair::generate().map_err(|error| failed(&error))?;
    let mut params = CertificateParams::new(NAMES.map(str::to_owned)).map_err(|error| failed(&error))?;
    params.distinguished_name.push(DnType::CommonName, "Ringway, self-signed");
    let certificate = params.self_signed(&key).map_err(|error| failed(&error))?;
    write(&files.key, &key.serialize_pem(), 0o600)?;
    write(&files.certificate, &certificate.pem(), 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    // One that is there may be open to others, and would stay so.
    let _ = std::fs::remove_file(path);
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::Failed(format!("{}: can't be written: {error}", path.display())))
}
