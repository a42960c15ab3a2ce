use proptest::prelude::*;

use super::*;

#[test]
fn a_right_answer_in_any_offered_algorithm_tells_who_it_is() {
    let mut gate = Gate::new();
    gate.settings.algorithms = Algorithm::ALL.to_vec();
    for algorithm in Algorithm::ALL {
        let answer = Answer { algorithm, ..Answer::new(&gate.nonce(ACME)) };
        assert_eq!(gate.register(&answer), Said::Verified("101".into()), "{algorithm:?}");
    }
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn the_user_name_is_the_auth_name_and_not_the_number() {
    let mut gate = Gate::new();
    let answer = Answer::new(&gate.nonce(ACME)).of("alice", "secret102");
    assert_eq!(gate.register(&answer), Said::Verified("102".into()));
    let answer = Answer::new(&gate.nonce(ACME)).of("102", "secret102");
    assert_eq!(gate.register(&answer), Said::Challenge);
}

#[test]
fn unknown_user_wrong_password_and_disabled_look_alike_until_a_digest_verifies() {
    let mut gate = Gate::new();
    let nonce = gate.nonce(ACME);
    for (failures, (username, password)) in
        [("199", "secret101"), ("101", "wrong"), ("103", "wrong"), ("", ""), ("101", "")].into_iter().enumerate()
    {
        assert_eq!(gate.register(&Answer::new(&nonce).of(username, password)), Said::Challenge, "{username}");
        assert_eq!(gate.failures(ACME), failures as u64 + 1);
    }
    assert_eq!(gate.register(&Answer::new(&nonce).of("103", "secret103")), Said::Refused(Reject::Disabled));
    assert_eq!((gate.failures(ACME), gate.failures(OTHER)), (5, 0));
}

#[test]
fn nobody_gets_in_with_the_dummy_that_stands_for_a_missing_hash() {
    let mut gate = Gate::new();
    // 199 does not exist; 104 was imported without the hash of SHA-256.
    for (username, algorithm) in [("199", Algorithm::Md5), ("104", Algorithm::Sha256)] {
        let nobody = hex(gate.authenticator.nobody[algorithm as usize].as_bytes());
        let nonce = gate.nonce(ACME);
        let answer = Answer { algorithm, ..Answer::new(&nonce).of(username, "x") };
        let request_hash = hex(ha1(algorithm, b"REGISTER", b"sip", b"acme.example").as_bytes());
        let rest = format!("00000001:cafe:auth:{request_hash}");
        let response = ha1(algorithm, nobody.as_bytes(), nonce.as_bytes(), rest.as_bytes());
        let header = answer.to_string().replace(&answer.response(), &hex(response.as_bytes()));
        let text = request("REGISTER", "sip:acme.example", "199@acme.example", &[("Authorization", header)]);
        assert_eq!(gate.ask(ACME, &text), Said::Challenge, "{username}");
    }
    assert_eq!(gate.failures(ACME), 2);
}

#[test]
fn an_algorithm_that_was_not_offered_or_has_no_hash_is_a_failure() {
    let mut gate = Gate::new();
    let nonce = gate.nonce(ACME);
    let answer = |algorithm| Answer { algorithm, ..Answer::new(&nonce) };
    assert_eq!(gate.register(&answer(Algorithm::Sha512_256)), Said::Challenge);
    gate.settings.algorithms = vec![Algorithm::Sha256];
    assert_eq!(gate.register(&answer(Algorithm::Md5)), Said::Challenge, "a downgrade");
    // 104 was imported with the hash of MD5 only.
    assert_eq!(gate.register(&answer(Algorithm::Sha256).of("104", "secret104")), Said::Challenge);
    assert_eq!(gate.failures(ACME), 3);
    for unknown in ["SHA-1", "MD5-sess", "SHA-256-sess"] {
        let header = answer(Algorithm::Md5).to_string().replace("algorithm=MD5", &format!("algorithm={unknown}"));
        let text = request("REGISTER", "sip:acme.example", "101@acme.example", &[("Authorization", header)]);
        assert_eq!(gate.ask(ACME, &text), Said::Challenge, "{unknown}");
    }
    assert_eq!(gate.failures(ACME), 6);
}

#[test]
fn credentials_without_an_algorithm_mean_md5() {
    let mut gate = Gate::new();
    let header = Answer::new(&gate.nonce(ACME)).to_string().replace(",algorithm=MD5", "");
    let text = request("REGISTER", "sip:acme.example", "101@acme.example", &[("Authorization", header)]);
    assert_eq!(gate.ask(ACME, &text), Said::Verified("101".into()));
}

#[test]
fn with_auth_int_the_body_is_protected_too() {
    let mut gate = Gate::new();
    let nonce = gate.nonce(ACME);
    let body = "one:two:three";
    let answer = Answer {
        method: "MESSAGE".into(),
        uri: "sip:102@acme.example".into(),
        count: Some(("auth-int", 1)),
        body: body.into(),
        ..Answer::new(&nonce)
    };
    let headers = [("Proxy-Authorization", answer.to_string())];
    let ask = |gate: &mut Gate, body| {
        gate.ask(ACME, &request_with_body("MESSAGE", "sip:102@acme.example", "101@acme.example", &headers, body))
    };
    assert_eq!(ask(&mut gate, "one:two:three!"), Said::Challenge);
    assert_eq!(ask(&mut gate, body), Said::Verified("101".into()));
}

#[test]
fn credentials_of_one_tenant_are_worth_nothing_in_another() {
    let mut gate = Gate::new();
    let (acme, other) = (gate.nonce(ACME), gate.nonce(OTHER));
    let ask = |gate: &mut Gate, realm: &str, nonce: &str, uri: &str| {
        let answer = Answer { realm: realm.into(), uri: uri.into(), ..Answer::new(nonce) };
        gate.ask(OTHER, &request("REGISTER", uri, "101@other.example", &[("Authorization", answer.to_string())]))
    };
    // The same user name and password exist in both.
    assert_eq!(ask(&mut gate, "acme.example", &acme, "sip:acme.example"), Said::Challenge);
    assert_eq!(ask(&mut gate, "acme.example", &other, "sip:other.example"), Said::Challenge);
    assert_eq!(ask(&mut gate, "other.example", &acme, "sip:other.example"), Said::Stale, "that nonce is acme's");
    assert_eq!(ask(&mut gate, "other.example", &other, "sip:other.example"), Said::Verified("101".into()));
    assert_eq!((gate.failures(ACME), gate.failures(OTHER)), (0, 0));
}

#[test]
fn the_uri_that_was_hashed_is_the_request_uri_or_names_the_tenant_or_us() {
    let mut gate = Gate::new();
    let mut ask = |request_uri: &str, uri: &str| {
        let answer = Answer { uri: uri.into(), ..Answer::new(&gate.nonce(ACME)) };
        let headers = [("Authorization", answer.to_string())];
        gate.ask(ACME, &request("REGISTER", request_uri, "101@acme.example", &headers))
    };
    let verified = Said::Verified("101".into());
    assert_eq!(ask("sip:acme.example", "sip:ACME.example"), verified);
    assert_eq!(ask("sip:acme.example", "sip:sip.acme.example"), verified, "an alias");
    assert_eq!(ask("sip:acme.example", "sip:192.0.2.1:5060"), verified, "our address");
    assert_eq!(ask("tel:101", "tel:101"), verified, "the Request-URI");
    assert_eq!(ask("sip:acme.example", "sip:other.example"), Said::Challenge);
    assert_eq!(ask("sip:acme.example", "sip:192.0.2.1:5070"), Said::Challenge);
    assert_eq!(ask("sip:acme.example", "tel:101"), Said::Challenge);
    assert_eq!(gate.failures(ACME), 3);
}

#[test]
fn a_user_name_with_an_asterisk_is_not_taken() {
    let mut gate = Gate::new();
    let header = Answer::new(&gate.nonce(ACME)).to_string().replace("username=\"101\"", "username*=UTF-8''101");
    let text = request("REGISTER", "sip:acme.example", "101@acme.example", &[("Authorization", header)]);
    assert_eq!(gate.ask(ACME, &text), Said::Challenge);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn credentials_with_any_byte_changed_let_nobody_in(at in any::<prop::sample::Index>(), byte in 33..127_u8) {
        let mut gate = Gate::new();
        // Not MD5: that is what credentials mean whose algorithm can't be read.
        let header = Answer { algorithm: Algorithm::Sha256, ..Answer::new(&gate.nonce(ACME)) }.to_string();
        let mut changed = header.clone().into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        let changed = String::from_utf8(changed).unwrap();
        // Names, tokens and hexadecimal digits may be written in either case.
        prop_assume!(!changed.eq_ignore_ascii_case(&header));
        let text = request("REGISTER", "sip:acme.example", "101@acme.example", &[("Authorization", changed.clone())]);
        let said = gate.ask(ACME, &text);
        prop_assert!(matches!(said, Said::Challenge | Said::Stale), "{} {:?}", changed, said);
    }
}
