use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::seal::{CannotOpen, Sealer};
use super::{KeyFileError, MasterKey, Origin};

#[test]
fn the_first_start_makes_a_key_that_only_its_owner_may_use_and_later_starts_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let (first, origin) = MasterKey::open_or_create(&path).unwrap();
    assert_eq!(origin, Origin::Created);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let (second, origin) = MasterKey::open_or_create(&path).unwrap();
    assert_eq!(origin, Origin::Read);
    assert_eq!(first.key, second.key);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# Ringway master key"), "{text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left behind");
}

#[test]
fn two_nodes_have_two_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _) = MasterKey::open_or_create(&folder.path().join("one")).unwrap();
    let (other, _) = MasterKey::open_or_create(&folder.path().join("other")).unwrap();
    assert_ne!(one.key, other.key);
}

#[test]
fn a_key_that_others_may_read_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    MasterKey::open_or_create(&path).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = MasterKey::open_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyFileError::Exposed(_, found) if found == mode));
        assert!(error.to_string().ends_with(&format!("chmod 600 {}", path.display())), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(MasterKey::open_or_create(&path).is_ok());
}

#[test]
fn a_damaged_key_is_refused_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    MasterKey::open_or_create(&path).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let line = whole.lines().last().unwrap();
    let mut flipped = line.to_owned();
    let digit = if flipped.remove(30) == '0' { '1' } else { '0' };
    flipped.insert(30, digit);
    let cases = [
        String::new(),
        "# only a comment\n".into(),
        flipped,
        line[..50].into(),
        line[..line.len() - 2].into(),
        line.replace("key-1", "key-2"),
        format!("{line}\n{line}\n"),
        "\0\u{fffd}".repeat(4000),
    ];
    for text in cases {
        fs::write(&path, &text).unwrap();
        let error = MasterKey::open_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyFileError::Damaged(..)), "{error} for {text:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_key_file_that_can_not_be_made_names_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let error = MasterKey::open_or_create(&folder.path().join("missing/master.key")).unwrap_err();
    assert!(error.to_string().contains("missing/master.key"), "{error}");
}

#[test]
fn a_key_is_never_printed() {
    assert_eq!(format!("{:?}", MasterKey::from_bytes([7; 32])), "MasterKey");
}

#[test]
fn derived_keys_differ_by_label_and_epoch_and_are_the_same_tomorrow() {
    let key = MasterKey::from_bytes([7; 32]);
    assert_eq!(key.derive("nonce", 1), key.derive("nonce", 1));
    let keys = [
        key.derive("nonce", 1),
        key.derive("nonce", 2),
        key.derive("cookie", 1),
        key.derive("nonc", 0x6500_0000_0000_0001),
        MasterKey::from_bytes([8; 32]).derive("nonce", 1),
    ];
    for (index, one) in keys.iter().enumerate() {
        assert!(keys[index + 1..].iter().all(|other| other != one));
    }
}

#[test]
fn a_sealed_secret_opens_in_its_own_place_only() {
    let sealer = Sealer::new(&MasterKey::from_bytes([7; 32]));
    let sealed = sealer.seal(b"tenant 1, 101", b"p000001");
    assert_eq!(sealer.open(b"tenant 1, 101", &sealed).unwrap().as_slice(), b"p000001");
    assert_eq!(sealer.open(b"tenant 1, 102", &sealed), Err(CannotOpen));
    assert_eq!(sealer.open(b"tenant 2, 101", &sealed), Err(CannotOpen));
    let other = Sealer::new(&MasterKey::from_bytes([8; 32]));
    assert_eq!(other.open(b"tenant 1, 101", &sealed), Err(CannotOpen));
}

#[test]
fn the_same_secret_sealed_twice_looks_different() {
    let sealer = Sealer::new(&MasterKey::from_bytes([7; 32]));
    assert_ne!(sealer.seal(b"place", b"p000001"), sealer.seal(b"place", b"p000001"));
}

#[test]
fn a_sealed_secret_with_any_byte_changed_or_cut_does_not_open() {
    let sealer = Sealer::new(&MasterKey::from_bytes([7; 32]));
    let sealed = sealer.seal(b"place", b"p000001");
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1;
        assert_eq!(sealer.open(b"place", &changed), Err(CannotOpen));
        assert_eq!(sealer.open(b"place", &sealed[..index]), Err(CannotOpen));
    }
}
