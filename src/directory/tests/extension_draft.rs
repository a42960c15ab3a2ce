//! What becomes of the words for an extension: mentioned, left blank, or not mentioned at all.
#![allow(clippy::unwrap_used)]

use ringway_directory::{Code, ExtensionDraft, Fault, Hashes, NewExtension, Secret};

const MD5: &str = "0123456789abcdef0123456789ABCDEF";
const SHA256: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[test]
fn a_minimal_extension_gets_a_random_auth_name_and_password() {
    let new = create(least(), false).unwrap();
    assert_eq!(new.profile.number.as_str(), "101");
    assert_eq!(new.profile.auth_name.as_str(), "aaaaaaaaaaaa");
    assert_eq!(new.profile.email.as_str(), "a@example.com");
    assert!(matches!(&new.secret, Secret::Generated(password) if password.as_str() == "AAAAAAAAAAAAAAAAAAAA"));
    assert!(new.profile.enabled);
    assert_eq!((new.profile.max_phones, new.profile.max_apps), (3, 5));
}

#[test]
fn an_auth_name_that_is_not_mentioned_follows_the_tenants_rule() {
    assert_eq!(create(least(), true).unwrap().profile.auth_name.as_str(), "101");
}

#[test]
fn a_blank_auth_name_is_the_number_whatever_the_tenants_rule() {
    for rule in [true, false] {
        let new = create(ExtensionDraft { auth_name: Some(" "), ..least() }, rule).unwrap();
        assert_eq!(new.profile.auth_name.as_str(), "101");
    }
}

#[test]
fn a_blank_password_is_generated_and_a_typed_one_taken() {
    let new = create(ExtensionDraft { password: Some(""), ..least() }, true).unwrap();
    assert!(matches!(new.secret, Secret::Generated(_)));
    let new = create(ExtensionDraft { password: Some("p000001"), ..least() }, true).unwrap();
    assert!(matches!(new.secret, Secret::Typed(password) if password.as_str() == "p000001"));
}

#[test]
fn hashes_take_the_place_of_a_password() {
    let draft = ExtensionDraft { auth_name: Some("alice"), ha1_md5: Some(MD5), ha1_sha256: Some(""), ..least() };
    let Secret::Hashes(hashes) = create(draft, false).unwrap().secret else { panic!("no hashes") };
    let md5 = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
    assert_eq!(hashes, Hashes { md5: Some(md5), sha256: None, sha512_256: None });
    assert_eq!(format!("{hashes:?}"), "Hashes { md5: true, sha256: false, sha512_256: false }");

    let draft = ExtensionDraft { auth_name: Some(""), ha1_sha256: Some(SHA256), ..least() };
    let Secret::Hashes(hashes) = create(draft, false).unwrap().secret else { panic!("no hashes") };
    assert_eq!((hashes.md5, hashes.sha256.map(|hash| hash[1])), (None, Some(0x11)));
}

#[test]
fn hashes_without_the_auth_name_they_were_made_with_are_refused() {
    let draft = ExtensionDraft { ha1_md5: Some(MD5), ..least() };
    assert_eq!(faults(create(draft.clone(), false)), [("auth_name", Code::Conflict)]);
    assert!(create(draft, true).is_ok());
}

#[test]
fn a_password_and_hashes_exclude_each_other() {
    let draft = ExtensionDraft { password: Some("secret"), ha1_md5: Some(MD5), ..least() };
    assert_eq!(faults(create(draft, true)), [("extension_password", Code::Conflict)]);
}

#[test]
fn names_default_to_the_number_and_the_display_name_to_the_names() {
    let name_of = |first, last, display| {
        let draft = ExtensionDraft { first_name: first, last_name: last, display_name: display, ..least() };
        let profile = create(draft, true).unwrap().profile;
        let first = profile.first_name.map(|name| name.as_str().to_owned());
        let last = profile.last_name.map(|name| name.as_str().to_owned());
        (first, last, profile.display_name.as_str().to_owned())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(name_of(None, None, None), (some("101"), None, "101".into()));
    assert_eq!(name_of(Some(""), Some(""), Some("")), (some("101"), None, "101".into()));
    assert_eq!(name_of(Some("Ann"), None, None), (some("Ann"), None, "Ann".into()));
    assert_eq!(name_of(None, Some("Lee"), None), (None, some("Lee"), "Lee".into()));
    assert_eq!(name_of(Some("Ann"), Some("Lee"), None), (some("Ann"), some("Lee"), "Ann Lee".into()));
    assert_eq!(name_of(Some("Ann"), None, Some("Desk")), (some("Ann"), None, "Desk".into()));
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let draft = ExtensionDraft {
        number: Some("1"),
        auth_name: Some("a b"),
        password: Some("12345"),
        email: None,
        display_name: Some("a\tb"),
        first_name: Some(&"x".repeat(64)),
        last_name: Some("\u{1b}[2J"),
        enabled: Some("perhaps"),
        max_phones: Some("0"),
        max_apps: Some("many"),
        ..ExtensionDraft::default()
    };
    let expected = [
        ("extension_number", Code::TooShort),
        ("email", Code::Required),
        ("auth_name", Code::BadCharacter),
        ("enabled", Code::BadFormat),
        ("max_phones", Code::BadFormat),
        ("max_apps", Code::BadFormat),
        ("display_name", Code::BadCharacter),
        ("first_name", Code::TooLong),
        ("last_name", Code::BadCharacter),
        ("extension_password", Code::TooShort),
    ];
    assert_eq!(faults(create(draft.clone(), true)), expected);
    assert_eq!(faults(draft.check()), expected);
}

#[test]
fn a_change_keeps_what_it_does_not_mention() {
    let stored = whole();
    let changed = least().check().unwrap().change(&stored.profile, true).unwrap();
    assert_eq!((changed.profile, changed.secret), (stored.profile, None));
}

#[test]
fn a_change_keeps_auth_name_secret_and_state_when_they_are_blank_and_clears_names() {
    let stored = whole();
    let draft = ExtensionDraft {
        auth_name: Some(""),
        password: Some(""),
        ha1_md5: Some(""),
        ha1_sha256: Some(""),
        enabled: Some(""),
        max_phones: Some(""),
        max_apps: Some(" "),
        display_name: Some(""),
        last_name: Some(""),
        ..least()
    };
    let changed = draft.check().unwrap().change(&stored.profile, true).unwrap();
    let (changed, secret) = (changed.profile, changed.secret);
    assert_eq!(secret, None);
    assert_eq!(changed.auth_name, stored.profile.auth_name);
    assert_eq!(changed.enabled, stored.profile.enabled);
    assert_eq!((changed.max_phones, changed.max_apps), (1, 0));
    assert_eq!(changed.last_name, None);
    assert_eq!(changed.display_name.as_str(), "Ann");
}

#[test]
fn hashes_alone_do_not_survive_another_auth_name() {
    let stored = whole();
    let rename = ExtensionDraft { auth_name: Some("bob"), ..least() };
    let fault = &rename.check().unwrap().change(&stored.profile, false).unwrap_err()[0];
    assert_eq!((&*fault.field, fault.code), ("auth_name", Code::Conflict));
    assert!(rename.check().unwrap().change(&stored.profile, true).is_ok());
    let with_secret = ExtensionDraft { password: Some("secret"), ..rename };
    assert_eq!(with_secret.check().unwrap().change(&stored.profile, false).unwrap().profile.auth_name.as_str(), "bob");
}

fn least() -> ExtensionDraft<'static> {
    ExtensionDraft { number: Some("101"), email: Some("a@example.com"), ..ExtensionDraft::default() }
}

fn whole() -> NewExtension {
    let draft = ExtensionDraft {
        auth_name: Some("alice"),
        password: Some("secret"),
        display_name: Some("Front desk"),
        first_name: Some("Ann"),
        last_name: Some("Lee"),
        enabled: Some("false"),
        max_phones: Some("1"),
        max_apps: Some("0"),
        ..least()
    };
    create(draft, false).unwrap()
}

/// Creates with a random source that gives zeros only.
fn create(draft: ExtensionDraft<'_>, auth_name_equals_number: bool) -> Result<NewExtension, Vec<Fault>> {
    draft.check()?.create(auth_name_equals_number, &mut |bytes: &mut [u8]| bytes.fill(0))
}

fn faults<T>(result: Result<T, Vec<Fault>>) -> Vec<(&'static str, Code)> {
    let name = |fault: Fault| match fault.field {
        std::borrow::Cow::Borrowed(name) => (name, fault.code),
        // A way into a document, which no draft of these tests has.
        std::borrow::Cow::Owned(_) => ("", fault.code),
    };
    result.err().unwrap().into_iter().map(name).collect()
}
