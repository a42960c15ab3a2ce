//! The passwords of people who manage: argon2id, on threads of their own, a few at a time.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use ringway_directory::{Code, Fault};
use ringway_store::directory::settings::PasswordPolicy;
use tokio::sync::Semaphore;

/// Hashes that are made at once: each takes 20 ms of a processor and 19 MiB.
const AT_ONCE: usize = 2;

/// How long a password may be.
const LONGEST: usize = 64;

/// So many characters in a row, equal or one after the other, are too easy.
const RUN: usize = 4;

/// Makes and verifies hashes.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
    /// The hash of a password that nobody knows, so that who is not there takes as long as who is.
    nobody: Arc<str>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let nobody = hash_password(&random_text()).unwrap_or_default();
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), nobody: nobody.into() }
    }

    /// The hash of a password, a PHC string.
    pub(crate) async fn hash(&self, password: &str) -> Option<String> {
        let _place = self.places.acquire().await.ok()?;
        let password = password.to_owned();
        tokio::task::spawn_blocking(move || hash_password(&password)).await.ok()?
    }

    /// Whether this is the password of that hash. Without a hash it never is, and takes as long.
    pub(crate) async fn is_right(&self, password: &str, hash: Option<&str>) -> bool {
        let Ok(_place) = self.places.acquire().await else { return false };
        let (password, is_there) = (password.to_owned(), hash.is_some());
        let hash = hash.map_or_else(|| self.nobody.to_string(), str::to_owned);
        let verified = tokio::task::spawn_blocking(move || {
            let hash = PasswordHash::new(&hash).ok()?;
            Argon2::default().verify_password(password.as_bytes(), &hash).ok()
        });
        is_there && verified.await.is_ok_and(|verified| verified.is_some())
    }
}

/// The hash of a password, a PHC string. It takes some 20 ms.
pub fn hash_password(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

/// A password that nobody can guess.
pub fn random_password() -> String {
    // One of each kind, whatever was drawn.
    format!("{}-a1B", random_text())
}

fn random_text() -> String {
    use base64::Engine as _;
    let bytes: [u8; 15] = rand::random();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// What is wrong with a password that a person has chosen, by the rules of the tenant.
pub(crate) fn weakness(field: &'static str, password: &str, username: &str, policy: &PasswordPolicy) -> Option<Fault> {
    let has = |is: fn(&char) -> bool| password.chars().any(|one| is(&one));
    let length = password.chars().count();
    let fault = |code, message: &str| Some(Fault::new(field, code, message.to_owned()));
    if length < policy.min_length.into() {
        return fault(Code::TooShort, &format!("a password has {} characters at least", policy.min_length));
    }
    if length > LONGEST {
        return fault(Code::TooLong, &format!("a password has {LONGEST} characters at most"));
    }
    let is_special = |one: &char| one.is_uppercase() || !one.is_alphanumeric();
    for (is_wanted, is_there, what) in [
        (policy.letters, has(|one| one.is_alphabetic()), "a letter"),
        (policy.numbers, has(char::is_ascii_digit), "a digit"),
        (policy.upper_or_special, has(is_special), "a capital letter, or what is neither letter nor digit"),
    ] {
        if is_wanted && !is_there {
            return fault(Code::BadFormat, &format!("a password has {what}"));
        }
    }
    if policy.no_repeats && has_run(password, &[0]) {
        return fault(Code::BadFormat, &format!("{RUN} characters in a row are equal"));
    }
    if policy.no_sequences && has_run(password, &[1, -1]) {
        return fault(Code::BadFormat, &format!("{RUN} characters in a row follow each other"));
    }
    let is_name = username.chars().count() >= RUN && password.to_lowercase().contains(&username.to_lowercase());
    if policy.not_similar && is_name {
        return fault(Code::BadFormat, "the user name is in it");
    }
    None
}

/// Whether so many characters in a row are apart by one of these steps.
fn has_run(password: &str, steps: &[i64]) -> bool {
    let codes: Vec<u32> = password.to_lowercase().chars().map(u32::from).collect();
    codes.windows(RUN).any(|run| {
        let is_step = |by: i64| run.windows(2).all(|two| i64::from(two[1]) - i64::from(two[0]) == by);
        steps.iter().any(|by| is_step(*by))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_right_for_its_own_hash_and_for_no_other() {
        let passwords = Passwords::new();
        let hash = passwords.hash("Tr0ub4dor-x").await.unwrap();
        assert!(passwords.is_right("Tr0ub4dor-x", Some(&hash)).await);
        assert!(!passwords.is_right("Tr0ub4dor-y", Some(&hash)).await);
        assert!(!passwords.is_right("Tr0ub4dor-x", None).await);
        assert!(hash.starts_with("$argon2id$"));
    }

    #[test]
    fn a_password_that_people_guess_is_refused_and_a_drawn_one_never() {
        let strict = PasswordPolicy::default();
        for (password, is_weak) in [
            ("Correct-9-horse", false),
            ("correct-9-horse", false),
            ("Correct9horse", false),
            ("correct9horse", true),
            ("Short-9aB", true),
            ("No-digit-in-it", true),
            ("12-90-56-28-73", true),
            ("Aaaa-9-horse-x", true),
            ("Xy1234-horse-x", true),
            ("Xy9876-horse-x", true),
            ("My-Alice-9-horse", true),
        ] {
            assert_eq!(weakness("password", password, "alice", &strict).is_some(), is_weak, "{password}");
        }
        let lax = PasswordPolicy {
            min_length: 6,
            letters: false,
            numbers: false,
            upper_or_special: false,
            no_sequences: false,
            no_repeats: false,
            not_similar: false,
        };
        for password in ["alice1", "111111", "123456"] {
            assert!(weakness("password", password, "alice", &lax).is_none(), "{password}");
        }
        assert!(weakness("password", "12345", "alice", &lax).is_some());
        assert!(weakness("password", &format!("aB3-{}", "x-".repeat(31)), "", &strict).is_some());
        for _ in 0..200 {
            let drawn = random_password();
            assert!(
                weakness("password", &drawn, "admin", &strict).is_none_or(|fault| fault.message.contains("row")),
                "{drawn}"
            );
        }
    }
}
