use super::*;

#[test]
fn a_challenge_names_the_tenants_domain_and_offers_qop_auth() {
    let mut gate = Gate::new();
    for (tenant, realm) in [(ACME, "acme.example"), (OTHER, "other.example")] {
        let headers = gate.challenge_headers(tenant, Role::Server, false);
        let nonce = headers[0].split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let expected = |algorithm| {
            format!("WWW-Authenticate: Digest realm=\"{realm}\",nonce=\"{nonce}\",algorithm={algorithm},qop=\"auth\"")
        };
        assert_eq!(headers, [expected("SHA-256"), expected("MD5")], "one an algorithm, in the order of the settings");
    }
}

#[test]
fn registrations_and_subscriptions_are_challenged_by_us_and_the_rest_by_the_proxy() {
    for method in Method::ALL {
        let is_for_us = matches!(method, Method::Register | Method::Subscribe | Method::Publish);
        assert_eq!(Role::of(method).status(), if is_for_us { 401 } else { 407 }, "{method:?}");
    }
    let mut gate = Gate::new();
    gate.settings.algorithms = vec![Algorithm::Sha512_256];
    let headers = gate.challenge_headers(ACME, Role::Proxy, true);
    assert_eq!(headers.len(), 1);
    assert!(headers[0].starts_with("Proxy-Authenticate: Digest realm=\"acme.example\",nonce="), "{headers:?}");
    assert!(headers[0].ends_with(",stale=true,algorithm=SHA-512-256,qop=\"auth\""), "{headers:?}");
}

#[test]
fn no_two_challenges_have_the_same_nonce() {
    let mut gate = Gate::new();
    let nonces: std::collections::HashSet<_> = (0..1000).map(|_| gate.nonce(ACME)).collect();
    assert_eq!(nonces.len(), 1000);
}

#[test]
fn a_challenge_keeps_nothing() {
    let mut gate = Gate::new();
    let before = format!("{:?}", gate.authenticator.windows);
    let nonce = gate.nonce(ACME);
    assert_eq!(gate.register(&Answer::new(&nonce).of("101", "wrong")), Said::Challenge);
    assert_eq!(format!("{:?}", gate.authenticator.windows), before);
}

#[test]
fn without_credentials_there_is_a_challenge_and_no_failure() {
    let mut gate = Gate::new();
    let text = request("REGISTER", "sip:acme.example", "101@acme.example", &[]);
    assert_eq!(gate.ask(ACME, &text), Said::Challenge);
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn basic_credentials_are_not_accepted() {
    let mut gate = Gate::new();
    let basic = [("Authorization", "Basic MTAxOnNlY3JldDEwMQ==".to_owned())];
    let text = request("REGISTER", "sip:acme.example", "101@acme.example", &basic);
    assert_eq!(gate.ask(ACME, &text), Said::Challenge);
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn only_credentials_of_our_realm_are_used() {
    let mut gate = Gate::new();
    let nonce = gate.nonce(ACME);
    let invite = Answer { method: "INVITE".into(), ..Answer::new(&nonce) };
    let foreign = ("Proxy-Authorization", Answer { realm: "carrier.example".into(), ..invite.clone() }.to_string());
    let ask = |gate: &mut Gate, headers: &[(&str, String)]| {
        gate.ask(ACME, &request("INVITE", "sip:102@acme.example", "101@acme.example", headers))
    };
    assert_eq!(ask(&mut gate, std::slice::from_ref(&foreign)), Said::Challenge);
    let ours = ("Proxy-Authorization", invite.to_string());
    assert_eq!(ask(&mut gate, &[foreign, ours.clone()]), Said::Verified("101".into()));
    // Nor does the header of the other role count.
    assert_eq!(ask(&mut gate, &[("Authorization", ours.1)]), Said::Challenge);
    // The realm is compared as it is hashed: in one case only.
    let shouted = Answer { realm: "ACME.example".into(), ..invite.count(2) };
    assert_eq!(ask(&mut gate, &[("Proxy-Authorization", shouted.to_string())]), Said::Challenge);
    assert_eq!(gate.failures(ACME), 0);
}
