use super::*;

fn invite(from: &str) -> String {
    request("INVITE", "sip:102@acme.example", from, &[])
}

#[test]
fn a_trusted_network_is_not_challenged_when_from_is_an_extension_of_the_tenant() {
    let mut gate = Gate::new();
    assert_eq!(gate.ask(ACME, &invite("101@acme.example")), Said::Challenge);
    gate.trust(ACME, "198.51.100.0/24");
    assert_eq!(gate.ask(ACME, &invite("101@acme.example")), Said::Trusted("101".into()));
    assert_eq!(gate.ask(ACME, &invite("101@SIP.acme.example")), Said::Trusted("101".into()));
    assert_eq!(gate.ask(ACME, &invite("%3101@192.0.2.1")), Said::Trusted("101".into()), "our address, default tenant");
    let register = request("REGISTER", "sip:acme.example", "102@acme.example", &[]);
    assert_eq!(gate.ask(ACME, &register), Said::Trusted("102".into()));
    gate.flow.remote = address("[::ffff:198.51.100.9]:5060");
    assert_eq!(gate.ask(ACME, &invite("101@acme.example")), Said::Trusted("101".into()), "on an IPv6 socket");
}

#[test]
fn a_trusted_network_is_challenged_when_from_is_nobody_of_the_tenant() {
    let mut gate = Gate::new();
    gate.trust(ACME, "198.51.100.0/24");
    for from in ["199@acme.example", "101@other.example", "101@elsewhere.example", "alice@acme.example", "acme.example"]
    {
        assert_eq!(gate.ask(ACME, &invite(from)), Said::Challenge, "{from}");
    }
    assert_eq!(gate.ask(ACME, &invite("anonymous@anonymous.invalid")), Said::Challenge);
    assert_eq!(gate.ask(OTHER, &invite("101@other.example")), Said::Challenge, "the other tenant does not trust it");
    gate.flow.remote = address("198.51.101.7:5060");
    assert_eq!(gate.ask(ACME, &invite("101@acme.example")), Said::Challenge);
    assert_eq!(gate.failures(ACME), 0);
}

#[test]
fn a_trusted_network_may_prove_who_it_is_all_the_same() {
    let mut gate = Gate::new();
    gate.trust(ACME, "198.51.100.0/24");
    let answer = Answer { method: "INVITE".into(), ..Answer::new(&gate.nonce(ACME)) };
    let headers = [("Proxy-Authorization", answer.to_string())];
    let text = request("INVITE", "sip:102@acme.example", "anonymous@anonymous.invalid", &headers);
    assert_eq!(gate.ask(ACME, &text), Said::Verified("101".into()));
}

#[test]
fn a_disabled_extension_is_refused_from_a_trusted_network_too() {
    let mut gate = Gate::new();
    gate.trust(ACME, "198.51.100.7/32");
    assert_eq!(gate.ask(ACME, &invite("103@acme.example")), Said::Refused(Reject::Disabled));
    gate.put(ACME, "103", |extension| extension.enabled = true);
    assert_eq!(gate.ask(ACME, &invite("103@acme.example")), Said::Trusted("103".into()));
}
