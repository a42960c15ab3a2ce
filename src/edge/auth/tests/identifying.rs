use super::*;

/// Whether this From is 101 of acme.
fn is_101(gate: &Gate, address: &str) -> bool {
    let (tenant, extension) = (gate.tenant(ACME), Arc::clone(gate.directory.extension(ACME, b"101").unwrap()));
    let address = NameAddr::parse(address.as_bytes()).unwrap();
    names_extension(&address, &extension, &tenant, &gate.settings, &gate.flow)
}

#[test]
fn an_extension_is_named_by_its_number_and_any_domain_of_its_tenant() {
    let gate = Gate::new();
    for address in [
        "<sip:101@acme.example>",
        "\"Ann\" <sip:101@ACME.example;user=phone>;tag=1",
        "sip:101@sip.acme.example:5070;tag=2",
        "<sips:%3101@acme.example>",
        "<sip:101:pw@acme.example.>",
    ] {
        assert!(is_101(&gate, address), "{address}");
    }
    for address in [
        "<sip:102@acme.example>",
        "<sip:101@other.example>",
        "<sip:101@elsewhere.example>",
        "<sip:acme.example>",
        "<tel:101>",
        "<sip:0101@acme.example>",
        "<sip:101%20@acme.example>",
        "<mailto:101@acme.example>",
    ] {
        assert!(!is_101(&gate, address), "{address}");
    }
}

#[test]
fn our_address_stands_for_the_default_tenant_only() {
    let mut gate = Gate::new();
    assert!(is_101(&gate, "<sip:101@192.0.2.1>"));
    assert!(is_101(&gate, "<sip:101@192.0.2.1:5060>"));
    assert!(!is_101(&gate, "<sip:101@192.0.2.1:5061>"));
    gate.settings.default_tenant = Some("other.example".into());
    assert!(!is_101(&gate, "<sip:101@192.0.2.1>"));
    gate.settings.default_tenant = None;
    assert!(!is_101(&gate, "<sip:101@192.0.2.1>"));
}

#[test]
fn an_anonymous_from_names_nobody_and_one_with_a_number_is_not_anonymous() {
    let anonymous = |address: &str| is_anonymous(&NameAddr::parse(address.as_bytes()).unwrap());
    assert!(anonymous("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1"));
    assert!(anonymous("<sip:Anonymous@acme.example>"));
    assert!(anonymous("<sip:anonymous.invalid>"));
    assert!(!anonymous("\"Anonymous\" <sip:102@anonymous.invalid>"));
    assert!(!anonymous("\"Anonymous\" <sip:101@acme.example>"));
}
