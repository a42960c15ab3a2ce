//! Requests within a dialog: what lets them through, and what their sender can't make of that.

use std::time::Duration;

use ringway_edge::{DropReason, Reject};

use crate::scene::{Dialog, Heard, Phone, Request, Scene};

/// Alice (101) and Bob (102) talk; Mallory (103) listens to every wire.
struct Talk {
    scene: Scene,
    alice: Phone,
    bob: Phone,
    mallory: Phone,
    /// Alice's view of the dialog, and Bob's.
    from: Dialog,
    to: Dialog,
    is_after_restart: bool,
}

impl Talk {
    fn new(shards: u8) -> Self {
        let mut scene = Scene::with_shards(shards, |_| {});
        let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        let mallory = scene.phone("103@acme.example");
        scene.register(bob);
        let (from, to) = scene.call(alice, bob);
        Self { scene, alice, bob, mallory, from, to, is_after_restart: false }
    }

    /// The same call on one shard and on four, while it is remembered and after a restart.
    fn everywhere(tell: impl Fn(&mut Self)) {
        for shards in [1, 4] {
            tell(&mut Self::new(shards));
            let mut talk = Self::new(shards);
            talk.scene.restart();
            talk.is_after_restart = true;
            tell(&mut talk);
        }
    }

    /// A request of one side, as that side would send it, and who should hear it.
    fn request(&mut self, from_caller: bool, method: &str) -> (Phone, Phone, Request) {
        let (sender, receiver, dialog) = match from_caller {
            true => (self.alice, self.bob, &mut self.from),
            false => (self.bob, self.alice, &mut self.to),
        };
        let request = dialog.request(&mut self.scene, sender, method);
        (sender, receiver, request)
    }

    /// Sends a request that must reach the other side, and be answered; as it was heard.
    #[track_caller]
    fn passes(&mut self, sender: Phone, receiver: Phone, request: &Request) -> Heard {
        self.scene.send_request(sender, request);
        if request.method == "INVITE" {
            self.scene.expect_response(sender, 100);
        }
        let heard = self.scene.expect_request(receiver, &request.method);
        self.scene.respond(receiver, &heard, 200);
        self.scene.expect_response(sender, 200);
        self.scene.expect_nothing_more();
        heard
    }

    /// The request with the credentials of its sender's extension, after it was challenged. The ACK to a challenge
    /// within a dialog can't be told from one to a 2xx, and goes on to where nobody waits for it.
    #[track_caller]
    fn with_credentials(&mut self, sender: Phone, receiver: Phone, request: Request) -> Request {
        let request = self.scene.answer_challenge(sender, request);
        if request.method == "INVITE" {
            self.scene.expect_request(receiver, "ACK");
        }
        request
    }

    /// Sends a request that must be refused and go nowhere.
    #[track_caller]
    fn is_refused(&mut self, sender: Phone, request: &Request, status: u16, reason: &str) {
        self.scene.send_request(sender, request);
        let refused = self.scene.expect_response(sender, status);
        assert_eq!(refused.reason_code(), reason, "{refused}");
        self.scene.expect_nothing_more();
    }
}

#[test]
fn what_either_side_sends_on_its_flow_reaches_the_other() {
    Talk::everywhere(|talk| {
        for method in ["INFO", "UPDATE", "INVITE", "MESSAGE", "REFER", "NOTIFY", "OPTIONS", "FOO", "BYE"] {
            for from_caller in [true, false] {
                // The BYE is for one of them to send.
                if method == "BYE" && from_caller {
                    continue;
                }
                let (sender, receiver, request) = talk.request(from_caller, method);
                let heard = talk.passes(sender, receiver, &request);
                assert_eq!(heard.request_uri(), talk.scene.contact(receiver), "{method}");
                assert!(!heard.has("Route"), "{heard}");
            }
        }
        talk.scene.advance(Duration::from_secs(60));
        assert_eq!((talk.scene.open_work(), talk.scene.calls_now()), ((0, 0), 0));
        talk.scene.take_strays();
    });
}

#[test]
fn the_to_of_a_response_within_a_dialog_goes_back_as_it_came() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(alice);
    scene.register(bob);
    let (mut from, _) = scene.call(alice, bob);
    for status in [200, 488, 603] {
        let request = from.request(&mut scene, alice, "UPDATE");
        scene.send_request(alice, &request);
        let heard = scene.expect_request(bob, "UPDATE");
        scene.respond(bob, &heard, status);
        let response = scene.expect_response(alice, status);
        assert_eq!(response.header("To"), request.to);
    }
    scene.expect_nothing_more();
}

#[test]
fn a_cookie_with_any_part_changed_is_403() {
    Talk::everywhere(|talk| {
        for from_caller in [true, false] {
            let (sender, _, request) = talk.request(from_caller, "INFO");
            let cookie = request.headers[0].clone();
            let at = cookie.find("rw.").unwrap() + 3;
            let end = cookie.find('@').unwrap();
            for changed in (at..end).step_by(9) {
                let other = if &cookie[changed..=changed] == "A" { "B" } else { "A" };
                let mut request = request.clone();
                request.headers[0].replace_range(changed..=changed, other);
                talk.is_refused(sender, &request, 403, "cookie-forged");
            }
            for text in
                [cookie[..at].to_owned() + &cookie[end..], cookie.replace('@', "AAAA@"), cookie.replace("rw.", "rw.x")]
            {
                let mut request = request.clone();
                request.headers[0] = text;
                talk.is_refused(sender, &request, 403, "cookie-forged");
                request.to = request.to.split(';').next().unwrap().into();
                talk.is_refused(sender, &request, 403, "cookie-forged");
            }
        }
    });
}

#[test]
fn a_cookie_of_another_call_or_with_other_tags_is_481() {
    Talk::everywhere(|talk| {
        let forgets = talk.is_after_restart;
        for from_caller in [true, false] {
            let (sender, receiver, request) = talk.request(from_caller, "INFO");
            let other_call = Request { call_id: "another@phone".into(), ..request.clone() };
            talk.is_refused(sender, &other_call, 481, "no-dialog");
            let other_from = Request { from: format!("{}x", request.from), ..request.clone() };
            let other_to = Request { to: format!("{}x", request.to), ..request.clone() };
            // After a restart only the caller's tag is known, and the other is taken as sent.
            for (changed, is_of_caller) in [(other_from, from_caller), (other_to, !from_caller)] {
                let changed = Request { branch: format!("{}-{is_of_caller}", changed.branch), ..changed };
                if forgets && !is_of_caller {
                    talk.passes(sender, receiver, &changed);
                } else {
                    talk.is_refused(sender, &changed, 481, "no-dialog");
                }
            }
            // With the tags the other way round it is the other side, from elsewhere.
            let (from, to, uri) = (request.to.clone(), request.from.clone(), talk.scene.contact(sender));
            let branch = "z9hG4bK-swapped".into();
            talk.is_refused(sender, &Request { from, to, uri, branch, ..request }, 407, "");
        }
    });
}

#[test]
fn a_to_tag_without_a_cookie_is_481_for_every_method() {
    Talk::everywhere(|talk| {
        let mut refused = 0;
        for method in
            ["BYE", "INVITE", "INFO", "UPDATE", "PRACK", "REFER", "NOTIFY", "SUBSCRIBE", "MESSAGE", "OPTIONS", "FOO"]
        {
            for from_caller in [true, false] {
                let (sender, _, mut request) = talk.request(from_caller, method);
                request.headers.clear();
                talk.is_refused(sender, &request, 481, "no-dialog");
                request.headers.push("Route: <sip:192.0.2.1;lr>".into());
                talk.is_refused(sender, &request, 481, "no-dialog");
                refused += 2;
            }
        }
        assert_eq!(talk.scene.refusals(Reject::NoDialog), refused);
    });
}

#[test]
fn a_side_that_speaks_from_elsewhere_shows_that_it_is_the_same_extension() {
    for (from_caller, aor) in [(true, "101@acme.example"), (false, "102@acme.example")] {
        Talk::everywhere(|talk| {
            let moved = talk.scene.phone_at(aor, ringway_sip::Transport::Udp, "203.0.113.7:6000");
            let from_there = |request| Request { via: "SIP/2.0/UDP 203.0.113.7:6000".into(), ..request };
            let (left, receiver, request) = talk.request(from_caller, "INFO");
            let request = talk.with_credentials(moved, receiver, from_there(request));
            let heard = talk.passes(moved, receiver, &request);
            assert!(!heard.has("Proxy-Authorization"), "{heard}");
            let (_, _, next) = talk.request(from_caller, "INFO");
            if talk.is_after_restart {
                // Nobody remembers where it is until a new cookie says so.
                talk.is_refused(moved, &from_there(next), 407, "");
                return;
            }
            // From now on it is known there, and the other side reaches it there.
            talk.passes(moved, receiver, &from_there(next));
            let (_, _, back) = talk.request(!from_caller, "INFO");
            talk.passes(receiver, moved, &back);
            // Where it was, it is a stranger now.
            let (_, _, stale) = talk.request(from_caller, "INFO");
            talk.is_refused(left, &stale, 407, "");
        });
    }
}

#[test]
fn nobody_else_can_speak_for_a_side_whatever_his_credentials() {
    Talk::everywhere(|talk| {
        for from_caller in [true, false] {
            for method in ["BYE", "INFO", "INVITE", "UPDATE"] {
                let (_, receiver, request) = talk.request(from_caller, method);
                let mallory = talk.mallory;
                let request = talk.with_credentials(mallory, receiver, request);
                talk.is_refused(mallory, &request, 403, "identity-mismatch");
            }
        }
        // Nor in his own name, while the call is remembered.
        if !talk.is_after_restart {
            let (_, _, request) = talk.request(true, "BYE");
            let request = Request { from: request.from.replace("101@", "103@"), ..request };
            let request = talk.scene.answer_challenge(talk.mallory, request);
            talk.is_refused(talk.mallory, &request, 403, "identity-mismatch");
        }
        // The call goes on.
        let (alice, bob, info) = talk.request(true, "INFO");
        talk.passes(alice, bob, &info);
    });
}

#[test]
fn a_request_uri_that_is_not_the_other_sides_contact_is_403() {
    let mut talk = Talk::new(1);
    for from_caller in [true, false] {
        for uri in ["sip:666@203.0.113.9", "sip:103@acme.example", "tel:900123", "sip:102@198.51.100.3:5060"] {
            let (sender, _, request) = talk.request(from_caller, "INVITE");
            talk.is_refused(sender, &Request { uri: uri.into(), ..request }, 403, "foreign-target");
        }
        // What is equivalent to it will do.
        let (sender, receiver, request) = talk.request(from_caller, "INFO");
        let uri = request.uri.replace("sip:1", "SIP:%31") + ";x=y";
        talk.passes(sender, receiver, &Request { uri, ..request });
    }
}

#[test]
fn a_foreign_request_uri_leads_nowhere_else_after_a_restart() {
    Talk::everywhere(|talk| {
        let (alice, bob, request) = talk.request(true, "INFO");
        if talk.is_after_restart {
            talk.passes(alice, bob, &Request { uri: "sip:666@203.0.113.9".into(), ..request });
        }
    });
}

#[test]
fn a_phone_that_listens_on_another_port_than_it_sends_from_is_asked_there_after_a_restart_too() {
    for is_after_restart in [false, true] {
        let mut scene = Scene::new();
        let bob = scene.phone("102@acme.example");
        let alice = scene.phone_at("101@acme.example", ringway_sip::Transport::Udp, "198.51.100.9:40000");
        scene.register(bob);
        let listens = "sip:101@198.51.100.9:5062";
        let invite = scene.request(alice, "INVITE", "sip:102@acme.example").contact(&format!("<{listens}>"));
        let invite = scene.answer_challenge(alice, invite);
        scene.send_request(alice, &invite);
        scene.expect_response(alice, 100);
        let heard = scene.expect_request(bob, "INVITE");
        scene.respond(bob, &heard, 200);
        scene.expect_response(alice, 200);
        if is_after_restart {
            scene.restart();
        }
        let bye = Dialog::of_callee(&heard, "tag-0").request(&mut scene, bob, "BYE");
        scene.send_request(bob, &bye);
        let strays = scene.take_strays();
        let [(flow, heard)] = &strays[..] else { panic!("{strays:?}") };
        assert_eq!((heard.method().as_deref(), heard.request_uri().as_str()), (Some("BYE"), listens));
        assert_eq!(flow.remote, "198.51.100.9:5062".parse().unwrap());
        scene.expect_nothing_more();
    }
}

#[test]
fn a_request_uri_that_is_our_cookie_means_the_other_side() {
    for shards in [1, 4] {
        let mut talk = Talk::new(shards);
        for from_caller in [true, false] {
            for keeps_route in [true, false] {
                let (sender, receiver, mut request) = talk.request(from_caller, "INFO");
                request.uri = request.headers[0].split(['<', '>']).nth(1).unwrap().into();
                if !keeps_route {
                    request.headers.clear();
                }
                let heard = talk.passes(sender, receiver, &request);
                assert_eq!((heard.request_uri(), heard.has("Route")), (talk.scene.contact(receiver), false), "{heard}");
            }
        }
    }
}

#[test]
fn a_strict_routers_request_is_put_right() {
    Talk::everywhere(|talk| {
        for from_caller in [true, false] {
            let (sender, receiver, mut request) = talk.request(from_caller, "INFO");
            let cookie = request.headers[0].split(['<', '>']).nth(1).unwrap().to_owned();
            request.headers = vec![format!("Route: <{}>", request.uri)];
            request.uri = cookie;
            let heard = talk.passes(sender, receiver, &request);
            assert_eq!((heard.request_uri(), heard.has("Route")), (talk.scene.contact(receiver), false), "{heard}");
            // What it put at the end is judged as a Request-URI is.
            if !talk.is_after_restart {
                request.headers = vec!["Route: <sip:666@203.0.113.9>".into()];
                request.branch += "x";
                talk.is_refused(sender, &request, 403, "foreign-target");
            }
        }
    });
}

#[test]
fn a_target_refresh_changes_where_the_other_sides_requests_go() {
    for (shards, method) in [(1, "INVITE"), (4, "INVITE"), (1, "UPDATE")] {
        for from_caller in [true, false] {
            let mut talk = Talk::new(shards);
            let (sender, receiver, request) = talk.request(from_caller, method);
            let old = talk.scene.contact(sender);
            let new = old.replace(":5060", ":5070");
            // An INFO refreshes nothing.
            let (_, _, info) = talk.request(from_caller, "INFO");
            talk.passes(sender, receiver, &info.contact(&format!("<{new}>")));
            let (_, _, info) = talk.request(!from_caller, "INFO");
            talk.passes(receiver, sender, &info);

            let newer = old.replace(":5060", ":5080");
            talk.passes(sender, receiver, &request.contact(&format!("<{new}>")));
            let (_, _, request) = talk.request(from_caller, method);
            talk.passes(sender, receiver, &request.contact(&format!("<{newer}>")));
            let (_, _, info) = talk.request(!from_caller, "INFO");
            talk.is_refused(receiver, &info, 403, "foreign-target");
            // What is sent to the one before may have crossed the change. It goes where the phone is now.
            for (uri, branch) in [(&new, "z9hG4bK-before"), (&newer, "z9hG4bK-now")] {
                talk.scene.send_request(receiver, &Request { uri: uri.clone(), branch: branch.into(), ..info.clone() });
                let strays = talk.scene.take_strays();
                let [(flow, heard)] = &strays[..] else { panic!("{strays:?}") };
                assert_eq!((heard.method(), heard.request_uri()), (Some("INFO".into()), uri.clone()));
                assert!(newer.ends_with(&flow.remote.to_string()), "{flow:?}");
            }
        }
    }
}

#[test]
fn a_refresh_that_is_refused_changes_nothing_for_the_other_side() {
    for from_caller in [true, false] {
        let mut talk = Talk::new(1);
        let (sender, receiver, request) = talk.request(from_caller, "INVITE");
        let new = talk.scene.contact(sender).replace(":5060", ":5070");
        talk.scene.send_request(sender, &request.contact(&format!("<{new}>")));
        talk.scene.expect_response(sender, 100);
        let heard = talk.scene.expect_request(receiver, "INVITE");
        // Meanwhile, and after it was refused, the other side may use the Contact that it knows.
        let (_, _, info) = talk.request(!from_caller, "INFO");
        talk.passes(receiver, sender, &info);
        talk.scene.respond(receiver, &heard, 488);
        talk.scene.expect_request(receiver, "ACK");
        talk.scene.expect_response(sender, 488);
        let (_, _, bye) = talk.request(!from_caller, "BYE");
        talk.passes(receiver, sender, &bye);
    }
}

#[test]
fn a_phone_may_be_called_what_a_cookie_looks_like() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    let contact = "sip:rw.smith@198.51.100.2:5060";
    let request = scene.request(bob, "REGISTER", "sip:acme.example").contact(&format!("<{contact}>"));
    assert_eq!(scene.ask(bob, request).status(), Some(200));
    let invite = scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    scene.send(bob, heard.response(200, "t", contact));
    let ok = scene.expect_response(alice, 200);
    let mut dialog = Dialog::of_caller(&invite, &ok);
    let ack = dialog.ack(&mut scene, alice);
    scene.send(alice, ack);
    scene.expect_request(bob, "ACK");
    let bye = dialog.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    assert_eq!(scene.expect_request(bob, "BYE").request_uri(), contact);
}

#[test]
fn a_cookie_that_belongs_to_no_call_opens_none() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let refer = scene.request(alice, "REFER", "sip:102@acme.example").header("Refer-To: <sip:103@acme.example>");
    let refer = scene.answer_challenge(alice, refer);
    scene.send_request(alice, &refer);
    let heard = scene.expect_request(bob, "REFER");
    scene.respond(bob, &heard, 202);
    let accepted = scene.expect_response(alice, 202);
    let mut dialog = Dialog::of_caller(&refer, &accepted);
    for method in ["INVITE", "UPDATE", "PRACK"] {
        let request = dialog.request(&mut scene, alice, method);
        scene.send_request(alice, &request);
        assert_eq!(scene.expect_response(alice, 481).reason_code(), "no-dialog");
    }
    // What a subscription is made of passes.
    let mut notifier = Dialog::of_callee(&heard, "tag-1");
    let notify = notifier.request(&mut scene, bob, "NOTIFY");
    scene.send_request(bob, &notify);
    scene.expect_request(alice, "NOTIFY");
    scene.expect_nothing_more();
}

#[test]
fn a_refreshed_contact_elsewhere_is_reached_by_the_flow_that_it_came_by() {
    for contact in ["sip:666@203.0.113.9", "sip:666@phone.invalid", "tel:666"] {
        let mut talk = Talk::new(1);
        let (alice, bob, request) = talk.request(true, "UPDATE");
        talk.passes(alice, bob, &request.contact(&format!("<{contact}>")));
        let (_, _, info) = talk.request(false, "INFO");
        let heard = talk.passes(bob, alice, &Request { uri: contact.into(), ..info });
        assert_eq!(heard.request_uri(), contact);
    }
}

#[test]
fn a_contact_that_leads_back_to_us_opens_and_refreshes_nothing() {
    for contact in ["sip:666@192.0.2.1:5060", "sip:666@127.0.0.1", "sip:666@localhost", "sip:a@x;maddr=192.0.2.1"] {
        let mut talk = Talk::new(1);
        for method in ["INVITE", "UPDATE"] {
            let (alice, _, request) = talk.request(true, method);
            talk.is_refused(alice, &request.contact(&format!("<{contact}>")), 403, "contact-refused");
        }
        let (alice, bob, info) = talk.request(true, "INFO");
        let opening = talk.scene.request(alice, "INVITE", "sip:102@acme.example").contact(&format!("<{contact}>"));
        let refused = talk.scene.ask(alice, opening);
        assert_eq!((refused.status(), &*refused.reason_code()), (Some(403), "contact-refused"));
        // The call goes on as it was.
        talk.passes(alice, bob, &info);
    }
}

#[test]
fn a_call_that_is_over_is_481() {
    for shards in [1, 4] {
        let mut talk = Talk::new(shards);
        let (bob, alice, bye) = talk.request(false, "BYE");
        talk.passes(bob, alice, &bye);
        for from_caller in [true, false] {
            let (sender, _, request) = talk.request(from_caller, "INFO");
            talk.is_refused(sender, &request, 481, "no-dialog");
        }
    }
}

#[test]
fn a_cookie_opens_nothing_new() {
    Talk::everywhere(|talk| {
        for method in ["INVITE", "MESSAGE", "OPTIONS", "REFER", "FOO"] {
            let (_, _, request) = talk.request(true, method);
            let request = Request { to: "<sip:102@acme.example>".into(), ..request };
            // It goes the way of any initial request: by its Request-URI, which is no number of ours.
            talk.is_refused(talk.alice, &request, 404, "unknown-domain");
            let request = Request { uri: "sip:102@acme.example".into(), ..request };
            talk.is_refused(talk.alice, &request, 407, "");
        }
    });
}

#[test]
fn a_cookie_that_a_re_invite_renews_knows_where_its_side_is_now() {
    let mut talk = Talk::new(4);
    let moved = talk.scene.phone_at("101@acme.example", ringway_sip::Transport::Udp, "203.0.113.7:6000");
    let (_, bob, request) = talk.request(true, "INVITE");
    let request = Request { via: "SIP/2.0/UDP 203.0.113.7:6000".into(), ..request };
    let request = request.contact("<sip:101@203.0.113.7:6000>");
    let request = talk.with_credentials(moved, bob, request);
    let heard = talk.passes(moved, bob, &request);
    // Bob takes the route that he has heard last, and the node forgets.
    let routes = heard.headers("Record-Route");
    assert_eq!(routes.len(), 1, "{heard}");
    talk.scene.restart();
    let (_, _, mut info) = talk.request(false, "INFO");
    info.uri = "sip:101@203.0.113.7:6000".into();
    info.headers = vec![format!("Route: {}", routes[0])];
    talk.passes(bob, moved, &info);
}

#[test]
fn a_forged_ack_is_dropped_without_an_answer() {
    Talk::everywhere(|talk| {
        let (alice, _, mut ack) = talk.request(true, "ACK");
        ack.headers[0] = ack.headers[0].replace("rw.", "rw.x");
        talk.scene.send_request(alice, &ack);
        ack.headers.clear();
        talk.scene.send_request(alice, &ack);
        talk.scene.expect_nothing_more();
        assert_eq!(talk.scene.drops(DropReason::StrayAck), 2);
    });
}
