//! What becomes of a request that waits for what other nodes know of a number, when something else happens meanwhile. The two
//! nodes are those of `nodes`.

use ringway_directory::Tenant;
use ringway_sip::Transport;

use crate::nodes::{Pair, cold, look_up};
use crate::scene::{ACME, Phone, Request, acme};

/// A caller by this transport has asked for a number that waits to be known.
fn waiting(transport: Transport, method: &str) -> (Pair, Phone, Request) {
    let (mut pair, _, _) = cold();
    let caller = pair.b.phone_at("102@acme.example", transport, "198.51.100.103:5060");
    let request = pair.b.request(caller, method, "sip:101@acme.example");
    let request = pair.b.answer_challenge(caller, request);
    pair.b.send_request(caller, &request);
    if method == "INVITE" {
        pair.b.expect_response(caller, 100);
    }
    assert_eq!(pair.b.hear(caller), None);
    (pair, caller, request)
}

#[test]
fn nobody_is_called_for_a_caller_whose_connection_has_closed_while_others_were_asked() {
    for method in ["INVITE", "MESSAGE"] {
        let (mut pair, caller, _) = waiting(Transport::Tcp, method);
        pair.b.close_flow(caller);
        look_up(&mut pair, true);
        pair.b.expect_nothing_more();
        assert_eq!(pair.b.open_work(), (0, 0));
    }
}

#[test]
fn a_caller_whose_extension_or_tenant_has_gone_while_others_were_asked_is_refused() {
    let disabled = || Tenant { enabled: false, ..acme() };
    for (what, expected) in [
        ("extension removed", (403, "disabled")),
        ("extension disabled", (403, "disabled")),
        ("tenant removed", (404, "unknown-domain")),
        ("tenant disabled", (404, "unknown-domain")),
    ] {
        let (mut pair, caller, invite) = waiting(Transport::Udp, "INVITE");
        let mut extension = (**pair.b.directory.extension(ACME, b"102").unwrap()).clone();
        extension.enabled = false;
        pair.b.redirect(|edit| match what {
            "extension removed" => assert!(edit.remove_extension(ACME, b"102")),
            "extension disabled" => assert!(edit.put_extension(ACME, extension)),
            "tenant removed" => edit.remove_tenant(ACME),
            _ => edit.put_tenant(disabled()),
        });
        look_up(&mut pair, true);
        let refused = pair.b.expect_response(caller, expected.0);
        assert_eq!(refused.reason_code(), expected.1, "{what}");
        pair.b.send(caller, refused.ack(&invite.text()));
        pair.b.expect_nothing_more();
        assert_eq!(pair.b.open_work(), (0, 0));
    }
}
