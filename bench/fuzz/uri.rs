//! Equivalence of URIs is reflexive and symmetric, and the parts of a URI lie in it. A space divides the two.
use ringway_sip::Uri;

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b' ');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(first) = Uri::parse(first) else { return };
    assert!(first.is_equivalent(&first), "not equivalent to itself");
    let length = first.host.len() + first.user.map_or(0, <[u8]>::len) + first.password.map_or(0, <[u8]>::len);
    assert!(length + first.headers.len() < first.raw.len());
    assert!(first.user_unescaped().len() <= first.user.map_or(0, <[u8]>::len));
    let _ = (first.ip(), first.transport());
    let Ok(second) = Uri::parse(second) else { return };
    assert_eq!(first.is_equivalent(&second), second.is_equivalent(&first), "one way only");
}
