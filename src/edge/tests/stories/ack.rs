//! The ACK to a 2xx: the one request that is forwarded without state (RFC 3261 sections 13.2.2.4 and 16.11).

use ringway_edge::DropReason;

use crate::scene::{Dialog, Phone, Request, Scene};

/// A call that bob has answered and alice has acknowledged once.
fn talk(shards: u8) -> (Scene, Phone, Phone, Dialog) {
    let mut scene = Scene::with_shards(shards, |_| {});
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let (dialog, _) = scene.call(alice, bob);
    (scene, alice, bob, dialog)
}

#[test]
fn an_ack_that_comes_again_goes_the_same_way_with_the_same_branch() {
    for is_after_restart in [false, true] {
        let (mut scene, alice, bob, mut dialog) = talk(4);
        if is_after_restart {
            scene.restart();
        }
        let open = scene.open_work();
        let ack = dialog.ack(&mut scene, alice);
        let heard: Vec<_> = (0..3)
            .map(|_| {
                scene.send(alice, &ack);
                scene.expect_request(bob, "ACK")
            })
            .collect();
        assert_eq!((&heard[1], &heard[2]), (&heard[0], &heard[0]));
        let ack = dialog.ack(&mut scene, alice);
        scene.send(alice, &ack);
        let other = scene.expect_request(bob, "ACK");
        assert!(other.branch().starts_with("z9hG4bK") && other.branch() != heard[0].branch());
        // Nothing is kept and nothing repeated.
        assert_eq!(scene.open_work(), open);
        scene.advance(std::time::Duration::from_secs(40));
        scene.expect_nothing_more();
    }
}

#[test]
fn an_ack_is_forwarded_as_any_request_is_but_for_its_record_route() {
    let (mut scene, alice, bob, dialog) = talk(1);
    let mut request = dialog.clone().request(&mut scene, alice, "ACK");
    request.headers.push(
        "Proxy-Authorization: Digest username=\"101\", realm=\"acme.example\", nonce=\"n\", \
                          uri=\"sip:102@acme.example\", response=\"00000000000000000000000000000000\""
            .into(),
    );
    request.via += ";rport";
    let request = request.header("Require: a").header("X-Own: \"kept\"").body("text/plain", "sdp");
    scene.send_request(alice, &request);
    let heard = scene.expect_request(bob, "ACK");
    assert_eq!(heard.request_uri(), scene.contact(bob));
    assert_eq!(
        (heard.header("Max-Forwards"), heard.header("X-Own"), heard.body()),
        ("69".into(), "\"kept\"".into(), "sdp".into())
    );
    assert!(
        heard.headers("Via")[1].ends_with(&format!(";rport=5060;branch={};received=198.51.100.1", request.branch)),
        "{heard}"
    );
    for name in ["Route", "Record-Route", "Proxy-Authorization"] {
        assert!(!heard.has(name), "{heard}");
    }
    scene.expect_nothing_more();
}

#[test]
fn an_ack_with_a_valid_cookie_is_forwarded_from_anywhere() {
    for shards in [1, 4] {
        let (mut scene, alice, bob, mut dialog) = talk(shards);
        let ack = dialog.ack(&mut scene, alice);
        let elsewhere = scene.phone("101@acme.example");
        scene.send(elsewhere, &ack);
        scene.expect_request(bob, "ACK");
        scene.expect_nothing_more();
    }
}

#[test]
fn an_ack_that_is_malformed_out_of_hops_or_of_no_call_is_dropped_and_never_answered() {
    for shards in [1, 4] {
        let (mut scene, alice, _, dialog) = talk(shards);
        let mut good = dialog.clone().request(&mut scene, alice, "ACK");
        good.cseq = 2;
        let out_of_hops = Request { max_forwards: Some(0), ..good.clone() };
        let other_call = Request { call_id: "b".into(), ..good.clone() };
        let no_cookie = Request { headers: Vec::new(), ..good.clone() };
        let forged = Request { headers: vec!["Route: <sip:rw.AAAA@192.0.2.1;lr>".into()], ..good.clone() };
        let unnamed = good.clone().header("Route: <sip:elsewhere.example;lr>");
        for (count, ack) in [out_of_hops, other_call, no_cookie, forged, unnamed].iter().enumerate() {
            scene.send_request(alice, ack);
            scene.expect_nothing_more();
            assert_eq!(scene.drops(DropReason::StrayAck), count as u64 + 1, "{}", ack.text());
        }
        let malformed = [
            good.text().replace("CSeq: 2 ACK", "CSeq: 2 INVITE"),
            good.text().replace("Call-ID:", "X:"),
            good.text().replace("Max-Forwards: 70", "Max-Forwards: 700"),
            good.text().replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"),
        ];
        for text in &malformed {
            scene.send(alice, text);
            scene.expect_nothing_more();
        }
        assert_eq!(scene.drops(DropReason::Malformed), malformed.len() as u64);
    }
}

#[test]
fn a_strict_routers_ack_is_put_right_as_any_request() {
    for shards in [1, 4] {
        let (mut scene, alice, bob, dialog) = talk(shards);
        let mut ack = dialog.clone().request(&mut scene, alice, "ACK");
        let cookie = ack.headers[0].split(['<', '>']).nth(1).unwrap().to_owned();
        ack.headers = vec![format!("Route: <{}>", ack.uri)];
        ack.uri = cookie.clone();
        scene.send_request(alice, &ack);
        let heard = scene.expect_request(bob, "ACK");
        assert_eq!((heard.request_uri(), heard.has("Route")), (scene.contact(bob), false));
        // And one that bears two entries of ours.
        let mut ack = dialog.clone().request(&mut scene, alice, "ACK");
        ack.headers = vec![format!("Route: <{cookie}>, <sip:rw@192.0.2.1;transport=tcp;lr>")];
        scene.send_request(alice, &ack);
        let heard = scene.expect_request(bob, "ACK");
        assert_eq!((heard.request_uri(), heard.has("Route")), (scene.contact(bob), false));
        scene.expect_nothing_more();
    }
}

#[test]
fn an_ack_follows_the_rest_of_its_route() {
    let (mut scene, alice, _, dialog) = talk(1);
    let mut ack = dialog.clone().request(&mut scene, alice, "ACK");
    ack.headers.push("Route: <sip:203.0.113.9:5080;lr>".into());
    scene.send_request(alice, &ack);
    let strays = scene.take_strays();
    let [(flow, heard)] = &strays[..] else { panic!("{strays:?}") };
    assert_eq!(flow.remote, "203.0.113.9:5080".parse().unwrap());
    assert_eq!((heard.request_uri(), heard.header("Route")), (ack.uri, "<sip:203.0.113.9:5080;lr>".into()));
    scene.expect_nothing_more();
}

#[test]
fn an_ack_from_elsewhere_goes_to_the_other_side_and_no_further() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    let mallory = scene.phone("103@acme.example");
    scene.register(bob);
    let (mut from, _) = scene.call(alice, bob);
    let ack = from.ack(&mut scene, alice);
    scene.send(mallory, &ack);
    scene.expect_request(bob, "ACK");
    let with_body =
        ack.replace("Content-Length: 0\r\n\r\n", "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n");
    scene.send(mallory, with_body);
    assert_eq!(scene.expect_request(bob, "ACK").body(), "v=0\r\n");
    // With a further Route it would reach whomever the sender likes.
    scene.send(mallory, ack.replacen("Max-Forwards", "Route: <sip:203.0.113.9;lr>\r\nMax-Forwards", 1));
    scene.send(mallory, ack.replacen("\r\nContent-Length", "\r\nRoute: <sip:203.0.113.9;lr>\r\nContent-Length", 1));
    scene.expect_nothing_more();
}
