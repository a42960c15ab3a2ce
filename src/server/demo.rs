//! `--demo`: a tenant with three extensions, so that somebody can try a call at once.
//!
//! Their passwords are derived from the master key. So they differ on every installation and stay the same on this one,
//! and nothing has to be kept to show them again.

use std::net::SocketAddr;

use ringway_directory::{ExtensionDraft, Snapshot, TenantDraft};
use ringway_sip::digest::{Algorithm, ha1};
use ringway_store::directory::audit::unlogged;
use ringway_store::directory::{Directory, Error};
use ringway_store::keys::MasterKey;

use crate::console::say;

/// The tenant's domain.
pub(crate) const DOMAIN: &str = "demo.ringway.test";

/// Its extensions.
const NUMBERS: [&str; 3] = ["101", "102", "103"];

/// Adds what is missing of the tenant and its extensions.
///
/// # Errors
/// When the database fails.
pub(crate) async fn add(directory: &Directory, key: &MasterKey) -> Result<(), Error> {
    match directory.tenant(DOMAIN).await {
        Ok(_) => {}
        Err(Error::UnknownTenant(_)) => {
            let draft = TenantDraft { domain: DOMAIN.to_owned(), name: "Demo".to_owned(), ..TenantDraft::default() };
            directory.add_tenant(&draft, unlogged).await?;
        }
        Err(error) => return Err(error),
    }
    for number in NUMBERS {
        let (email, password) = (format!("{number}@{DOMAIN}"), password(key, number));
        let draft = ExtensionDraft {
            number: Some(number),
            auth_name: Some(number),
            email: Some(&email),
            password: Some(&password),
            ..ExtensionDraft::default()
        };
        match directory.add_extension(DOMAIN, &draft).await {
            // It is there from the last time.
            Ok(_) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Says how to register as each of them. `proxy` is an address that a client reaches.
pub(crate) fn announce(snapshot: &Snapshot, key: &MasterKey, proxy: SocketAddr) {
    for number in NUMBERS {
        if let Some(line) = line(snapshot, key, number, proxy) {
            say(line);
        }
    }
}

fn line(snapshot: &Snapshot, key: &MasterKey, number: &str, proxy: SocketAddr) -> Option<String> {
    let tenant = snapshot.tenant_by_host(DOMAIN.as_bytes())?;
    let extension = snapshot.extension(tenant.id, number.as_bytes())?;
    let password = password(key, number);
    let auth_name = &extension.auth_name;
    let of = |algorithm| ha1(algorithm, auth_name.as_bytes(), DOMAIN.as_bytes(), password.as_bytes());
    let is_unchanged = extension.hashes.md5.is_none_or(|hash| hash[..] == *of(Algorithm::Md5).as_bytes())
        && extension.hashes.sha256.as_ref().is_none_or(|hash| hash[..] == *of(Algorithm::Sha256).as_bytes());
    // Somebody has set another one, which is not ours to tell.
    let password = if is_unchanged { password } else { "(changed)".to_owned() };
    Some(format!("extension={number} domain={DOMAIN} auth_name={auth_name} password={password} proxy={proxy}"))
}

fn password(key: &MasterKey, number: &str) -> String {
    let derived = key.derive(&format!("demo password of {number}"), 0);
    derived.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::{Hasher, load};

    async fn lines(directory: &Directory, key: &MasterKey) -> Vec<String> {
        let snapshot = load(directory, &Hasher::new(&[Algorithm::Md5])).await.unwrap();
        let proxy = "127.0.0.1:5060".parse().unwrap();
        NUMBERS.iter().filter_map(|number| line(&snapshot, key, number, proxy)).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_demo_s_passwords_differ_by_installation_and_stay_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let key = MasterKey::from_bytes([7; 32]);
        let directory = Directory::open(&folder.path().join("a.db"), &key).await.unwrap();
        add(&directory, &key).await.unwrap();
        let first = lines(&directory, &key).await;
        assert_eq!(first.len(), 3);
        let expected = format!(
            "extension=102 domain=demo.ringway.test auth_name=102 password={} proxy=127.0.0.1:5060",
            password(&key, "102")
        );
        assert_eq!(first[1], expected);

        add(&directory, &key).await.unwrap();
        assert_eq!(lines(&directory, &key).await, first);

        let other = MasterKey::from_bytes([8; 32]);
        assert_ne!(password(&other, "102"), password(&key, "102"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_password_that_somebody_has_changed_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let key = MasterKey::from_bytes([7; 32]);
        let directory = Directory::open(&folder.path().join("a.db"), &key).await.unwrap();
        add(&directory, &key).await.unwrap();
        let file = "extension_number,email,extension_password\n101,101@demo.ringway.test,another-one\n";
        let options = ringway_store::csv::ImportOptions {
            mode: ringway_store::csv::Mode::Upsert,
            ..ringway_store::csv::ImportOptions::default()
        };
        let report = directory.import_file(DOMAIN, options, file.as_bytes(), |_| {}).await.unwrap();
        assert!(report.is_applied, "{report:?}");
        let lines = lines(&directory, &key).await;
        assert!(lines[0].contains(" password=(changed) "), "{}", lines[0]);
        assert!(!lines[1].contains("(changed)"), "{}", lines[1]);
    }
}
