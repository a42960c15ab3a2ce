//! Emergency calls are let in whatever else is refused, unless somebody makes a habit of them.

use std::time::Duration;

use ringway_directory::{Budgets, Tenant};
use ringway_edge::DropReason;
use ringway_edge::bans::{BanReason, Barred, NewBan};
use ringway_edge::settings::SourceBudgets;
use ringway_sip::Transport;

use crate::scene::{Phone, Scene, acme};

/// The number that is an emergency here.
const EMERGENCY: &str = "sip:109@acme.example";

/// A node whose emergency number is 109, with a device at it, and a caller.
fn scene() -> (Scene, Phone, Phone) {
    let mut scene = Scene::with(|settings| settings.limits.emergency_numbers = vec!["109".into()]);
    let caller = scene.phone("101@acme.example");
    let helper = scene.phone("109@acme.example");
    scene.register(helper);
    (scene, caller, helper)
}

/// A whole call to the emergency number.
#[track_caller]
fn call_for_help(scene: &mut Scene, caller: Phone, helper: Phone) {
    let (mut dialog, _) = scene.call(caller, helper);
    let bye = dialog.request(scene, caller, "BYE");
    scene.send_request(caller, &bye);
    let heard = scene.expect_request(helper, "BYE");
    scene.respond(helper, &heard, 200);
    scene.expect_response(caller, 200);
}

/// A new request that must not be let in.
#[track_caller]
fn expect_refused(scene: &mut Scene, phone: Phone, uri: &str) {
    let request = scene.request(phone, "INVITE", uri);
    scene.send_request(phone, &request);
    let heard = scene.hear(phone);
    assert!(heard.as_ref().is_none_or(|heard| heard.status() == Some(503)), "{heard:?}");
}

#[test]
fn an_emergency_call_is_above_the_budgets_of_its_source_and_of_its_tenant() {
    let (mut scene, caller, helper) = scene();
    scene.redirect(|edit| {
        edit.put_tenant(Tenant { budgets: Budgets { calls: Some(1), ..Budgets::default() }, ..acme() });
    });
    for _ in 0..500 {
        let request = scene.request(caller, "INVITE", "sip:102@acme.example");
        scene.send_request(caller, &request);
        scene.hear(caller);
    }
    expect_refused(&mut scene, caller, "sip:102@acme.example");
    call_for_help(&mut scene, caller, helper);
    expect_refused(&mut scene, caller, "sip:102@acme.example");
}

#[test]
fn an_emergency_call_is_let_in_when_nothing_else_is() {
    let (mut scene, caller, helper) = scene();
    scene.reconfigure(|settings| settings.limits.source = SourceBudgets::default());
    scene.waiting = Duration::from_millis(60);
    let crowd = scene.phone_at("101@acme.example", Transport::Tcp, "203.0.113.66:40000");
    for _ in 0..3000 {
        let request = scene.request(crowd, "OPTIONS", "sip:acme.example");
        scene.send_request(crowd, &request);
        scene.hear(crowd);
        scene.advance(Duration::from_millis(1));
    }
    for _ in 0..20 {
        call_for_help(&mut scene, caller, helper);
        scene.advance(Duration::from_secs(1));
        scene.waiting = Duration::from_millis(60);
    }
}

#[test]
fn an_emergency_call_comes_through_a_ban_and_nothing_else_does() {
    let (mut scene, caller, helper) = scene();
    let barred = Barred::Source("198.51.100.1".parse().unwrap());
    let lasts = Duration::from_secs(600);
    let ban = NewBan { barred, reason: BanReason::Manual, detail: "".into(), lasts };
    scene.bans.add(scene.now.wall, ban, 10);
    expect_refused(&mut scene, caller, "sip:102@acme.example");
    assert_eq!(scene.drops(DropReason::Banned), 1);
    call_for_help(&mut scene, caller, helper);
    // Other calls stay out, meanwhile too.
    expect_refused(&mut scene, caller, "sip:102@acme.example");
    assert_eq!(scene.drops(DropReason::Banned), 2);
    assert_eq!(scene.bans.list(scene.now.wall)[0].hits, 2, "what was let through is no hit");
}

#[test]
fn a_banned_source_may_begin_as_many_emergency_calls_as_any_other() {
    for is_banned in [false, true] {
        let (mut scene, caller, _) = scene();
        // Nothing but an emergency is let in.
        scene.reconfigure(|settings| settings.draining = true);
        if is_banned {
            let barred = Barred::Source("198.51.100.1".parse().unwrap());
            let ban = NewBan { barred, reason: BanReason::Manual, detail: "".into(), lasts: Duration::from_secs(600) };
            assert!(scene.bans.add(scene.now.wall, ban, 10));
        }
        let mut begin = |count: usize| {
            let mut challenged = 0;
            for _ in 0..count {
                let request = scene.request(caller, "INVITE", EMERGENCY);
                scene.send_request(caller, &request);
                challenged += usize::from(scene.hear(caller).is_some_and(|heard| heard.status() == Some(407)));
            }
            scene.advance(Duration::from_secs(1));
            challenged
        };
        assert_eq!((begin(20), begin(20)), (10, 5), "a burst, and five a second; banned: {is_banned}");
    }
}

#[test]
fn forged_emergencies_from_ever_other_addresses_leave_room_for_those_of_registered_phones() {
    let (mut scene, stranger, helper) = scene();
    // Nothing but an emergency is let in.
    scene.reconfigure(|settings| settings.draining = true);
    let is_let_in = |scene: &mut Scene, phone: Phone| {
        let request = scene.request(phone, "INVITE", EMERGENCY);
        scene.send_request(phone, &request);
        scene.hear(phone).is_some_and(|heard| heard.status() == Some(407))
    };
    let forged = (0..11_000_u32)
        .filter(|number| {
            let from = format!("203.{}.{}.113:5060", number / 250, number % 250 + 1);
            let forger = scene.phone_at("101@acme.example", Transport::Udp, &from);
            is_let_in(&mut scene, forger)
        })
        .count();
    assert_eq!(forged, 10_010, "a source each while there is room, and what the others share");
    assert!(!is_let_in(&mut scene, stranger));
    let registered = (0..20).filter(|_| is_let_in(&mut scene, helper)).count();
    assert_eq!(registered, 10);
}

#[test]
fn the_call_id_of_an_emergency_opens_no_way_through_a_ban() {
    let (mut scene, caller, _) = scene();
    let barred = Barred::Source("198.51.100.1".parse().unwrap());
    let ban = NewBan { barred, reason: BanReason::Manual, detail: "".into(), lasts: Duration::from_secs(600) };
    scene.bans.add(scene.now.wall, ban, 10);
    let invite = scene.request(caller, "INVITE", EMERGENCY);
    scene.send_request(caller, &invite);
    assert_eq!(scene.hear(caller).unwrap().status(), Some(407));
    for (method, uri) in [
        ("REGISTER", "sip:acme.example"),
        ("INVITE", "sip:102@acme.example"),
        ("OPTIONS", "sip:acme.example"),
        ("MESSAGE", EMERGENCY),
    ] {
        let mut request = scene.request(caller, method, uri);
        request.call_id.clone_from(&invite.call_id);
        scene.send_request(caller, &request);
        assert_eq!(scene.hear(caller), None, "{method} {uri}");
    }
    assert_eq!(scene.drops(DropReason::Banned), 4);
}

#[test]
fn an_emergency_call_comes_through_when_the_tables_of_calls_are_full_and_the_server_ends() {
    let (mut scene, caller, helper) = scene();
    scene.reconfigure(|settings| {
        settings.limits.max_dialogs = 16;
        settings.draining = true;
    });
    expect_refused(&mut scene, caller, "sip:102@acme.example");
    call_for_help(&mut scene, caller, helper);
    scene.reconfigure(|settings| {
        settings.limits.max_dialogs = 16;
        settings.draining = false;
    });
    let dialogs: Vec<_> = (0..16).map(|_| scene.call(caller, helper)).collect();
    assert_eq!(dialogs.len(), 16);
    let (mut last, _) = scene.call(caller, helper);
    let bye = last.request(&mut scene, caller, "BYE");
    scene.send_request(caller, &bye);
    let heard = scene.expect_request(helper, "BYE");
    scene.respond(helper, &heard, 200);
    scene.expect_response(caller, 200);
}

#[test]
fn an_emergency_is_one_however_its_number_is_written_and_whatever_line_ends_stand_before() {
    let (mut scene, caller, _) = scene();
    let barred = Barred::Source("198.51.100.1".parse().unwrap());
    let ban = NewBan { barred, reason: BanReason::Manual, detail: "".into(), lasts: Duration::from_secs(600) };
    assert!(scene.bans.add(scene.now.wall, ban, 10));
    for (uri, before, is_let_in) in [
        ("sip:10%39@acme.example", "", true),
        ("sip:%31%30%39@acme.example", "", true),
        (EMERGENCY, "\r\n\r\n", true),
        ("sip:109;phone-context=+49@acme.example;user=phone", "", true),
        ("sip:1-0.9@acme.example;user=phone", "", true),
        ("sip:(1)09%3Bphone-context=+49@acme.example", "", true),
        ("sip:1090@acme.example", "", false),
        ("sip:;109@acme.example", "", false),
        ("sip:10%38@acme.example", "", false),
        ("sip:102@acme.example", "\r\n\r\n", false),
        ("sip:acme.example", "", false),
    ] {
        let request = scene.request(caller, "INVITE", uri);
        scene.send(caller, format!("{before}{}", request.text()));
        let status = scene.hear(caller).and_then(|heard| heard.status());
        assert_eq!(status, is_let_in.then_some(407), "{uri}");
    }
}

#[test]
fn who_makes_a_habit_of_emergencies_is_judged_like_everybody() {
    let (mut scene, caller, _) = scene();
    scene.reconfigure(|settings| settings.limits.source.requests = 1);
    let answered = (0..500)
        .filter(|_| {
            let request = scene.request(caller, "INVITE", EMERGENCY);
            scene.send_request(caller, &request);
            scene.hear(caller).is_some()
        })
        .count();
    // Ten at once, and the two of the source's own budget.
    assert_eq!(answered, 12);
    assert_eq!(scene.drops(DropReason::SourceRate), 488);
}

#[test]
fn an_emergency_urn_is_one_and_what_only_looks_like_it_is_not() {
    let (mut scene, caller, _) = scene();
    scene.reconfigure(|settings| settings.draining = false);
    scene.redirect(|edit| {
        edit.put_tenant(Tenant { budgets: Budgets { calls: Some(1), ..Budgets::default() }, ..acme() });
    });
    for (uri, status) in [("urn:service:sos", 416), ("urn:service:sos.police", 416), ("URN:SERVICE:SOS", 416)] {
        let request = scene.request(caller, "INVITE", uri);
        scene.send_request(caller, &request);
        // It is not banned or shed; where such calls go is not configured in this version.
        scene.expect_response(caller, status);
    }
}
