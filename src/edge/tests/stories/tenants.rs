//! Which tenant a request is for, who may ask in it, and that nothing crosses from one to another.

use ringway_directory::{Tenant, TenantId};
use ringway_edge::{Reject, Settings};

use crate::scene::digest::{answer, parameter};
use crate::scene::{ACME, GLOBEX, Heard, Phone, Scene, acme, extension};

fn default_is_globex(settings: &mut Settings) {
    settings.default_tenant = Some("globex.example".into());
}

/// The realm that a request without credentials is challenged for, or the status and reason that it is refused with.
#[track_caller]
fn realm(scene: &mut Scene, phone: Phone, method: &str, uri: &str, from: &str, to: &str) -> Result<String, String> {
    let mut request = scene.request(phone, method, uri);
    request.from = format!("<{from}>;tag=a");
    request.to = format!("<{to}>");
    scene.send_request(phone, &request);
    let response = scene.hear(phone).expect("an answer");
    scene.expect_nothing_more();
    match response.status() {
        Some(401) => Ok(parameter(&response.header("WWW-Authenticate"), "realm")),
        Some(407) => Ok(parameter(&response.header("Proxy-Authenticate"), "realm")),
        status => Err(format!("{} {}", status.unwrap(), response.reason_code())),
    }
}

#[test]
fn a_register_is_for_the_domain_in_its_request_uri_and_to_must_be_of_the_same_tenant() {
    for (settings, uri, to, expected) in [
        ("", "sip:acme.example", "sip:101@acme.example", Ok("acme.example")),
        ("", "sip:ACME.Example", "sip:101@acme.test", Ok("acme.example")),
        ("", "sips:Acme.TEST", "sip:101@acme.example", Ok("acme.example")),
        ("", "sip:globex.example", "sip:101@globex.example", Ok("globex.example")),
        ("", "sip:acme.example", "sip:101@globex.example", Err("404 register-other-domain")),
        ("", "sip:acme.example", "sip:101@elsewhere.example", Err("404 register-other-domain")),
        ("", "sip:acme.example", "sip:101@192.0.2.1", Err("404 register-other-domain")),
        ("globex", "sip:acme.example", "sip:101@192.0.2.1", Err("404 register-other-domain")),
        ("globex", "sip:globex.example", "sip:101@192.0.2.1:5060", Ok("globex.example")),
        ("", "sip:192.0.2.1", "sip:101@acme.example", Ok("acme.example")),
        ("globex", "sip:192.0.2.1:5060", "sip:101@acme.example", Ok("acme.example")),
        ("globex", "sip:192.0.2.1:5060", "sip:101@192.0.2.1", Ok("globex.example")),
        ("", "sip:192.0.2.1", "sip:101@192.0.2.1", Err("403 register-unknown-domain")),
        ("globex", "sip:192.0.2.1", "sip:101@elsewhere.example", Err("403 register-unknown-domain")),
        ("globex", "sip:192.0.2.1:5070", "sip:101@acme.example", Err("403 register-unknown-domain")),
        ("globex", "sip:192.0.2.9", "sip:101@acme.example", Err("403 register-unknown-domain")),
        ("globex", "sip:elsewhere.example", "sip:101@acme.example", Err("403 register-unknown-domain")),
    ] {
        let mut scene = if settings.is_empty() { Scene::new() } else { Scene::with(default_is_globex) };
        let phone = scene.phone("101@acme.example");
        let found = realm(&mut scene, phone, "REGISTER", uri, to, to);
        assert_eq!(found.as_deref().map_err(|refused| &**refused), expected, "{uri} {to} {settings}");
        let refused = scene.refusals(Reject::RegisterUnknownDomain) + scene.refusals(Reject::RegisterOtherDomain);
        assert_eq!(refused, u64::from(expected.is_err()), "{uri} {to}");
    }
}

#[test]
fn a_request_is_for_the_domain_in_its_request_uri_else_of_its_sender() {
    let (acme, globex) = ("sip:101@acme.example", "sip:101@globex.example");
    let unknown = "sip:anonymous@anonymous.invalid";
    for (settings, uri, from, expected) in [
        // The domain or an alias of it, in any case, whoever calls.
        ("", "sip:102@acme.example", acme, Ok("acme.example")),
        ("", "SIP:102@ACME.Test;user=phone", globex, Ok("acme.example")),
        ("", "sips:102@acme.example", unknown, Ok("acme.example")),
        ("globex", "sip:102@acme.example:5099", unknown, Ok("acme.example")),
        ("globex", "sip:102@elsewhere.example", acme, Err("404 unknown-domain")),
        ("globex", "sip:102@192.0.2.1:5070", acme, Err("404 unknown-domain")),
        ("globex", "sip:102@192.0.2.9", acme, Err("404 unknown-domain")),
        // A number or our address: the sender's.
        ("", "tel:102", acme, Ok("acme.example")),
        ("", "tel:102", "sip:101@ACME.test", Ok("acme.example")),
        ("globex", "sip:102@192.0.2.1", acme, Ok("acme.example")),
        ("", "sip:102@192.0.2.1:5060", globex, Ok("globex.example")),
        // The default for one who does not say.
        ("globex", "tel:102", unknown, Ok("globex.example")),
        ("globex", "sip:102@192.0.2.1", "sip:101@elsewhere.example", Ok("globex.example")),
        ("", "tel:102", unknown, Err("404 unknown-domain")),
        ("", "sip:102@192.0.2.1", "sip:101@elsewhere.example", Err("404 unknown-domain")),
    ] {
        let mut scene = if settings.is_empty() { Scene::new() } else { Scene::with(default_is_globex) };
        let phone = scene.phone("101@acme.example");
        // To never decides.
        let found = realm(&mut scene, phone, "INVITE", uri, from, "sip:102@acme.example");
        assert_eq!(found.as_deref().map_err(|refused| &**refused), expected, "{uri} {from} {settings}");
        assert_eq!(scene.refusals(Reject::UnknownDomain), u64::from(expected.is_err()), "{uri} {from}");
    }
}

#[test]
fn a_number_alone_is_of_the_tenant_that_is_registered_on_the_flow() {
    let mut scene = Scene::with(|settings| settings.default_tenant = Some("acme.example".into()));
    let (phone, other) = (scene.phone("101@globex.example"), scene.phone("101@globex.example"));
    scene.register(phone);
    let (from, to) = ("sip:anonymous@anonymous.invalid", "sip:102@acme.example");
    assert_eq!(realm(&mut scene, phone, "INVITE", "tel:102", from, to).as_deref(), Ok("globex.example"));
    assert_eq!(realm(&mut scene, phone, "INVITE", "sip:102@192.0.2.1", from, to).as_deref(), Ok("globex.example"));
    assert_eq!(realm(&mut scene, other, "INVITE", "tel:102", from, to).as_deref(), Ok("acme.example"), "another flow");
    // From goes before the flow.
    let acme = "sip:101@acme.example";
    assert_eq!(realm(&mut scene, phone, "INVITE", "tel:102", acme, to).as_deref(), Ok("acme.example"));
}

#[test]
fn a_flow_that_two_tenants_share_says_nothing() {
    let mut scene = Scene::new();
    let phone = scene.phone("101@acme.example");
    scene.register(phone);
    scene.state(phone).domain = "globex.example".into();
    scene.register(phone);
    let (from, to) = ("sip:anonymous@anonymous.invalid", "sip:102@acme.example");
    let found = realm(&mut scene, phone, "INVITE", "tel:102", from, to);
    assert_eq!(found, Err("404 unknown-domain".into()));
}

#[test]
fn a_domain_that_is_also_what_we_advertise_is_its_tenants() {
    let mut scene = Scene::with(|settings| {
        settings.default_tenant = Some("globex.example".into());
        settings.listeners[0].advertise = Some(("acme.example".into(), 5060));
    });
    let phone = scene.phone("101@acme.example");
    let to = "sip:101@acme.example";
    assert_eq!(realm(&mut scene, phone, "REGISTER", "sip:acme.example", to, to).as_deref(), Ok("acme.example"));
    let from = "sip:101@globex.example";
    assert_eq!(realm(&mut scene, phone, "INVITE", "sip:102@acme.example", from, to).as_deref(), Ok("acme.example"));
    scene.register(phone);
    assert_eq!(scene.take_kept().last().unwrap().key, "acme.example\u{0}101");
}

#[test]
fn a_disabled_tenant_is_as_one_that_is_not_there() {
    let mut scene = Scene::new();
    let phone = scene.phone("101@acme.example");
    let tenant = scene.directory.tenant(ACME).unwrap();
    let disabled = ringway_directory::Tenant { enabled: false, ..(**tenant).clone() };
    scene.redirect(|edit| {
        edit.put_tenant(disabled);
    });
    let aor = "sip:101@acme.example";
    let found = realm(&mut scene, phone, "REGISTER", "sip:acme.example", aor, aor);
    assert_eq!(found, Err("403 register-unknown-domain".into()));
    for uri in ["sip:102@acme.example", "tel:102"] {
        assert_eq!(realm(&mut scene, phone, "INVITE", uri, aor, aor), Err("404 unknown-domain".into()));
    }
}

const METHODS: [&str; 10] =
    ["REGISTER", "INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "PUBLISH", "REFER", "INFO", "NOTIFY", "FOO"];

/// The header that carries credentials to a challenge, and the challenge.
fn asked(challenge: &Heard) -> (&'static str, String) {
    match challenge.status() {
        Some(401) => ("Authorization", challenge.header("WWW-Authenticate")),
        _ => ("Proxy-Authorization", challenge.header("Proxy-Authenticate")),
    }
}

/// What a request to Globex is answered that bears credentials made for Acme, changed by `change`; the story's phone is
/// 101 of both tenants, with the same password.
#[track_caller]
fn answered_with_credentials_of_acme(method: &str, change: impl Fn(String) -> String) -> (Scene, Heard) {
    let mut scene = Scene::new();
    let phone = scene.phone("101@globex.example");
    let of_acme = if method == "REGISTER" { "sip:acme.example" } else { "sip:102@acme.example" };
    let mut request = scene.request(phone, method, of_acme);
    request.to = "<sip:101@acme.example>".into();
    scene.send_request(phone, &request);
    let (header, challenge) = asked(&scene.hear(phone).unwrap());
    let of_globex = of_acme.replace("acme", "globex");
    let credentials = answer(&challenge, method, &of_globex, "101", "secret-101", 1);
    let request = scene.request(phone, method, &of_globex).header(&format!("{header}: {}", change(credentials)));
    scene.send_request(phone, &request);
    let response = scene.hear(phone).unwrap();
    scene.expect_nothing_more();
    assert_eq!(scene.take_kept(), []);
    (scene, response)
}

#[test]
fn credentials_of_one_tenant_are_never_valid_in_another() {
    for method in METHODS {
        let failures = |scene: &Scene, tenant| {
            let failures = &scene.shards[0].counters().auth_failures;
            failures.get(&tenant).copied().unwrap_or(0)
        };
        // For the other realm: they are not looked at.
        let (scene, response) = answered_with_credentials_of_acme(method, |credentials| credentials);
        let (_, challenge) = asked(&response);
        assert!(matches!(response.status(), Some(401 | 407)), "{method} {response}");
        assert_eq!(
            (parameter(&challenge, "realm").as_str(), parameter(&challenge, "stale").as_str()),
            ("globex.example", "")
        );
        assert_eq!((failures(&scene, ACME), failures(&scene, GLOBEX)), (0, 0));
        // In the name of ours, or of its alias in other case, they come with a nonce that Globex never gave.
        for realm in ["globex.example", "Globex.Example", "acme.example\", realm=\"globex.example"] {
            let (scene, response) = answered_with_credentials_of_acme(method, |credentials| {
                credentials.replace("realm=\"acme.example\"", &format!("realm=\"{realm}\""))
            });
            assert!(matches!(response.status(), Some(401 | 407)), "{method} {realm} {response}");
            assert_eq!(failures(&scene, ACME), 0);
        }
    }
}

#[test]
fn a_password_hashed_for_one_tenant_opens_nothing_in_another() {
    let mut scene = Scene::new();
    let phone = scene.phone("101@globex.example");
    let request = scene.request(phone, "MESSAGE", "sip:102@globex.example");
    scene.send_request(phone, &request);
    let challenge = scene.expect_response(phone, 407).header("Proxy-Authenticate");
    // The right nonce, the right realm to be read, and the hash of the same user and password in Acme.
    let hashed = challenge.replace("globex.example", "acme.example");
    let credentials = answer(&hashed, "MESSAGE", &request.uri, "101", "secret-101", 1);
    let credentials = credentials.replace("realm=\"acme.example\"", "realm=\"globex.example\"");
    let request = scene.request(phone, "MESSAGE", &request.uri).header(&format!("Proxy-Authorization: {credentials}"));
    scene.send_request(phone, &request);
    scene.expect_response(phone, 407);
    scene.expect_nothing_more();
    assert_eq!(scene.shards[0].counters().auth_failures.get(&GLOBEX), Some(&1));
}

#[test]
fn from_must_be_the_extension_whose_credentials_are_given() {
    for (default, from, passes) in [
        ("", "sip:101@acme.example", true),
        ("", "sip:1%301@ACME.test;user=phone", true),
        ("", "sips:101@acme.example", true),
        ("", "sip:anonymous@anonymous.invalid", true),
        ("", "sip:102@acme.example", false),
        ("", "sip:101@globex.example", false),
        ("", "sip:101@elsewhere.example", false),
        ("", "sip:101@anonymous.invalid", false),
        ("", "sip:acme.example", false),
        ("", "tel:101", false),
        ("", "sip:101@192.0.2.1", false),
        ("acme.example", "sip:101@192.0.2.1:5060", true),
        ("acme.example", "sip:101@192.0.2.1:5070", false),
        ("globex.example", "sip:101@192.0.2.1", false),
    ] {
        let mut scene = Scene::with(|settings| {
            settings.default_tenant = Some(default).filter(|default| !default.is_empty()).map(Into::into);
        });
        let (phone, callee) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        scene.register(callee);
        for method in ["MESSAGE", "INVITE", "REFER", "FOO"] {
            let mut request = scene.request(phone, method, "sip:102@acme.example");
            request.from = format!("<{from}>;tag=a");
            let request = scene.answer_challenge(phone, request);
            scene.send_request(phone, &request);
            if passes {
                if method == "INVITE" {
                    scene.expect_response(phone, 100);
                }
                let heard = scene.expect_request(callee, method);
                assert_eq!(heard.header("From"), format!("<{from}>;tag=a"));
            } else {
                let refused = scene.expect_response(phone, 403);
                assert_eq!(refused.reason_code(), "identity-mismatch", "{from}");
            }
            scene.expect_nothing_more();
        }
    }
}

#[test]
fn a_phone_of_one_tenant_reaches_no_number_of_another() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@globex.example"));
    let namesake = scene.phone("102@acme.example");
    scene.register(bob);
    let kept = scene.take_kept();
    assert_eq!(kept.iter().map(|kept| &*kept.key).collect::<Vec<_>>(), ["globex.example\u{0}102"]);
    // The number exists here too, and nobody is registered for it here.
    let invite = scene.request(alice, "INVITE", "sip:102@acme.example");
    assert_eq!(scene.ask(alice, invite).reason_code(), "not-registered");
    // It exists only there.
    scene.redirect(|edit| {
        edit.put_extension(GLOBEX, extension("globex.example", "200"));
    });
    for uri in ["sip:200@acme.example", "sip:200@acme.test", "tel:200"] {
        let invite = scene.request(alice, "INVITE", uri);
        assert_eq!(scene.ask(alice, invite).reason_code(), "unknown-number");
    }
    // To call there, one must be there.
    let invite = scene.request(alice, "INVITE", "sip:102@globex.example");
    assert_eq!(scene.ask(alice, invite).reason_code(), "identity-mismatch");
    // And each tenant's 102 has its own calls.
    scene.register(namesake);
    scene.invite(alice, namesake);
    scene.expect_request(namesake, "INVITE");
    scene.expect_nothing_more();
}

#[test]
fn neither_a_redirection_nor_a_contact_leads_into_another_tenant() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    let others = ["102@globex.example", "103@globex.example", "103@acme.example"].map(|aor| scene.phone(aor));
    others.iter().for_each(|&other| drop(scene.register(other)));
    // A Contact that is another tenant's number is where it was registered from, and nowhere else.
    let register = scene.request(bob, "REGISTER", "sip:acme.example").contact("<sip:102@globex.example>");
    assert_eq!(scene.ask(bob, register).status(), Some(200));
    scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    assert_eq!(heard.request_uri(), "sip:102@globex.example");
    scene.expect_nothing_more();
    // A redirection there is for the caller to follow, if it may; nor does it mean the same number here.
    scene.send(bob, heard.response(302, "b", "sip:103@globex.example"));
    scene.expect_request(bob, "ACK");
    scene.expect_response(alice, 302);
    scene.expect_nothing_more();
}

#[test]
fn a_loop_through_another_tenant_gets_no_further_than_that_tenant_and_is_seen_when_it_comes_back() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    let other = scene.phone("102@globex.example");
    scene.register(bob);
    scene.register(other);
    scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    // Somebody's box at that number sends on whatever it gets, as a proxy does: without what we put there for the dialog.
    let sent_on = |uri: &str, vias: &[&str]| {
        let text = heard.text().replacen(&heard.request_uri(), uri, 1);
        let text = text.replacen(&format!("Record-Route: {}\r\n", heard.header("Record-Route")), "", 1);
        let vias: String = vias
            .iter()
            .map(|via| format!("Via: SIP/2.0/UDP {via};branch=z9hG4bK-{}\r\n", via.replace(['.', ':'], "-")))
            .collect();
        text.replacen("Via:", &format!("{vias}Via:"), 1)
    };
    scene.send(bob, sent_on("sip:102@globex.example", &["198.51.100.2:5060"]));
    let refusal = scene.hear(bob).unwrap();
    assert_eq!(refusal.status(), Some(407), "{refusal}");
    assert!(refusal.header("Proxy-Authenticate").contains("globex.example"), "it must be that tenant's: {refusal}");
    scene.expect_nothing_more();
    // The other tenant's box got it by some way round us, and sends it to where it began.
    scene.send(other, sent_on("sip:102@acme.example", &["198.51.100.3:5060", "198.51.100.2:5060"]));
    let refusal = scene.expect_response(other, 482);
    assert_eq!(refusal.reason_code(), "loop-detected");
    scene.expect_nothing_more();
}

#[test]
fn the_realm_of_a_domain_with_other_letters_is_its_a_labels_in_lower_case_and_no_other_form_counts() {
    let domain = "xn--mnchen-3ya.example";
    let id = TenantId(3);
    let mut scene = Scene::new();
    scene.redirect(|edit| {
        edit.put_tenant(Tenant { id, domain: domain.into(), aliases: Box::default(), ..acme() });
        edit.put_extension(id, extension(domain, "101"));
    });
    let phone = scene.phone(&format!("101@{domain}"));
    let request = scene.request(phone, "REGISTER", "sip:XN--MNCHEN-3YA.Example");
    let sent = scene.answer_challenge(phone, request.clone());
    let realm = format!("realm=\"{domain}\"");
    assert!(sent.text().contains(&realm), "whatever case it was asked for in: {}", sent.text());
    for form in ["XN--MNCHEN-3YA.example", "münchen.example"] {
        let other = sent.text().replace(&realm, &format!("realm=\"{form}\""));
        scene.send(phone, other.replace(&sent.branch, &format!("z9hG4bK-{}", form.len())));
        scene.expect_response(phone, 401);
    }
    scene.send_request(phone, &sent);
    scene.expect_response(phone, 200);
}
