//! Credentials are read or refused; a name that was quoted comes back; and only one password
//! has a given response. A line feed divides the name, which is also the password and the body, from the credentials.
use ringway_sip::digest::{Credentials, ha1};

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if let Ok(credentials) = Credentials::parse(value) {
        assert!(credentials.username.len() + credentials.realm.len() + credentials.uri.len() < value.len());
        let secret = ha1(credentials.algorithm, &credentials.username, &credentials.realm, name);
        let other = ha1(credentials.algorithm, &credentials.username, &credentials.realm, &[name, b"x"].concat());
        let verified = [&secret, &other].map(|ha1| credentials.verify(ha1, b"REGISTER", name));
        assert_ne!(verified, [true, true], "two passwords for one response");
    }
    if name.iter().all(|byte| !byte.is_ascii_control()) {
        let made = quoted(name);
        let credentials = Credentials::parse(&made);
        assert_eq!(credentials.map(|credentials| credentials.username.into_owned()), Ok(name.to_vec()));
    }
}

fn quoted(name: &[u8]) -> Vec<u8> {
    let mut made = b"Digest username=\"".to_vec();
    for byte in name {
        if matches!(byte, b'"' | b'\\') {
            made.push(b'\\');
        }
        made.push(*byte);
    }
    made.extend_from_slice(br#"",realm="r",nonce="n",uri="sip:x",response="00""#);
    made
}
