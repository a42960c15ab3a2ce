//! GRUUs: one device of an extension, wherever it is (RFC 5627).

use std::time::Duration;

use ringway_edge::Input;

use crate::registration::{register, without_jitter};
use crate::scene::{Dialog, Heard, Phone, Request, Scene};

const PUBLIC: &str = "sip:102@acme.example;gr=urn:uuid:2";

fn scene() -> Scene {
    Scene::with(without_jitter)
}

/// Registers a device with an instance-id, asks for GRUUs, and gives the public and the temporary one.
#[track_caller]
pub fn register_device(scene: &mut Scene, phone: Phone, instance: u32) -> (String, String) {
    let response = register_under(scene, phone, instance, &format!("call-of-{instance}"));
    let contact = response.headers("Contact");
    let own = scene.contact(phone);
    let contact = contact.iter().find(|contact| contact.contains(&own)).expect("its Contact is listed");
    let text = |name: &str| {
        let begin = contact.find(&format!(";{name}=\"")).unwrap_or_else(|| panic!("no {name} in {contact}"));
        contact[begin + name.len() + 3..].split('"').next().unwrap().to_owned()
    };
    (text("pub-gruu"), text("temp-gruu"))
}

#[track_caller]
fn register_under(scene: &mut Scene, phone: Phone, instance: u32, call_id: &str) -> Heard {
    let contact = format!("<{}>;+sip.instance=\"<urn:uuid:{instance}>\"", scene.contact(phone));
    let cseq = scene.next_serial();
    let response = register(scene, phone, |request| {
        Request { call_id: call_id.into(), cseq, ..request }.contact(&contact).header("Supported: gruu")
    });
    assert_eq!(response.status(), Some(200), "{response}");
    response
}

/// What a call to a URI is answered; `None` when it rings.
fn call(scene: &mut Scene, caller: Phone, uri: &str) -> Option<Heard> {
    let invite = scene.request(caller, "INVITE", uri);
    let invite = scene.answer_challenge(caller, invite);
    scene.send_request(caller, &invite);
    Some(scene.hear(caller).unwrap()).filter(|heard| heard.status() != Some(100))
}

#[test]
fn a_device_that_supports_gruus_is_told_its_own_and_each_time_another_temporary_one() {
    let mut scene = scene();
    let phone = scene.phone("102@acme.example");
    let (public, temporary) = register_device(&mut scene, phone, 2);
    assert_eq!(public, PUBLIC);
    assert!(temporary.starts_with("sip:tgruu.") && temporary.ends_with("@acme.example;gr"), "{temporary}");
    let (public, again) = register_device(&mut scene, phone, 2);
    assert_eq!(public, PUBLIC);
    assert_ne!(temporary, again);
}

#[test]
fn who_does_not_support_them_or_has_no_instance_gets_none_and_nobody_is_required_to_anything() {
    let mut scene = scene();
    let (phone, other) = (scene.phone("102@acme.example"), scene.phone("102@acme.example"));
    let device = format!("<{}>;+sip.instance=\"<urn:uuid:2>\"", scene.contact(phone));
    let response = register(&mut scene, phone, |request| request.contact(&device));
    assert!(!response.text().contains("gruu"), "{response}");
    let response = register(&mut scene, other, |request| request.header("Supported: gruu"));
    let contacts = response.headers("Contact");
    assert!(contacts[0].contains("pub-gruu") && !contacts[1].contains("gruu"), "{response}");
    assert!(!response.has("Require") && !response.has("Supported"));
}

#[test]
fn a_device_can_t_suggest_its_gruus() {
    let mut scene = scene();
    let phone = scene.phone("102@acme.example");
    let contact = format!(
        "<{}>;pub-gruu=\"sip:101@acme.example;gr=x\";+sip.instance=\"<urn:uuid:2>\";temp-gruu=\"sip:y@acme.example;gr\"",
        scene.contact(phone)
    );
    let response = register(&mut scene, phone, |request| request.contact(&contact).header("Supported: gruu"));
    let listed = response.header("Contact");
    assert!(listed.contains(&format!(";pub-gruu=\"{PUBLIC}\"")), "{listed}");
    assert!(!listed.contains("gr=x") && !listed.contains("sip:y@"), "{listed}");
}

#[test]
fn a_contact_that_would_lead_round_is_refused() {
    let mut scene = scene();
    let phone = scene.phone("102@acme.example");
    let (public, temporary) = register_device(&mut scene, phone, 2);
    let device = "+sip.instance=\"<urn:uuid:9>\"";
    for uri in [&*public, &temporary, "sip:102@acme.example", "sip:%3102@ACME.test"] {
        let response = register(&mut scene, phone, |request| request.contact(&format!("<{uri}>;{device}")));
        assert_eq!((response.status(), &*response.reason_code()), (Some(403), "contact-refused"), "{uri}");
    }
    let response = register(&mut scene, phone, |request| request.contact(&format!("<tel:102>;{device}")));
    assert_eq!(response.status(), Some(403));
}

#[test]
fn a_call_to_a_gruu_rings_that_device_alone_with_its_contact_in_the_request_uri() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let (one, other) = (scene.phone("102@acme.example"), scene.phone("102@acme.example"));
    let (_, _) = register_device(&mut scene, other, 3);
    let (public, temporary) = register_device(&mut scene, one, 2);
    for uri in [public, temporary] {
        assert_eq!(call(&mut scene, caller, &uri), None);
        let heard = scene.expect_request(one, "INVITE");
        assert_eq!(heard.request_uri(), scene.contact(one), "without gr");
        scene.expect_nothing_more();
    }
}

#[test]
fn a_gruu_follows_its_device_to_another_address() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let (before, after) = (scene.phone("102@acme.example"), scene.phone("102@acme.example"));
    register_device(&mut scene, before, 2);
    scene.advance(Duration::from_secs(1));
    let (public, _) = register_device(&mut scene, after, 2);
    // Both are registered; the one that was refreshed last is asked first.
    assert_eq!(call(&mut scene, caller, &public), None);
    let heard = scene.expect_request(after, "INVITE");
    scene.expect_nothing_more();
    scene.respond(after, &heard, 408);
    scene.expect_request(after, "ACK");
    let heard = scene.expect_request(before, "INVITE");
    scene.respond(before, &heard, 486);
    scene.expect_request(before, "ACK");
    scene.expect_response(caller, 486);
    scene.expect_nothing_more();
}

#[test]
fn a_temporary_gruu_holds_as_long_as_its_call_id_and_a_public_one_for_ever() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let phone = scene.phone("102@acme.example");
    let (public, first) = register_device(&mut scene, phone, 2);
    let (_, second) = register_device(&mut scene, phone, 2);
    scene.restart();
    for uri in [&public, &first, &second] {
        assert_eq!(call(&mut scene, caller, uri), None, "{uri}");
        scene.expect_request(phone, "INVITE");
    }
    // The device was restarted.
    register_under(&mut scene, phone, 2, "another");
    for uri in [&first, &second] {
        let refused = call(&mut scene, caller, uri).expect("an answer");
        assert_eq!((refused.status(), &*refused.reason_code()), (Some(404), "unknown-number"));
    }
    assert_eq!(call(&mut scene, caller, &public), None);
    scene.expect_request(phone, "INVITE");
    let (_, third) = register_device(&mut scene, phone, 2);
    register(&mut scene, phone, |request| request.contact("*").header("Expires: 0"));
    assert_eq!(call(&mut scene, caller, &third).expect("an answer").status(), Some(404));
    assert_eq!(call(&mut scene, caller, &public).expect("an answer").status(), Some(480));
}

#[test]
fn what_is_no_valid_gruu_is_404() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let phone = scene.phone("102@acme.example");
    let (_, temporary) = register_device(&mut scene, phone, 2);
    let elsewhere = temporary.replace("acme.example", "globex.example");
    let tampered = temporary.replace("sip:tgruu.", "sip:tgruu.A");
    for uri in
        [&*tampered, "sip:tgruu.x@acme.example;gr", "sip:102@acme.example;gr", "sip:999@acme.example;gr=urn:uuid:2"]
    {
        assert_eq!(call(&mut scene, caller, uri).expect("an answer").status(), Some(404), "{uri}");
    }
    // Another tenant's domain does not open it.
    let stranger = scene.phone("101@globex.example");
    assert_eq!(call(&mut scene, stranger, &elsewhere).expect("an answer").status(), Some(404));
    scene.expect_nothing_more();
}

#[test]
fn within_a_call_a_gruu_leads_to_its_device_though_it_has_moved() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let callee = scene.tcp_phone("102@acme.example");
    let (public, _) = register_device(&mut scene, callee, 2);
    // The callee answers with its GRUU as its Contact.
    let invite = scene.invite(caller, callee);
    let heard = scene.expect_request(callee, "INVITE");
    scene.send(callee, heard.response(200, "t", &public));
    let ok = scene.expect_response(caller, 200);
    let mut dialog = Dialog::of_caller(&invite, &ok);
    let ack = dialog.ack(&mut scene, caller);
    scene.send(caller, ack);
    assert_eq!(scene.expect_request(callee, "ACK").request_uri(), scene.contact(callee));
    // It comes back by another connection.
    let flow = scene.state(callee).flow;
    scene.input(0, Input::FlowClosed(flow));
    scene.advance(Duration::from_secs(1));
    let moved = scene.tcp_phone("102@acme.example");
    register_device(&mut scene, moved, 2);
    let info = dialog.request(&mut scene, caller, "INFO");
    scene.send_request(caller, &info);
    let heard = scene.expect_request(moved, "INFO");
    assert_eq!(heard.request_uri(), scene.contact(moved));
    scene.respond(moved, &heard, 200);
    scene.expect_response(caller, 200);
    // It is registered no longer.
    register(&mut scene, moved, |request| request.contact("*").header("Expires: 0"));
    let bye = dialog.request(&mut scene, caller, "BYE");
    scene.send_request(caller, &bye);
    assert_eq!(scene.expect_response(caller, 480).reason_code(), "not-registered");
}

#[test]
fn a_caller_may_give_its_own_gruu_for_a_contact_and_nobody_elses() {
    let mut scene = scene();
    let (caller, callee) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    let (of_callee, _) = register_device(&mut scene, callee, 2);
    let (of_caller, temporary) = register_device(&mut scene, caller, 1);
    for own in [of_caller, temporary] {
        let uri = scene.uri(callee);
        let invite = scene.request(caller, "INVITE", &uri).contact(&format!("<{own}>"));
        let invite = scene.answer_challenge(caller, invite);
        scene.send_request(caller, &invite);
        scene.expect_response(caller, 100);
        let heard = scene.expect_request(callee, "INVITE");
        assert_eq!(heard.header("Contact"), format!("<{own}>"));
        scene.respond(callee, &heard, 200);
        scene.expect_response(caller, 200);
        let mut dialog = Dialog::of_callee(&heard, "tag-1");
        let bye = dialog.request(&mut scene, callee, "BYE");
        scene.send_request(callee, &bye);
        assert_eq!(scene.expect_request(caller, "BYE").request_uri(), scene.contact(caller));
        while scene.hear(caller).is_some() || scene.hear(callee).is_some() {}
    }
    let invite = scene.request(caller, "INVITE", "sip:102@acme.example").contact(&format!("<{of_callee}>"));
    let refused = scene.ask(caller, invite);
    assert_eq!((refused.status(), &*refused.reason_code()), (Some(403), "contact-refused"));
}

#[test]
fn a_temporary_gruu_of_before_a_reboot_is_void_though_an_old_registration_of_the_device_is_left() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let (before, after) = (scene.phone("102@acme.example"), scene.phone("102@acme.example"));
    let (public, old) = register_device(&mut scene, before, 2);
    scene.advance(Duration::from_secs(1));
    // It comes back at another address, and the registration of before has some minutes to run.
    let response = register_under(&mut scene, after, 2, "after-the-reboot");
    let contacts = response.headers("Contact");
    assert_eq!(contacts.len(), 2, "{response}");
    assert_eq!(call(&mut scene, caller, &old).expect("an answer").status(), Some(404));
    // Whichever it takes of those that it is told, it is a good one.
    for contact in contacts {
        let begin = contact.find("temp-gruu=\"").unwrap() + "temp-gruu=\"".len();
        let told = contact[begin..].split('"').next().unwrap().to_owned();
        assert_eq!(call(&mut scene, caller, &told), None, "{told}");
        scene.expect_request(after, "INVITE");
    }
    assert_eq!(call(&mut scene, caller, &public), None);
    scene.expect_request(after, "INVITE");
    scene.expect_nothing_more();
}

#[test]
fn a_redirection_to_a_gruu_rings_that_device_alone() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let moved = scene.phone("103@acme.example");
    let (one, other) = (scene.phone("102@acme.example"), scene.phone("102@acme.example"));
    scene.register(moved);
    register_device(&mut scene, other, 3);
    let (public, temporary) = register_device(&mut scene, one, 2);
    for uri in [public, temporary] {
        scene.invite(caller, moved);
        let heard = scene.expect_request(moved, "INVITE");
        scene.send(moved, heard.response(302, "m", &uri));
        scene.expect_request(moved, "ACK");
        let heard = scene.expect_request(one, "INVITE");
        scene.respond(one, &heard, 486);
        scene.expect_request(one, "ACK");
        scene.expect_response(caller, 486);
        scene.expect_nothing_more();
    }
    // What only looks like one leads nowhere.
    scene.invite(caller, moved);
    let heard = scene.expect_request(moved, "INVITE");
    scene.send(moved, heard.response(302, "m", "sip:tgruu.x@acme.example;gr"));
    scene.expect_request(moved, "ACK");
    scene.expect_response(caller, 302);
    scene.expect_nothing_more();
}

#[test]
fn who_called_one_device_by_its_gruu_is_not_led_on_to_another_by_it() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let (phone, other) = (scene.phone("102@acme.example"), scene.phone("103@acme.example"));
    scene.register(other);
    let (public, _) = register_device(&mut scene, phone, 2);
    assert_eq!(call(&mut scene, caller, &public), None);
    let heard = scene.expect_request(phone, "INVITE");
    scene.send(phone, heard.response(302, "m", "sip:103@acme.example"));
    scene.expect_request(phone, "ACK");
    assert!(scene.expect_response(caller, 302).header("Contact").contains("sip:103@acme.example"));
    scene.expect_nothing_more();
}
