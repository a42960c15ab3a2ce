//! Digest: the vectors of the RFCs, what is read and what is refused.
#![allow(clippy::panic, reason = "helpers of tests")]

use ringway_sip::digest::{Algorithm, Credentials, CredentialsError, Hash, Qop, ha1, write_challenge};

/// RFC 2617 section 3.5.
const RFC_2617: &str = r#"Digest username="Mufasa", realm="testrealm@host.com",
 nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b",
 response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;

/// RFC 7616 section 3.9.1.
const RFC_7616_MD5: &str = r#"Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5,
 nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,
 cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="8ca523f5e9506fed4657c9700eebdbec",
 opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;

/// RFC 7616 section 3.9.1.
const RFC_7616_SHA_256: &str = r#"Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256,
 nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,
 cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth,
 response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
 opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;

/// RFC 7616 section 3.9.2 with its plain user name. The response is erratum 4897's: the RFC's own was made with SHA-512 cut short.
const RFC_7616_SHA_512_256: &str = r#"Digest username="Jäsøn Doe", realm="api@example.org", uri="/doe.json", algorithm=SHA-512-256,
 nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001,
 cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", qop=auth,
 response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
 opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS""#;

#[test]
fn the_vectors_of_the_rfcs_verify_and_verify_nothing_else() {
    for (value, password) in [
        (RFC_2617, "Circle Of Life"),
        (RFC_7616_MD5, "Circle of Life"),
        (RFC_7616_SHA_256, "Circle of Life"),
        (RFC_7616_SHA_512_256, "Secret, or not?"),
    ] {
        let credentials = parse(value);
        let secret =
            |password: &str| ha1(credentials.algorithm, &credentials.username, &credentials.realm, password.as_bytes());
        assert!(credentials.verify(&secret(password), b"GET", b""), "{value}");
        assert!(!credentials.verify(&secret("circle of life"), b"GET", b""), "another password: {value}");
        assert!(!credentials.verify(&secret(password), b"PUT", b""), "another method: {value}");
    }
}

#[test]
fn each_algorithm_and_quality_of_protection_makes_its_own_response() {
    // Made with another implementation: bob, biloxi.com, zanzibar, INVITE with the body "v=0\r\n".
    for (algorithm, qop, response) in [
        ("MD5", "", "bf57e4e0d0bffc0fbaedce64d59add5e"),
        ("MD5", "auth", "89eb0059246c02b2f6ee02c7961d5ea3"),
        ("MD5", "auth-int", "77226bb823dc077c1ad3537415667bae"),
        ("SHA-256", "", "38aad98c50c33abe72c5f88dd17246ffcfa6b1f68852c855719ff0659386c0ca"),
        ("SHA-256", "auth", "b3b5a6c69453abafaab9ae4dccdac90a076b6c80615d5f3498e7433b6e93bf4f"),
        ("SHA-256", "auth-int", "554a9ffe79ce71c3cb6c9630deddd2787d8033f895e5cdef6a73c8e84ed4c979"),
        ("SHA-512-256", "", "9e960b3a01beb63f1ea5d45d43bd8a2178879d3c9ddbbdb0624187ca823c6eca"),
        ("SHA-512-256", "auth", "7f1a09de0f19af0a1eac2b28d33e3f2fb89cca1ad8fb01bba5e1883b288bac14"),
        ("SHA-512-256", "auth-int", "e9a7fbc1c80a10421c59a0c982f28d40e0ddc7b62ef3dc4faf68f179c6e05922"),
    ] {
        let protection = match qop {
            "" => String::new(),
            qop => format!(r#", qop={qop}, nc=00000001, cnonce="0a4f113b""#),
        };
        let value = format!(
            r#"Digest username="bob", realm="biloxi.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
 uri="sip:bob@biloxi.com", response="{response}", algorithm={algorithm}{protection}"#
        );
        let credentials = parse(&value);
        let secret = ha1(credentials.algorithm, b"bob", b"biloxi.com", b"zanzibar");
        assert!(credentials.verify(&secret, b"INVITE", b"v=0\r\n"), "{value}");
        assert_eq!(credentials.verify(&secret, b"INVITE", b"v=1\r\n"), qop != "auth-int", "another body: {value}");
    }
}

#[test]
fn a_hash_of_one_algorithm_never_proves_credentials_of_another() {
    let value = RFC_7616_SHA_256.replace("algorithm=SHA-256", "algorithm=SHA-512-256");
    let credentials = parse(&value);
    let right_for_sha_256 = ha1(Algorithm::Sha256, b"Mufasa", b"http-auth@example.org", b"Circle of Life");
    assert!(parse(RFC_7616_SHA_256).verify(&right_for_sha_256, b"GET", b""));
    assert!(!credentials.verify(&right_for_sha_256, b"GET", b""));
}

#[test]
fn a_response_of_another_length_or_with_other_digits_proves_nothing() {
    let right = "6629fae49393a05397450978507c4ef1";
    let secret = ha1(Algorithm::Md5, b"Mufasa", b"testrealm@host.com", b"Circle Of Life");
    let verifies = |response: &str| parse(&RFC_2617.replace(right, response)).verify(&secret, b"GET", b"");
    assert!(verifies(right));
    assert!(verifies(&right.to_uppercase()));
    for wrong in ["", "6629fae49393a05397450978507c4ef", "6629fae49393a05397450978507c4ef10", &right.replace('f', "g")]
    {
        assert!(!verifies(wrong), "{wrong}");
    }
}

#[test]
fn every_field_is_read_and_escapes_are_undone_in_names_only() {
    let credentials = parse(
        r#"dIgEsT  username = "a\"b\\c" ,REALM="r",nonce="n\n" , uri="sip:x", response="00",algorithm=md5,cnonce="c\"",
 opaque="o", qop="auth", nc=0000002A, other=thing, other="again""#,
    );
    assert_eq!(*credentials.username, *br#"a"b\c"#);
    assert_eq!(*credentials.realm, *b"r");
    assert_eq!(credentials.nonce, br"n\n");
    assert_eq!(credentials.uri, b"sip:x");
    assert_eq!(credentials.response, b"00");
    assert_eq!(credentials.algorithm, Algorithm::Md5);
    assert_eq!(credentials.cnonce, Some(br#"c\""#.as_slice()));
    assert_eq!(credentials.opaque, Some(b"o".as_slice()));
    assert_eq!(credentials.qop, Some(Qop::Auth));
    assert_eq!(credentials.nc, Some(42));
}

#[test]
fn names_may_be_any_bytes_above_ascii() {
    let value =
        [br#"Digest username=""#.as_slice(), &[0xff, 0xfe], br#"", realm="r", nonce="n", uri="u", response="0""#]
            .concat();
    let credentials = Credentials::parse(&value).unwrap();
    assert_eq!(*credentials.username, [0xff, 0xfe]);
}

#[test]
fn what_is_not_taken_says_why() {
    const BASE: &str = r#"username="u", realm="r", nonce="n", uri="sip:x", response="0""#;
    let with = |more: &str| format!("Digest {BASE}{more}");
    for (value, error) in [
        (r#"Basic dTpw"#.to_owned(), CredentialsError::NotDigest),
        (String::new(), CredentialsError::NotDigest),
        ("Digest".to_owned(), CredentialsError::Malformed),
        ("Digest ".to_owned(), CredentialsError::Malformed),
        (format!("Digest,{BASE}"), CredentialsError::Malformed),
        (with(","), CredentialsError::Malformed),
        (with(",,nc=1"), CredentialsError::Malformed),
        (with(" nc=1"), CredentialsError::Malformed),
        (with(",nc"), CredentialsError::Malformed),
        (with(",nc="), CredentialsError::Malformed),
        (with(",=1"), CredentialsError::Malformed),
        (with(r#",opaque="o"#), CredentialsError::Malformed),
        (with(r#",opaque="o\""#), CredentialsError::Malformed),
        (with(",opaque=o"), CredentialsError::Malformed),
        (with(",opaque=\"o\r\n o\""), CredentialsError::Malformed),
        (with(",opaque=\"\0\""), CredentialsError::Malformed),
        (with(",opaque=\"\\\0\""), CredentialsError::Malformed),
        (with(",nc=0000000g"), CredentialsError::Malformed),
        (with(",nc=+1"), CredentialsError::Malformed),
        (with(",nc=000000001"), CredentialsError::Malformed),
        (with(r#",Realm="r""#), CredentialsError::Duplicate("realm")),
        (with(",algorithm=MD5,algorithm=MD5"), CredentialsError::Duplicate("algorithm")),
        (with(",username*=UTF-8''u"), CredentialsError::ExtendedUsername),
        (with(",algorithm=MD5-sess"), CredentialsError::UnknownAlgorithm),
        (with(",algorithm=SHA-1"), CredentialsError::UnknownAlgorithm),
        (with(r#",qop=auth-conf,nc=00000001,cnonce="c""#), CredentialsError::UnknownQop),
        (with(",qop=auth,nc=00000001"), CredentialsError::Missing("cnonce")),
        (with(r#",qop=auth,cnonce="c""#), CredentialsError::Missing("nc")),
        (BASE.replace(r#"username="u", "#, "Digest "), CredentialsError::Missing("username")),
        (with("").replace(r#" realm="r","#, ""), CredentialsError::Missing("realm")),
        (with("").replace(r#" nonce="n","#, ""), CredentialsError::Missing("nonce")),
        (with("").replace(r#" uri="sip:x","#, ""), CredentialsError::Missing("uri")),
        (with("").replace(r#", response="0""#, ""), CredentialsError::Missing("response")),
    ] {
        assert_eq!(Credentials::parse(value.as_bytes()).unwrap_err(), error, "{value:?}");
    }
}

#[test]
fn credentials_cut_anywhere_are_refused_or_read_and_never_panic() {
    for end in 0..RFC_7616_SHA_512_256.len() {
        let cut = &RFC_7616_SHA_512_256.as_bytes()[..end];
        if let Ok(credentials) = Credentials::parse(cut) {
            assert!(credentials.opaque.is_none(), "{}", String::from_utf8_lossy(cut));
        }
    }
}

#[test]
fn a_challenge_is_written_with_its_strings_quoted() {
    let written = |algorithm, stale, opaque| {
        let mut out = Vec::new();
        write_challenge(&mut out, br#"a "b" \c"#, b"n0nce", algorithm, stale, opaque);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        written(Algorithm::Md5, false, None),
        r#"Digest realm="a \"b\" \\c",nonce="n0nce",algorithm=MD5,qop="auth""#
    );
    assert_eq!(
        written(Algorithm::Sha512_256, true, Some(b"o")),
        r#"Digest realm="a \"b\" \\c",nonce="n0nce",opaque="o",stale=true,algorithm=SHA-512-256,qop="auth""#
    );
}

#[test]
fn a_hash_is_stored_raw_or_in_hexadecimal_and_never_shown() {
    for algorithm in Algorithm::ALL {
        let hash = ha1(algorithm, b"bob", b"biloxi.com", b"zanzibar");
        let hex = hash.hex().to_string();
        assert_eq!(hash.as_bytes().len(), algorithm.hash_length());
        assert_eq!(Hash::from_bytes(algorithm, hash.as_bytes()), Some(hash));
        assert_eq!(Hash::from_hex(algorithm, hex.as_bytes()), Some(hash));
        assert_eq!(Hash::from_bytes(algorithm, &hash.as_bytes()[1..]), None);
        assert!(!format!("{hash:?}").contains(&hex[..8]));
    }
    assert_eq!(
        ha1(Algorithm::Md5, b"bob", b"biloxi.com", b"zanzibar").hex().to_string(),
        "12af60467a33e8518da5c68bbff12b11"
    );
}

#[test]
fn an_algorithm_is_read_as_it_is_written_in_any_case() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::parse(algorithm.as_str().to_lowercase().as_bytes()), Some(algorithm));
    }
    assert_eq!(Algorithm::parse(b"SHA-512"), None);
}

fn parse(value: &str) -> Credentials<'_> {
    Credentials::parse(value.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {value}"))
}
