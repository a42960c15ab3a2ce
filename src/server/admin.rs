//! The system admin: there is one from the first start on, and nobody knows its password but who started it.

use ringway_api::{hash_password, random_password, role};
use ringway_store::directory::Directory;
use ringway_store::directory::accounts::NewAccount;
use ringway_store::directory::audit::unlogged;

use crate::config::Config;
use crate::failure::Failure;

/// The name that it signs in with, without a domain.
pub(crate) const NAME: &str = "admin";

/// Makes the system admin when there is none. The password that was drawn for it; `None` when it was there, or its password is
/// the operator's own.
///
/// # Errors
/// When the database fails, or the password's file can't be read.
pub(crate) async fn ensure(directory: &Directory, config: &Config) -> Result<Option<String>, Failure> {
    if directory.account(None, NAME).await.map_err(Failure::of)?.is_some() {
        return Ok(None);
    }
    let chosen = config.admin.first_password().map_err(Failure::Failed)?;
    let drawn = if chosen.is_none() { Some(random_password()) } else { None };
    let password = chosen.as_deref().or(drawn.as_deref()).unwrap_or_default();
    let hash = tokio::task::block_in_place(|| hash_password(password));
    let hash = hash.ok_or_else(|| Failure::Failed("the admin's password can't be hashed".to_owned()))?;
    let account = NewAccount {
        tenant: None,
        username: NAME,
        role: role::SYSTEM_ADMIN,
        password: Some(&hash),
        must_change: drawn.is_some(),
    };
    directory.add_account(&account, unlogged).await.map_err(Failure::of)?;
    Ok(drawn)
}
